"""Fingerprints: all that the judgement of a day depends on, as a short text.

Fixes are known by the sealed files of the days around it and by what lies in the hot table under
their dates; the hot table is looked through once for each state of it. Borders, posts and rules
count by their content, so that another telephone number makes no month be judged again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path

import pandas as pd
import shapely
import sqlalchemy as sa

import geo
from dashboards.city import City
from dashboards.shift_judge import HEARD_DAYS, REACH
from dashboards.store import Store
from geo.io.rules import read_rounds

MOST_KNOWN = 50

FORMAT = 1
"""Of the kept tables; count up when they change."""

_CODE = ("rounds.py", "_rounds_*.py", "fixes.py", "_fixes_*.py")
_RULES = ("rounds.csv", "round_places.csv")
_PLACE_TABLES = ("assets", "cameras", "roads", "calendar", "devices")


class Prints:
    """Fingerprints of the days of a workspace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], str] = {}
        self._hot: tuple[tuple[object, ...], dict[str, str]] | None = None

    def of_day(self, day: date, city: City) -> str:
        """The fingerprint of a day."""
        store = self._store
        people = store.snapshot().workers.people
        parts = [
            str(FORMAT),
            code_print(),
            day.isoformat(),
            store.settings.timezone,
            *self._fixes(day),
            self._once(("borders", city.stamp), lambda: _borders(city)),
            self._once(("posts", store.workspace.stamp("workers")), lambda: _posts(people)),
            self.of_rules(),
        ]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    def _once(self, key: tuple[str, str], make: Callable[[], str]) -> str:
        """A fingerprint that is worked out once for a state of its tables."""
        if key not in self._known:
            self._known[key] = make()
            while len(self._known) > MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
        return self._known[key]

    def of_rules(self) -> str:
        """The fingerprint of schedule and places."""
        return f"{self._rules()}.{self._store.workspace.stamp(*_PLACE_TABLES)}"

    def has_fixes(self, day: date) -> bool:
        """Whether any fix of the day is stored."""
        folder = self._store.workspace.path / "fixes" / f"date={day.isoformat()}"
        if any(folder.glob("part-*.parquet")):
            return True
        midnight = self._midnight(day)
        return bool(self._hot_between(midnight, midnight + timedelta(days=1)))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(0), tzinfo=self._store.zone)

    def _fixes(self, day: date) -> list[str]:
        """Files and hot rows of the day, of what its rounds reach into, and of the days before, by
        which one knows whose phones are heard."""
        folder = self._store.workspace.path / "fixes"
        near = [day + timedelta(days=k) for k in range(-HEARD_DAYS, 2)]
        told = []
        for one in near:
            for file in sorted((folder / f"date={one.isoformat()}").glob("part-*.parquet")):
                stat = file.stat()
                told.append(f"{one.isoformat()} {file.name} {stat.st_size} {stat.st_mtime_ns}")
        midnight = self._midnight(day)
        until = midnight + timedelta(days=1, minutes=self._longest()) + REACH
        return told + self._hot_between(midnight - timedelta(days=HEARD_DAYS), until)

    def _longest(self) -> int:
        """Minutes of the longest round: so far may a round reach into the next day."""
        workspace = self._store.workspace

        def read() -> int:
            return max((rule.minutes for rule in read_rounds(workspace.path).rounds), default=0)

        return self._store.remember("shift-longest", self._rules(), read)

    def _hot_between(self, since: datetime, until: datetime) -> list[str]:
        """What the hot table has of each hour between two moments."""
        first, last = (f"{moment.astimezone(UTC):%Y-%m-%d %H}" for moment in (since, until))
        return [f"{hour} {hot}" for hour, hot in self._hot_hours().items() if first <= hour < last]

    def _hot_hours(self) -> dict[str, str]:
        """Count and last number of the hot fixes of each hour of UTC."""
        workspace = self._store.workspace
        fixes = workspace.table("fixes")
        with workspace.reading() as conn:
            last = conn.execute(sa.select(sa.func.max(fixes.c.fid))).scalar_one()
            state = (last, workspace.stamp("fixes"))
            if self._hot is not None and self._hot[0] == state:
                return self._hot[1]
            text = sa.func.substr(sa.type_coerce(fixes.c.time, sa.Text), 1, 13)
            query = sa.select(text, sa.func.count(), sa.func.max(fixes.c.fid)).group_by(text)
            rows = conn.execute(query).all()
        found = {str(hour).replace("T", " "): f"{count} {top}" for hour, count, top in rows}
        self._hot = (state, found)
        return found

    def _rules(self) -> str:
        """The city's own rules of rounds; ours are a part of the program."""
        folder = self._store.workspace.path / "rules"
        digest = hashlib.blake2b(digest_size=8)
        for name in _RULES:
            file = folder / name
            digest.update(name.encode() + (file.read_bytes() if file.is_file() else b""))
        return digest.hexdigest()


@cache
def code_print() -> str:
    """A fingerprint of the code and the tables that judge rounds."""
    folder = Path(geo.__file__).parent
    digest = hashlib.blake2b(digest_size=8)
    for pattern in _CODE:
        for file in sorted(folder.glob(pattern)):
            digest.update(file.read_bytes())
    for name in _RULES:
        file = folder / "data" / name
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def _borders(city: City) -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update("\n".join(str(label) for label in city.grids.index).encode())
    for shape in shapely.to_wkb(city.grids.geometry.to_numpy()):
        digest.update(shape)
    digest.update(city.places.to_csv().encode())
    return digest.hexdigest()


def _posts(people: pd.DataFrame) -> str:
    posts = people.reindex(columns=["unit_code", "role"]).astype(object).sort_index()
    return hashlib.blake2b(posts.to_csv().encode(), digest_size=8).hexdigest()
