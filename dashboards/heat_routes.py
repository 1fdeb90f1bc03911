"""Heat over HTTP: tiles, what they show and how sure it is, hexagons, grids, playback, hot spots.

All addresses take the same choice (see `read_asked`). A summary names the version of what it told;
an address with that version (`v`) may be kept for good. What is still being read answers 202 with
how far it is, a tile 503 with when to ask again. What cannot be answered is a 400 with one
sentence; a choice without cases is no error but an answer that says so (`reason`).
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import flask
import numpy as np
import pandas as pd
import pyproj
from werkzeug.exceptions import NotFound

from dashboards.heat_desk import EPOCH, FRAMES, Asked, Found, HeatDesk, WaitError
from dashboards.heat_parts import by_area
from dashboards.server import pack, send
from dashboards.store import Store
from geo.errors import InputError
from geo.heat import (
    KERNELS,
    LEAST_HOUSEHOLDS,
    MEASURES,
    UNSURE_RSE,
    HeatChoice,
    count_points,
    measure_areas,
    read_tile,
    summarise_heat,
)
from geo.hotspots import (
    PLACE_M,
    RADIUS_M,
    contiguity_weights,
    count_slices,
    find_emerging,
    list_black_spots,
    place_keys,
)
from layers.colours import Mood
from layers.heat_image import HeatScale, draw_heat, heat_scale
from layers.to_geojson import frame_to_geojson

DESK = "wangge-heat"
"""Where the server keeps its `HeatDesk`."""

UNITS = {"km2": "per_km2", "households": "per_1000", "effort": "times"}
SIZES = (256, 512)
BANDWIDTHS_M = (50.0, 5000.0)
MOST_SLICES = 60
MOST_SPOTS = 200
RADII_M = (10.0, 500.0)
HALF_YEAR_DAYS = 182
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"
_NAMES = (
    "measure", "h", "kernel", "class", "source", "from", "to", "hours", "weekdays", "months",
)  # fmt: skip
Answer = flask.typing.ResponseReturnValue


def add_heat_routes(server: flask.Flask, store: Store) -> HeatDesk:
    """Add the routes under `/heat/` to the server of an app."""
    desk = server.extensions[DESK] = HeatDesk(store)
    routes = flask.Blueprint("heat", __name__, url_prefix="/heat")
    _add_errors(routes)
    _add_maps(routes, store, desk)
    _add_areas(routes, store, desk)
    server.register_blueprint(routes)
    return desk


def _add_errors(routes: flask.Blueprint) -> None:
    @routes.errorhandler(WaitError)
    def wait(error: WaitError) -> Answer:
        is_tile = flask.request.path.endswith(".png")
        body = {"loading": {"step": error.step, "share": round(error.share, 3)}}
        response = _json(body, 503 if is_tile else 202)
        response.headers["Retry-After"] = "1"
        return response

    @routes.errorhandler(InputError)
    def wrong(error: InputError) -> Answer:
        text = str(error)
        is_empty = text == "no_grids"
        return _json({"error": text, "reason": "no_grids" if is_empty else "ask"}, 400)


def _json(body: dict[str, Any], status: int = 200) -> flask.Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = flask.Response(text, mimetype="application/json", status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


# --- what addresses say ------------------------------------------------------------------------


def read_asked() -> Asked:
    """The choice of a request; InputError in one sentence for what cannot be."""
    args = flask.request.args
    measure, kernel = args.get("measure") or "km2", args.get("kernel") or "quartic"
    if measure not in MEASURES:
        raise InputError(f"measure is {measure!r}: use one of {', '.join(MEASURES)}")
    if kernel not in KERNELS:
        raise InputError(f"kernel is {kernel!r}: use one of {', '.join(KERNELS)}")
    low, high = BANDWIDTHS_M
    bandwidth = _number("h", 300.0)
    if not low <= bandwidth <= high:
        raise InputError(f"h is {bandwidth:g}: use {low:g} to {high:g} metres")
    first, last = _day("from"), _day("to")
    if first is not None and last is not None and first > last:
        raise InputError(f"from is {first}, after to ({last}): turn them round")
    return Asked(
        measure, bandwidth, kernel, _texts("class"), _texts("source"), first, last,
        _whole("hours"), _whole("weekdays"), _whole("months"),
    )  # fmt: skip


def _number(name: str, default: float) -> float:
    told = flask.request.args.get(name)
    if not told:
        return default
    try:
        return float(told)
    except ValueError:
        raise InputError(f"{name} is {told!r}: give a number") from None


def _day(name: str) -> date | None:
    told = flask.request.args.get(name)
    if not told:
        return None
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise InputError(f"{name} is {told!r}: give a date such as 2026-11-21") from None


def _texts(name: str) -> tuple[str, ...] | None:
    told = [part for part in (flask.request.args.get(name) or "").split(",") if part]
    return tuple(sorted(set(told))) if told else None


def _whole(name: str) -> tuple[int, ...]:
    told = [part for part in (flask.request.args.get(name) or "").split(",") if part]
    try:
        return tuple(sorted({int(part) for part in told}))
    except ValueError:
        raise InputError(f"{name} is {','.join(told)!r}: give whole numbers") from None


def _mood() -> Mood:
    return "night" if flask.request.args.get("mood") == "night" else "day"


def _query(**more: str) -> str:
    """The choice of the request as the end of an address."""
    told = {name: flask.request.args[name] for name in _NAMES if flask.request.args.get(name)}
    return urlencode({**told, "mood": _mood(), **more})


def _scale(found: Found) -> HeatScale:
    top = _number("top", 0.0) or found.surface.top
    return heat_scale(top, _mood(), is_ratio=found.surface.measure == "effort")


# --- maps ----------------------------------------------------------------------------------------


def _add_maps(routes: flask.Blueprint, store: Store, desk: HeatDesk) -> None:
    @routes.get("/summary")
    def summary() -> Answer:
        return _json(_summary(store, desk, read_asked()))

    @routes.get("/<int:zoom>/<int:x>/<int:y>.png")
    def tile(zoom: int, x: int, y: int) -> Answer:
        if zoom > 22 or x >= 2**zoom or y >= 2**zoom:
            raise NotFound
        asked = read_asked()
        version = desk.version(asked)
        is_same = flask.request.args.get("v") == version
        tag = hashlib.blake2b(
            f"{version} {flask.request.full_path}".encode(), digest_size=12
        ).hexdigest()
        if flask.request.if_none_match.contains_weak(tag):
            return flask.Response(status=304)
        found = desk.find(asked)
        told = int(_number("size", 256))
        size = told if told in SIZES else SIZES[0]
        picture = draw_heat(*read_tile(found.surface, zoom, x, y, size=size), _scale(found))
        response = flask.Response(picture, mimetype="image/png")
        response.headers["Cache-Control"] = _FOR_GOOD if is_same else _ASK_FIRST
        response.set_etag(tag, weak=True)
        return response

    @routes.get("/frames")
    def frames() -> Answer:
        asked, by = read_asked(), flask.request.args.get("by") or "hour"
        if asked.measure == "effort":
            raise InputError("measure is effort, which has no playback: use km2 or households")
        told = [(value, found) for value, _, found in desk.frames(asked, by)]
        top = max((found.surface.top for _, found in told), default=0.0)
        return _json(
            {
                "by": by, "top": top,
                "legend": _legend(heat_scale(top, _mood())),
                "frames": [
                    {
                        "value": value, "cases": found.surface.cases,
                        "query": _query(
                            **{FRAMES[by]: str(value), "top": f"{top:.9g}", "v": found.version}
                        ),
                    }
                    for value, found in told
                ],
            }
        )  # fmt: skip


def _summary(store: Store, desk: HeatDesk, asked: Asked) -> dict[str, Any]:
    """What a map shows, in numbers; words are the page's."""
    found = desk.find(asked)
    city = store.snapshot().city
    told = summarise_heat(found.surface)
    peak = told["peak"]
    if peak is not None:
        change = pyproj.Transformer.from_crs(found.surface.ground.crs, "EPSG:4326", always_xy=True)
        peak["lon"], peak["lat"] = (
            round(part, 6) for part in change.transform(peak["x"], peak["y"])
        )
        del peak["x"], peak["y"]
        row = city.position.get(peak["grid"] or "")
        peak["name"] = city.place_names[row] if row is not None else None
    days = found.effort_days
    return {
        **told,
        "v": found.version,
        "tiles": f"{flask.request.host_url}heat/{{z}}/{{x}}/{{y}}.png?" + _query(v=found.version),
        "bounds": list(city.bounds),
        "unit": UNITS[asked.measure],
        "legend": _legend(_scale(found)),
        "top": found.surface.top,
        "reason": found.reason,
        "sources": found.sources,
        "effort": {
            "days": len(days),
            "first": days[0].isoformat() if days else None,
            "last": days[-1].isoformat() if days else None,
        }
        if asked.measure == "effort"
        else None,
        "boundary": city.version,
    }


