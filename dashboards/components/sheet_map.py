"""The map of a day sheet as SVG: drawn on the server, crisp on paper, without any basemap.

Black, grey and one blue, and each thing has a form of its own, so that a copy without colour says
the same: the track is a line, a gap is dashes between the two places that are known, stops are
numbers, places are squares (filled: visited, hollow: not, a diamond: unknown).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from geopandas import GeoDataFrame
from markupsafe import Markup

from dashboards.components.sheet_html import h
from geo.worker_day import WorkerDay

WIDTH, HEIGHT = 1860.0, 1080.0
"""Tenths of a millimetre on paper."""

EDGE = 60.0
LEAST_M = 150.0
"""A map shows at least so many metres, or one stop would fill it."""

SIMPLER_M = 0.5
ROAD_WIDTHS = {"arterial": 9.0, "main": 7.0, "minor": 4.5, "path": 2.5, "river": 9.0, "rail": 3.0}
NICE_M = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


@dataclass(frozen=True)
class SheetPlace:
    """A place that was due on a round."""

    x: float
    y: float
    state: str
    """visited, probable, not_visited or unknown."""


@dataclass(frozen=True)
class Frame:
    """From metres to the paper."""

    west: float
    north: float
    scale: float
    """Paper units a metre."""

    def points(self, x: np.ndarray, y: np.ndarray) -> str:
        """Points of a line."""
        left, top = self.at(x, y)
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(left, top, strict=True))

    def at(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where points lie on the paper."""
        return (np.asarray(x) - self.west) * self.scale, (self.north - np.asarray(y)) * self.scale


def frame_of(day: WorkerDay, grid: shapely.Geometry | None) -> tuple[Frame, shapely.Geometry]:
    """The frame that shows the track and the grid, and the rectangle of it in metres."""
    boxes = [] if grid is None else [grid.bounds]
    if len(day.track):
        x, y = day.track["x"], day.track["y"]
        boxes.append((float(x.min()), float(y.min()), float(x.max()), float(y.max())))
    if not boxes:
        boxes = [(0.0, 0.0, LEAST_M, LEAST_M)]
    west, south = (min(box[k] for box in boxes) for k in (0, 1))
    east, north = (max(box[k] for box in boxes) for k in (2, 3))
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    wide, high = max(east - west, LEAST_M), max(north - south, LEAST_M)
    scale = min((WIDTH - 2 * EDGE) / wide, (HEIGHT - 2 * EDGE) / high)
    half_x, half_y = WIDTH / scale / 2, HEIGHT / scale / 2
    frame = Frame(middle_x - half_x, middle_y + half_y, scale)
    area = shapely.box(middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y)
    return frame, area


def draw_map(
    day: WorkerDay,
    grid: shapely.Geometry | None,
    roads: GeoDataFrame,
    places: Sequence[SheetPlace],
    *,
    frame: Frame,
    label: str,
    north: str,
    marks: Sequence[tuple[pd.Timestamp, str]] = (),
) -> Markup:
    """The map.

    Parameters
    ----------
    grid, roads
        In the metres of the track; `roads` has `road_class`.
    places
        What was due on the rounds.
    label, north
        What the map is called, and the letter of north.
    marks
        Moments to be written beside the track, with their words.
    """
    return h(
        "svg",
        h("rect", x=0, y=0, width=WIDTH, height=HEIGHT, fill="#fff"),
        _roads(roads, frame),
        _gaps(day, frame),
        _track(day, frame),
        _grid(grid, frame),
        _marks(day, marks, frame),
        [_place(place, frame) for place in places],
        _stops(day, frame),
        _scale_bar(frame),
        _north(north),
        h(
            "rect", x=1, y=1, width=WIDTH - 2, height=HEIGHT - 2, fill="none", stroke="#333",
            stroke_width=2,
        ),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_="sheet-map",
        role="img",
        aria_label=label,
    )  # fmt: skip


def _roads(roads: GeoDataFrame, frame: Frame) -> list[Markup]:
    drawn = []
    for kind, line in zip(roads["road_class"], roads.geometry, strict=True):
        for part in shapely.get_parts(line):
            xy = shapely.get_coordinates(shapely.simplify(part, SIMPLER_M))
            if len(xy) < 2:
                continue
            water = kind in ("river",)
            drawn.append(
                h(
                    "polyline", points=frame.points(xy[:, 0], xy[:, 1]), fill="none",
                    stroke="#b9d3e6" if water else "#c9ced6",
                    stroke_width=ROAD_WIDTHS.get(str(kind), 4.0), stroke_linecap="round",
                    stroke_linejoin="round", stroke_dasharray="14 8" if kind == "rail" else None,
                )
            )  # fmt: skip
    return drawn


def _grid(grid: shapely.Geometry | None, frame: Frame) -> list[Markup]:
    if grid is None:
        return []
    drawn = []
    for part in shapely.get_parts(grid):
        for ring in shapely.get_parts(shapely.get_rings(part)):
            xy = shapely.get_coordinates(ring)
            drawn.append(
                h(
                    "polygon", points=frame.points(xy[:, 0], xy[:, 1]), fill="none",
                    stroke="#111", stroke_width=4, stroke_dasharray="26 8 5 8",
                )
            )  # fmt: skip
    return drawn


