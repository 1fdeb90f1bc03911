"""`wangge play`: an invented city lives, by a clock that runs as fast as asked, until Ctrl+C.

People walk and their phones report; cases come in and move on. What happens is decided by
`geo.synth.player`, which knows no clock; here the clock runs, and what happened is written: fixes
in one transaction a second into the hot table, cases through the case book, like a dispatcher's. A
case that somebody moved on a page meanwhile is looked at again and left as they have it. A call for
help is written with the fixes of its second, as the routes that phones send to would.

Above speed 1 the city's clock runs ahead of the one on the wall; `wangge_meta` says by how much
(`geo.io.demo.read_play_clock`). A second play begins where the first one ended. Nothing is pruned.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import pandas as pd
import sqlalchemy as sa

from geo.errors import InputError
from geo.io.demo import PlayClock, read_mark, write_play_clock
from geo.io.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from geo.io.casebook import CaseBook
    from geo.synth.player import KnownCase, MoveWish, Player, ReportWish, SosCall

MOST_CALLS = 2
"""So many calls for help wait at most; a demonstration that nobody answers stays readable."""
BEAT_S = 1.0
"""Seconds of the wall clock between two steps."""
LINE_S = 60.0
"""Seconds between two status lines where they cannot be written over each other."""


@dataclass
class Tally:
    """What has happened so far."""

    fixes: int = 0
    reports: int = 0
    moves: int = 0
    refused: int = 0
    calls: int = 0


@click.command("play")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.01, 3600),
    help="How many times as fast as real the city's clock runs.",
)
@click.option(
    "--minutes",
    default=None,
    type=click.FloatRange(min=0),
    help="Stop after so many real minutes.  [default: Ctrl+C]",
)
@click.option(
    "--workers",
    default=None,
    type=click.IntRange(min=1),
    help="How many people walk.  [default: the field staff]",
)
@click.option("--seed", default=1, show_default=True, help="Another number, other lots.")
@click.option(
    "--every",
    default=10,
    show_default=True,
    type=click.IntRange(1, 3600),
    help="Seconds of the city's time between two fixes of a phone.",
)
@click.option(
    "--cases",
    default=None,
    type=click.FloatRange(min=0),
    help="New cases a day of the city's time.  [default: one a grid]",
)
@click.option(
    "--start",
    "moment",
    default=None,
    metavar="ISO",
    help="The city's time at the start, with zone.  [default: now, or the newest row]",
)
@click.option(
    "--mishaps",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 10),
    help="How often people leave the post, phones die and somebody calls for help; 0 never.",
)
@click.option("--quiet", is_flag=True, help="No status line.")
@click.option(
    "--while-stdin", is_flag=True, help="Stop when standard input closes, as with its parent."
)
def command(
    directory: Path,
    speed: float,
    minutes: float | None,
    workers: int | None,
    seed: int,
    every: int,
    cases: float | None,
    moment: str | None,
    mishaps: float,
    quiet: bool,
    while_stdin: bool,
) -> None:
    """Let the invented city in DIR live: people walk, cases come in and move on."""
    if seed < 0:
        raise InputError(f"--seed is {seed}: use a whole number from 0")
    with open_workspace(directory) as workspace:
        if read_mark(workspace) is None:
            raise InputError(
                f"{directory} is no invented city, and nothing is played in a real one: build one"
                " with wangge demo"
            )
        start = _find_start(workspace, moment)
        # Loaded late, so that a wrong option answers at once.
        from geo.io.casebook import CaseBook
        from geo.io.rules import read_rules
        from geo.synth.player import Player

        tables = {name: workspace.read(name) for name in ("roads", "workers", "duties")}
        tables["incidents"] = workspace.read("incidents", where=_is_open(workspace))
        tables["grids"] = workspace.grids(at=start)
        player = Player(
            tables, rng=np.random.default_rng(seed), start=start, workers=workers, every_s=every,
            cases_a_day=cases, mishaps=mishaps,
        )  # fmt: skip
        book = CaseBook(workspace, read_rules(workspace))
        with _stop_signals() as stop:
            if while_stdin:
                threading.Thread(target=_await_end, args=(stop,), daemon=True).start()
            tally = _play(workspace, book, player, speed, minutes, stop, quiet)
    click.echo(
        f"{directory}: {tally.fixes:,} fixes, {tally.reports:,} reports, {tally.moves:,} moves"
        f" up to {player.now.astimezone(workspace.zone):%Y-%m-%d %H:%M:%S}"
    )


def _play(
    workspace: Workspace,
    book: CaseBook,
    player: Player,
    speed: float,
    minutes: float | None,
    stop: threading.Event,
    quiet: bool,
) -> Tally:
    """Step after step, until it is asked to stop or the minutes are over."""
    tally, start, begun = Tally(), player.now, time.monotonic()
    write_play_clock(workspace, PlayClock(datetime.now(UTC), start, speed))
    told = begun
    try:
        while not stop.is_set():
            passed = time.monotonic() - begun
            if minutes is not None and passed >= minutes * 60:
                break
            to = start + timedelta(seconds=passed * speed)
            if to > player.now:
                play_step(workspace, book, player, to, tally)
            if not quiet and (sys.stderr.isatty() or time.monotonic() - told >= LINE_S):
                told = time.monotonic()
                _tell(workspace, player, tally, passed, told - begun - passed)
            stop.wait(max(0.0, BEAT_S - (time.monotonic() - begun - passed)))
    finally:
        write_play_clock(workspace, None)
        if not quiet and sys.stderr.isatty():
            click.echo(err=True)
    return tally


def play_step(
    workspace: Workspace, book: CaseBook, player: Player, to: datetime, tally: Tally
) -> None:
    """Let the city live up to a moment and write what happened."""
    tick = player.advance(to)
    if len(tick.fixes) or tick.calls:
        with workspace.writing() as conn:
            tally.fixes += workspace.append(conn, "fixes", tick.fixes)
            tally.calls += _call(workspace, conn, tick.calls)
    for report in tick.reports:
        _report(book, player, report)
        tally.reports += 1
    for move in tick.moves:
        if _move(workspace, book, player, move):
            tally.moves += 1
        else:
            tally.refused += 1


def _call(workspace: Workspace, conn: sa.Connection, calls: tuple[SosCall, ...]) -> int:
    """Write calls for help, but no more than a wall without hands can bear; how many."""
    table = workspace.table("patrol_alarms")
    is_open = (table.c.kind == "sos") & table.c.ended_at.is_(None)
    waiting = conn.execute(sa.select(sa.func.count()).where(is_open)).scalar_one()
    some = calls[: max(0, MOST_CALLS - waiting)]
    if not some:
        return 0
    rows = [
        {
            "alarm_id": f"sos-{call.worker_id}-{call.at.isoformat()}", "kind": "sos",
            "worker_id": call.worker_id, "began_at": call.at, "fired_at": call.at,
            "lon": call.lon, "lat": call.lat, "detail": '{"source": "play"}',
        }
        for call in some
    ]  # fmt: skip
    return workspace.append(conn, "patrol_alarms", pd.DataFrame(rows))


def _report(book: CaseBook, player: Player, wish: ReportWish) -> None:
    file = book.report(
        at=wish.at, by=wish.by, role=wish.role, class_code=wish.class_code, lon=wish.lon,
        lat=wish.lat, description=wish.description, address=wish.address, source=wish.source,
    )  # fmt: skip
    player.take(
        file.case.incident_id, class_code=wish.class_code, stage=file.case.stage,
        grid_id=wish.grid_id, at=wish.at,
    )  # fmt: skip


def _move(workspace: Workspace, book: CaseBook, player: Player, wish: MoveWish) -> bool:
    """Make a move if the case still is as the player believes; else look at it again."""
    from geo.incidents import MoveRefusedError

    known: KnownCase = wish.case
    stand = _read_stand(workspace, wish.incident_id)
    if stand is None:
        player.drop(wish.incident_id)
        return False
    stage, seq = stand
    is_as_known = stage == known.stage
    if is_as_known:
        try:
            file = book.move(
                wish.incident_id, wish.move, at=wish.at, by=wish.by, role=wish.role,
                seen=seq, note=wish.note, owner=wish.owner, level=wish.level,
            )  # fmt: skip
        except MoveRefusedError:
            # Somebody else was quicker, or wrote a later time: the case is theirs.
            player.drop(wish.incident_id)
            return False
        stage = file.case.stage
    player.take(
        wish.incident_id,
        class_code=known.class_code,
        stage=stage,
        grid_id=known.grid_id,
        at=wish.at,
    )
    return is_as_known


def _read_stand(workspace: Workspace, incident_id: str) -> tuple[str, int] | None:
    """Stage and number of the last row of a case, None if it is gone or has no log.

    The whole case with its clock would cost ten times as much.
    """
    log = workspace.table("incident_log")
    query = (
        sa.select(log.c.stage, log.c.seq)
        .where(log.c.incident_id == incident_id)
        .order_by(log.c.seq.desc())
        .limit(1)
    )
    with workspace.reading() as conn:
        row = conn.execute(query).one_or_none()
    return None if row is None else (str(row.stage), int(row.seq))


def _is_open(workspace: Workspace) -> sa.ColumnElement[bool]:
    from geo.incidents import OPEN_STAGES

    return workspace.table("incidents").c.stage.in_(OPEN_STAGES)


def _find_start(workspace: Workspace, text: str | None) -> datetime:
    """Where the city's clock begins: now, and never before what the city knows already."""
    newest = [
        workspace.read(name, columns=[column], order_by=table.c[column].desc(), limit=1)[column]
        for name, column in (("fixes", "time"), ("incident_log", "at"))
        for table in (workspace.table(name),)
    ]
    known = [times.iloc[0].to_pydatetime() for times in newest if len(times)]
    least = max(known, default=datetime(1970, 1, 1, tzinfo=UTC)) + timedelta(seconds=1)
    if text is None:
        return max(datetime.now(UTC).replace(microsecond=0), least.astimezone(UTC))
    try:
        start = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--start is {text!r}: write it like 2026-11-21T12:30+08:00") from error
    if start.tzinfo is None:
        raise InputError(f"--start is {text!r} without a zone: add one, such as +08:00")
    if start < least:
        raise InputError(
            f"--start is {text}, but the city knows things up to {least.isoformat()}: begin there"
            " or later"
        )
    return start.astimezone(UTC)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Ctrl+C and a terminate signal ask for a stop between two steps, never inside one."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _await_end(stop: threading.Event) -> None:
    """A pipe from the parent closes with it, however it ended."""
    # Not through sys.stdin: its lock would stand in the way of the exit.
    while os.read(0, 1024):
        pass
    stop.set()


def _tell(workspace: Workspace, player: Player, tally: Tally, passed: float, spent: float) -> None:
    line = (
        f"{player.now.astimezone(workspace.zone):%m-%d %H:%M:%S}"
        f"  {len(player.worker_ids):,} people  {tally.fixes:,} fixes"
        f" ({tally.fixes / max(passed, 1):,.0f}/s)  {tally.reports:,} reports"
        f"  {tally.moves:,} moves  {player.open_cases:,} open  step {spent * 1000:,.0f} ms"
    )
    if sys.stderr.isatty():
        click.echo(f"\r{line:<110}", err=True, nl=False)
    else:
        click.echo(line, err=True)
