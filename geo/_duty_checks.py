"""Checks of appointments: posts that nobody holds, posts held twice, rows that mean nothing.

Public names are handed on by `geo.responsibility`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from geo._duty_tables import (
    ALWAYS,
    NEVER,
    Duty,
    RoleBook,
    labels_of,
    micro_of,
    moment_of,
    read_duties,
    texts,
)
from geo._problems import REASONS, Reason, join_problems
from geo._units import Unit, UnitTree
from geo.errors import InputError
from geo.schema import STORAGE_CRS

DUTY_REASONS: dict[str, Reason] = {
    key: REASONS[key]
    for key in (
        "post_vacant", "post_gap", "post_double", "level_vacant", "duty_dates", "unknown_unit",
        "unknown_worker",
    )
}  # fmt: skip
"""Reasons of problems with appointments, in the shape of `geo.checks.REASONS`."""

_HEADS = {
    "community": "community_head",
    "street": "street_head",
    "district": "district_head",
    "city": "city_head",
}


class _Book:
    """Everything that the checks look at, read once."""

    def __init__(
        self,
        duties: pd.DataFrame | None,
        workers: pd.DataFrame,
        divisions: pd.DataFrame,
        grids: pd.DataFrame,
        departments: pd.DataFrame | None,
        roles: pd.DataFrame | None,
        window: tuple[datetime | None, datetime],
    ) -> None:
        self.tree = UnitTree(divisions, grids, departments)
        self.roles = RoleBook(roles)
        self.duties, self.source = read_duties(duties, workers)
        self.until = micro_of(window[1])
        self.since = self.until if window[0] is None else micro_of(window[0])
        if self.since > self.until:
            raise InputError(f"since is {window[0]}, later than at, {window[1]}: swap them")
        self.names = dict(zip(labels_of(workers, "worker_id"), texts(workers["name"]), strict=True))
        self.shapes = {"grid": _shapes(grids)}
        self.division_shapes = _shapes(divisions)
        self.posts: dict[tuple[str, str], list[Duty]] = {}
        for duty in self.duties:
            self.posts.setdefault((duty.unit_code, duty.role), []).append(duty)
        self.levels = {unit.code: unit.level for unit in self.tree.all_units()}

    def shape(self, unit: Unit | None) -> object:
        if unit is None or unit.level == "department":
            return None
        shapes = self.shapes["grid"] if unit.level == "grid" else self.division_shapes
        return None if shapes is None else shapes[unit.row]

    def name(self, worker_id: str) -> str:
        return f"{self.names.get(worker_id, '?')} ({worker_id})"

    def expected(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for unit, role in self.posts:
            level = self.levels.get(unit, "")
            if self.roles.find(role, level).expected:
                found.setdefault(level, set()).add(role)
        return found


_Row = tuple[str, str, str, object, int | None]
"""Reason, id, detail, shape, row."""


def find_gaps_in_duty(
    duties: pd.DataFrame | None,
    workers: pd.DataFrame,
    divisions: pd.DataFrame,
    grids: pd.DataFrame,
    departments: pd.DataFrame | None = None,
    *,
    at: datetime,
    since: datetime | None = None,
    roles: pd.DataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Find posts that nobody holds, now or at times since a day.

    A post is expected where its role is (`duty_roles`) and some unit of the level has had it. A
    level of the city at which nobody has answered for anything is one problem, not one a unit.

    Parameters
    ----------
    duties, workers, divisions, grids, departments, roles
        As for `ChainIndex`.
    at
        Now: units in force at it should have their posts filled.
    since
        Report times without a holder between this and `at` too. Before the first appointment
        nothing is known, and nothing reported.

    Returns
    -------
    GeoDataFrame
        In the shape of `geo.checks`: table `duties`, id the unit, reason `post_vacant`,
        `post_gap` or `level_vacant`; the detail has the role, the dates and who stands in; the
        geometry is that of the unit. A deputy who stands in does not fill the post.

    Raises
    ------
    InputError
        If a moment has no zone, or `since` is later than `at`.
    """
    book = _Book(duties, workers, divisions, grids, departments, roles, (since, at))
    return _table([*_vacant(book), *_past_gaps(book), *_empty_levels(book)], "duties")


