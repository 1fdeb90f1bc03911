"""The command line, `wangge`.

Each command lives in its own module under `dashboards.commands` and is imported only when it
runs, so that `wangge --help` is quick and `wangge assign` never loads a web server.
Exit 0 done, 1 the data broke a hard rule, 2 unusable input with one line that says what and where.
"""

from __future__ import annotations

import importlib
import sys

import click

from geo.errors import InputError, RuleError, SettingsError, StoreError

COMMANDS = {
    "assign": "Put points into grids, file to file.",
    "check": "Run all checks on a workspace.",
    "demo": "Build an invented city, and serve it if asked.",
    "device": "Give a worker's phone an id and a token, list and end them.",
    "divide": "Divide units into balanced grids, file to file.",
    "export": "Write a table of a workspace to a file.",
    "import": "Bring files into a workspace through the gate.",
    "init": "Make an empty workspace.",
    "patrol": "What patrols did by grid, date and shift, file to file.",
    "plan": "Plans of the planner: list, export, import, publish.",
    "play": "Let an invented city live: people walk, cases come and go.",
    "report": "Write a period's figures into one file to take along.",
    "serve": "Serve the pages of a workspace.",
}
"""Name and one line of help of each command; module `dashboards.commands.<name>_command`."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"dashboards.commands.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wangge", prog_name="wangge")
def wangge() -> None:
    """Grids, incidents, assets and patrols of a city, file to file or as a dashboard."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and turn what we raise on purpose into one line and an exit code."""
    try:
        wangge.main(args=args, standalone_mode=True)
    except RuleError as error:
        click.echo(f"wangge: {error}", err=True)
        sys.exit(1)
    except (InputError, SettingsError, StoreError) as error:
        click.echo(f"wangge: {error}", err=True)
        sys.exit(2)
