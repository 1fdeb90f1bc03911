"""Who works in the city, as what and when: workers, departments, duties, the working calendar.

Roles are read by the words of `geo/data/state_words.csv`, others stay as the source says them. A
duty names a worker who is there, by the number or by a name that only one worker has; whether its
unit is there is not asked (it may come later), only told.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo.io import fields, times
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger, list_words
from geo.io.workspace import Workspace
from geo.schema import TABLES

_CLOSED_NAMES = 5


def settle_workers(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Roles of workers by words, else as the source says; without any a grid worker."""
    draft = require_values(draft, wishes.kind, ledger, ("name",))
    if "role" not in draft:
        ledger.note("no column for role: all are taken as grid_worker")
        ledger.defaults.add("role")
        return draft.assign(role="grid_worker")
    known = fields.match_words("role", draft["role"])[0]
    return draft.assign(role=known.fillna(draft["role"]).fillna("grid_worker"))


def settle_duties(
    workspace: Workspace, draft: pd.DataFrame, wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """Roles, people and dates of appointments; who is not there cannot be appointed."""
    draft = _name_workers(workspace, draft, ledger)
    draft = require_values(draft, "duties", ledger, ("unit_code", "role", "worker_id"))
    known = fields.match_words("role", draft["role"])[0]
    draft = draft.assign(role=known.fillna(draft["role"]))
    rank = draft["rank"] if "rank" in draft else pd.Series(pd.NA, draft.index, dtype="Int64")
    if "rank" not in draft:
        ledger.note("no column for rank: all hold their posts, nobody stands in")
        ledger.defaults.add("rank")
    draft = draft.assign(rank=rank.mask(rank < 1).fillna(1))
    draft = _begin_now(draft, wishes, ledger)
    if "valid_to" in draft:
        turned = (draft["valid_to"] <= draft["valid_from"]).to_numpy(dtype=bool)
        draft = ledger.reject(draft, turned, "appointed until before it begins")
    workers = set(workspace.read("workers", columns=[]).index)
    strange = ~draft["worker_id"].isin(workers).to_numpy()
    draft = ledger.reject(draft, strange, "worker_id names nobody who is there", draft["worker_id"])
    return _point_out_units(workspace, draft, ledger)


def _begin_now(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """A roster without dates holds from the import on; of the time before nothing is known."""
    never = pd.Series(pd.NaT, index=draft.index, dtype="datetime64[us, UTC]")
    begin = draft.get("valid_from", never)
    count = int(begin.isna().sum())
    if count:
        ledger.note(f"{count:,} duties without a beginning hold from the time of this import")
    if "valid_from" not in draft:
        ledger.defaults.add("valid_from")
    return draft.assign(valid_from=begin.fillna(pd.Timestamp(wishes.at).tz_convert("UTC")))


def _name_workers(workspace: Workspace, draft: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Fill worker_id from a name, where exactly one worker bears it."""
    nothing = pd.Series(None, index=draft.index, dtype="str")
    number = draft.get("worker_id", nothing)
    if "worker_name" not in draft or number.notna().all():
        return draft.assign(worker_id=number)
    people = workspace.read("workers", columns=["name"])["name"]
    one = people[~people.duplicated(keep=False)]
    by_name = dict(zip(one, one.index, strict=True))
    named = number.isna() & draft["worker_name"].notna()
    many = named & draft["worker_name"].isin(people[people.duplicated()])
    draft = draft.assign(worker_id=number.fillna(draft["worker_name"].map(by_name).astype("str")))
    count = int((named & draft["worker_id"].notna()).sum())
    if count:
        ledger.note(f"{count:,} people found by their names")
    draft = ledger.reject(
        draft, many.to_numpy(), "several workers bear this name", draft["worker_name"]
    )
    lost = draft["worker_id"].isna() & draft["worker_name"].notna()
    return ledger.reject(draft, lost.to_numpy(), "no worker of this name", draft["worker_name"])


def _point_out_units(workspace: Workspace, draft: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    units: set[str] = set()
    for table in ("grids", "divisions", "departments"):
        key = TABLES[table].id
        units |= set(workspace.read(table, columns=[]).reset_index()[key])
    strange = ~draft["unit_code"].isin(units).to_numpy()
    if ledger.point_out(draft, strange, "unit_code is not there", draft["unit_code"]):
        counts = draft.loc[strange, "unit_code"].value_counts()
        ledger.warn(
            f"{int(strange.sum()):,} duties name a unit that is neither grid, division nor"
            f" department: {list_words(counts, _CLOSED_NAMES)}"
        )
    return draft


def settle_calendar(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Days as `YYYY-MM-DD`, each a working day or not."""
    days = draft["day"] if "day" in draft else pd.Series(None, index=draft.index, dtype="str")
    got = times.parse_times(days, timezone="UTC", order=wishes.date_order)
    if got.order is not None:
        ledger.note(f"dates of day are read {'month' if got.order == 'mdy' else 'day'} first")
        if "no value tells" in got.why:
            ledger.warn(f"day or month first? day: read month first; {got.why}")
    draft = ledger.reject(draft, got.unreadable, "day is no date", days)
    text = got.values.reindex(draft.index).dt.strftime("%Y-%m-%d").astype("str")
    draft = draft.assign(day=text, _id=text)
    if "is_workday" in draft:
        unclear = draft["is_workday"].isna().to_numpy()
        return ledger.reject(draft, unclear, "is_workday says neither yes nor no")
    return draft


def require_values(
    draft: pd.DataFrame, kind: str, ledger: Ledger, names: tuple[str, ...]
) -> pd.DataFrame:
    """Reject rows that leave one of these fields empty."""
    for name in names:
        empty = draft[name].isna().to_numpy() if name in draft else np.ones(len(draft), dtype=bool)
        draft = ledger.reject(draft, empty, f"no {name}")
    return draft
