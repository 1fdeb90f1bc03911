"""All checks of the data of a city: tables in, one table of problems out.

A problem has the table, the id, a reason, a detail, a severity, the position of the row, and the
place. There is one reason for one thing to do (`REASONS`). An `error` breaks a hard rule; a
`warning` is to be looked at and may be right. Nothing is changed and nothing raises: the import
gate rejects or repairs by the same checks, and `wangge check` runs them on a whole workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

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


def check_workspace(
    tables: Tables, *, at: datetime, band: tuple[int, int] = BAND
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

    Incidents without a place are cases like others and are not reported here.

    Returns
    -------
    GeoDataFrame
        table, id, reason, detail, severity, row (position in the table, missing where a problem
        concerns several), geometry in EPSG:4326. Empty if all is well.
    """
    given = {name: frame for name, frame in tables.items() if len(frame)}
    city = city_cover(given, at=at)
    found: list[gpd.GeoDataFrame] = []
    for name, frame in given.items():
        found.append(_check_rows(name, frame, at, city))
    divisions = given.get("divisions")
    grids = given.get("grids")
    if divisions is not None:
        found += [
            check_polygons(divisions, table="divisions", needed=False),
            check_parents(divisions),
        ]
        for _, level in divisions.groupby("level", sort=False):
            found.append(check_cover(level, table="divisions"))
    if grids is not None:
        now = grids_in_force(grids, at)
        found += [
            check_polygons(grids, table="grids"),
            check_versions(grids),
            check_grid_covers(now),
        ]
        found.append(check_households(now, band=band))
        if divisions is not None:
            base = now[now["kind"].isin(("base", "dedicated")).to_numpy()]
            found.append(check_nesting(base, divisions))
        if "workers" in given:
            found.append(check_workers(given["workers"], now, divisions))
    if "blocks" in given:
        found.append(check_polygons(given["blocks"], table="blocks"))
        found.append(check_cover(given["blocks"], table="blocks", gaps=False))
        if divisions is not None:
            found.append(check_nesting(given["blocks"], divisions, table="blocks", covered=False))
    for name in ("buildings", "areas"):
        if name in given:
            found.append(check_polygons(given[name], table=name))
    if "incident_log" in given and "incidents" in given:
        found.append(check_log(given["incidents"], given["incident_log"]))
    if "fixes" in given:
        found.append(check_fixes(given["fixes"], given.get("workers")))
    return join_problems(found)


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
    workers: pd.DataFrame, grids: pd.DataFrame, divisions: pd.DataFrame | None = None
) -> gpd.GeoDataFrame:
    """Check that each worker's unit is there, and that each grid has a worker.

    A grid counts as staffed if a worker's unit_code is its id. If no worker names a grid at all,
    grids are not reported: then the list is of another level.
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
    staffed = set(unit[filled]) & grid_ids
    if staffed:
        ids = _labels(grids, "grids")
        bare = np.flatnonzero([str(label) not in staffed for label in ids])
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


def check_log(incidents: pd.DataFrame, log: pd.DataFrame) -> gpd.GeoDataFrame:
    """Check the moves of incidents: numbered from 1, forward in time, the last one the stage."""
    moves = log.sort_values(["incident_id", "seq"], ignore_index=True)
    number = moves.groupby("incident_id").cumcount() + 1
    same = moves["incident_id"].eq(moves["incident_id"].shift())
    holes = (moves["seq"] != number).to_numpy(dtype=bool)
    back = (same & (moves["at"] < moves["at"].shift())).to_numpy(dtype=bool)
    found = []
    for hit, words in ((holes, "numbers are not 1, 2, 3"), (back, "earlier than the move before")):
        some = moves[hit].drop_duplicates("incident_id")
        texts = [f"move {seq}: {words}" for seq in some["seq"]]
        found.append(make_problems("incident_log", "log_order", some["incident_id"], texts))
    last = moves.drop_duplicates("incident_id", keep="last").set_index("incident_id")["stage"]
    stage = pd.Series(incidents["stage"].to_numpy(), index=_labels(incidents, "incidents"))
    both = stage.index.intersection(last.index)
    differs = both[(stage[both].to_numpy() != last[both].to_numpy())]
    texts = [f"stage {stage[i]}, last move {last[i]}" for i in differs]
    found.append(make_problems("incidents", "log_disagrees", differs, texts))
    return join_problems(found)


def _check_rows(
    name: str, frame: pd.DataFrame, at: datetime, city: gpd.GeoDataFrame | None
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
        found.append(check_classes(frame, table=name))
    if name == "incidents" and isinstance(frame, gpd.GeoDataFrame):
        gone = shapely.is_missing(frame.geometry) | shapely.is_empty(frame.geometry)
        # A case without a place is kept and counted; it is no problem of the table.
        found.append(check_places(frame[~gone], table=name, city=city))
    elif name in ("assets", "cameras", "places", "roads") and isinstance(frame, gpd.GeoDataFrame):
        found.append(check_places(frame, table=name, city=None if name == "roads" else city))
    return join_problems(found)
