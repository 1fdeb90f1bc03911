"""Checks that look at one row, or at one column: places, ids, times, names, codes.

Public names are handed on by `geo.checks`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from geo._classes import ClassBook, packaged_classes
from geo._problems import join_problems, make_problems, no_problems, points_of
from geo.anchor import anchor_coordinates
from geo.schema import TABLES

DEFAULT_SHARE = 0.05
"""One place with more of all rows than this is a default: no crossing has a 20th of all cases."""
DEFAULT_LEAST = 50
"""… and with at least so many rows."""
CLOCK_SLACK = timedelta(minutes=5)
"""Clocks of phones and servers differ; only what is further ahead counts as future."""
_JOINERS = "\u200c\u200d"
_WIDE_BLANKS = "\u00a0\u2007\u202f\u3000"


def check_coordinates(
    lon: ArrayLike,
    lat: ArrayLike,
    *,
    table: str,
    ids: ArrayLike | pd.Index | None = None,
    city: gpd.GeoDataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Check WGS-84 degrees: missing, (0, 0), out of range, swapped, a default, outside the city.

    Each row has at most one of these reasons, the first that fits. Swapped means that latitude
    is out of range and longitude would do, or that the place is outside the city and inside once
    swapped. A default is a place in whole degrees outside the city (or shared by several rows),
    or one place with at least 50 rows and a 20th of all.

    Parameters
    ----------
    lon, lat
        Degrees; not-a-number where missing.
    table
        Name of the table, for the report.
    ids
        Identifiers; positions if left out.
    city
        Polygons of the divisions or grids. Without them nothing is outside.
    """
    x, y = np.asarray(lon, dtype=float).ravel(), np.asarray(lat, dtype=float).ravel()
    labels = np.arange(x.size) if ids is None else np.asarray(ids, dtype=object)
    found: list[gpd.GeoDataFrame] = []
    open_rows = np.ones(x.size, dtype=bool)

    def report(hit: NDArray[np.bool_], reason: str, detail: str = "") -> None:
        rows = np.flatnonzero(hit & open_rows)
        open_rows[rows] = False
        if rows.size:
            texts = [
                detail or f"lon {a:.6g}, lat {b:.6g}" for a, b in zip(x[rows], y[rows], strict=True)
            ]
            shapes = points_of(x[rows], y[rows])
            found.append(
                make_problems(table, reason, labels[rows], texts, shapes=shapes, rows=rows)
            )

    finite = np.isfinite(x) & np.isfinite(y)
    report(~finite, "no_coordinates", "empty or not a number")
    report(finite & (np.abs(x) < 1e-9) & (np.abs(y) < 1e-9), "zero_coordinates")
    region = _region(city)
    inside = _inside(region, x, y)
    if region is not None:
        turned = ~inside & _inside(region, y, x)
    else:
        turned = (np.abs(y) > 90) & (np.abs(y) <= 180) & (np.abs(x) <= 90)
    report(finite & turned, "swapped")
    report(finite & ((np.abs(x) > 180) | (np.abs(y) > 90)), "out_of_range")
    report(finite & _is_default(x, y, inside if region is not None else None), "default_place")
    if region is not None:
        report(finite & ~inside, "outside_city")
    return join_problems(found)


def check_places(
    frame: gpd.GeoDataFrame, *, table: str, city: gpd.GeoDataFrame | None = None
) -> gpd.GeoDataFrame:
    """Check the points and lines of a table in EPSG:4326: `check_coordinates` for any shape.

    A line is outside the city if its middle is (`geo.anchor`): there it counts.
    """
    shapes = frame.geometry.to_numpy()
    kinds = shapely.get_type_id(shapes)
    gone = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    labels = _labels(frame, table)
    found = []
    point = np.flatnonzero((kinds == 0) | gone)
    x, y = np.full(len(shapes), np.nan), np.full(len(shapes), np.nan)
    real = (kinds == 0) & ~gone
    x[real], y[real] = shapely.get_x(shapes[real]), shapely.get_y(shapes[real])
    some = check_coordinates(x[point], y[point], table=table, ids=labels[point], city=city)
    some["row"] = pd.Series(point, dtype="Int64").reindex(some["row"].to_numpy()).to_numpy()
    found.append(some)
    other = np.flatnonzero((kinds != 0) & ~gone)
    if other.size:
        region = _region(city)
        box = shapely.bounds(shapes[other])
        wild = (np.abs(box[:, [0, 2]]) > 180).any(axis=1) | (np.abs(box[:, [1, 3]]) > 90).any(
            axis=1
        )
        rows = other[wild]
        found.append(make_problems(table, "out_of_range", labels[rows], rows=rows))
        if region is not None:
            lon, lat = anchor_coordinates(shapes[other])
            out = other[~wild & ~_inside(region, lon, lat)]
            found.append(
                make_problems(table, "outside_city", labels[out], shapes=shapes[out], rows=out)
            )
    return join_problems(found)


