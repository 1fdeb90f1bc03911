"""Let an invented city live: people walk their beats, cases come in and move on, some go amiss.

Nothing here sleeps, writes or looks at a clock. `Player.advance(to)` tells what happens up to a
moment of the city's own time: fixes as a table, reports and moves as wishes, calls for help.
Whoever plays writes them and tells the player what became of each case (`take`), for the player
never assumes that a wish was granted: a dispatcher on a page may have been quicker.

    player = Player(tables, rng=rng, start=start, workers=400)
    tick = player.advance(start + timedelta(seconds=10))

The same tables, generator and steps give the same city, and a long step the same fixes as many
short ones give in number, though not the same places: lots fall in another order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
from geopandas import GeoDataFrame

from geo.errors import InputError
from geo.synth._play_cases import CasePlay, Spot
from geo.synth._play_cases import KnownCase as KnownCase
from geo.synth._play_cases import MoveWish as MoveWish
from geo.synth._play_cases import ReportWish as ReportWish
from geo.synth._play_mishaps import CALL_REST_S, CYCLE_MS, Mishaps, moment
from geo.synth._play_mishaps import SosCall as SosCall
from geo.synth.roster import OFFICIAL_ROLES
from geo.synth.walk import StreetNet, Walkers, assign_beats

Ints = npt.NDArray[np.int64]
Tables = Mapping[str, pd.DataFrame]

EVERY_S = 10
"""Seconds of the city's time between two fixes of one phone."""
FIELD_ROLES = ("grid_worker", "assistant", "grid_head", "police")
"""Who walks first; anybody else only if more walkers are asked for than there are of these."""

DRIFT_M, DRIFT_KEPT, NOISE_M = 4.0, 0.85, 1.5
"""GPS drift as in `geo.synth.patrols`: an AR(1) walk, and noise on top."""
STOP_SHARE, STOP_S = 0.012, (30, 240)
"""Chance to stop at a step (to look, to talk), and for how long."""
DARK_SHARE, DARK_S = 0.0008, (240, 720)
"""Chance to lose the signal at a step, and for how long: a gap is no proof of absence."""
WILD_SHARE, WILD_M = 0.0015, 100.0
"""Chance of a wild position, and how far away it is at most."""

FIX_COLUMNS = (
    "worker_id", "time", "lon", "lat", "accuracy_m", "speed_kmh", "mock", "source",
)  # fmt: skip
SOURCE = "play"
"""What stands in `fixes.source` of a fix that was played."""


@dataclass(frozen=True)
class Tick:
    """What happens in one step; fixes as the table `fixes` wants them, in order of time."""

    fixes: pd.DataFrame
    reports: tuple[ReportWish, ...]
    moves: tuple[MoveWish, ...]
    calls: tuple[SosCall, ...] = ()


