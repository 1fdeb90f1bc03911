"""The table of problems that every check gives, and the list of reasons.

Public names are handed on by `geo.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.schema import STORAGE_CRS

Severity = Literal["error", "warning"]
COLUMNS = ("table", "id", "reason", "detail", "severity", "row")


@dataclass(frozen=True)
class Reason:
    """Why something is a problem: an `error` breaks a hard rule, a `warning` is to be looked at."""

    key: str
    severity: Severity
    text: str
    to_do: str


_LIST: tuple[tuple[str, Severity, str, str], ...] = (
    ("no_coordinates", "error", "no coordinates", "find the place in the source"),
    ("zero_coordinates", "error", "coordinates are 0, 0", "find the place in the source"),
    ("out_of_range", "error", "not degrees", "declare the CRS with --source-crs"),
    ("swapped", "error", "latitude and longitude are swapped", "map the columns the other way"),
    ("default_place", "warning", "a default instead of a place", "find the place in the source"),
    ("outside_city", "warning", "outside the city", "check the place, the CRS or the divisions"),
    ("unplaced", "warning", "an incident without a place", "add its coordinates when known"),
    ("missing_id", "error", "no identifier", "fill it, or import with --make-ids"),
    ("duplicate_id", "error", "identifier used more than once", "make identifiers unique"),
    ("empty_value", "error", "a required column is empty", "fill it in the source"),
    ("bad_word", "error", "a word that the column does not know", "use one of the listed words"),
    ("future_time", "warning", "a time in the future", "check the date and the time zone"),
    ("close_before_open", "warning", "closed before it was reported", "check both times"),
    ("due_before_open", "warning", "due before it was reported", "check both times"),
    ("invisible_characters", "warning", "invisible characters", "remove them in the source"),
    ("broken_characters", "warning", "characters lost in reading", "give the file's encoding"),
    ("no_polygon", "error", "no polygon", "add its border"),
    ("invalid_polygon", "error", "the polygon is not valid", "repair it (wangge import does)"),
    ("no_shape", "error", "no geometry", "add it"),
    ("overlap", "error", "two polygons hold the same ground", "correct the border between them"),
    ("gap", "warning", "ground that no polygon holds", "close it, unless it is water or not yours"),
    ("sliver", "warning", "a strip thinner than a metre", "close it with a wider snap, or drop it"),
    ("unmatched_border", "warning", "vertices differ from the neighbour's", "import again"),
    ("households_few", "warning", "fewer households than the band", "merge or move a line"),
    ("households_many", "warning", "more households than the band", "split or move a line"),
    ("no_community", "warning", "a grid without community", "give its community_code"),
    ("unknown_community", "error", "a community that is not there", "import the division"),
    ("outside_community", "warning", "reaches out of its community", "correct one of the borders"),
    ("community_uncovered", "warning", "not covered by its grids", "draw the missing grid"),
    ("unknown_parent", "error", "a parent that is not there", "import the division above"),
    ("parent_circle", "error", "its parents go round in a circle", "correct the parent_code"),
    ("wrong_level", "error", "its parent is not of a higher level", "correct level or parent_code"),
    ("code_disagrees", "warning", "code and parent disagree", "correct the code or parent_code"),
    ("no_parent", "warning", "no parent though there is a level above", "give its parent_code"),
    ("unknown_class", "warning", "a class code that no table knows", "map it, or add a local 21xx"),
    (
        "unknown_unit",
        "warning",
        "a unit that is not there",
        "correct unit_code, or import the grid",
    ),
    ("no_worker", "warning", "a grid without a worker", "assign a worker to it"),
    ("unknown_worker", "error", "a worker who is not there", "import the worker"),
    (
        "version_order",
        "error",
        "versions of a grid disagree in time",
        "correct valid_from, valid_to",
    ),
    ("log_order", "error", "moves of an incident disagree", "correct the log"),
    ("log_disagrees", "warning", "differs from what its log says", "correct the row, not the log"),
    ("log_alone", "error", "a log of an incident that is not there", "import the incident"),
    ("open_closed", "warning", "an open case with a close time", "correct its stage or the time"),
    ("unknown_owner", "warning", "with somebody who is not there", "import the department or unit"),
    ("bad_day", "error", "a day of the calendar that is no date", "write it as YYYY-MM-DD"),
    ("zone_overlap", "warning", "zones of one kind overlap", "correct the border, if it is one"),
    ("post_vacant", "warning", "a post that nobody holds", "appoint someone in duties"),
    ("post_gap", "warning", "a time in which nobody held a post", "check the dates"),
    ("post_double", "warning", "a post held twice at once", "end one of the appointments"),
    ("level_vacant", "warning", "a level that nobody answers for", "import its duties"),
    ("duty_dates", "error", "appointed until before it begins", "correct both dates"),
)
REASONS: dict[str, Reason] = {key: Reason(key, *rest) for key, *rest in _LIST}  # type: ignore[arg-type]


def make_problems(
    table: str,
    reason: str,
    ids: ArrayLike | pd.Index | Sequence[object],
    details: str | Iterable[str] = "",
    *,
    shapes: object = None,
    rows: ArrayLike | None = None,
) -> gpd.GeoDataFrame:
    """Make rows of the table of problems, all with one reason.

    `details` is one text or one each; `shapes` geometries in EPSG:4326 or nothing; `rows`
    positions in the table that was checked.
    """
    known = REASONS[reason]
    labels = ["" if pd.isna(i) else str(i) for i in np.asarray(ids, dtype=object)]
    count = len(labels)
    texts = [details] * count if isinstance(details, str) else list(details)
    geometry: NDArray[np.object_] = np.full(count, None, dtype=object)
    if shapes is not None:
        geometry[:] = np.asarray(shapes, dtype=object)
    return gpd.GeoDataFrame(
        {
            "table": pd.Series([table] * count, dtype="str"),
            "id": pd.Series(labels, dtype="str"),
            "reason": pd.Series([reason] * count, dtype="str"),
            "detail": pd.Series(texts, dtype="str"),
            "severity": pd.Series([known.severity] * count, dtype="str"),
            "row": pd.Series([pd.NA] * count if rows is None else np.asarray(rows), dtype="Int64"),
        },
        geometry=geometry,
        crs=STORAGE_CRS,
    )


def no_problems() -> gpd.GeoDataFrame:
    """An empty table of problems."""
    return make_problems("", "gap", [])


def join_problems(tables: Iterable[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Several tables of problems as one, numbered from 0."""
    filled = [table for table in tables if len(table)]
    if not filled:
        return no_problems()
    joined = pd.concat(
        [pd.DataFrame(t.drop(columns="geometry")) for t in filled], ignore_index=True
    )
    geometry = np.concatenate([t.geometry.to_numpy() for t in filled])
    return gpd.GeoDataFrame(joined, geometry=geometry, crs=STORAGE_CRS)


def count_problems(problems: gpd.GeoDataFrame) -> pd.DataFrame:
    """Count problems by table and reason: table, reason, severity, count, text, to_do.

    Errors first, then the most frequent.
    """
    keys = ["table", "reason", "severity"]
    counts = problems.groupby(keys).size().rename("count").reset_index()
    counts = counts.sort_values(
        ["severity", "count", "table", "reason"], ascending=[True, False, True, True]
    )
    counts["text"] = [REASONS[key].text for key in counts["reason"]]
    counts["to_do"] = [REASONS[key].to_do for key in counts["reason"]]
    return counts.reset_index(drop=True)


def points_of(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.object_]:
    """Points where both coordinates are finite, else nothing."""
    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    shapes = np.full(x.shape, None, dtype=object)
    finite = np.isfinite(x) & np.isfinite(y)
    shapes[finite] = shapely.points(x[finite], y[finite])
    return shapes
