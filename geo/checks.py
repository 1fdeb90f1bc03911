"""All checks of the data of a city: tables in, one table of problems out.

A problem has the table, the id, a reason, a detail, a severity, the position of the row, and the
place. There is one reason for one thing to do (`REASONS`). An `error` breaks a hard rule; a
`warning` is to be looked at and may be right. Nothing is changed and nothing raises: the import
gate rejects or repairs by the same checks, and `wangge check` runs them on a whole workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo._check_areas import (
    BAND,
    check_cover,
    check_grid_covers,
    check_households,
    check_nesting,
    check_parents,
    check_polygons,
    check_versions,
)
from geo._check_cases import check_cases, check_log
from geo._check_rows import (
    _labels,
    check_classes,
    check_coordinates,
    check_ids,
    check_names,
    check_places,
    check_times,
    check_values,
    moments_of,
    show_invisible,
    strip_invisible,
)
from geo._classes import ClassBook
from geo._problems import (
    REASONS,
    Reason,
    count_problems,
    join_problems,
    make_problems,
    no_problems,
)
from geo.schema import TABLES

__all__ = [
    "BAND",
    "REASONS",
    "Reason",
    "check_calendar",
    "check_cases",
    "check_classes",
    "check_coordinates",
    "check_cover",
    "check_fixes",
    "check_grid_covers",
    "check_households",
    "check_ids",
    "check_log",
    "check_names",
    "check_nesting",
    "check_parents",
    "check_places",
    "check_polygons",
    "check_times",
    "check_values",
    "check_versions",
    "check_workers",
    "check_workspace",
    "check_zones",
    "city_cover",
    "count_problems",
    "grids_in_force",
    "join_problems",
    "make_problems",
    "no_problems",
    "show_invisible",
    "strip_invisible",
]

Tables = Mapping[str, pd.DataFrame]
DUTY_WINDOW = timedelta(days=365)
"""So far back times without a holder are looked for: a year of rosters."""


def check_workspace(
    tables: Tables,
    *,
    at: datetime,
    band: tuple[int, int] = BAND,
    classes: ClassBook | None = None,
    roles: pd.DataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Run every check that the tables given allow.

    Parameters
    ----------
    tables
        Tables of `geo.schema` by name, as the workspace reads them: in EPSG:4326, indexed by
        id. `grids` with all versions. Tables left out or empty are not checked.
    at
        Now, with zone: what is later is in the future, and the grids in force are those of it.
    band
        Households that a base grid should have, from and to.
    classes, roles
        The city's classes and its table of roles (`geo.io.rules`), by default the packaged ones.

    Incidents without a place are cases like others and are not reported here.

    Returns
    -------
    GeoDataFrame
        table, id, reason, detail, severity, row (position in the table, missing where a problem
        concerns several), geometry in EPSG:4326. Empty if all is well.
    """
    given = {name: frame for name, frame in tables.items() if len(frame)}
    city = city_cover(given, at=at)
    found = [_check_rows(name, frame, at, city, classes) for name, frame in given.items()]
    found += _check_areas(given, at, band)
    if "grids" in given and "workers" in given:
        now = grids_in_force(given["grids"], at)
        # Duties say more exactly who answers for a grid.
        found.append(
            check_workers(
                given["workers"], now, given.get("divisions"), staffed="duties" not in given
            )
        )
    if "duties" in given:
        found.append(_check_duties(given, at, roles))
    if "incidents" in given:
        found.append(check_cases(given["incidents"], units=_units(given)))
    if "incident_log" in given and "incidents" in given:
        found.append(check_log(given["incidents"], given["incident_log"]))
    if "fixes" in given:
        found.append(check_fixes(given["fixes"], given.get("workers")))
    if "calendar" in given:
        found.append(check_calendar(given["calendar"]))
    if "zones" in given:
        found.append(check_zones(given["zones"]))
    return join_problems(found)


