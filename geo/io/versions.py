"""Boundary versions of a city: when each began, what it changed, which plan made it.

The city at the beginning of a version is that version: its own rows and those that it left alone.
Any moment in between is `Workspace.grids(at=...)`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from geo.errors import InputError
from geo.io.workspace import Workspace
from geo.schema import PARENT_CHANGES


def version_start(workspace: Workspace, version: int) -> datetime:
    """When a boundary version began (or will); the city as of then is that version.

    Raises
    ------
    InputError
        If there is no such version.
    """
    keys = workspace.read("grids", columns=["version", "valid_from"])
    begins = keys.loc[keys["version"] == version, "valid_from"]
    if begins.empty:
        known = ", ".join(str(n) for n in sorted(keys["version"].unique())) or "none"
        raise InputError(f"there is no boundary version {version}: there are {known}")
    found: datetime = begins.max().to_pydatetime()
    return found


def list_versions(workspace: Workspace, *, at: datetime) -> pd.DataFrame:
    """List the boundary versions, the newest first.

    Returns
    -------
    DataFrame
        By `version`: `begins`, `grids` (rows written), `total` (grids in force from then),
        `kept`, `changed`, `split_from`, `merged_from`, `made_from` (numbers of grids so made, by
        the table of parents), `ended` (codes that nobody bears any more), `plan_id`, `name`, `by`,
        `published_at` of the plan, and `state`: ahead, in_force, past.
    """
    with workspace.reading() as conn:
        keys = workspace.read("grids", columns=["valid_from", "valid_to"], conn=conn).reset_index()
        parents = workspace.read("grid_parents", columns=["change"], conn=conn).reset_index()
        plans = workspace.read("plans", conn=conn).reset_index()
        moves = workspace.read("plan_moves", conn=conn).reset_index()
    moment = pd.Timestamp(at).tz_convert("UTC")
    found: list[dict[str, Any]] = []
    for version, rows in keys.groupby("version"):
        begins = rows["valid_from"].max()
        then = (keys["valid_from"] <= begins) & ~(keys["valid_to"] <= begins)
        gone = set(keys.loc[keys["valid_to"] == begins, "grid_id"]) - set(keys.loc[then, "grid_id"])
        made = parents[parents["version"] == version]
        by_grid = made.groupby("change")["grid_id"].nunique()
        row: dict[str, Any] = {
            "version": int(version),
            "begins": begins,
            "grids": len(rows),
            "total": int(then.sum()),
            "ended": len(gone),
        }
        row |= {change: int(by_grid.get(change, 0)) for change in PARENT_CHANGES}
        plan = plans[plans["version"] == version]
        row |= {"plan_id": None, "name": None, "by": None, "published_at": pd.NaT}
        if len(plan):
            mine = moves[
                (moves["plan_id"] == plan["plan_id"].iloc[0]) & (moves["state"] == "approved")
            ].sort_values("seq")
            row |= {"plan_id": plan["plan_id"].iloc[0], "name": plan["name"].iloc[0]}
            if len(mine):
                row |= {"by": mine["by"].iloc[-1], "published_at": mine["at"].iloc[-1]}
        found.append(row)
    if not found:
        names = ["begins", "grids", "total", "ended", *PARENT_CHANGES]
        names += ["plan_id", "name", "by", "published_at", "state"]
        return pd.DataFrame(columns=names, index=pd.Index([], name="version"))
    table = pd.DataFrame(found).sort_values(["begins", "version"], ascending=False)
    begun = (table["begins"] <= moment).to_numpy()
    state = np.where(begun, "past", "ahead").astype(object)
    if begun.any():
        state[int(np.flatnonzero(begun)[0])] = "in_force"
    return table.assign(state=state).set_index("version")
