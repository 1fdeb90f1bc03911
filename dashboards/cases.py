"""Incidents as columns: the open ones, and those of the last 35 days, each with its grid.

Figures look at what is open now and at a window of five weeks, never at the whole history, so
their cost stays the same while the history grows. Of a change only the changed rows are read and
put in the place of the old ones. Rows are ordered by the time of the report, then as stored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from dashboards.city import City
from geo.figures import last_year_span
from geo.incidents import OPEN_STAGES
from geo.io.workspace import Workspace
from geo.schema import STAGES

WINDOW_DAYS = 35
"""Thirty days of trend, and four same weekdays before today."""

MOST_CHANGED = 20_000
"""With more changed rows than that everything is read again, which is quicker."""

Times = npt.NDArray[np.datetime64]
Texts = npt.NDArray[np.object_]

_COLUMNS = (
    "incident_id", "class_code", "category", "lon", "lat", "stage", "reported_at", "deadline",
    "closed_at", "owner", "level", "paused_until", "address",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cases:
    """Columns of incidents in the order of `reported`; times are UTC, NaT where empty."""

    stamp: str
    fid: npt.NDArray[np.int64]
    """Number of the row in the table."""
    ids: Texts
    class_code: Texts
    category: Texts
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    row: npt.NDArray[np.int32]
    """Row of the grid, -1 outside of all grids or without a place."""
    stage: Texts
    stage_code: npt.NDArray[np.int8]
    """Number of the stage in `geo.schema.STAGES`."""
    reported: Times
    deadline: Times
    closed: Times
    owner: Texts
    """The unit or department that has it now, empty if none does."""
    level: Texts
    paused_until: Times
    address: Texts

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def is_open(self) -> npt.NDArray[np.bool_]:
        """Whether each is in an open stage."""
        return np.asarray(self.frame["stage"].isin(OPEN_STAGES).to_numpy(dtype=bool))

    @cached_property
    def placed(self) -> npt.NDArray[np.bool_]:
        """Whether each has coordinates."""
        return np.isfinite(self.lon) & np.isfinite(self.lat)

    @cached_property
    def position(self) -> dict[str, int]:
        """Number of each by its id."""
        return {str(label): k for k, label in enumerate(self.ids)}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The columns that `geo.figures` takes, numbered like the others."""
        times = {
            "reported_at": self.reported,
            "deadline": self.deadline,
            "closed_at": self.closed,
            "paused_until": self.paused_until,
        }
        return pd.DataFrame(
            {"stage": pd.Categorical.from_codes(self.stage_code, categories=list(STAGES))}
            | {name: pd.DatetimeIndex(values).tz_localize("UTC") for name, values in times.items()}
        )


@dataclass(frozen=True, eq=False)
class PastYear:
    """What was reported a year before: for the trends of the city and of each unit."""

    day: datetime
    """The day for which it was read."""
    reported: pd.Series
    row: npt.NDArray[np.int32]
    lon: npt.NDArray[np.float64]
    lat: npt.NDArray[np.float64]
    known_since: datetime | None
    """The first record of the city."""


def utc64(moment: datetime) -> np.datetime64:
    """A zone-aware moment as numpy has it, in UTC to the millisecond."""
    return np.datetime64(pd.Timestamp(moment).tz_convert("UTC").tz_localize(None), "ms")


def window_start(at: datetime) -> datetime:
    """From when on closed cases are kept."""
    return at - timedelta(days=WINDOW_DAYS)


def read_cases(workspace: Workspace, city: City, at: datetime) -> tuple[Cases, int]:
    """Read what is open, and what was reported, due or closed within the window before `at`.

    Also gives the number after which changes are new (`Workspace.changes_since`).
    """
    table = workspace.table("incidents")
    start = window_start(at)
    # One index a part; joined by OR the database would look at every row.
    wanted = sa.union(
        *(
            sa.select(table.c.fid).where(condition)
            for condition in (
                table.c.stage.in_(OPEN_STAGES),
                table.c.reported_at >= start,
                table.c.closed_at >= start,
                table.c.deadline >= start,
            )
        )
    )
    with workspace.reading() as conn:
        seq = workspace.changes_since(None, conn=conn).seq
        rows = conn.execute(_select(table).where(table.c.fid.in_(wanted))).all()
    return _cases_of(rows, city, workspace.stamp("incidents")), seq


