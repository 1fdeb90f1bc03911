"""The numbered events of `/live`: one ring that every screen reads from its own place.

Numbers have no gap and begin with 1 for each start of the server. A screen that asks for what the
ring no longer holds is told so and loads anew; so a slow screen costs no memory.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from dataclasses import dataclass

KEPT_EVENTS = 5_000
KEPT_BYTES = 32_000_000
"""What the ring holds: some minutes of a large city, and never more memory than that."""


@dataclass(frozen=True)
class Event:
    """One numbered event, ready to send; worded ones by language, others under the empty name."""

    number: int
    kind: str
    data: dict[str, bytes]

    @property
    def size(self) -> int:
        """Bytes that it takes in the ring."""
        return sum(map(len, self.data.values()))

    def text(self, boot: str, language: str) -> bytes:
        """The event as it is sent."""
        data = self.data[language if language in self.data else ""]
        return frame(self.kind, data, f"{boot}-{self.number}")


class Ring:
    """The last events, numbered without gaps. Safe to share between threads.

    Parameters
    ----------
    kept, kept_bytes
        How many events it holds, and how large all of them may be.
    boot
        Names this start of the server; numbers of another one mean nothing here.
    """

    def __init__(
        self, *, kept: int = KEPT_EVENTS, kept_bytes: int = KEPT_BYTES, boot: str | None = None
    ) -> None:
        self.boot = boot if boot is not None else secrets.token_hex(4)
        self._kept, self._kept_bytes = kept, kept_bytes
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._last = 0
        self._is_closed = False
        self._news = threading.Condition()

    @property
    def last(self) -> int:
        """Number of the newest event, 0 before the first."""
        return self._last

    @property
    def is_closed(self) -> bool:
        """Whether the server is about to end."""
        return self._is_closed

    def add(self, kind: str, data: dict[str, bytes]) -> Event:
        """Number an event and wake up everyone who waits."""
        with self._news:
            event = Event(self._last + 1, kind, data)
            self._last = event.number
            self._events.append(event)
            self._bytes += event.size
            while len(self._events) > self._kept or (
                self._bytes > self._kept_bytes and len(self._events) > 1
            ):
                self._bytes -= self._events.popleft().size
            self._news.notify_all()
            return event

    def after(self, number: int, timeout_s: float) -> list[Event] | None:
        """Wait for events behind a number; empty when none came, None if some are gone already."""
        with self._news:
            if self._last <= number and not self._is_closed:
                self._news.wait(timeout_s)
            if number > self._last or (self._events and number < self._events[0].number - 1):
                return None
            first = self._last - len(self._events)
            skip = number - first
            return [self._events[k] for k in range(skip, len(self._events))]

    def place_of(self, last_id: str) -> int | None:
        """The number that an id of ours names, if what comes behind it is still here."""
        boot, _, text = last_id.rpartition("-")
        if boot != self.boot or not text.isdecimal():
            return None
        number = int(text)
        first = self._last - len(self._events)
        return number if first <= number <= self._last else None

    def close(self) -> None:
        """End every connection."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()


def frame(kind: str, data: bytes, number: str = "") -> bytes:
    """An event as server-sent events are written."""
    head = f"id: {number}\n" if number else ""
    return head.encode() + b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