def _legend(scale: HeatScale) -> dict[str, Any]:
    return {
        "starts": scale.starts, "colours": scale.colours, "opacity": scale.opacity,
        "below": scale.below, "unsure_rse": UNSURE_RSE,
    }  # fmt: skip


# --- areas ----------------------------------------------------------------------------------------


def _add_areas(routes: flask.Blueprint, store: Store, desk: HeatDesk) -> None:
    @routes.get("/hex.geojson")
    def hexagons() -> Answer:
        asked, points = read_asked(), desk.points()
        shapes, rows = desk.hexagons(int(_number("res", 8)))
        choice = desk.choice(asked)
        counts = by_area(count_points(points, rows, shapes.index, choice))
        # Of a rate what lies in grids whose households are not known is neither above nor below.
        known = np.append(np.isfinite(desk.city().households), False)[points.grid]
        above = by_area(count_points(points, np.where(known, rows, -1), shapes.index, choice))
        homes = shapes["households"].where(shapes["households"] >= LEAST_HOUSEHOLDS)
        table = measure_areas(counts, shapes["area_km2"].clip(lower=1e-9))
        told = shapes[["geometry"]].assign(
            hexagon=shapes.index.astype(str), count=counts, per_km2=table["per_km2"].round(3),
            unsure=table["unsure"], households=homes.round(),
            per_1000=(above * 1000 / homes).round(3), estimated=homes.notna(),
        )  # fmt: skip
        seen = told[counts.to_numpy() > 0]
        names = ["hexagon", "count", "per_km2", "unsure", "households", "per_1000", "estimated"]
        body = frame_to_geojson(seen, names)
        is_same = flask.request.args.get("v") == desk.version(asked)
        return send(pack(body), "application/geo+json", _FOR_GOOD if is_same else _ASK_FIRST)

    @routes.get("/grids.json")
    def grids() -> Answer:
        asked, city, points = read_asked(), desk.city(), desk.points()
        choice = desk.choice(asked)
        counts = count_points(points, points.grid, city.grids.index, choice)
        mine = store.snapshot().city
        area = pd.Series(mine.area_m2 / 1e6, index=city.grids.index)
        homes = pd.Series(city.households, index=city.grids.index)
        table = measure_areas(by_area(counts), area, households=homes)
        body = {name: _plain(table[name]) for name in table.columns}
        ids = [str(label) for label in table.index]
        return _json({**body, "ids": ids, "outside": int(counts.iloc[-1])})

    @routes.get("/hotspots.json")
    def hotspots() -> Answer:
        asked = read_asked()
        return _json(_hotspots(store, desk, asked))

    @routes.get("/blackspots.json")
    def black_spots() -> Answer:
        return _json(_black_spots(store, desk, read_asked()))