class Player:
    """A city that lives from a moment on.

    Parameters
    ----------
    tables
        Of the city: `grids` (in force), `roads`, `workers`, `duties` and `incidents` (the open
        ones are enough), as a workspace gives them.
    rng
        Where all lots come from.
    start
        The moment from which it lives, with a zone.
    workers
        How many people walk; all of the field staff if left out.
    every_s
        Seconds of the city's time between two fixes of a phone.
    cases_a_day
        New cases a day; by default one a grid.
    mishaps
        How often people leave the post, phones die or are put down and somebody calls for help: 1
        as in `geo.synth._play_mishaps`, 0 never.

    Raises
    ------
    InputError
        If `start` has no zone, there are no workers or streets, or a number is not positive.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        rng: np.random.Generator,
        start: datetime,
        workers: int | None = None,
        every_s: int = EVERY_S,
        cases_a_day: float | None = None,
        mishaps: float = 1.0,
    ) -> None:
        if start.tzinfo is None:
            raise InputError(f"start is {start.isoformat()} without a zone: add one, as +08:00")
        if every_s < 1 or (workers is not None and workers < 1):
            raise InputError(f"every_s is {every_s}, workers {workers}: use numbers from 1")
        grids, roads = tables["grids"], tables["roads"]
        if not isinstance(grids, GeoDataFrame) or not isinstance(roads, GeoDataFrame):
            raise InputError("grids and roads have no shapes: read them whole")
        self.rng, self.now, self.every_s = rng, start.astimezone(UTC), every_s
        staff = tables["workers"]
        if not len(staff):
            raise InputError("there are no workers: import them first")
        beats = assign_beats(staff, grids, FIELD_ROLES)
        if workers is None:
            workers = max(1, int((~staff["role"].isin(OFFICIAL_ROLES)).sum()))
        beats = beats.iloc[:workers]
        self.worker_ids = beats.index.to_numpy(dtype=object)
        self.net = StreetNet(roads, grids)
        self.walkers = Walkers(rng, self.net, beats.to_numpy())
        n = len(beats)
        begin = int(self.now.timestamp())
        # Phones report at seconds of their own, so that the map does not jump as one.
        self._next = begin + rng.integers(0, every_s, n)
        self._rest, self._dark = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._drift = rng.normal(0, DRIFT_M, (2, n))
        if not 0 <= mishaps <= 10:
            raise InputError(f"mishaps is {mishaps}: use a number from 0 to 10")
        self.mishaps = Mishaps(rng.spawn(1)[0], n, begin, mishaps)
        self.cases = CasePlay(
            tables, rng, self.now, len(grids) if cases_a_day is None else cases_a_day
        )

    @property
    def open_cases(self) -> int:
        """How many cases the player moves on."""
        return len(self.cases.known)

    def advance(self, to: datetime) -> Tick:
        """Let the city live up to a moment of its own time, which must not be in its past.

        Raises
        ------
        InputError
            If `to` has no zone or lies before the moment reached.
        """
        if to.tzinfo is None:
            raise InputError(f"to is {to.isoformat()} without a zone: add one, as +08:00")
        if to < self.now:
            raise InputError(f"to is {to}, before {self.now}: time only goes forward")
        end = int(to.timestamp())
        parts = []
        while (due := np.flatnonzero(self._next <= end)).size:
            parts.append(self._walk(due))
            self._next[due] += self.every_s
        calls = tuple(self._call(at) for at in self.mishaps.calls(end))
        reports = self.cases.report(self.now, to, self._place)
        moves = self.cases.move(to)
        self.now = to.astimezone(UTC)
        return Tick(self._table(parts), reports, moves, calls)

    def take(
        self, incident_id: str, *, class_code: str, stage: str, grid_id: str | None, at: datetime
    ) -> None:
        """Know a case as it is now, and move it on in its time; one that is done is forgotten."""
        self.cases.take(incident_id, class_code, stage, grid_id, at)

    def drop(self, incident_id: str) -> None:
        """Leave a case to others."""
        self.cases.known.pop(incident_id, None)

    def _walk(self, rows: Ints) -> list[npt.NDArray[np.generic]]:
        """One fix of each of some walkers, at the time of their phones."""
        rng, when = self.rng, self._next[rows]
        n = len(rows)
        lot = rng.random((3, n))
        stops = (lot[0] < STOP_SHARE) & (self._rest[rows] <= when)
        self._rest[rows[stops]] = when[stops] + rng.integers(*STOP_S, int(stops.sum()))
        x, y = self.walkers.where(rows)
        self.mishaps.step(rows, when, self.every_s, x, y)
        walks = (self._rest[rows] <= when) & ~self.mishaps.rests(rows)
        self.walkers.step(rows, self.every_s, walks)
        x, y = self.walkers.where(rows)
        east, north = self.mishaps.shift_m(rows, when)
        x, y = x + east, y + north
        shock = rng.normal(0, DRIFT_M * np.sqrt(1 - DRIFT_KEPT**2), (2, n))
        drift = DRIFT_KEPT * self._drift[:, rows] + shock
        self._drift[:, rows] = drift
        noise = np.clip(drift + rng.normal(0, NOISE_M, (2, n)), -25, 25)
        wild = np.where(lot[1] < WILD_SHARE, rng.uniform(40, WILD_M, n), 0.0)
        angle = rng.uniform(0, 2 * np.pi, n)
        goes_dark = lot[2] < DARK_SHARE
        self._dark[rows[goes_dark]] = when[goes_dark] + rng.integers(*DARK_S, int(goes_dark.sum()))
        seen = (self._dark[rows] <= when) & ~self.mishaps.is_silent(rows)
        lon, lat = self.net.to_degrees(
            x + noise[0] + wild * np.cos(angle), y + noise[1] + wild * np.sin(angle)
        )
        pace_ms = np.where(walks, self.walkers.pace_ms[rows], 0.0)
        pace_ms = np.where(self.mishaps.is_riding(rows, when), CYCLE_MS, pace_ms)
        speed = pace_ms * 3.6 + rng.uniform(0, 0.4, n)
        accuracy = np.where(wild > 0, wild * 1.1, np.abs(rng.normal(8, 3, n)) + 2)
        columns = (rows, when, lon, lat, np.round(accuracy, 1), np.round(speed, 1))
        return [column[seen] for column in columns]

    def _table(self, parts: list[list[npt.NDArray[np.generic]]]) -> pd.DataFrame:
        none: list[npt.NDArray[np.generic]] = [np.zeros(0, np.int64)] * 2 + [np.zeros(0)] * 4
        row, when, lon, lat, accuracy, speed = (
            np.concatenate(column) for column in zip(none, *parts, strict=True)
        )
        order = np.lexsort([row, when])
        time = when[order].astype("datetime64[s]").astype("datetime64[us]")
        return pd.DataFrame(
            {
                "worker_id": self.worker_ids[row[order].astype(np.int64)],
                "time": pd.DatetimeIndex(time).tz_localize("UTC"),
                "lon": lon[order],
                "lat": lat[order],
                "accuracy_m": accuracy[order],
                "speed_kmh": speed[order],
                "mock": False,
                "source": SOURCE,
            },
            columns=list(FIX_COLUMNS),
        )

    def _call(self, at: int) -> SosCall:
        """Somebody calls for help, and stays there for a while."""
        row = self.mishaps.caller()
        self._rest[row] = max(self._rest[row], at + CALL_REST_S)
        x, y = self.walkers.where(np.array([row]))
        lon, lat = self.net.to_degrees(x, y)
        return SosCall(moment(at), str(self.worker_ids[row]), float(lon[0]), float(lat[0]))

    def _place(self) -> Spot:
        """Somewhere that somebody walks."""
        walker = int(self.rng.integers(len(self.worker_ids)))
        x, y = self.walkers.where(np.array([walker]))
        aside = self.rng.normal(0, 4.0, 2)
        lon, lat = self.net.to_degrees(x + aside[0], y + aside[1])
        half = int(self.walkers.half[walker])
        road = str(self.net.name[self.net.edge[half]])
        return Spot(
            float(lon[0]), float(lat[0]), int(self.net.grid[half]), road,
            str(self.worker_ids[walker]),
        )  # fmt: skip
