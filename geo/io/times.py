"""Texts to moments in UTC, a column at a time, and what had to be assumed on the way.

Which of day and month comes first is decided once for a column, never row by row: by any value
that allows only one order, else by another column of the same file, else by the form (dots mean
day first, AM and PM month first), else month first; the report names the order and the reason.
A value that does not fit the order is not read the other way round: it counts as unreadable.
A time without a zone is taken in the assumed zone, and the report names that zone. In the hour
that a clock change repeats, the first pass counts; a time that a clock change skips moves on to
the next one that exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from geo.errors import InputError
from geo.io._time_text import is_clock_only as is_clock_only
from geo.io._time_text import is_day_only as is_day_only
from geo.io._time_text import join_dates as join_dates
from geo.io._time_text import plain

Order = Literal["mdy", "dmy"]

_MISSING = {"", "nan", "nat", "null", "none", "<null>", "n/a", "na", "#n/a", "\\n", "-", "--", "—"}
_TIME = r"(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?\s*([AaPp])?\.?(?:[Mm]\.?)?)?"
_ZONE = r"\s*(Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
_YEAR_FIRST = re.compile(rf"^(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_TIME}{_ZONE}$")
_REPUBLIC = re.compile(rf"^(\d{{2,3}})[-/.年](\d{{1,2}})[-/.月](\d{{1,2}})日?{_TIME}{_ZONE}$")
_YEAR_LAST = re.compile(rf"^(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){_TIME}{_ZONE}$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?)?(Z)?$")
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
    for name in (names,)
}
_WORD_DATE = re.compile(
    rf"^(?:[A-Za-z]{{3,9}}[,.]?\s+)?(?:(\d{{1,2}})[\s-]+([A-Za-z]{{3,9}})|([A-Za-z]{{3,9}})\.?\s+(\d{{1,2}}))"
    rf"[\s,-]+(\d{{4}}|\d{{2}}){_TIME}{_ZONE}$"
)
_EXCEL_DAYS = (20_000.0, 80_000.0)  # 1954 to 2119
_EPOCH_S = (1e8, 1e10)  # 1973 to 2286


@dataclass(frozen=True)
class Times:
    """A column of times: `values` in UTC (missing where there is none or it cannot be read).

    `unreadable` marks texts that are no time; `zoneless` counts times in the assumed zone;
    `order` is the order of day and month where it mattered, with the reason in `why`; `forms`
    names what the values looked like.
    """

    values: pd.Series
    unreadable: npt.NDArray[np.bool_]
    zoneless: int
    order: Order | None
    why: str
    forms: tuple[str, ...]


def find_zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"no time zone is called {name}: say it like Asia/Shanghai or America/New_York"
        ) from None


def decide_order(columns: Iterable[pd.Series]) -> tuple[Order, str] | None:
    """The order of day and month that the columns of one file share, with the reason.

    None if no value puts the year last. Where values contradict each other the order that fits
    more of them wins, and the reason says so.
    """
    first_over, second_over, dots, halves, any_found = 0, 0, 0, 0, False
    for column in columns:
        text = plain(column)
        # Day and month stand in the first five characters: few different ones, whatever the rows.
        counts = text.str.slice(0, 5).value_counts()
        starts = pd.Series(counts.index, dtype="str")
        parts = starts.str.extract(r"^(\d{1,2})([-/.])(\d{1,2})(?:[-/.]\d?)?$")
        found = parts[0].notna().to_numpy()
        if not found.any():
            continue
        any_found = True
        weight = counts.to_numpy()[found]
        a, b = (pd.to_numeric(parts.loc[found, i]).to_numpy() for i in (0, 2))
        first_over += int(weight[a > 12].sum())
        second_over += int(weight[b > 12].sum())
        dots += int(weight[(parts.loc[found, 1] == ".").to_numpy()].sum())
        halves += int(text.str.contains(r"[AaPp]\.?[Mm]", na=False).any())
    if not any_found:
        return None
    if first_over or second_over:
        order: Order = "dmy" if first_over > second_over else "mdy"
        sure, against = max(first_over, second_over), min(first_over, second_over)
        word = "day" if order == "mdy" else "month"
        why = f"{sure:,} values have a {word} above 12 in second place"
        why = why.replace("a month above 12 in second place", "a day above 12 in first place")
        return order, why + (f", though {against:,} contradict it" if against else "")
    if dots:
        return "dmy", "values are written with dots and none is above 12"
    if halves:
        return "mdy", "values say AM or PM and none is above 12"
    return "mdy", "no value tells, all are at most 12: use --date-order dmy if day comes first"


def parse_times(
    values: pd.Series, *, timezone: str, order: Order | None = None, why: str = ""
) -> Times:
    """Read a column of times of any common form.

    Parameters
    ----------
    values
        Texts, numbers or times. Known forms: ISO 8601; year first with - / or .; month or day
        first with a year of two or four digits, 24 hours or AM and PM; 2024年10月10日;
        上午 and 下午; 12-Apr-2018; 20241010083000; seconds, milliseconds, microseconds or
        nanoseconds since 1970; days of Excel; years of the Republic of China (113/10/10).
    timezone
        IANA name of the zone that a time without one is in.
    order
        Order of day and month where the year comes last; found by `decide_order` if not given.

    Returns
    -------
    Times
        As many values as rows, in their order and with their index.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _known(values.dt.tz_convert("UTC"), 0)
    zone = find_zone(timezone)
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return _known(_to_utc(values, zone), int(values.notna().sum()))
    text = plain(values)
    missing = text.str.lower().isin(_MISSING) | text.isna()
    if order is None:
        order, why = decide_order([values]) or (None, "")
    local = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    offset = pd.Series(np.nan, index=text.index, dtype="float64")
    forms: list[str] = []
    left = ~missing
    for form, reader in _READERS.items():
        if not left.any():
            break
        got, zones = reader(text[left], order)
        hit = got.notna()
        if hit.any():
            forms.append(form)
            local.loc[got.index[hit]] = got[hit]
            offset.loc[got.index[hit]] = zones[hit]
            left &= ~hit.reindex(left.index, fill_value=False)
    naive = local.notna() & offset.isna()
    moments = _to_utc(local.where(naive), zone)
    aware = local.notna() & offset.notna()
    exact = (local - pd.to_timedelta(offset.fillna(0), unit="min")).dt.tz_localize("UTC")
    moments = moments.where(~aware, exact)
    used = order if "year last" in forms else None
    return Times(
        moments.astype("datetime64[us, UTC]"),
        left.to_numpy(),
        int(naive.sum()),
        used,
        why if used else "",
        tuple(forms),
    )


