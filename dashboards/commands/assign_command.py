"""`wangge assign`: points into grids, file to file.

What was decided and the count of points go to standard output, the progress bar to standard error.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from geo.io.assign import AssignReport, assign_file


@click.command("assign")
@click.argument("points", type=click.Path(path_type=Path))
@click.option(
    "--grids",
    required=True,
    type=click.Path(path_type=Path),
    help="Polygons without overlaps, in any CRS.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="OUT.(csv|parquet)",
    help="Where to write the points with their grids.",
)
@click.option("--lon", help="Column of the longitude; else found by its name.")
@click.option("--lat", help="Column of the latitude; else found by its name.")
@click.option(
    "--crs", help="CRS of the points: wgs84, gcj02, bd09, cgcs2000, EPSG:n; else the file's own."
)
@click.option("--grids-crs", help="CRS of the grids, for a file that states none.")
@click.option("--id", "id_column", metavar="COLUMN", help="Column that names the grids.")
@click.option(
    "--as",
    "name",
    default="grid_id",
    show_default=True,
    metavar="COLUMN",
    help="Column to write the grid's name to.",
)
@click.option("--layer", help="Layer of the points, for a file that has several.")
@click.option("--grids-layer", help="Layer of the grids, for a file that has several.")
def command(points: Path, grids: Path, out: Path, **options: Any) -> None:
    """Write POINTS with the grid that each is in.

    Every point has at most one grid, also on a line and on the outer border. CSV and Parquet are
    read in pieces, so a file may be larger than memory.
    """
    with contextlib.ExitStack() as stack:
        report = assign_file(points, grids, out, progress=_progress_bar(points, stack), **options)
    for line in describe(report):
        click.echo(line)
    click.echo(f"{out}: {report.read:,} rows")


def _progress_bar(points: Path, stack: contextlib.ExitStack) -> Callable[[int, int | None], None]:
    """Make what shows the rows done as a bar, which the stack closes; nothing without a total."""
    bars: list[Any] = []

    def show(read: int, total: int | None) -> None:
        if total is None:
            return
        if not bars:
            bar = click.progressbar(length=total, label=points.name, file=sys.stderr)
            bars.append(stack.enter_context(bar))
        # Lines of text are counted, rows are read: a quoted value may hold several lines.
        bars[0].update(min(read, total) - bars[0].pos)

    return show


def describe(report: AssignReport) -> list[str]:
    """Say what was decided and what became of the points."""
    lines = list(report.notes)
    if report.broken:
        lines.append(f"{report.broken:,} lines cannot be read as rows and are left out")
    lines.append(
        f"{report.read:,} points read = {report.inside:,} inside + {report.outside:,} outside"
        f" + {report.unusable:,} without usable coordinates"
    )
    return lines
