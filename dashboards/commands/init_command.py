"""`wangge init`: an empty workspace, ready for files."""

from __future__ import annotations

from pathlib import Path

import click

from dashboards.settings import FILE_NAME, Settings, write_template
from geo.io.workspace import create_workspace


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", "city_name", default="", help="Name of the city, shown on every page.")
@click.option(
    "--timezone", default="Asia/Shanghai", show_default=True, help="Zone in which times are shown."
)
def command(directory: Path, city_name: str, timezone: str) -> None:
    """Make an empty workspace in DIRECTORY."""
    name = city_name or directory.resolve().name
    # Refuses a wrong zone before anything is made.
    Settings(city_name=name, timezone=timezone)
    with create_workspace(directory) as workspace:
        write_template(workspace.path / FILE_NAME, city_name=name, timezone=timezone)
    click.echo(
        f"{directory}: an empty city; next: wangge import grids FILE --workspace {directory}"
    )
