"""Where everybody was at any moment of a day, and who passed an area, for replay and for questions.

Between two fixes at most `GAP_S` apart a worker went straight; in a longer silence nobody knows the
way, so no line is drawn through it and nobody is said to have passed. A worker who falls silent
stands for `HOLD_S` where the last fix was, then is told as without signal at that place for
`LOST_S`, and then is not drawn at all. Fixes that cannot be (`geo.fixes`) are left out first, and
counted. Nobody is held still at the middle of a stay: what is shown is what the phone said.

    fixes ─> ReplayDay ─┬─ slice(since, until, box, step, most) ─> keyframes for one screen
                        ├─ passed_here(area, since, until) ─> who, when, how long; who may have
                        └─ first_reached(pieces) ─> when each piece of street was first seen

A slice costs what it shows: the fixes of its time, of whatever history. An area costs the blocks of
64 fixes whose box meets it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo._duty_tables import micro_of
from geo._fixes_tracks import to_times
from geo._replay_kernels import AWAY as AWAY
from geo._replay_kernels import BLOCK, box_blocks, pass_area, place_at
from geo._replay_kernels import JOINED as JOINED
from geo._replay_kernels import SEEN as SEEN
from geo._replay_kernels import SILENT as SILENT
from geo.errors import ColumnError, InputError
from geo.fixes import GAP_S, RULES, Rule, clean_fixes

HOLD_S = 60.0
"""How long a worker counts as seen after a last fix: phones of patrols report every 5 to 60 s."""

LOST_S = 3600.0
"""How long the last known place of a silent worker is shown; our assumption: after an hour it tells
nothing about where somebody is who walks."""

COULD_KMH = 50.0
"""The fastest that one could have gone in a silence: the limit of a town road with one lane each
way (Regulations on the Implementation of the Road Traffic Safety Law of China, art. 45)."""

MOST_DAYS = 24.8
"""Times are 32-bit milliseconds."""

DEGREE = 1e-7
CENTIMETRE = 0.01

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Slice:
    """Places of workers at moments `since`, `since + step_s`, …, for one screen."""

    since: datetime
    step_s: float
    rows: npt.NDArray[np.int64]
    """Position of each worker in `ReplayDay.names`."""
    lon: Ints
    lat: Ints
    """Units of 1e-7 degrees, one row a worker, one column a moment; 0 where away."""
    state: npt.NDArray[np.uint8]
    """AWAY, JOINED, SEEN or SILENT. Only to a place that is JOINED leads a way that is known."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def moments(self) -> int:
        """How many moments there are."""
        return int(self.state.shape[1])


@dataclass(frozen=True, eq=False)
class Passed:
    """Who passed an area in a span, and of whom it is not known."""

    table: pd.DataFrame
    """By `worker_id`, the first to come first: `first`, `last` (UTC), `minutes` inside, `nearest_m`
    to the middle of the area, `silent_minutes` in the span."""
    unknown: pd.DataFrame
    """Workers who did not pass as far as is known and were silent long enough to have done so, by
    `worker_id`: `silent_minutes` in the span, `from_m` (how far from the area the nearer end of
    such a silence was)."""


