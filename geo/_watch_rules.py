"""Thresholds of alarms about patrols, and the hours of duty. Handed on by `geo.watch`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from geo._working_time import WorkingCalendar
from geo.errors import InputError


@dataclass(frozen=True)
class AlarmRules:
    """When alarms fire and when they are over; `geo/data/patrol_alarms.csv` says why."""

    off_post_delay_s: float = 600.0
    off_post_clear_s: float = 60.0
    out_of_grid_delay_s: float = 1800.0
    out_of_grid_clear_s: float = 60.0
    out_of_grid_m: float = 200.0
    no_signal_delay_s: float = 900.0
    no_signal_clear_s: float = 60.0
    standing_delay_s: float = 1200.0
    standing_clear_s: float = 30.0
    standing_m: float = 25.0
    risk_slack_min: float = 10.0
    near_m: float = 30.0
    most_accuracy_m: float = 60.0
    gap_s: float = 330.0
    duty_days: Literal["daily", "workdays"] = "daily"


@dataclass(frozen=True)
class Duty:
    """When people are on duty: hours of the day in the city's zone, every day or working days.

    An end before the begin lies on the next day.
    """

    begin: time
    end: time
    zone: ZoneInfo
    days: Literal["daily", "workdays"] = "daily"
    calendar: WorkingCalendar | None = None

    def __post_init__(self) -> None:
        if self.begin == self.end:
            raise InputError(f"duty begins and ends at {self.begin}: name two hours")
        if self.days == "workdays" and self.calendar is None:
            raise InputError("duty is on working days: give a calendar")

    def spans(self, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
        """The spans of duty that reach into the time between two moments, in order."""
        day, end = (t.astimezone(self.zone).date() for t in (first - timedelta(days=1), last))
        found = []
        while day <= end:
            if self._is_worked(day):
                begin, over = self._span(day)
                if over > first and begin <= last:
                    found.append((begin, over))
            day += timedelta(days=1)
        return found

    def _is_worked(self, day: date) -> bool:
        return self.days == "daily" or (
            self.calendar is not None and self.calendar.is_working_day(day)
        )

    def _span(self, day: date) -> tuple[datetime, datetime]:
        over = day if self.end > self.begin else day + timedelta(days=1)
        return (
            datetime.combine(day, self.begin, tzinfo=self.zone),
            datetime.combine(over, self.end, tzinfo=self.zone),
        )