def _plain(values: pd.Series) -> list[Any]:
    """Numbers as JSON has them: what is missing or infinite is null."""
    if values.dtype == bool:
        return [bool(value) for value in values]
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    return [None if not np.isfinite(value) else round(float(value), 4) for value in numbers]


def _hotspots(store: Store, desk: HeatDesk, asked: Asked) -> dict[str, Any]:
    """Emerging hot spots of the grids by week or day, up to the last day that is over."""
    step = _slice_days()
    size = int(_number("slices", 26))
    if not 1 <= size <= MOST_SLICES:
        raise InputError(f"slices is {size}: use 1 to {MOST_SLICES}")
    city, points = desk.city(), desk.points()
    today = _today(store)
    end = (min(asked.last + timedelta(days=1), today) if asked.last else today) - EPOCH
    edges = [end.days - step * (size - k) for k in range(size + 1)]
    choice = desk.choice(asked)
    chosen = _mask(points, choice)
    counts = count_slices(points.grid[chosen], points.day[chosen], edges, city.grids.index)
    keys = place_keys(points.x[chosen], points.y[chosen], points.kind[chosen], PLACE_M)
    apart = count_slices(
        points.grid[chosen], points.day[chosen], edges, city.grids.index, once=keys
    )
    table = find_emerging(apart, contiguity_weights(city.grids))
    since = {edge: (EPOCH + timedelta(days=int(edge))).isoformat() for edge in edges}
    return {
        "ids": [str(label) for label in table.index],
        "kind": [str(kind or "") for kind in table["kind"]],
        **{name: _plain(table[name]) for name in ("hot", "cold", "runs", "z", "q", "trend_z")},
        "hot_since": [since.get(value) for value in table["hot_since"]],
        "counts": counts.to_numpy().tolist(),
        "slices": [since[edge] for edge in edges[:-1]],
        "until": since[edges[-1]],
        "cases": int(counts.to_numpy().sum()),
        "repeats": int((counts - apart).to_numpy().sum()),
        "v": desk.version(asked),
    }


