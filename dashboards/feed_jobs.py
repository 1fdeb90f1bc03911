"""What runs beside the feeds while a city is served: sealing, retention, MQTT.

Every hour past days are sealed, and what is older than `keep_fixes_days` is deleted. A day is
sealed once it ended so long ago that no last position on the map can be in it (`position_hours`),
for until then its fixes are looked at all the time. The first deletion comes an hour after the
start, so that a folder that was opened by mistake is not emptied at once.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from datetime import datetime, timedelta

import sqlalchemy as sa

from dashboards.mqtt_feed import MqttFeed
from dashboards.store import Store
from geo.io.fixbook import FixBook
from geo.io.seal import delete_old, seal_past_days
from geo.io.shift_cache import drop_days
from geo.io.workspace import Workspace

log = logging.getLogger(__name__)

FIRST_S = 60.0
"""The first sealing comes so long after the start, when pages are warm."""

EVERY_S = 3600.0

SWITCH_S = 0.001
"""How long a thread may keep the interpreter while others want it; Python's own 5 ms add up. A
commit hands it over some ten times, and while the store computes in the background each of them
waited its turn: with 5 ms the 99th percentile of an acknowledgement was five times as long."""


class FixJobs:
    """Seals past days and deletes old ones in a thread of its own until `stop`."""

    def __init__(self, store: Store, *, first_s: float = FIRST_S, every_s: float = EVERY_S) -> None:
        self._store = store
        self._first_s, self._every_s = first_s, every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; once."""
        self._thread = threading.Thread(target=self._run, name="wangge-seal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End between two steps and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def run_once(self, *, deletes: bool) -> None:
        """Seal what is due and, if asked, delete what is over."""
        workspace, settings, at = self._store.workspace, self._store.settings, self._store.clock()
        if deletes:
            gone = delete_old(workspace, settings.keep_fixes_days, at, is_over=self._stop.is_set)
            if gone.days or gone.deleted:
                log.info(
                    "deleted %d sealed days and %d fixes that are older than %d days",
                    len(gone.days), gone.deleted, settings.keep_fixes_days,
                )  # fmt: skip
            if settings.keep_fixes_days:
                forget_places(workspace, at - timedelta(days=settings.keep_fixes_days))
        wait = timedelta(hours=settings.position_hours)
        done = seal_past_days(workspace, at, wait=wait, is_over=self._stop.is_set)
        if done.days:
            log.info("sealed %d fixes of %d days", done.sealed, len(done.days))

    def _run(self) -> None:
        begun = time.monotonic()
        pause = self._first_s
        while not self._stop.wait(pause):
            pause = self._every_s
            try:
                self.run_once(deletes=time.monotonic() - begun >= self._every_s)
            # The end of a thread: whatever comes is told in the log, and tried again in an hour.
            except Exception:
                log.exception("past days could not be sealed")


def forget_places(workspace: Workspace, before: datetime) -> None:
    """Delete what else tells where somebody was: judged days, and the places of alarms."""
    drop_days(workspace.path, before.astimezone(workspace.zone).date())
    alarms = workspace.table("patrol_alarms")
    old = (alarms.c.fired_at < before) & alarms.c.lon.is_not(None)
    if workspace.count("patrol_alarms", old):
        with workspace.writing() as conn:
            conn.execute(sa.update(alarms).where(old).values(lon=None, lat=None, detail=None))
            workspace.touch(conn, "patrol_alarms")


class FeedJobs:
    """All that runs beside the routes: `start` after the app is made, `stop` when serving ends.

    `stop` closes the book as well: what waits is written first.
    """

    def __init__(self, store: Store, book: FixBook) -> None:
        self._book = book
        self._fixes = FixJobs(store)
        self._switch_s: float | None = None
        settings = store.settings
        self._mqtt = MqttFeed(book, settings) if settings.mqtt_host else None

    def start(self) -> None:
        """Begin.

        Raises
        ------
        SettingsError
            If `mqtt_host` is set and the extra `mqtt` is not installed.
        """
        if self._mqtt is not None:
            self._mqtt.start()
        self._fixes.start()
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(min(SWITCH_S, self._switch_s))

    def stop(self) -> None:
        """End all of it: MQTT, sealing, the book."""
        if self._switch_s is not None:
            sys.setswitchinterval(self._switch_s)
        if self._mqtt is not None:
            self._mqtt.stop()
        self._fixes.stop()
        self._book.close()
