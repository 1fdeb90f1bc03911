"""What the planner's tools ask of the server while a hand draws: streets to snap to, and what if.

Streets come by tiles of one zoom, with rivers and railways, which bound grids as well; a way along
streets comes for two places. `/plan/<id>/try` says what an edit would do and changes nothing.
"""

from __future__ import annotations

import json
import math

import flask
import geopandas as gpd
import numpy as np
import pyproj
import shapely
from werkzeug.exceptions import NotFound

from dashboards.language import page_words
from dashboards.plan_desk import desk_of
from dashboards.plan_routes import BAD_EDIT, answer, answered, read_body, read_edit, refusal
from dashboards.plan_tool_edits import try_edit
from dashboards.server import pack, send
from dashboards.store import Store
from geo.datum import metric_crs
from geo.plan import RedrawError
from geo.snap import MARGIN_M, Streets, lines_in

TILE_ZOOM = 14
"""A tile is 2.4 km wide at the equator: a few at a time on any screen where one edits."""

MOST_WAY_M = 5_000.0
"""Places farther apart than this are joined straight: nobody clicks along a street so far."""

PLACES = 7
Answer = flask.typing.ResponseReturnValue
Box = tuple[float, float, float, float]


def add_plan_snap_routes(server: flask.Flask, store: Store) -> None:
    """Add the routes of snapping and of trying an edit to the server of an app."""
    routes = flask.Blueprint("plan_snap", __name__, url_prefix="/plan")

    @routes.get("/snap/streets/<int:x>/<int:y>.json")
    def streets(x: int, y: int) -> Answer:
        if max(x, y) >= 2**TILE_ZOOM:
            raise NotFound
        return send(pack(_tile(store, tile_box(x, y))), "application/json", "no-cache")

    @routes.get("/snap/follow")
    def follow() -> Answer:
        ends = [_place(flask.request.args.get(name, "")) for name in ("from", "to")]
        if None in ends:
            raise NotFound
        return answer(store, {"line": _way(store, [end for end in ends if end is not None])})

    @routes.post("/<plan_id>/try")
    @answered(store)
    def attempt(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        with desk_of(store).open(plan_id) as entry:
            try:
                edit = read_edit(store, entry, body["edit"])
                found = try_edit(entry.plan, edit, entry.open.base)
            except RedrawError as error:
                # What would be refused is an answer here, not a fault of who asks.
                return answer(store, refusal(error, entry, words))
            except BAD_EDIT:
                bad = {"ok": False, "code": "edit", "error": words("planner.bad.edit")}
                return answer(store, bad, 400)
        return answer(store, {"ok": True, "seq": entry.seq, **found})

    server.register_blueprint(routes)


def tile_box(x: int, y: int) -> Box:
    """West, south, east, north of a tile of `TILE_ZOOM` (Web Mercator, rows from the north)."""
    count = 2**TILE_ZOOM

    def lat(row: int) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / count))))

    return x / count * 360 - 180, lat(y + 1), (x + 1) / count * 360 - 180, lat(y)


def _tile(store: Store, box: Box) -> bytes:
    roads = store.workspace.read("roads", columns=["geom"], bbox=box)
    frame = gpd.GeoDataFrame(roads, geometry="geometry", crs=4326)
    _, pieces = lines_in(frame, box) if len(frame) else (None, [])
    lines = [np.round(shapely.get_coordinates(piece), PLACES).ravel().tolist() for piece in pieces]
    return json.dumps({"lines": lines}, separators=(",", ":")).encode()


def _place(text: str) -> tuple[float, float] | None:
    """Longitude and latitude of `lon,lat`."""
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return (lon, lat) if -180 <= lon <= 180 and -85 <= lat <= 85 else None


def _way(store: Store, ends: list[tuple[float, float]]) -> list[list[float]] | None:
    """The way along streets between two places, in degrees; None to go straight."""
    crs = metric_crs([lon for lon, _ in ends], [lat for _, lat in ends])
    forth = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    places = np.array([forth.transform(*place) for place in ends])
    straight = float(np.hypot(*(places[1] - places[0])))
    if straight > MOST_WAY_M:
        return None
    room = (max(MARGIN_M, straight / 2) + 50) / 111_000
    lons, lats = zip(*ends, strict=True)
    wide = room / math.cos(math.radians(lats[0]))
    box = (min(lons) - wide, min(lats) - room, max(lons) + wide, max(lats) + room)
    roads = store.workspace.read("roads", columns=["geom"], bbox=box)
    if not len(roads):
        return None
    streets = Streets(gpd.GeoDataFrame(roads, geometry="geometry", crs=4326).to_crs(crs))
    # The screen's places are rounded: half a metre brings them back onto the street.
    snapped = streets.snap(places, 0.5)
    if "" in snapped.to:
        return None
    line = streets.follow(*snapped.xy)
    if line is None:
        return None
    x, y = shapely.get_coordinates(line).T
    lon, lat = forth.transform(x, y, direction="INVERSE")
    return [
        [round(float(a), PLACES), round(float(b), PLACES)] for a, b in zip(lon, lat, strict=True)
    ]