def find_doubles_in_duty(
    duties: pd.DataFrame | None,
    workers: pd.DataFrame,
    divisions: pd.DataFrame,
    grids: pd.DataFrame,
    departments: pd.DataFrame | None = None,
    *,
    at: datetime,
    since: datetime | None = None,
    roles: pd.DataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Find posts of one that two hold at once, one rank held twice, one person appointed twice.

    Several holders are fine where the role says so (`many`: grid workers, police). Arguments
    and answer are those of `find_gaps_in_duty`, with the reason `post_double` and one problem a
    post, role and rank.
    """
    book = _Book(duties, workers, divisions, grids, departments, roles, (since, at))
    return _table(list(_doubles(book)), "duties")


def check_duties(
    duties: pd.DataFrame | None,
    workers: pd.DataFrame,
    divisions: pd.DataFrame,
    grids: pd.DataFrame,
    departments: pd.DataFrame | None = None,
    *,
    at: datetime,
    since: datetime | None = None,
    roles: pd.DataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Check appointments: gaps, doubles, units and people that are not there, dates.

    Arguments and answer are those of `find_gaps_in_duty`. Rows of `duties` that mean nothing
    have its id and row; without duties only gaps and doubles are looked for, since
    `geo.checks.check_workers` looks at the units of workers.
    """
    book = _Book(duties, workers, divisions, grids, departments, roles, (since, at))
    rows = [*_vacant(book), *_past_gaps(book), *_empty_levels(book), *_doubles(book)]
    if book.source == "duties" and duties is not None:
        rows += _strange(book, labels_of(duties, "duty_id"))
    return _table(rows, "duties")


def _vacant(book: _Book) -> Iterator[_Row]:
    """Expected posts of units in force that have no holder now."""
    expected = book.expected()
    for unit in book.tree.units(book.until):
        for role in sorted(expected.get(unit.level, ())):
            entries = book.posts.get((unit.code, role), [])
            if any(_holds(d, book.until) for d in entries if d.rank <= 1):
                continue
            ended = [d.end for d in entries if d.rank <= 1 and d.begin < d.end <= book.until]
            since = f"nobody since {_day(max(ended))}" if ended else "nobody yet"
            stand_in = sorted(
                (d.rank, d.worker_id) for d in entries if d.rank > 1 and _holds(d, book.until)
            )
            deputy = f", {book.name(stand_in[0][1])} stands in" if stand_in else ""
            detail = f"{role}: {since}{deputy}"
            yield "post_vacant", unit.code, detail, book.shape(unit), None


def _past_gaps(book: _Book) -> Iterator[_Row]:
    """Times between two holders, as far as they lie between since and now."""
    if book.since == book.until:
        return
    for (code, role), entries in book.posts.items():
        unit = book.tree.find(code, book.until)
        if unit is None or not book.roles.find(role, unit.level).expected:
            continue
        held = sorted((d.begin, d.end) for d in entries if d.rank <= 1 and d.begin < d.end)
        reached = held[0][1] if held else NEVER
        for begin, end in held[1:]:
            low, high = max(reached, book.since), min(begin, book.until)
            if low < high:
                detail = f"{role}: nobody from {_day(reached)} to {_day(begin)}"
                yield "post_gap", code, detail, book.shape(unit), None
            reached = max(reached, end)


def _empty_levels(book: _Book) -> Iterator[_Row]:
    """Levels of the city that have units and no appointment in line at all."""
    units: dict[str, int] = {}
    for unit in book.tree.units(book.until):
        units[unit.level] = units.get(unit.level, 0) + 1
    answered = {
        book.levels.get(code, "")
        for code, role in book.posts
        if book.roles.find(role, book.levels.get(code, "")).kind == "line"
    }
    for level in ("grid", *_HEADS):
        if units.get(level) and level not in answered:
            example = f", such as {_HEADS[level]}" if level in _HEADS else ""
            detail = f"none of {units[level]} at the level {level} has anyone in line{example}"
            yield "level_vacant", level, detail, None, None


def _doubles(book: _Book) -> Iterator[_Row]:
    for (code, role), entries in book.posts.items():
        unit = book.tree.find(code, book.until)
        level = "" if unit is None else unit.level
        many = book.roles.find(role, level).many
        ranks: dict[int, list[Duty]] = {}
        for duty in entries:
            if duty.begin < duty.end and duty.begin <= book.until and duty.end > book.since:
                ranks.setdefault(max(duty.rank, 1), []).append(duty)
        for rank, held in sorted(ranks.items()):
            clash = _first_clash(held, many and rank == 1)
            if clash is not None:
                one, two = clash
                begin, end = max(one.begin, two.begin), min(one.end, two.end)
                who = f"{book.name(one.worker_id)} and {book.name(two.worker_id)}"
                if one.worker_id == two.worker_id:
                    who = f"{book.name(one.worker_id)} twice"
                detail = f"{role}, rank {rank}: {who}, {_span(begin, end)}"
                yield "post_double", code, detail, book.shape(unit), None


def _first_clash(held: list[Duty], many: bool) -> tuple[Duty, Duty] | None:
    """The first two that are in force at one moment; where many may be, of one person only.

    All of them touch the window asked for, so two that meet do so inside it.
    """
    groups: dict[str, list[Duty]] = {}
    for duty in sorted(held, key=lambda d: (d.begin, d.end, d.worker_id)):
        groups.setdefault(duty.worker_id if many else "", []).append(duty)
    found = [
        (one, two)
        for group in groups.values()
        for one, two in pairwise(group)
        if two.begin < one.end
    ]
    return min(found, key=lambda pair: (pair[1].begin, pair[1].worker_id), default=None)


def _strange(book: _Book, ids: list[str]) -> Iterator[_Row]:
    """Appointments whose unit, person or dates mean nothing."""
    for duty in book.duties:
        label = ids[duty.row]
        if duty.begin >= duty.end:
            detail = f"from {_day(duty.begin)} until {_day(duty.end)}"
            yield "duty_dates", label, detail, None, duty.row
        if duty.worker_id not in book.names:
            yield "unknown_worker", label, f"worker_id {duty.worker_id}", None, duty.row
        unit = book.tree.find(duty.unit_code, book.until)
        if unit is None:
            yield "unknown_unit", label, f"unit_code {duty.unit_code}", None, duty.row
        elif _holds(duty, book.until) and unit.end <= book.until:
            detail = f"unit_code {duty.unit_code}, which ended on {_day(unit.end)}"
            yield "unknown_unit", label, detail, book.shape(unit), duty.row


def _holds(duty: Duty, moment: int) -> bool:
    return duty.begin <= moment < duty.end


def _day(micro: int) -> str:
    moment = moment_of(micro)
    if moment is None:
        return "ever" if micro == ALWAYS else "open"
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _span(begin: int, end: int) -> str:
    start = "" if begin == ALWAYS else f"from {_day(begin)}"
    stop = "" if end == NEVER else f"to {_day(end)}"
    return " ".join(part for part in (start, stop) if part) or "without dates"


def _shapes(frame: pd.DataFrame) -> NDArray[np.object_] | None:
    if not isinstance(frame, gpd.GeoDataFrame):
        return None
    shapes: NDArray[np.object_] = frame.geometry.to_numpy()
    return shapes


def _table(rows: list[_Row], table: str) -> gpd.GeoDataFrame:
    """The table of problems of `geo.checks`, with the reasons of this module."""
    geometry = np.full(len(rows), None, dtype=object)
    for k, row in enumerate(rows):
        if row[3] is not None and not shapely.is_missing(row[3]):
            geometry[k] = row[3]
    frame = gpd.GeoDataFrame(
        {
            "table": pd.Series([table] * len(rows), dtype="str"),
            "id": pd.Series([row[1] for row in rows], dtype="str"),
            "reason": pd.Series([row[0] for row in rows], dtype="str"),
            "detail": pd.Series([row[2] for row in rows], dtype="str"),
            "severity": pd.Series([DUTY_REASONS[r[0]].severity for r in rows], dtype="str"),
            "row": pd.Series([row[4] for row in rows], dtype="Int64"),
        },
        geometry=geometry,
        crs=STORAGE_CRS,
    )
    return join_problems([frame])
