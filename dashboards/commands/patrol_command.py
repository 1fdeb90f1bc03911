"""`wangge patrol`: rounds and coverage from files of fixes, file to file.

What was decided and the sums go to standard output, progress to standard error.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geo.errors import InputError
from geo.io.fields import parse_options

if TYPE_CHECKING:
    from geo.io.patrol import PatrolReport
    from geo.rounds import Shift

_SHIFT = re.compile(r"^(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)$")
_DAY = click.DateTime(["%Y-%m-%d"])
_MOST_SUMS = 12
_PATH = click.Path(path_type=Path)


@click.command("patrol")
@click.argument("fixes", nargs=-1, required=True, type=_PATH)
@click.option("--grids", required=True, type=_PATH, help="Polygons without overlaps, in any CRS.")
@click.option("--streets", required=True, type=_PATH, help="Lines, with their class where known.")
@click.option(
    "--out", required=True, type=_PATH, metavar="OUT.(xlsx|csv)", help="Where to write the rows."
)
@click.option(
    "--workers",
    type=_PATH,
    help="Table of worker_id and unit_code, the grid of each; else found out from the fixes.",
)
@click.option(
    "--shift",
    "shifts",
    multiple=True,
    metavar="NAME=HH:MM-HH:MM",
    help="A round; may be given again. Else an hour each at 08:00, 12:00 and 18:00.",
)
@click.option(
    "--radius",
    "radius_m",
    type=float,
    default=20.0,
    show_default=True,
    metavar="M",
    help="What lies so near a walk is covered, metres.",
)
@click.option("--since", type=_DAY, help="First day to list; else the first with a fix.")
@click.option("--until", type=_DAY, help="Last day to list; else the last with a fix.")
@click.option(
    "--timezone", default="Asia/Shanghai", show_default=True, help="The city's clock, by its name."
)
@click.option("--times-in", metavar="ZONE", help="Zone of times that name none, if another one.")
@click.option("--at", metavar="TIME", help="Judge as of this moment (ISO 8601); else now.")
@click.option("--source-crs", help="Of the fixes: wgs84, gcj02, bd09, cgcs2000, EPSG:n.")
@click.option("--grids-crs", help="CRS of the grids, for a file that states none.")
@click.option("--streets-crs", help="CRS of the streets, for a file that states none.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column that names the grids.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Column of a field of the fixes.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Value of a field for all fixes.",
)
@click.option("--layer", help="Layer of the fixes, for a file that has several.")
@click.option("--grids-layer", help="Layer of the grids, for a file that has several.")
@click.option("--streets-layer", help="Layer of the streets, for a file that has several.")
def command(fixes: tuple[Path, ...], **options: Any) -> None:
    """Write what patrols did by grid, date and shift, from FIXES of any common format.

    Rounds done, partly done, missed or unknown, and the streets and ground that were covered. A
    history may be longer than memory: it is worked through day by day.
    """
    # Loading the compiled functions takes a moment that --help should not need.
    from geo.io.patrol import patrol_files
    from geo.rounds import THREE_ROUNDS

    out = options["out"]
    shifts = tuple(_shift_of(text) for text in options.pop("shifts")) or THREE_ROUNDS
    at = _moment_of(options.pop("at"))
    since, until = (_date_of(options.pop(name)) for name in ("since", "until"))
    mapping = parse_options(options.pop("mapping"), "--map")
    set_values = parse_options(options.pop("settings"), "--set")
    shown = _Shown()
    try:
        report = patrol_files(
            fixes, at=at, shifts=shifts, since=since, until=until, mapping=mapping,
            set_values=set_values, progress=shown.show, **options,
        )  # fmt: skip
    finally:
        shown.close()
    for line in describe(report):
        click.echo(line)
    click.echo(f"{out}: {report.rows:,} rows")


def describe(report: PatrolReport) -> list[str]:
    """Say what was decided, what became of the fixes, and the sums of the city."""
    lines = list(report.notes)
    bad = report.read - report.good
    lines.append(f"{report.read:,} fixes read = {report.good:,} used + {bad:,} rejected")
    lines += [f"  {count:>9,}  {reason}" for reason, count in report.rejected.items()]
    first, last = report.days[0], report.days[-1]
    lines.append(
        f"{report.grids:,} grids, {len(report.days):,} days, {first} to {last};"
        f" {report.counted:,} clean fixes in a grid during a shift"
    )
    lines.append(
        f"{'date':<10}  {'shift':<10} {'required':>9} {'done':>9} {'partly':>9} {'missed':>9}"
        f" {'unknown':>9} {'streets':>9}"
    )
    for row in report.city.head(_MOST_SUMS).itertuples(index=False):
        share = "-" if row.street_m == 0 else f"{row.covered_share:.1%}"
        lines.append(
            f"{row.date:<10}  {row.shift:<10} {row.required:>9,} {row.done:>9,} {row.partly:>9,}"
            f" {row.missed:>9,} {row.unknown:>9,} {share:>9}"
        )
    rest = len(report.city) - _MOST_SUMS
    return [*lines, f"and {rest:,} more shifts"] if rest > 0 else lines


def _shift_of(text: str) -> Shift:
    """A shift from `morning=08:00-09:00`; one may end after midnight."""
    from geo.rounds import Shift

    name, equals, span = text.partition("=")
    found = _SHIFT.match(span.strip())
    if not equals or not name.strip() or found is None:
        raise InputError(f"--shift {text} is not of the form NAME=HH:MM-HH:MM")
    h1, m1, h2, m2 = map(int, found.groups())
    if h1 > 23 or m1 > 59 or m2 > 59 or h2 * 60 + m2 > 1440:
        raise InputError(f"--shift {text} names no times of day")
    minutes = (h2 * 60 + m2 - h1 * 60 - m1) % 1440
    if minutes == 0:
        raise InputError(f"--shift {text} ends when it begins")
    return Shift(name.strip(), time(h1, m1), minutes)


def _moment_of(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--at {text} is no time: say it like 2026-11-21T20:00+08:00") from None
    if moment.tzinfo is None:
        raise InputError(f"--at {text} has no zone: say it like 2026-11-21T20:00+08:00")
    return moment


def _date_of(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


class _Shown:
    """Progress on standard error: a line of text, a bar where the end is known."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._label = ""

    def show(self, text: str, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        if total == 0:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)
            return
        if self._label != text:
            self.close()
            click.echo("\r\x1b[K", err=True, nl=False)
            self._bar = click.progressbar(length=total, label=text, file=sys.stderr)
            self._bar.__enter__()
            self._label = text
        self._bar.update(done - self._bar.pos)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None
        elif sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False)
