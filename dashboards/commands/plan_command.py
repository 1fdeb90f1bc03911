"""`wangge plan`: plans of the planner from the command line.

Exit 0 done, 1 when the rules refuse a plan, 2 for what cannot be used.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click
import pandas as pd

from dashboards.commands._import_report import describe
from dashboards.commands.export_command import read_moment
from dashboards.settings import read_settings
from geo.errors import InputError, RuleError
from geo.io.plan_exchange import export_plan, import_plan
from geo.io.planbook import PlanBook
from geo.io.publish import judge_plan, publish_plan, settle_begun
from geo.io.workspace import open_workspace
from geo.plan_rules import Verdict

PLAN_ENDING = ".json"
"""A whole draft with its edits and comments; other endings are tables of grids."""

_FOLDER = click.option(
    "--workspace", "folder", required=True, metavar="DIR", type=click.Path(path_type=Path),
    help="The folder that holds city.gpkg.",
)  # fmt: skip


@click.group("plan")
def command() -> None:
    """Plans of the planner: list, export, import, check, publish."""


@command.command("list")
@_FOLDER
def list_plans(folder: Path) -> None:
    """List all plans, the newest change first."""
    with open_workspace(folder) as workspace:
        book = PlanBook(workspace)
        settle_begun(workspace, book, at=datetime.now(UTC))
        plans = book.plans()
        for row in plans.reset_index().itertuples(index=False):
            changed = row.changed_at.astimezone(workspace.zone)
            version = "" if pd.isna(row.version) else f"  version {row.version}"
            click.echo(
                f"{row.plan_id}  {row.state:<9}  {changed:%Y-%m-%d %H:%M}  {row.seq:>5} edits"
                f"  {row.conflicts} conflicts  {row.open_comments} comments"
                f"{version}  {row.name} ({row.author})"
            )
        if plans.empty:
            click.echo("no plans yet")


@command.command("export")
@click.argument("plan_id")
@_FOLDER
@click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path),
    help=".json for the whole draft, else a file of its grids as of wangge export.",
)  # fmt: skip
@click.option(
    "--target-crs", default="wgs84", show_default=True, metavar="CRS",
    help="wgs84, gcj02, bd09, cgcs2000, EPSG:n or PROJ text; for grids.",
)  # fmt: skip
def export(plan_id: str, folder: Path, out: Path, target_crs: str) -> None:
    """Write the plan PLAN_ID to a file."""
    with open_workspace(folder) as workspace:
        book = PlanBook(workspace)
        if out.suffix.lower() == PLAN_ENDING:
            book.save_file(plan_id, out, datetime.now(UTC))
            click.echo(f"plan {plan_id} written to {out}")
            return
        report = export_plan(
            workspace, book, plan_id, out, target_crs=target_crs,
            timezone=read_settings(folder).timezone,
        )  # fmt: skip
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{report.rows:,} grids of plan {plan_id} written to {report.path}")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@_FOLDER
@click.option("--name", help="Name of the draft; else that of the file.")
@click.option("--by", default="wangge plan", show_default=True, help="Who begins it.")
@click.option("--source-crs", help="wgs84, gcj02, bd09, cgcs2000, EPSG:n; else the file's own.")
@click.option("--layer", help="Layer of the file.")
@click.option("--allow-gaps", is_flag=True, help="Accept ground between grids that none holds.")
def import_(
    file: Path,
    folder: Path,
    name: str | None,
    by: str,
    source_crs: str | None,
    layer: str | None,
    allow_gaps: bool,
) -> None:
    """Begin a draft with FILE: a draft (.json), or grids that were drawn on in QGIS."""
    at = datetime.now(UTC)
    with open_workspace(folder) as workspace:
        book = PlanBook(workspace)
        if file.suffix.lower() == PLAN_ENDING:
            click.echo(f"plan {book.load_file(file, by, at, name=name)} begun with {file}")
            return
        settings = read_settings(folder)
        done = import_plan(
            workspace, book, file, name=name or file.stem, by=by, at=at, source_crs=source_crs,
            layer=layer, allow_gaps=allow_gaps, timezone=settings.timezone,
        )  # fmt: skip
        click.echo(describe(done.report))
        if done.report.refused or not done.plan_id:
            raise RuleError(done.report.refused or "the file has no grid that could be used")
        for note in done.notes:
            click.echo(f"note: {note}", err=True)
        for grid, area in sorted(done.differs.items(), key=lambda item: -item[1])[:10]:
            click.echo(f"grid {grid} differs from the file by {area:,.0f} m2", err=True)
        click.echo(
            f"plan {done.plan_id} begun: {done.moved} vertices moved, {done.cut} parts cut off"
        )
        judged = judge_plan(workspace, book, done.plan_id, at=at, band=settings.band)
        click.echo(_tell(judged.verdict))


@command.command("check")
@click.argument("plan_id")
@_FOLDER
@click.option("--from", "from_text", metavar="DATE", help="From when it shall be in force.")
def check(plan_id: str, folder: Path, from_text: str | None) -> None:
    """Hold the plan PLAN_ID against every rule."""
    with open_workspace(folder) as workspace:
        settings = read_settings(folder)
        begin = None if from_text is None else _begin(from_text, settings.timezone)
        judged = judge_plan(
            workspace, PlanBook(workspace), plan_id, at=datetime.now(UTC), from_day=begin,
            band=settings.band,
        )  # fmt: skip
        click.echo(_tell(judged.verdict))
        if not judged.verdict.passed:
            raise RuleError(f"plan {plan_id} breaks {len(judged.verdict.errors)} rules")


@command.command("publish")
@click.argument("plan_id")
@_FOLDER
@click.option("--from", "from_text", required=True, metavar="DATE",
              help="Beginning of this day in the city's zone (or this ISO time).")  # fmt: skip
@click.option("--by", required=True, help="Who publishes it.")
@click.option("--note", help="Why.")
def publish(plan_id: str, folder: Path, from_text: str, by: str, note: str | None) -> None:
    """Bring the approved plan PLAN_ID into force."""
    with open_workspace(folder) as workspace:
        settings = read_settings(folder)
        done = publish_plan(
            workspace, PlanBook(workspace), plan_id, from_=_begin(from_text, settings.timezone),
            by=by, at=datetime.now(UTC), band=settings.band, note=note,
        )  # fmt: skip
        day = done.from_day.astimezone(workspace.zone)
        click.echo(
            f"version {done.version} from {day:%Y-%m-%d %H:%M}:"
            f" {len(done.grids):,} grids written, {done.kept:,} kept, {len(done.ended):,} ended,"
            f" {done.duties:,} appointments moved"
        )
        if done.vacant:
            click.echo(f"nobody is appointed yet to {', '.join(done.vacant)}", err=True)


def _begin(text: str, timezone: str) -> datetime:
    """The first moment of a day, or an ISO time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--from {text!r} is no date: write 2026-12-01 or an ISO time") from error
    return read_moment(moment.isoformat(), timezone)


def _tell(verdict: Verdict) -> str:
    """A verdict as lines: errors one by one, warnings counted by rule."""
    lines = ["passed" if verdict.passed else f"refused: {len(verdict.errors)} errors"]
    for finding in verdict.errors[:20]:
        figures = ", ".join(f"{name} {value}" for name, value in finding.figures.items())
        lines.append(f"  {finding.rule} {finding.grid} {figures}".rstrip())
    counts = Counter(finding.rule for finding in verdict.warnings)
    lines += [f"  warning {rule}: {count:,}" for rule, count in counts.items()]
    return "\n".join(lines)
