"""Work that is done because somebody asks for it: in one thread, what was asked last first.

A request says what it looks at, again and again while it looks. What nobody has asked for in
WANTED_S is left, so a page that goes away, or says stop, ends its work. The thread ends when there
was nothing to do for IDLE_S and begins again by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

WANTED_S = 15.0
"""How long a thing stays asked for without being asked again; a page asks every second or two."""

AFTER_FAILURE_S = 30.0
"""What failed is left for so long; those who give `is_due` keep to it."""

IDLE_S = 20.0
"""The thread ends when there was nothing to do for so long."""


class AskedFor(Generic[K]):
    """What is asked for lately, and the one thread that works on it. Safe to share.

    Parameters
    ----------
    name
        Of the thread.
    is_due
        Whether a thing must be worked on at a time of `tick`; called with `lock` held.
    work
        Works on a thing, and answers for its own failures; called without `lock`.
    tick
        A clock that only goes forward, seconds.
    threaded
        Whether to work in a thread; without one, asking does the work (tests).
    """

    def __init__(
        self,
        name: str,
        is_due: Callable[[K, float], bool],
        work: Callable[[K], None],
        *,
        tick: Callable[[], float],
        threaded: bool = True,
    ) -> None:
        self._name = name
        self._is_due = is_due
        self._do = work
        self._tick = tick
        self.threaded = threaded
        self._wanted: dict[K, float] = {}
        self.lock = threading.RLock()
        """Guards what `is_due` looks at, too."""
        self._work = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._stopped = False

    def ask(self, things: Iterable[K]) -> None:
        """Somebody looks at these; the first is worked on first."""
        with self.lock:
            now = self._tick()
            for number, thing in enumerate(things):
                # A little earlier for each, so that they are taken in their order.
                self._wanted[thing] = now - number * 1e-6
        if self.threaded:
            self._wake()
            return
        while self.step():
            pass

    def cancel(self, things: Iterable[K]) -> None:
        """Nobody waits for these any more; one that is being worked on is still finished."""
        with self.lock:
            for thing in things:
                self._wanted.pop(thing, None)

    def is_wanted(self, thing: K) -> bool:
        """Whether somebody asked for it lately."""
        return self._tick() - self._wanted.get(thing, -1e9) < WANTED_S

    def step(self) -> bool:
        """Work on what is asked for most; False if there is nothing to do."""
        with self.lock:
            waiting = self._waiting()
            if not waiting:
                return False
            thing = max(waiting, key=lambda one: self._wanted[one])
        self._do(thing)
        return True

    def stop(self) -> None:
        """End the thread and wait for it."""
        with self.lock:
            self._stopped = True
            self._wanted.clear()
            self._work.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _waiting(self) -> list[K]:
        now = self._tick()
        self._wanted = {one: at for one, at in self._wanted.items() if now - at < WANTED_S}
        return [one for one in self._wanted if self._is_due(one, now)]

    def _wake(self) -> None:
        with self.lock:
            if self._stopped or not self._waiting():
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._work.notify_all()

    def _run(self) -> None:
        while True:
            if self.step():
                continue
            with self.lock:
                if self._stopped or (not self._work.wait(IDLE_S) and not self._waiting()):
                    self._thread = None
                    return
