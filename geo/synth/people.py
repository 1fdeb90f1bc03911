"""Put buildings into blocks, and households and people into buildings.

A building stands back from the streets around it and never touches another. Households are shared
out from a grid to its buildings by floor space, and counted upwards from there: a block has what
its buildings have, a grid what its blocks have. So each household is counted once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.synth.blocks import HALF_WIDTH_M, Ground

Reals = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]
Shapes = npt.NDArray[np.object_]

SIDEWALK_M = 5.0
"""From the kerb to the nearest wall."""


@dataclass(frozen=True)
class _Style:
    """How a use is built: width, depth and gaps of its buildings (m), usual storeys."""

    width: float
    depth: float
    gap_x: float
    gap_y: float
    floors: tuple[int, int]
    kept: float = 0.9


STYLES = {
    "slab": _Style(42, 12, 9, 17, (6, 7)),
    "tower": _Style(25, 19, 14, 22, (18, 33)),
    "old": _Style(32, 10, 6, 10, (4, 6)),
    "village": _Style(13, 10, 10, 12, (2, 3), 0.55),
    "shops": _Style(48, 30, 12, 16, (2, 6)),
    "office": _Style(36, 28, 14, 18, (8, 26), 0.85),
    "industry": _Style(64, 34, 14, 18, (1, 3), 0.8),
    "school": _Style(58, 14, 18, 34, (4, 5), 0.7),
    "market": _Style(60, 44, 14, 18, (1, 3), 0.8),
    "hospital": _Style(52, 20, 16, 28, (8, 16), 0.8),
}
HOME_STYLES = ("slab", "tower", "old", "village")


def choose_uses(rng: np.random.Generator, ground: Ground, *, rural: bool) -> Words:
    """A use for every block: one of `STYLES`, park, square or water.

    Offices and shops gather in the middle, factories at the rim, villages beyond, where the
    preset has villages.
    """
    n, far = len(ground.blocks), np.clip(ground.far, 0, 1.2)
    table = {
        "slab": 0.34 + 0 * far,
        "tower": 0.22 * (1 - 0.4 * far),
        "old": 0.14 * (1.1 - 0.7 * far),
        "village": np.where(far > 0.7, 0.9 if rural else 0.0, 0.0) * far,
        "shops": 0.13 * (1.15 - 0.8 * far),
        "office": 0.09 * (1.15 - 0.9 * far),
        "industry": 0.01 + 0.10 * far**2,
        "school": 0.035 + 0 * far,
        "market": 0.02 + 0 * far,
        "hospital": 0.012 + 0 * far,
    }
    names = np.array(list(table))
    odds = np.cumsum(np.column_stack([table[name] for name in names]), axis=1)
    pick = (odds < rng.random(n)[:, None] * odds[:, -1:]).sum(axis=1)
    uses = names[np.minimum(pick, len(names) - 1)].astype("<U8")
    uses[ground.use != "land"] = ground.use[ground.use != "land"]
    # The square in the middle of the town.
    land = np.flatnonzero(ground.use == "land")
    if len(land) > 60:
        uses[land[np.argmin(ground.far[land])]] = "square"
    return np.asarray(uses)


def find_yards(ground: Ground) -> Shapes:
    """What is left of each block behind streets and sidewalks; empty where nothing is."""
    yards = shapely.buffer(
        ground.blocks, -(HALF_WIDTH_M["path"] + SIDEWALK_M), join_style="mitre", quad_segs=2
    )
    for kind in ("minor", "rail", "main", "arterial"):
        edges = np.flatnonzero(ground.edge_class == kind)
        owner = np.concatenate([ground.left[edges], ground.right[edges]])
        line = np.concatenate([edges, edges])[owner >= 0]
        owner = owner[owner >= 0]
        order = np.argsort(owner, kind="stable")
        blocks, place = np.unique(owner[order], return_inverse=True)
        street = shapely.multilinestrings(ground.edges[line[order]], indices=place)
        strip = shapely.buffer(
            street, HALF_WIDTH_M[kind] + SIDEWALK_M, cap_style="flat", quad_segs=2
        )
        yards[blocks] = shapely.difference(yards[blocks], strip)
    return np.asarray(yards)


def build(rng: np.random.Generator, ground: Ground, uses: Words) -> pd.DataFrame:
    """Rows of buildings in each yard: `block`, `use`, `floors`, `shape` (metres), `room` (m2)."""
    yards = find_yards(ground)
    rows = np.flatnonzero(~np.isin(uses, ["park", "water", "square"]) & ~shapely.is_empty(yards))
    style = [STYLES[str(use)] for use in uses[rows]]
    width, depth, gap_x, gap_y, kept = (
        np.array([getattr(s, name) for s in style])
        for name in ("width", "depth", "gap_x", "gap_y", "kept")
    )
    centre, axis = _frames(yards[rows])
    local = _turn(yards[rows], centre, axis)
    row, low, high, y = _find_rows(local, width, depth, gap_y)
    span = high - low
    count = np.floor((span + gap_x[row]) / (width[row] + gap_x[row])).astype(np.int64)
    count = np.clip(np.where(count == 0, span >= 0.55 * width[row], count), 0, 14).astype(np.int64)
    place = np.repeat(row, count)
    within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    lot = np.repeat(span / np.maximum(count, 1), count)
    across = np.repeat(low, count) + (within + 0.5) * lot
    # A lot holds a building and the gap beside it, so neighbours in a row never touch.
    most = np.minimum(width[place], lot - np.minimum(5.0, 0.12 * lot))
    size_x = most * rng.uniform(0.78, 1.0, len(place)) / 2
    size_y = depth[place] * rng.uniform(0.85, 1.0, len(place)) / 2
    up = np.repeat(y, count)
    shapes = _boxes(centre[place], axis[place], across, up, size_x, size_y)
    shapely.prepare(yards)
    inside = shapely.contains_properly(yards[rows[place]], shapes)
    fits = inside & (rng.random(len(place)) < kept[place])
    fits[_first_of(place, inside)] = True
    block = rows[place[fits]]
    lone = np.setdiff1d(rows, block)
    spare, spare_block = _lone_buildings(yards, lone)
    return _finish(
        rng, np.concatenate([block, spare_block]), np.concatenate([shapes[fits], spare]), uses
    )


def _finish(rng: np.random.Generator, block: Ints, shapes: Shapes, uses: Words) -> pd.DataFrame:
    shapes = shapely.transform(shapes, lambda points: np.round(points, 2))
    out = pd.DataFrame({"block": block, "use": uses[block], "shape": shapes})
    low = out["use"].map({name: s.floors[0] for name, s in STYLES.items()}).to_numpy()
    high = out["use"].map({name: s.floors[1] for name, s in STYLES.items()}).to_numpy()
    out["floors"] = rng.integers(low, high + 1)
    out["room"] = shapely.area(shapes) * out["floors"]
    out["homes"] = out["use"].isin(HOME_STYLES)
    x, y = shapely.get_x(shapely.centroid(shapes)), shapely.get_y(shapely.centroid(shapes))
    order = np.lexsort([x, -y, block])
    return out.iloc[order].reset_index(drop=True)


def _frames(yards: Shapes) -> tuple[Reals, Reals]:
    """Middle of each yard's box and the direction of its rows, near east-west."""
    box = shapely.get_coordinates(shapely.oriented_envelope(yards)).reshape(len(yards), 5, 2)
    one, two = box[:, 1] - box[:, 0], box[:, 2] - box[:, 1]
    flat = np.abs(one[:, 0]) >= np.abs(one[:, 1])
    east = np.where(flat[:, None], one, two)
    length = np.maximum(np.hypot(*east.T), 1e-9)
    return box[:, :4].mean(axis=1), east / length[:, None] * np.sign(east[:, :1])


