"""Write a table of a workspace to a file, in any datum, for people or for other programs.

A file appears whole or not at all: it is written beside and renamed. What a format cannot say is
said in a column: `crs` names a datum that has no code (a GeoPackage in GCJ-02 carries no CRS, so
that nobody reads it as WGS-84), `time_zone` the zone of local times in a spreadsheet. The import
gate reads both, so a table that goes out and comes in again is the same.

GeoJSON is WGS-84 by RFC 7946; other datums are refused there. Coordinates in degrees have 7
decimals in GeoJSON (a centimetre) and 9 in text (a tenth of a millimetre); they are rounded each
for itself, so that a vertex that two polygons share is still the same in both.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely

from geo.codes import headers as header_words
from geo.datum import SHIFTED, DatumWarning, datum_name, from_wgs84
from geo.errors import InputError, StoreError
from geo.io._export_sheet import require_short, split_shapes, to_local, write_xlsx
from geo.io.fields import guard_formulas
from geo.io.versions import version_start
from geo.io.workspace import Workspace
from geo.schema import IMPORT_KINDS, TABLES

Headers = Literal["columns", "zh", "en"]
Progress = Callable[[int], None]

FORMATS = (".gpkg", ".geojson", ".parquet", ".csv", ".xlsx")
_CONTINUED = re.compile(r"(wkt)( \d+)")
SHEET_ROWS = 1_048_575
"""Rows of a spreadsheet below the header."""


@dataclass(frozen=True)
class ExportReport:
    """What was written: rows, the file, and notes for the person who asked."""

    rows: int
    path: Path
    notes: tuple[str, ...] = field(default=())


def export_table(
    workspace: Workspace,
    kind: str,
    out: str | Path,
    *,
    target_crs: str = "wgs84",
    headers: Headers = "columns",
    at: datetime | None = None,
    all_versions: bool = False,
    version: int | None = None,
    shapes: bool = True,
    timezone: str = "Asia/Shanghai",
    progress: Progress | None = None,
) -> ExportReport:
    """Write one table to a file; the format is the file's ending.

    Parameters
    ----------
    workspace
        The city.
    kind
        One of `geo.schema.IMPORT_KINDS`.
    out
        File ending in .gpkg, .geojson, .parquet, .csv or .xlsx; one that is there is replaced.
    target_crs
        wgs84, gcj02, bd09, cgcs2000, EPSG:n or PROJ text.
    headers
        Names above the columns: ours, Chinese or English words (`geo.codes.headers`).
    at
        For grids: those in force at that moment; without it the newest, also if they begin later.
    all_versions
        For grids: every version that there ever was.
    version
        For grids: all that were in force when that boundary version began.
    shapes
        False leaves shapes out (a border may be too long for a spreadsheet cell).
    timezone
        Zone of the times in a spreadsheet; in other formats times carry their zone.
    progress
        Called with the number of rows written so far.

    Raises
    ------
    InputError
        For an unknown kind or ending, a datum that the format cannot carry, or what does not
        fit a spreadsheet.
    """
    path = Path(out)
    if not shapes and path.suffix.lower() == ".geojson":
        raise InputError("GeoJSON without shapes is no map: use .csv, .xlsx or .parquet")
    if kind not in IMPORT_KINDS:
        raise InputError(f"no table {kind!r}: export one of {', '.join(IMPORT_KINDS)}")
    if (at is not None or all_versions or version is not None) and kind != "grids":
        raise InputError(
            f"{kind} have no versions: use --at, --version and --all-versions with grids only"
        )
    if (at is not None) + all_versions + (version is not None) > 1:
        raise InputError("--at, --version and --all-versions exclude each other: choose one")
    if version is not None:
        at = version_start(workspace, version)
    _require_writable(path, target_crs, workspace)
    ending = path.suffix.lower()
    if kind == "fixes" and ending in (".csv", ".parquet"):
        chunks = _fixes_by_day(workspace)
    else:
        chunks = iter([_read(workspace, kind, at, all_versions)])
    writer = _Writer(kind, target_crs, headers, shapes, timezone)
    return _write_file(chunks, path, writer, progress)


def export_grids(
    workspace: Workspace,
    grids: gpd.GeoDataFrame,
    out: str | Path,
    *,
    target_crs: str = "wgs84",
    headers: Headers = "columns",
    shapes: bool = True,
    timezone: str = "Asia/Shanghai",
) -> ExportReport:
    """Write grids that are not (yet) in the workspace, such as those of a draft, as its table.

    `grids` is indexed by `grid_id` and has the columns of the table, in EPSG:4326; the rest is as
    for `export_table`.
    """
    path = Path(out)
    if not shapes and path.suffix.lower() == ".geojson":
        raise InputError("GeoJSON without shapes is no map: use .csv, .xlsx or .parquet")
    _require_writable(path, target_crs, workspace)
    writer = _Writer("grids", target_crs, headers, shapes, timezone)
    return _write_file(iter([grids]), path, writer, None)


def _write_file(
    chunks: Iterator[pd.DataFrame], path: Path, writer: _Writer, progress: Progress | None
) -> ExportReport:
    ending = path.suffix.lower()
    rows = 0
    with _atomic(path) as draft, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DatumWarning)
        for chunk in chunks:
            writer.write(chunk, draft, ending)
            rows += len(chunk)
            if progress is not None:
                progress(rows)
        writer.close()
    said = [str(w.message) for w in caught if issubclass(w.category, DatumWarning)]
    for other in caught:
        if not issubclass(other.category, DatumWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return ExportReport(rows, path, tuple(dict.fromkeys([*writer.notes, *said])))


def _require_writable(path: Path, target_crs: str, workspace: Workspace) -> None:
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise InputError(f"{path} ends in {ending or 'nothing'}: use one of {', '.join(FORMATS)}")
    name = datum_name(target_crs)
    if ending == ".geojson" and name != "wgs84":
        raise InputError(
            f"GeoJSON is in WGS-84 (RFC 7946), not {target_crs}: use .gpkg, .parquet, .csv or .xlsx"
        )
    if path.resolve() == workspace.file.resolve():
        raise InputError(f"{path} is the workspace itself: name another file")
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    if not path.resolve().parent.is_dir():
        raise InputError(f"there is no folder {path.resolve().parent}: make it first")


def _read(workspace: Workspace, kind: str, at: datetime | None, all_versions: bool) -> pd.DataFrame:
    if kind == "grids" and not all_versions:
        return workspace.grids(at=at)
    if kind == "fixes":
        return workspace.read_fixes()
    return workspace.read(kind)


def _fixes_by_day(workspace: Workspace) -> Iterator[pd.DataFrame]:
    """Fixes in pieces of one day of UTC, so that years of history do not fill the memory."""
    days = workspace.days_of_fixes()
    edges: list[datetime | None] = [None]
    if days:
        first, last = days[0], days[-1] + timedelta(days=1)
        count = (last - first).days
        midnights = (first + timedelta(days=n) for n in range(1, count + 1))
        edges += [datetime.combine(d, time(), ZoneInfo("UTC")) for d in midnights]
    for since, until in zip(edges, [*edges[1:], None], strict=True):
        yield workspace.read_fixes(since=since, until=until)


class _Writer:
    """Writes frames of one table one after the other into one file."""

    def __init__(
        self, kind: str, target_crs: str, headers: Headers, shapes: bool, timezone: str
    ) -> None:
        self.table = TABLES[kind]
        self.target = target_crs
        self.datum = datum_name(target_crs)
        self.words = {} if headers == "columns" else header_words(headers)
        self.shapes = shapes
        self.timezone = timezone
        self.notes: list[str] = []
        self._parquet: pq.ParquetWriter | None = None
        self._begun = False

    def write(self, chunk: pd.DataFrame, draft: Path, ending: str) -> None:
        frame = chunk.reset_index() if chunk.index.name in self.table.names else chunk
        frame = self._in_target(frame)
        if ending == ".geojson":
            _write_geojson(frame, draft, self.words)
        elif ending in (".gpkg", ".parquet"):
            self._write_layer(frame, draft, ending)
        elif ending == ".csv":
            self._write_csv(self._flat(frame), draft)
        else:
            self._write_sheet(self._flat(frame), draft)
        self._begun = True

    def _word(self, name: str) -> str:
        """The heading of a column; further columns of a long shape keep their number."""
        continued = _CONTINUED.fullmatch(name)
        bare, number = continued.groups() if continued else (name, "")
        return self.words.get(bare, bare) + number

    def close(self) -> None:
        if self._parquet is not None:
            self._parquet.close()

    def _in_target(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame in the CRS asked for; columns with degrees follow the shapes."""
        names = list(self.table.names)
        if self.table.name == "fixes":
            frame = _typed_fixes(frame.reindex(columns=names))
            places = gpd.GeoSeries.from_xy(frame["lon"], frame["lat"], crs="EPSG:4326")
            frame = gpd.GeoDataFrame(frame, geometry=places)
        if not isinstance(frame, gpd.GeoDataFrame):
            return frame[names]
        frame = frame[[*names, frame.geometry.name]]
        if frame.geometry.name != "geometry":
            frame = frame.rename_geometry("geometry")
        moved = from_wgs84(frame, self.target)
        if self.datum != "wgs84":
            shapes = _round(moved.geometry.to_numpy(), 9 if self._degrees else 4)
            moved = moved.set_geometry(gpd.GeoSeries(shapes, index=moved.index, crs=moved.crs))
        if "lon" in moved.columns:
            moved = self._replace_degrees(moved)
        if self.datum in SHIFTED:
            moved["crs"] = self.datum
            self.notes.append(
                f"coordinates are {self.datum}; the file says so in its column crs, import it with "
                f"--source-crs {self.datum}"
            )
        return moved

    @property
    def _degrees(self) -> bool:
        return self.datum == "wgs84" or self.datum in SHIFTED

    def _replace_degrees(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Columns lon and lat of incidents and fixes, from the shapes."""
        shapes = frame.geometry.to_numpy()
        if self.datum != "wgs84":
            frame["lon"], frame["lat"] = shapely.get_x(shapes), shapely.get_y(shapes)
        if not self._degrees:
            frame = frame.rename(columns={"lon": "x", "lat": "y"})
        return frame

    def _flat(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Shapes as columns: lon and lat (x and y in metres) for points, else WKT."""
        if not isinstance(frame, gpd.GeoDataFrame):
            return frame
        shapes = frame.geometry.to_numpy()
        flat = pd.DataFrame(frame.drop(columns="geometry"))
        decimals = 9 if self._degrees else 4
        x, y = ("lon", "lat") if self._degrees else ("x", "y")
        if self.shapes and x not in flat.columns:
            kinds = shapely.get_type_id(shapes)
            if np.isin(kinds, (0, -1)).all() and self.table.shape in ("Point", "Geometry"):
                flat[x] = np.round(shapely.get_x(shapes), decimals)
                flat[y] = np.round(shapely.get_y(shapes), decimals)
            else:
                text = shapely.to_wkt(shapes, rounding_precision=decimals, trim=True)
                flat["wkt"] = pd.Series(text, index=flat.index, dtype="str")
        if self.datum != "wgs84" and "crs" not in flat.columns:
            flat["crs"] = self.target
        return flat

    def _write_layer(self, frame: pd.DataFrame, draft: Path, ending: str) -> None:
        if self.table.name == "fixes" and ending == ".parquet":
            self._append_parquet(pd.DataFrame(frame.drop(columns="geometry")), draft)
            return
        if isinstance(frame, gpd.GeoDataFrame) and not self.shapes:
            frame = pd.DataFrame(frame.drop(columns="geometry"))
        named = frame.rename(columns=self.words)
        if ending == ".gpkg":
            with warnings.catch_warnings():
                # Without a CRS on purpose: GCJ-02 and BD-09 have no code.
                warnings.filterwarnings("ignore", message="'crs' was not provided")
                pyogrio.write_dataframe(named, draft, layer=self.table.name, driver="GPKG")
        elif isinstance(named, gpd.GeoDataFrame):
            named.to_parquet(draft, index=False, write_covering_bbox=True)
        else:
            named.to_parquet(draft, index=False)

    def _append_parquet(self, frame: pd.DataFrame, draft: Path) -> None:
        arrow = pa.Table.from_pandas(frame.rename(columns=self.words), preserve_index=False)
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(draft, arrow.schema, compression="zstd")
        self._parquet.write_table(arrow.cast(self._parquet.schema))

    def _write_csv(self, frame: pd.DataFrame, draft: Path) -> None:
        out = frame.copy()
        for name in out.columns:
            if isinstance(out[name].dtype, pd.DatetimeTZDtype):
                out[name] = _iso(out[name])
            elif pd.api.types.is_string_dtype(out[name].dtype):
                out[name] = guard_formulas(out[name])
        out = out.rename(columns=self.words)
        # The mark at the start lets spreadsheets read Chinese.
        mode, encoding = ("a", "utf-8") if self._begun else ("w", "utf-8-sig")
        out.to_csv(draft, index=False, mode=mode, header=not self._begun, encoding=encoding)

    def _write_sheet(self, frame: pd.DataFrame, draft: Path) -> None:
        if len(frame) > SHEET_ROWS:
            raise InputError(
                f"{len(frame):,} rows do not fit a spreadsheet of {SHEET_ROWS:,}: use .csv or .gpkg"
            )
        frame, wide = split_shapes(frame)
        if wide > 1:
            self.notes.append(
                f"borders longer than a cell go on in up to {wide - 1} columns beside;"
                " wangge import joins them again"
            )
        require_short(frame, self.table.id)
        local, zone = to_local(frame, self.timezone)
        if zone is not None:
            local["time_zone"] = zone
            if zone != self.timezone:
                self.notes.append(
                    f"times are in UTC: an hour of {self.timezone} occurs twice in the data"
                )
        write_xlsx(local.rename(columns=self._word), draft, self.table.name)


def _write_geojson(frame: pd.DataFrame, draft: Path, words: dict[str, str]) -> None:
    """A FeatureCollection by RFC 7946: outer rings counter-clockwise, 7 decimals, no crs."""
    plain = pd.DataFrame(frame.drop(columns="geometry", errors="ignore"))
    ids = plain.iloc[:, 0]
    for name in plain.columns:
        if isinstance(plain[name].dtype, pd.DatetimeTZDtype):
            plain[name] = _iso(plain[name])
    values = [
        [None if pd.isna(v) else v.item() if hasattr(v, "item") else v for v in plain[name]]
        for name in plain.columns
    ]
    names = [words.get(str(name), str(name)) for name in plain.columns]
    shapes: list[str | None] = ["null"] * len(plain)
    if isinstance(frame, gpd.GeoDataFrame):
        rounded = shapely.orient_polygons(_round(frame.geometry.to_numpy(), 7), exterior_cw=False)
        shapes = [text or "null" for text in shapely.to_geojson(rounded)]
    with draft.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for row, shape in enumerate(shapes):
            properties = {name: column[row] for name, column in zip(names, values, strict=True)}
            file.write(
                ("," if row else "")
                + '\n{"type": "Feature", "id": '
                + json.dumps(str(ids.iloc[row]), ensure_ascii=False)
                + ', "properties": '
                + json.dumps(properties, ensure_ascii=False, allow_nan=False)
                + f', "geometry": {shape}}}'
            )
        file.write("\n]}\n")


def _round(shapes: Any, decimals: int) -> Any:
    """Coordinates rounded each for itself; vertices that fall together become one."""
    rounded = shapely.transform(shapes, lambda p: np.round(p, decimals))
    thinner = shapely.remove_repeated_points(rounded, 0.0)
    # A polygon too small for the decimals keeps all that it has.
    spoilt = shapely.is_valid(shapes) & ~shapely.is_valid(thinner)
    return np.where(spoilt, shapes, thinner)


def _typed_fixes(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of fixes in their types, which hot and sealed parts together may have lost."""
    kinds = {"text": "str", "real": "float64", "bool": "boolean"}
    known = {c.name: kinds[c.kind] for c in TABLES["fixes"].columns if c.kind in kinds}
    times = pd.to_datetime(frame["time"], utc=True).astype("datetime64[ms, UTC]")
    return frame.astype(known).assign(time=times)


def _iso(values: pd.Series) -> pd.Series:
    """Times as ISO 8601 in UTC, with milliseconds only where there are any."""
    utc = values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ms]")
    text = pd.Series(np.datetime_as_string(utc, unit="ms"), index=values.index, dtype="str")
    return (text.str.removesuffix(".000") + "Z").where(values.notna())


@contextmanager
def _atomic(path: Path) -> Iterator[Path]:
    """A draft beside the file that takes its place once it is whole."""
    path = path.resolve()
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        try:
            yield draft
            os.replace(draft, path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
