"""Who looked at whose track: a log that is only ever added to, shown to the worker it is about.

A look is noted before the track leaves, in a transaction of its own: what could not be noted is not
shown. One row says who looked, as what, at whose track, over which span and on which screen. A look
at everybody at once is one row with EVERYONE, and every worker finds it. The same person who looks
again within AGAIN_S at a part of what he was shown makes no second row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import sqlalchemy as sa

from geo.errors import InputError
from geo.io.workspace import Workspace

EVERYONE = "*"
"""In `track_views.worker_id`: the tracks of all workers were shown together."""

AGAIN_S = 600.0
"""A page that plays or scrubs asks again and again; within ten minutes that is one look. Our
assumption."""

_ASKED_AT_ONCE = 500


@dataclass(frozen=True)
class Look:
    """One person's look at tracks."""

    by: str
    role: str
    worker_ids: tuple[str, ...]
    """Whose; (EVERYONE,) for all."""
    since: datetime
    until: datetime
    screen: str
    """replay, sheet, passed, follow or export."""


def append_look(workspace: Workspace, look: Look, *, at: datetime, again_s: float = AGAIN_S) -> int:
    """Note a look; how many rows were added, one a worker unless he had been noted just before.

    Raises
    ------
    InputError
        If nobody is named as who looked or who was looked at, a time has no zone, or the span ends
        before it begins.
    StoreBusyError
        If another process held the workspace; nothing may be shown then.
    """
    _require_whole(look, at)
    whose = sorted(set(look.worker_ids))
    since = at - timedelta(seconds=again_s)
    # Most looks of a page that plays were noted before: those wait for no other writer.
    with workspace.reading() as conn:
        if not _new_ones(workspace, conn, look, whose, since):
            return 0
    with workspace.writing() as conn:
        fresh = _new_ones(workspace, conn, look, whose, since)
        rows = pd.DataFrame(
            {
                "view_id": [_number(look, worker, at) for worker in fresh],
                "at": pd.DatetimeIndex([at] * len(fresh)),
                "by": look.by,
                "role": look.role or None,
                "worker_id": fresh,
                "since": look.since,
                "until": look.until,
                "screen": look.screen,
            }
        )
        return workspace.append(conn, "track_views", rows)


def read_looks(
    workspace: Workspace, worker_id: str, *, since: datetime, until: datetime | None = None
) -> pd.DataFrame:
    """Who looked at the track of a worker from `since` on, the newest first.

    Returns
    -------
    DataFrame
        Indexed by `view_id`: `at`, `by`, `role`, `worker_id` (his own, or EVERYONE), `since`,
        `until`, `screen`.
    """
    table = workspace.table("track_views")
    where = table.c.worker_id.in_([worker_id, EVERYONE]) & (table.c.at >= since)
    if until is not None:
        where &= table.c.at < until
    return workspace.read("track_views", where=where, order_by=table.c.fid.desc())


def _require_whole(look: Look, at: datetime) -> None:
    if not look.by.strip():
        raise InputError("by is empty: nobody sees a track without a name")
    if not look.worker_ids or not all(worker.strip() for worker in look.worker_ids):
        raise InputError("worker_ids names nobody: name the workers, or EVERYONE")
    for name, moment in (("at", at), ("since", look.since), ("until", look.until)):
        if moment.tzinfo is None:
            raise InputError(f"{name} is {moment}, without a zone: give a time with a zone")
    if look.until < look.since:
        raise InputError(f"until is {look.until}, before since {look.since}: swap them")


def _new_ones(
    workspace: Workspace,
    conn: sa.Connection,
    look: Look,
    whose: Sequence[str],
    noted_since: datetime,
) -> list[str]:
    """Those of `whose` for whom no row of just now says the same."""
    table = workspace.table("track_views")
    known: set[str] = set()
    for begin in range(0, len(whose), _ASKED_AT_ONCE):
        query = sa.select(table.c.worker_id).where(
            table.c.worker_id.in_(whose[begin : begin + _ASKED_AT_ONCE]),
            table.c.at >= noted_since,
            table.c.by == look.by,
            sa.func.coalesce(table.c.role, "") == look.role,
            table.c.screen == look.screen,
            table.c.since <= look.since,
            table.c.until >= look.until,
        )
        known |= set(conn.execute(query).scalars())
    return _without(whose, known)


def _without(whose: Iterable[str], known: set[str]) -> list[str]:
    return [worker for worker in whose if worker not in known]


def _number(look: Look, worker: str, at: datetime) -> str:
    told = (look.by, look.role, worker, look.since, look.until, look.screen, at)
    return hashlib.blake2b(repr(told).encode(), digest_size=12).hexdigest()