def _turn(shapes: Shapes, centre: Reals, axis: Reals) -> Shapes:
    """Each shape in the frame of its own middle and axis."""
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    moved = points - centre[owner]
    east = (moved * axis[owner]).sum(axis=1)
    north = moved[:, 1] * axis[owner, 0] - moved[:, 0] * axis[owner, 1]
    return np.asarray(shapely.set_coordinates(shapes.copy(), np.column_stack([east, north])))


def _find_rows(
    yards: Shapes, width: Reals, depth: Reals, gap: Reals
) -> tuple[Ints, Reals, Reals, Reals]:
    """Rows of buildings across each yard: number of the yard, west end, east end, height."""
    box = shapely.bounds(yards)
    height = box[:, 3] - box[:, 1] - 2.0
    count = np.floor((height + gap) / (depth + gap)).astype(np.int64)
    count = np.where(count <= 0, height >= depth, np.minimum(count, 14)).astype(np.int64)
    row = np.repeat(np.arange(len(yards)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    step = np.where(count > 1, (height - depth) / np.maximum(count - 1, 1), 0)
    y = box[row, 1] + 1.0 + depth[row] / 2 + within * step[row]
    y = np.where(count[row] == 1, (box[row, 1] + box[row, 3]) / 2, y)
    low, high = box[row, 0], box[row, 2]
    for shift in (-0.5, 0.0, 0.5):
        level = y + shift * depth[row]
        line = shapely.linestrings(
            np.stack(
                [
                    np.column_stack([box[row, 0] - 1, level]),
                    np.column_stack([box[row, 2] + 1, level]),
                ],
                axis=1,
            )
        )
        cut = shapely.bounds(shapely.intersection(line, yards[row]))
        low = np.maximum(low, np.nan_to_num(cut[:, 0], nan=np.inf))
        high = np.minimum(high, np.nan_to_num(cut[:, 2], nan=-np.inf))
    ok = high - low > 6.0
    return row[ok], low[ok] + 0.6, high[ok] - 0.6, y[ok]


def _boxes(
    centre: Reals, axis: Reals, across: Reals, up: Reals, half_x: Reals, half_y: Reals
) -> Shapes:
    side = np.column_stack([-axis[:, 1], axis[:, 0]])
    middle = centre + across[:, None] * axis + up[:, None] * side
    corners = [
        middle + sx * half_x[:, None] * axis + sy * half_y[:, None] * side
        for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ]
    return np.asarray(shapely.polygons(np.stack(corners, axis=1)))


def _first_of(group: Ints, ok: Bools) -> Ints:
    """Row of the first True of each group."""
    rows = np.flatnonzero(ok)
    return rows[np.unique(group[rows], return_index=True)[1]]


def _lone_buildings(yards: Shapes, rows: Ints) -> tuple[Shapes, Ints]:
    """One building in the middle of a yard too odd for rows, if it has room for 6 x 6 m."""
    if not len(rows):
        return np.empty(0, dtype=object), rows
    radius = shapely.length(shapely.maximum_inscribed_circle(yards[rows], 0.5))
    centre = shapely.get_point(shapely.maximum_inscribed_circle(yards[rows], 0.5), 0)
    half = np.minimum(radius * 0.66, 9.0)
    x, y = shapely.get_x(centre), shapely.get_y(centre)
    ok = half >= 3.0
    return shapely.box(x - half, y - half, x + half, y + half)[ok], rows[ok]


def keep_buildings(
    rng: np.random.Generator, buildings: pd.DataFrame, number: int, *, one_of: str
) -> pd.DataFrame:
    """Pull down buildings by lot until `number` stand, at least one in each group `one_of`.

    Raises
    ------
    ValueError
        If there are fewer buildings, or more groups, than that.
    """
    lot = rng.permutation(len(buildings))
    first = pd.Series(lot).groupby(buildings[one_of].to_numpy()).transform("min").to_numpy() == lot
    if len(buildings) < number or first.sum() > number:
        raise ValueError(f"{len(buildings)} buildings in {first.sum()} groups, {number} wanted")
    rank = np.where(first, -1, lot)
    return buildings.iloc[np.sort(np.argsort(rank, kind="stable")[:number])].reset_index(drop=True)


def share_within(group: Ints, totals: Ints, weight: Reals, *, least: int = 0) -> Ints:
    """Split the total of each group among its rows in proportion to weights, exactly."""
    size = np.bincount(group, minlength=len(totals))
    floor = np.minimum(least, totals // np.maximum(size, 1))
    rest = totals - floor * size
    whole = np.bincount(group, weight, len(totals))
    exact = weight / np.maximum(whole, 1e-12)[group] * rest[group]
    out = np.floor(exact).astype(np.int64)
    left = rest - np.bincount(group, out, len(totals)).astype(np.int64)
    order = np.lexsort([-(exact - out), group])
    first = np.cumsum(size) - size
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - first[group[order]]
    return out + (rank < left[group]) + floor[group]
