"""`wangge export`: one table of a workspace as a file."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import click

from dashboards.settings import read_settings
from geo.errors import InputError
from geo.io.export import export_table
from geo.io.plan_exchange import export_plan
from geo.io.planbook import PlanBook
from geo.io.workspace import open_workspace
from geo.schema import IMPORT_KINDS


@click.command("export")
@click.argument("kind", type=click.Choice(IMPORT_KINDS), metavar="KIND")
@click.option(
    "--workspace",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder that holds city.gpkg.",
)
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File ending in .gpkg, .geojson, .parquet, .csv or .xlsx.",
)
@click.option(
    "--target-crs",
    default="wgs84",
    show_default=True,
    metavar="CRS",
    help="wgs84, gcj02, bd09, cgcs2000, EPSG:n or PROJ text.",
)
@click.option(
    "--headers",
    type=click.Choice(["columns", "zh", "en"]),
    default="columns",
    show_default=True,
    help="Names above the columns: those of the tables, Chinese or English words.",
)
@click.option(
    "--at",
    "at_text",
    metavar="DATE",
    help="Grids in force at the end of this day (or at this ISO time).",
)
@click.option("--version", type=int, metavar="N", help="Grids as boundary version N began.")
@click.option(
    "--plan", "plan_id", metavar="PLAN_ID", help="Grids as a plan of the planner has them."
)
@click.option("--all-versions", is_flag=True, help="Grids of all times, not only those in force.")
@click.option("--no-shapes", is_flag=True, help="Leave the shapes out.")
def command(
    kind: str,
    folder: Path,
    out: Path,
    target_crs: str,
    headers: Literal["columns", "zh", "en"],
    at_text: str | None,
    version: int | None,
    plan_id: str | None,
    all_versions: bool,
    no_shapes: bool,
) -> None:
    """Write the table KIND of a workspace to a file.

    KIND is grids, divisions, assets, incidents, fixes or another table, as for wangge import.
    """
    with open_workspace(folder) as workspace:
        timezone = read_settings(folder).timezone
        if plan_id is not None:
            if kind != "grids" or at_text or all_versions or version is not None:
                raise InputError("--plan is for grids, without --at, --version and --all-versions")
            report = export_plan(
                workspace, PlanBook(workspace), plan_id, out, target_crs=target_crs,
                headers=headers, shapes=not no_shapes, timezone=timezone,
            )  # fmt: skip
        else:
            at = None if at_text is None else read_moment(at_text, timezone)
            if kind == "grids" and at is None and version is None and not all_versions:
                at = datetime.now(UTC)
            report = export_table(
                workspace, kind, out, target_crs=target_crs, headers=headers, at=at,
                all_versions=all_versions, version=version, shapes=not no_shapes,
                timezone=timezone,
            )  # fmt: skip
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{report.rows:,} {kind} written to {report.path}")


def read_moment(text: str, timezone: str) -> datetime:
    """A day as its last moment in the city's zone, or an ISO time; without zone the city's."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--at {text!r} is no date: write 2026-11-21 or an ISO time") from error
    if len(text) <= 10:
        moment = datetime.combine(moment.date(), time.max)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(timezone))
