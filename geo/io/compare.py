"""Boundary versions of a workspace, and comparisons of its cases on one of them."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from geo._compare_periods import Against, Period, PeriodKind
from geo.compare import (
    Boundary,
    CaseRows,
    Comparison,
    compare,
    find_period,
    period_before,
    year_earlier,
)
from geo.errors import InputError
from geo.io.rules import Rules
from geo.io.workspace import Workspace


def read_boundary(
    workspace: Workspace, *, at: datetime | None = None, version: int | None = None
) -> Boundary:
    """The grids in force at a moment, or when a version began, with divisions and zones.

    Parameters
    ----------
    at
        A moment with zone; None: now, the grids without an end.
    version
        Number of a boundary version: the grids in force from the moment that it began.

    Raises
    ------
    InputError
        If both are given, or no grid has that version.
    """
    if version is not None:
        if at is not None:
            raise InputError("at and version are both given: name one of them")
        table = workspace.table("grids")
        rows = workspace.read("grids", columns=["version", "valid_from"],
                              where=table.c.version == version)  # fmt: skip
        if not len(rows):
            raise InputError(f"no grid has version {version}: see wangge export grids")
        at = rows["valid_from"].min().to_pydatetime()
    grids = workspace.grids(at=at)
    zones = workspace.read("zones")
    return Boundary(grids, workspace.read("divisions"), zones if len(zones) else None, at=at)


def compare_city(
    cases: CaseRows,
    boundary: Boundary,
    rules: Rules,
    *,
    kind: PeriodKind = "month",
    day: date | None = None,
    against: Against = "last_year",
    level: str = "street",
    classes: tuple[str, ...] | None = None,
    at: datetime,
) -> Comparison:
    """Compare a period of a city with last year or the last period, as of a moment.

    Parameters
    ----------
    cases
        `geo.io.case_columns`.
    boundary
        From `read_boundary`.
    rules
        From `geo.io.rules.read_rules`: the calendar and the known classes.
    day
        Any day of the period; None: that of `at`.
    classes
        Class codes; CodeError for one that the rules do not know.

    Returns
    -------
    Comparison
        See `geo.compare.compare`.
    """
    zone = ZoneInfo(rules.calendar.zone)
    now = find_period(kind, day or at.astimezone(zone).date(), zone=zone, at=at)
    then = against_period(now, against)
    for code in classes or ():
        if code not in cases.classes:
            rules.classes.name(code)  # CodeError where no table knows it
    return compare(
        cases, boundary, now, then, level=level, classes=classes, calendar=rules.calendar
    )


def against_period(now: Period, against: Against) -> Period:
    """The other period by its word: `last_year` (同比) or `last_period` (环比)."""
    if against == "last_year":
        return year_earlier(now)
    if against == "last_period":
        return period_before(now)
    raise InputError(f"against is {against!r}: use last_year or last_period")
