"""`wangge check`: all checks on a workspace, counted by reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import pandas as pd
import pyogrio
import shapely
from geopandas import GeoDataFrame
from pyogrio.errors import DataSourceError

from geo.checks import BAND, check_workspace, count_problems
from geo.errors import InputError
from geo.io.rules import read_rules
from geo.io.workspace import Workspace, open_workspace
from geo.schema import TABLES


@click.command("check")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--problems",
    "problems_path",
    type=click.Path(path_type=Path),
    metavar="OUT.gpkg",
    help="Write each problem with its place to this GeoPackage.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.option(
    "--band",
    nargs=2,
    type=click.IntRange(min=0),
    default=BAND,
    show_default=True,
    help="Households that a base grid should have, from and to.",
)
def command(
    directory: Path, problems_path: Path | None, as_json: bool, band: tuple[int, int]
) -> None:
    """Run all checks on the workspace DIR.

    Exit 0: nothing found, or warnings only. Exit 1: a hard rule is broken. Exit 2: no workspace.
    """
    if band[0] > band[1]:
        raise InputError(f"the band goes from {band[0]} to {band[1]}: give the smaller first")
    if problems_path is not None and problems_path.suffix.lower() != ".gpkg":
        raise InputError(f"{problems_path} does not end in .gpkg: problems go to a GeoPackage")
    if problems_path is not None and not problems_path.resolve().parent.is_dir():
        raise InputError(f"cannot write {problems_path}: there is no such folder, make it first")
    with open_workspace(directory) as workspace:
        tables, rules = read_tables(workspace), read_rules(workspace)
        problems = check_workspace(
            tables,
            at=datetime.now(UTC),
            band=band,
            classes=rules.classes,
            roles=rules.duty_roles,
        )
    if problems_path is not None:
        write_problems(problems, problems_path)
    rows = {name: len(frame) for name, frame in tables.items()}
    unplaced = int(shapely.is_missing(tables["incidents"].geometry.to_numpy()).sum())
    errors = int((problems["severity"] == "error").sum())
    counts = count_problems(problems)
    if as_json:
        click.echo(to_json(counts, rows, errors, unplaced))
    else:
        print_counts(counts, rows, unplaced)
        if problems_path is not None:
            click.echo(f"{len(problems)} problems written to {problems_path}")
    if errors:
        raise SystemExit(1)


def read_tables(workspace: Workspace) -> dict[str, pd.DataFrame]:
    """All tables of one state of the city; of the fixes those of the current days."""
    with workspace.reading() as conn:
        return {name: workspace.read(name, conn=conn) for name in TABLES}


def write_problems(problems: GeoDataFrame, path: Path) -> None:
    """Write problems with their places, points, lines and polygons in one layer.

    The draft is renamed at the end, so that a file is whole or not there.
    """
    draft = path.with_name(f".{path.stem}.draft.gpkg")
    try:
        pyogrio.write_dataframe(problems, draft, layer="problems", driver="GPKG")
        draft.replace(path)
    except (OSError, DataSourceError) as error:
        raise InputError(f"cannot write {path}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def print_counts(counts: pd.DataFrame, rows: dict[str, int], unplaced: int) -> None:
    """The counts as lines of text, errors first."""
    checked = ", ".join(f"{count:,} {name}" for name, count in rows.items() if count)
    click.echo(f"checked {checked or 'an empty workspace'}")
    if unplaced:
        click.echo(f"{unplaced:,} incidents have no place; they are kept and counted as unplaced")
    if counts.empty:
        click.echo("no problems found")
        return
    for row in counts.itertuples():
        click.echo(f"{row.severity:<8}{row.count:>8,}  {row.table}: {row.text} ({row.reason})")
        click.echo(f"{'':18}{row.to_do}")
    total = counts.groupby("severity")["count"].sum()
    click.echo(f"{total.get('error', 0):,} errors, {total.get('warning', 0):,} warnings")


def to_json(counts: pd.DataFrame, rows: dict[str, int], errors: int, unplaced: int) -> str:
    """The counts as one JSON object: rows, unplaced, errors, warnings, problems."""
    warnings = int(counts.loc[counts["severity"] == "warning", "count"].sum())
    problems = counts.to_dict(orient="records")
    whole = {
        "rows": rows,
        "unplaced": unplaced,
        "errors": errors,
        "warnings": warnings,
        "problems": problems,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2)
