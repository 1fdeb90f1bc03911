"""Cleaning of values: texts, numbers, degrees and pairs of them, a column at a time.

Public names are handed on by `geo.io.fields`.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\x00-\x08\x0b-\x1f\x7f]"
)
_GUARDED = re.compile(r"'*(?:[=@]|[+-](?![\d\s().-]*$))")
"""What a spreadsheet would run, with apostrophes before it that are part of the text."""
_BLANKS = re.compile(r"[\s\u00a0\u3000]+")
_ODD_BLANKS = (
    r"  |^ | $|[\t-\r\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}"
    r"\x{3000}]"
)
"""All that Python takes for a blank, as Arrow writes it."""
_MISSING = ("", "nan", "null", "none", "<null>", "n/a", "#n/a", "\\n", "nil", "nat", "<na>")


def has_values(values: pd.Series) -> bool:
    """Whether a column holds anything but blanks and words for nothing."""
    if not values.notna().any():
        return False
    if not (values.dtype == object or isinstance(values.dtype, pd.StringDtype)):
        return True
    some = values.dropna().astype("str").head(1000)
    full = ~some.str.strip().str.lower().isin(_MISSING)
    if full.any() or len(values) <= 1000:
        return bool(full.any())
    return bool((~values.dropna().astype("str").str.strip().str.lower().isin(_MISSING)).any())


def to_texts(values: pd.Series) -> pd.Series:
    """Values as text: whole numbers without `.0`, words for nothing as missing; not trimmed."""
    if pd.api.types.is_float_dtype(values.dtype):
        whole = values.notna() & (values % 1 == 0) & (values.abs() < 1e15)
        text = values.astype("str")
        text.loc[whole] = values[whole].astype("int64").astype("str")
        return text.where(values.notna()).astype("str")
    text = values.astype("str")
    return text.where(~text.str.strip().str.lower().isin(_MISSING))


def clean_texts(values: pd.Series) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Texts without invisible characters and outer blanks, and which ones had invisible ones.

    Runs of blanks and line breaks inside become one blank.
    """
    text = to_texts(values)
    odd = text.str.contains(_INVISIBLE, na=False).to_numpy(dtype=bool)
    if odd.any():
        text = text.mask(odd, text.str.replace(_INVISIBLE, "", regex=True))
    blanks = _has_odd_blanks(text)
    if blanks.any():
        text = text.mask(blanks, text.str.replace(_BLANKS, " ", regex=True).str.strip())
    return text.where(text != ""), odd


def guard_formulas(texts: pd.Series) -> pd.Series:
    """Texts with an apostrophe before what a spreadsheet would run as a formula (=, +, -, @).

    Numbers and telephone numbers with a sign stay. `unguard_formulas` takes it off again.
    """
    risky = texts.str.match(_GUARDED, na=False)
    return texts.mask(risky, "'" + texts)


