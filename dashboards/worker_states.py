"""The state of each worker as pages show it: on duty, off post, no signal, standing, SOS, off duty.

What is true says `geo.watch` through `store.watching`; here it is only lined up with the positions.
A worker it says nothing of goes by the age of the position: on duty up to `on_duty_minutes`, then
without a signal. Someone who called for help shows as SOS from the moment at which the call is in
the tables until it is acknowledged or over, whatever else is believed of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboards.figures import Snapshot
from dashboards.store import Store

STATES = ("on_duty", "off_post", "no_signal", "standing", "sos", "off_duty")
"""Their places in this tuple are the numbers that `/live` tells; `on_duty` is the usual one."""

ON_DUTY, NO_SIGNAL = STATES.index("on_duty"), STATES.index("no_signal")
SOS, OFF_DUTY = STATES.index("sos"), STATES.index("off_duty")

Codes = npt.NDArray[np.int8]

_CODES = {name: code for code, name in enumerate(STATES)}


def told_states(store: Store) -> dict[str, str]:
    """What is said of workers by whoever watches them; empty while nobody does."""
    watching = store.watching
    return {} if watching is None else dict(watching.states)


def states_mark(store: Store) -> str:
    """Another text whenever what is said of workers may be another."""
    watching = store.watching
    return store.workspace.stamp("patrol_alarms") if watching is None else f"w{watching.mark}"


def find_states(
    snapshot: Snapshot, told: dict[str, str], calling: frozenset[str], *, at: pd.Timestamp
) -> Codes:
    """The state of each position of a snapshot, in its order, as numbers of STATES.

    Parameters
    ----------
    told
        By worker, from `told_states`.
    calling
        Who called for help and waits; see `dashboards.patrol_lines`.
    at
        The present moment, which may be later than that of the snapshot.
    """
    positions = snapshot.workers.positions
    reach = pd.Timedelta(minutes=snapshot.settings.on_duty_minutes)
    is_fresh = (at - positions["time"]).abs() < reach
    found = np.where(is_fresh, ON_DUTY, NO_SIGNAL).astype(np.int8)
    if told:
        said = [_CODES.get(told.get(label, ""), -1) for label in positions.index]
        codes = np.array(said, dtype=np.int8)
        found = np.where(codes >= 0, codes, found).astype(np.int8)
    if calling:
        found[positions.index.isin(list(calling))] = SOS
    return found


def count_states(
    snapshot: Snapshot, told: dict[str, str], calling: frozenset[str], mine: npt.NDArray[np.bool_]
) -> dict[str, int]:
    """How many of some registered people are in each state.

    `mine` tells who of `snapshot.workers.people` counts. Who never sent a position lately and of
    whom nobody says anything is off duty: nobody knows that they should be there.
    """
    people, positions = snapshot.workers.people.index, snapshot.workers.positions
    at = pd.Timestamp(snapshot.at)
    codes = np.append(find_states(snapshot, told, calling, at=at), OFF_DUTY)
    found = codes[positions.index.get_indexer(people)]
    if told:
        said = np.array([_CODES.get(told.get(label, ""), -1) for label in people], dtype=np.int8)
        found = np.where((said >= 0) & (found != SOS), said, found)
    if calling:
        found[people.isin(list(calling))] = SOS
    counted = np.bincount(found[mine], minlength=len(STATES))
    return dict(zip(STATES, counted.tolist(), strict=True))