def read_changed(
    workspace: Workspace, city: City, known: Cases, seq: int, at: datetime
) -> tuple[Cases, int, frozenset[int] | None]:
    """Read the cases that changed since number `seq` into those that are known.

    Returns
    -------
    cases, seq, fids
        The cases now; the number to ask with the next time; `fid` of each case that changed, None
        if everything was read again.
    """
    table = workspace.table("incidents")
    with workspace.reading() as conn:
        changes = workspace.changes_since(seq, conn=conn)
        few = changes.fids is not None and len(changes.fids) <= MOST_CHANGED
        rows = _read_fids(conn, table, changes.fids or ()) if few else []
    fids = frozenset(changes.fids or ())
    # Asked for after the rows: the stamp of a change is never older than what was read of it.
    stamp = workspace.stamp("incidents")
    # A change that nobody noted was made past the triggers: what it touched is not known.
    if not few or (not fids and stamp != known.stamp):
        return (*read_cases(workspace, city, at), None)
    if not fids:
        return known, changes.seq, fids
    return put_in_place(known, fids, _cases_of(rows, city, stamp), at), changes.seq, fids


def put_in_place(known: Cases, fids: Collection[int], fresh: Cases, at: datetime) -> Cases:
    """The known cases without those of `fids`, with the fresh ones that the window holds."""
    fresh = _pick(fresh, _in_window(fresh, at))
    places = _same_places(known, fids, fresh)
    if places is not None:
        return _overwritten(known, places, fresh)
    keep = ~np.isin(known.fid, np.fromiter(fids, dtype=np.int64))
    both = _joined(_pick(known, keep), fresh)
    order = np.lexsort((both.fid, both.reported))
    return replace(_pick(both, order), stamp=fresh.stamp)


def _same_places(known: Cases, fids: Collection[int], fresh: Cases) -> npt.NDArray[np.intp] | None:
    """Where the fresh cases stand among the known ones, if none comes, goes or changes its place.

    So it is with every move of a case: then a tenth of the time does.
    """
    if len(fresh) != len(fids):
        return None
    places = np.searchsorted(known.reported, fresh.reported)
    while True:
        inside = places < len(known)
        if not inside.all() or (known.reported[places] != fresh.reported).any():
            return None
        # Of equal times the one with the same number; they are in its order.
        before = known.fid[places] < fresh.fid
        if not before.any():
            break
        places = places + before
    return places if (known.fid[places] == fresh.fid).all() else None


def _overwritten(known: Cases, places: npt.NDArray[np.intp], fresh: Cases) -> Cases:
    columns = {}
    for item in fields(Cases):
        if item.name != "stamp":
            columns[item.name] = getattr(known, item.name).copy()
            columns[item.name][places] = getattr(fresh, item.name)
    return Cases(stamp=fresh.stamp, **columns)


def prune(cases: Cases, at: datetime) -> Cases:
    """Without what the window no longer holds; the same object if that is nothing."""
    keep = _in_window(cases, at)
    return cases if keep.all() else _pick(cases, keep)


def _in_window(cases: Cases, at: datetime) -> npt.NDArray[np.bool_]:
    start = utc64(window_start(at))
    recent = [times >= start for times in (cases.reported, cases.closed, cases.deadline)]
    return np.asarray(cases.is_open | recent[0] | recent[1] | recent[2])


def _pick(cases: Cases, rows: npt.NDArray[np.generic]) -> Cases:
    names = [item.name for item in fields(Cases) if item.name != "stamp"]
    return Cases(stamp=cases.stamp, **{name: getattr(cases, name)[rows] for name in names})


def _joined(one: Cases, other: Cases) -> Cases:
    names = [item.name for item in fields(Cases) if item.name != "stamp"]
    columns = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names}
    return Cases(stamp=other.stamp, **columns)


