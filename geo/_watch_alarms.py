"""Alarms about patrols and states of workers as values. Handed on by `geo.watch`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from geo._duty_tables import micro_of

STATES = ("sos", "no_signal", "off_post", "standing", "on_duty", "off_duty")
"""The graver first; a worker who was never heard has none. `off_post` also stands for an open alarm
`out_of_grid`."""

Key = tuple[str, str, str, str]
"""Kind, worker, grid, shift: at most one alarm of a key is open."""


@dataclass(frozen=True)
class Alarm:
    """One alarm; times in UTC."""

    kind: str
    worker_id: str
    """Empty: it is about the grid, or about all phones."""
    grid_id: str
    shift: str
    began_at: datetime
    fired_at: datetime
    ended_at: datetime | None = None
    lon: float = float("nan")
    lat: float = float("nan")
    detail: Mapping[str, Any] = field(default_factory=dict)
    given_id: str = ""
    """Of an alarm that was stored before."""

    @property
    def alarm_id(self) -> str:
        """The same for the same alarm, whoever works it out."""
        return self.given_id or alarm_id(
            self.kind, self.worker_id, self.began_at, self.grid_id, self.shift
        )

    @property
    def key(self) -> Key:
        """What it is about."""
        if self.kind == "round_at_risk":
            return (self.kind, "", self.grid_id, self.shift)
        return (self.kind, self.worker_id, "", "")


@dataclass(frozen=True)
class Changes:
    """What a look found."""

    opened: tuple[Alarm, ...]
    ended: tuple[Alarm, ...]
    """With `ended_at`; one that opened since the last look may be among them."""
    states: dict[str, str]
    """State of each worker heard so far; the same object as before while nothing changed."""


def alarm_id(
    kind: str, worker_id: str, began_at: datetime, grid_id: str = "", shift: str = ""
) -> str:
    """An id of 16 hexadecimal digits that the same alarm always gets."""
    grid, shift = (grid_id, shift) if kind == "round_at_risk" else ("", "")
    text = "\x1f".join([kind, worker_id, grid, shift, str(micro_of(began_at))])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
