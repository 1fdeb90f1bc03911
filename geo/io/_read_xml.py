"""GPX and GraphML, read element by element; entities are refused before anything is read.

A GPX file holds recorded points and marked places. As fixes each track point is a row; as roads
each track segment is a line; for everything else the waypoints count. What is left out is named.
GPX is WGS-84 and its times are UTC (GPX 1.1); speed in GPX 1.0 is metres a second.

A GraphML file of OSMnx holds nodes with x and y, and edges; edges without a geometry of their own
run straight between their nodes.
"""

from __future__ import annotations

import xml.parsers.expat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import shapely

from geo.errors import InputError
from geo.io.read import Source, no_bad_rows

_POINT_TAGS = {
    "ele": "ele", "time": "time", "speed": "speed_ms", "name": "name", "desc": "desc",
    "sym": "sym", "hdop": "hdop", "type": "type", "cmt": "cmt",
}  # fmt: skip


_BARE_TIME = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d*)?)?$"


class _RootFoundError(Exception):
    """The first element has begun; a document type can no longer come."""


def refuse_entities(path: Path, name: str) -> str:
    """The name of the root element, without its namespace.

    Raises
    ------
    InputError
        If the document declares entities or is no XML.
    """
    parser = xml.parsers.expat.ParserCreate()
    root: list[str] = []

    def on_entity(*_: Any) -> int:
        raise InputError(f"{name} declares entities, which are refused: remove its DOCTYPE")

    def on_element(tag: str, _: Any) -> None:
        root.append(tag.rpartition(":")[2].lower())
        raise _RootFoundError

    parser.EntityDeclHandler = on_entity
    parser.ExternalEntityRefHandler = on_entity
    parser.StartElementHandler = on_element
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except _RootFoundError:
        return root[0]
    except xml.parsers.expat.ExpatError as error:
        raise InputError(f"{name} is broken XML: {error}") from error
    raise InputError(f"{name} is XML without content")


def what_xml_is(path: Path, name: str) -> str:
    """`gpx`, `graphml`, or `xml` for what GDAL may know."""
    root = refuse_entities(path, name)
    if root in ("html", "svg"):
        what = "a web page (HTML)" if root == "html" else "a drawing (SVG)"
        raise InputError(f"{name} is no data file but {what}")
    if root == "ogrvrtdatasource":
        raise InputError(f"{name} only points at other files: name those")
    return root if root in ("gpx", "graphml") else "xml"


def _elements(path: Path, name: str) -> Iterator[tuple[str, ElementTree.Element, str]]:
    """Starts and ends of elements with their local names."""
    try:
        for event, element in ElementTree.iterparse(path, events=("start", "end")):
            yield event, element, element.tag.rpartition("}")[2]
    except ElementTree.ParseError as error:
        raise InputError(f"{name} is broken XML: {error}") from error


def read_gpx(path: Path, name: str, kind: str) -> Source:
    """Read the tracks of a GPX file for fixes and roads, else its waypoints.

    A recording that breaks off (a phone that died) is read up to there, and a row of `bad` says so.
    """
    tracks, places, broken = _gpx_points(path, name)
    as_tracks = kind in ("fixes", "roads")
    chosen, other = (tracks, places) if as_tracks else (places, tracks)
    word, other_word = ("track points", "waypoints")[:: 1 if as_tracks else -1]
    notes = [f"{name}: {len(chosen)} {word} read"]
    if len(other):
        notes.append(f"{name}: {len(other)} {other_word} left out, they are no {kind or 'rows'}")
    if chosen.empty:
        what = f"{name} is broken XML: {broken}" if broken else f"{name} holds no {word}"
        raise InputError(what)
    chosen.insert(0, "file", _bare_stem(name))
    if kind == "roads":
        return _segments(chosen, name, notes, broken)
    shapes = shapely.points(chosen[["lon", "lat"]].to_numpy())
    frame = chosen.drop(columns=["lon", "lat"]) if kind != "fixes" else _in_utc(chosen, name, notes)
    rows = np.arange(1, len(chosen) + 1)
    shown = None if kind == "fixes" else shapes
    bad = _broken_row(len(chosen) + 1, broken)
    return Source(name, frame, rows, shown, "EPSG:4326", tuple(notes), bad, form="gpx")