def check_ids(ids: ArrayLike | pd.Index | pd.Series, *, table: str) -> gpd.GeoDataFrame:
    """Check that every row has an identifier and no two the same; every later copy is reported."""
    series = pd.Series(np.asarray(ids, dtype=object))
    missing = series.isna() | (series.astype(str).str.strip() == "")
    copies = series.duplicated(keep="first") & ~missing
    first = series.drop_duplicates()
    where = pd.Series(first.index, index=first.to_numpy())
    details = [f"already in row {where[value] + 1}" for value in series[copies]]
    gone = np.flatnonzero(missing)
    return join_problems(
        [
            make_problems(
                table, "missing_id", series[missing], [f"row {r + 1}" for r in gone], rows=gone
            ),
            make_problems(
                table, "duplicate_id", series[copies], details, rows=np.flatnonzero(copies)
            ),
        ]
    )


def check_values(frame: pd.DataFrame, *, table: str) -> gpd.GeoDataFrame:
    """Check required columns and columns with a list of words against `geo.schema`."""
    labels = _labels(frame, table)
    found = []
    for column in TABLES[table].columns:
        if column.name not in frame.columns:
            continue
        values = frame[column.name]
        gone = values.isna().to_numpy() | (values.astype(object) == "").to_numpy(dtype=bool)
        if column.required:
            rows = np.flatnonzero(gone)
            found.append(make_problems(table, "empty_value", labels[rows], column.name, rows=rows))
        if column.words:
            rows = np.flatnonzero(~gone & ~values.isin(column.words).to_numpy())
            words = ", ".join(column.words)
            texts = [f"{column.name} is {v!r}: use {words}" for v in values.iloc[rows]]
            found.append(make_problems(table, "bad_word", labels[rows], texts, rows=rows))
    return join_problems(found)


def check_times(
    frame: pd.DataFrame, *, table: str, at: datetime, columns: Iterable[str] | None = None
) -> gpd.GeoDataFrame:
    """Check times: in the future of `at`, closed before reported, due before reported.

    `columns` are those that may not lie in the future; by default reported_at, closed_at,
    time and at, as far as the table has them. Deadlines may.
    """
    labels = _labels(frame, table)
    shapes = _shapes_or_none(frame)
    found = []
    wanted = ("reported_at", "closed_at", "time", "at") if columns is None else tuple(columns)
    limit = pd.Timestamp(at) + CLOCK_SLACK
    for name in wanted:
        if name in frame.columns:
            rows = np.flatnonzero((moments_of(frame, name) > limit).to_numpy(dtype=bool))
            texts = [f"{name} {_say(t)}" for t in frame[name].iloc[rows]]
            found.append(
                make_problems(
                    table, "future_time", labels[rows], texts, shapes=shapes[rows], rows=rows
                )
            )
    for name, reason in (("closed_at", "close_before_open"), ("deadline", "due_before_open")):
        if name in frame.columns and "reported_at" in frame.columns:
            early = moments_of(frame, name) < moments_of(frame, "reported_at")
            rows = np.flatnonzero(early.to_numpy(dtype=bool))
            pairs = zip(frame["reported_at"].iloc[rows], frame[name].iloc[rows], strict=True)
            texts = [f"reported_at {_say(a)}, {name} {_say(b)}" for a, b in pairs]
            found.append(
                make_problems(table, reason, labels[rows], texts, shapes=shapes[rows], rows=rows)
            )
    return join_problems(found)


def check_names(
    frame: pd.DataFrame, *, table: str, columns: Iterable[str] | None = None
) -> gpd.GeoDataFrame:
    """Check texts for characters that nobody sees, and for those that reading has broken.

    `columns` are by default all text columns and the index. Line breaks and tabs inside a
    description are text; elsewhere they are reported.
    """
    labels = _labels(frame, table)
    known = TABLES[table].names if table in TABLES else ()
    wanted = [c for c in (known if columns is None else columns) if c in frame.columns]
    texts = {name: frame[name] for name in wanted if _is_text(frame[name])}
    if columns is None and frame.index.name in known:
        texts[str(frame.index.name)] = frame.index.to_series()
    found = []
    for name, values in texts.items():
        for reason, test in (
            ("invisible_characters", _has_invisible),
            ("broken_characters", lambda v, n: "\ufffd" in v),
        ):
            unique = values.dropna().drop_duplicates()
            bad = unique[[test(str(v), name) for v in unique]]
            rows = np.flatnonzero(values.isin(bad).to_numpy())
            details = [f"{name}: {show_invisible(str(v))}" for v in values.iloc[rows]]
            found.append(make_problems(table, reason, labels[rows], details, rows=rows))
    return join_problems(found)


