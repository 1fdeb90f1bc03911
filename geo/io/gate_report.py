"""What an import did: every row accounted for, every assumption named.

`read = accepted + rejected`, always, counted in rows of the files. Rows that are parts of one
feature are accepted and joined, so `stored` (features in the workspace) is smaller by `joined`.
A repaired row is an accepted one; a warning is about an accepted one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import shapely
from geopandas import GeoDataFrame

from geo.errors import InputError
from geo.schema import STORAGE_CRS

PROBLEM_COLUMNS = ("file", "row", "id", "reason", "detail", "severity")
CLASS_COLUMNS = ("category", "class_code", "sure", "rows")
_REPAIR_COLUMNS = ("repair", "rows", "area_m2", "detail")


@dataclass(frozen=True)
class ImportReport:
    """The account of one import.

    `repaired` has one row a repair: repair, rows, area_m2 (missing where it is none of area),
    detail. `rejected` has one row a rejected row: file, row, id, reason, detail. `problems` holds
    rejected rows and warnings with their places (EPSG:4326; missing where there is no place).
    `classes` tells what became of categories of other systems: category, class_code (empty: none of
    ours, missing: unknown), sure, rows. `refused` names the hard rule that kept the whole import
    out, empty if none.
    """

    kind: str
    files: tuple[str, ...]
    read: int
    accepted: int
    stored: int
    joined: int
    repaired: pd.DataFrame
    rejected: pd.DataFrame
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    problems: GeoDataFrame
    fields: pd.DataFrame
    unused: Mapping[str, tuple[str, ...]]
    crs: tuple[str, ...]
    timezone: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    classes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CLASS_COLUMNS))
    refused: str = ""
    dry_run: bool = False

    @property
    def is_good(self) -> bool:
        """Whether at least one row came in and no hard rule was broken."""
        return not self.refused and self.accepted > 0


class Ledger:
    """Collects what happens to the rows on their way through the gate."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.read = 0
        self.joined = 0
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.crs: list[str] = []
        self.zone = ""
        self.fields: list[tuple[str, str, str]] = []
        self.unused: dict[str, tuple[str, ...]] = {}
        self.facts: dict[str, Any] = {}
        self.classes = pd.DataFrame(columns=list(CLASS_COLUMNS))
        self.closing: tuple[list[Any], datetime] | None = None
        """Grids that end, and when."""
        self.defaults: set[str] = set()
        """Fields that no file had: an update leaves them as they are."""
        self._repairs: dict[str, list[Any]] = {}
        self._rejected: list[pd.DataFrame] = []
        self._warned: list[pd.DataFrame] = []

    def note(self, text: str) -> None:
        """Name something that was decided or assumed, once."""
        if text and text not in self.notes:
            self.notes.append(text)

    def warn(self, text: str) -> None:
        """Say something that a person should look at, once."""
        if text and text not in self.warnings:
            self.warnings.append(text)

    def repair(
        self, name: str, rows: int, *, area_m2: float | None = None, detail: str = ""
    ) -> None:
        """Count a repair; the same one adds up."""
        if rows == 0:
            return
        entry = self._repairs.setdefault(name, [0, None, detail])
        entry[0] += rows
        if area_m2 is not None:
            entry[1] = (entry[1] or 0.0) + area_m2
        entry[2] = detail or entry[2]

    def reject(
        self,
        draft: pd.DataFrame,
        mask: npt.NDArray[np.bool_] | pd.Series,
        reason: str,
        detail: Any = "",
    ) -> pd.DataFrame:
        """Take rows out, with a reason; returns the rest. `detail` is one text or one a row."""
        hit = np.asarray(mask, dtype=bool)
        if not hit.any():
            return draft
        self._rejected.append(self._listed(draft, hit, reason, detail, "error"))
        return draft[~hit]

    def reject_bad(self, file: str, bad: pd.DataFrame) -> None:
        """Enter rows that could not even be read."""
        if len(bad):
            listed = bad.assign(file=file, id=None, severity="error", geometry=None)
            self._rejected.append(listed[[*PROBLEM_COLUMNS, "geometry"]])

    def point_out(
        self,
        draft: pd.DataFrame,
        mask: npt.NDArray[np.bool_] | pd.Series,
        reason: str,
        detail: Any = "",
    ) -> int:
        """List accepted rows among the problems as warnings; returns how many."""
        hit = np.asarray(mask, dtype=bool)
        if hit.any():
            self._warned.append(self._listed(draft, hit, reason, detail, "warning"))
        return int(hit.sum())

    def point_out_places(
        self, reason: str, shapes: Sequence[Any], detail: Sequence[str], severity: str
    ) -> None:
        """List places that belong to no single row, say a gap between two grids."""
        count = len(shapes)
        data = {"file": "", "row": pd.NA, "id": None, "reason": reason, "detail": list(detail)}
        listed = pd.DataFrame({**data, "severity": severity}, index=range(count))
        listed["geometry"] = np.asarray(shapes, dtype=object)
        self._warned.append(listed)

    def _listed(
        self, draft: pd.DataFrame, hit: npt.NDArray[np.bool_], reason: str, detail: Any, word: str
    ) -> pd.DataFrame:
        rows = draft[hit]
        each = detail
        if isinstance(detail, (pd.Series, np.ndarray)):
            each = np.asarray(detail, dtype=object)
            each = each[hit] if len(each) == len(hit) else each
            each = [("" if pd.isna(v) else str(v)) for v in each]
        listed = pd.DataFrame(
            {
                "file": rows["_file"].to_numpy(),
                "row": rows["_row"].to_numpy(),
                "id": rows["_id"].to_numpy() if "_id" in rows else None,
                "reason": reason,
                "detail": each,
                "severity": word,
            }
        )
        listed["geometry"] = places_of(rows)
        return listed

    @property
    def rejected_count(self) -> int:
        """Rows rejected so far."""
        return sum(map(len, self._rejected))

    def finish(
        self, files: Sequence[str], accepted: int, *, refused: str = "", dry_run: bool = False
    ) -> ImportReport:
        """The report.

        Raises
        ------
        AssertionError
            If a row was lost on the way; a fault of ours, never of the data.
        """
        rejected = _stack(self._rejected)
        lost = self.read - accepted - len(rejected)
        assert lost == 0, f"{lost} of {self.read} rows are unaccounted for"
        problems = _stack([*self._rejected, *self._warned])
        repaired = pd.DataFrame(
            [(name, *entry) for name, entry in self._repairs.items()], columns=_REPAIR_COLUMNS
        )
        return ImportReport(
            kind=self.kind,
            files=tuple(files),
            read=self.read,
            accepted=accepted,
            stored=accepted - self.joined if not refused else 0,
            joined=self.joined,
            repaired=repaired,
            rejected=rejected[["file", "row", "id", "reason", "detail"]],
            warnings=tuple(self.warnings),
            notes=tuple(self.notes),
            problems=GeoDataFrame(problems, geometry="geometry", crs=STORAGE_CRS),
            fields=pd.DataFrame(self.fields, columns=["file", "field", "column"]),
            unused=dict(self.unused),
            crs=tuple(dict.fromkeys(self.crs)),
            timezone=self.zone,
            facts=dict(self.facts),
            classes=self.classes,
            refused=refused,
            dry_run=dry_run,
        )


