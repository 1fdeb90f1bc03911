"""Divide the units of a file into grids, and write the plan and what is known about it.

Units come with an id, a load and a community; columns go by our names or by those that the import
gate knows. A file whose units are no true metres on the ground (degrees, feet, web Mercator) is
turned into the metric CRS of its place before all measuring.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import geopandas as gpd
import pandas as pd
import pyproj
import shapely

from geo.datum import SHIFTED, datum_name, to_metric
from geo.divide import Division, Progress, SearchProcess, divide, weigh_units
from geo.errors import ColumnError, CrsError, InputError
from geo.io.fields import list_columns, match_words, names_of, normalise_name, to_texts
from geo.io.read import Source, read_sources
from geo.schema import ROAD_CLASSES, STORAGE_CRS

_FIELDS = {
    "unit_id": ("block_id", ("unit_id", "id")),
    "households": ("households", ("households",)),
    "community": ("community_code", ("community",)),
}
"""Field of ours, the gate's field, further names."""

APART_UNITS = 4_000
"""From so many units on the search has a process of its own: tables and compiled search together
would hold more than 300 MB. Fewer are searched beside their tables, which is sooner begun."""


def divide_file(
    units: str | Path,
    out: str | Path,
    band: tuple[float, float],
    *,
    roads: str | Path | None = None,
    previous: str | Path | None = None,
    report: str | Path | None = None,
    layer: str | None = None,
    columns: Mapping[str, str] | None = None,
    weights: Mapping[str, float] | None = None,
    bands: Mapping[str, tuple[float, float]] | None = None,
    locked: Collection[str] = (),
    barriers: tuple[str, ...] = ("river", "rail"),
    effort: str = "full",
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
    stop: Event | None = None,
    ready: Callable[[], None] = lambda: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Division:
    """Divide a file of units; writes `unit_id, grid` to `out`, and the report as JSON.

    Parameters
    ----------
    units, roads
        Any format that the import gate reads; roads need `road_class` in words that it knows.
    out, previous
        CSV with `unit_id` and `grid`.
    layer
        Of `units`, where the file has several.
    columns
        Names of the columns for `unit_id`, `households`, `community`; else found by their names.
    weights
        Columns and their weights, in place of households (see `geo.divide.weigh_units`).
    ready
        Called when all files are read and can be used, before the search.
    tell
        Called with a sentence for what should be known and is no error.

    All others as for `geo.divide.divide`.

    Raises
    ------
    InputError, ColumnError, CrsError
        If a file or column cannot be used; the message says where and what to do.
    CoverError
        If units overlap.
    """
    out, units = Path(out), Path(units)
    if out.suffix.lower() != ".csv":
        raise InputError(f"{out} ends in {out.suffix or 'nothing'}: a plan is written as .csv")
    frame = read_units(units, layer=layer, columns=columns or {}, needs_load=not weights)
    if weights:
        frame["load"] = weigh_units(frame, weights)
    with ExitStack() as stack:
        apart = None
        if len(frame) >= APART_UNITS:
            apart = stack.enter_context(SearchProcess())
        lines = None if roads is None else read_roads(Path(roads), frame, tell)
        before = None if previous is None else read_plan(Path(previous))
        ready()
        division = divide(
            frame, band, roads=lines, previous=before, bands=bands, locked=locked,
            barriers=barriers, load="load" if weights else "households", effort=effort, seed=seed,
            threads=threads, progress=progress, stop=stop, apart=apart,
        )  # fmt: skip
    if lines is not None:
        for sentence in doubt_barriers(division.along_m, lines, frame, barriers):
            tell(sentence)
    write_plan(out, division.plan)
    if report is not None:
        text = json.dumps(describe_division(division, band), ensure_ascii=False, indent=2)
        Path(report).write_text(text + "\n", encoding="utf-8")
    return division


def read_units(
    path: Path, *, columns: Mapping[str, str], layer: str | None = None, needs_load: bool = True
) -> gpd.GeoDataFrame:
    """Read units in metres, indexed by `unit_id`, with `households` and `community`."""
    source = _source(path, "blocks", layer)
    frame = source.frame.copy()
    names = {field: _column(frame, field, columns.get(field), path) for field in _FIELDS}
    missing = [
        field for field in _FIELDS if names[field] is None and (needs_load or field != "households")
    ]
    if missing:
        options = ", ".join(f"--{field.replace('_', '-')}" for field in missing)
        raise ColumnError(
            f"{path.name} has no column {', '.join(missing)}: name it with {options}; it has"
            f" {list_columns(frame, most=200)}"
        )
    out = gpd.GeoDataFrame(frame, geometry=list(source.shapes), crs=_crs(source, path))  # type: ignore[arg-type]
    ids = to_texts(frame[names["unit_id"]])
    if ids.isna().any():
        row = int(source.rows[ids.isna().to_numpy()][0])
        raise InputError(f"{path.name} row {row} has no {names['unit_id']}: give every unit an id")
    out["community"] = to_texts(frame[names["community"]])
    if names["households"] is not None:
        out["households"] = pd.to_numeric(frame[names["households"]], errors="coerce")
    out.index = pd.Index(ids, name="unit_id")
    return out if _has_true_metres(out) else to_metric(out)


def read_roads(
    path: Path, units: gpd.GeoDataFrame, tell: Callable[[str], None] = lambda _: None
) -> gpd.GeoDataFrame:
    """Read roads in the CRS of the units, with `road_class` as `geo.schema.ROAD_CLASSES`.

    `tell` hears of words that are no class known here: such lines count as minor.

    Raises
    ------
    ColumnError
        If there is no column for the class.
    InputError
        If no word in it is a class: a river would be crossed unseen.
    """
    source = _source(path, "roads")
    known = {normalise_name(str(column)): str(column) for column in reversed(source.frame.columns)}
    column = next((known[n] for n in names_of("roads", "road_class") if n in known), None)
    if column is None:
        raise ColumnError(
            f"{path.name} has no column road_class: it has {list_columns(source.frame, most=200)}"
        )
    classes, unknown = match_words("road_class", source.frame[column])
    if len(unknown):
        words = ", ".join(f"{word} ({count:,})" for word, count in unknown.head(5).items())
        if classes.isna().all():
            raise InputError(
                f"{path.name}: no {column} is a class that is known ({words}): use"
                f" {', '.join(ROAD_CLASSES)}"
            )
        tell(f"{path.name}: {column} {words} is no class that is known: taken as minor")
    roads = gpd.GeoDataFrame(
        {"road_class": classes.fillna("minor")},
        geometry=list(source.shapes),  # type: ignore[arg-type]
        crs=_crs(source, path),
    )
    return roads.to_crs(units.crs)


def doubt_barriers(
    along_m: Mapping[str, float],
    roads: gpd.GeoDataFrame,
    units: gpd.GeoDataFrame,
    barriers: Collection[str],
) -> list[str]:
    """A sentence for each class of barrier that hardly runs along borders of units.

    Only lines along borders hold units apart (within 1 cm, `geo._divide_graph`); a line through
    blocks or beside their borders does not, and nobody would see that in the plan. Less than half
    of a barrier's length inside the units' box is told; our assumption.
    """
    box = units.total_bounds
    out = []
    for name in barriers:
        mine = roads.geometry[roads["road_class"].eq(name)].to_numpy()
        length = float(shapely.length(shapely.clip_by_rect(mine, *box)).sum())
        held = along_m.get(name, 0.0)
        if held < length / 2:
            out.append(
                f"{name}: {held / 1000:,.1f} of {length / 1000:,.1f} km lie on borders of units;"
                " beside them a grid may cross it: cut the units along the line first"
            )
    return out


def read_plan(path: Path) -> pd.Series:
    """Read `grid` by `unit_id` from a CSV; units with an empty grid are left out."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path} is not there") from None
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error
    missing = {"unit_id", "grid"} - set(table.columns)
    if missing:
        raise ColumnError(
            f"{path.name} has no column {', '.join(sorted(missing))}: it has {list_columns(table)}"
        )
    table = table[table["grid"] != ""]
    return table.set_index("unit_id")["grid"]


def write_plan(path: Path, plan: pd.Series) -> None:
    """Write a plan as CSV, whole or not at all."""
    draft = path.with_name(f".{path.name}.part")
    try:
        plan.rename_axis("unit_id").rename("grid").to_csv(draft, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def describe_division(division: Division, band: tuple[float, float]) -> dict[str, Any]:
    """Turn what is known about a division into plain values for JSON."""
    oversize = division.oversize
    return {
        "band": [float(band[0]), float(band[1])],
        "totals": division.totals,
        "is_complete": division.is_complete,
        "oversize": [
            {"unit_id": str(unit), "community": str(row["community"]), "load": float(row["load"])}
            for unit, row in oversize.iterrows()
        ],
        "islands": list(division.islands),
        "proofs": _records(division.proofs),
        "communities": _records(division.communities),
        "grids": _records(division.grids),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(table.reset_index().to_json(orient="records"))
    return found


def _source(path: Path, kind: str, layer: str | None = None) -> Source:
    source = next(read_sources(path, kind=kind, layer=layer), None)
    if source is None or source.shapes is None:
        raise InputError(f"{path.name} has no shapes: {kind} have a place")
    if len(source.frame) == 0:
        raise InputError(f"{path.name} has no rows")
    return source


def _crs(source: Source, path: Path) -> pyproj.CRS:
    if source.crs is None:
        raise CrsError(f"{path.name} states no CRS: write it into the file")
    if datum_name(source.crs) in SHIFTED:
        raise CrsError(f"{path.name} is in {source.crs}: convert it first, wangge import does it")
    return pyproj.CRS("EPSG:4326" if datum_name(source.crs) == "wgs84" else source.crs)


def _has_true_metres(units: gpd.GeoDataFrame) -> bool:
    """Whether a metre of the map is one on the ground in the middle of the units, within 1 %."""
    crs = pyproj.CRS(units.crs)
    if not crs.is_projected or crs.axis_info[0].unit_name != "metre":
        return False
    west, south, east, north = units.to_crs(STORAGE_CRS).total_bounds
    scale = pyproj.Proj(crs).get_factors((west + east) / 2, (south + north) / 2)
    return max(abs(scale.meridional_scale - 1), abs(scale.parallel_scale - 1)) < 0.01


def _column(frame: pd.DataFrame, field: str, wanted: str | None, path: Path) -> str | None:
    if wanted is not None:
        if wanted not in frame.columns:
            raise ColumnError(f"{path.name} has no column {wanted}: it has {list_columns(frame)}")
        return wanted
    ours, more = _FIELDS[field]
    by_name = {normalise_name(str(column)): str(column) for column in reversed(frame.columns)}
    for name in (field, *more, *names_of("blocks", ours)):
        if normalise_name(name) in by_name:
            return by_name[normalise_name(name)]
    return None
