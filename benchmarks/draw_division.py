"""Draw the pictures of docs/division.md: a small invented town, divided and repaired.

    python benchmarks/draw_division.py            # writes docs/images/division-*.svg

The town is drawn from seed 4, the plans come from `geo.divide`; nothing is arranged by hand.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.divide import Division, divide

OUT = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDE, HIGH, SIDE, BAND = 12, 7, 100.0, (200, 300)
COMPOUND, BIG = 37, 860
TONES = ("#dfe9e4", "#c9d9ec", "#efe3c8", "#e5d4e6", "#d3e6d0", "#f0d8cf")
INK, WATER, LATE, QUIET, STREET = "#1f2a37", "#6aa5cf", "#b3261e", "#5b6675", "#8a93a0"


def town() -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Blocks with households in two communities, a river across, one main street, one compound."""
    rng = np.random.default_rng(4)
    x, y = np.meshgrid(np.arange(WIDE + 1) * SIDE, np.arange(HIGH + 1) * SIDE)
    inner = np.zeros_like(x, dtype=bool)
    inner[1:-1, 1:-1] = True
    x = x + inner * rng.uniform(-22, 22, x.shape)
    y = y + inner * rng.uniform(-22, 22, y.shape)
    corner = np.stack([x, y], axis=-1)
    rows = []
    for j in range(HIGH):
        for i in range(WIDE):
            ring = [corner[j, i], corner[j, i + 1], corner[j + 1, i + 1], corner[j + 1, i]]
            homes = int(5 * round(rng.lognormal(3.95, 0.6) / 5))
            name = "West" if i < WIDE // 2 else "East"
            rows.append((f"b{j * WIDE + i}", name, homes, shapely.Polygon(ring)))
    units = gpd.GeoDataFrame(
        rows, columns=["unit_id", "community", "households", "geometry"], crs="EPSG:4547"
    ).set_index("unit_id")
    units.loc[f"b{COMPOUND}", "households"] = BIG
    river = [shapely.LineString([corner[2, i], corner[2, i + 1]]) for i in range(WIDE)]
    street = [shapely.LineString([corner[j, 3], corner[j + 1, 3]]) for j in range(HIGH)]
    roads = gpd.GeoDataFrame(
        {"road_class": ["river"] * len(river) + ["main"] * len(street)},
        geometry=river + street, crs=units.crs,
    )  # fmt: skip
    return units, roads


def changed(units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The town some years later: two blocks with new houses, one torn down."""
    later = units.copy()
    later.loc[["b15", "b68"], "households"] += 110
    later.loc["b57", "households"] = 0
    return later


class Sheet:
    """An SVG picture of the town."""

    def __init__(self, units: gpd.GeoDataFrame, roads: gpd.GeoDataFrame, title: str) -> None:
        self.units, self.roads = units, roads
        self.parts = [f"<title>{title}</title>"]

    def place(self, x: float, y: float) -> str:
        return f"{x * 0.66 + 8:.1f},{(HIGH * SIDE - y) * 0.66 + 8:.1f}"

    def shape(self, polygon: shapely.Polygon, fill: str, line: str, width: float) -> None:
        ring = " ".join(self.place(*xy) for xy in shapely.get_coordinates(polygon))
        self.parts.append(
            f'<polygon points="{ring}" fill="{fill}" stroke="{line}" stroke-width="{width}"'
            ' stroke-linejoin="round"/>'
        )

    def words(self, at: shapely.Point, text: str, size: int, ink: str, weight: int = 400) -> None:
        x, y = self.place(at.x, at.y).split(",")
        self.parts.append(
            f'<text x="{x}" y="{float(y) + size / 3:.1f}" font-size="{size}" fill="{ink}"'
            f' font-weight="{weight}" text-anchor="middle">{text}</text>'
        )

    def lines(self) -> None:
        """The river and the main street."""
        for name, line in zip(self.roads["road_class"], self.roads.geometry, strict=True):
            points = " ".join(self.place(*xy) for xy in line.coords)
            ink, width = (WATER, 7) if name == "river" else (STREET, 3.5)
            dash = "" if name == "river" else ' stroke-dasharray="7 4"'
            self.parts.append(
                f'<polyline points="{points}" fill="none" stroke="{ink}"'
                f' stroke-width="{width}"{dash}/>'
            )

    def homes(self, ink: str = QUIET) -> None:
        for unit, row in self.units.iterrows():
            size = 17 if unit == f"b{COMPOUND}" else 12
            self.words(row.geometry.representative_point(), str(row["households"]), size, ink)

    def grids(self, plan: pd.Series) -> None:
        """Fills, borders and sums; a grid out of the band has a red sum."""
        shapes = self.units.assign(grid=plan).dissolve("grid", aggfunc={"households": "sum"})
        for k, (_, row) in enumerate(shapes.iterrows()):
            self.shape(row.geometry, TONES[k % len(TONES)], "none", 0)
        for polygon in self.units.geometry:
            self.shape(polygon, "none", "#b8c0c9", 0.7)
        self.lines()
        for _, row in shapes.iterrows():
            self.shape(row.geometry, "none", INK, 2.2)
        for _, row in shapes.iterrows():
            homes = int(row["households"])
            ink = LATE if not BAND[0] <= homes <= BAND[1] and homes < BIG else INK
            self.words(row.geometry.representative_point(), f"{homes}", 17, ink, 700)

    def write(self, name: str) -> None:
        wide, high = WIDE * SIDE * 0.66 + 16, HIGH * SIDE * 0.66 + 16
        text = "\n".join(self.parts)
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / name).write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}"'
            ' font-family="sans-serif">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            f"{text}\n</svg>\n",
            "utf-8",
        )


def draw_town(units: gpd.GeoDataFrame, roads: gpd.GeoDataFrame) -> None:
    sheet = Sheet(units, roads, "Blocks with their households")
    for unit, row in units.iterrows():
        fill = "#f3c6b8" if unit == f"b{COMPOUND}" else "#f6f7f9"
        sheet.shape(row.geometry, fill, "#b8c0c9", 0.9)
    sheet.lines()
    for shape in units.dissolve("community").geometry:
        sheet.shape(shape, "none", INK, 2.6)
    sheet.homes(INK)
    sheet.write("division-town.svg")


def draw_plan(units: gpd.GeoDataFrame, roads: gpd.GeoDataFrame, found: Division) -> None:
    sheet = Sheet(units, roads, "The town divided: households of each grid")
    sheet.grids(found.plan)
    sheet.write("division-plan.svg")


def draw_repair(
    units: gpd.GeoDataFrame, roads: gpd.GeoDataFrame, old: pd.Series, found: Division, name: str
) -> None:
    sheet = Sheet(units, roads, "Blocks that change grid")
    sheet.grids(found.plan)
    moved = units.index[(found.plan != old) & (units["households"] > 0)]
    for unit in moved:
        sheet.shape(units.geometry[unit].buffer(-6), "none", LATE, 3)
    sheet.write(name)


def main() -> None:
    units, roads = town()
    plan = divide(units, BAND, roads=roads)
    draw_town(units, roads)
    draw_plan(units, roads, plan)
    later = changed(units)
    sheet = Sheet(later, roads, "Some years later, the same grids")
    sheet.grids(plan.plan)
    sheet.write("division-later.svg")
    repair = divide(later, BAND, roads=roads, previous=plan.plan)
    draw_repair(later, roads, plan.plan, repair, "division-repair.svg")
    for title, found in (("divided", plan), ("repaired", repair)):
        print(title, found.totals)
        print(found.communities[["off", "bound", "verdict", "cause", "left", "moved"]])


if __name__ == "__main__":
    main()
