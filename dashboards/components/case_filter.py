"""What a person filtered and sorted on `/incidents`, as the address says it.

What cannot be understood is left out, so that an old or mistyped address still shows cases; a
class or unit that nobody knows is kept, and finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from geo.deadlines import ClockState
from geo.incidents import OPEN_STAGES
from geo.schema import CASE_LEVELS

TABS = ("collected", "opened", "handling", "fed_back", "late", "all", "spots")
"""Quick filters, in their order; the first one is shown where the address names none."""

STAGES_OF = {
    "collected": ("collected",),
    "opened": ("opened",),
    "handling": ("dispatched", "handling"),
    "fed_back": ("fed_back",),
    "late": OPEN_STAGES,
}
CLOCKS = ("open", "late", "soon", "done")
DONE_STAGES = ("closed", "cancelled")
SORTS = {
    "id": "incident_id",
    "what": "class_code",
    "stage": "stage",
    "level": "level",
    "clock": "deadline",
    "reported": "reported_at",
}
"""Columns of the page that sort, and the column of the table behind each."""

MAX_ROWS = 500
MAX_TEXT = 100


@dataclass(frozen=True)
class CaseFilter:
    """One choice; None and empty mean no limit."""

    tab: str = TABS[0]
    text: str = ""
    class_code: str | None = None
    unit: str | None = None
    level: str | None = None
    source: str | None = None
    owner: str | None = None
    clock: str | None = None
    first: date | None = None
    last: date | None = None
    sort: str = "reported"
    descending: bool = True

    @property
    def stages(self) -> tuple[str, ...] | None:
        """The stages that the tab and the clock leave, None for all."""
        found = STAGES_OF.get(self.tab)
        if self.clock in ("open", "late", "soon"):
            return found or OPEN_STAGES
        if self.clock == "done":
            return tuple(s for s in DONE_STAGES if found is None or s in found)
        return found

    @property
    def state(self) -> ClockState | None:
        """What the clock must say, None for anything."""
        if self.tab == "late" or self.clock == "late":
            return "late"
        return "soon" if self.clock == "soon" else None

    @property
    def is_void(self) -> bool:
        """Whether tab and clock contradict each other, so that no case can fit."""
        both = {self.tab, self.clock}
        return self.stages == () or {"late", "soon"} <= both

    def reported_between(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """From the first moment of the first day to the first moment after the last day."""
        start = datetime.combine(self.first, time(), zone) if self.first else None
        end = datetime.combine(self.last + timedelta(days=1), time(), zone) if self.last else None
        return start, end

    def as_query(self) -> dict[str, str]:
        """The parts of an address that say it."""
        found = {
            "tab": self.tab,
            "q": self.text,
            "class": self.class_code or "",
            "unit": self.unit or "",
            "level": self.level or "",
            "source": self.source or "",
            "owner": self.owner or "",
            "clock": self.clock or "",
            "from": self.first.isoformat() if self.first else "",
            "to": self.last.isoformat() if self.last else "",
            "sort": f"{self.sort}.{'desc' if self.descending else 'asc'}",
        }
        return {name: value for name, value in found.items() if value}

    def with_tab(self, tab: str) -> CaseFilter:
        """The same filter under another tab."""
        return replace(self, tab=tab)


def read_filter(query: Mapping[str, Any]) -> CaseFilter:
    """The filter of an address."""

    def text(name: str) -> str:
        return str(query.get(name) or "").strip()[:MAX_TEXT]

    sort, _, direction = text("sort").partition(".")
    tab, level, clock = text("tab"), text("level"), text("clock")
    return CaseFilter(
        tab=tab if tab in TABS else TABS[0],
        text=text("q"),
        class_code=text("class") or None,
        unit=text("unit") or None,
        level=level if level in CASE_LEVELS else None,
        source=text("source") or None,
        owner=text("owner") or None,
        clock=clock if clock in CLOCKS else None,
        first=_day(text("from")),
        last=_day(text("to")),
        sort=sort if sort in SORTS else "reported",
        descending=direction != "asc" if sort in SORTS else True,
    )


def read_window(query: Mapping[str, Any]) -> tuple[int, int]:
    """Offset and number of the rows asked for, held to what one answer may carry."""
    return max(_number(query.get("offset"), 0), 0), min(
        max(_number(query.get("limit"), 100), 1), MAX_ROWS
    )


def _number(value: Any, otherwise: int) -> int:
    try:
        return int(str(value))
    except ValueError:
        return otherwise


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