def read_past_year(workspace: Workspace, city: City, at: datetime) -> PastYear:
    """Read when and where cases were reported a year before `at`, which is in the city's zone."""
    table = workspace.table("incidents")
    start, end = last_year_span(at)
    column = sa.type_coerce(table.c.reported_at, sa.Text)
    query = sa.select(column, table.c.lon, table.c.lat).where(
        (table.c.reported_at >= start) & (table.c.reported_at < end)
    )
    with workspace.reading() as conn:
        first = conn.execute(sa.select(sa.func.min(table.c.reported_at))).scalar_one()
        rows = conn.execute(query).all()
    times, lons, lats = zip(*rows, strict=True) if rows else ((), (), ())
    lon, lat = _floats(lons), _floats(lats)
    return PastYear(
        day=at.replace(hour=0, minute=0, second=0, microsecond=0),
        reported=pd.Series(pd.DatetimeIndex(_times(times)).tz_localize("UTC")),
        row=city.assign(lon, lat),
        lon=lon,
        lat=lat,
        known_since=None if first is None else pd.Timestamp(first).to_pydatetime(),
    )


def _select(table: sa.Table) -> sa.Select[tuple[object, ...]]:
    """The columns of cases, times as the file has them."""
    chosen = [table.c.fid, *(table.c[name] for name in _COLUMNS)]
    plain = [
        sa.type_coerce(column, sa.Text) if column.name in _TIME_COLUMNS else column
        for column in chosen
    ]
    return sa.select(*plain).order_by(sa.type_coerce(table.c.reported_at, sa.Text), table.c.fid)


_TIME_COLUMNS = ("reported_at", "deadline", "closed_at", "paused_until")
_STAGE_CODES = {name: code for code, name in enumerate(STAGES)}
_PER_QUERY = 900
"""Fewer than the least number of parameters that a build of SQLite takes."""


_Rows = Sequence[sa.Row[tuple[object, ...]]]


def _read_fids(conn: sa.Connection, table: sa.Table, fids: Collection[int]) -> _Rows:
    wanted, rows = sorted(fids), list[sa.Row[tuple[object, ...]]]()
    for k in range(0, len(wanted), _PER_QUERY):
        some = wanted[k : k + _PER_QUERY]
        rows += conn.execute(_select(table).where(table.c.fid.in_(some))).all()
    return rows


def _cases_of(rows: _Rows, city: City, stamp: str) -> Cases:
    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(_COLUMNS) + 1)
    found = dict(zip(("fid", *_COLUMNS), columns, strict=True))
    lon, lat = _floats(found["lon"]), _floats(found["lat"])
    cases = Cases(
        stamp=stamp,
        fid=np.array(found["fid"], dtype=np.int64),
        ids=_texts(found["incident_id"]),
        class_code=_texts(found["class_code"]),
        category=_texts(found["category"]),
        lon=lon,
        lat=lat,
        row=city.assign(lon, lat),
        stage=_texts(found["stage"]),
        stage_code=np.array([_STAGE_CODES.get(str(s), -1) for s in found["stage"]], dtype=np.int8),
        reported=_times(found["reported_at"]),
        deadline=_times(found["deadline"]),
        closed=_times(found["closed_at"]),
        owner=_texts(found["owner"]),
        level=_texts(found["level"]),
        paused_until=_times(found["paused_until"]),
        address=_texts(found["address"]),
    )
    return _pick(cases, np.lexsort((cases.fid, cases.reported)))


def _floats(values: Collection[object]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _texts(values: Collection[object]) -> Texts:
    out = np.empty(len(values), dtype=object)
    out[:] = [value or "" for value in values]
    return out


def _times(values: Collection[object]) -> Times:
    """Texts of the store's own form fast, those that another program wrote with care."""
    if all(value is None or (len(str(value)) == 24 and str(value)[-1] == "Z") for value in values):
        plain = ["NaT" if value is None else str(value)[:-1] for value in values]
        return np.array(plain, dtype="datetime64[ms]")
    moments = pd.to_datetime(pd.Series(list(values), dtype="str"), utc=True, format="ISO8601")
    return np.asarray(moments.dt.tz_localize(None).to_numpy(), dtype="datetime64[ms]")
