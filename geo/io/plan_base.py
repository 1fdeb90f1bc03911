"""What a draft begins from: blocks and grids as they were, with the exact places of their vertices.

A plan is drawn in metres, the store has degrees, and a projection there and back does not return
the same bits. So the base keeps both: the metres that the plan is made of, and the longitude and
latitude that each vertex came with. A vertex that lies where it lay gets the latter back, bit for
bit, so what nobody touched is published as it was.

A base is a Parquet file named by a hash of its content; drafts that begin alike share it, and it is
never changed. A block belongs to the grid in force that holds its inner point (`geo.locate`).
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import ArrayLike, NDArray

from geo._plan_rings import Floats
from geo.errors import InputError, SchemaVersionError, StoreError
from geo.io._plan_base_make import REST_NAME as REST_NAME
from geo.io._plan_base_make import Note as Note
from geo.io._plan_base_make import collect_parts
from geo.io.workspace import Workspace
from geo.plan import Plan, read_plan
from geo.plan_merge import find_reshaped
from geo.schema import STORAGE_CRS

BASE_FORMAT = 1
"""Number of the layout of a base file."""

FOLDER = "plans"
"""Where base files lie in a workspace."""

_KEY = b"wangge_plan_base"


@dataclass(frozen=True, eq=False)
class Base:
    """Blocks and grids that plans begin from. Made by `make_base` and `read_base`."""

    name: str
    """Hash of its content, and the name of its file."""
    crs: pyproj.CRS
    """Metric CRS of its plans."""
    blocks: gpd.GeoDataFrame = field(repr=False)
    """By `block_id`, EPSG:4326: `grid_id`, `community_code`, `households`, `population`,
    `compound`."""
    shapes: NDArray[np.object_] = field(repr=False)
    """The blocks in metres, vertex by vertex those of `blocks`."""
    grids: pd.DataFrame = field(repr=False)
    """By `grid_id`: `name`, `kind`, `community_code`, `version` (missing for rest grids)."""
    version: int | None
    """Newest boundary version of the city when it was made."""
    as_blocks: str
    """`blocks`, or `grids` where the city has no blocks."""
    notes: tuple[Note, ...]
    joined: dict[str, str]
    """Blocks that lie in another block of the base because their grid is in pieces."""
    loose: frozenset[str]
    """Grids whose published outline does not run through just the vertices of their blocks."""
    communities: tuple[str, ...] | None = None
    """It has only blocks of these; None: all."""
    is_assigned: bool = False
    """Grids came from an assignment, not from those published."""
    ground: frozenset[str] = frozenset()
    """Blocks that the city does not have: ground of grids that none of its blocks holds."""

    @cached_property
    def first(self) -> Plan:
        """The plan without an edit."""
        columns = ["grid_id", "community_code", "households", "population"]
        frame = gpd.GeoDataFrame(self.blocks[columns], geometry=self.shapes, crs=self.crs)
        return read_plan(frame, self.grids)

    @cached_property
    def _known(self) -> Floats:
        """Longitude and latitude of each vertex of the first plan."""
        metres, degrees = (
            shapely.get_coordinates(shapes)
            for shapes in (self.shapes, self.blocks.geometry.to_numpy())
        )
        key, at = np.unique(metres[:, 0] + 1j * metres[:, 1], return_index=True)
        wanted = self.first.ground.xy
        found = np.searchsorted(key, wanted[:, 0] + 1j * wanted[:, 1])
        return np.asarray(degrees[at[found]])

    @cached_property
    def _forth(self) -> pyproj.Transformer:
        return pyproj.Transformer.from_crs(STORAGE_CRS, self.crs, always_xy=True)

    @cached_property
    def _back(self) -> pyproj.Transformer:
        return pyproj.Transformer.from_crs(self.crs, STORAGE_CRS, always_xy=True)

    # --- metres and degrees ----------------------------------------------------------------------

    def to_metric(self, lonlat: ArrayLike) -> Floats:
        """x, y in metres of longitudes and latitudes, (n, 2)."""
        pairs = np.asarray(lonlat, dtype=np.float64).reshape(-1, 2)
        return np.column_stack(self._forth.transform(pairs[:, 0], pairs[:, 1]))

    def to_lonlat(self, xy: ArrayLike) -> Floats:
        """Longitudes and latitudes of places in metres, (n, 2)."""
        pairs = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        return np.column_stack(self._back.transform(pairs[:, 0], pairs[:, 1]))

    def geometry_to_metric(self, shape: shapely.Geometry) -> shapely.Geometry:
        """A shape in degrees as one in metres, such as a line that was drawn on the screen."""
        return shapely.transform(shape, self.to_metric)

    def geometry_to_lonlat(self, shape: shapely.Geometry) -> shapely.Geometry:
        """A shape in metres as one in degrees, such as the place of a refused edit."""
        return shapely.transform(shape, self.to_lonlat)

    def places(self, plan: Plan) -> Floats:
        """Longitude and latitude of every vertex of a plan of this base, (n, 2).

        What lies where it lay in the base comes back bit for bit.
        """
        known, xy = self.first.ground.xy, plan.ground.xy
        if xy is known:
            return self._known
        found = np.empty_like(xy)
        count = len(known)
        kept = np.zeros(len(xy), dtype=bool)
        kept[:count] = (xy[:count] == known).all(axis=1)
        found[kept] = self._known[kept[:count]]
        if not kept.all():
            found[~kept] = self.to_lonlat(xy[~kept])
        return found

    # --- shapes ----------------------------------------------------------------------------------

    def block_polygons(self, plan: Plan, rows: Iterable[int] | None = None) -> NDArray[np.object_]:
        """Blocks of a plan (all, or some rows) as polygons in degrees."""
        wanted = range(len(plan.blocks)) if rows is None else rows
        return plan.ground.rings.polygons(wanted, self.places(plan))

    def grid_polygons(self, plan: Plan, grid_ids: Iterable[str] | None = None) -> gpd.GeoDataFrame:
        """Living grids of a plan (all, or some) with `Plan.table`, in EPSG:4326, by `grid_id`.

        An outline keeps every vertex of its blocks, so neighbours match.
        """
        wanted = list(plan.grid_rows) if grid_ids is None else list(grid_ids)
        unknown = [name for name in wanted if name not in plan.grid_rows]
        if unknown:
            raise InputError(f"the plan has no grid {unknown[0]}")
        places, rings = self.places(plan), plan.ground.rings
        shapes = [
            shapely.coverage_union_all(rings.polygons(plan.members(plan.grid_rows[name]), places))
            for name in wanted
        ]
        return gpd.GeoDataFrame(plan.table().loc[wanted], geometry=shapes, crs=STORAGE_CRS)

    # --- what differs from the base --------------------------------------------------------------

    def changed_blocks(self, plan: Plan) -> list[str]:
        """Ids of the blocks whose shape is not that of the base: moved, or parts of a cut one.

        Ground that is no block of the city (`ground`) is left out, and so are its parts.
        """
        rows = find_reshaped(self.first, plan)
        origin = plan.blocks.origin[rows].tolist()
        first = self.first.blocks.ids
        return [
            plan.blocks.ids[row]
            for row, begin in zip(rows.tolist(), origin, strict=True)
            if first[begin] not in self.ground
        ]

    def changed_grids(self, plan: Plan) -> tuple[set[str], set[str], set[str]]:
        """Grids with other blocks or another outline, grids that are new, and grids that ended.

        A grid that was only renamed is not among them: its ground is as published. One that was
        renumbered is: it ended under its old id and is new under the other.
        """
        first = self.first
        old, new = set(first.grid_rows), set(plan.grid_rows)
        moved = find_reshaped(first, plan)
        touched = {plan.grids[row].grid_id for row in np.unique(plan.label[moved]).tolist()}
        count = len(first.blocks)
        before = np.array([row.grid_id for row in first.grids], dtype=object)[first.label]
        after = np.array([row.grid_id for row in plan.grids], dtype=object)[plan.label[:count]]
        differs = before != after
        touched |= set(before[differs]) | set(after[differs])
        return touched & old & new, new - old, old - new

    def rest_grids(self, plan: Plan) -> list[str]:
        """Living grids that stand for blocks without a grid (未划分)."""
        rest = set(self.grids.index[self.grids["is_rest"]])
        return [name for name in plan.grid_rows if name in rest]


def make_base(
    workspace: Workspace,
    *,
    communities: Collection[str] | None = None,
    assignment: pd.Series | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Base:
    """Read what a draft begins from: blocks, or where there are none grids, as published newest.

    Blocks without a grid get one rest grid a community and piece, `<community>-R<n>`, named
    未划分. Borders that do not match by less than a metre are closed (`geo.seams`), and a grid in
    several pieces is held together by joining the two blocks that lie nearest; `notes` tell.

    Parameters
    ----------
    communities
        Only blocks of these; all if not given.
    assignment
        `grid_id` by `block_id`, such as a division gives; blocks that it lacks have no grid.
    kinds
        Kind by `grid_id` where it is another than the workspace says, or a new grid's.

    Raises
    ------
    InputError
        If there is neither a block nor a grid, or a community is unknown.
    CoverError
        If blocks overlap by more than a metre.
    RedrawError
        If the assignment puts blocks of two communities into one grid.
    """
    parts = collect_parts(workspace, communities, assignment, kinds or {})
    base = Base(
        "", parts.crs, parts.blocks, parts.shapes, parts.grids, parts.version, parts.as_blocks,
        parts.notes, parts.joined, parts.loose,
        None if communities is None else tuple(sorted(map(str, communities))),
        assignment is not None, parts.ground,
    )  # fmt: skip
    _ = base.first  # what gives no lawful plan is never kept
    return replace(base, name=_digest(_table_of(base)))


def _table_of(base: Base) -> pa.Table:
    """A base as it lies in its file."""

    def texts(column: Iterable[object]) -> pa.Array:
        return pa.array([None if pd.isna(v) else str(v) for v in column], pa.string())

    blocks = base.blocks
    epsg = base.crs.to_epsg()
    meta = {
        "format": BASE_FORMAT,
        "crs": base.crs.to_wkt() if epsg is None else f"EPSG:{epsg}",
        "version": base.version,
        "as_blocks": base.as_blocks,
        "communities": base.communities,
        "is_assigned": base.is_assigned,
        "notes": [asdict(one) for one in base.notes],
        "joined": base.joined,
        "loose": sorted(base.loose),
        "ground": sorted(base.ground),
        "grids": json.loads(base.grids.reset_index().to_json(orient="split", index=False)),
    }
    return pa.table(
        {
            "block_id": texts(blocks.index),
            "grid_id": texts(blocks["grid_id"]),
            "community_code": texts(blocks["community_code"]),
            "households": pa.array(blocks["households"].to_numpy(np.int64)),
            "population": pa.array(blocks["population"].to_numpy(np.int64)),
            "compound": texts(blocks["compound"]),
            "lonlat": pa.array(shapely.to_wkb(blocks.geometry.to_numpy()).tolist(), pa.binary()),
            "metric": pa.array(shapely.to_wkb(base.shapes).tolist(), pa.binary()),
        }
    ).replace_schema_metadata({_KEY: json.dumps(meta, ensure_ascii=False, sort_keys=True).encode()})


def _digest(table: pa.Table) -> str:
    """Hash of what a base says, however a version of Parquet writes it down."""
    found = blake2b(table.schema.metadata[_KEY], digest_size=16)
    for name in table.column_names:
        found.update(name.encode())
        for value in table.column(name).to_pylist():
            found.update(b"\x00" if value is None else b"\x01")
            text = value if isinstance(value, bytes) else repr(value).encode()
            found.update(len(text).to_bytes(8, "little") + text)
    return found.hexdigest()


def _from_arrow(name: str, table: pa.Table) -> Base:
    meta = json.loads(table.schema.metadata[_KEY])
    columns = {key: table.column(key).to_pylist() for key in table.column_names}
    blocks = gpd.GeoDataFrame(
        {
            "grid_id": pd.array(columns["grid_id"], dtype="str"),
            "community_code": pd.array(columns["community_code"], dtype="str"),
            "households": np.array(columns["households"], dtype=np.int64),
            "population": np.array(columns["population"], dtype=np.int64),
            "compound": pd.array(columns["compound"], dtype="str"),
        },
        geometry=shapely.from_wkb(columns["lonlat"]),
        index=pd.Index(columns["block_id"], name="block_id", dtype="str"),
        crs=STORAGE_CRS,
    )
    grids = pd.DataFrame(meta["grids"]["data"], columns=meta["grids"]["columns"])
    grids["version"] = grids["version"].astype("Int64")
    return Base(
        name,
        pyproj.CRS.from_user_input(meta["crs"]),
        blocks,
        np.asarray(shapely.from_wkb(columns["metric"]), dtype=object),
        grids.set_index("grid_id"),
        meta["version"],
        meta["as_blocks"],
        tuple(Note(n["code"], n["count"], tuple(n["ids"]), n["text"]) for n in meta["notes"]),
        dict(meta["joined"]),
        frozenset(meta["loose"]),
        None if meta["communities"] is None else tuple(meta["communities"]),
        bool(meta["is_assigned"]),
        frozenset(meta.get("ground", ())),
    )


def base_file(folder: Path, name: str) -> Path:
    """Where a base lies, or would."""
    if not name or not all(letter in "0123456789abcdef" for letter in name):
        raise InputError(f"{name!r} names no base of a plan")
    return folder / f"{name}.parquet"


def write_base(folder: Path, base: Base) -> Path:
    """Keep a base in a folder; the file appears whole or not at all, and one that is there stays.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    target = base_file(folder, base.name)
    return target if target.exists() else write_base_bytes(folder, base.name, base_bytes(base))


