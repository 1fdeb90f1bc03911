"""Fixes by worker and time, as columns: what every rule of `geo.fixes` works on.

The order is total (worker, time, accuracy, place), so that nothing that follows depends on the
order in which the rows came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._fixes_kernels import group_rows
from geo.errors import ColumnError, InputError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)

NO_TIME = np.iinfo(np.int64).min
"""What a missing time is in `Tracks.micro`; it sorts first."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """Fixes sorted by worker and time; arrays of equal length but for `names` and `first`."""

    names: pd.Index
    """Workers in order."""
    first: npt.NDArray[np.int64]
    """Where the fixes of each worker begin, and at the end how many there are."""
    who: npt.NDArray[np.int32]
    """Position of the worker in `names`."""
    micro: npt.NDArray[np.int64]
    """Microseconds since 1970 UTC."""
    x: Floats
    y: Floats
    accuracy: Floats
    """Metres, not-a-number where unknown."""
    mock: Bools
    row: npt.NDArray[np.intp]
    """Position of the row in the table that came in."""

    def __len__(self) -> int:
        return len(self.who)

    def keep(self, mask: Bools) -> Tracks:
        """Those fixes only."""
        if mask.all():
            return self
        who = self.who[mask]
        return Tracks(
            self.names, _firsts(who, len(self.names)), who, self.micro[mask], self.x[mask],
            self.y[mask], self.accuracy[mask], self.mock[mask], self.row[mask],
        )  # fmt: skip


def build_tracks(fixes: pd.DataFrame) -> Tracks:
    """Sort fixes by worker and time.

    Parameters
    ----------
    fixes
        `worker_id`, `time` (with zone), `x`, `y` in metres, and where known `accuracy_m`, `mock`.
        Rows without a worker are left out: nothing can be said of them.

    Raises
    ------
    ColumnError, InputError
        If one of the four columns is missing, or the times have no zone.
    """
    require_fixes(fixes)
    codes, names = pd.factorize(fixes["worker_id"])
    order = names.argsort()
    rank = np.empty(len(names) + 1, dtype=np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    rank[-1] = -1
    who = rank[codes]
    micro = micros(fixes["time"])
    x, y = (fixes[c].to_numpy(dtype=np.float64, na_value=np.nan) for c in ("x", "y"))
    accuracy = (
        fixes["accuracy_m"].to_numpy(dtype=np.float64, na_value=np.nan)
        if "accuracy_m" in fixes
        else np.full(len(fixes), np.nan)
    )
    mock = flags(fixes, "mock")
    row = np.arange(len(fixes), dtype=np.intp)
    if len(who) and who.min() < 0:
        there = who >= 0
        who, micro, x, y = who[there], micro[there], x[there], y[there]
        accuracy, mock, row = accuracy[there], mock[there], row[there]
    if not _is_sorted(who, micro):
        by = _order(len(names), who, micro, accuracy, x, y)
        who, micro, x, y = who[by], micro[by], x[by], y[by]
        accuracy, mock, row = accuracy[by], mock[by], row[by]
    names = pd.Index(names)[order]
    return Tracks(names, _firsts(who, len(names)), who, micro, x, y, accuracy, mock, row)


def require_fixes(fixes: pd.DataFrame, *more: str) -> None:
    """Raise ColumnError if a column is missing, InputError if the times have no zone."""
    missing = {"worker_id", "time", "x", "y", *more} - set(fixes.columns)
    if missing:
        raise ColumnError(f"fixes lack {', '.join(sorted(missing))}: they have {list(fixes)}")
    kind = fixes["time"].dtype
    if len(fixes) and not isinstance(kind, pd.DatetimeTZDtype):
        raise InputError(f"time of the fixes is {kind}: give times with a zone")


def micros(times: pd.Series) -> npt.NDArray[np.int64]:
    """Times as microseconds since 1970 UTC, a missing one as NO_TIME."""
    if not len(times):
        return np.empty(0, dtype=np.int64)
    plain: Any = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    found: npt.NDArray[np.int64] = plain.astype("datetime64[us]").astype(np.int64)
    return found


def micro_of(moment: datetime, name: str = "at") -> int:
    """A moment as microseconds since 1970 UTC; InputError if it has no zone."""
    if moment.tzinfo is None:
        raise InputError(f"{name} is {moment}, without a zone: give a time with a zone")
    return (moment - _BEGAN) // timedelta(microseconds=1)


def to_times(micro: npt.NDArray[np.int64]) -> pd.DatetimeIndex:
    """Microseconds as times in UTC."""
    return pd.DatetimeIndex(micro.astype("datetime64[us]")).tz_localize("UTC")


def flags(frame: pd.DataFrame, name: str) -> Bools:
    """A column of yes and no; a missing value, or a missing column, is no."""
    if name not in frame:
        return np.zeros(len(frame), dtype=np.bool_)
    values = frame[name]
    if values.dtype != np.bool_:
        values = values.eq(True).fillna(False)
    found: Bools = values.to_numpy(dtype=np.bool_)
    return found


def _firsts(who: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    return np.searchsorted(who, np.arange(count + 1)).astype(np.int64)


def _order(
    count: int,
    who: npt.NDArray[np.int32],
    micro: npt.NDArray[np.int64],
    accuracy: Floats,
    x: Floats,
    y: Floats,
) -> npt.NDArray[np.intp]:
    """Positions by worker, time, accuracy and place; `who` is from 0 to below `count`.

    Rows mostly come in the order of time, so those of each worker are brought together first, which
    takes no comparison, and only what is then out of order is compared.
    """
    by: npt.NDArray[np.intp] = group_rows(who, count)
    if not _is_ordered(who[by], micro[by]):
        by = np.lexsort((micro, who))
    at, moment = who[by], micro[by]
    same = (at[1:] == at[:-1]) & (moment[1:] == moment[:-1])
    if same.any():
        # Rows of one moment lie side by side: sorted among themselves they keep their positions.
        tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        rows = by[tied]
        keys = (y[rows], x[rows], accuracy[rows], micro[rows], who[rows])
        by[tied] = rows[np.lexsort(keys)]
    return by


def _is_ordered(who: npt.NDArray[np.int32], micro: npt.NDArray[np.int64]) -> bool:
    """Whether no fix comes before the one before it; workers are in order."""
    return bool(((micro[1:] >= micro[:-1]) | (who[1:] > who[:-1])).all())


def _is_sorted(who: npt.NDArray[np.int32], micro: npt.NDArray[np.int64]) -> bool:
    """Whether each fix comes after the one before it, none at the same moment."""
    later = micro[1:] > micro[:-1]
    return bool(((who[1:] > who[:-1]) | ((who[1:] == who[:-1]) & later)).all())
