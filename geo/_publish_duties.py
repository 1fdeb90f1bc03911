"""Whose duties move when grids end: appointments end on the day and begin at the heir.

Who held a post of a grid that ends answers, from that moment on, for the grid that got most of its
households. Where that grid's post is held already, who comes stands in behind those who are there:
publishing dismisses nobody and leaves no post held twice. Appointments that ended before are never
touched; one that would only begin later is moved as it is, since it is no past yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from geo._duty_tables import RoleBook
from geo.errors import InputError

_COLUMNS = ["duty_id", "unit_code", "role", "worker_id", "rank", "valid_from", "valid_to"]


@dataclass(frozen=True)
class DutyMoves:
    """What changes in the tables `duties` and `workers`."""

    ended: tuple[str, ...]
    """`duty_id` of appointments that end at the moment."""
    begun: pd.DataFrame
    """Appointments that begin at it, as rows of `duties`."""
    moved: Mapping[str, str]
    """Appointments that had not begun: `duty_id` to the unit that they are for now."""
    workers: Mapping[str, str]
    """`worker_id` to the new `unit_code`."""
    vacant: tuple[str, ...]
    """New grids that nobody is appointed to."""


def move_duties(
    duties: pd.DataFrame,
    workers: pd.DataFrame,
    heirs: Mapping[str, str],
    *,
    from_: datetime,
    version: int,
    new: Collection[str] = (),
) -> DutyMoves:
    """Work out whose duties move when grids end.

    Parameters
    ----------
    duties, workers
        The tables, indexed by their ids.
    heirs
        For each grid that ends the one that its people go to.
    from_
        When the grids end.
    version
        Number of the boundary version; part of the new appointments' ids.
    new
        Codes of grids that did not exist before, to be named in `vacant` if nobody is there.

    Raises
    ------
    InputError
        If `from_` has no zone.
    """
    if from_.tzinfo is None:
        raise InputError(f"from_ is {from_} without a zone: add one, such as +08:00")
    moment = pd.Timestamp(from_).tz_convert("UTC")
    table = duties.reset_index() if "duty_id" not in duties.columns else duties
    table = table.reindex(columns=_COLUMNS).astype({"unit_code": "str", "role": "str"})
    lasts = table["valid_to"].isna() | (table["valid_to"] > moment)
    concerned = table["unit_code"].isin(list(heirs)) & lasts
    ahead = concerned & (table["valid_from"] >= moment)
    now = table[concerned & ~ahead]
    begun = _begin(table[lasts & ~concerned], now, heirs, moment, version, set(table["duty_id"]))
    moved = {
        str(row.duty_id): heirs[str(row.unit_code)] for row in table[ahead].itertuples(index=False)
    }
    unit = workers["unit_code"] if "unit_code" in workers else pd.Series(dtype="str")
    people = {str(who): heirs[str(code)] for who, code in unit.items() if code in heirs}
    held = {*table.loc[lasts, "unit_code"], *begun["unit_code"]}
    held |= {*unit.dropna().astype(str), *people.values()}
    return DutyMoves(
        tuple(sorted(map(str, now["duty_id"]))),
        begun,
        dict(sorted(moved.items())),
        dict(sorted(people.items())),
        tuple(sorted(set(new) - held)),
    )


def _begin(
    there: pd.DataFrame,
    leaving: pd.DataFrame,
    heirs: Mapping[str, str],
    moment: pd.Timestamp,
    version: int,
    known: set[str],
) -> pd.DataFrame:
    """The new appointments of those whose grid ends; `there` are those that stay."""
    book = RoleBook(None)
    ranks: dict[tuple[str, str], int] = {}
    holders: set[tuple[str, str, str]] = set()
    for row in there.itertuples(index=False):
        post = (str(row.unit_code), str(row.role))
        ranks[post] = max(ranks.get(post, 0), int(row.rank))
        holders.add((*post, str(row.worker_id)))
    rows = []
    order = leaving.sort_values(["rank", "unit_code", "worker_id", "duty_id"])
    for row in order.itertuples(index=False):
        post = (heirs[str(row.unit_code)], str(row.role))
        if (*post, str(row.worker_id)) in holders:
            continue
        holders.add((*post, str(row.worker_id)))
        many = book.find(post[1], "grid").many
        rank = int(row.rank) if many else ranks.get(post, 0) + 1
        ranks[post] = max(ranks.get(post, 0), rank)
        name = number = f"{row.duty_id}-v{version}"
        more = 1
        while name in known:
            more += 1
            name = f"{number}-{more}"
        known.add(name)
        rows.append((name, *post, str(row.worker_id), rank, moment, row.valid_to))
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    text = dict.fromkeys(("duty_id", "unit_code", "role", "worker_id"), "str")
    return frame.astype({**text, "rank": np.int64}).assign(
        valid_from=pd.to_datetime(frame["valid_from"], utc=True).astype("datetime64[us, UTC]"),
        valid_to=pd.to_datetime(frame["valid_to"], utc=True).astype("datetime64[us, UTC]"),
    )
