"""Read the schedule of rounds and the thresholds of alarms, refused with file, line and column.

Public names are handed on by `geo.io.rules`.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date, time
from pathlib import Path

from geo._rounds_schedule import (
    EVERY_DAY,
    NEED_MIN,
    PART_MIN,
    SHARE,
    STAY_S,
    WITHIN_M,
    PlaceRule,
    RoundRule,
    Schedule,
)
from geo._watch_rules import AlarmRules
from geo.io._rule_tables import ReadTable, read_table

_NAN = float("nan")


def read_rounds(folder: Path) -> Schedule:
    """The rounds that a city asks for: the packaged three, its own rows over them.

    Parameters
    ----------
    folder
        The workspace's folder; `rules/rounds.csv` and `rules/round_places.csv` may be in it.

    Raises
    ------
    InputError
        If a file cannot be used; the message names the file, the line and the column.
    """
    rounds, places = read_table(folder, "rounds"), read_table(folder, "round_places")
    return Schedule(
        tuple(_round(rounds, at) for at in range(len(rounds.rows))),
        tuple(_place(places, at) for at in range(len(places.rows))),
    )


def _round(table: ReadTable, at: int) -> RoundRule:
    row = table.rows.iloc[at]
    minutes = int(row["minutes"])
    need = float(row["need_min"] or NEED_MIN * minutes / 60)
    part = float(row["part_min"] or min(PART_MIN * minutes / 60, need))
    since, until = (_date(row[name]) for name in ("since", "until"))
    if need > minutes:
        raise table.refuse(at, "need_min", f"is {need:g} of {minutes} minutes: ask for fewer")
    if part > need:
        raise table.refuse(at, "part_min", f"is {part:g}, more than the {need:g} of need_min")
    if since and until and until < since:
        raise table.refuse(at, "until", f"is {until}, before {since} of since")
    days = frozenset(int(day) for day in row["weekdays"].split()) or EVERY_DAY
    return RoundRule(
        row["shift"], time.fromisoformat(row["start"]), minutes, need, part,
        role=row["role"], unit=row["unit"], weekdays=days, days=row["days"] or "all",
        since=since, until=until,
    )  # fmt: skip


def _place(table: ReadTable, at: int) -> PlaceRule:
    row = table.rows.iloc[at]
    kind, told = row["kind"], [bool(row["lon"]), bool(row["lat"])]
    if kind == "asset" and not (row["class_code"] or row["target"]):
        raise table.refuse(at, "class_code", "is empty, and so is target: name a class or an asset")
    if kind == "street" and not row["target"]:
        raise table.refuse(at, "target", "is empty: name the road")
    if kind == "checkpoint" and not (row["target"] or all(told)):
        raise table.refuse(at, "lon", "or lat is empty, and so is target: say where it is")
    if kind != "asset" and row["class_code"]:
        raise table.refuse(at, "class_code", f"is told of a {kind}: only assets have a class")
    return PlaceRule(
        row["place"], kind, row["shift"], row["role"], row["unit"], row["class_code"],
        row["target"], float(row["lon"] or _NAN), float(row["lat"] or _NAN), row["name"],
        int(row["every_days"] or 1), float(row["stay_s"] or STAY_S),
        float(row["within_m"] or WITHIN_M), float(row["share"] or SHARE),
    )  # fmt: skip


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def read_alarm_rules(folder: Path) -> AlarmRules:
    """Delays and thresholds of alarms about patrols: `rules/patrol_alarms.csv` over the packaged.

    Raises
    ------
    InputError
        If the file cannot be used; the message names the file, the line and the column.
    """
    table = read_table(folder, "patrol_alarms")
    known = {item.name: item for item in fields(AlarmRules)}
    values: dict[str, float | str] = {}
    for at, (name, text) in enumerate(zip(table.rows["name"], table.rows["value"], strict=True)):
        if name not in known:
            raise table.refuse(
                at, "name", f"is {name!r}, which is no rule: there are {', '.join(known)}"
            )
        values[name] = _alarm_value(table, at, name, text)
    return AlarmRules(**values)  # type: ignore[arg-type]


def _alarm_value(table: ReadTable, at: int, name: str, text: str) -> float | str:
    if name == "duty_days":
        if text not in ("daily", "workdays"):
            raise table.refuse(at, "value", f"{name} is {text!r}: write daily or workdays")
        return text
    try:
        value = float(text)
    except ValueError:
        value = _NAN
    if not 0 <= value < 1e6:
        raise table.refuse(at, "value", f"{name} is {text!r}: write a number from 0")
    return value
