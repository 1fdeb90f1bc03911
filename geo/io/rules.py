"""The rules that a city plays by: limits, classes, roles, the working calendar, the clock.

The tables that come with the product (`geo/data/*.csv`) are a start. A city lays its own rows over
them, row by row, in `<workspace>/rules/<table>.csv`; `write_rule_templates` puts copies there to
edit. Days on which the city works otherwise stand in the table `calendar` of the workspace, its
zone in `settings.toml`. What cannot be used is refused with file, line and column.

    rules/time_limits.csv      how long a case may take, by class and opening condition
    rules/event_classes.csv    classes of events; a city's own are 21xx
    rules/asset_classes.csv    classes of assets, likewise
    rules/foreign_classes.csv  categories of other systems to our classes
    rules/class_owners.csv     who is suggested to handle a class
    rules/duty_roles.csv       what a role means at a level
    rules/phone_rules.csv      which viewer sees whose number
    rules/case_rules.csv       hours, clock, distances: one row a rule
    rules/rounds.csv           rounds that are owed, by role, unit, weekday and date
    rules/round_places.csv     what must be visited on them
    rules/patrol_alarms.csv    delays and thresholds of alarms about patrols: one row a rule

Rules are a value: nothing is remembered outside of it, and two cities in one process each have
their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from geo._case_tables import RESTARTING, Standing, StartsAt
from geo.codes import ClassBook
from geo.deadlines import (
    DayRule,
    Limit,
    WorkingCalendar,
    find_limits,
    overrides_from_table,
    parse_hours,
    require_time_limits,
)
from geo.errors import InputError, StoreError
from geo.io._gate_classes import ForeignClass, read_foreign
from geo.io._rule_rounds import read_alarm_rules, read_rounds
from geo.io._rule_tables import (
    FOLDER,
    TABLES,
    ReadTable,
    packaged_text,
    read_classes,
    read_table,
)
from geo.io.workspace import Workspace

__all__ = [
    "RULE_TABLES",
    "CaseRules",
    "Condition",
    "Rules",
    "read_alarm_rules",
    "read_classes",
    "read_rounds",
    "read_rules",
    "rules_stamp",
    "write_rule_templates",
]

RULE_TABLES = (*TABLES, "foreign_classes")
"""Names of the files that a city may put into `<workspace>/rules`, without `.csv`."""

CHINA_ZONES = ("Asia/Shanghai", "Asia/Urumqi", "Asia/Chongqing", "Asia/Harbin", "PRC")
"""Zones in which the State Council's working days hold where `working_days` is empty."""

_FOREIGN_HEAD = "category,detail,class_code,sure,note\n"


@dataclass(frozen=True)
class CaseRules:
    """How the clock of a case runs, and what counts as near; `geo/data/case_rules.csv` says why."""

    starts_at: StartsAt = "dispatched"
    restart_on: tuple[str, ...] = ()
    stands_while: tuple[Standing, ...] = ("postponed",)
    pause_from: Literal["approval", "request"] = "approval"
    day_rule: DayRule = "end_of_day"
    soon_h: float = 2.0
    similar_m: float = 50.0
    similar_h: float = 72.0
    recurring_m: float = 50.0
    recurring_days: float = 30.0
    recurring_min: int = 2
    owner_asset_m: float = 20.0


@dataclass(frozen=True)
class Condition:
    """An opening condition that the limits of a class know."""

    condition: str
    zh: str
    en: str
    limit: Limit


