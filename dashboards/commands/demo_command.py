"""`wangge demo`: an invented city in a workspace of its own, served if asked.

The city is built in a hidden folder beside the one asked for and moved there when it is whole, its
file `city.gpkg` last. So a run that is killed leaves no half city behind, and one that is replaced
stays as it is until the new one is ready.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from geo.errors import InputError, StoreError
from geo.io.workspace import FILE, create_workspace
from geo.synth import PRESETS, City, build_city

PARTS = (f"{FILE}-wal", f"{FILE}-shm", "fixes", "rules", "settings.toml", FILE)
"""What a city consists of on disk, in the order in which it is moved into place."""


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
@click.option("--live", is_flag=True, help="With --serve: let it live, as wangge play does.")
def command(
    preset: str,
    folder: Path,
    seed: int,
    moment: str | None,
    overwrite: bool,
    then_serve: bool,
    port: int,
    live: bool,
) -> None:
    """Build an invented city, and serve it if asked."""
    at = _read_moment(moment)
    if live and not then_serve:
        raise InputError("--live lets a city live that is served: add --serve")
    if then_serve:
        _require_port(port)
    if (folder / FILE).exists() and not overwrite:
        raise StoreError(
            f"{folder} holds a city already: add --overwrite to replace it,"
            " or name another folder with --workspace"
        )
    began = time.monotonic()
    with _build_site(folder) as site:
        city = build_city(preset, seed=seed, at=at, progress=_tell("building"))
        rows = _write(city, site)
        _put_in_place(site, folder)
    click.echo(
        f"{folder}: {city.title}, {len(city['grids']):,} grids, {rows:,} rows"
        f" in {time.monotonic() - began:.0f} s"
    )
    if then_serve:
        from dashboards.commands.serve_command import serve

        with _let_live(folder) if live else contextlib.nullcontext():
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


def _require_port(port: int) -> None:
    """Refuse a port that cannot be served at, before anything is built."""
    from dashboards.settings import Settings

    host = Settings(port=port).host
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"cannot listen on {host}:{port} ({error.strerror or error}): stop the other"
                " program, or choose another with --port"
            ) from error


@contextlib.contextmanager
def _build_site(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the one asked for, gone at the end; clears those of killed runs."""
    folder = folder.resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clear_ruins(folder)
        site = Path(tempfile.mkdtemp(prefix=_prefix(folder) + f"{os.getpid()}-", dir=folder.parent))
    except OSError as error:
        raise StoreError(f"cannot make {folder}: {error.strerror or error}") from error
    try:
        yield site
    finally:
        shutil.rmtree(site, ignore_errors=True)


def _prefix(folder: Path) -> str:
    return f".{folder.name}.building-"


def _clear_ruins(folder: Path) -> None:
    """Remove what runs left that were killed; that of a run which still builds stays."""
    for ruin in folder.parent.glob(_prefix(folder) + "*"):
        number = ruin.name.removeprefix(_prefix(folder)).partition("-")[0]
        if not (number.isdigit() and _is_running(int(number))):
            shutil.rmtree(ruin, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # signal 0 would end it there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write(city: City, folder: Path) -> int:
    from dashboards.settings import FILE_NAME, write_template
    from geo.io.demo import ZONE, write_city

    with create_workspace(folder) as workspace:
        rows = write_city(city, workspace, progress=_tell("writing"))
        # Nobody is called by these numbers, which no telephone has.
        write_template(
            workspace.path / FILE_NAME,
            city_name=city.title,
            timezone=ZONE,
            phones_by_role=True,
            ingest_open=True,
        )
    return rows


def _put_in_place(site: Path, folder: Path) -> None:
    """Move a whole city to where it belongs; what else lies in that folder stays.

    The old city's file goes first and the new one's comes last, so that at no moment the folder
    holds a city made of both.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        old = site / "old"
        old.mkdir()
        for name in reversed(PARTS):
            if (folder / name).exists():
                (folder / name).rename(old / name)
        for name in PARTS:
            if (site / name).exists():
                (site / name).rename(folder / name)
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error


@contextlib.contextmanager
def _let_live(folder: Path) -> Iterator[None]:
    """`wangge play` beside the server, in a process of its own, until the server stops.

    Its input is a pipe of ours, so it stops even if this process is killed.
    """
    code = "from dashboards.cli import main; main()"
    player = subprocess.Popen(
        [sys.executable, "-c", code, "play", str(folder), "--quiet", "--while-stdin"],
        stdin=subprocess.PIPE,
    )
    try:
        yield
    finally:
        player.terminate()
        player.wait()


def _tell(verb: str) -> Callable[[str, int, int], None]:
    def progress(what: str, number: int, steps: int) -> None:
        click.echo(f"{verb} {number}/{steps}: {what}", err=True)

    return progress
