"""Small groups are not shown to others, so that nobody can be recognised by a figure.

A count below the threshold goes, with everything that would tell it: rates, changes, weeks. Where
only one would be missing from a sum it could be worked out again, so the next smallest goes too
(complementary suppression; Willenborg & de Waal 2001, Elements of Statistical Disclosure Control).
Zero is no group and stays. Totals stay, since they hold everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

HIDDEN = "hidden"
"""The word in a column of verdicts or reasons where figures were taken out."""


def find_small(counts: pd.Series, least: int) -> pd.Index:
    """Find the units whose counts must not be shown.

    Parameters
    ----------
    counts
        People or cases by unit; missing ones tell nothing and stay as they are.
    least
        The smallest count that may be shown; 0 and 1 hide nothing.
    """
    known = counts.dropna()
    small = known[(known > 0) & (known < least)]
    if len(small) == 1:
        others = known[(known >= least)].sort_values(kind="stable")
        small = pd.concat([small, others.iloc[:1]])
    return small.index


def hide_units(
    table: pd.DataFrame, counts: Collection[str], least: int, *, keep: Sequence[str] = ("name",)
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
    """
    small: set[object] = set()
    for name in counts:
        small |= set(find_small(table[name], least))
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