def _known(values: pd.Series, zoneless: int) -> Times:
    gone = np.zeros(len(values), dtype=bool)
    return Times(values.astype("datetime64[us, UTC]"), gone, zoneless, None, "", ("times",))


def _build(
    year: pd.Series, month: pd.Series, day: pd.Series, clock: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """Local times and zone offsets (minutes, missing where none) of matched parts."""
    hour, minute, second = (pd.to_numeric(clock.iloc[:, i]).fillna(0) for i in range(3))
    fraction = clock.iloc[:, 3].fillna("0").str.ljust(9, "0").astype("int64") // 1000
    half = clock.iloc[:, 4].str.lower()
    bad = (half.notna() & ((hour > 12) | (hour < 1))) | (hour > 24) | (minute > 59) | (second > 60)
    hour = hour.where(half.isna(), hour % 12 + np.where(half == "p", 12, 0))
    bad |= (hour == 24) & ((minute > 0) | (second > 0))
    days = pd.to_datetime(
        pd.DataFrame({"year": year, "month": month, "day": day}).apply(pd.to_numeric),
        errors="coerce",
    ).astype("datetime64[us]")
    moment = days + pd.to_timedelta(hour * 3600 + minute * 60 + second.clip(upper=59), unit="s")
    moment = moment + pd.to_timedelta(fraction, unit="us")
    return moment.where(~bad).astype("datetime64[us]"), _offsets(clock.iloc[:, 5])


def _offsets(zone: pd.Series) -> pd.Series:
    parts = zone.str.extract(r"^([+-])(\d{2}):?(\d{2})?$")
    minutes = pd.to_numeric(parts[1]) * 60 + pd.to_numeric(parts[2]).fillna(0)
    signed = minutes * np.where(parts[0] == "-", -1.0, 1.0)
    return signed.where(parts[0].notna(), zone.notna().map({True: 0.0, False: np.nan}))


def _read_year_first(text: pd.Series, order: Order | None) -> tuple[pd.Series, pd.Series]:
    quick = _read_iso(text)
    if quick is not None:
        return quick
    likely = text.str.slice(4, 5).isin(["-", "/", "."])
    parts = text.where(likely).str.extract(_YEAR_FIRST) if likely.any() else _no_parts(text, 9)
    return _build(parts[0], parts[1], parts[2], parts.iloc[:, 3:])


def _no_parts(text: pd.Series, width: int) -> pd.DataFrame:
    return pd.DataFrame(dict.fromkeys(range(width)), index=text.index, dtype="str")


def _read_iso(text: pd.Series) -> tuple[pd.Series, pd.Series] | None:
    """The common case, all alike and without a zone, in compiled code."""
    first = text.iloc[0]
    if not re.match(r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?$", first):
        return None
    try:
        got = pd.to_datetime(text, format="ISO8601")
    except ValueError:
        return None
    if got.dt.tz is not None:
        return None
    return got.astype("datetime64[us]"), pd.Series(np.nan, index=text.index)


def _read_year_last(text: pd.Series, order: Order | None) -> tuple[pd.Series, pd.Series]:
    quick = _read_alike(text, order)
    if quick.notna().all():
        return quick, pd.Series(np.nan, index=text.index)
    slow = text[quick.isna()]
    got, zones = _read_year_last_slowly(slow, order)
    return quick.fillna(got), zones.reindex(text.index)


_ALIKE = (
    (r"^\d\d?/\d\d?/\d{4} \d\d?:\d\d:\d\d [AaPp][Mm]$", "%m/%d/%Y %I:%M:%S %p"),
    (r"^\d\d?/\d\d?/\d{4} \d\d?:\d\d [AaPp][Mm]$", "%m/%d/%Y %I:%M %p"),
    (r"^\d\d?/\d\d?/\d{4} \d\d?:\d\d:\d\d$", "%m/%d/%Y %H:%M:%S"),
    (r"^\d\d?/\d\d?/\d{4} \d\d?:\d\d$", "%m/%d/%Y %H:%M"),
    (r"^\d\d?/\d\d?/\d{4}$", "%m/%d/%Y"),
    (r"^\d\d?/\d\d?/\d\d \d\d?:\d\d$", "%m/%d/%y %H:%M"),
)


def _read_alike(text: pd.Series, order: Order | None) -> pd.Series:
    """The commonest forms in compiled code, by the look of the first value; others missing."""
    for look, form in _ALIKE:
        if re.match(look, text.iloc[0]):
            form = form if order != "dmy" else form.replace("%m/%d", "%d/%m")
            found = pc.strptime(pa.array(text), format=form, unit="s", error_is_null=True)
            got = pd.Series(found.to_pandas().to_numpy(), index=text.index)
            # It takes 30 February for 1 March; the slow way looks at the first days of a month.
            return got.astype("datetime64[us]").where(got.dt.day > 3)
    return pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")


def _read_year_last_slowly(text: pd.Series, order: Order | None) -> tuple[pd.Series, pd.Series]:
    parts = text.str.extract(_YEAR_LAST)
    month, day = (parts[0], parts[1]) if order != "dmy" else (parts[1], parts[0])
    return _build(_full_year(parts[2]), month, day, parts.iloc[:, 3:])


def _full_year(year: pd.Series) -> pd.Series:
    """Two digits as POSIX reads them: 69 to 99 are 19xx, 00 to 68 are 20xx."""
    number = pd.to_numeric(year)
    short = year.str.len() <= 2
    return number.where(~short, number + np.where(number >= 69, 1900, 2000))


def _read_words(text: pd.Series, order: Order | None) -> tuple[pd.Series, pd.Series]:
    parts = text.str.extract(_WORD_DATE)
    word = parts[1].fillna(parts[2]).str[:3].str.lower()
    month = word.map(_MONTHS).astype("str")
    return _build(_full_year(parts[4]), month, parts[0].fillna(parts[3]), parts.iloc[:, 5:])


def _read_compact(text: pd.Series, order: Order | None) -> tuple[pd.Series, pd.Series]:
    parts = text.str.extract(_COMPACT)
    year = pd.to_numeric(parts[0])
    parts = parts.where((year >= 1900) & (year <= 2200))
    clock = parts.iloc[:, 3:6].assign(fraction=None, half=None, zone=parts[6]).astype("str")
    return _build(parts[0], parts[1], parts[2], clock)


def _read_republic(text: pd.Series, order: Order | None) -> tuple[pd.Series, pd.Series]:
    parts = text.str.extract(_REPUBLIC)
    year = pd.to_numeric(parts[0])
    parts = parts.where((year >= 60) & (year <= 200) & (parts[0].str.len() == 3))
    return _build(pd.to_numeric(parts[0]) + 1911, parts[1], parts[2], parts.iloc[:, 3:])


def _read_numbers(text: pd.Series, order: Order | None) -> tuple[pd.Series, pd.Series]:
    """Seconds and their thousandths since 1970 (in UTC), days of Excel (without a zone)."""
    number = pd.to_numeric(text, errors="coerce")
    moment = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    offset = pd.Series(np.nan, index=text.index, dtype="float64")
    for scale in (1.0, 1e3, 1e6, 1e9):
        hit = (number >= _EPOCH_S[0] * scale) & (number < _EPOCH_S[1] * scale) & moment.isna()
        if hit.any():
            us = (number[hit] / scale * 1e6).round().astype("int64")
            moment.loc[hit] = pd.to_datetime(us, unit="us").astype("datetime64[us]")
            offset.loc[hit] = 0.0
    excel = (number >= _EXCEL_DAYS[0]) & (number < _EXCEL_DAYS[1])
    if excel.any():
        seconds = (number[excel] * 86400).round()
        moment.loc[excel] = pd.Timestamp("1899-12-30") + pd.to_timedelta(seconds, unit="s")
    return moment, offset


_READERS = {
    "year first": _read_year_first,
    "year last": _read_year_last,
    "digits": _read_compact,
    "numbers": _read_numbers,
    "words": _read_words,
    "year of the Republic": _read_republic,
}


def _to_utc(local: pd.Series, zone: ZoneInfo) -> pd.Series:
    first_pass = np.ones(len(local), dtype=bool)
    return local.dt.tz_localize(
        zone, ambiguous=first_pass, nonexistent="shift_forward"
    ).dt.tz_convert("UTC")
