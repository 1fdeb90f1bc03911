"""A page of the list of cases: what is asked for, as statements that the indexes answer.

A page is found in two steps: the row numbers of its cases, which come from indexes alone, and then
those rows. Rows without a value come last in whatever direction; ties fall by the report and then
by row number, so pages never show a case twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, get_args

import sqlalchemy as sa

from geo.codes import ClassBook
from geo.deadlines import ClockState
from geo.errors import InputError
from geo.incidents import OPEN_STAGES
from geo.io._casebook_places import Members
from geo.schema import CASE_LEVELS, STAGES, TABLES

SORTS = tuple(name for name in TABLES["incidents"].names)
MAX_ROWS = 10_000
_DONE = ("closed", "cancelled")
INDEXED: dict[str, tuple[str, ...]] = {
    "incident_id": (),
    "reported_at": (),
    "deadline": (),
    "closed_at": ("deadline",),
    "stage": ("reported_at",),
    "class_code": ("stage", "reported_at"),
    "owner": ("stage", "reported_at"),
    "level": ("stage", "reported_at"),
}
"""Columns that the list is put in order by with an index, and the columns behind them in it (see
`geo.io.gpkg.INDEXES`); by the others it is sorted each time."""


@dataclass(frozen=True)
class CaseQuery:
    """Which cases, in which order, and which of them on the page; empty means no limit.

    Attributes
    ----------
    text
        Words with blanks between; each is looked for in id, description and address, capitals
        of the Latin alphabet as small letters.
    stages
        Any of `geo.schema.STAGES`.
    state
        What the clock says at the moment, one of `geo.deadlines.CLOCK_STATES`.
    class_codes
        Class codes (`E0102`), or beginnings of them (`E04`, `C`).
    class_group
        A group of incident classes: appearance, component …
    level, owner, source
        Who has it now; how it was reported.
    unit
        A grid, community, street or district whose case it is by its place; the one city has all;
        `zone:<zone_id>` a zone.
    since, until
        Reported from (included) to (not included).
    unplaced
        True: only cases without a place; False: only those with one.
    bbox
        West, south, east, north, degrees.
    sort, descending
        A column of `incidents`.
    offset, limit
        Rows before the page and rows of the page, at most `MAX_ROWS`.

    Raises
    ------
    InputError
        If a word is none of those, or a time has no zone.
    """

    text: str = ""
    stages: tuple[str, ...] = ()
    state: ClockState | None = None
    class_codes: tuple[str, ...] = ()
    class_group: str | None = None
    level: str | None = None
    owner: str | None = None
    source: str | None = None
    unit: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    unplaced: bool | None = None
    bbox: tuple[float, float, float, float] | None = None
    sort: str = "reported_at"
    descending: bool = True
    offset: int = 0
    limit: int = 100

    def __post_init__(self) -> None:
        # Lists are taken too; a query is a value that can be remembered.
        for name in ("stages", "class_codes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, given, known in (
            ("stages", self.stages, STAGES),
            ("state", (self.state,), (*get_args(ClockState), None)),
            ("level", (self.level,), (*CASE_LEVELS, None)),
            ("sort", (self.sort,), SORTS),
        ):
            for word in given:
                if word not in known:
                    told = ", ".join(str(k) for k in known if k is not None)
                    raise InputError(f"{name} is {word!r}: use one of {told}")
        for name, time in (("since", self.since), ("until", self.until)):
            if time is not None and time.tzinfo is None:
                raise InputError(f"{name} is {time}, without a zone: give a time with a zone")
        if self.offset < 0 or not 0 <= self.limit <= MAX_ROWS:
            raise InputError(
                f"offset is {self.offset} and limit is {self.limit}: give an offset from 0 and a"
                f" limit up to {MAX_ROWS:,}"
            )


def columns_of(table: sa.Table, *, walks: bool) -> Any:
    """The columns of a table by name.

    With `walks` no index is chosen by them, which leaves the order to decide: a plus sign in front
    says so to SQLite.
    """
    if not walks:
        return table.c
    return SimpleNamespace(
        **{
            column.name: sa.literal_column(f"+{table.name}.{column.name}", column.type)
            for column in table.c
        }
    )


def find_where(
    c: Any,
    query: CaseQuery,
    *,
    at: datetime,
    soon_h: float,
    classes: ClassBook,
    reads_text: bool,
) -> list[sa.ColumnElement[bool]]:
    """The conditions of a query on columns, but for its unit, and its text unless `reads_text`."""
    where: list[sa.ColumnElement[bool]] = []
    if query.stages:
        where.append(c.stage.in_(query.stages))
    if query.state is not None:
        where += _in_state(c, query.state, at, soon_h)
    if query.class_codes:
        where.append(sa.or_(*(_class_is(c.class_code, code) for code in query.class_codes)))
    if query.class_group:
        where.append(_group_is(c.class_code, query.class_group, classes))
    for name in ("level", "owner", "source"):
        word = getattr(query, name)
        if word:
            where.append(getattr(c, name) == word)
    if query.since is not None:
        where.append(c.reported_at >= query.since)
    if query.until is not None:
        where.append(c.reported_at < query.until)
    if query.unplaced is not None:
        where.append(c.lon.is_(None) if query.unplaced else c.lon.is_not(None))
    if query.bbox is not None:
        west, south, east, north = query.bbox
        where.append(c.lon.between(west, east) & c.lat.between(south, north))
    if reads_text:
        where += [_has_word(c, word) for word in query.text.split()]
    return where


def _in_state(
    c: Any, state: ClockState, at: datetime, soon_h: float
) -> list[sa.ColumnElement[bool]]:
    """What `geo.deadlines.read_clocks` says, the first that holds decides."""
    if state in ("done", "done_late"):
        late = c.closed_at > c.deadline
        ended = c.stage.in_(_DONE)
        return [ended, late if state == "done_late" else sa.func.coalesce(late, 0) == 0]
    is_open = c.stage.in_(OPEN_STAGES)
    if state == "late":
        return [is_open, c.deadline < at]
    in_time = sa.or_(c.deadline.is_(None), c.deadline >= at)
    if state == "paused":
        return [is_open, in_time, c.paused_until > at]
    runs = sa.or_(c.paused_until.is_(None), c.paused_until <= at)
    if state == "none":
        return [is_open, c.deadline.is_(None), runs]
    amber = at + timedelta(hours=soon_h)
    if state == "soon":
        return [is_open, c.deadline >= at, c.deadline <= amber, runs]
    # A deadline is kept to the millisecond, so one is amber up to and with its own.
    return [is_open, c.deadline > amber, runs]


def _class_is(column: Any, code: str) -> sa.ColumnElement[bool]:
    text = code.strip().upper()
    if len(text) >= 5:
        return column == text  # type: ignore[no-any-return]
    return sa.and_(column >= text, column < text + "\uffff")


def _group_is(column: Any, group: str, classes: ClassBook) -> sa.ColumnElement[bool]:
    if group == "component":
        return _class_is(column, "C")
    codes = classes.incident_codes(group)
    # Local classes need not be in the table.
    more = [_class_is(column, "E21")] if group == "extension" else []
    return sa.or_(column.in_(codes), *more)


def among(fid: Any, members: Members, *, as_flags: bool) -> sa.ColumnElement[bool]:
    """That a row number is one of these: as a list that leads to rows, or as a test of each."""
    if not as_flags:
        each = sa.func.json_each(json.dumps(members.numbers())).table_valued("value")
        return fid.in_(sa.select(each.c.value))  # type: ignore[no-any-return]
    flags = sa.literal(members.flags.tobytes(), sa.LargeBinary)
    yes = sa.literal(b"\x01", sa.LargeBinary)
    return sa.func.substr(flags, fid, 1, type_=sa.LargeBinary) == yes


def _has_word(c: Any, word: str) -> sa.ColumnElement[bool]:
    escaped = word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    pattern = f"%{escaped}%"
    return sa.or_(
        *(
            getattr(c, name).like(pattern, escape="\\")
            for name in ("incident_id", "description", "address")
        )
    )


def order_of(table: sa.Table, query: CaseQuery) -> list[sa.ColumnElement[Any]]:
    """The order of a query: its column, then those of its index, the row number; empty last."""
    names = dict.fromkeys([query.sort, *INDEXED.get(query.sort, ()), "fid"])
    order: list[sa.ColumnElement[Any]] = []
    for name in names:
        way = sa.desc(table.c[name]) if query.descending else sa.asc(table.c[name])
        # Empty values are the least in SQLite, so downwards they come last by themselves.
        is_first = name == query.sort and not query.descending
        order.append(way.nulls_last() if is_first else way)
    return order
