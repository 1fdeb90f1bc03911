"""GPS in over HTTP: `/ingest/osmand`, `/ingest/owntracks`, `/ingest/fixes`. 200 means committed.

Three answers to a single reading. 200: it is stored, or it never has to be sent again (a duplicate,
off duty, a place or time that cannot be: the header `X-Wangge-Reason` says which). 400, 401, 413:
the request is not one that we take, and sending it again does not help. 503 with `Retry-After`: not
now. A phone sends again whatever is not answered with 200 and holds back what comes after, so a
single impossible position must not be refused for ever. What becomes of every reading is counted
in `ingest_counts`. Answers are JSON; only OsmAnd's 200 is empty, as its clients know it.
"""

from __future__ import annotations

import flask

from dashboards.settings import Settings
from dashboards.store import Store
from geo.errors import StoreError
from geo.io.fixbook import FINE, REASONS, FixBook, FixRules
from geo.protocols import (
    ProtocolError,
    Reading,
    parse_batch,
    parse_osmand,
    parse_owntracks,
    read_basic,
    read_bearer,
)

INGEST = "wangge-ingest"
"""Where the server keeps its `FixBook`."""

INGEST_THREADS = 16
"""Threads that wait for commits, beside those of the pages: 600 readings a second that wait 20 ms
each keep 12 of them."""

ONE_BYTES = 64 * 1024
"""The most that one reading may weigh; a real one has 300 to 2,000 bytes."""
BATCH_BYTES = 5 * 1024 * 1024
RETRY_S = 5

Answer = flask.typing.ResponseReturnValue

_STATUS = {"unknown_device": 400, "wrong_token": 401}


def make_rules(settings: Settings) -> FixRules:
    """What the settings say about positions that come in."""
    return FixRules(
        zone=settings.zone,
        duty=None if settings.keep_off_duty else settings.duty,
        is_open=settings.ingest_open,
        keep_days=settings.keep_fixes_days,
        speed_unit=settings.osmand_speed,
    )


def add_ingest_routes(server: flask.Flask, store: Store, book: FixBook | None = None) -> FixBook:
    """Add the routes by which positions come in to the server of an app.

    Without a book one is made by the settings of the store. It is kept as
    `server.extensions[INGEST]`; whoever serves closes it at the end.
    """
    if book is None:
        book = FixBook(store.workspace, make_rules(store.settings), clock=store.clock)
    server.extensions[INGEST] = book
    feed = _Feed(book)
    routes = flask.Blueprint("ingest", __name__, url_prefix="/ingest")
    # One rule each: a phone is never sent to another address by a slash.
    for path, view, methods in (
        ("/osmand", feed.osmand, ["GET", "POST"]),
        ("/owntracks", feed.owntracks, ["POST"]),
        ("/fixes", feed.fixes, ["POST"]),
    ):
        routes.add_url_rule(
            path, view_func=view, endpoint=path[1:], methods=methods, strict_slashes=False
        )
        if "GET" not in methods:
            # Else it would be answered with a page, as any address is that nobody knows.
            routes.add_url_rule(
                path, view_func=_only_post, endpoint=f"{path[1:]}-get", strict_slashes=False
            )
    routes.register_error_handler(StoreError, _not_now)
    server.register_blueprint(routes)
    return book


class _RefusedError(Exception):
    """Ends a request with an answer."""

    def __init__(self, reason: str, text: str, status: int) -> None:
        super().__init__(text)
        self.reason, self.text, self.status = reason, text, status


