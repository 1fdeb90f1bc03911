"""Limits: how long a case may take, by class and by the condition that it was opened under.

The table is a file that a city edits (`geo/data/time_limits.csv`, a sample). Public names are
handed on by `geo.deadlines`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import StringIO
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.errors import ColumnError, InputError

Unit = Literal["urgent_hours", "working_hours", "working_days", "natural_days"]
UNITS: tuple[str, ...] = get_args(Unit)


@dataclass(frozen=True)
class Limit:
    """How long a case may take. InputError if the unit is unknown or the amount not positive."""

    amount: float
    unit: Unit

    def __post_init__(self) -> None:
        require_limits(np.array([self.amount], dtype=np.float64), np.array([self.unit]))


def time_limits() -> pd.DataFrame:
    """The table of limits that comes with the product, a sample that a city edits.

    `class_code`, `condition`, `zh`, `en`, `amount`, `unit`, `source`, one row a class and opening
    condition (GB/T 30428.8 lets cities set them). `class_code` may be the beginning of one: E04
    stands for all emergencies that have no row of their own.
    """
    return require_time_limits(_packaged_limits())


def require_time_limits(table: pd.DataFrame) -> pd.DataFrame:
    """Return a city's table of limits with clean types, or raise InputError naming the row.

    Needs `class_code`, `amount` and `unit`; `condition` may be empty or absent. A class and
    condition stand once.
    """
    require_columns(table, ("class_code", "amount", "unit"), "the table of limits")
    clean = table.reset_index(drop=True)
    if "condition" not in clean.columns:
        clean["condition"] = ""
    for name in ("class_code", "condition", "unit"):
        clean[name] = clean[name].astype("str").fillna("").str.strip()
    clean["amount"] = pd.to_numeric(clean["amount"], errors="coerce")
    bad = clean.index[clean["amount"].isna()]
    if len(bad):
        raise InputError(f"row {bad[0] + 1} of the table of limits has no number as its amount")
    require_limits(clean["amount"].to_numpy(dtype=np.float64), clean["unit"].to_numpy())
    twice = clean[clean.duplicated(["class_code", "condition"])]
    if len(twice):
        code, condition = twice.iloc[0][["class_code", "condition"]]
        raise InputError(
            f"the table of limits has {code} {condition or '(no condition)'} twice: leave one row"
        )
    return clean


def find_limits(
    class_codes: pd.Series,
    conditions: pd.Series | None = None,
    *,
    limits: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Find the limit of each case by its class and the condition that it was opened under.

    Parameters
    ----------
    class_codes
        Indexed by `incident_id`: E0102, C0101.
    conditions
        The same index; empty where a case has none.
    limits
        A table like `time_limits`, which stands where none is given.

    Returns
    -------
    DataFrame
        Indexed and ordered like `class_codes`: `amount`, `unit`. The longest `class_code` that
        the case's begins with decides, first with the case's condition, then without one. Empty
        where no row fits: a limit is never invented.
    """
    table = require_time_limits(limits) if limits is not None else time_limits()
    known = {
        (code, condition): (float(amount), unit)
        for code, condition, amount, unit in zip(
            table["class_code"], table["condition"], table["amount"], table["unit"], strict=True
        )
    }
    codes = class_codes.astype("str").fillna("").to_numpy()
    words = (
        np.full(len(codes), "", dtype=object)
        if conditions is None
        else conditions.astype("str").fillna("").to_numpy()
    )
    pairs = pd.MultiIndex.from_arrays([codes, words])
    places, unique = pd.factorize(pairs)
    found = [_longest(known, str(code), str(condition)) for code, condition in unique]
    amount = np.array([item[0] for item in found] or [np.nan])
    unit = np.array([item[1] for item in found] or [None], dtype=object)
    if not len(codes):
        amount, unit = amount[:0], unit[:0]
        places = np.zeros(0, dtype=np.int64)
    return pd.DataFrame(
        {"amount": amount[places], "unit": pd.array(unit[places], dtype="str")},
        index=class_codes.index,
    )


def _longest(
    known: dict[tuple[str, str], tuple[float, str]], code: str, condition: str
) -> tuple[float, str | None]:
    for length in range(len(code), 0, -1):
        for word in (condition, "") if condition else ("",):
            if (code[:length], word) in known:
                return known[code[:length], word]
    return np.nan, None


@cache
def _packaged_limits() -> pd.DataFrame:
    text = resources.files("geo").joinpath("data", "time_limits.csv").read_text(encoding="utf-8")
    return pd.read_csv(StringIO(text), dtype="str", keep_default_na=False)


def require_limits(amount: npt.NDArray[np.float64], unit: npt.NDArray[np.object_]) -> None:
    """Raise InputError if a unit is unknown or an amount is not a positive number."""
    unknown = sorted({str(word) for word in unit} - set(UNITS))
    if unknown:
        raise InputError(f"a limit is in {unknown[0]!r}: use one of {', '.join(UNITS)}")
    bad = ~(np.isfinite(amount) & (amount > 0))
    if bad.any():
        raise InputError(f"a limit is {amount[bad][0]:g} {unit[bad][0]}: give more than 0")


def require_columns(table: pd.DataFrame, names: tuple[str, ...], what: str) -> None:
    """Raise ColumnError naming the columns that a table lacks."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise ColumnError(
            f"{what} lacks {', '.join(missing)}: it has {', '.join(map(str, table.columns))}"
        )
