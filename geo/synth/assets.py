"""Line the streets with what a city owns: covers, lights, poles, hydrants, bins, signs, trees.

Nothing stands exactly on the middle of a street, where grids meet: what belongs to the carriage
way keeps a metre from the middle, everything else stands on the sidewalk of one side. So moving
a street by its own width would be needed to put a piece into another grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.codes import asset_classes
from geo.synth.blocks import HALF_WIDTH_M, Ground
from geo.synth.plan import Plan
from geo.synth.presets import Preset, Showcase

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]

STREETS = ("arterial", "main", "minor", "path")

COVERS = (
    ("0102", 0.27), ("0103", 0.25), ("0101", 0.15), ("0107", 0.10), ("0105", 0.08), ("0111", 0.06),
    ("0106", 0.04), ("0108", 0.02), ("0109", 0.015), ("0112", 0.01), ("0114", 0.005),
)  # fmt: skip
"""Classes of manhole covers and their shares."""

OWNERS = {
    "0101": "供水公司", "0102": "排水管理处", "0103": "排水管理处", "0104": "排水管理处",
    "0105": "供电公司", "0106": "路灯管理所", "0107": "通信公司", "0108": "广电公司",
    "0109": "通信公司", "0110": "热力公司", "0111": "燃气公司", "0112": "公安局",
    "0113": "消防救援大队",
    "0115": "通信公司", "0116": "供电公司", "0117": "供电公司", "0118": "路灯管理所",
    "0126": "文体局",
    "0134": "供电公司", "0201": "城投停车公司", "0203": "公交公司", "0208": "市政工程处",
    "0209": "公安交警", "0210": "公安交警", "0212": "城管局", "0213": "民政局", "0301": "环卫处",
    "0302": "环卫处", "0304": "环卫处", "0305": "环卫处", "0401": "园林局", "0402": "园林局",
    "0407": "园林局", "0406": "园林局", "0501": "城管局",
}  # fmt: skip
"""Who looks after a class; an ownerless cover (0114) has nobody."""


@dataclass(frozen=True)
class _Row:
    """Pieces of a class along streets of some classes."""

    code: str
    streets: tuple[str, ...]
    spacing_m: float
    beside_m: float
    """From the kerb, outward; inward if negative (then a share of the half width)."""
    share: float = 1.0


ROWS = (
    _Row("0118", ("arterial",), 32, 0.6),
    _Row("0118", ("main",), 30, 0.6),
    _Row("0118", ("minor",), 28, 0.6),
    _Row("0118", ("path",), 34, 0.5, 0.35),
    _Row("0104", ("arterial", "main", "minor"), 42, -0.94),
    _Row("0117", ("minor", "path"), 48, 1.0, 0.7),
    _Row("0117", ("arterial", "main"), 55, 1.2),
    _Row("0113", ("arterial", "main", "minor"), 115, 1.4),
    _Row("0305", ("arterial", "main"), 75, 1.8),
    _Row("0305", ("minor",), 110, 1.6, 0.8),
    _Row("0402", ("arterial", "main"), 26, 1.1),
    _Row("0402", ("minor",), 40, 1.0, 0.6),
    _Row("0209", ("arterial", "main"), 170, 0.9),
    _Row("0203", ("arterial", "main"), 460, 2.2, 0.9),
    _Row("0115", ("main", "minor"), 320, 2.6, 0.8),
    _Row("0134", ("minor", "path"), 420, 2.4, 0.8),
    _Row("0212", ("main", "minor"), 380, 2.4, 0.6),
    _Row("0301", ("main", "minor"), 900, 4.0, 0.75),
    _Row("0501", ("minor",), 420, 3.0, 0.7),
    _Row("0304", ("path", "minor"), 800, 3.0, 0.5),
)


@dataclass(frozen=True)
class Spots:
    """Points beside streets, with the edge, the side (+1 left) and the direction of the street."""

    x: Reals
    y: Reals
    edge: Ints
    side: Ints
    heading: Reals
    """Radians from east, counter-clockwise."""

    def keep(self, mask: Bools | Ints) -> Spots:
        """Some of them."""
        return Spots(
            self.x[mask], self.y[mask], self.edge[mask], self.side[mask], self.heading[mask]
        )


def line_up(
    rng: np.random.Generator, ground: Ground, edges: Ints, *, spacing_m: float, offset_m: Reals
) -> Spots:
    """Points along edges, about `spacing_m` apart, on alternate sides, `offset_m` from the middle.

    An edge shorter than the spacing gets a point with the chance of its length over the spacing.
    On the rim of the city, and along water, all stand on the side of the land.
    """
    exact = ground.length[edges] / spacing_m
    count = np.floor(exact).astype(np.int64)
    count += rng.random(len(edges)) < exact - count
    place = np.repeat(np.arange(len(edges)), count)
    number = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    edge = edges[place]
    along = (number + 0.5 + rng.uniform(-0.06, 0.06, len(place))) / count[place]
    along = along * ground.length[edge]
    turn = rng.integers(0, 2, len(edges))
    side = np.where((number + turn[place]) % 2 == 0, 1, -1)
    side = np.where(_is_land(ground, ground.left[edge]), side, -1)
    side = np.where(_is_land(ground, ground.right[edge]), side, 1)
    here = shapely.get_coordinates(shapely.line_interpolate_point(ground.edges[edge], along))
    near = np.minimum(along + 0.5, ground.length[edge]), np.maximum(along - 0.5, 0.0)
    ahead, behind = (
        shapely.get_coordinates(shapely.line_interpolate_point(ground.edges[edge], at))
        for at in near
    )
    heading = np.arctan2(*(ahead - behind).T[::-1])
    aside = side * offset_m[place]
    return Spots(
        here[:, 0] - np.sin(heading) * aside,
        here[:, 1] + np.cos(heading) * aside,
        edge,
        side,
        heading,
    )


def _is_land(ground: Ground, block: Ints) -> Bools:
    return np.asarray((block >= 0) & (ground.use[block] != "water"))


def on_land(ground: Ground) -> Ints:
    """Edges of streets with land on a side at least."""
    street = np.isin(ground.edge_class, STREETS)
    land = _is_land(ground, ground.left) | _is_land(ground, ground.right)
    return np.flatnonzero(street & land)


def place_assets(
    rng: np.random.Generator, preset: Preset, ground: Ground, plan: Plan
) -> pd.DataFrame:
    """All assets but cameras: `class_code`, `shape` (metres), `edge` (-1 if none)."""
    half = np.array([HALF_WIDTH_M[str(kind)] for kind in ground.edge_class])
    streets = on_land(ground)
    found = []
    for row in ROWS:
        edges = streets[np.isin(ground.edge_class[streets], row.streets)]
        # Lights keep their spacing in a thinned city, the rest gets sparser.
        spacing = row.spacing_m if row.code == "0118" else row.spacing_m / preset.asset_density
        offset = half[edges] + row.beside_m if row.beside_m >= 0 else -half[edges] * row.beside_m
        spots = line_up(rng, ground, edges, spacing_m=spacing, offset_m=offset)
        found.append(_points(row.code, spots.keep(rng.random(len(spots.x)) < row.share)))
    edges = streets
    offset = np.maximum(1.0, half[edges] * rng.uniform(0.2, 0.85, len(edges)))
    spots = line_up(rng, ground, edges, spacing_m=44 / preset.asset_density, offset_m=offset)
    codes, odds = zip(*COVERS, strict=True)
    covers = _points("0102", spots)
    covers["class_code"] = rng.choice(codes, len(covers), p=np.array(odds) / sum(odds))
    found += [covers, _at_junctions(rng, ground, half), _in_yards(rng, plan), _bridges(ground)]
    found.append(_in_parks(rng, ground, plan))
    out = pd.concat([part for part in found if len(part)], ignore_index=True)
    out["edge"] = out["edge"].astype(np.int64)
    shapes = out["shape"].to_numpy()
    inside = find_inside(ground, shapes) | (shapely.get_type_id(shapes) != 0)
    out = out[inside].reset_index(drop=True)
    if preset.showcase is not None:
        out = _show(ground, plan, preset.showcase, out)
    return out


def _points(code: str, spots: Spots) -> pd.DataFrame:
    shapes = shapely.points(np.round(spots.x, 2), np.round(spots.y, 2))
    return pd.DataFrame({"class_code": code, "shape": shapes, "edge": spots.edge})


def find_inside(ground: Ground, points: Shapes) -> Bools:
    """Which points lie in the city, clear of its rim."""
    hit = shapely.STRtree(ground.blocks).query(points, predicate="intersects")[0]
    out = np.zeros(len(points), dtype=bool)
    out[hit] = True
    return out


def junctions(ground: Ground) -> pd.DataFrame:
    """Ends of streets at junctions: `node`, `edge`, `away` (radians out of the node), `rank`.

    Rank 0 is arterial, 3 path; `legs` counts the streets of the node, `best` and `second` are the
    two highest ranks that meet there.
    """
    rank_of = {kind: place for place, kind in enumerate(STREETS)}
    edges = on_land(ground)
    rank = np.array([rank_of[str(kind)] for kind in ground.edge_class[edges]])
    tables = []
    for node, first, second in ((ground.start, 0, 1), (ground.end, -1, -2)):
        a = shapely.get_coordinates(shapely.get_point(ground.edges[edges], first))
        b = shapely.get_coordinates(shapely.get_point(ground.edges[edges], second))
        away = np.arctan2(*(b - a).T[::-1])
        tables.append(
            pd.DataFrame(
                {
                    "node": node[edges],
                    "edge": edges,
                    "away": away,
                    "rank": rank,
                    "x": a[:, 0],
                    "y": a[:, 1],
                }
            )
        )
    out = pd.concat(tables, ignore_index=True).sort_values(
        ["node", "rank", "edge"], ignore_index=True
    )
    group = out.groupby("node")["rank"]
    out["legs"] = group.transform("size")
    out["best"] = group.transform("min")
    out["third"] = out["node"].map(group.nth(2).set_axis(out["node"][group.cumcount() == 2]))
    return out


def _at_junctions(rng: np.random.Generator, ground: Ground, half: Reals) -> pd.DataFrame:
    """Traffic lights where main streets cross, name plates where streets meet."""
    legs = junctions(ground)
    width = half[legs["edge"].to_numpy()]
    out = []
    for code, mask, back in (
        ("0210", (legs["third"] <= 1).to_numpy(), 8.0),
        ("0214", ((legs["third"] <= 1) & (legs["best"] == legs["rank"])).to_numpy(), 11.0),
        (
            "0213",
            ((legs["legs"] >= 3) & (legs["rank"] <= 2)).to_numpy() & (rng.random(len(legs)) < 0.4),
            12.0,
        ),
    ):
        away, wide = legs["away"].to_numpy()[mask], width[mask]
        reach = wide * 0.4 + back
        x = legs["x"].to_numpy()[mask] + np.cos(away) * reach - np.sin(away) * (wide + 0.8)
        y = legs["y"].to_numpy()[mask] + np.sin(away) * reach + np.cos(away) * (wide + 0.8)
        edge = legs["edge"].to_numpy()[mask]
        out.append(_points(code, Spots(x, y, edge, np.ones(len(x), dtype=np.int64), away)))
    return pd.concat(out, ignore_index=True)


def _in_yards(rng: np.random.Generator, plan: Plan) -> pd.DataFrame:
    """Septic tanks behind houses, a place to exercise in each compound."""
    homes = plan.buildings[plan.buildings["homes"]]
    box = shapely.bounds(homes["shape"].to_numpy())
    x = rng.uniform(box[:, 0], box[:, 2])
    out = []
    for code, share, north in (("0302", 0.3, True), ("0126", 0.1, False)):
        chosen = rng.random(len(homes)) < share
        y = box[:, 3] + 2.0 if north else box[:, 1] - 4.0
        spots = Spots(x, y, np.full(len(x), -1), np.ones(len(x), dtype=np.int64), np.zeros(len(x)))
        out.append(_points(code, spots.keep(chosen)))
    return pd.concat(out, ignore_index=True)


def _in_parks(rng: np.random.Generator, ground: Ground, plan: Plan) -> pd.DataFrame:
    """Benches, old trees and a sculpture in each park."""
    out = []
    for block in np.flatnonzero(plan.uses == "park"):
        inner = shapely.buffer(ground.blocks[block], -26.0)
        if shapely.is_empty(inner):
            continue
        for code, count in (("0407", 12), ("0401", 3), ("0406", 1)):
            box = shapely.bounds(inner)
            x, y = rng.uniform(box[0], box[2], count), rng.uniform(box[1], box[3], count)
            fits = shapely.contains_xy(inner, x, y)
            none = np.full(count, -1)
            spots = Spots(x, y, none, np.abs(none), np.zeros(count))
            out.append(_points(code, spots.keep(fits)))
    return pd.concat(out, ignore_index=True) if out else pd.DataFrame()


def _bridges(ground: Ground) -> pd.DataFrame:
    """One line for each bridge: the edges of a street that have water on both sides."""
    wet = (ground.left >= 0) & (ground.right >= 0)
    wet &= (ground.use[ground.left] == "water") & (ground.use[ground.right] == "water")
    edges = np.flatnonzero(wet & np.isin(ground.edge_class, STREETS))
    rows = []
    for street in np.unique(ground.edge_street[edges]):
        mine = edges[ground.edge_street[edges] == street]
        lines = shapely.line_merge(shapely.multilinestrings(ground.edges[mine]))
        rows += [("0208", line, int(mine[0])) for line in shapely.get_parts(lines)]
    return pd.DataFrame(rows, columns=["class_code", "shape", "edge"])


def _show(ground: Ground, plan: Plan, showcase: Showcase, assets: pd.DataFrame) -> pd.DataFrame:
    """Give the shown grid exactly its inventory: what it had of those classes makes room."""
    shape = showcase_shape(ground, plan, showcase)
    covers = asset_classes().query("group == 'manhole'").index
    wanted = dict(showcase.assets)
    # A hair wider than the grid, so that nothing of these classes is left on its rim.
    near = shapely.dwithin(assets["shape"].to_numpy(), shape, 0.5)
    swept = assets["class_code"].isin([*wanted, *covers]).to_numpy() & near
    new = [assets[~swept]]
    depth = {"0118": 9.0, "0117": 10.0, "0301": 16.0, "0302": 19.0}
    for code, count in wanted.items():
        new.append(ring_points(code, shape, count, depth.get(code, 12.0)))
    covered = ring_points("0102", shape, showcase.manholes, 3.2)
    covered["class_code"] = np.resize(
        ["0102", "0103", "0101", "0107", "0105", "0111"], len(covered)
    )
    return pd.concat([*new, covered], ignore_index=True)


def showcase_shape(ground: Ground, plan: Plan, showcase: Showcase) -> shapely.Geometry:
    """The shown grid, in metres."""
    return shapely.coverage_union_all(
        ground.blocks[(plan.grid_number[plan.grid] == showcase.number) & (plan.community == 0)]
    )


def ring_points(code: str, shape: shapely.Geometry, count: int, depth_m: float) -> pd.DataFrame:
    """Points evenly spaced on a ring inside a shape, `depth_m` from its border."""
    inner = shapely.get_parts(shapely.buffer(shape, -depth_m))
    ring = max(inner, key=lambda part: part.area).exterior
    share = (np.arange(count) + 0.37) / count
    points = shapely.line_interpolate_point(ring, share, normalized=True)
    points = shapely.transform(points, lambda xy: np.round(xy, 2))
    return pd.DataFrame({"class_code": code, "shape": points, "edge": -1})


def describe_assets(
    rng: np.random.Generator, assets: pd.DataFrame, road_names: npt.NDArray[np.object_]
) -> pd.DataFrame:
    """Add `name`, `state`, `owner` and `accuracy_class`."""
    out, n = assets.copy(), len(assets)
    names = asset_classes()["zh"].reindex(out["class_code"].unique())
    edge = out["edge"].to_numpy()
    street = np.where(edge >= 0, road_names[np.maximum(edge, 0)], None)
    named = pd.Series(street, index=out.index, dtype="str").fillna("")
    out["name"] = (named + out["class_code"].map(names)).astype("str")
    odds = np.array([0.955, 0.03, 0.006, 0.006, 0.003])
    out["state"] = rng.choice(["intact", "damaged", "lost", "abandoned", "removed"], n, p=odds)
    out["owner"] = out["class_code"].map(OWNERS).astype("str")
    out["accuracy_class"] = rng.choice(["A", "B", "C"], n, p=[0.55, 0.38, 0.07])
    return out
