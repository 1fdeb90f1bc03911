"""What the server answers besides pages: map data, the basemap's style, health; and its headers.

Map data is GeoJSON under `/data/`, packed once and kept until its table changes. The address that a
page uses carries the version of the data (`?v=`), so the browser may keep the answer for good; an
address without it is checked by its ETag each time. Every answer says by Content-Security-Policy
that nothing but this server may be asked for anything.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import flask
from werkzeug.exceptions import HTTPException, NotFound

from dashboards import map_data
from dashboards.language import page_words
from dashboards.live_feed import add_live_route
from dashboards.store import Store
from geo.errors import WanggeError
from layers.basemap import map_style

log = logging.getLogger(__name__)

GEOJSON = "application/geo+json"
LIVE = "wangge-live"
"""Where the server keeps its `LiveFeed`."""

_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(self), microphone=()",
}


@dataclass(frozen=True)
class Packed:
    """A body that is ready to send, plain and compressed."""

    plain: bytes
    packed: bytes
    etag: str


def pack(body: bytes) -> Packed:
    """Compress a body once."""
    return Packed(
        body, gzip.compress(body, 6, mtime=0), hashlib.blake2b(body, digest_size=12).hexdigest()
    )


def new_reference() -> str:
    """A short number under which the log has the whole story of an error."""
    return secrets.token_hex(4)


def program_version() -> str:
    """Version of the installed program."""
    try:
        return version("wangge")
    except PackageNotFoundError:
        return "0"


def add_routes(server: flask.Flask, store: Store, script_hashes: Callable[[], list[str]]) -> None:
    """Add all routes and headers to the server of an app.

    `script_hashes` gives the hashes of the page's own inline scripts, which the policy allows. The
    feed behind `/live` is kept as `server.extensions[LIVE]`.
    """
    _add_timing(server)
    _add_headers(server, script_hashes)
    _add_errors(server, store)

    # dash has a route for "/" of its own, so this must come before any route.
    @server.before_request
    def go_to_first_page() -> flask.typing.ResponseReturnValue | None:
        if flask.request.path != "/":
            return None
        query = flask.request.query_string.decode("utf-8", "replace")
        return flask.redirect(f"/command?{query}" if query else "/command")

    @server.get("/healthz")
    def healthz() -> flask.typing.ResponseReturnValue:
        return _health(store)

    server.extensions[LIVE] = add_live_route(server, store)

    @server.get("/map/style.json")
    def style() -> flask.typing.ResponseReturnValue:
        scale = _number(flask.request.args.get("scale", "1"), 0.5, 4.0)
        versions = store.snapshot().versions
        found = map_style(
            flask.request.host_url,
            "day" if flask.request.args.get("mood") == "day" else "night",
            roads=f"/data/roads.geojson?v={versions['ground']}",
            areas=f"/data/areas.geojson?v={versions['ground']}",
            boundaries=f"/data/boundaries.geojson?v={versions['city']}",
        )
        body = json.dumps(map_data.scale_style(found, scale), ensure_ascii=False).encode()
        return send(pack(body), "application/json", _ASK_FIRST)

    @server.get("/data/<name>.geojson")
    def layer(name: str) -> flask.typing.ResponseReturnValue:
        source = map_data.SOURCES.get(name)
        if source is None:
            raise NotFound
        # Data and version of one snapshot: a newer one may be put in place at any moment.
        snapshot = store.snapshot()
        current = snapshot.versions[source.part]
        words = page_words(store.settings.language)
        key = ("data", name, words.language if source.speaks else "")
        packed = store.remember(key, current, lambda: pack(source.make(store, snapshot, words)))
        return send(packed, GEOJSON, _cache(current))

    @server.get("/data/assets/<int:zoom>/<int:x>/<int:y>.geojson")
    def assets(zoom: int, x: int, y: int) -> flask.typing.ResponseReturnValue:
        if zoom > 22 or x >= 2**zoom or y >= 2**zoom:
            raise NotFound
        snapshot, words = store.snapshot(), page_words(store.settings.language)
        body = map_data.asset_tile(store, snapshot, zoom, x, y, words)
        return send(pack(body), GEOJSON, _cache(snapshot.versions["assets"]))


def _number(text: str, low: float, high: float) -> float:
    try:
        return min(max(float(text), low), high)
    except ValueError:
        return 1.0


def _cache(current: str) -> str:
    return _FOR_GOOD if flask.request.args.get("v") == current else _ASK_FIRST


def send(body: Packed, mimetype: str, cache: str) -> flask.Response:
    """A packed body as the browser takes it, or 304 where it has it already.

    The tag is a weak one: it stands for the content, packed or not (RFC 9110, 8.8.1).
    """
    packs = flask.request.accept_encodings["gzip"] > 0
    response = flask.Response(body.packed if packs else body.plain, mimetype=mimetype)
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = cache
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(body.etag, weak=True)
    response.make_conditional(flask.request)
    if response.status_code == 304:
        response.headers.pop("Content-Encoding", None)
    return response


def _health(store: Store) -> flask.Response:
    newest = store.snapshot().newest
    health = store.health
    age = None if newest is None else max(0.0, (store.clock() - newest).total_seconds())
    response = flask.jsonify(
        status="ok" if health.ok else "degraded",
        version=program_version(),
        age_s=None if age is None else round(age, 1),
        looked_at=None if health.looked_at is None else health.looked_at.isoformat(),
    )
    response.status_code = 200 if health.ok else 503
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_timing(server: flask.Flask) -> None:
    @server.before_request
    def begin() -> None:
        flask.g.begun = time.perf_counter()

    @server.after_request
    def end(response: flask.Response) -> flask.Response:
        begun = flask.g.get("begun")
        if begun is not None:
            spent = (time.perf_counter() - begun) * 1000
            response.headers["Server-Timing"] = f"app;dur={spent:.1f}"
        return response


def _add_headers(server: flask.Flask, script_hashes: Callable[[], list[str]]) -> None:
    @server.after_request
    def protect(response: flask.Response) -> flask.Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        scripts = " ".join(
            ["'self'", *(script_hashes() if response.mimetype == "text/html" else ())]
        )
        response.headers["Content-Security-Policy"] = "; ".join(
            [
                "default-src 'self'",
                f"script-src {scripts}",
                # plotly and the controls set styles on elements; no style sheet comes from outside.
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data: blob:",
                "font-src 'self' data:",
                "connect-src 'self'",
                # MapLibre reads tiles of geometry in a worker made from its own text.
                "worker-src 'self' blob:",
                "object-src 'none'",
                "base-uri 'self'",
                "form-action 'self'",
                "frame-ancestors 'self'",
            ]
        )
        return response


def _add_errors(server: flask.Flask, store: Store) -> None:
    """What we raise on purpose is shown as written; all else gets a reference number."""

    @server.errorhandler(HTTPException)
    def known(error: HTTPException) -> flask.typing.ResponseReturnValue:
        return flask.jsonify(error=error.description), error.code or 500

    @server.errorhandler(WanggeError)
    def ours(error: WanggeError) -> flask.typing.ResponseReturnValue:
        log.warning("%s: %s", flask.request.path, error)
        return flask.jsonify(error=str(error)), 500

    @server.errorhandler(500)
    def unexpected(error: Any) -> flask.typing.ResponseReturnValue:
        reference = new_reference()
        log.error("%s %s", reference, flask.request.path, exc_info=error)
        words = page_words(store.settings.language)
        return flask.jsonify(error=words("error.page", reference=reference)), 500
