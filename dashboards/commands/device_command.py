"""`wangge device`: give a worker's phone an id and a token, list phones, take one back.

The token is shown once; the city keeps a hash. A server that runs takes a new phone at once.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from geo.io.workspace import open_workspace
from geo.schema import SPEED_UNITS

TOKEN_BYTES = 16
"""128 random bits, as hex: nobody guesses it, and it can be typed on a phone."""

_workspace = click.option(
    "--workspace",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The folder that holds city.gpkg.",
)


@click.group("device")
def command() -> None:
    """Give a worker's phone an id and a token, list and end them."""


@command.command("add")
@click.argument("worker_id")
@click.option("--id", "device_id", default=None, help="Id that the phone sends.  [default: drawn]")
@click.option(
    "--speed-unit",
    default=None,
    type=click.Choice(SPEED_UNITS),
    help="Unit of speed of its OsmAnd requests.  [default: setting osmand_speed]",
)
@_workspace
def add(worker_id: str, device_id: str | None, speed_unit: str | None, folder: Path) -> None:
    """Give WORKER_ID a phone; the one they carried until now is ended."""
    from dashboards.clock import city_clock
    from geo.io.devices import add_device

    name = device_id if device_id is not None else f"{worker_id}-{secrets.token_hex(3)}"
    token = secrets.token_hex(TOKEN_BYTES)
    with open_workspace(folder) as workspace:
        ended = add_device(
            workspace, worker_id, device_id=name, token=token, at=city_clock(workspace)(),
            speed_unit=speed_unit,
        )  # fmt: skip
    click.echo(f"id: {name}")
    click.echo(f"token: {token}")
    if ended is not None:
        click.echo(f"device {ended}, which {worker_id} carried until now, is ended", err=True)
    click.echo("the token is not shown again", err=True)


@command.command("list")
@click.option("--all", "with_ended", is_flag=True, help="Ended ones as well.")
@_workspace
def list_(with_ended: bool, folder: Path) -> None:
    """List the phones, one a line: id, worker, whether it has a token, given out, ended."""
    with open_workspace(folder) as workspace:
        zone = workspace.zone
        frame = workspace.read("devices").reset_index()
    if not with_ended:
        frame = frame[frame["valid_to"].isna()]
    for row in frame.sort_values(["worker_id", "valid_from"]).itertuples():
        has_token = isinstance(row.token_hash, str) and bool(row.token_hash)
        times = [
            "-" if value != value else f"{value.tz_convert(zone):%Y-%m-%d %H:%M}"
            for value in (row.valid_from, row.valid_to)
        ]
        token = "token" if has_token else "open"
        click.echo("\t".join([row.device_id, row.worker_id, token, *times]))


@command.command("end")
@click.argument("device_id")
@_workspace
def end(device_id: str, folder: Path) -> None:
    """Take a phone back: readings with a time from now on are refused."""
    from dashboards.clock import city_clock
    from geo.io.devices import end_device

    with open_workspace(folder) as workspace:
        end_device(workspace, device_id, at=city_clock(workspace)())
    click.echo(f"device {device_id} is ended")