def _check_areas(given: Tables, at: datetime, band: tuple[int, int]) -> list[gpd.GeoDataFrame]:
    """Divisions, grids, blocks and whatever else has polygons."""
    found: list[gpd.GeoDataFrame] = []
    divisions, grids = given.get("divisions"), given.get("grids")
    if divisions is not None:
        found.append(check_polygons(divisions, table="divisions", needed=False))
        found.append(check_parents(divisions))
        for _, level in divisions.groupby("level", sort=False):
            found.append(check_cover(level, table="divisions"))
    if grids is not None:
        now = grids_in_force(grids, at)
        found.append(check_polygons(grids, table="grids"))
        found.append(check_versions(grids))
        found.append(check_grid_covers(now))
        found.append(check_households(now, band=band))
        if divisions is not None:
            base = now[now["kind"].isin(("base", "dedicated")).to_numpy()]
            found.append(check_nesting(base, divisions))
    if "blocks" in given:
        found.append(check_polygons(given["blocks"], table="blocks"))
        found.append(check_cover(given["blocks"], table="blocks", gaps=False))
        if divisions is not None:
            found.append(check_nesting(given["blocks"], divisions, table="blocks", covered=False))
    for name in ("buildings", "areas", "zones"):
        if name in given:
            found.append(check_polygons(given[name], table=name))
    return found


def _check_duties(given: Tables, at: datetime, roles: pd.DataFrame | None) -> gpd.GeoDataFrame:
    """Appointments of now and of the year before, where the tables that they speak of are there."""
    from geo.responsibility import check_duties

    empty = pd.DataFrame()
    workers = given.get("workers", empty.reindex(columns=["worker_id", "name"]))
    columns = ["code", "level", "name", "parent_code"]
    divisions = given.get("divisions", empty.reindex(columns=columns))
    grids = given.get("grids", empty.reindex(columns=list(TABLES["grids"].names)))
    return check_duties(
        given["duties"],
        workers,
        divisions,
        grids,
        given.get("departments"),
        at=at,
        since=at - DUTY_WINDOW,
        roles=roles,
    )


def _units(given: Tables) -> set[str] | None:
    """Whoever may have a case; None while the city knows no departments."""
    if "departments" not in given:
        return None
    names = ("grids", "divisions", "departments")
    return {str(label) for n in names if n in given for label in _labels(given[n], n)}


def city_cover(tables: Tables, *, at: datetime) -> gpd.GeoDataFrame | None:
    """The polygons that say what is inside the city: divisions and the grids in force.

    None if neither has a polygon.
    """
    parts = []
    for name in ("divisions", "grids"):
        frame = tables.get(name)
        if frame is not None and len(frame):
            shapes = (grids_in_force(frame, at) if name == "grids" else frame).geometry.to_numpy()
            parts.append(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))])
    shapes = np.concatenate(parts) if parts else np.empty(0, dtype=object)
    return gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4326") if len(shapes) else None


def grids_in_force(grids: gpd.GeoDataFrame, at: datetime) -> gpd.GeoDataFrame:
    """The versions of grids in force at a moment: begun, and not ended."""
    moment = pd.Timestamp(at)
    ended = moments_of(grids, "valid_to") <= moment
    # What is published for a later day is not in force; nothing at all is if all of it is later.
    begun = moments_of(grids, "valid_from") <= moment
    return grids[(begun & ~ended).to_numpy(dtype=bool)]