def unguard_formulas(texts: pd.Series) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Texts without the apostrophe of `guard_formulas`, and which ones had it."""
    if not texts.str.startswith("'", na=False).any():
        return texts, np.zeros(len(texts), dtype=bool)
    hit = texts.str.match(re.compile("'" + _GUARDED.pattern), na=False).to_numpy(dtype=bool)
    return texts.mask(hit, texts.str.slice(1)), hit


def _has_odd_blanks(text: pd.Series) -> npt.NDArray[np.bool_]:
    """Which texts have outer, doubled or other than plain blanks, in compiled code."""
    found = pc.match_substring_regex(pa.array(text, pa.string()), _ODD_BLANKS)
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)


def to_numbers(
    values: pd.Series, *, decimal_comma: bool = False
) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Numbers of a column, and which values are there but are none.

    Understands full-width digits, `3,145` and `1 234` (thousands), `12 户` and `5 m` (a unit
    behind), `12%` not. A comma is a decimal one where told, or where one value of the column
    can be nothing else (`39,9`).
    """
    if pd.api.types.is_numeric_dtype(values.dtype):
        number = values.astype("Float64").astype("float64")
        return number.where(np.isfinite(number)), np.zeros(len(values), dtype=bool)
    text = to_texts(values).str.strip()
    number = pd.to_numeric(text, errors="coerce").astype("float64")
    number = number.where(np.isfinite(number))
    hard = text.notna() & number.isna()
    if hard.any():
        rest = text[hard].map(lambda t: unicodedata.normalize("NFKC", t).strip()).astype("str")
        rest = rest.str.replace(r"\s*[^\d.,%+\-eE\s°]{1,4}$", "", regex=True).str.strip("° ")
        rest = rest.str.replace(r"(?<=\d)[\s'](?=\d{3}\b)", "", regex=True)
        thousands = rest.str.match(r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$", na=False)
        decimal = rest.str.match(r"^[-+]?\d+,\d+$", na=False)
        if decimal_comma or (decimal & ~thousands).any():
            rest = rest.mask(decimal, rest.str.replace(",", ".", regex=False))
        else:
            rest = rest.mask(thousands, rest.str.replace(",", "", regex=False))
        got = pd.to_numeric(rest, errors="coerce").astype("float64")
        number.loc[hard] = got.where(np.isfinite(got))
    return number, (text.notna() & number.isna()).to_numpy(dtype=bool)


def to_degrees(values: pd.Series) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Coordinates of a column: 116.39, 116,39, and 116°23'29.3"E, with W and S as negative."""
    number, bad = to_numbers(values, decimal_comma=True)
    if bad.any():
        rest = values[bad].astype("str").map(lambda t: unicodedata.normalize("NFKC", t))
        parts = rest.str.extract(
            r"""^\s*([NSEWnsew东西南北]?)\s*(\d+(?:\.\d+)?)\s*[°度:]\s*(?:(\d+(?:\.\d+)?)\s*['′分:]\s*)?"""
            r"""(?:(\d+(?:\.\d+)?)\s*["″秒]?\s*)?([NSEWnsew东西南北]?)\s*$"""
        )
        one, two, three = (pd.to_numeric(parts[i]).fillna(0) for i in (1, 2, 3))
        sign = (parts[0].fillna("") + parts[4].fillna("")).str.upper()
        degrees = one + two / 60 + three / 3600
        degrees = degrees.where(~sign.isin(["S", "W", "南", "西"]), -degrees)
        number.loc[bad] = degrees.where(parts[1].notna())
        bad = bad & number.isna().to_numpy()
    return number, bad


def parse_pairs(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Longitude and latitude out of one text a row: `(39.0, -77.0)`, `POINT (x y)`, or JSON.

    A bare pair is latitude first where it stands in brackets (as US open data write it), else
    longitude first (as Chinese maps do); where one number is beyond 90 that one is the longitude.
    """
    text = values.astype("str")
    number = r"([-+]?\d+(?:\.\d+)?)"
    point = text.str.extract(rf"(?i)POINT\s*\(\s*{number}\s+{number}")
    point = point.apply(pd.to_numeric)
    pair = text.str.extract(rf"^\s*(\(?)\s*{number}\s*[,;，\s]\s*{number}\s*\)?\s*$")
    first, second = pd.to_numeric(pair[1]), pd.to_numeric(pair[2])
    lat_first = ((pair[0] == "(") & (second.abs() <= 180) & (first.abs() <= 90)) | (
        second.abs() > 90
    )
    lon, lat = first.where(~lat_first, second), second.where(~lat_first, first)
    json_lon = text.str.extract(rf"(?i)[\"'](?:lon|lng|longitude)[\"']\s*:\s*[\"']?{number}")[0]
    json_lat = text.str.extract(rf"(?i)[\"'](?:lat|latitude)[\"']\s*:\s*[\"']?{number}")[0]
    lon = point[0].fillna(lon).fillna(pd.to_numeric(json_lon))
    lat = point[1].fillna(lat).fillna(pd.to_numeric(json_lat))
    return lon.astype("float64"), lat.astype("float64")
