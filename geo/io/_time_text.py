"""Texts of times before they are read: Chinese words, full-width digits, dates apart from clocks.

Public names are handed on by `geo.io.times`.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import numpy.typing as npt
import pandas as pd

_AM = "凌晨|清晨|早上|早晨|上午"
_PM = "中午|下午|傍晚|晚上"
_HALF_DAY = re.compile(rf"\s*({_AM}|{_PM})\s*(\d{{1,2}}(?:[:：]\d{{1,2}}){{0,2}})")
_CLOCK = r"(\d{1,2}:\d{1,2}(?::\d{1,2}(?:[.,]\d{1,9})?)?\s*(?:[AaPp]\.?[Mm]\.?)?)"
_CLOCK_ONLY = re.compile(rf"^T?{_CLOCK}(?:\s*(Z|[+-]\d\d:?\d\d))?$")
_CLOCK_DIGITS = re.compile(r"^([01]\d|2[0-3])([0-5]\d)([0-5]\d)$")
_OLD_DATE = re.compile(
    rf"^(?:1[89]\d\d)[-/.]\d{{1,2}}[-/.]\d{{1,2}}[ T]+{_CLOCK}(?:\s*(Z|[+-]\d\d:?\d\d))?$"
)
"""A date of a device that knew none: 1899 of spreadsheets, 1900, 1901, 1970."""
_DAY_ONLY = re.compile(r"^\d{1,4}([-/.])\d{1,2}\1\d{1,4}$|^(?:19|20)\d{6}$")
_MIDNIGHT = re.compile(r"[ T]+0?0:00(?::00(?:\.0+)?)?$")


def join_dates(dates: pd.Series, clocks: pd.Series, *, replaces: bool = False) -> pd.Series:
    """Times of day with the dates that stand in a column of their own, as texts.

    Parameters
    ----------
    dates
        Days in any form of `parse_times`; a midnight that a spreadsheet added is left out.
    clocks
        Where a value is a time of day and no more (`08:30:05`, or `083005` beside a date of eight
        digits), the date goes before it; all others stay as they are.
    replaces
        A date also takes the place of one before 1980, which a device writes that knows none.
    """
    if pd.api.types.is_datetime64_any_dtype(clocks.dtype):
        if not replaces:
            return clocks
        clocks = clocks.astype("str").where(clocks.notna())
    days = plain(dates).str.replace(_MIDNIGHT, "", regex=True)
    text = plain(clocks)
    found = text.str.extract(_CLOCK_ONLY)
    if replaces:
        found = found.fillna(text.str.extract(_OLD_DATE).where(text.str.slice(0, 4) < "1980"))
    digits = text.str.extract(_CLOCK_DIGITS)
    digits = digits[0] + ":" + digits[1] + ":" + digits[2]
    eight = days.str.match(r"^\d{8}$", na=False)
    days = days.mask(eight, days.str.slice(0, 4) + "-" + days.str.slice(4, 6) + "-" + days.str[6:])
    clock = found[0].fillna(digits.where(days.notna()))
    joined = days + " " + clock + found[1].fillna("")
    has_both = (days.fillna("") != "") & clock.notna()
    return joined.where(has_both, clocks.astype("str").where(clocks.notna()))


def is_clock_only(values: pd.Series) -> npt.NDArray[np.bool_]:
    """Which texts are a time of day without a date."""
    return np.asarray(plain(values).str.match(_CLOCK_ONLY, na=False), dtype=bool)


def is_day_only(values: pd.Series) -> npt.NDArray[np.bool_]:
    """Which texts are a date without a time of day."""
    if not (values.dtype == object or isinstance(values.dtype, pd.StringDtype)):
        return np.zeros(len(values), dtype=bool)
    return np.asarray(plain(values).str.match(_DAY_ONLY, na=False), dtype=bool)


def plain(values: pd.Series) -> pd.Series:
    """Texts without full-width digits, Chinese date words and stray blanks."""
    text = values.astype("str")
    if not text.isna().all() and not text.fillna("").str.isascii().all():
        folded = text.map(_fold, na_action="ignore")
        text = folded.astype("str")
    text = text.str.strip()
    if text.str.contains(".0", regex=False, na=False).any():
        text = text.str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    return text


def _fold(text: str) -> str:
    """One Chinese text in western form: 2024年10月10日下午3点 is 2024-10-10 15:00."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"^(?:民国|民國)\s*", "", text)
    text = re.sub(r"^(\d{2,4})\s*年\s*(\d+)\s*月\s*(\d+)\s*[日号號]?\s*", r"\1-\2-\3 ", text)
    text = re.sub(r"\s*\(?(?:星期|周|週)[一二三四五六日天]\)?\s*", " ", text)
    text = re.sub(r"(\d)\s*[时時点點]\s*(?=\d)|(\d)\s*分\s*(?=\d)", r"\1\2:", text)
    text = re.sub(r"(\d)\s*[时時点點]\s*整?$", r"\1:00", text)
    text = re.sub(r"(\d)\s*[分秒]$", r"\1", text.strip())
    half = _HALF_DAY.search(text)
    if half:
        hour, _, rest = half.group(2).partition(":")
        number = int(hour) % 12 if half.group(1) in _AM.split("|") else int(hour)
        if half.group(1) in _PM.split("|") and number < (11 if half.group(1) == "中午" else 12):
            number += 12
        text = f"{text[: half.start()]} {number}:{rest or '00'}{text[half.end() :]}"
    return text.strip()