def check_workers(
    workers: pd.DataFrame,
    grids: pd.DataFrame,
    divisions: pd.DataFrame | None = None,
    *,
    staffed: bool = True,
) -> gpd.GeoDataFrame:
    """Check that each worker's unit is there, and that each grid has a worker.

    A grid counts as staffed if a worker's unit_code is its id. If no worker names a grid at all,
    grids are not reported: then the list is of another level. `staffed` asks for it at all.
    """
    labels = _labels(workers, "workers")
    grid_ids = {str(label) for label in _labels(grids, "grids")}
    codes = set() if divisions is None else {str(c) for c in _labels(divisions, "divisions")}
    unit = workers["unit_code"]
    filled = unit.notna().to_numpy()
    strange = filled & ~unit.isin(grid_ids | codes).to_numpy()
    rows = np.flatnonzero(strange)
    texts = [f"unit_code {code}" for code in unit.iloc[rows]]
    found = [make_problems("workers", "unknown_unit", labels[rows], texts, rows=rows)]
    named = set(unit[filled]) & grid_ids
    if named and staffed:
        ids = _labels(grids, "grids")
        bare = np.flatnonzero([str(label) not in named for label in ids])
        shapes = grids.geometry.to_numpy()[bare]
        found.append(make_problems("grids", "no_worker", ids[bare], shapes=shapes, rows=bare))
    return join_problems(found)


def check_fixes(fixes: pd.DataFrame, workers: pd.DataFrame | None = None) -> gpd.GeoDataFrame:
    """Check GPS readings: degrees that are none, and workers who are not there (one row each)."""
    ids = fixes["worker_id"].to_numpy(dtype=object)
    found = [check_coordinates(fixes["lon"], fixes["lat"], table="fixes", ids=ids)]
    # A phone at rest repeats its place: many equal fixes are no default.
    found[0] = found[0][found[0]["reason"] != "default_place"]
    if workers is not None:
        known = pd.Index(_labels(workers, "workers"))
        strange = fixes.loc[~fixes["worker_id"].isin(known), "worker_id"].value_counts()
        texts = [f"{count} fixes" for count in strange]
        found.append(make_problems("fixes", "unknown_worker", strange.index, texts))
    return join_problems(found)


def check_calendar(calendar: pd.DataFrame) -> gpd.GeoDataFrame:
    """Check that each day of the working calendar is a date, written YYYY-MM-DD."""
    days = pd.Series(_labels(calendar, "calendar"))
    read = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")
    rows = np.flatnonzero((read.isna() | (days.astype(str).str.len() != 10)).to_numpy())
    return make_problems("calendar", "bad_day", days.iloc[rows], rows=rows)


def check_zones(zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Check that zones of one kind do not overlap; over grids and other kinds they may lie."""
    found = []
    for kind, part in zones.groupby("kind", sort=False):
        overlaps = check_cover(part, table="zones", gaps=False)
        overlaps = overlaps[overlaps["reason"] == "overlap"]
        texts = [f"{kind}: {text}" for text in overlaps["detail"]]
        found.append(
            make_problems(
                "zones", "zone_overlap", overlaps["id"], texts, shapes=overlaps.geometry.to_numpy()
            )
        )
    return join_problems(found)


def _check_rows(
    name: str,
    frame: pd.DataFrame,
    at: datetime,
    city: gpd.GeoDataFrame | None,
    classes: ClassBook | None,
) -> gpd.GeoDataFrame:
    """The checks that look at single rows of one table."""
    table = TABLES[name]
    found = [check_values(frame, table=name)]
    if len(table.key) == 1:
        found.append(check_ids(_labels(frame, name), table=name))
    if name != "fixes":
        found += [check_names(frame, table=name), check_times(frame, table=name, at=at)]
    else:
        found.append(check_times(frame, table=name, at=at))
    if "class_code" in frame.columns:
        found.append(check_classes(frame, table=name, classes=classes))
    if name == "incidents" and isinstance(frame, gpd.GeoDataFrame):
        gone = shapely.is_missing(frame.geometry) | shapely.is_empty(frame.geometry)
        # A case without a place is kept and counted; it is no problem of the table.
        found.append(check_places(frame[~gone], table=name, city=city))
    elif name in ("assets", "cameras", "places", "roads") and isinstance(frame, gpd.GeoDataFrame):
        found.append(check_places(frame, table=name, city=None if name == "roads" else city))
    return join_problems(found)
