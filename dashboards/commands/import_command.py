"""`wangge import KIND FILE… --workspace DIR`: files through the gate, with a full account.

Exit 0 when rows came in, 1 when none did or a hard rule kept all out, 2 for a file or option
that cannot be used. The report goes to standard output, progress to standard error.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from dashboards.commands._import_report import describe
from dashboards.settings import read_settings
from geo.errors import InputError, RuleError
from geo.io.fields import parse_options
from geo.io.gate import SNAP_M, import_files
from geo.io.gate_report import ImportReport, to_json, write_problems
from geo.io.workspace import open_workspace
from geo.schema import IMPORT_KINDS


@click.command("import")
@click.argument("kind", type=click.Choice(IMPORT_KINDS))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--workspace",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the city.",
)
@click.option("--source-crs", help="wgs84, gcj02, bd09, cgcs2000, EPSG:n; else the file's own.")
@click.option(
    "--map", "mapping", multiple=True, metavar="FIELD=COLUMN", help="Column of a field; - for none."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Value of a field for every row.",
)
@click.option("--make-ids", metavar="PREFIX", help="Give rows without an id one.")
@click.option("--layer", help="Layer, sheet or file in an archive; * for all.")
@click.option("--encoding", help="Encoding of text; else it is found out.")
@click.option("--timezone", help="Zone of times that name none; else that of the settings.")
@click.option(
    "--date-order", type=click.Choice(["mdy", "dmy"]), help="Order where the year comes last."
)
@click.option("--allow-gaps", is_flag=True, help="Accept ground between grids that no grid holds.")
@click.option(
    "--snap-width",
    type=float,
    default=SNAP_M,
    show_default=True,
    metavar="M",
    help="Close borders of grids up to this width, metres.",
)
@click.option("--update", is_flag=True, help="Replace rows whose id is there.")
@click.option(
    "--new-version", is_flag=True, help="Close the grids in force that the new ones replace."
)
@click.option(
    "--problems",
    type=click.Path(path_type=Path),
    metavar="OUT.gpkg",
    help="Write rejected rows and warnings with their places.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, keep nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    kind: str,
    files: tuple[Path, ...],
    folder: Path,
    source_crs: str | None,
    mapping: tuple[str, ...],
    settings: tuple[str, ...],
    make_ids: str | None,
    layer: str | None,
    encoding: str | None,
    timezone: str | None,
    date_order: str | None,
    allow_gaps: bool,
    snap_width: float,
    update: bool,
    new_version: bool,
    problems: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring files into a workspace through the gate.

    KIND is the table they go to. Any common format is read; columns are recognised by their
    names, and --map, --set and --make-ids fill in the rest. Every row is accepted or rejected
    with a reason, all in one transaction.
    """
    _refuse_overwriting(problems, files, folder)
    at = datetime.now(UTC)
    with open_workspace(folder) as workspace:
        report = import_files(
            workspace,
            kind,
            files,
            at=at,
            source_crs=source_crs,
            mapping=parse_options(mapping, "--map"),
            set_values=parse_options(settings, "--set"),
            make_ids=make_ids,
            layer=layer,
            encoding=encoding,
            timezone=timezone or read_settings(folder).timezone,
            date_order="mdy" if date_order == "mdy" else "dmy" if date_order else None,
            allow_gaps=allow_gaps,
            snap_m=snap_width,
            update=update,
            new_version=new_version,
            dry_run=dry_run,
            progress=_show_progress,
        )
    click.echo(json.dumps(to_json(report), ensure_ascii=False) if as_json else describe(report))
    _warn_of_old(report, folder, at)
    if problems is not None:
        counts = write_problems(report, problems)
        listed = ", ".join(f"{n:,} in layer {name}" for name, n in counts.items()) or "none"
        click.echo(f"problems written to {problems}: {listed}", err=as_json)
    if report.refused:
        raise RuleError(report.refused)
    if not report.is_good:
        raise RuleError(f"none of {report.read:,} rows was accepted")


def _refuse_overwriting(problems: Path | None, files: tuple[Path, ...], folder: Path) -> None:
    if problems is None:
        return
    kept = {path.resolve() for path in (*files, folder / "city.gpkg")}
    if problems.resolve() in kept:
        raise InputError(f"--problems {problems} would overwrite an input")


def _warn_of_old(report: ImportReport, folder: Path, at: datetime) -> None:
    """Say so if a server of this city would delete what has just come in."""
    days = read_settings(folder).keep_fixes_days
    first = report.facts.get("first")
    if days and first and datetime.fromisoformat(first) < at - timedelta(days=days):
        click.echo(
            f"\nThe first fix is of {first[:10]}: a server of this city deletes fixes after {days}"
            " days. Set keep_fixes_days to 0 in settings.toml to keep them.",
            err=True,
        )


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)
        if text.startswith("storing"):
            click.echo(err=True)
