"""One worker's day as the fixes of one phone tell it, fit to be shown as evidence.

The day between `since` and `until` is cut into stays, movement and gaps without a rest: whatever is
not covered by fixes is a gap, also before the first and after the last, and a day without a fix is
one gap. A gap says nothing about where the worker was; beside it stand only the places before and
after. Distances are a lower bound: gaps add nothing, and a step counts once it is STEP_M long, so
that the drift of a phone is no walk.

The checksum is over the readings as they were stored (worker, time in milliseconds, seven decimals
of a degree, accuracy, made up or not), in order of time. It is the same before and after a day is
sealed; another fix, or a changed one, makes it another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo._fixes_tracks import micros
from geo.errors import ColumnError, InputError
from geo.fixes import DRIVE_MS, GAP_S, RULES, STAY_M, Cleaned, clean_fixes, find_walking

STEP_M = STAY_M
"""A step counts towards a distance once it is this long: who stays within STAY_M stands. Corners
are cut by it, so a walk comes out a little shorter than it was."""

NEAR_M = 30.0
"""A fix so near the grid counts as in it, as in `geo.rounds`."""


@dataclass(frozen=True, eq=False)
class WorkerDay:
    """What is known about a worker between two moments, and what is not."""

    worker_id: str
    since: pd.Timestamp
    until: pd.Timestamp
    fixes: int
    """Readings as they came."""
    used: int
    """Those that were left after cleaning."""
    mock: int
    """Readings of which the phone says that they are made up."""
    removed: pd.DataFrame
    """By rule: `rule`, `count`, `threshold`, `unit`, `source`."""
    accuracy: dict[str, float]
    """Metres: `median`, `p90`, `worst`; and `told`, the number of readings that say it."""
    interval_s: float
    """Median of the time between readings that were used; not-a-number for fewer than two."""
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    walked_m: float
    driven_m: float
    track: pd.DataFrame
    """The readings used, in order: `time`, `x`, `y`, `stay` (its number from 1, 0 none), `piece`
    (another number after each gap), `is_here` (in the grid; missing without one)."""
    stays: pd.DataFrame
    """Indexed by number from 1: `start`, `end`, `minutes`, `x`, `y`, `fixes`, `far_m` from the
    grid (0 inside)."""
    gaps: pd.DataFrame
    """`kind` (all, begin, between, end), `start`, `end`, `minutes`, `far_m` between the fixes at
    both ends, and `before_m`, `after_m`: how far from the grid those were."""
    spans: pd.DataFrame
    """The whole day in order and without a rest: `kind` (stay, move, gap), `start`, `end`."""
    checksum: str
    """SHA-256 of the readings, see the module."""


def find_worker_day(
    worker_id: str,
    fixes: pd.DataFrame,
    *,
    since: datetime,
    until: datetime,
    grid: shapely.Geometry | None = None,
    gap_s: float = GAP_S,
) -> WorkerDay:
    """Tell the day of a worker by the readings of the phone.

    Parameters
    ----------
    fixes
        Readings of this worker: `time` (with zone), `lon`, `lat` (as stored), `x`, `y` in metres,
        and where known `accuracy_m` and `mock`. Those outside of the two moments are left out.
    since, until
        Begin of duty, and its end or the present moment, whichever is earlier.
    grid
        The worker's grid in the CRS of x and y; None for a worker without one.
    gap_s
        Silence longer than this is a gap, seconds.

    Raises
    ------
    ColumnError
        If a column is missing.
    InputError
        If a moment has no zone.
    """
    begin, end = _moment(since, "since"), _moment(until, "until")
    missing = {"time", "lon", "lat", "x", "y"} - set(fixes.columns)
    if missing:
        raise ColumnError(f"fixes lack {', '.join(sorted(missing))}: they have {list(fixes)}")
    inside = (fixes["time"] >= begin) & (fixes["time"] < end) if len(fixes) else slice(0, 0)
    raw = fixes.loc[inside].assign(worker_id=worker_id)
    cleaned = _clean(raw, gap_s)
    track = _track(cleaned, grid, gap_s)
    stays = _stays(cleaned, grid)
    gaps = _gaps(track, begin, end, grid, gap_s)
    walked, driven = _distances(track)
    apart = np.diff(micros(track["time"])) / 1e6
    return WorkerDay(
        worker_id=worker_id,
        since=begin,
        until=end,
        fixes=len(raw),
        used=len(track),
        mock=int(raw["mock"].astype("boolean").fillna(False).sum()) if "mock" in raw else 0,
        removed=_count_removed(cleaned),
        accuracy=_accuracy(raw),
        interval_s=float(np.median(apart)) if len(apart) else float("nan"),
        first=track["time"].iloc[0] if len(track) else None,
        last=track["time"].iloc[-1] if len(track) else None,
        walked_m=walked,
        driven_m=driven,
        track=track,
        stays=stays,
        gaps=gaps,
        spans=_spans(stays, gaps, begin, end),
        checksum=checksum_fixes(raw),
    )


def checksum_fixes(fixes: pd.DataFrame) -> str:
    """SHA-256 of readings as stored: `worker_id`, `time`, `lon`, `lat`, `accuracy_m`, `mock`.

    In order of worker and time, whatever the order of the rows.
    """
    told = fixes.reindex(columns=["worker_id", "time", "lon", "lat", "accuracy_m", "mock"])
    digest = hashlib.sha256()
    if not len(told):
        return digest.hexdigest()
    milli = told["time"].dt.tz_convert("UTC").dt.as_unit("ms").astype("int64").to_numpy()
    numbers = [
        told[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("lon", "lat", "accuracy_m")
    ]
    mock = told["mock"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    lines = [
        f"{who},{when},{lon:.7f},{lat:.7f},{'' if np.isnan(off) else f'{off:.1f}'},{int(fake)}\n"
        for who, when, lon, lat, off, fake in zip(
            told["worker_id"].astype(str), milli, *numbers, mock, strict=True
        )
    ]
    order = sorted(range(len(lines)), key=lambda k: (str(told["worker_id"].iat[k]), milli[k]))
    for k in order:
        digest.update(lines[k].encode())
    return digest.hexdigest()


def _moment(value: datetime, name: str) -> pd.Timestamp:
    if value.tzinfo is None:
        raise InputError(f"{name} is {value}, without a zone: give a time with a zone")
    return pd.Timestamp(value).tz_convert("UTC").as_unit("us")


def _clean(raw: pd.DataFrame, gap_s: float) -> Cleaned | None:
    return clean_fixes(raw, gap_s=gap_s) if len(raw) else None


def _track(cleaned: Cleaned | None, grid: shapely.Geometry | None, gap_s: float) -> pd.DataFrame:
    if cleaned is None:
        return pd.DataFrame(
            {
                "time": pd.DatetimeIndex([], dtype="datetime64[us, UTC]"),
                "x": np.empty(0),
                "y": np.empty(0),
                "stay": np.empty(0, dtype=np.int64),
                "piece": np.empty(0, dtype=np.int64),
                "is_here": pd.array([], dtype="boolean"),
            }
        )
    table = cleaned.table()
    micro = micros(table["time"])
    apart = np.diff(micro, prepend=micro[:1]) / 1e6
    here = pd.array([pd.NA] * len(table), dtype="boolean")
    if grid is not None:
        far = shapely.distance(shapely.points(table["x"], table["y"]), grid)
        here = pd.array(far <= NEAR_M, dtype="boolean")
    return pd.DataFrame(
        {
            "time": table["time"],
            "x": table["x"],
            "y": table["y"],
            "stay": table["stay"].to_numpy(dtype=np.int64) + 1,
            "piece": np.cumsum(apart > gap_s),
            "is_here": here,
        }
    )


def _stays(cleaned: Cleaned | None, grid: shapely.Geometry | None) -> pd.DataFrame:
    columns = ["start", "end", "minutes", "x", "y", "fixes"]
    if cleaned is None:
        return pd.DataFrame({name: [] for name in [*columns, "far_m"]})
    found = cleaned.stays[columns].copy()
    found["far_m"] = _far(found["x"], found["y"], grid)
    return found.set_axis(np.arange(1, len(found) + 1), axis=0)


def _far(x: Any, y: Any, grid: shapely.Geometry | None) -> npt.NDArray[np.float64]:
    if grid is None:
        return np.full(len(x), np.nan)
    return np.asarray(shapely.distance(shapely.points(x, y), grid), dtype=np.float64)


def _gaps(
    track: pd.DataFrame,
    begin: pd.Timestamp,
    end: pd.Timestamp,
    grid: shapely.Geometry | None,
    gap_s: float,
) -> pd.DataFrame:
    """Silences between fixes, and from the begin to the first and from the last to the end."""
    rows: list[tuple[str, pd.Timestamp, pd.Timestamp, float, float, float]] = []
    limit = pd.Timedelta(seconds=gap_s)
    nan = float("nan")
    far = _far(track["x"], track["y"], grid)
    if not len(track):
        if end > begin:
            rows.append(("all", begin, end, nan, nan, nan))
    else:
        times = list(track["time"])
        if times[0] - begin > limit:
            rows.append(("begin", begin, times[0], nan, nan, far[0]))
        for k in np.flatnonzero(np.diff(track["piece"].to_numpy())):
            step = np.hypot(*(track[c].iat[k + 1] - track[c].iat[k] for c in ("x", "y")))
            rows.append(("between", times[k], times[k + 1], float(step), far[k], far[k + 1]))
        if end - times[-1] > limit:
            rows.append(("end", times[-1], end, nan, far[-1], nan))
    names = ["kind", "start", "end", "far_m", "before_m", "after_m"]
    found = pd.DataFrame(rows, columns=names)
    length = [(row[2] - row[1]).total_seconds() / 60 for row in rows]
    found.insert(3, "minutes", np.array(length, dtype=np.float64))
    return found


def _spans(
    stays: pd.DataFrame, gaps: pd.DataFrame, begin: pd.Timestamp, end: pd.Timestamp
) -> pd.DataFrame:
    """The day cut into stays, gaps, and movement between them."""
    known = [("stay", row.start, row.end) for row in stays.itertuples()]
    known += [("gap", row.start, row.end) for row in gaps.itertuples()]
    rows, at = [], begin
    for kind, first, last in sorted(known, key=lambda one: (one[1], one[2])):
        if first > at:
            rows.append(("move", at, first))
        rows.append((kind, first, last))
        at = max(at, last)
    if end > at:
        rows.append(("move", at, end))
    return pd.DataFrame(rows, columns=["kind", "start", "end"])


def _distances(track: pd.DataFrame) -> tuple[float, float]:
    """Metres on foot and driven, in steps of at least STEP_M within a piece."""
    if len(track) < 2:
        return 0.0, 0.0
    foot = find_walking(track.assign(worker_id="one")[["worker_id", "time", "x", "y"]])
    on_foot = foot.to_numpy(dtype=object)
    second = micros(track["time"]) / 1e6
    x, y, piece = (track[name].to_numpy() for name in ("x", "y", "piece"))
    metres, at = {True: 0.0, False: 0.0}, 0
    for k in range(1, len(track)):
        if piece[k] != piece[at]:
            at = k
            continue
        far = float(np.hypot(x[k] - x[at], y[k] - y[at]))
        if far < STEP_M:
            continue
        known = on_foot[k]
        slow = far / max(second[k] - second[at], 1e-6) < DRIVE_MS
        metres[bool(known) if known is not pd.NA else slow] += far
        at = k
    return metres[True], metres[False]


def _count_removed(cleaned: Cleaned | None) -> pd.DataFrame:
    """By rule in the order of `geo.fixes.RULES`, rules that threw nothing out included."""
    counts = cleaned.removed["rule"].value_counts() if cleaned is not None else pd.Series(dtype=int)
    return pd.DataFrame(
        {
            "rule": [rule.name for rule in RULES],
            "count": [int(counts.get(rule.name, 0)) for rule in RULES],
            "threshold": [rule.threshold for rule in RULES],
            "unit": [rule.unit for rule in RULES],
            "source": [rule.source for rule in RULES],
        }
    )


def _accuracy(raw: pd.DataFrame) -> dict[str, float]:
    known = np.empty(0)
    if "accuracy_m" in raw:
        values = raw["accuracy_m"].to_numpy(dtype=np.float64, na_value=np.nan)
        known = values[np.isfinite(values)]
    if not len(known):
        nan = float("nan")
        return {"told": 0.0, "median": nan, "p90": nan, "worst": nan}
    return {
        "told": float(len(known)),
        "median": float(np.median(known)),
        "p90": float(np.quantile(known, 0.9)),
        "worst": float(known.max()),
    }