def _bare_stem(name: str) -> str:
    """`w1` of w1.gpx, w1.gpx.gz and pack.zip/w1.gpx."""
    return Path(name).name.removesuffix(".gz").removesuffix(".gpx").removesuffix(".GPX")


def _in_utc(points: pd.DataFrame, name: str, notes: list[str]) -> pd.DataFrame:
    """Points with a column of times, those without a zone marked as UTC, as GPX 1.1 defines it."""
    if "time" not in points:
        points = points.assign(time=pd.Series(None, index=points.index, dtype="str"))
    without = int((points["time"].isna() | (points["time"] == "")).sum())
    if without:
        notes.append(
            f"{name}: {without:,} of {len(points):,} track points have no time and are no fixes;"
            " as lines they come in with: wangge import roads --set road_class=path"
        )
    bare = points["time"].str.match(_BARE_TIME, na=False)
    if not bare.any():
        return points
    notes.append("times of GPX without a zone are UTC, as its definition says")
    return points.assign(time=points["time"].mask(bare, points["time"] + "Z"))


def _broken_row(row: int, broken: str) -> pd.DataFrame:
    if not broken:
        return no_bad_rows()
    told = {"row": [row], "reason": ["the file breaks off here"], "detail": [broken]}
    return pd.DataFrame(told, columns=no_bad_rows().columns)


