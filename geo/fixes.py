"""Clean GPS fixes: what is thrown out, what is held still, where nothing is known, who walks.

Nothing is repaired by guess. A fix that cannot be is thrown out, with the rule and the value that
condemned it; a phone that lies still drifts, so all fixes of a stay are put at its middle; between
fixes too far apart in time nothing is known, and the track ends. Each rule is a value (`Rule`) with
its threshold, unit and source: leave one out, set another threshold, or add your own.

    order ─> no worker, place or time ─> made up ─> vague ─> repeated ─> jump ─> stays ─> gaps
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._fixes_kernels import fastest_near, mark_stays
from geo._fixes_rules import JUMP as JUMP
from geo._fixes_rules import MOCK as MOCK
from geo._fixes_rules import MOST_ACCURACY_M as MOST_ACCURACY_M
from geo._fixes_rules import MOST_KMH as MOST_KMH
from geo._fixes_rules import NO_PLACE as NO_PLACE
from geo._fixes_rules import NO_TIME_RULE as NO_TIME_RULE
from geo._fixes_rules import REPEATED as REPEATED
from geo._fixes_rules import RULES as RULES
from geo._fixes_rules import SLACK_M as SLACK_M
from geo._fixes_rules import VAGUE as VAGUE
from geo._fixes_rules import Rule as Rule
from geo._fixes_rules import find_jumps as find_jumps
from geo._fixes_rules import find_mock as find_mock
from geo._fixes_rules import find_no_place as find_no_place
from geo._fixes_rules import find_no_time as find_no_time
from geo._fixes_rules import find_repeats as find_repeats
from geo._fixes_rules import find_vague as find_vague
from geo._fixes_tracks import Floats, Tracks, require_fixes, to_times
from geo._fixes_tracks import build_tracks as build_tracks

GAP_S = 300.0
"""Phones of patrols report every 5 to 60 s; after five minutes of silence a track has ended. Our
assumption; `geo.reach` asks more of a path."""

STAY_M = 25.0
STAY_S = 120.0
"""Who stays within 25 m for two minutes stands: on foot (1.1 m/s) one leaves the circle in 23 s,
and a phone that lies still drifts by about 10 m. Stay points after Li et al. (ACM GIS 2008), whose
200 m and 20 minutes are for days of a life, not for rounds."""

DRIVE_MS = 3.0
"""10.8 km/h. People break from walking into running at about 2 m/s (Hreljac 1993). At 3 m/s the
labels of delivery workers (GOAL, CC-BY-4.0) are met best, see docs/geo/fixes.md."""

NEAR_S = 12.0
"""A fix is driven if a step this near in time (two steps of a phone that reports every 5 s) is that
fast."""

HALT_S = 20.0
"""On foot for less than this between two drives is a halt of the vehicle."""


@dataclass(frozen=True, eq=False)
class Cleaned:
    """Clean tracks and what became of the rest."""

    tracks: Tracks
    """Fixes that stayed; those of a stay stand at its middle."""
    stay: npt.NDArray[np.int32]
    """Number of the stay of each fix, -1 where one moves."""
    moved_m: Floats
    """How far each fix was moved to the middle of its stay."""
    removed: pd.DataFrame
    """Indexed by the label of the row: `worker_id`, `time`, `x`, `y`, `rule`, `value`, `threshold`,
    `unit`, `source`."""
    stays: pd.DataFrame
    """`worker_id`, `start`, `end`, `minutes`, `x`, `y`, `fixes`, indexed by the number."""
    gaps: pd.DataFrame
    """`worker_id`, `start`, `end`, `minutes`, `far_m`: nothing is known between start and end."""

    def table(self) -> pd.DataFrame:
        """The clean fixes: `worker_id`, `time`, `x`, `y`, `stay`, `moved_m`, `row` (position of the
        row that came in)."""
        return pd.DataFrame(
            {
                "worker_id": self.tracks.names.take(self.tracks.who),
                "time": to_times(self.tracks.micro),
                "x": self.tracks.x,
                "y": self.tracks.y,
                "stay": self.stay,
                "moved_m": self.moved_m,
                "row": self.tracks.row,
            }
        )

    def count_removed(self) -> pd.Series:
        """How many fixes each rule threw out, the most first."""
        return self.removed["rule"].value_counts()


def clean_fixes(
    fixes: pd.DataFrame,
    *,
    rules: Sequence[Rule] = RULES,
    stay_m: float = STAY_M,
    stay_s: float = STAY_S,
    gap_s: float = GAP_S,
) -> Cleaned:
    """Throw out what cannot be, hold still who stands, tell where nothing is known.

    Parameters
    ----------
    fixes
        `worker_id`, `time` (with zone), `x`, `y` in metres, and where known `accuracy_m` and
        `mock`; in any order, which does not matter.
    rules
        Applied one after the other; see RULES.
    stay_m, stay_s
        A stay keeps within `stay_m` of its mean for at least `stay_s`. 0 m: nobody is held still.
    gap_s
        Silence longer than this is a gap; no stay goes across one.

    Raises
    ------
    ColumnError, InputError
        If a column is missing or the times have no zone.
    """
    tracks = build_tracks(fixes)
    removed = [_without_worker(fixes, tracks)]
    for rule in rules:
        bad, value = rule.find(tracks, rule.threshold)
        removed.append(_describe(tracks.keep(bad), value[bad], rule, fixes.index))
        tracks = tracks.keep(~bad)
    stay = _mark(tracks, stay_m, stay_s, gap_s)
    stays = _describe_stays(tracks, stay)
    x, y = tracks.x.copy(), tracks.y.copy()
    still = stay >= 0
    x[still] = stays["x"].to_numpy()[stay[still]]
    y[still] = stays["y"].to_numpy()[stay[still]]
    return Cleaned(
        replace(tracks, x=x, y=y),
        stay,
        np.hypot(x - tracks.x, y - tracks.y),
        pd.concat(removed),
        stays,
        find_gaps(tracks, gap_s=gap_s),
    )


def list_rules(rules: Sequence[Rule] = RULES) -> pd.DataFrame:
    """The rules in the order in which they are applied, for a report.

    Returns
    -------
    DataFrame
        Indexed by `rule`: `threshold`, `unit`, `source`; last stays and gaps, which remove nothing.
    """
    rows = [(rule.name, rule.threshold, rule.unit, rule.source) for rule in rules]
    rows += [
        ("stay", STAY_M, f"m for {STAY_S:.0f} s", "on foot one leaves the circle in 23 s"),
        ("gap", GAP_S, "s", "our assumption"),
    ]
    return pd.DataFrame(rows, columns=["rule", "threshold", "unit", "source"]).set_index("rule")


def find_gaps(fixes: pd.DataFrame | Tracks, *, gap_s: float = GAP_S) -> pd.DataFrame:
    """Find the silences of each worker between two fixes: where nothing is known.

    Returns
    -------
    DataFrame
        `worker_id`, `start`, `end`, `minutes`, and `far_m` from the fix before to the one after.
    """
    tracks = _tracks(fixes)
    apart = np.diff(tracks.micro)
    at = np.flatnonzero((np.diff(tracks.who) == 0) & (apart > gap_s * 1e6))
    return pd.DataFrame(
        {
            "worker_id": tracks.names.take(tracks.who[at]),
            "start": to_times(tracks.micro[at]),
            "end": to_times(tracks.micro[at + 1]),
            "minutes": apart[at] / 6e7,
            "far_m": np.hypot(tracks.x[at + 1] - tracks.x[at], tracks.y[at + 1] - tracks.y[at]),
        }
    )


def find_stays(
    fixes: pd.DataFrame | Tracks,
    *,
    stay_m: float = STAY_M,
    stay_s: float = STAY_S,
    gap_s: float = GAP_S,
) -> pd.DataFrame:
    """Find where each worker stood: `worker_id`, `start`, `end`, `minutes`, `x`, `y`, `fixes`."""
    tracks = _tracks(fixes)
    return _describe_stays(tracks, _mark(tracks, stay_m, stay_s, gap_s))


def split_tracks(
    fixes: pd.DataFrame | Tracks, *, gap_s: float = GAP_S, most_kmh: float | None = None
) -> pd.DataFrame:
    """Split the track of each worker where it is silent for longer than `gap_s`.

    Parameters
    ----------
    gap_s
        A step that takes longer ends a piece.
    most_kmh
        So does a faster one, if given (and one between two fixes of the same moment).

    Returns
    -------
    DataFrame
        One row a piece in order: `worker_id`, `start`, `end`, `minutes`, `fixes`, `length_m`.
        A piece of one fix has no length.
    """
    tracks = _tracks(fixes)
    if not len(tracks):
        columns = ["worker_id", "start", "end", "minutes", "fixes", "length_m"]
        return pd.DataFrame({name: [] for name in columns})
    apart = np.diff(tracks.micro)
    far = np.hypot(np.diff(tracks.x), np.diff(tracks.y))
    joined = (np.diff(tracks.who) == 0) & (apart <= gap_s * 1e6)
    if most_kmh is not None:
        joined &= (far * 3.6e6 <= most_kmh * apart) & (apart > 0)
    begin = np.concatenate([[0], np.flatnonzero(~joined) + 1])
    end = np.concatenate([begin[1:], [len(tracks)]]) - 1
    gone = np.concatenate([[0.0], np.cumsum(np.where(joined, far, 0.0))])
    return pd.DataFrame(
        {
            "worker_id": tracks.names.take(tracks.who[begin]),
            "start": to_times(tracks.micro[begin]),
            "end": to_times(tracks.micro[end]),
            "minutes": (tracks.micro[end] - tracks.micro[begin]) / 6e7,
            "fixes": end - begin + 1,
            "length_m": gone[end] - gone[begin],
        }
    )


def find_walking(
    fixes: pd.DataFrame,
    *,
    drive_ms: float = DRIVE_MS,
    near_s: float = NEAR_S,
    halt_s: float = HALT_S,
) -> pd.Series:
    """Tell fixes on foot (standing included) from driven ones.

    A fix is driven if a step within `near_s` of it is at least `drive_ms` fast. On foot for less
    than `halt_s` between two drives is a halt of the vehicle, and driven.

    Parameters
    ----------
    fixes
        `worker_id`, `time`, `x`, `y` in metres; clean ones, or a jump counts as a drive.

    Returns
    -------
    Series
        One boolean a row, indexed like `fixes`: true on foot; missing where no step is near.
    """
    tracks = build_tracks(fixes)
    fastest = fastest_near(tracks.first, tracks.micro, tracks.x, tracks.y, int(near_s * 1e6))
    on_foot = ~(fastest >= drive_ms)
    on_foot = _without_halts(tracks, on_foot, int(halt_s * 1e6))
    found = pd.array([pd.NA] * len(fixes), dtype="boolean")
    known = np.isfinite(fastest)
    found[tracks.row[known]] = on_foot[known]
    return pd.Series(found, index=fixes.index, name="on_foot")


def _without_halts(
    tracks: Tracks, on_foot: npt.NDArray[np.bool_], halt_us: int
) -> npt.NDArray[np.bool_]:
    """Runs on foot that are short and lie between two drives become driven."""
    if not len(tracks):
        return on_foot
    change = (np.diff(on_foot.astype(np.int8)) != 0) | (np.diff(tracks.who) != 0)
    begin = np.concatenate([[0], np.flatnonzero(change) + 1])
    end = np.concatenate([begin[1:], [len(on_foot)]]) - 1
    same_before = np.zeros(len(begin), dtype=bool)
    same_before[1:] = tracks.who[begin[1:]] == tracks.who[begin[1:] - 1]
    same_after = np.append(same_before[1:], False)
    short = tracks.micro[end] - tracks.micro[begin] < halt_us
    halt = on_foot[begin] & short & same_before & same_after
    kept: npt.NDArray[np.bool_] = on_foot & ~np.repeat(halt, end - begin + 1)
    return kept


def _tracks(fixes: pd.DataFrame | Tracks) -> Tracks:
    return fixes if isinstance(fixes, Tracks) else build_tracks(fixes)


def _mark(tracks: Tracks, stay_m: float, stay_s: float, gap_s: float) -> npt.NDArray[np.int32]:
    if stay_m <= 0:
        return np.full(len(tracks), -1, dtype=np.int32)
    found: npt.NDArray[np.int32] = mark_stays(
        tracks.first, tracks.micro, tracks.x, tracks.y, stay_m, int(stay_s * 1e6), int(gap_s * 1e6)
    )
    return found


def _describe_stays(tracks: Tracks, stay: npt.NDArray[np.int32]) -> pd.DataFrame:
    at = np.flatnonzero(stay >= 0)
    number = stay[at]
    begin = at[np.flatnonzero(np.diff(number, prepend=-1))]
    count = np.bincount(number, minlength=len(begin)).astype(np.int64)
    end = begin + count - 1
    return pd.DataFrame(
        {
            "worker_id": tracks.names.take(tracks.who[begin]),
            "start": to_times(tracks.micro[begin]),
            "end": to_times(tracks.micro[end]),
            "minutes": (tracks.micro[end] - tracks.micro[begin]) / 6e7,
            "x": np.bincount(number, weights=tracks.x[at]) / np.maximum(count, 1),
            "y": np.bincount(number, weights=tracks.y[at]) / np.maximum(count, 1),
            "fixes": count,
        }
    )


def _describe(bad: Tracks, value: Floats, rule: Rule, labels: pd.Index) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "worker_id": bad.names.take(bad.who).astype("str"),
            "time": to_times(bad.micro),
            "x": bad.x,
            "y": bad.y,
            "rule": pd.array([rule.name] * len(bad), dtype="str"),
            "value": value,
            "threshold": rule.threshold,
            "unit": pd.array([rule.unit] * len(bad), dtype="str"),
            "source": pd.array([rule.source] * len(bad), dtype="str"),
        },
        index=labels.take(bad.row),
    )


def _without_worker(fixes: pd.DataFrame, tracks: Tracks) -> pd.DataFrame:
    require_fixes(fixes)
    there = np.zeros(len(fixes), dtype=bool)
    there[tracks.row] = True
    lost = fixes[~there]
    lost = lost[["worker_id", "time", "x", "y"]].astype({"worker_id": "str"})
    if not len(fixes):
        lost["time"] = to_times(np.empty(0, dtype=np.int64))
    lost["time"] = lost["time"].dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    source = {"value": np.nan, "threshold": np.nan, "unit": "", "source": "a fix is of somebody"}
    return lost.assign(rule="no worker", **source)
