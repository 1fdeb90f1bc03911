"""Write an invented city into a workspace.

All tables go in by one transaction. The newest day of GPS fixes stays in the hot table `fixes`,
as it would while its rounds are walked; the days before it are sealed.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from geo.io.workspace import Workspace
from geo.schema import TABLES
from geo.synth import City

ZONE = "Asia/Shanghai"
"""The zone of every invented city: the day of a patrol is a day of this zone."""

Progress = Callable[[str, int, int], None]


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
    return total


def _split_newest_day(fixes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The fixes of the newest day that has any, and the others."""
    if fixes.empty:
        return fixes, fixes
    day = fixes["time"].dt.tz_convert(ZONE).dt.date
    newest = (day == day.max()).to_numpy()
    return fixes[newest], fixes[~newest]
