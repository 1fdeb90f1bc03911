"""The tree of units: grids in their versions, divisions above them, departments beside.

Public names are handed on by `geo.responsibility`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo._duty_tables import ALWAYS, NEVER, labels_of, micros_of, require_columns, texts
from geo._metres import require_degrees
from geo.locate import GridIndex

COVER_KINDS = ("base", "dedicated")
"""The kinds of grid that together cover the city once; a point is looked up in these."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit in one version: a grid, a division or a department."""

    code: str
    level: str
    name: str
    parent: str
    phone: str = ""
    begin: int = ALWAYS
    end: int = NEVER
    row: int = -1
    """Position in the table that it came from."""


class UnitTree:
    """Every unit by its code, the way up from it, and the unit of a point."""

    def __init__(
        self,
        divisions: pd.DataFrame,
        grids: pd.DataFrame,
        departments: pd.DataFrame | None,
    ) -> None:
        self._versions: dict[str, list[Unit]] = {}
        for unit in _read_divisions(divisions):
            self._versions.setdefault(unit.code, []).append(unit)
        roots = [u.code for v in self._versions.values() for u in v if u.level == "city"]
        root = roots[0] if len(roots) == 1 else ""
        self.departments = [] if departments is None else _read_departments(departments, root)
        for unit in (*self.departments, *_read_grids(grids)):
            self._versions.setdefault(unit.code, []).append(unit)
        for versions in self._versions.values():
            versions.sort(key=lambda unit: unit.begin)
        self._places = _Places(divisions, grids)

    def find(self, code: str, moment: int) -> Unit | None:
        """The version in force, else the last that had begun, else the first; None if unknown."""
        versions = self._versions.get(code)
        if versions is None:
            return None
        found = versions[0]
        for unit in versions:
            if unit.begin <= moment:
                found = unit
        return found

    def units(self, moment: int) -> list[Unit]:
        """Every unit in force at a moment."""
        return [
            unit
            for versions in self._versions.values()
            for unit in versions
            if unit.begin <= moment < unit.end
        ]

    def all_units(self) -> list[Unit]:
        """Every unit in every version."""
        return [unit for versions in self._versions.values() for unit in versions]

    def way_up(self, code: str, moment: int) -> list[Unit]:
        """The unit and those above it, from the bottom; a circle of parents ends it."""
        found: list[Unit] = []
        seen: set[str] = set()
        while code and code not in seen:
            seen.add(code)
            unit = self.find(code, moment)
            if unit is None:
                break
            found.append(unit)
            code = unit.parent
        return found

    def at_point(self, lon: float, lat: float, moment: int) -> str | None:
        """The code of the grid that has a point, else of the lowest division; None outside."""
        return self._places.find(lon, lat, moment)


class _Places:
    """Point to grid for each set of grids in force, made when first asked for."""

    def __init__(self, divisions: pd.DataFrame, grids: pd.DataFrame) -> None:
        self._begin = np.asarray(micros_of(grids, "valid_from", ALWAYS), dtype=np.int64)
        self._end = np.asarray(micros_of(grids, "valid_to", NEVER), dtype=np.int64)
        self._ids = labels_of(grids, "grid_id")
        self._breaks = np.unique(np.concatenate([self._begin, self._end]))
        self._lock = threading.Lock()
        self._made: dict[int, tuple[GridIndex, list[str]] | None] = {}
        shapes = np.full(len(grids), None, dtype=object)
        if isinstance(grids, gpd.GeoDataFrame):
            require_degrees(grids=grids)
            shapes = grids.geometry.to_numpy()
        kinds = texts(grids["kind"]) if "kind" in grids.columns else ["base"] * len(grids)
        covers = np.asarray([kind in ("", *COVER_KINDS) for kind in kinds], dtype=bool)
        self._shapes = shapes
        self._usable = covers & ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        self._codes, self._tree = _division_tree(divisions)

    def find(self, lon: float, lat: float, moment: int) -> str | None:
        made = self._index(moment)
        if made is not None:
            row = int(made[0].assign([lon], [lat])[0])
            if row >= 0:
                return made[1][row]
        if not (np.isfinite(lon) and np.isfinite(lat)):
            return None
        # On a shared border the lowest code, so that the answer does not depend on the order.
        hits = self._tree.query(shapely.Point(lon, lat), predicate="intersects")
        return min((self._codes[k] for k in hits), default=(0, ""))[1] or None

    def _index(self, moment: int) -> tuple[GridIndex, list[str]] | None:
        key = int(np.searchsorted(self._breaks, moment, side="right"))
        with self._lock:
            if key not in self._made:
                if len(self._made) >= MOST_VERSIONS:
                    self._made.pop(next(iter(self._made)))
                self._made[key] = self._build(moment)
            return self._made[key]

    def _build(self, moment: int) -> tuple[GridIndex, list[str]] | None:
        rows = np.flatnonzero(self._usable & (self._begin <= moment) & (moment < self._end))
        if not len(rows):
            return None
        ids = [self._ids[k] for k in rows]
        frame = gpd.GeoDataFrame(index=pd.Index(ids), geometry=self._shapes[rows])
        return GridIndex(frame), ids


MOST_VERSIONS = 4
"""Sets of boundaries whose point index is kept at once."""

_DEPTH = {"community": 0, "street": 1, "district": 2, "city": 3, "province": 4}


def _division_tree(
    divisions: pd.DataFrame,
) -> tuple[list[tuple[int, str]], shapely.STRtree]:
    """Sort keys (depth from the bottom, code) of divisions with a polygon, and their tree."""
    if not isinstance(divisions, gpd.GeoDataFrame):
        return [], shapely.STRtree([])
    require_degrees(divisions=divisions)
    shapes = divisions.geometry.to_numpy()
    rows = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    codes, levels = labels_of(divisions, "code"), texts(divisions["level"])
    keys = [(_DEPTH.get(levels[k], 9), codes[k]) for k in rows]
    return keys, shapely.STRtree(shapes[rows])


def _read_divisions(divisions: pd.DataFrame) -> list[Unit]:
    require_columns(divisions, "divisions", ("level", "name", "parent_code"))
    columns = zip(
        labels_of(divisions, "code"), texts(divisions["level"]), texts(divisions["name"]),
        texts(divisions["parent_code"]), strict=True,
    )  # fmt: skip
    return [
        Unit(code, level, name, parent, row=row)
        for row, (code, level, name, parent) in enumerate(columns)
    ]


def _read_grids(grids: pd.DataFrame) -> list[Unit]:
    require_columns(grids, "grids", ("community_code",))
    ids = labels_of(grids, "grid_id")
    names = texts(grids["name"]) if "name" in grids.columns else ids
    begin, end = micros_of(grids, "valid_from", ALWAYS), micros_of(grids, "valid_to", NEVER)
    columns = zip(ids, names, texts(grids["community_code"]), begin, end, strict=True)
    return [
        Unit(code, "grid", name or code, parent, begin=since, end=until, row=row)
        for row, (code, name, parent, since, until) in enumerate(columns)
    ]


def _read_departments(departments: pd.DataFrame, root: str) -> list[Unit]:
    require_columns(departments, "departments", ("name",))
    codes, names = labels_of(departments, "department_code"), texts(departments["name"])
    phones = texts(departments["phone"]) if "phone" in departments.columns else [""] * len(codes)
    return [
        Unit(code, "department", name, root, phone, row=row)
        for row, (code, name, phone) in enumerate(zip(codes, names, phones, strict=True))
    ]
