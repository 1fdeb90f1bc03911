"""How a base comes about: blocks of the workspace, their grids, borders that match, grids whole.

Nothing is repaired in silence: each thing done is a `Note`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
import sqlalchemy as sa
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo._plan_ground import find_pairs
from geo._plan_rings import Floats, Ints, read_rings
from geo.errors import CoverError, InputError
from geo.io._plan_base_ground import collect_ground, find_open
from geo.io.workspace import Workspace
from geo.locate import GridIndex
from geo.schema import STORAGE_CRS
from geo.seams import repair_cover

REST_NAME = "未划分"
"""Name of the grids that stand for blocks without a grid."""

SNAP_M = 1.0
"""Width up to which borders of blocks are made to match; that of the import gate."""

SAMPLE = 20
"""Ids that a note names."""

Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Note:
    """What had to be done, or is to be known, before a plan could begin."""

    code: str
    """`no_blocks`, `repaired`, `no_grid`, `loose_grids`, `no_households`, `households_differ`,
    `joined`, `community_differs`, `no_community`, `ground`."""
    count: int
    ids: tuple[str, ...]
    """The first of the blocks or grids concerned."""
    text: str


@dataclass(frozen=True, eq=False)
class Parts:
    """What a base is made of; see `geo.io.plan_base.Base`."""

    crs: pyproj.CRS
    blocks: gpd.GeoDataFrame
    shapes: Shapes
    grids: pd.DataFrame
    version: int | None
    as_blocks: str
    notes: tuple[Note, ...]
    joined: dict[str, str]
    loose: frozenset[str]
    ground: frozenset[str]


def note(code: str, ids: Iterable[object], text: str, count: int | None = None) -> Note:
    """A note with the number of things, and the first of them."""
    names = tuple(str(name) for name in ids)
    number = len(names) if count is None else count
    return Note(code, number, names[:SAMPLE], text.format(n=f"{number:,}"))


def collect_parts(
    workspace: Workspace,
    communities: Collection[str] | None,
    assignment: pd.Series | None,
    kinds: Mapping[str, str],
) -> Parts:
    """Read blocks and grids of a workspace as one lawful cover in metres.

    `kinds` by `grid_id` stands above what the workspace says of a grid.
    """
    notes: list[Note] = []
    with workspace.reading() as conn:
        table = workspace.table("grids")
        grids = workspace.read("grids", where=table.c.valid_to.is_(None), conn=conn)
        blocks = workspace.read("blocks", conn=conn)
        version = conn.execute(sa.select(sa.func.max(table.c.version))).scalar_one()
    if not len(blocks) and not len(grids):
        raise InputError("there is neither a block nor a grid: import some first")
    as_blocks = "blocks" if len(blocks) else "grids"
    if not len(blocks):
        notes.append(
            note("no_blocks", grids.index, "there are no blocks: each of {n} grids is one block")
        )
        blocks = _grids_as_blocks(grids)
    crs = workspace.metric_crs()
    blocks, shapes = _matched(blocks, crs, notes)
    blocks = _with_grids(blocks, grids, assignment, notes)
    ground = frozenset[str]()
    if assignment is None and as_blocks == "blocks" and len(grids):
        blocks, shapes, ground = _with_ground(blocks, shapes, grids, crs, notes)
    if communities is not None:
        blocks, shapes = _only(blocks, shapes, communities)
    blocks = _with_people(blocks, notes)
    blocks, shapes, joined = _whole(blocks, shapes, notes)
    known = _grid_table(blocks, grids, kinds)
    loose = _loose(blocks, shapes, grids, crs, notes) if assignment is None else frozenset()
    if assignment is None:
        _compare_households(blocks, grids, notes)
    return Parts(
        crs, blocks, shapes, known, None if version is None else int(version), as_blocks,
        tuple(notes), joined, loose, ground & set(blocks.index),
    )  # fmt: skip


def _grids_as_blocks(grids: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "compound": pd.array([None] * len(grids), dtype="str"),
            "households": grids["households"],
            "population": grids["population"],
            "community_code": grids["community_code"],
        },
        geometry=grids.geometry,
        crs=grids.crs,
    ).rename_axis("block_id")


def _matched(
    blocks: gpd.GeoDataFrame, crs: pyproj.CRS, notes: list[Note]
) -> tuple[gpd.GeoDataFrame, Shapes]:
    """Blocks in degrees, and the same vertex by vertex in metres, with borders that match."""
    blocks = blocks.sort_index()
    single = _unpacked(blocks.geometry.to_numpy())
    shapes = _project(single, crs)
    if not shapely.coverage_is_valid(shapes, gap_width=SNAP_M):
        frame = gpd.GeoDataFrame(geometry=single, index=blocks.index, crs=STORAGE_CRS)
        frame, changes = repair_cover(frame, snap_m=SNAP_M)
        names = sorted({str(name) for ids in changes["ids"] for name in ids})
        done = ", ".join(
            f"{row.change.replace('_', ' ')} ({row.count:,})" for row in changes.itertuples()
        )
        if names:
            text = f"borders of {{n}} blocks were made to match: {done}"
            notes.append(note("repaired", names, text))
        single = _unpacked(frame.geometry.to_numpy())
        shapes = _project(single, crs)
        if not shapely.coverage_is_valid(shapes):
            edges = shapely.coverage_invalid_edges(shapes)
            bad = blocks.index[~shapely.is_empty(edges)]
            raise CoverError(
                f"borders of {len(bad)} blocks cannot be made to match, the first are"
                f" {', '.join(map(str, bad[:3]))}: run wangge check, and repair them"
            )
    return blocks.set_geometry(gpd.GeoSeries(single, index=blocks.index, crs=STORAGE_CRS)), shapes


def _unpacked(shapes: Shapes) -> Shapes:
    """Multipolygons of one part as polygons; a vertex that stands twice in a row stands once."""
    out = np.array(shapely.remove_repeated_points(shapes), dtype=object)
    lone = (shapely.get_type_id(out) == 6) & (shapely.get_num_geometries(out) == 1)
    out[lone] = shapely.get_geometry(out[lone], 0)
    return out


def _project(shapes: Shapes, crs: pyproj.CRS) -> Shapes:
    forth = pyproj.Transformer.from_crs(STORAGE_CRS, crs, always_xy=True)

    def turn(places: Floats) -> Floats:
        return np.column_stack(forth.transform(places[:, 0], places[:, 1]))

    return np.asarray(shapely.transform(shapes, turn), dtype=object)


def _with_grids(
    blocks: gpd.GeoDataFrame,
    grids: gpd.GeoDataFrame,
    assignment: pd.Series | None,
    notes: list[Note],
) -> gpd.GeoDataFrame:
    """Each block with its grid (or none) and its community."""
    inner = shapely.point_on_surface(blocks.geometry.to_numpy())
    row = np.full(len(blocks), -1, dtype=np.int64)
    if len(grids):
        row = GridIndex(grids).assign(shapely.get_x(inner), shapely.get_y(inner)).astype(np.int64)
    own = blocks["community_code"].astype(object).where(blocks["community_code"].notna(), "")
    own = own.to_numpy(dtype=object)
    of_grid = np.full(len(grids), "", dtype=object)
    if len(grids):
        stated = grids["community_code"]
        of_grid = np.where(stated.notna(), stated.astype(object), "").astype(object)
        for k in np.flatnonzero(of_grid == "").tolist():
            mine = own[(row == k) & (own != "")]
            if len(mine):
                of_grid[k] = pd.Series(mine).value_counts(sort=True).index[0]
    community = own.copy()
    inside = row >= 0
    community[inside] = of_grid[row[inside]]
    strange = inside & (own != "") & (own != community)
    if strange.any():
        notes.append(
            note(
                "community_differs", blocks.index[strange],
                "{n} blocks name another community than the grid that they lie in: the grid counts",
            )
        )  # fmt: skip
    if (community == "").any():
        notes.append(
            note("no_community", blocks.index[community == ""], "{n} blocks have no community")
        )
    names = np.full(len(blocks), None, dtype=object)
    if assignment is None:
        names[inside] = grids.index.to_numpy(dtype=object)[row[inside]]
    else:
        given = assignment.reindex(blocks.index)
        has = given.notna().to_numpy()
        names[has] = given[has].astype(str).to_numpy(dtype=object)
    return blocks.assign(grid_id=names, community_code=community)


def _with_ground(
    blocks: gpd.GeoDataFrame,
    shapes: Shapes,
    grids: gpd.GeoDataFrame,
    crs: pyproj.CRS,
    notes: list[Note],
) -> tuple[gpd.GeoDataFrame, Shapes, frozenset[str]]:
    """Blocks, and the ground of their grids that none of them holds as blocks of its own."""
    outlines = _unpacked(grids.geometry.to_numpy())
    metres = pd.Series(_project(outlines, crs), index=grids.index)
    rows = find_open(shapes, blocks["grid_id"].to_numpy(dtype=object), metres)
    if not len(rows):
        return blocks, shapes, frozenset()
    pieces = collect_ground(blocks, grids, outlines, rows)
    inner = shapely.buffer(_project(pieces.geometry.to_numpy(), crs), -SNAP_M / 2)
    pieces = collect_ground(blocks, grids, outlines, rows, ~shapely.is_empty(inner))
    if not len(pieces):
        return blocks, shapes, frozenset()
    home = blocks.drop_duplicates("grid_id").set_index("grid_id")["community_code"]
    known = pieces["grid_id"].map(home)
    stated = pieces["community_code"].astype(object)
    pieces["community_code"] = known.where(known.notna(), stated.where(stated.notna(), ""))
    both = gpd.GeoDataFrame(pd.concat([blocks, pieces[list(blocks.columns)]]), crs=STORAGE_CRS)
    repaired: list[Note] = []
    try:
        whole, there = _matched(both, crs, repaired)
    except CoverError as error:
        # Blocks as they are still make a draft; what hangs together nowhere is joined.
        notes.append(
            note("ground", pieces.index, f"{{n}} pieces without a block were left out: {error}")
        )
        return blocks, shapes, frozenset()
    notes.append(
        note(
            "ground", pieces.index,
            "{n} pieces of ground without a block, such as streets, are blocks without people",
        )
    )  # fmt: skip
    return whole, there, frozenset(map(str, pieces.index))


def _only(
    blocks: gpd.GeoDataFrame, shapes: Shapes, communities: Collection[str]
) -> tuple[gpd.GeoDataFrame, Shapes]:
    wanted = {str(code) for code in communities}
    unknown = sorted(wanted - set(blocks["community_code"]))
    if unknown or not wanted:
        raise InputError(f"no block lies in community {', '.join(unknown) or '(none named)'}")
    keep = blocks["community_code"].isin(wanted).to_numpy()
    return blocks[keep], shapes[keep]


def _with_people(blocks: gpd.GeoDataFrame, notes: list[Note]) -> gpd.GeoDataFrame:
    empty = blocks["households"].isna().to_numpy()
    if empty.any():
        notes.append(
            note("no_households", blocks.index[empty], "{n} blocks have no households: counted 0")
        )
    return blocks.assign(
        households=blocks["households"].fillna(0).astype(np.int64),
        population=blocks["population"].fillna(0).astype(np.int64),
    )


def _whole(
    blocks: gpd.GeoDataFrame, shapes: Shapes, notes: list[Note]
) -> tuple[gpd.GeoDataFrame, Shapes, dict[str, str]]:
    """Rest grids for blocks without one, and grids in one piece."""
    named = blocks["grid_id"].to_numpy(dtype=object)
    is_rest = pd.isna(named)
    home = blocks["community_code"].to_numpy(dtype=object)
    key = np.where(is_rest, "rest " + home.astype(str), "grid " + named.astype(str))
    piece = _pieces(shapes, pd.factorize(key)[0])
    grid_id = named.copy()
    numbers: dict[str, int] = {}
    rows = np.flatnonzero(is_rest)
    for number in pd.unique(piece[rows]):
        mine = rows[piece[rows] == number]
        code = str(home[mine[0]])
        numbers[code] = numbers.get(code, 0) + 1
        grid_id[mine] = f"{code}-R{numbers[code]}"
    if len(rows):
        notes.append(
            note(
                "no_grid", blocks.index[rows], "{n} blocks lie in no grid: they wait in rest grids"
            )
        )
    blocks = blocks.assign(grid_id=grid_id.astype(str), is_rest=is_rest)
    into = _joins(blocks, shapes, piece)
    if not into:
        return blocks, shapes, {}
    names = blocks.index.to_numpy(dtype=object)
    joined = {str(names[one]): str(names[two]) for one, two in into.items()}
    notes.append(
        note("joined", joined, "{n} blocks were joined with others: their grids are in pieces")
    )
    return *_join(blocks, shapes, into), joined


def _pieces(shapes: Shapes, group: Ints) -> Ints:
    """Number of the piece of each block: blocks of one group that hang together along borders."""
    rings, xy = read_rings(shapes)
    pairs = find_pairs(rings.edges, xy, len(shapes))
    one = np.repeat(np.arange(len(shapes)), np.diff(pairs.start))
    same = group[one] == group[pairs.other]
    one, two = one[same], pairs.other[same]
    graph = coo_array((np.ones(len(one), dtype=bool), (one, two)), shape=(len(shapes),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _joins(blocks: gpd.GeoDataFrame, shapes: Shapes, piece: Ints) -> dict[int, int]:
    """Which block is to be joined with which, so that every grid hangs together; by rows."""
    grid = pd.factorize(blocks["grid_id"])[0]
    parts = pd.Series(piece).groupby(grid).unique()
    households = blocks["households"].to_numpy()
    into: dict[int, int] = {}
    for k in parts.index[parts.map(len) > 1]:
        pieces = [np.flatnonzero((grid == k) & (piece == p)) for p in parts[k]]
        pieces.sort(key=lambda rows: (-int(households[rows].sum()), int(rows[0])))
        main = pieces[0]
        for rows in pieces[1:]:
            away = shapely.distance(shapes[rows][:, None], shapes[main][None])
            one, two = np.unravel_index(int(np.argmin(away)), away.shape)
            target = int(main[two])
            into[int(rows[one])] = into.get(target, target)
            main = np.append(main, rows)
    return into


def _join(
    blocks: gpd.GeoDataFrame, shapes: Shapes, into: dict[int, int]
) -> tuple[gpd.GeoDataFrame, Shapes]:
    degrees = blocks.geometry.to_numpy().copy()
    metres = shapes.copy()
    households, people = (blocks[name].to_numpy().copy() for name in ("households", "population"))
    for target in sorted(set(into.values())):
        rows = [target, *(one for one, two in into.items() if two == target)]
        for some in (degrees, metres):
            some[target] = shapely.multipolygons(shapely.get_parts(some[rows]))
        households[target], people[target] = households[rows].sum(), people[rows].sum()
    blocks = blocks.assign(households=households, population=people).set_geometry(
        gpd.GeoSeries(degrees, index=blocks.index, crs=STORAGE_CRS)
    )
    keep = np.ones(len(blocks), dtype=bool)
    keep[list(into)] = False
    return blocks[keep], metres[keep]


def _grid_table(
    blocks: gpd.GeoDataFrame, grids: gpd.GeoDataFrame, kinds: Mapping[str, str]
) -> pd.DataFrame:
    """Name, kind, community and version of the grids of a base, by `grid_id`."""
    first = blocks.drop_duplicates("grid_id").set_index("grid_id")
    ids = first.index
    known = pd.DataFrame(grids.drop(columns=grids.geometry.name)).reindex(ids)
    name = known["name"].astype(object).where(known["name"].notna(), ids.to_numpy(dtype=object))
    rest = first["is_rest"].to_numpy(dtype=bool)
    kind = known["kind"].astype(object).where(known["kind"].notna(), "base")
    return pd.DataFrame(
        {
            "name": np.where(rest, REST_NAME, name),
            "kind": [kinds.get(str(grid), one) for grid, one in kind.items()],
            "community_code": first["community_code"],
            "version": known["version"].astype("Int64"),
            "is_rest": rest,
        },
        index=pd.Index(ids, name="grid_id"),
    ).sort_index()


def _loose(
    blocks: gpd.GeoDataFrame,
    shapes: Shapes,
    grids: gpd.GeoDataFrame,
    crs: pyproj.CRS,
    notes: list[Note],
) -> frozenset[str]:
    """Grids whose published outline is not the union of their blocks, vertex by vertex."""
    degrees = blocks.geometry.to_numpy()
    groups = pd.Series(np.arange(len(blocks))).groupby(blocks["grid_id"].to_numpy()).indices
    found, off = [], []
    for name in sorted(set(groups) & set(grids.index)):
        union = shapely.coverage_union_all(degrees[groups[name]])
        published = _unpacked(np.array([grids.geometry[name]], dtype=object))[0]
        if shapely.equals_exact(shapely.normalize(union), shapely.normalize(published), 0.0):
            continue
        found.append(name)
        two = _project(np.array([union, published], dtype=object), crs)
        # A metre along the whole border is what the gate lets pass, too.
        if two[0].symmetric_difference(two[1]).area > SNAP_M * two[1].length:
            off.append(name)
    if off:
        notes.append(
            note("loose_grids", off, "blocks do not follow the borders of {n} grids: theirs count")
        )
    return frozenset(found)


def _compare_households(
    blocks: gpd.GeoDataFrame, grids: gpd.GeoDataFrame, notes: list[Note]
) -> None:
    if not len(grids):
        return
    sums = blocks.groupby("grid_id")["households"].sum()
    stated = grids["households"].reindex(sums.index)
    differs = (stated.notna() & (stated.astype("float64") != sums)).to_numpy()
    if differs.any():
        notes.append(
            note(
                "households_differ", sums.index[differs],
                "{n} grids state other households than their blocks add up to: the blocks count",
            )
        )  # fmt: skip
