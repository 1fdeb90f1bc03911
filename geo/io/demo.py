"""Write an invented city into a workspace, and know one again.

All tables go in by one transaction. The newest day of GPS fixes stays in the hot table `fixes`,
as it would while its rounds are walked; the days before it are sealed. The limits that its
deadlines were computed with, and who handles which class, go to the folder `rules`. A line in the
table `wangge_meta` says that the city is invented, so that `wangge play` never touches a real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

import pandas as pd
import sqlalchemy as sa

from geo.io.workspace import Workspace
from geo.schema import TABLES
from geo.synth import City

ZONE = "Asia/Shanghai"
"""The zone of every invented city: the day of a patrol is a day of this zone."""

MARK, CLOCK = "invented", "play"
"""Keys in `wangge_meta`: which invented city it is; the clock of whoever plays in it now."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CityMark:
    """Which invented city a workspace holds."""

    preset: str
    seed: int
    at: datetime


@dataclass(frozen=True)
class PlayClock:
    """The clock of an invented city that is being played: `city` at `wall`, then `speed` times."""

    wall: datetime
    city: datetime
    speed: float

    def read(self, wall: datetime) -> datetime:
        """The city's time at a moment of the wall clock."""
        return self.city + (wall - self.wall) * self.speed


def write_city(city: City, workspace: Workspace, *, progress: Progress | None = None) -> int:
    """Add the tables of a city to an empty workspace and count the rows.

    Parameters
    ----------
    city
        From `geo.synth.build_city`.
    workspace
        Open and empty.
    progress
        Called with the name of a table, its number from 1 and the number of tables.

    Raises
    ------
    InputError
        If a row is there already; the workspace is unchanged then.
    """
    names = [name for name in TABLES if name in city.tables]
    total = 0
    with workspace.writing() as conn:
        for number, name in enumerate(names, start=1):
            if progress is not None:
                progress(name, number, len(names))
            frame = city.tables[name]
            if name == "fixes":
                frame, sealed = _split_newest_day(frame)
                total += workspace.seal_fixes(sealed, timezone=ZONE)
            total += workspace.append(conn, name, frame)
        mark = {"preset": city.preset, "seed": city.seed, "at": city.at.isoformat()}
        _set(workspace, conn, MARK, json.dumps(mark))
    rules = workspace.path / "rules"
    rules.mkdir(exist_ok=True)
    for name, table in city.rules.items():
        table.to_csv(rules / f"{name}.csv", index=False)
    return total


def read_mark(workspace: Workspace) -> CityMark | None:
    """Which invented city a workspace holds; None for a real one, or one built before the mark."""
    text = _get(workspace, MARK)
    if text is None:
        return None
    mark = json.loads(text)
    return CityMark(mark["preset"], mark["seed"], datetime.fromisoformat(mark["at"]))


def read_play_clock(workspace: Workspace) -> PlayClock | None:
    """The clock of whoever plays in the city now; None while nobody does."""
    text = _get(workspace, CLOCK)
    if text is None:
        return None
    told = json.loads(text)
    wall, city = (datetime.fromisoformat(told[name]) for name in ("wall", "city"))
    return PlayClock(wall, city, told["speed"])


def write_play_clock(workspace: Workspace, clock: PlayClock | None) -> None:
    """Tell every process by which clock the city is played; None when the play is over."""
    text = None
    if clock is not None:
        told = asdict(clock) | {"wall": clock.wall.isoformat(), "city": clock.city.isoformat()}
        text = json.dumps(told)
    with workspace.writing() as conn:
        _set(workspace, conn, CLOCK, text)


def _get(workspace: Workspace, key: str) -> str | None:
    meta = workspace.metadata.tables["wangge_meta"]
    with workspace.reading() as conn:
        found: str | None = conn.execute(
            sa.select(meta.c.value).where(meta.c.key == key)
        ).scalar_one_or_none()
    return found


def _set(workspace: Workspace, conn: sa.Connection, key: str, value: str | None) -> None:
    meta = workspace.metadata.tables["wangge_meta"]
    conn.execute(meta.delete().where(meta.c.key == key))
    if value is not None:
        conn.execute(meta.insert().values(key=key, value=value))


def _split_newest_day(fixes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The fixes of the newest day that has any, and the others."""
    if fixes.empty:
        return fixes, fixes
    day = fixes["time"].dt.tz_convert(ZONE).dt.date
    newest = (day == day.max()).to_numpy()
    return fixes[newest], fixes[~newest]
