"""What time it is in the city: the wall's time, or that of an invented city in play."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from geo.io.demo import PlayClock, read_mark, read_play_clock
from geo.io.workspace import Workspace

Clock = Callable[[], datetime]

KEPT_S = 1.0
"""How long the clock of a play is taken from memory before the workspace is asked again."""


def utc_now() -> datetime:
    """The clock of a real server."""
    return datetime.now(UTC)


def city_clock(workspace: Workspace) -> Clock:
    """The clock of a workspace; only an invented city can have one of its own."""
    return utc_now if read_mark(workspace) is None else CityClock(workspace)


class CityClock:
    """Follows whoever plays in an invented city, at whatever speed; safe to share."""

    def __init__(self, workspace: Workspace, *, wall: Clock = utc_now) -> None:
        self._workspace = workspace
        self._wall = wall
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._play: PlayClock | None = None

    def __call__(self) -> datetime:
        """The city's time now."""
        with self._lock:
            if self._asked is None or time.monotonic() - self._asked > KEPT_S:
                self._play = read_play_clock(self._workspace)
                self._asked = time.monotonic()
            play = self._play
        now = self._wall()
        return now if play is None else play.read(now)