def base_bytes(base: Base) -> bytes:
    """The content of the file of a base."""
    sink = pa.BufferOutputStream()
    pq.write_table(_table_of(base), sink, compression="zstd")
    return bytes(sink.getvalue())


def write_base_bytes(folder: Path, name: str, content: bytes) -> Path:
    """Keep the content of a base file under its name."""
    target = base_file(folder, name)
    draft = folder / f".{uuid.uuid4().hex}.draft"
    try:
        if target.exists():
            return target
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def read_base(folder: Path, name: str) -> Base:
    """Read a base from its folder.

    Raises
    ------
    StoreError
        If it is not there, or not as it was written.
    SchemaVersionError
        If a newer version of the program wrote it.
    """
    return parse_base(read_base_bytes(folder, name), name, str(base_file(folder, name)))


def read_base_bytes(folder: Path, name: str) -> bytes:
    """The content of the file of a base; StoreError if it is not there."""
    file = base_file(folder, name)
    if not file.is_file():
        raise StoreError(f"{file} is not there: bring back the folder {FOLDER} of the workspace")
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error


def parse_base(content: bytes, name: str, where: str) -> Base:
    """A base out of the content of its file; `where` is for messages."""
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowInvalid, OSError) as error:
        raise StoreError(f"{where} is damaged: bring back the file from a copy") from error
    words = (table.schema.metadata or {}).get(_KEY)
    if words is None:
        raise StoreError(f"{where} is no base of a plan")
    number = json.loads(words).get("format")
    if not isinstance(number, int) or number > BASE_FORMAT:
        raise SchemaVersionError(
            f"{where} has format {number}, this program knows {BASE_FORMAT}: update the program"
        )
    if _digest(table) != name:
        raise StoreError(f"{where} is not as it was written: bring back the file from a copy")
    return _from_arrow(name, table)