@dataclass(frozen=True, eq=False)
class Rules:
    """Everything that a city decides about its cases, read once; see `read_rules`."""

    limits: pd.DataFrame
    """As `geo.deadlines.time_limits`."""
    classes: ClassBook
    foreign: tuple[ForeignClass, ...]
    """The city's own rows first."""
    owners: Mapping[str, str]
    """Beginning of a class code to the department or unit that handles it."""
    duty_roles: pd.DataFrame
    """As `geo.responsibility.duty_roles`, for `ChainIndex(roles=...)`."""
    phone_rules: Mapping[str, frozenset[str]]
    """As `geo.responsibility.phone_rules`, for `ChainIndex(rules=...)`."""
    calendar: WorkingCalendar
    case: CaseRules
    stamp: str
    """Changes whenever a file or table does that they were read from; see `rules_stamp`."""

    def limit(self, class_code: str | None, condition: str | None = None) -> Limit | None:
        """How long a case of a class may take; None where no limit says so."""
        if not class_code:
            return None
        found = find_limits(
            pd.Series([class_code], dtype="str"),
            pd.Series([condition], dtype="str"),
            limits=self.limits,
        ).iloc[0]
        return None if pd.isna(found["amount"]) else Limit(float(found["amount"]), found["unit"])

    def conditions(self, class_code: str | None) -> tuple[Condition, ...]:
        """The opening conditions that the limits know for a class, in their order."""
        table = self.limits[self.limits["condition"] != ""]
        mine = [str(class_code or "").startswith(code) for code in table["class_code"]]
        return tuple(
            Condition(row["condition"], row["zh"], row["en"], Limit(row["amount"], row["unit"]))
            for _, row in table[mine].iterrows()
        )

    def owner_of_class(self, class_code: str | None) -> str | None:
        """Who handles a class after `class_owners.csv`: the longest beginning decides."""
        text = class_code or ""
        fits = [code for code in self.owners if text.startswith(code)]
        return self.owners[max(fits, key=len)] if fits else None


def read_rules(workspace: Workspace) -> Rules:
    """The rules of a city: packaged tables, its own rows over them, its calendar and zone.

    Raises
    ------
    InputError
        If a file cannot be used; the message names the file, the line and the column. Also if
        the table `calendar` has a day that is none.
    SettingsError
        If `settings.toml` names no zone.
    """
    folder = workspace.path
    stamp = rules_stamp(workspace)
    case, hours, basis, unknown = _read_case_rules(read_table(folder, "case_rules"))
    zone = str(workspace.zone)
    days = workspace.read("calendar").reset_index().rename(columns={"day": "date"})
    calendar = WorkingCalendar(
        zone=zone,
        hours=parse_hours(hours),
        basis=_one_of(basis or ("china" if zone in CHINA_ZONES else "weekdays")),
        overrides=overrides_from_table(days),
        lacking="weekdays" if unknown == "weekdays" else "refuse",
    )
    owners = read_table(folder, "class_owners").rows
    roles = read_table(folder, "duty_roles").rows
    phones = read_table(folder, "phone_rules").rows
    return Rules(
        limits=_limits(read_table(folder, "time_limits"), case.day_rule),
        classes=read_classes(folder),
        foreign=read_foreign(workspace),
        owners=dict(zip(owners["class_code"], owners["owner"], strict=True)),
        duty_roles=roles.astype({"order": "int64"}),
        phone_rules={
            str(viewer): frozenset(sees.split())
            for viewer, sees in zip(phones["viewer"], phones["sees"], strict=True)
        },
        calendar=calendar,
        case=case,
        stamp=stamp,
    )


def rules_stamp(workspace: Workspace) -> str:
    """A short text that changes whenever a file or table of the rules does."""
    parts = [workspace.stamp("calendar"), str(workspace.zone)]
    for name in RULE_TABLES:
        file = workspace.path / FOLDER / f"{name}.csv"
        parts.append(file.read_bytes().hex() if file.is_file() else "")
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def write_rule_templates(
    workspace: Workspace, tables: tuple[str, ...] = RULE_TABLES
) -> tuple[Path, ...]:
    """Put copies of the packaged tables into `<workspace>/rules`, to be edited.

    A file that is there already stays as it is. Of `foreign_classes` only the head is written:
    rows of known sources speak by themselves. The files begin with a mark by which spreadsheets
    know UTF-8.

    Returns
    -------
    tuple
        The files that were written.

    Raises
    ------
    InputError
        If there is no table of that name.
    StoreError
        If the folder cannot be written.
    """
    written = []
    for name in tables:
        if name not in RULE_TABLES:
            raise InputError(f"no table of rules {name!r}: there are {', '.join(RULE_TABLES)}")
        file = workspace.path / FOLDER / f"{name}.csv"
        text = _FOREIGN_HEAD if name == "foreign_classes" else packaged_text(name)
        try:
            file.parent.mkdir(exist_ok=True)
            with file.open("x", encoding="utf-8-sig", newline="") as out:
                out.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(f"cannot write {file}: {error.strerror or error}") from error
        written.append(file)
    return tuple(written)


def _limits(table: ReadTable, day_rule: str) -> pd.DataFrame:
    if day_rule == "end_of_day":
        cells = zip(table.rows["amount"], table.rows["unit"], strict=True)
        for at, (amount, unit) in enumerate(cells):
            if unit.endswith("_days") and float(amount) % 1:
                raise table.refuse(
                    at,
                    "amount",
                    f"is {amount} days: write whole days, hours, or set day_rule to clock",
                )
    return require_time_limits(table.rows)


def _one_of(basis: str) -> Literal["china", "weekdays", "daily"]:
    return "china" if basis == "china" else "daily" if basis == "daily" else "weekdays"


class _CaseRows:
    """The cells of `case_rules.csv` by name, each refused with its place."""

    def __init__(self, table: ReadTable) -> None:
        self._table = table
        self._rows = {name: at for at, name in enumerate(table.rows["name"])}

    def text(self, name: str) -> str:
        return str(self._table.rows["value"].iloc[self._rows[name]])

    def refuse(self, name: str, what: str) -> InputError:
        return self._table.refuse(self._rows[name], "value", f"{name} {what}")

    def word(self, name: str, known: tuple[str, ...]) -> str:
        if self.text(name) not in known:
            told = ", ".join(word or "(empty)" for word in known)
            raise self.refuse(name, f"is {self.text(name)!r}: write one of {told}")
        return self.text(name)

    def words(self, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
        text = self.text(name)
        found = () if text == "none" else tuple(text.replace(",", " ").split())
        for word in found:
            if word not in known:
                raise self.refuse(name, f"has {word!r}: use any of {', '.join(known)}")
        return found

    def number(self, name: str, *, least: float) -> float:
        try:
            value = float(self.text(name))
        except ValueError:
            value = float("nan")
        if not least <= value < 1e6:
            raise self.refuse(name, f"is {self.text(name)!r}: write a number from {least:g}")
        return value

    def unknown(self, known: tuple[str, ...]) -> None:
        for name, at in self._rows.items():
            if name not in known:
                raise self._table.refuse(
                    at, "name", f"is {name!r}, which is no rule: there are {', '.join(known)}"
                )


_CASE_NAMES = (
    "hours", "working_days", "unknown_years", "clock_starts_at", "clock_restart_on",
    "clock_stands_while", "pause_from", "day_rule", "soon_h", "similar_m", "similar_h",
    "recurring_m", "recurring_days", "recurring_min", "owner_asset_m",
)  # fmt: skip


def _read_case_rules(table: ReadTable) -> tuple[CaseRules, str, str, str]:
    rows = _CaseRows(table)
    rows.unknown(_CASE_NAMES)
    hours = rows.text("hours")
    try:
        parse_hours(hours)
    except InputError as error:
        raise rows.refuse("hours", f"is {hours!r}: {error}") from error
    basis = rows.word("working_days", ("", "china", "weekdays", "daily"))
    unknown = rows.word("unknown_years", ("weekdays", "refuse"))
    starts_at = rows.word("clock_starts_at", get_args(StartsAt))
    pause_from = rows.word("pause_from", ("approval", "request"))
    day_rule = rows.word("day_rule", get_args(DayRule))
    case = CaseRules(
        starts_at=starts_at,  # type: ignore[arg-type]
        restart_on=rows.words("clock_restart_on", RESTARTING),
        stands_while=rows.words("clock_stands_while", get_args(Standing)),  # type: ignore[arg-type]
        pause_from=pause_from,  # type: ignore[arg-type]
        day_rule=day_rule,  # type: ignore[arg-type]
        soon_h=rows.number("soon_h", least=0),
        similar_m=rows.number("similar_m", least=0.1),
        similar_h=rows.number("similar_h", least=0.1),
        recurring_m=rows.number("recurring_m", least=0.1),
        recurring_days=rows.number("recurring_days", least=0.1),
        recurring_min=int(rows.number("recurring_min", least=1)),
        owner_asset_m=rows.number("owner_asset_m", least=0),
    )
    return case, hours, basis, unknown
