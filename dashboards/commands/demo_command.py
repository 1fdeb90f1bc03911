"""`wangge demo`: an invented city in a workspace of its own, served if asked."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from geo.errors import InputError, StoreError
from geo.io.workspace import FILE, create_workspace
from geo.synth import PRESETS, City, build_city


@click.command("demo")
@click.option(
    "--preset",
    default="demo",
    show_default=True,
    metavar="NAME",
    help=f"One of {', '.join(PRESETS)}.",
)
@click.option(
    "--workspace",
    "folder",
    default="demo-city",
    show_default=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder to write; made if need be.",
)
@click.option("--seed", default=1, show_default=True, help="Another number, another city.")
@click.option(
    "--at",
    "moment",
    default=None,
    metavar="ISO",
    help="Moment at which the city stands, with zone.  [default: now]",
)
@click.option("--overwrite", is_flag=True, help="Replace the city that is in the folder.")
@click.option("--serve", "then_serve", is_flag=True, help="Serve it when it is built.")
@click.option("--port", default=8050, show_default=True, help="TCP port for --serve.")
def command(
    preset: str,
    folder: Path,
    seed: int,
    moment: str | None,
    overwrite: bool,
    then_serve: bool,
    port: int,
) -> None:
    """Build an invented city, and serve it if asked."""
    at = _read_moment(moment)
    if (folder / FILE).exists() and not overwrite:
        raise StoreError(
            f"{folder} holds a city already: add --overwrite to replace it,"
            " or name another folder with --workspace"
        )
    began = time.monotonic()
    city = build_city(preset, seed=seed, at=at, progress=_tell("building"))
    if overwrite:
        _clear(folder)
    rows = _write(city, folder)
    click.echo(
        f"{folder}: {city.title}, {len(city['grids']):,} grids, {rows:,} rows"
        f" in {time.monotonic() - began:.0f} s"
    )
    if then_serve:
        from dashboards.commands.serve_command import serve

        serve(folder, port=port)
    else:
        click.echo(f"next: wangge serve --workspace {folder}")


def _read_moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--at is {text!r}: write it like 2026-11-21T12:30:00+08:00") from error
    if at.tzinfo is None:
        raise InputError(f"--at is {text!r} without a zone: add one, such as +08:00")
    return at


def _write(city: City, folder: Path) -> int:
    from dashboards.settings import FILE_NAME, write_template
    from geo.io.demo import ZONE, write_city

    with create_workspace(folder) as workspace:
        rows = write_city(city, workspace, progress=_tell("writing"))
        write_template(workspace.path / FILE_NAME, city_name=city.title, timezone=ZONE)
    return rows


def _clear(folder: Path) -> None:
    """Remove a city, and nothing else that may lie in the folder."""
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm", "settings.toml"):
        (folder / name).unlink(missing_ok=True)
    if (folder / "fixes").is_dir():
        shutil.rmtree(folder / "fixes")


def _tell(verb: str) -> Callable[[str, int, int], None]:
    def progress(what: str, number: int, steps: int) -> None:
        click.echo(f"{verb} {number}/{steps}: {what}", err=True)

    return progress