def strip_invisible(text: str) -> str:
    """A text without invisible characters, wide blanks made plain, ends trimmed.

    Joiners between letters stay (some scripts and emoji need them), line breaks become blanks.
    """
    kept = []
    for place, letter in enumerate(text):
        if letter in _WIDE_BLANKS or letter in "\t\r\n\x0b\x0c\x85\u2028\u2029":
            kept.append(" ")
        elif not _is_invisible(text, place):
            kept.append(letter)
    return "".join(kept).strip()


def show_invisible(text: str) -> str:
    """A text in which invisible characters are written as their code, for a report."""
    shown = []
    for place, letter in enumerate(text[:80]):
        hidden = _is_invisible(text, place) or letter in _WIDE_BLANKS
        shown.append(f"<U+{ord(letter):04X}>" if hidden else letter)
    ends = "" if text == text.strip() else " (blank at an end)"
    return "".join(shown) + ends


def check_classes(
    frame: pd.DataFrame, *, table: str, classes: ClassBook | None = None
) -> gpd.GeoDataFrame:
    """Check class codes against the class tables; an incident may have none.

    `classes` are those of the city (`geo.io.rules`), by default the packaged ones.
    """
    labels = _labels(frame, table)
    book = packaged_classes() if classes is None else classes
    known = book.is_incident_class if table == "incidents" else book.is_asset_class
    codes = frame["class_code"]
    filled = codes.notna() & (codes.astype(object) != "")
    strange = [code for code in codes[filled].unique() if not known(code)]
    rows = np.flatnonzero(codes.isin(strange).to_numpy())
    texts = [f"class_code {code}" for code in codes.iloc[rows]]
    shapes = _shapes_or_none(frame)[rows]
    return make_problems(table, "unknown_class", labels[rows], texts, shapes=shapes, rows=rows)


def moments_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column of times in UTC; a column without any value has no type of its own."""
    return pd.to_datetime(frame[name], utc=True)


def _labels(frame: pd.DataFrame, table: str) -> NDArray[np.object_]:
    """The ids of a frame, from its column or its index."""
    name = TABLES[table].id if table in TABLES else ""
    values = frame[name] if name in frame.columns else frame.index
    return np.asarray(values, dtype=object)


def _shapes_or_none(frame: pd.DataFrame) -> NDArray[np.object_]:
    if isinstance(frame, gpd.GeoDataFrame) and frame._geometry_column_name in frame.columns:
        shapes: NDArray[np.object_] = frame.geometry.to_numpy()
        return shapes
    return np.full(len(frame), None, dtype=object)


def _region(city: gpd.GeoDataFrame | None) -> shapely.Geometry | None:
    if city is None or city.empty:
        return None
    shapes = city.geometry.to_numpy()
    shapes = shapes[~shapely.is_missing(shapes)]
    region = shapely.union_all(shapely.make_valid(shapes))
    if shapely.is_empty(region):
        return None
    shapely.prepare(region)
    return region


def _inside(
    region: shapely.Geometry | None, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    inside = np.zeros(x.shape, dtype=bool)
    if region is not None:
        finite = np.isfinite(x) & np.isfinite(y)
        inside[finite] = shapely.intersects_xy(region, x[finite], y[finite])
    return inside


def _is_default(
    x: NDArray[np.float64], y: NDArray[np.float64], inside: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    places = pd.DataFrame({"x": x, "y": y})
    same = places.groupby(["x", "y"])["x"].transform("size").fillna(0).to_numpy()
    whole = (x == np.round(x)) & (y == np.round(y))
    odd = (same > 1) if inside is None else ((same > 1) | ~inside)
    crowd = (same >= DEFAULT_LEAST) & (same > DEFAULT_SHARE * x.size)
    default: NDArray[np.bool_] = (whole & odd) | crowd
    return default


def _is_text(values: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(values.dtype) or values.dtype == object)


def _is_invisible(text: str, place: int) -> bool:
    letter = text[place]
    if letter.isascii():
        return ord(letter) < 32 or ord(letter) == 127
    if letter in _JOINERS:
        return (
            not 0 < place < len(text) - 1 or text[place - 1].isspace() or text[place + 1].isspace()
        )
    kind = unicodedata.category(letter)
    # Plane-15 and -16 private letters are real: rare Chinese names are encoded there.
    return kind in ("Cf", "Cc", "Zl", "Zp", "Cs")


def _has_invisible(text: str, column: str) -> bool:
    if column in ("description", "note"):
        text = text.replace("\n", " ").replace("\r", " ").replace("\t", " ").strip()
    if text.isascii() and text.isprintable():
        return text != text.strip()
    wide = any(letter in _WIDE_BLANKS for letter in text)
    return wide or text != text.strip() or any(_is_invisible(text, k) for k in range(len(text)))


def _say(moment: pd.Timestamp) -> str:
    return str(moment.strftime("%Y-%m-%d %H:%M:%S %Z"))


__all__ = [
    "check_classes",
    "check_coordinates",
    "check_ids",
    "check_names",
    "check_places",
    "check_times",
    "check_values",
    "no_problems",
    "show_invisible",
    "strip_invisible",
]
