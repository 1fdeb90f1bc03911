"""Which cases lie in a unit, for a page of the list.

Each case with a place is looked up in the grids in force (`geo.locate`, exactly one grid a point);
a community, street or district has the cases of its grids. What was looked up is kept in memory
by row number, a case costs four bytes, and afterwards only cases that changed are looked up. It is
derived and never stored. The one city has every case, unplaced ones and those outside too. A unit
without grids but with a border of its own, and a zone (`zone:<zone_id>`), has the cases in or on
that border.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import sqlalchemy as sa

from geo._units import COVER_KINDS
from geo.hierarchy import ancestors
from geo.io import gpkg
from geo.io.workspace import Workspace
from geo.locate import GridIndex

ZONE = "zone:"
_ASK = 500
"""Row numbers in one question; SQLite takes some thousands."""


@dataclass(frozen=True)
class Members:
    """The cases of a unit: a flag for each row number, from number 1."""

    flags: npt.NDArray[np.uint8]
    count: int

    def numbers(self) -> list[int]:
        """The row numbers, in order."""
        return [int(number) for number in np.flatnonzero(self.flags) + 1]


class Places:
    """The grid of every case of a workspace, kept fresh by the list of changed incidents."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._key: tuple[str, int] | None = None
        self._stamp = ""
        self._breaks: list[str] = []
        self._seq: int | None = None
        self._grid_of = np.zeros(0, dtype=np.int32)
        self._index: GridIndex | None = None
        self._units: dict[str, npt.NDArray[np.int64]] = {}
        self._cities: frozenset[str] = frozenset()

    @property
    def version(self) -> tuple[str, int] | None:
        """Which grids and divisions in which version were asked last."""
        return self._key

    def refresh(self, conn: sa.Connection, at: datetime) -> None:
        """Look up what changed."""
        with self._lock:
            self._refresh(conn, at)

    def find(self, conn: sa.Connection, unit: str, at: datetime) -> Members | None:
        """The cases of a unit as the connection sees them; None if the unit has all of them."""
        if unit.startswith(ZONE):
            return self._inside(conn, "zones", unit.removeprefix(ZONE))
        with self._lock:
            self._refresh(conn, at)
            if unit in self._cities:
                return None
            rows = self._units.get(unit)
            if rows is not None:
                # One more flag for cases outside of every grid, row -1.
                mine = np.zeros((0 if self._index is None else len(self._index)) + 1, np.uint8)
                mine[rows] = 1
                flags = mine[self._grid_of]
                return Members(flags, int(flags.sum()))
        return self._inside(conn, "divisions", unit)

    def _refresh(self, conn: sa.Connection, at: datetime) -> None:
        stamp = self._workspace.stamp("grids", "divisions")
        if stamp != self._stamp:
            times = "SELECT valid_from FROM grids UNION SELECT valid_to FROM grids"
            found = [text for text in conn.exec_driver_sql(times).scalars() if text]
            self._breaks, self._stamp, self._key = sorted(found), stamp, None
        key = (stamp, int(np.searchsorted(self._breaks, gpkg.to_time_text(at), side="right")))
        if key != self._key:
            self._read_units(at)
            self._key, self._seq = key, None
        changes = self._workspace.changes_since(self._seq, conn=conn)
        if changes.fids is None:
            query = "SELECT fid, lon, lat FROM incidents WHERE lon IS NOT NULL"
            self._grid_of = np.zeros(0, dtype=np.int32)
            self._look_up(conn.exec_driver_sql(query).all(), ())
        else:
            for start in range(0, len(changes.fids), _ASK):
                some = changes.fids[start : start + _ASK]
                query = (
                    "SELECT fid, lon, lat FROM incidents WHERE lon IS NOT NULL AND fid IN"
                    f" ({', '.join('?' * len(some))})"
                )
                self._look_up(conn.exec_driver_sql(query, some).all(), some)
        self._seq = changes.seq

    def _look_up(self, found: Sequence[Any], asked: tuple[int, ...]) -> None:
        """Put cases into their grids; what was asked for and not found is in none."""
        table = np.array([tuple(row) for row in found], dtype=np.float64).reshape(-1, 3)
        numbers = table[:, 0].astype(np.int64)
        most = max((int(numbers.max(initial=0)), *asked))
        if most > len(self._grid_of):
            room = np.full(most - len(self._grid_of), -1, dtype=np.int32)
            self._grid_of = np.concatenate([self._grid_of, room])
        self._grid_of[np.array(asked, dtype=np.int64) - 1] = -1
        if self._index is not None:
            self._grid_of[numbers - 1] = self._index.assign(table[:, 1], table[:, 2])

    def _read_units(self, at: datetime) -> None:
        grids = self._workspace.grids(at=at)
        grids = grids[grids["kind"].isin(COVER_KINDS)]
        divisions = self._workspace.read("divisions", columns=["level", "name", "parent_code"])
        self._index = GridIndex(grids) if len(grids) else None
        units = {str(grid): np.array([row]) for row, grid in enumerate(grids.index)}
        community = grids["community_code"]
        for level in ("community", "street", "district", "city"):
            above = ancestors(divisions, level)
            code = above.reindex(community.to_numpy()).to_numpy(dtype=object)
            rows = pd.Series(np.arange(len(grids))).groupby(code).indices
            units |= {str(unit): found for unit, found in rows.items()}
        self._units = units
        cities = divisions.index[divisions["level"] == "city"]
        self._cities = frozenset(cities if len(cities) == 1 else ())

    def _inside(self, conn: sa.Connection, name: str, code: str) -> Members:
        """Cases in or on the border of a division or zone."""
        table = self._workspace.table(name)
        key = table.c.zone_id if name == "zones" else table.c.code
        blob = conn.execute(sa.select(table.c.geom).where(key == code)).scalar_one_or_none()
        if blob is None:
            return Members(np.zeros(0, np.uint8), 0)
        shape = gpkg.from_blobs([blob])[0]
        west, south, east, north = shape.bounds
        found = conn.exec_driver_sql(
            "SELECT fid, lon, lat FROM incidents WHERE fid IN"
            f" (SELECT id FROM {gpkg.index_name('incidents')}"
            " WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?)",
            (east, west, north, south),
        ).all()
        rows = np.array([tuple(row) for row in found], dtype=np.float64).reshape(-1, 3)
        shapely.prepare(shape)
        hits = rows[shapely.intersects_xy(shape, rows[:, 1], rows[:, 2]), 0].astype(np.int64)
        flags = np.zeros(int(hits.max(initial=0)), dtype=np.uint8)
        flags[hits - 1] = 1
        return Members(flags, len(hits))
