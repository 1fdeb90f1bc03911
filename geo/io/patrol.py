"""Rounds and coverage of files of fixes, file to file: one row a grid, date and shift.

The history is worked through day by day (see `geo.io._patrol_read`), so a year needs no more memory
than its fullest day. Days without any fix are not listed unless `since` and `until` ask for them:
then all their rounds are unknown. The output appears whole or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
from geopandas import GeoDataFrame

from geo.errors import InputError
from geo.fixes import GAP_S
from geo.io._assign_write import atomic
from geo.io._export_sheet import write_xlsx
from geo.io._gate_wishes import Wishes
from geo.io._patrol_read import FixDays, read_fixes, read_metric_grids, read_posts, read_streets
from geo.io.fields import guard_formulas
from geo.io.gate_report import Ledger
from geo.io.times import find_zone
from geo.locate import GridIndex
from geo.reach import (
    REACH_M,
    count_minutes,
    count_patrols,
    cut_streets,
    infer_posts,
    lay_lines,
    measure_patrols,
)
from geo.rounds import THREE_ROUNDS, Shift

OUT_ENDINGS = (".csv", ".xlsx")
SHEET_ROWS = 1_048_575
"""Rows of a spreadsheet below its heading."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much (0: nobody knows)."""


@dataclass(frozen=True, eq=False)
class PatrolReport:
    """What became of the files."""

    rows: int
    grids: int
    days: tuple[date, ...]
    """Those that are listed."""
    read: int
    good: int
    """Fixes that have a worker, a place and a time."""
    rejected: pd.Series
    """Rows by the reason why they cannot be used."""
    counted: int
    """Clean fixes in a grid during a shift."""
    city: pd.DataFrame
    """From `geo.reach.count_patrols`: the sums by date and shift."""
    notes: tuple[str, ...]


def patrol_files(
    fixes: Sequence[str | Path],
    grids: str | Path,
    streets: str | Path,
    out: str | Path,
    *,
    at: datetime,
    workers: str | Path | None = None,
    timezone: str = "Asia/Shanghai",
    times_in: str | None = None,
    shifts: Sequence[Shift] = THREE_ROUNDS,
    radius_m: float = REACH_M,
    since: date | None = None,
    until: date | None = None,
    source_crs: str | None = None,
    grids_crs: str | None = None,
    streets_crs: str | None = None,
    id_column: str | None = None,
    mapping: Mapping[str, str] | None = None,
    set_values: Mapping[str, str] | None = None,
    layer: str | None = None,
    grids_layer: str | None = None,
    streets_layer: str | None = None,
    progress: Progress | None = None,
) -> PatrolReport:
    """Write rounds and coverage of every grid, date and shift; columns as PATROL_COLUMNS.

    Parameters
    ----------
    fixes, grids, streets
        Of any format that the import gate reads. Streets need a class of road, or all are walked.
    out
        File ending in .csv or .xlsx.
    at
        The moment as of which rounds are judged; fixes from more than a day later are refused.
    workers
        Table with `worker_id` and `unit_code`, the grid of each; without it a worker's grid is the
        one in which most of the minutes on shift were spent.
    timezone, times_in
        The city's clock, and the zone of times that name none, if that is another one.
    shifts, radius_m
        See `geo.rounds` and `geo.reach`.
    since, until
        First and last day to list.
    source_crs, grids_crs, streets_crs
        wgs84, gcj02, bd09, cgcs2000 or EPSG:n, for files that state none.
    id_column
        Column that names the grids.
    mapping, set_values
        Column of a field of the fixes, value of a field for all of them.

    Raises
    ------
    InputError
        If a file, column or option cannot be used; one line that says what and where.
    CoverError
        If grids overlap.
    """
    paths, out = [Path(path) for path in fixes], Path(out)
    zone = find_zone(timezone)
    _require_sense(paths, out, (grids, streets, workers), shifts, since, until)
    say = progress or (lambda text, done, total: None)
    say("reading the grids", 0, 0)
    cover, notes = read_metric_grids(
        Path(grids), id_column=id_column, crs=grids_crs, layer=grids_layer
    )
    index = GridIndex(cover)
    street_wish = Wishes("roads", at, source_crs=streets_crs, make_ids="r", layer=streets_layer)
    say("reading the streets", 0, 0)
    roads, more = read_streets(Path(streets), cover.crs, street_wish)
    pieces, lines = cut_streets(roads, cover), lay_lines(cover)
    notes += more
    posts = None
    if workers is not None:
        posts, more = read_posts(Path(workers), cover.index)
        notes += more
    wishes = Wishes(
        "fixes", at, source_crs=source_crs, mapping=dict(mapping or {}),
        set_values=dict(set_values or {}), timezone=times_in or timezone, layer=layer,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="wangge-patrol-") as folder:
        days = FixDays(Path(folder), zone, cover.crs)
        ledger, good, more = read_fixes(paths, days, cover, wishes, lambda text: say(text, 0, 0))
        notes += [*more, *_say_times_in(ledger, bool(times_in))]
        if not good:
            raise InputError(_nothing_good(paths, ledger.finish([], 0).rejected))
        listed, more = _list_days(days.days, since, until)
        notes += more
        if posts is None:
            posts, more = _infer(cover, days, listed, zone, shifts, index, say)
            notes += more
        tables = []
        for number, day in enumerate(listed):
            say("measuring", number, len(listed))
            low, high = _span(day, zone, shifts)
            tables.append(
                measure_patrols(
                    cover,
                    pieces,
                    days.read(low, high),
                    posts,
                    day=day,
                    at=at,
                    zone=zone,
                    shifts=shifts,
                    radius_m=radius_m,
                    lines=lines,
                    index=index,
                )
            )
        say("measuring", len(listed), len(listed))
    table = pd.concat(tables, ignore_index=True)
    _write(table, out)
    empty = int(cover.index.difference(pd.Index(posts.unique())).size)
    if empty:
        notes.append(f"{empty:,} grids have no worker: their rounds are unknown")
    rejected = ledger.finish([], good).rejected["reason"].value_counts()
    return PatrolReport(
        len(table), len(cover), tuple(listed), ledger.read, good, rejected,
        int(table["fixes"].sum()), count_patrols(table), tuple(notes),
    )  # fmt: skip