class _Feed:
    """The views of the three routes."""

    def __init__(self, book: FixBook) -> None:
        self.book = book

    def osmand(self) -> Answer:
        """One reading of Traccar Client or OsmAnd."""
        request = flask.request
        try:
            body = _read_body(ONE_BYTES)
            query = request.query_string.decode("utf-8", "replace")
            reading = parse_osmand(
                query, request.headers.get("Content-Type", ""), body, now=self.book.clock(),
                zone=self.book.rules.zone, unit_of=self.book.unit_of,
            )  # fmt: skip
        except (_RefusedError, ProtocolError) as error:
            return self._refuse("osmand", error)
        token = reading.token or _spoken_token()
        reason = self.book.take([reading._replace(token=token)])[0]
        return _answer_one(reason, b"", "text/plain")

    def owntracks(self) -> Answer:
        """One message of OwnTracks."""
        request = flask.request
        user, password = read_basic(request.headers.get("Authorization", ""))
        try:
            message = parse_owntracks(
                _read_body(ONE_BYTES), user=user, password=password,
                limit_user=request.headers.get("X-Limit-U") or request.args.get("u", ""),
                limit_device=request.headers.get("X-Limit-D") or request.args.get("d", ""),
            )  # fmt: skip
        except (_RefusedError, ProtocolError) as error:
            return self._refuse("owntracks", error)
        if isinstance(message, str):
            self.book.note("owntracks", message)
            return _answer_one(message, b"[]", "application/json")
        return _answer_one(self.book.take([message])[0], b"[]", "application/json")

    def fixes(self) -> Answer:
        """A batch in our own form."""
        try:
            found = parse_batch(_read_body(BATCH_BYTES), _spoken_token())
        except (_RefusedError, ProtocolError) as error:
            return self._refuse("batch", error)
        readings = [item for item in found if isinstance(item, Reading)]
        reasons = iter(self.book.take(readings))
        bad = sum(isinstance(item, ProtocolError) for item in found)
        if bad:
            self.book.note("batch", "malformed", bad)
        tally = {"accepted": 0, "duplicates": 0, "off_duty": 0}
        rejected: list[dict[str, object]] = []
        strange: list[int] = []
        for index, item in enumerate(found):
            if isinstance(item, ProtocolError):
                rejected.append({"index": index, "reason": f"malformed: {item}"})
                continue
            reason = next(reasons)
            name = "duplicates" if reason == "duplicate" else reason
            if name in tally:
                tally[name] += 1
                continue
            rejected.append({"index": index, "reason": f"{reason}: {REASONS[reason]}"})
            strange.append(_STATUS.get(reason, 0))
        status, body = 200, {**tally, "rejected": rejected}
        if strange and len(strange) == len(found) and all(strange):
            # Nothing in it is from a phone of ours.
            status = min(strange)
            body = {"error": rejected[0]["reason"], **body}
        response = flask.jsonify(body)
        response.status_code = status
        return response

    def _refuse(self, source: str, error: _RefusedError | ProtocolError) -> Answer:
        if isinstance(error, ProtocolError):
            error = _RefusedError("malformed", str(error), 400)
        self.book.note(source, error.reason)
        return _tell(error.text, error.status, error.reason)


def _only_post() -> Answer:
    response = _tell("use POST here", 405, "method")
    response.headers["Allow"] = "POST"
    return response


def _spoken_token() -> str:
    """The token of the headers, or the one of the address."""
    spoken = read_bearer(flask.request.headers.get("Authorization", ""))
    return spoken or flask.request.args.get("token", "")


def _read_body(limit: int) -> bytes:
    """The body of a request, up to a size.

    Raises
    ------
    _RefusedError
        If it is larger.
    """
    request = flask.request
    length = request.content_length
    body = b"" if length is not None and length > limit else request.stream.read(limit + 1)
    if len(body) > limit or (length is not None and length > limit):
        raise _RefusedError("too_large", f"the body is larger than {limit:,} bytes", 413)
    return body


def _answer_one(reason: str, body: bytes, kind: str) -> Answer:
    """What a phone hears about one reading."""
    status = _STATUS.get(reason)
    if status is not None:
        return _tell(REASONS[reason], status, reason)
    response = flask.Response(body, mimetype=kind)
    response.headers["X-Wangge-Reason"] = reason
    if reason not in FINE and not body:
        response.set_data(f"not stored: {REASONS[reason]}\n".encode())
    return response


def _tell(text: str, status: int, reason: str) -> flask.Response:
    response = flask.jsonify(error=text, reason=reason)
    response.status_code = status
    response.headers["X-Wangge-Reason"] = reason
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="wangge"'
    return response


def _not_now(error: StoreError) -> Answer:
    """The city cannot be written at this moment: the phone keeps what it has and sends it again."""
    response = flask.jsonify(error=str(error), reason="busy")
    response.status_code = 503
    response.headers["Retry-After"] = str(RETRY_S)
    return response
