"""The city of twelve grids with a day of rounds whose board is known by hand.

Friday 2026-11-20, three rounds of an hour at 08:00, 12:00 and 18:00:

    grid  worker  morning              noon                  evening
    0     w1      walks: done          1 km away: missed     silent: unknown
    5     w2      15 min, then away:   lies still: partly    walks: done
                  partly
    1     w4      never a fix: unknown three times
    9 grids       nobody: vacant three times each

w3 is posted to grid 0 as well and has no phone, so nobody waits for him.
36 required = 2 done + 2 partly + 1 missed + 4 unknown + 27 vacant
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, create_workspace, open_workspace

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 11, 20)
KNOWN = {
    "required": 36, "done": 2, "partly": 2, "missed": 1, "unknown": 4, "vacant": 27,
    "running": 0, "ahead": 0,
}  # fmt: skip
EVERY_S = 20


def walk(
    worker: str, middle: tuple[float, float], hour: int, minutes: tuple[int, int], kind: str
) -> pd.DataFrame:
    """Fixes of a part of an hour: `walk` and `away` circle (1 km north), `still` lies there."""
    begin = datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=ZONE)
    second = np.arange(minutes[0] * 60, minutes[1] * 60, EVERY_S)
    turn = second * (1.1 / 60.0)  # 1.1 m/s on a circle of 60 m
    east = 60 * np.cos(turn) if kind != "still" else np.zeros(len(second))
    north = 60 * np.sin(turn) if kind != "still" else np.zeros(len(second))
    if kind == "away":
        north = north + 1000
    return pd.DataFrame(
        {
            "worker_id": worker,
            "time": pd.to_datetime([begin + timedelta(seconds=int(s)) for s in second], utc=True),
            "lon": middle[0] + east / 95_900,
            "lat": middle[1] + north / 110_900,
            "accuracy_m": 8.0,
            "mock": False,
        }
    )


def patrols(drawing: Any) -> pd.DataFrame:
    """The fixes of the drawing above."""
    one, other = drawing.middle(0), drawing.middle(5)
    parts = [
        walk("w1", one, 8, (0, 60), "walk"),
        walk("w1", one, 12, (0, 60), "away"),
        walk("w2", other, 8, (0, 15), "walk"),
        walk("w2", other, 8, (15, 60), "away"),
        walk("w2", other, 12, (0, 60), "still"),
        walk("w2", other, 18, (0, 60), "walk"),
    ]
    return pd.concat(parts, ignore_index=True)


def fill_patrols(workspace: Workspace, drawing: Any) -> None:
    """The city of the drawing with the day above sealed."""
    drawing.fill(workspace)
    more = pd.DataFrame(
        {
            "worker_id": ["w4"], "name": ["=孙四"], "role": ["grid_worker"],
            "unit_code": [drawing.ids[1]],
        }
    )  # fmt: skip
    with workspace.writing() as conn:
        workspace.append(conn, "workers", more)
    workspace.seal_fixes(patrols(drawing), timezone="Asia/Shanghai")


@dataclass(frozen=True)
class Patrolled:
    """What tests need of the drawing."""

    day: date
    known: dict[str, int]
    fixes: Callable[[], pd.DataFrame]
    fill: Callable[[Workspace], None]


@pytest.fixture(scope="session")
def patrolled(drawing: Any) -> Patrolled:
    """The day, what its board adds up to, and how to make the city."""
    return Patrolled(
        DAY, KNOWN, lambda: patrols(drawing), lambda workspace: fill_patrols(workspace, drawing)
    )


@pytest.fixture(scope="session")
def patrolled_folder(patrolled: Patrolled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the city; nobody changes its tables."""
    folder: Path = tmp_path_factory.mktemp("patrolled") / "city"
    with create_workspace(folder) as made:
        patrolled.fill(made)
    return folder


@pytest.fixture(scope="module")
def patrolled_store(patrolled_folder: Path, drawing: Any) -> Iterator[Store]:
    """The store of that city on the day after, at 14:09:32."""
    with open_workspace(patrolled_folder) as opened:
        yield Store(opened, Settings(), clock=lambda: drawing.at)
