"""A map layer: what is drawn, in which colours, and what the legend says about it.

A layer is a value. It knows shapes, colours and words and no drawing library; `layers.to_plotly`,
`layers.to_folium` and `layers.to_geojson` each turn it into their own kind. Every layer states its
unit and has a legend; `fill` is never empty, since "no data" has its own grey.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from geopandas import GeoDataFrame
from pyproj import CRS

from geo.errors import ColumnError, CrsError
from layers.colours import Mood

Kind = Literal["fill", "line", "point"]


@dataclass(frozen=True)
class LegendItem:
    """One line of a legend: a word, its colour and shape, how many there are, px of a line.

    `shape` is one of `layers.marks`: `fill`, `hatch`, `line`, or the shape of a point.
    """

    label: str
    colour: str
    shape: str = "fill"
    count: int | None = None
    width: float | None = None


@dataclass(frozen=True, eq=False)
class MapLayer:
    """What to draw.

    Attributes
    ----------
    id
        Short name, unique on a map; letters, digits and hyphens.
    title
        What is shown, for when; the unit is added by whoever writes the title out.
    kind
        `fill` for polygons, `line`, or `point`.
    features
        Shapes in EPSG:4326, indexed by their id, with the columns `fill` (colour) and `hover`
        (text for people, lines split by a newline), and where they matter `shape` (of points),
        `width` (px), `size` (px), `code` (class number from 0, -1 for no data), `group`.
    legend
        Lines of the legend, in the order of value.
    unit
        Unit of the values; empty where things are not counted or measured.
    mood
        Which of the two sets of colours it is drawn in.
    opacity
        0..1, of the fill.
    note
        One more line under the legend, such as the boundary version.
    under
        Whether it is part of the ground, below all data.
    """

    id: str
    title: str
    kind: Kind
    features: GeoDataFrame
    legend: tuple[LegendItem, ...]
    unit: str = ""
    mood: Mood = "night"
    opacity: float = 1.0
    note: str = ""
    under: bool = False

    def __post_init__(self) -> None:
        crs = self.features.crs
        if crs is None or CRS.from_user_input(crs).to_epsg() != 4326:
            raise CrsError(f"layer {self.id} is in {crs}, not EPSG:4326: call to_crs(4326) first")
        missing = [name for name in ("fill", "hover") if name not in self.features.columns]
        if missing:
            raise ColumnError(
                f"layer {self.id} lacks {', '.join(missing)}: it has "
                f"{', '.join(map(str, self.features.columns))}"
            )

    def __len__(self) -> int:
        return len(self.features)

    def with_note(self, note: str) -> MapLayer:
        """The same layer with another note."""
        return replace(self, note=note)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        west, south, east, north = (float(value) for value in self.features.total_bounds)
        return west, south, east, north