def _require_sense(
    paths: list[Path],
    out: Path,
    others: tuple[str | Path | None, ...],
    shifts: Sequence[Shift],
    since: date | None,
    until: date | None,
) -> None:
    if not paths:
        raise InputError("no file of fixes is named")
    if out.suffix.lower() not in OUT_ENDINGS:
        raise InputError(f"{out} ends in {out.suffix or 'nothing'}: use .csv or .xlsx")
    if not out.resolve().parent.is_dir():
        raise InputError(f"{out.resolve().parent} is no folder: make it first")
    for path in (*paths, *(Path(other) for other in others if other is not None)):
        if path.resolve() == out.resolve():
            raise InputError(f"{out} would overwrite an input")
    names = [shift.name for shift in shifts]
    if not names:
        raise InputError("there is no shift: name one with --shift")
    if len(set(names)) < len(names):
        raise InputError(f"two shifts are called {max(names, key=names.count)}: name them apart")
    if since and until and until < since:
        raise InputError(f"--until {until} is before --since {since}")


def _say_times_in(ledger: Ledger, is_told: bool) -> list[str]:
    """What the gate decided, in the words of this command; no doubt about a zone that was told."""
    looks = [text for text in ledger.warnings if not (is_told and "sun's time" in text)]
    texts = [*ledger.notes, *(f"look: {text}" for text in looks)]
    return [text.replace("--timezone", "--times-in") for text in texts]


def _nothing_good(paths: Sequence[Path], rejected: pd.DataFrame) -> str:
    reasons = rejected["reason"].value_counts()
    why = "; ".join(f"{count:,} x {reason}" for reason, count in reasons.head(3).items())
    return f"{', '.join(path.name for path in paths[:5])}: no row is a fix that can be used: {why}"


def _list_days(
    there: list[date], since: date | None, until: date | None
) -> tuple[list[date], list[str]]:
    """The days to list: those with fixes, or all from `since` to `until`."""
    if since is None and until is None:
        gone = (there[-1] - there[0]).days + 1 - len(there)
        note = (
            f"{gone:,} days between have no fix and are not listed: --since and --until list them"
        )
        return there, [note] if gone else []
    first, last = since or there[0], until or there[-1]
    listed = [first + timedelta(days=k) for k in range((last - first).days + 1)]
    if not listed:
        raise InputError(f"fixes are of {there[0]} to {there[-1]}: no day of them is listed")
    return listed, []


def _span(day: date, zone: ZoneInfo, shifts: Sequence[Shift]) -> tuple[datetime, datetime]:
    """Fixes that a day needs: its own, and so many more that the edge of a shift is no gap."""
    midnight = datetime.combine(day, time(0), tzinfo=zone)
    slack = timedelta(seconds=GAP_S)
    ends = [
        datetime.combine(day, s.start, tzinfo=zone) + timedelta(minutes=s.minutes) for s in shifts
    ]
    return midnight - slack, max([*ends, midnight + timedelta(days=1)]) + slack


def _infer(
    cover: GeoDataFrame,
    days: FixDays,
    listed: Sequence[date],
    zone: ZoneInfo,
    shifts: Sequence[Shift],
    index: GridIndex,
    say: Progress,
) -> tuple[pd.Series, list[str]]:
    """Who walks where, by where each was most of the minutes on shift."""

    def counts() -> Iterator[pd.DataFrame]:
        for number, day in enumerate(listed):
            say("finding who walks where", number, len(listed))
            fixes = days.read(*_span(day, zone, shifts))
            yield count_minutes(cover, fixes, day=day, zone=zone, shifts=shifts, index=index)

    posts = infer_posts(pd.concat(list(counts()), ignore_index=True))
    note = (
        "who walks where is inferred (--workers FILE says it): a worker's grid is the one with most"
        f" minutes on shift; {len(posts):,} workers in {posts.nunique():,} grids"
    )
    rest = len(days.workers) - len(posts)
    left = [f"{rest:,} workers were in no grid during a shift and are posted nowhere"]
    return posts, [note, *(left if rest else [])]


def _write(table: pd.DataFrame, out: Path) -> None:
    if out.suffix.lower() == ".xlsx" and len(table) > SHEET_ROWS:
        raise InputError(
            f"{len(table):,} rows do not fit a spreadsheet of {SHEET_ROWS:,}: use .csv"
        )
    with atomic(out) as draft:
        if out.suffix.lower() == ".xlsx":
            write_xlsx(table, draft, "patrol")
            return
        texts = {name: guard_formulas(table[name].astype("str")) for name in ("grid_id", "shift")}
        table.assign(**texts).to_csv(draft, index=False, encoding="utf-8")