def _track(day: WorkerDay, frame: Frame) -> list[Markup]:
    drawn = []
    for _, piece in day.track.groupby("piece", sort=True):
        x, y = piece["x"].to_numpy(), piece["y"].to_numpy()
        if len(piece) > 2:
            line = shapely.simplify(shapely.LineString(np.column_stack([x, y])), SIMPLER_M)
            x, y = shapely.get_coordinates(line).T
        if len(x) == 1:
            left, top = frame.at(x, y)
            drawn.append(h("circle", cx=float(left[0]), cy=float(top[0]), r=5, fill="#0369a1"))
            continue
        drawn.append(
            h(
                "polyline", points=frame.points(x, y), fill="none", stroke="#0369a1",
                stroke_width=3, stroke_linejoin="round", stroke_linecap="round",
                class_="sheet-track",
            )
        )  # fmt: skip
    return drawn


def _gaps(day: WorkerDay, frame: Frame) -> list[Markup]:
    """Dashes between the last place known before a gap and the first one after it."""
    track, drawn = day.track, []
    for k in np.flatnonzero(np.diff(track["piece"].to_numpy())):
        two = track.iloc[[k, k + 1]]
        drawn.append(
            h(
                "polyline", points=frame.points(two["x"].to_numpy(), two["y"].to_numpy()),
                fill="none", stroke="#555", stroke_width=4, stroke_dasharray="6 14",
                class_="sheet-gap",
            )
        )  # fmt: skip
    return drawn


def _marks(day: WorkerDay, marks: Sequence[tuple[pd.Timestamp, str]], frame: Frame) -> list[Markup]:
    """Words beside the fix that is nearest in time to each moment."""
    if not len(day.track):
        return []
    times = day.track["time"]
    drawn: list[Markup] = []
    taken: list[tuple[float, float]] = []
    for moment, text in marks:
        apart = (times - moment).abs()
        k = int(apart.to_numpy().argmin())
        if apart.iloc[k] > pd.Timedelta(minutes=2):
            continue
        left, top = frame.at(*day.track.iloc[[k]][["x", "y"]].to_numpy().T)
        x, y = float(left[0]), float(top[0])
        if any(abs(x - a) < 130 and abs(y - b) < 36 for a, b in taken):
            continue
        taken.append((x, y))
        drawn.append(h("circle", cx=x, cy=y, r=7, fill="#fff", stroke="#0369a1", stroke_width=3.5))
        drawn.append(_text(text, x + 12, y - 9, 26, "#0b4a6f"))
    return drawn


def _stops(day: WorkerDay, frame: Frame) -> list[Markup]:
    """Each stop with its number; those that would cover one another share a mark."""
    groups: list[tuple[float, float, list[int]]] = []
    for number, row in day.stays.iterrows():
        left, top = frame.at(np.array([row["x"]]), np.array([row["y"]]))
        x, y = float(left[0]), float(top[0])
        near = next((g for g in groups if np.hypot(g[0] - x, g[1] - y) < 34), None)
        if near is None:
            groups.append((x, y, [int(str(number))]))
        else:
            near[2].append(int(str(number)))
    drawn = []
    for x, y, numbers in groups:
        text = shorten(numbers)
        wide = max(34.0, 15.0 * len(text) + 14)
        drawn.append(
            h(
                "rect", x=x - wide / 2, y=y - 17, width=wide, height=34, rx=17, fill="#111",
                stroke="#fff", stroke_width=3,
            )
        )  # fmt: skip
        drawn.append(_text(text, x, y + 9, 25, "#fff", "middle", halo=False))
    return drawn


def shorten(numbers: list[int]) -> str:
    """1,3–5,9: runs of numbers that follow one another as one."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)


def _place(place: SheetPlace, frame: Frame) -> Markup:
    left, top = frame.at(np.array([place.x]), np.array([place.y]))
    x, y = float(left[0]), float(top[0])
    solid = place.state in ("visited", "probable")
    fill = "#111" if place.state == "visited" else "#999" if solid else "#fff"
    if place.state == "unknown":
        points = (
            f"{x:.1f},{y - 13:.1f} {x + 13:.1f},{y:.1f} {x:.1f},{y + 13:.1f} {x - 13:.1f},{y:.1f}"
        )
        return h("polygon", points=points, fill="#fff", stroke="#111", stroke_width=3)
    return h(
        "rect", x=x - 9, y=y - 9, width=18, height=18, fill=fill, stroke="#111", stroke_width=3
    )


def _scale_bar(frame: Frame) -> Markup:
    metres = max((m for m in NICE_M if m * frame.scale <= 420), default=NICE_M[0])
    wide, y = metres * frame.scale, HEIGHT - 42
    word = f"{metres} m" if metres < 1000 else f"{metres // 1000} km"
    return h(
        "g",
        h("rect", x=24, y=HEIGHT - 92, width=wide + 60, height=72, fill="#fff", opacity=0.86),
        h(
            "path", d=f"M44,{y - 14:.1f}V{y:.1f}H{44 + wide:.1f}V{y - 14:.1f}", fill="none",
            stroke="#111", stroke_width=4,
        ),
        _text(word, 44 + wide / 2, y - 20, 26, "#111", "middle"),
    )  # fmt: skip


def _north(word: str) -> Markup:
    x, y = WIDTH - 62, 44.0
    arrow = f"{x},{y} {x + 20},{y + 62} {x},{y + 46} {x - 20},{y + 62}"
    return h(
        "g",
        h("rect", x=x - 38, y=14, width=76, height=140, fill="#fff", opacity=0.86),
        h("polygon", points=arrow, fill="#111"),
        _text(word, x, y + 98, 30, "#111", "middle"),
    )


def _text(
    text: str, x: float, y: float, size: int, fill: str, anchor: str = "start", *, halo: bool = True
) -> Markup:
    return h(
        "text", text, x=x, y=y, font_size=size, fill=fill, text_anchor=anchor,
        stroke="#fff" if halo else None, stroke_width=5 if halo else None,
        paint_order="stroke" if halo else None,
    )  # fmt: skip
