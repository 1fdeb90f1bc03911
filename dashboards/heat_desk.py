"""Surfaces of heat kept for a few choices, so that a tile costs what its pixels cost.

Cases become points once a version of the table, the ground once a bandwidth and boundary version, a
surface once a choice; each is made by the first request that needs it while others wait for it.
Only what takes long is done in the background and told as such: the first reading of the cases
(`geo.io.case_columns`), and the fixes that tell where patrols were.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from geopandas import GeoDataFrame

from dashboards.heat_parts import (
    City,
    hexagons_of,
    index_in_metres,
    make_points,
    minutes_on_cells,
)
from dashboards.store import Store
from geo.compare import Boundary
from geo.errors import InputError, WanggeError
from geo.heat import (
    HeatChoice,
    HeatGround,
    HeatPoints,
    HeatSurface,
    Measure,
    compare_with_effort,
    frame_choices,
    make_ground,
    rate_by_households,
    smooth_density,
    smooth_frames,
)
from geo.io._heat_effort import EffortBook
from geo.io.case_columns import CaseColumns
from geo.locate import GridIndex

log = logging.getLogger(__name__)

T = TypeVar("T")
N = TypeVar("N", "Asked", HeatChoice)

MOST_BYTES = 256 * 2**20
"""What surfaces may take together: a playback of 24 hours of a city of 2 million cells fits."""

PATROL_SOURCES = ("patrol", "collector")
"""How cases that patrols found are reported, where the address does not say; our assumption."""

EPOCH = date(1970, 1, 1)

FRAMES = {"hour": "hours", "weekday": "weekdays", "month": "months"}
"""What a playback goes by, and the part of a choice that it sets."""


class WaitError(WanggeError):
    """What was asked for is being read; ask again."""

    def __init__(self, step: str, share: float) -> None:
        super().__init__(step)
        self.step, self.share = step, share


@dataclass(frozen=True)
class Asked:
    """What an address asks for; classes and sources as words, None for all."""

    measure: Measure = "km2"
    bandwidth_m: float = 300.0
    kernel: str = "quartic"
    classes: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None
    hours: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    months: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Found:
    """A surface, with what it was made of."""

    surface: HeatSurface
    points: HeatPoints
    choice: HeatChoice
    version: str
    reason: str = ""
    effort_days: tuple[date, ...] = ()
    sources: tuple[str, ...] | None = None


class HeatDesk:
    """The surfaces of a store. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._effort = EffortBook(store.workspace, store.zone)
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._reading: dict[Hashable, threading.Thread] = {}
        self._progress = 0.0
        self._trouble: dict[Hashable, str] = {}

    # --- parts ---------------------------------------------------------------------------------

    def cases(self) -> CaseColumns:
        """The newest cases; WaitError before they were read for the first time."""
        found = self._store.columns.get()
        if found is None:
            if self._store.columns.error:
                raise WanggeError(self._store.columns.error)
            raise WaitError("cases", self._store.columns.progress)
        return found

    def city(self) -> City:
        """The grids in force now, in metres; InputError for a city without any."""
        mine = self._store.snapshot().city
        if not len(mine.grids):
            raise InputError("no_grids")

        def make() -> City:
            crs = self._store.workspace.metric_crs()
            grids = mine.grids[["geometry", "households"]].to_crs(crs)
            homes = grids["households"].to_numpy(np.float64, na_value=np.nan)
            index = index_in_metres(grids, mine.index, crs)
            return City(mine.stamp, grids[["geometry"]], index, homes, crs)

        return self._get(("city", mine.stamp), make, lambda _: 1)

    def boundary(self) -> Boundary:
        """The boundaries in force now, as comparisons take them."""
        stamp = self.city().stamp
        return self._get(
            ("boundary", stamp), lambda: Boundary(self._store.snapshot().city.grids), lambda _: 1,
            only="boundary",
        )  # fmt: skip

    def points(self) -> HeatPoints:
        """All cases as points of heat on the boundaries of now."""
        cases, city = self.cases(), self.city()
        return self._get(
            ("points", cases.version, city.stamp),
            lambda: make_points(cases, city, self._store),
            # Not among the surfaces, whose room is for what pages look at.
            lambda _: 1,
            only="points",
        )

    def ground(self, bandwidth_m: float, kernel: str) -> HeatGround:
        """The cells for a bandwidth."""
        city = self.city()
        return self._get(
            ("ground", city.stamp, bandwidth_m, kernel),
            lambda: make_ground(
                city.grids, bandwidth_m=bandwidth_m, kernel=kernel, index=city.index
            ),
            lambda ground: 3 * int(ground.inside.nbytes),
        )

    def hexagons(self, resolution: int) -> tuple[GeoDataFrame, npt.NDArray[np.int32]]:
        """Hexagons over the city with their `households`, estimated, and the row of each case's, -1
        outside of the grids."""
        cases, city, points = self.cases(), self.city(), self.points()
        shapes = self._get(
            ("hex", city.stamp, resolution),
            lambda: hexagons_of(city, resolution),
            lambda frame: 500 * len(frame),
        )

        def assign() -> npt.NDArray[np.int32]:
            rows = GridIndex(shapes).assign(cases.lon, cases.lat)
            rows[points.grid < 0] = -1
            return rows

        key = ("hexrows", cases.version, city.stamp, resolution)
        return shapes, self._get(key, assign, lambda rows: int(rows.nbytes), only="hexrows")

    # --- surfaces ------------------------------------------------------------------------------

    def version(self, asked: Asked) -> str:
        """Another one whenever a surface of this choice may be another."""
        parts = [self.cases().version, self.city().stamp]
        if asked.measure == "effort":
            mark = repr(self._effort.mark(self._days(asked))).encode()
            parts.append(hashlib.blake2b(mark, digest_size=6).hexdigest())
        return ".".join(parts)

    def find(self, asked: Asked) -> Found:
        """The surface of a choice.

        Raises
        ------
        WaitError
            While cases, or the fixes of patrols, are being read.
        InputError
            If the bandwidth, kernel or choice cannot be.
        """
        version = self.version(asked)
        if asked.measure == "effort":
            self._wait_for_effort(asked, version)
        return self._get(
            ("surface", version, asked),
            lambda: self._make(asked, version),
            _size,
        )

    def frames(self, asked: Asked, by: str) -> list[tuple[int, Asked, Found]]:
        """The surfaces of a playback by hour, weekday or month; errors as for `find`."""
        version, name = self.version(asked), FRAMES.get(by, "")
        choice = self.choice(asked)
        told = [(value, _narrowed(asked, name, value)) for value, _ in frame_choices(choice, by)]
        with self._lock:
            is_kept = all(("surface", version, one) in self._kept for _, one in told)
        if asked.measure == "km2" and not is_kept:
            points, ground = self.points(), self.ground(asked.bandwidth_m, asked.kernel)
            made = smooth_frames(points, ground, choice, by=by)
            for (_, one), (value, surface) in zip(told, made, strict=True):
                narrowed = _narrowed(choice, name, value)
                found = Found(surface, points, narrowed, version, self._why(one, surface))
                self._get(("surface", version, one), lambda found=found: found, _size)  # type: ignore[misc]
        return [(value, one, self.find(one)) for value, one in told]

    def choice(self, asked: Asked) -> HeatChoice:
        """What an address asks for, in the codes of the cases."""
        cases = self.cases()
        kinds = None if asked.classes is None else cases.codes("classes", asked.classes)
        sources = None if asked.sources is None else cases.codes("sources", asked.sources)
        return HeatChoice(
            first=None if asked.first is None else (asked.first - EPOCH).days,
            last=None if asked.last is None else (asked.last - EPOCH).days,
            kinds=None if kinds is None else tuple(int(code) for code in kinds),
            sources=None if sources is None else tuple(int(code) for code in sources),
            hours=asked.hours, weekdays=asked.weekdays, months=asked.months,
        )  # fmt: skip

    def _make(self, asked: Asked, version: str) -> Found:
        ground = self.ground(asked.bandwidth_m, asked.kernel)
        points, city = self.points(), self.city()
        if asked.measure == "effort":
            return self._make_effort(asked, version, points, ground)
        choice = self.choice(asked)
        if asked.measure == "households":
            surface = rate_by_households(points, ground, city.households, choice)
            reason = "" if np.nansum(city.households) > 0 else "no_households"
        else:
            surface, reason = smooth_density(points, ground, choice), ""
        return Found(surface, points, choice, version, reason or self._why(asked, surface))

    def _make_effort(
        self, asked: Asked, version: str, points: HeatPoints, ground: HeatGround
    ) -> Found:
        """Cases and effort of the same days: those of which the fixes are known."""
        days = self._days(asked)
        effort = self._effort.read(days, asked.hours)
        told = asked.sources
        if told is None:
            mine = tuple(word for word in PATROL_SOURCES if word in self.cases().sources)
            told = mine or None
        if effort.days:
            asked = replace(asked, first=effort.days[0], last=effort.days[-1], sources=told)
            numbers = np.array([(day - EPOCH).days for day in effort.days])
            if len(numbers) <= numbers[-1] - numbers[0]:
                # Days between without fixes: what was found on them had no effort told.
                points = points.only(np.isin(points.day, numbers))
        choice = self.choice(asked)
        minutes = minutes_on_cells(effort, ground)
        surface = compare_with_effort(points, ground, minutes, choice)
        reason = self._why(asked, surface) if effort.days and minutes.sum() else "no_effort"
        return Found(surface, points, choice, version, reason, effort.days, told)

    def _why(self, asked: Asked, surface: HeatSurface) -> str:
        if surface.cases:
            return ""
        known = self.cases().classes
        is_unknown = asked.classes is not None and not set(asked.classes) & set(known)
        return "unknown_class" if is_unknown else "no_cases"

    # --- effort ----------------------------------------------------------------------------------

    def _days(self, asked: Asked) -> list[date]:
        today = self._store.clock().astimezone(self._store.zone).date()
        last = min(asked.last or today, today)
        days = self._effort.days(asked.first, last)
        keep = [
            day
            for day in days
            if (not asked.weekdays or day.weekday() in asked.weekdays)
            and (not asked.months or day.month in asked.months)
        ]
        return keep if keep else [last]

    def _wait_for_effort(self, asked: Asked, version: str) -> None:
        """Let a thread read the days; WaitError while it does."""
        days = self._days(asked)
        key = (version, tuple(days))
        with self._lock:
            thread = self._reading.get(key)
            if thread is None:
                self._reading = {
                    known: one for known, one in self._reading.items() if one.is_alive()
                }
                self._trouble.pop(key, None)
                thread = threading.Thread(
                    target=self._read_effort, args=(key, days), name="wangge-effort", daemon=True
                )
                self._reading[key] = thread
                thread.start()
        # Short histories are there before a page could ask again.
        thread.join(timeout=1.0)
        if thread.is_alive():
            raise WaitError("effort", self._progress)
        if key in self._trouble:
            with self._lock:
                self._reading.pop(key, None)
            raise WanggeError(self._trouble[key])

    def _read_effort(self, key: Hashable, days: list[date]) -> None:
        def tell(share: float) -> None:
            self._progress = share

        try:
            self._effort.read(days, tell=tell)
        # The end of a thread: whatever comes is told to who waits.
        except Exception as error:
            log.exception("the fixes of patrols could not be read")
            self._trouble[key] = str(error) or type(error).__name__

    # --- keeping -------------------------------------------------------------------------------

    def _get(
        self, key: Hashable, make: Callable[[], T], size: Callable[[T], int], only: str = ""
    ) -> T:
        """What is kept under a key, else made by one thread; `only` keeps one of that name."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known[0]  # type: ignore[no-any-return]
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            with self._lock:
                known = self._kept.get(key)
            if known is not None:
                return known[0]  # type: ignore[no-any-return]
            made = make()
            with self._lock:
                if only:
                    for old in [one for one in self._kept if _name(one) == only]:
                        del self._kept[old]
                self._kept[key] = (made, size(made))
                self._locks.pop(key, None)
                self._drop(key)
        return made

    def _drop(self, keep: Hashable) -> None:
        """Drop what was asked for longest ago until the rest fits; held by the lock."""
        while sum(size for _, size in self._kept.values()) > MOST_BYTES:
            oldest = next((key for key, (_, size) in self._kept.items() if size > 1), None)
            if oldest is None or oldest == keep:
                return
            del self._kept[oldest]


def _narrowed(told: N, name: str, value: int) -> N:
    """A choice with one of its parts set to one value."""
    part: dict[str, Any] = {name: (value,)}
    return replace(told, **part)


def _size(found: Found) -> int:
    return 3 * int(found.surface.value.nbytes)


def _name(key: Hashable) -> str:
    return str(key[0]) if isinstance(key, tuple) else ""
