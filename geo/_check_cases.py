"""Checks of incidents against their logs, and of what the rest of the city says of them.

Public names are handed on by `geo.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._check_rows import _labels, _shapes_or_none, moments_of
from geo._problems import join_problems, make_problems
from geo.incidents import OPEN_STAGES, RECORDED, summarise

Bools = npt.NDArray[np.bool_]
_TEXTS = ("stage", "owner", "level", "condition")


def check_cases(incidents: pd.DataFrame, *, units: Iterable[str] | None = None) -> gpd.GeoDataFrame:
    """Check that an open case has no close time, and that whoever has it is there.

    `units` are the ids of grids, divisions and departments; without them owners are not checked.
    An owner is looked at while the case is open: who is gone may have closed cases.
    """
    labels, shapes = _labels(incidents, "incidents"), _shapes_or_none(incidents)
    is_open = incidents["stage"].isin(OPEN_STAGES).to_numpy(dtype=bool)
    found = []
    if "closed_at" in incidents:
        rows = np.flatnonzero(is_open & incidents["closed_at"].notna().to_numpy())
        when = moments_of(incidents, "closed_at").iloc[rows]
        stages = zip(incidents["stage"].iloc[rows], when, strict=True)
        texts = [f"{stage}, closed_at {_word(moment)}" for stage, moment in stages]
        found.append(
            make_problems(
                "incidents", "open_closed", labels[rows], texts, shapes=shapes[rows], rows=rows
            )
        )
    if units is not None and "owner" in incidents:
        owner = incidents["owner"]
        strange = is_open & owner.notna().to_numpy() & ~owner.isin(set(units)).to_numpy()
        rows = np.flatnonzero(strange)
        texts = [f"owner {name}" for name in owner.iloc[rows]]
        found.append(
            make_problems(
                "incidents", "unknown_owner", labels[rows], texts, shapes=shapes[rows], rows=rows
            )
        )
    return join_problems(found)


def check_log(incidents: pd.DataFrame, log: pd.DataFrame) -> gpd.GeoDataFrame:
    """Check logs: numbered from 1 without holes, forward in time, and saying what the row says.

    A `recorded` row may be earlier than the one before, for it was told later. Of a case that was
    never moved here the deadline must be the one that the source told; of others it also depends
    on limits and pauses, which are not looked at.
    """
    moves = log.sort_values(["incident_id", "seq"], ignore_index=True)
    number = moves.groupby("incident_id").cumcount() + 1
    same = moves["incident_id"].eq(moves["incident_id"].shift())
    told = _is_told(moves)
    holes = (moves["seq"] != number).to_numpy(dtype=bool)
    back = (same & (moves["at"] < moves["at"].shift())).to_numpy(dtype=bool) & ~told
    found = []
    for hit, words in ((holes, "numbers are not 1, 2, 3"), (back, "earlier than the move before")):
        some = moves[hit].drop_duplicates("incident_id")
        texts = [f"move {seq}: {words}" for seq in some["seq"]]
        found.append(make_problems("incident_log", "log_order", some["incident_id"], texts))
    ids = pd.Index(_labels(incidents, "incidents"))
    strays = moves.loc[~moves["incident_id"].isin(ids), "incident_id"].drop_duplicates()
    found.append(make_problems("incident_log", "log_alone", strays))
    found.append(_compare(incidents.set_axis(ids), moves, told))
    return join_problems(found)


def _is_told(moves: pd.DataFrame) -> Bools:
    """Rows that a file told: of the move `recorded`, or of none."""
    if "move" not in moves:
        return np.zeros(len(moves), dtype=bool)
    told = moves["move"].isna() | (moves["move"] == RECORDED)
    return np.asarray(told, dtype=bool)


def _compare(rows: pd.DataFrame, moves: pd.DataFrame, told: Bools) -> gpd.GeoDataFrame:
    """Incidents whose row says something else than their log."""
    once = moves.drop_duplicates(["incident_id", "seq"])
    told = told[~moves.duplicated(["incident_id", "seq"]).to_numpy()]
    said = summarise(once)
    both = rows.index.intersection(said.index)
    row, log = rows.loc[both], said.loc[both]
    differs: dict[str, Bools] = {}
    for name in _TEXTS:
        if name in row and (name == "stage" or name in once):
            one, two = row[name].astype(object), log[name].astype(object)
            empty = one.isna() & two.isna()
            if name == "level":
                # A case is at the grid until a log says otherwise; a file need not say it.
                empty |= one.isna() & (two == "grid")
            differs[name] = ((one != two) & ~empty).to_numpy(dtype=bool)
    is_done = ~log["stage"].isin(OPEN_STAGES).to_numpy(dtype=bool)
    last = once.assign(_told=told).drop_duplicates("incident_id", keep="last")
    ended_by_file = last.set_index("incident_id")["_told"].reindex(both).to_numpy(dtype=bool)
    if "closed_at" in row:
        closed, ended = moments_of(row, "closed_at"), log["closed_at"]
        # A source that does not say when it closed a case leaves the row empty.
        unknown = closed.isna().to_numpy() & ended_by_file
        apart = (closed.dt.floor("ms") != ended.dt.floor("ms")).to_numpy(dtype=bool)
        differs["closed_at"] = is_done & apart & ~unknown & ~differs["stage"]
    if "paused_until" in row and "until" in once:
        paused = _unequal(moments_of(row, "paused_until"), log["postponed_until"])
        differs["paused_until"] = paused & ~differs["stage"] & ~ended_by_file
    if "deadline" in row and "until" in once:
        differs["deadline"] = _deadline_differs(row, once, told, both)
    found = []
    for name, hit in differs.items():
        ids = both[hit]
        other = log[name] if name in log else pd.Series("", index=both)
        texts = [
            f"{name} {_word(a)}, the log says {_word(b)}" if name in log else f"{name} {_word(a)}"
            for a, b in zip(row[name][hit], other[hit], strict=True)
        ]
        found.append(make_problems("incidents", "log_disagrees", ids, texts))
    return join_problems(found)


def _deadline_differs(row: pd.DataFrame, log: pd.DataFrame, told: Bools, both: pd.Index) -> Bools:
    """Cases that only files have told of, with another deadline than the last that was told."""
    moved = set(log.loc[~told, "incident_id"])
    until = log[told & log["until"].notna().to_numpy()]
    last = until.drop_duplicates("incident_id", keep="last").set_index("incident_id")["until"]
    due = pd.to_datetime(last.reindex(both), utc=True)
    here = np.array([label in moved for label in both], dtype=bool)
    return np.asarray(_unequal(moments_of(row, "deadline"), due) & ~here, dtype=bool)


def _unequal(one: pd.Series, two: pd.Series) -> Bools:
    """Moments that differ; two empty ones are the same."""
    gone = one.isna().to_numpy(), two.isna().to_numpy()
    apart = (one.dt.floor("ms").to_numpy() != two.dt.floor("ms").to_numpy()) & ~gone[0] & ~gone[1]
    return np.asarray(apart | (gone[0] != gone[1]), dtype=bool)


def _word(value: object) -> str:
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return "nothing"
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, pd.Timestamp) else str(value)
