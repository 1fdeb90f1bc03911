"""What `wangge patrol` reads: fixes laid aside by day, streets, and who walks where.

Fixes go through the checks of the import gate, a piece at a time, and are laid aside in one file a
day (33 bytes a fix) in a folder that is thrown away, so that memory holds one day whatever the
length of the history. A file that names no workers is the track of one, called like the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from geo._fixes_tracks import micro_of, micros, to_times
from geo.datum import to_metric
from geo.errors import ColumnError, InputError
from geo.io import _gate_fixes, _gate_rows
from geo.io._gate_kinds import settle_roads
from geo.io._gate_points import City
from geo.io._gate_wishes import Wishes
from geo.io.assign import read_grid_file
from geo.io.fields import list_columns, recognise_fields, to_texts
from geo.io.gate_report import Ledger
from geo.io.read import read_sources
from geo.schema import STORAGE_CRS

_RECORD = np.dtype(
    [("who", "i4"), ("micro", "i8"), ("x", "f8"), ("y", "f8"), ("accuracy", "f4"), ("mock", "?")]
)
_PEEK_ROWS = 1000
_CLASS_TAGS = ("highway", "railway", "waterway")

Say = Callable[[str], None]


class FixDays:
    """Fixes in metres, laid aside by the day of the city's clock."""

    def __init__(self, folder: Path, zone: ZoneInfo, crs: pyproj.CRS) -> None:
        self._folder = folder
        self._zone = zone
        self._to_metres = pyproj.Transformer.from_crs(STORAGE_CRS, crs, always_xy=True)
        self._codes: dict[str, int] = {}
        self._counts: dict[date, int] = {}

    @property
    def days(self) -> list[date]:
        """The days that have a fix, in order."""
        return sorted(self._counts)

    @property
    def workers(self) -> pd.Index:
        """Workers who have a fix."""
        return pd.Index(list(self._codes), dtype=object)

    def add(self, draft: pd.DataFrame) -> int:
        """Lay aside checked rows: `worker_id`, `time`, `lon`, `lat`, `accuracy_m`, `mock`."""
        if not len(draft):
            return 0
        codes, names = pd.factorize(draft["worker_id"])
        number = [self._codes.setdefault(str(name), len(self._codes)) for name in names]
        rows = np.zeros(len(draft), dtype=_RECORD)
        rows["who"] = np.array(number, dtype=np.int32)[codes]
        rows["micro"] = micros(draft["time"])
        lon, lat = (draft[name].to_numpy(dtype=np.float64) for name in ("lon", "lat"))
        rows["x"], rows["y"] = self._to_metres.transform(lon, lat)
        rows["accuracy"] = np.nan
        if "accuracy_m" in draft:
            rows["accuracy"] = draft["accuracy_m"].to_numpy(dtype=np.float32, na_value=np.nan)
        if "mock" in draft:
            rows["mock"] = draft["mock"].fillna(False).to_numpy(dtype=np.bool_)
        local = draft["time"].dt.tz_convert(self._zone).dt.tz_localize(None).to_numpy()
        number_of_day = local.astype("datetime64[D]").astype(np.int64)
        for day in np.unique(number_of_day):
            mine = rows[number_of_day == day]
            when = date(1970, 1, 1) + timedelta(days=int(day))
            with self._file(when).open("ab") as file:
                file.write(mine.tobytes())
            self._counts[when] = self._counts.get(when, 0) + len(mine)
        return len(rows)

    def read(self, since: datetime, until: datetime) -> pd.DataFrame:
        """Fixes from `since` until before `until`, as `geo.fixes.clean_fixes` takes them."""
        first, last = (t.astimezone(self._zone).date() for t in (since, until))
        days = [first + timedelta(days=k) for k in range((last - first).days + 1)]
        parts = [np.fromfile(self._file(day), _RECORD) for day in days if day in self._counts]
        rows = np.concatenate([np.empty(0, _RECORD), *parts])
        rows = rows[(rows["micro"] >= micro_of(since)) & (rows["micro"] < micro_of(until))]
        return pd.DataFrame(
            {
                "worker_id": pd.Categorical.from_codes(rows["who"], categories=self.workers),
                "time": to_times(rows["micro"].copy()),
                "x": rows["x"].copy(),
                "y": rows["y"].copy(),
                "accuracy_m": rows["accuracy"].astype(np.float64),
                "mock": rows["mock"].copy(),
            }
        )

    def _file(self, day: date) -> Path:
        return self._folder / f"{day.isoformat()}.fixes"


def read_fixes(
    paths: Sequence[Path], days: FixDays, grids: gpd.GeoDataFrame, wishes: Wishes, say: Say
) -> tuple[Ledger, int, list[str]]:
    """Check files of fixes and lay them aside; the account, how many are good, and notes."""
    ledger = Ledger("fixes")
    city = City(grids.to_crs(STORAGE_CRS))
    notes: list[str] = []
    good = 0
    named = [path for path in paths if _names_workers(path, wishes)]
    jobs = [(named, wishes)] if named else []
    for path in paths:
        if path not in named:
            who = path.name.split(".")[0]
            notes.append(f"{path.name} names no workers: all of it is worker {who}")
            of_one = {**wishes.set_values, "worker_id": who}
            jobs.append(([path], _with_values(wishes, of_one)))
    for some, wish in jobs:
        for draft in _gate_fixes._check_pieces(some, city, wish, ledger, say):
            good += days.add(draft)
    if ledger.read == 0:
        raise InputError(f"{', '.join(path.name for path in paths[:20])}: no rows")
    return ledger, good, notes