def _gpx_points(path: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Track points, waypoints, and where the XML breaks off, empty if it does not."""
    reader = _GpxReader()
    broken = ""
    try:
        for event, element in ElementTree.iterparse(path, events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            reader.begin(element, tag) if event == "start" else reader.end(element, tag)
    except ElementTree.ParseError as error:
        broken = str(error)
    return _texts(reader.tracks), _texts(reader.places), broken


class _GpxReader:
    """Points of a GPX file, gathered while its elements begin and end."""

    def __init__(self) -> None:
        self.tracks: list[dict[str, Any]] = []
        self.places: list[dict[str, Any]] = []
        self._parents: list[str] = []
        self._track, self._segment, self._track_name = 0, 0, ""
        self._point: dict[str, Any] = {}

    def begin(self, element: ElementTree.Element, tag: str) -> None:
        """An element opens; its text is not read yet."""
        self._parents.append(tag)
        self._track += tag in ("trk", "rte")
        self._segment += tag in ("trkseg", "rte")
        if tag in ("trkpt", "wpt", "rtept"):
            self._point = {"lon": _number(element.get("lon")), "lat": _number(element.get("lat"))}

    def end(self, element: ElementTree.Element, tag: str) -> None:
        """An element is whole."""
        self._parents.pop()
        parent = self._parents[-1] if self._parents else ""
        if tag in ("trkpt", "rtept"):
            self.tracks.append({"track": self._track, "segment": self._segment, **self._point})
            element.clear()
        elif tag == "wpt":
            self.places.append(self._point)
            element.clear()
        elif parent in ("trkpt", "wpt", "rtept") and tag in _POINT_TAGS:
            self._point[_POINT_TAGS[tag]] = (element.text or "").strip()
        elif tag == "speed" and {"trkpt", "rtept"} & set(self._parents[-4:]):
            # As extensions of OsmAnd and Garmin have it, in metres a second too.
            self._point["speed_ms"] = (element.text or "").strip()
        elif tag == "name" and parent in ("trk", "rte"):
            self._track_name = (element.text or "").strip()
        elif tag in ("trk", "rte"):
            self._name_points()
            element.clear()

    def _name_points(self) -> None:
        for row in reversed(self.tracks):
            if row["track"] != self._track:
                break
            row["track name"] = self._track_name
        self._track_name = ""


def _number(text: str | None) -> float:
    try:
        # Some write decimal commas, against the definition.
        return float((text or "nan").replace(",", "."))
    except ValueError:
        return float("nan")


def _texts(points: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(points)
    for column in set(frame.columns) & {*_POINT_TAGS.values(), "track name"}:
        frame[column] = frame[column].astype("str")
    return frame


def _segments(points: pd.DataFrame, name: str, notes: list[str], broken: str) -> Source:
    """One line a track segment; a segment of one point is no line."""
    rows, shapes = [], []
    for (track, segment), part in points.groupby(["track", "segment"], sort=True):
        xy = part[["lon", "lat"]].to_numpy()
        shapes.append(shapely.linestrings(xy) if len(xy) > 1 else shapely.points(xy[0]))
        title = part["track name"].iloc[0] if "track name" in part else None
        rows.append({"id": f"{_bare_stem(name)}-{track}-{segment}", "name": title})
    notes.append(f"{name}: its segments become {len(rows)} lines")
    return Source(
        name, pd.DataFrame(rows), np.arange(1, len(rows) + 1), np.array(shapes, dtype=object),
        "EPSG:4326", tuple(notes), _broken_row(len(rows) + 1, broken), form="gpx",
    )  # fmt: skip


def read_graphml(path: Path, name: str, layer: str | None) -> Source:
    """Read the edges of a street network as lines (or `layer="nodes"` as points)."""
    keys: dict[str, str] = {}
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    facts: dict[str, Any] = {}
    row: dict[str, Any] = {}
    for event, element, tag in _elements(path, name):
        if event == "start":
            if tag == "key":
                keys[element.get("id", "")] = element.get("attr.name", element.get("id", ""))
            elif tag in ("node", "edge"):
                row = {k: element.get(k) for k in ("id", "source", "target") if element.get(k)}
            elif tag == "graph":
                row = facts
            continue
        if tag == "data":
            row[keys.get(element.get("key", ""), "")] = element.text
        elif tag in ("node", "edge"):
            (nodes if tag == "node" else edges).append(row)
            row = facts
            element.clear()
    if layer not in (None, "edges", "nodes"):
        raise InputError(f"{name} has no layer {layer}: it has edges, nodes")
    return _graph_source(name, layer or "edges", nodes, edges, str(facts.get("crs", "epsg:4326")))


def _graph_source(
    name: str, layer: str, nodes: list[dict[str, Any]], edges: list[dict[str, Any]], crs: str
) -> Source:
    place = {n.get("id"): (_number(n.get("x")), _number(n.get("y"))) for n in nodes}
    chosen = nodes if layer == "nodes" else edges
    if not chosen:
        raise InputError(f"{name} holds no {layer}")
    frame = pd.DataFrame(chosen).astype("str")
    if layer == "nodes":
        shapes = shapely.points([place[n.get("id")] for n in nodes])
        frame = frame.drop(columns=[c for c in ("x", "y") if c in frame.columns])
    else:
        nowhere = (float("nan"), float("nan"))
        ends = [[place.get(e.get(k), nowhere) for k in ("source", "target")] for e in edges]
        given = shapely.from_wkt([e.get("geometry") for e in edges], on_invalid="ignore")
        known = ~np.isnan(np.array(ends)).any(axis=(1, 2))
        shapes = np.array(given, dtype=object)
        straight = shapely.is_missing(given) & known
        shapes[straight] = shapely.linestrings(np.array(ends)[straight])
        frame = frame.drop(columns=[c for c in ("geometry",) if c in frame.columns])
        # An edge is a street piece in one direction; both directions share their ends.
        frame = frame.drop(columns=["id"], errors="ignore")
    notes = (f"{name}: {len(frame)} {layer} read",)
    return Source(
        name, frame, np.arange(1, len(frame) + 1), shapes, crs, notes=notes, form="graphml"
    )
