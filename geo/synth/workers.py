"""The field staff: grid workers, grid heads, police and assistants, each at a unit.

Which posts they hold, and the officials above them, are the matter of `geo.synth.roster`. A role
with at least one person a grid is spread over the grids, a smaller one over communities. Telephone
numbers begin with 000, which no telephone has.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from geo.synth.names import name_people
from geo.synth.presets import Preset

PATROL_ROLES = ("grid_worker", "assistant", "grid_head")
"""Who walks the rounds: the first of these roles that a city has."""


def hire_workers(
    rng: np.random.Generator,
    preset: Preset,
    grid_ids: list[str],
    community_codes: list[str],
    officials: int = 0,
) -> pd.DataFrame:
    """The field staff as rows of `workers`, indexed by `worker_id`.

    Where the preset states how many people there are in all, the grid workers are as many as the
    other roles and so many `officials` leave.
    """
    roles: list[str] = []
    units: list[str] = []
    wanted = dict(preset.roles)
    if preset.staff is not None:
        wanted["grid_worker"] = preset.staff - officials - sum(wanted.values())
    for role, count in wanted.items():
        places = grid_ids if count >= len(grid_ids) else community_codes
        # More people than places: everyone's second colleague goes to a place drawn by lot.
        order = np.concatenate(
            [
                np.arange(len(places)),
                *(rng.permutation(len(places)) for _ in range(count // len(places))),
            ]
        )[:count]
        roles += [role] * count
        units += [places[k] for k in order]
    n = len(roles)
    return pd.DataFrame(
        {
            "name": name_people(rng, n),
            "role": roles,
            "unit_code": units,
            "phone": [f"000{k:08d}" for k in range(1, n + 1)],
        },
        index=pd.Index([f"W{k:06d}" for k in range(1, n + 1)], name="worker_id", dtype="str"),
        dtype="str",
    )


def choose_patrols(workers: pd.DataFrame, grid_ids: list[str], most: int) -> pd.DataFrame:
    """Those who walk rounds with a phone: one of each grid, spread evenly if there are too many."""
    for role in PATROL_ROLES:
        mine = workers[(workers["role"] == role) & workers["unit_code"].isin(grid_ids)]
        if len(mine):
            break
    else:
        return workers.iloc[:0]
    first = mine[~mine["unit_code"].duplicated()]
    if len(first) > most:
        first = first.iloc[np.linspace(0, len(first) - 1, most).astype(int)]
    return first
