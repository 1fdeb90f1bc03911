"""Small groups are not shown to others, so that nobody can be recognised by a figure.

A count below the threshold goes, with everything that would tell it: rates, changes, weeks. What is
missing from a sum could be worked out again: one alone, but also two of one case each, whose sum is
two. So the next smallest go too, until each hidden count could be another one, for somebody who
knows the total, the threshold and this rule (complementary suppression; Willenborg & de Waal 2001,
Elements of Statistical Disclosure Control).
Zero is no group and stays. Totals stay, since they hold everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

HIDDEN = "hidden"
"""The word in a column of verdicts or reasons where figures were taken out."""


def find_small(counts: pd.Series, least: int, parents: pd.DataFrame | None = None) -> pd.Index:
    """Find the units whose counts must not be shown.

    Parameters
    ----------
    counts
        People or cases by unit; missing ones tell nothing and stay as they are.
    least
        The smallest count that may be shown; 0 and 1 hide nothing.
    parents
        Indexed like `counts`, a column for each level above whose totals are shown elsewhere: the
        unit there, missing for none. What is hidden under one of them is kept from its total, too.
    """
    known = counts[counts > 0].sort_values(kind="stable")
    values = known.to_numpy(dtype=np.float64)
    hidden = values < least
    if not hidden.any():
        return counts.index[:0]
    _widen(values, hidden, np.arange(len(values)), least)
    above = [] if parents is None else [parents[name].reindex(known.index) for name in parents]
    # What goes under one unit may stand alone under another, so again until nothing more goes.
    before = -1
    while hidden.sum() != before:
        before = int(hidden.sum())
        for column in above:
            for rows in column.groupby(column).indices.values():
                _widen(values, hidden, np.asarray(rows, dtype=np.int64), least)
    return counts.index[counts.index.isin(known.index[hidden])]


def _widen(
    values: npt.NDArray[np.float64], hidden: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64],
    least: int,
) -> None:  # fmt: skip
    """Hide more of these rows, the smallest first, until none can be told from their sum."""
    shown = [row for row in rows if not hidden[row]]
    while hidden[rows].any() and shown:
        mine = values[rows[hidden[rows]]]
        if _is_safe(mine, float(values[shown[0]]), least):
            return
        hidden[shown.pop(0)] = True


def _is_safe(hidden: npt.NDArray[np.float64], top: float, least: int) -> bool:
    """Whether nobody can tell one of the small counts among the hidden ones from their sum.

    Who knows the sum knows of the small ones that they are 1 to least - 1, and of those that went
    with them that they are at least `least` and, as a rule, no more than `top`, the smallest that
    is shown. The sum itself must not be small either.
    """
    whole, few = float(hidden.sum()), int((hidden < least).sum())
    extra = len(hidden) - few
    if len(hidden) < 2 or whole < least:
        return False
    if not few or least == 2:
        # All small ones are one; only which ones they are can be kept.
        return extra > 0
    low = max(1.0, whole - (few - 1) * (least - 1) - (extra * top if extra else 0.0))
    high = min(least - 1.0, whole - (few - 1) - extra * least)
    return bool(high > low)


def hide_units(
    table: pd.DataFrame,
    counts: Collection[str],
    least: int,
    *,
    keep: Sequence[str] = ("name",),
    parents: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Take the figures of small units out of a table.

    Parameters
    ----------
    table
        Units by code.
    counts
        Its columns that count; a unit that is small in any of them loses all its figures.
    keep
        Columns that stay. Of text columns whose name ends in `verdict` or `reason` the word
        becomes HIDDEN; all others become missing.
    parents
        See `find_small`.
    """
    small: set[object] = set()
    for name in counts:
        small |= set(find_small(table[name], least, parents))
    rows = table.index.isin(list(small))
    found = table.copy()
    for name in found.columns:
        if name in keep or not rows.any():
            continue
        if name.endswith(("verdict", "reason")):
            found[name] = found[name].astype(object).where(~rows, HIDDEN)
        elif pd.api.types.is_bool_dtype(found[name]):
            found[name] = found[name].where(~rows, False)
        else:
            found[name] = found[name].astype(float).where(~rows, np.nan)
    return found


def fold_small(table: pd.DataFrame, count: str, least: int, *, into: str) -> pd.DataFrame:
    """Put small rows together into one, in front of the last, so that every column still adds up.

    Parameters
    ----------
    table
        Rows that add up to the last one, its total; all columns count.
    count
        The column that says how small a row is.
    into
        Label of the row that they become.
    """
    rows, total = table.iloc[:-1], table.iloc[-1:]
    small = list(find_small(rows[count], least))
    if not small:
        return table
    # A sum of small ones may be small itself: more go in until it is none, or none are left.
    order = rows[count].drop(small).sort_values(kind="stable").index
    for label in order:
        if rows.loc[small, count].sum() >= least:
            break
        small.append(label)
    folded = rows.loc[small].sum().to_frame().T
    folded.index = pd.Index([into], name=table.index.name)
    return pd.concat([rows.drop(small), folded.astype(rows.dtypes), total])
