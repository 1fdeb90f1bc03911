"""`wangge divide`: units into balanced grids, file to file."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from geo.errors import CoverError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geo.divide import Division

_VERDICTS = {
    "optimal": "in band, proven best",
    "in_band": "in band",
    "cannot": "cannot be in band",
    "within": "out of band",
}


@click.command("divide")
@click.argument("units", type=click.Path(path_type=Path))
@click.option(
    "--band", nargs=2, type=float, required=True, metavar="LOW HIGH", help="Households of a grid."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Plan to write, CSV.")
@click.option("--roads", type=click.Path(path_type=Path), help="Lines with road_class.")
@click.option(
    "--previous", type=click.Path(path_type=Path), help="Plan in force: change as little as can be."
)
@click.option("--effort", type=click.Choice(["fast", "full"]), default="full", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another plan.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--report", type=click.Path(path_type=Path), help="What is known, as JSON.")
@click.option("--layer", help="Layer of UNITS, where the file has several.")
@click.option("--unit-id", help="Column of the units' ids; else found by its name.")
@click.option("--households", help="Column of the households; else found by its name.")
@click.option("--community", help="Column of the communities; else found by its name.")
@click.option(
    "--weigh",
    "weights",
    multiple=True,
    metavar="COLUMN=WEIGHT",
    help="Balance this column times its weight, in place of households; may be given again.",
)
@click.option(
    "--band-of",
    "bands",
    multiple=True,
    metavar="COMMUNITY=LOW,HIGH",
    help="Another band for one community; may be given again.",
)
@click.option("--lock", "locked", multiple=True, metavar="GRID", help="Leave this grid as it is.")
@click.option("--keep-main", is_flag=True, help="No grid crosses a main street either.")
def command(units: Path, band: tuple[float, float], out: Path, **options: Any) -> None:
    """Divide UNITS (polygons with households and community) into grids of LOW to HIGH households.

    Grids hang together, stay inside their community, never split a unit and never cross a river or
    a railway. Ctrl-C stops the search and writes the best plan so far.
    """
    # Loading the compiled search takes a moment that --help should not need.
    from geo.io.divide import divide_file

    columns = {name: options.pop(name) for name in ("unit_id", "households", "community")}
    weights = dict(_number_of(text, "--weigh") for text in options.pop("weights"))
    bands = dict(_band_of(text) for text in options.pop("bands"))
    barriers = ("main", "river", "rail") if options.pop("keep_main") else ("river", "rail")
    shown = _Shown()
    try:
        with _stoppable() as stop, _silence():
            division = divide_file(
                units, out, band, columns={k: v for k, v in columns.items() if v}, weights=weights,
                bands=bands, barriers=barriers, progress=shown.show, stop=stop, ready=shown.begin,
                tell=lambda text: click.echo(text, err=True), **options,
            )  # fmt: skip
    except CoverError as error:
        # Unusable here: what overlaps has no neighbours to speak of.
        raise InputError(str(error)) from error
    shown.close()
    for line in describe(division, band):
        click.echo(line)
    click.echo(f"{out}: {len(division.plan):,} units")


class _Shown:
    """A bar of the pieces done, on standard error."""

    def __init__(self) -> None:
        self._bar: Any = None

    def begin(self) -> None:
        """All files can be used: the search begins."""
        from geo.divide import is_compiled

        if not is_compiled():
            click.echo("compiling the search, once after installing: about half a minute", err=True)

    def show(self, done: int, total: int, community: str) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=total, label="dividing", file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._bar.pos)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep a line that HiGHS prints by itself out of the output; it goes past Python's streams."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _stoppable() -> Iterator[Event]:
    """An event that the first Ctrl-C sets; the second one ends the program."""
    stop = Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        click.echo("stopping with the best plan so far", err=True)
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def describe(division: Division, band: tuple[float, float]) -> list[str]:
    """Say what came out, what could not be better, and why."""
    totals = division.totals
    low, high = band
    lines = []
    if len(division.oversize):
        most = ", ".join(
            f"{unit} ({row['load']:,.0f})" for unit, row in division.oversize.head(5).iterrows()
        )
        rest = f" and {len(division.oversize) - 5} more" if len(division.oversize) > 5 else ""
        count = len(division.oversize)
        who = "1 unit holds" if count == 1 else f"{count} units hold"
        alone = "stands alone" if count == 1 else "stand alone"
        lines.append(f"{who} more than {high:g} and {alone}: {most}{rest}")
    if division.islands:
        count = len(division.islands)
        what = "1 island, its own grid" if count == 1 else f"{count} islands, each its own grid"
        rest = f" and {count - 5} more" if count > 5 else ""
        lines.append(f"{what}: {', '.join(division.islands[:5])}{rest}")
    lines.append(
        f"{totals['grids']:,} grids, {totals['in_band_pct']:.1f} % of the free ones in"
        f" {low:g}-{high:g}; {totals['bad']} out of band by {totals['off']:,.0f}"
        f" (no plan below {totals['bound']:,.0f})"
    )
    if totals["moved"]:
        share = 100 * totals["moved"] / max(totals["load"], 1)
        lines.append(f"{totals['moved']:,.0f} moved to another grid ({share:.1f} %)")
    counts = division.communities["verdict"].value_counts()
    found = [f"{counts[key]} {text}" for key, text in _VERDICTS.items() if key in counts]
    lines.append("communities: " + ", ".join(found))
    bad = division.communities[division.communities["off"] > 0]
    for name, row in bad.iterrows():
        lines.append(f"  {name}: {_tell_why(row)}")
    if not division.is_complete:
        lines.append("stopped before the end: this is the best plan so far")
    return lines


def _tell_why(row: Any) -> str:
    """Why a community is out of the band: `C053: cannot be in band because of …`."""
    count = int(row["bad"])
    grids = f"{count} grid{'s' if count > 1 else ''} out by {row['off']:,.0f}"
    left = f", which leaves {row['left']:,.0f} over" if row["left"] else ""
    if row["verdict"] == "cannot":
        return f"cannot be in band because of {row['cause']}{left}: {grids}, proven least"
    if row["bound"]:
        least = f"at least {row['bound']:,.0f} cannot be avoided"
    else:
        least = "not proven that it cannot be less"
    return f"{grids}, {least}; in the way: {row['cause']}{left}"


def _number_of(text: str, option: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    numbers = _numbers(value)
    if not name or len(numbers) != 1:
        raise InputError(f"{option} {text}: write COLUMN=WEIGHT")
    return name, numbers[0]


def _band_of(text: str) -> tuple[str, tuple[float, float]]:
    name, _, value = text.rpartition("=")
    numbers = _numbers(value)
    if not name or len(numbers) != 2:
        raise InputError(f"--band-of {text}: write COMMUNITY=LOW,HIGH")
    return name, (numbers[0], numbers[1])


def _numbers(text: str) -> list[float]:
    """Numbers between commas; none at all if one of them is no number."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []
