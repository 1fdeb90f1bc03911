"""`wangge report`: a period's figures as one file to take along."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from dashboards.clock import utc_now
from dashboards.components.leader_report import REPORTS, make_report
from dashboards.leader_desk import LeaderDesk
from dashboards.settings import LANGUAGES, read_settings
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import InputError
from geo.io.workspace import open_workspace
from geo.leader import LeaderChoice

WAIT_S = 3600.0


@click.command("report")
@click.option(
    "--workspace", type=click.Path(path_type=Path), required=True, help="City to tell of."
)
@click.option("--from", "first", required=True, help="First day, YYYY-MM-DD.")
@click.option("--to", "last", required=True, help="Last day, YYYY-MM-DD.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: .html, .pdf or .xlsx.",
)
@click.option(
    "--against",
    type=click.Choice(["last_year", "last_period"]),
    default="last_year",
    show_default=True,
    help="What the period is held against.",
)
@click.option("--level", default="", help="Level of the rows: district, street, community, grid.")
@click.option("--area", default="", help="Code of a division, whose units are told.")
@click.option("--class", "classes", multiple=True, help="Only cases of a class; may be repeated.")
@click.option("--at", default="", help="Tell it as of a moment, ISO 8601 with zone; else now.")
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language; else that of the settings.")
def command(
    workspace: Path, first: str, last: str, out: Path, against: str, level: str, area: str,
    classes: tuple[str, ...], at: str, lang: str | None,
) -> None:  # fmt: skip
    """Write the briefing of a period into one file that opens without a network."""
    kind = out.suffix.lower().removeprefix(".")
    if kind not in REPORTS:
        raise InputError(f"--out is {out.name}: end it in .html, .pdf or .xlsx")
    if not out.parent.is_dir():
        raise InputError(f"the folder {out.parent} is not there: make it first")
    choice = LeaderChoice(
        "span", _day("--from", first), _day("--to", last),
        "last_period" if against == "last_period" else "last_year", area, level, classes,
    )  # fmt: skip
    moment = _moment(at)
    with open_workspace(workspace) as city:
        settings = read_settings(workspace)
        store = Store(city, settings, clock=lambda: moment)
        store.columns.refresh()
        figures = LeaderDesk(store).ask(choice, patience_s=WAIT_S, whole=True)
        assert figures is not None
        body = make_report(store, figures, Words(lang or settings.language), kind)
    out.write_bytes(body)
    cases = figures.view.total["now"]
    told = "no records" if cases != cases else f"{cases:,.0f} cases"
    click.echo(f"{out}: {len(body) / 1e6:.1f} MB, {told}")


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} is {text}: write a date as 2026-11-21") from error


def _moment(text: str) -> datetime:
    if not text:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--at is {text}: write it as 2026-11-21T12:00:00+08:00") from error
    if moment.tzinfo is None:
        raise InputError(f"--at is {text}, without a zone: write it as 2026-11-21T12:00:00+08:00")
    return moment