@dataclass(frozen=True, eq=False)
class ReplayDay:
    """The clean fixes of a span by worker and time, in columns (20 bytes a fix), with an index."""

    since: datetime
    until: datetime
    names: pd.Index
    """Workers with a fix, in order."""
    first: npt.NDArray[np.int64]
    """Where the fixes of each worker begin, and at the end how many there are."""
    milli: Ints
    """Since `since`."""
    lon: Ints
    lat: Ints
    x: Ints
    y: Ints
    """Centimetres from `origin`."""
    origin: tuple[float, float]
    """Metres in the CRS that the fixes came in."""
    removed: pd.Series
    """How many fixes each rule threw out."""
    block_first: npt.NDArray[np.int64]
    boxes: Ints
    gap_s: float = GAP_S

    def __len__(self) -> int:
        return len(self.milli)

    @property
    def nbytes(self) -> int:
        """What the columns take in memory."""
        columns = (self.milli, self.lon, self.lat, self.x, self.y, self.boxes)
        return int(sum(column.nbytes for column in columns))

    # --- replay --------------------------------------------------------------------------------

    def slice(
        self,
        since: datetime,
        until: datetime,
        box: tuple[float, float, float, float] | None = None,
        step_s: float = 30.0,
        most: int = 1_000_000,
        *,
        rows: npt.NDArray[np.int64] | None = None,
        hold_s: float = HOLD_S,
        lost_s: float = LOST_S,
    ) -> Slice:
        """Tell where everybody was, every `step_s` seconds from `since` until `until`, both told.

        Parameters
        ----------
        box
            West, south, east, north in degrees: who is in it at none of the moments is left out.
            None: everywhere.
        step_s
            Seconds between moments, at least 0.001.
        most
            Places in the answer at most: the step is doubled until they fit. Nobody is left out.
        rows
            Positions in `names` of the workers asked for; None: all.

        Raises
        ------
        InputError
            If a time has no zone, the span or the step is none, or `most` is below 1.
        """
        begin, end = self._milli(since), self._milli(until)
        if end < begin or not step_s >= 0.001 or most < 1:
            raise InputError(
                f"since {since}, until {until}, step_s {step_s}, most {most}: use a span that ends"
                " after it begins, a step of 0.001 s or more and 1 or more places"
            )
        wanted = np.arange(len(self.names)) if rows is None else np.asarray(rows, dtype=np.int64)
        step = max(1, round(step_s * 1000))
        while len(wanted) * ((end - begin) // step + 1) > most and end - begin > step:
            step *= 2
        shape = (len(wanted), (end - begin) // step + 1)
        lon, lat = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
        state = np.zeros(shape, dtype=np.uint8)
        place_at(
            self.first, self.milli, self.lon, self.lat, wanted, begin, step,
            self.gap_s * 1000, hold_s * 1000, lost_s * 1000, lon, lat, state,
        )  # fmt: skip
        if box is not None:
            west, south, east, north = (round(side / DEGREE) for side in box)
            inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
            there = (inside & (state != AWAY)).any(axis=1)
            wanted, lon, lat, state = wanted[there], lon[there], lat[there], state[there]
        return Slice(since, step / 1000, wanted, lon, lat, state)

    def track(self, worker_id: str) -> pd.DataFrame:
        """The fixes of one worker: `time`, `lon`, `lat`, `piece` (a new one behind each gap).

        An unknown worker has none.
        """
        begin, end = self._span(worker_id)
        milli = self.milli[begin:end]
        gaps = np.diff(milli.astype(np.int64), prepend=milli[:1]) > int(self.gap_s * 1000)
        return pd.DataFrame(
            {
                "time": self._times(milli),
                "lon": self.lon[begin:end] * DEGREE,
                "lat": self.lat[begin:end] * DEGREE,
                "piece": np.cumsum(gaps),
            }
        )

    def count_fixes(self, bin_s: float = 60.0) -> npt.NDArray[np.int64]:
        """How many fixes fall into each bin of the span."""
        bins = int(np.ceil((self.until - self.since).total_seconds() / bin_s))
        return np.bincount(self.milli // round(bin_s * 1000), minlength=bins)[:bins]

    def people(self) -> pd.DataFrame:
        """By `worker_id` in order of `names`: `fixes`, `first`, `last` (UTC)."""
        begin, end = self.first[:-1], self.first[1:]
        return pd.DataFrame(
            {
                "fixes": end - begin,
                "first": self._times(self.milli[begin]),
                "last": self._times(self.milli[end - 1]),
            },
            index=self.names,
        )

    # --- who passed ----------------------------------------------------------------------------

    def passed_here(
        self,
        area: shapely.Geometry,
        since: datetime,
        until: datetime,
        *,
        radius_m: float = 0.0,
        could_kmh: float = COULD_KMH,
    ) -> Passed:
        """Find who passed an area, by the straight ways between fixes and not by fixes alone.

        Parameters
        ----------
        area
            A polygon in the CRS of the fixes in metres; or a point, then within `radius_m` of it.
        since, until
            The span; a way is cut at both.
        could_kmh
            Who was silent and could have come and gone at this speed is told under `unknown`.

        Raises
        ------
        InputError
            If the area is empty or neither, or a time has no zone.
        """
        begin, end = self._milli(since), self._milli(until)
        if end <= begin:
            raise InputError(f"until is {until}, not after since {since}: swap them")
        edges, circle, bounds = self._area(area, radius_m)
        found = np.full((len(self.names), 4), -1.0)
        found[:, 2] = 0.0
        pass_area(
            self.first, self.milli, self.x, self.y, self.block_first, self.boxes, begin, end,
            self.gap_s * 1000, bounds, edges, circle, found,
        )  # fmt: skip
        silent, could, near = self._silences(area, radius_m, begin, end, could_kmh)
        came = found[:, 0] >= 0
        order = np.flatnonzero(came)[np.argsort(found[came, 0], kind="stable")]
        table = pd.DataFrame(
            {
                "first": self._times(np.rint(found[order, 0])),
                "last": self._times(np.rint(found[order, 1])),
                "minutes": found[order, 2] / 60_000,
                "nearest_m": found[order, 3] * CENTIMETRE,
                "silent_minutes": silent[order] / 60_000,
            },
            index=self.names[order],
        )
        maybe = np.flatnonzero(~came & could)
        unknown = pd.DataFrame(
            {"silent_minutes": silent[maybe] / 60_000, "from_m": near[maybe]},
            index=self.names[maybe],
        )
        return Passed(table, unknown)

    def _area(
        self, area: shapely.Geometry, radius_m: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Edges, middle with radius, and box of an area, in centimetres from the origin."""
        if area.is_empty or not (area.area > 0 or (area.geom_type == "Point" and radius_m > 0)):
            raise InputError(
                f"area is {area.geom_type} with radius_m {radius_m}: give a polygon, or a point"
                " and a radius above 0"
            )
        origin = np.array(self.origin)
        middle = (shapely.get_coordinates(area.centroid)[0] - origin) / CENTIMETRE
        if area.geom_type == "Point":
            r = radius_m / CENTIMETRE
            bounds = np.array([*(middle - r), *(middle + r)])
            return np.empty((0, 4)), np.array([*middle, r]), bounds
        rings = shapely.get_rings(shapely.get_parts(area))
        xy, of = shapely.get_coordinates(rings, return_index=True)
        xy = (xy - origin) / CENTIMETRE
        same = of[1:] == of[:-1]
        edges = np.hstack([xy[:-1][same], xy[1:][same]])
        return edges, np.array([*middle, 0.0]), np.array([*xy.min(axis=0), *xy.max(axis=0)])

    def _silences(
        self, area: shapely.Geometry, radius_m: float, begin: int, end: int, could_kmh: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """By worker: ms without signal in the span, whether an area was in reach, how near."""
        count = len(self.names)
        silent, near = np.zeros(count), np.full(count, np.inf)
        could = np.zeros(count, dtype=bool)
        if not count:
            return silent, could, near
        gap, milli = self.gap_s * 1000, self.milli
        at, who = self._gaps
        starts, ends = self.first[:-1], self.first[1:] - 1
        everyone = np.arange(count)
        # Before the first fix and behind the last nothing is known either.
        head, tail = milli[starts] - begin > gap, end - milli[ends] > gap
        who = np.concatenate([who, everyone[head], everyone[tail]])
        before = np.concatenate([at, np.full(head.sum(), -1), ends[tail]])
        after = np.concatenate([at + 1, starts[head], np.full(tail.sum(), -1)])
        low = np.maximum(np.where(before >= 0, milli[before], begin), begin)
        high = np.minimum(np.where(after >= 0, milli[after], end), end)
        there = high > low
        who, before, after, low, high = (v[there] for v in (who, before, after, low, high))
        np.add.at(silent, who, (high - low).astype(np.float64))
        shape = area.buffer(0) if area.geom_type != "Point" else area
        way = np.zeros(len(who))
        for side in (before, after):
            known = side >= 0
            places = shapely.points(
                self.x[side] * CENTIMETRE + self.origin[0],
                self.y[side] * CENTIMETRE + self.origin[1],
            )
            far = np.maximum(shapely.distance(places, shape) - radius_m, 0.0)
            way += np.where(known, far, 0.0)
            np.minimum.at(near, who[known], far[known])
        # The whole silence counts for the way, of which the span may see only a part.
        whole = np.where(after >= 0, milli[after], end) - np.where(
            before >= 0, milli[before], begin
        )
        reach = way <= could_kmh / 3.6 * whole / 1000
        np.logical_or.at(could, who, reach)
        near[~np.isfinite(near)] = np.nan
        return silent, could, near

    @cached_property
    def _gaps(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The fix before each silence between two fixes, and whose it is."""
        at = np.flatnonzero(np.diff(self.milli) > int(self.gap_s * 1000))
        who = np.searchsorted(self.first, at, side="right") - 1
        inner = at + 1 < self.first[who + 1]
        return at[inner], who[inner]

    # --- small things --------------------------------------------------------------------------

    def row_of(self, worker_id: str) -> int:
        """Position of a worker in `names`, -1 for one without a fix."""
        return int(self.names.get_indexer([worker_id])[0])

    def _span(self, worker_id: str) -> tuple[int, int]:
        row = self.row_of(worker_id)
        return (0, 0) if row < 0 else (int(self.first[row]), int(self.first[row + 1]))

    def _milli(self, moment: datetime) -> int:
        return round((micro_of(moment) - micro_of(self.since)) / 1000)

    def _times(self, milli: npt.ArrayLike) -> pd.DatetimeIndex:
        return to_times(np.asarray(milli).astype(np.int64) * 1000 + micro_of(self.since))


def build_replay(
    fixes: pd.DataFrame,
    since: datetime,
    until: datetime,
    *,
    rules: Iterable[Rule] = RULES,
    gap_s: float = GAP_S,
) -> ReplayDay:
    """Put fixes into columns for replay.

    Parameters
    ----------
    fixes
        `worker_id`, `time` (with zone), `lon`, `lat` in degrees (WGS-84), `x`, `y` in metres, and
        where known `accuracy_m` and `mock`; in any order. Those outside of the span are left out.
    since, until
        The span, its end not included; at most 24.8 days.
    rules
        By which fixes are thrown out; see `geo.fixes.RULES`.
    gap_s
        Silence longer than this is a gap.

    Raises
    ------
    ColumnError, InputError
        If a column is missing, a time has no zone, or the span is none or too long.
    """
    begin, end = micro_of(since), micro_of(until)
    if not 0 < end - begin <= MOST_DAYS * 86_400e6:
        raise InputError(f"since {since}, until {until}: use a span of at most {MOST_DAYS} days")
    missing = {"lon", "lat"} - set(fixes.columns)
    if missing:
        raise ColumnError(f"fixes lack {', '.join(sorted(missing))}: they have {list(fixes)}")
    inside = (fixes["time"] >= pd.Timestamp(since)) & (fixes["time"] < pd.Timestamp(until))
    mine = fixes if inside.all() else fixes[inside]
    cleaned = clean_fixes(mine, rules=tuple(rules), stay_m=0.0, gap_s=gap_s)
    tracks = cleaned.tracks
    used = np.diff(tracks.first) > 0
    first = np.concatenate([[0], np.cumsum(np.diff(tracks.first)[used])]).astype(np.int64)
    origin = (float(tracks.x.min()), float(tracks.y.min())) if len(tracks) else (0.0, 0.0)

    def units(values: npt.NDArray[np.float64], start: float, unit: float) -> Ints:
        return np.rint((values - start) / unit).astype(np.int32)

    x, y = units(tracks.x, origin[0], CENTIMETRE), units(tracks.y, origin[1], CENTIMETRE)
    places = (mine[name].to_numpy(dtype=np.float64)[tracks.row] for name in ("lon", "lat"))
    lon, lat = (units(values, 0.0, DEGREE) for values in places)
    blocks = -(-np.diff(first) // BLOCK)
    block_first = np.concatenate([[0], np.cumsum(blocks)]).astype(np.int64)
    return ReplayDay(
        since=since,
        until=until,
        names=pd.Index(tracks.names[used], name="worker_id"),
        first=first,
        milli=((tracks.micro - begin) // 1000).astype(np.int32),
        lon=lon,
        lat=lat,
        x=x,
        y=y,
        origin=origin,
        removed=cleaned.count_removed(),
        block_first=block_first,
        boxes=box_blocks(first, x, y, block_first),
        gap_s=gap_s,
    )