def _with_values(wishes: Wishes, values: dict[str, str]) -> Wishes:
    return replace(wishes, set_values=values)


def _names_workers(path: Path, wishes: Wishes) -> bool:
    """Whether the file, or what the caller says, has a worker for each row."""
    if {"worker_id"} & {*wishes.mapping, *wishes.set_values}:
        return True
    source = next(read_sources(path, kind="fixes", layer=wishes.layer, chunk_rows=_PEEK_ROWS), None)
    return source is None or recognise_fields("fixes", source.frame).has("worker_id")


def read_metric_grids(
    path: Path, *, id_column: str | None, crs: str | None, layer: str | None
) -> tuple[gpd.GeoDataFrame, list[str]]:
    """Grids in metres, one row each, and what was decided."""
    cover, notes = read_grid_file(path, id_column=id_column, crs=crs, layer=layer)
    empty = shapely.is_missing(cover.geometry.to_numpy()) | cover.geometry.is_empty.to_numpy()
    if empty.any():
        raise InputError(f"{path.name}: grid {cover.index[empty][0]} has no shape")
    flat = ~np.isin(shapely.get_type_id(cover.geometry.to_numpy()), (3, 6))
    if flat.any():
        raise InputError(f"{path.name}: grid {cover.index[flat][0]} is no polygon: grids are")
    if not cover.index.is_unique:
        parts = cover.geometry.groupby(level=0, sort=False)
        whole = [shapely.multipolygons(shapely.get_parts(g.to_numpy())) for _, g in parts]
        cover = gpd.GeoDataFrame(
            geometry=whole, index=pd.Index([name for name, _ in parts], name="grid_id"),
            crs=cover.crs,
        )  # fmt: skip
    is_metric = cover.crs.is_projected and cover.crs.axis_info[0].unit_name in ("metre", "meter")
    return cover if is_metric else to_metric(cover), notes


def read_streets(path: Path, crs: pyproj.CRS, wishes: Wishes) -> tuple[gpd.GeoDataFrame, list[str]]:
    """Streets as lines with `road_class`, and what was decided."""
    ledger = Ledger("roads")
    notes: list[str] = []
    sources = list(read_sources(path, kind="roads", layer=wishes.layer))
    drafts = []
    for number, source in enumerate(sources):
        _gate_rows.require_readable(source)
        found = recognise_fields("roads", source.frame, mapping=wishes.mapping)
        wish = wishes
        if not found.has("road_class") and not set(_CLASS_TAGS) & set(source.frame.columns):
            notes.append(f"{source.name} has no class of road: every line is a street")
            wish = _with_values(wishes, {**wishes.set_values, "road_class": "minor"})
        drafts.append(_gate_rows.make_draft(source, number, wish, ledger))
    draft = settle_roads(pd.concat(drafts, ignore_index=True), sources, wish, ledger)
    draft = draft[(draft["_place"] == "").to_numpy()]
    shapes: npt.NDArray[np.object_] = draft["_shape"].to_numpy(dtype=object)
    lines = np.isin(shapely.get_type_id(shapes), (1, 5))
    if not lines.any():
        raise InputError(f"{path.name} has no lines that are roads: streets are lines")
    roads = gpd.GeoDataFrame(
        {"road_class": draft["road_class"].to_numpy()[lines]},
        geometry=list(shapes[lines]),
        crs=STORAGE_CRS,
    ).to_crs(crs)
    rows = sum(len(source.frame) for source in sources)
    rest = f", {rows - len(roads):,} rows are none" if rows > len(roads) else ""
    return roads, [*notes, f"{path.name}: {len(roads):,} roads{rest}"]


def read_posts(path: Path, grids: pd.Index) -> tuple[pd.Series, list[str]]:
    """`grid_id` by `worker_id` from a table of workers, and what was decided."""
    source = next(read_sources(path, kind="workers"), None)
    if source is None or not len(source.frame):
        raise InputError(f"{path.name} has no rows")
    found = recognise_fields("workers", source.frame)
    for name in ("worker_id", "unit_code"):
        if not found.has(name):
            raise ColumnError(
                f"{path.name} has no column {name}: it has {list_columns(source.frame)}"
            )
    table = pd.DataFrame(
        {name: to_texts(found.values(source.frame, name)) for name in ("worker_id", "unit_code")}
    ).dropna()
    table = table.drop_duplicates()
    twice = table["worker_id"].duplicated(keep=False)
    if twice.any():
        who = table.loc[twice, "worker_id"].iloc[0]
        units = ", ".join(table.loc[table["worker_id"] == who, "unit_code"])
        raise InputError(f"{path.name}: worker {who} has several units, {units}: give each one")
    posts = table.set_index("worker_id")["unit_code"].rename("grid_id")
    known = posts.isin(grids)
    notes = [f"{path.name}: {int(known.sum()):,} workers are posted to a grid"]
    if (~known).any():
        notes.append(
            f"{int((~known).sum()):,} workers have a unit that is none of the grids"
            f" ({posts[~known].iloc[0]}): they count in coverage only"
        )
    return posts[known], notes