def _slice_days() -> int:
    step = {"day": 1, "week": 7, "month": 28}.get(flask.request.args.get("slice") or "week")
    if step is None:
        raise InputError("slice is unknown: use day, week or month (of four weeks)")
    return step


def _black_spots(store: Store, desk: HeatDesk, asked: Asked) -> dict[str, Any]:
    """Places where cases come back; without a first day, of the last half year."""
    cases, points, city = desk.cases(), desk.points(), store.snapshot().city
    last = min(asked.last or _today(store), _today(store))
    first = min(asked.first or last - timedelta(days=HALF_YEAR_DAYS - 1), last)
    most, radius = int(_number("most", 20)), _number("radius", RADIUS_M)
    low, high = RADII_M
    if not 1 <= most <= MOST_SPOTS:
        raise InputError(f"most is {most}: use 1 to {MOST_SPOTS}")
    if not low <= radius <= high:
        raise InputError(f"radius is {radius:g}: use {low:g} to {high:g} metres")
    step = _slice_days()
    found = list_black_spots(
        cases, desk.boundary(), store.workspace.metric_crs(), zone=store.zone, first=first,
        last=last, where=_mask(points, desk.choice(asked)), slice_days=step, radius_m=radius,
        most=most,
    )  # fmt: skip
    spots = found.astype(object).to_dict("records")
    for spot in spots:
        row = city.position.get(spot["grid_id"] or "")
        spot["name"] = city.place_names[row] if row is not None else None
        for name in ("first_day", "last_day"):
            spot[name] = spot[name].isoformat()
        for name in ("lon", "lat"):
            spot[name] = round(spot[name], 6)
    return {
        "spots": spots, "found": found.attrs["found"], "radius_m": radius, "slice_days": step,
        "first": first.isoformat(), "last": last.isoformat(), "v": desk.version(asked),
    }  # fmt: skip


def _mask(points: Any, choice: HeatChoice) -> Any:
    """The chosen points, by what a slice of time does not say itself."""
    keep = points.grid >= 0
    if choice.kinds is not None:
        keep &= np.isin(points.kind, choice.kinds)
    if choice.sources is not None:
        keep &= np.isin(points.source, choice.sources)
    if choice.hours:
        keep &= np.isin(points.hour % 24, choice.hours)
    if choice.weekdays:
        keep &= np.isin(points.hour // 24, choice.weekdays)
    if choice.months:
        keep &= np.isin(points.month + 1, choice.months)
    return keep


def _today(store: Store) -> date:
    now: datetime = store.clock().astimezone(store.zone)
    return now.date()