def places_of(rows: pd.DataFrame) -> npt.NDArray[Any]:
    """The shape of each row of a draft, or the point of its lon and lat; None without a place."""
    out = np.full(len(rows), None, dtype=object)
    if "_shape" in rows:
        out[:] = rows["_shape"].to_numpy(dtype=object)
    if "lon" in rows and "lat" in rows:
        lon, lat = (rows[c].to_numpy(dtype="float64", na_value=np.nan) for c in ("lon", "lat"))
        free = shapely.is_missing(out) & np.isfinite(lon) & np.isfinite(lat)
        free &= (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
        if free.any():
            out[free] = shapely.points(lon[free], lat[free])
    return out


def _stack(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = [*PROBLEM_COLUMNS, "geometry"]
    if not parts:
        return pd.DataFrame(columns=columns).astype({"row": "Int64"})
    same = [p[columns].astype({"row": "Int64", "id": "str", "file": "str"}) for p in parts]
    return pd.concat(same, ignore_index=True)


def write_problems(report: ImportReport, path: str | Path) -> dict[str, int]:
    """Write rejected rows and warnings to a GeoPackage, a layer a kind of place.

    Layers `points`, `lines`, `areas` and `rows` (those without a place); one that would be empty
    is left out. A file of that name is replaced.

    Returns
    -------
    dict
        Number of rows of each layer written.

    Raises
    ------
    InputError
        If the file cannot be written, or its name does not end in .gpkg.
    """
    path = Path(path)
    if path.suffix.lower() != ".gpkg":
        raise InputError(f"{path} does not end in .gpkg: problems are written as a GeoPackage")
    problems = report.problems
    shapes = problems.geometry.to_numpy()
    dimension = np.where(shapely.is_missing(shapes), -1, shapely.get_dimensions(shapes))
    layers = {"points": 0, "lines": 1, "areas": 2, "rows": -1}
    counts: dict[str, int] = {}
    try:
        path.unlink(missing_ok=True)
        for name, wanted in layers.items():
            part = problems[dimension == wanted]
            if wanted >= 0 and len(part):
                multi = gpd.GeoDataFrame(part, geometry=_as_multi(part.geometry), crs=STORAGE_CRS)
                pyogrio.write_dataframe(multi, path, layer=name, append=bool(counts))
            elif len(part) or (name == "rows" and not counts):
                flat = pd.DataFrame(part.drop(columns="geometry"))
                pyogrio.write_dataframe(flat, path, layer=name, append=bool(counts))
            if len(part):
                counts[name] = len(part)
    except (OSError, pyogrio.errors.DataSourceError) as error:
        raise InputError(f"cannot write {path}: {error}") from error
    return counts


def _as_multi(shapes: gpd.GeoSeries) -> npt.NDArray[Any]:
    """Multi parts for lines and polygons, single points, so that a layer has one type."""
    array = shapes.to_numpy()
    out = np.array(array, dtype=object)
    for single, make in (
        (1, shapely.multilinestrings),
        (3, shapely.multipolygons),
    ):
        at = np.flatnonzero(shapely.get_type_id(array) == single)
        if len(at):
            out[at] = make(array[at], indices=np.arange(len(at)))
    return out


def count_of(count: int, word: str) -> str:
    """`1 gap`, `2 gaps`."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def list_words(counts: pd.Series, most: int = 8) -> str:
    """`red (12), blue (3) and 4 more`: words with their counts, the first of them."""
    listed = [f"{word} ({n:,})" for word, n in counts.head(most).items()]
    return ", ".join(listed) + (f" and {len(counts) - most} more" if len(counts) > most else "")


def to_json(report: ImportReport) -> dict[str, Any]:
    """The report as plain values, without the single rows' shapes."""
    by_reason = report.rejected["reason"].value_counts(sort=False)
    return {
        "kind": report.kind,
        "files": list(report.files),
        "read": report.read,
        "accepted": report.accepted,
        "rejected": len(report.rejected),
        "stored": report.stored,
        "joined": report.joined,
        "rejected_by_reason": {str(k): int(v) for k, v in by_reason.items()},
        "repaired": [
            {"repair": n, "rows": int(r), "area_m2": None if pd.isna(a) else float(a), "detail": d}
            for n, r, a, d in report.repaired.itertuples(index=False)
        ],
        "rejected_rows": [
            {"file": f, "row": int(r), "id": None if pd.isna(i) else i, "reason": w, "detail": d}
            for f, r, i, w, d in report.rejected.itertuples(index=False)
        ],
        "warnings": list(report.warnings),
        "notes": list(report.notes),
        "fields": report.fields.to_dict("records"),
        "unused": {k: list(v) for k, v in report.unused.items()},
        "crs": list(report.crs),
        "timezone": report.timezone,
        "facts": dict(report.facts),
        "classes": [
            {"category": c, "class_code": None if pd.isna(k) else k, "rows": int(r)}
            for c, k, r in report.classes[["category", "class_code", "rows"]].itertuples(
                index=False
            )
        ],
        "refused": report.refused,
        "dry_run": report.dry_run,
    }
