"""Read a table of rules: the rows that come with the product, a city's own laid over them.

A row of `<workspace>/rules/<table>.csv` replaces the packaged row of the same key and keeps what
it leaves empty there; other rows are added. What cannot be used is refused with the file, the line
and the column, as a spreadsheet counts them. A file may be UTF-8, or GB 18030 as Chinese
spreadsheets save it. Public names are handed on by `geo.io.rules`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

import pandas as pd

from geo._classes import ClassBook, packaged_classes
from geo.deadlines import UNITS
from geo.errors import InputError
from geo.incidents import CASE_LEVELS
from geo.responsibility import RELATIONS

FOLDER = "rules"
Check = Callable[[str], str]
"""Takes a word of a cell and gives it back clean, or raises ValueError with what is wrong."""

ROLE_LEVELS = (*CASE_LEVELS, "department", "*")
ROLE_KINDS = ("line", "fire", "police", "help", "contact")


@dataclass(frozen=True)
class RuleTable:
    """One table: its columns with what each may hold, and the ones that name a row."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Check]
    needs: tuple[str, ...]
    """Columns that a file must have."""
    fills: tuple[str, ...] = ()
    """Columns that must be filled in the end, in the file or in the packaged row."""
    empties: str = ""
    """A row whose cell here is empty takes the row of its key away."""


def one_of(*words: str) -> Check:
    """Any of these words; empty stays."""

    def check(text: str) -> str:
        if text and text not in words:
            raise ValueError(f"is {text!r}: write one of {', '.join(words)}")
        return text

    return check


def matching(pattern: str, example: str) -> Check:
    """What has a form; empty stays."""

    def check(text: str) -> str:
        if text and re.fullmatch(pattern, text) is None:
            raise ValueError(f"is {text!r}: write it like {example}")
        return text

    return check


def number(text: str) -> str:
    """A number above 0; empty stays."""
    try:
        is_fine = not text or 0 < float(text) < 1e9
    except ValueError:
        is_fine = False
    if not is_fine:
        raise ValueError(f"is {text!r}: write a number above 0")
    return text


def words_of(*known: str) -> Check:
    """Some of these words with blanks between them; empty stays."""

    def check(text: str) -> str:
        for word in text.split():
            if word not in known:
                raise ValueError(f"has {word!r}: use any of {', '.join(known)}")
        return " ".join(text.split())

    return check


def anything(text: str) -> str:
    """Any text."""
    return text


def number_from(least: float, most: float = 1e9) -> Check:
    """A number in a range, both ends included; empty stays."""

    def check(text: str) -> str:
        try:
            is_fine = not text or least <= float(text) <= most
        except ValueError:
            is_fine = False
        if not is_fine:
            told = f"from {least:g}" + (f" to {most:g}" if most < 1e9 else "")
            raise ValueError(f"is {text!r}: write a number {told}")
        return text

    return check


def whole(least: int, most: int) -> Check:
    """A whole number in a range; empty stays."""

    def check(text: str) -> str:
        if text and not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"is {text!r}: write a whole number from {least} to {most}")
        return text

    return check


def day(text: str) -> str:
    """A date; empty stays."""
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise ValueError(f"is {text!r}: write it like 2026-11-21") from error


def clock_time(text: str) -> str:
    """A time of day; empty stays. A spreadsheet may have dropped the zero of 08:00."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(:00)?", text)
    if text and found is None:
        raise ValueError(f"is {text!r}: write it like 08:00")
    return f"{int(found[1]):02d}:{found[2]}" if found else ""


def weekdays(text: str) -> str:
    """Days of the week, 1 Monday to 7 Sunday, as `1-5` or `1 3 6`; empty stays: every day."""
    days: set[int] = set()
    for word in text.replace(",", " ").split():
        found = re.fullmatch(r"([1-7])(?:-([1-7]))?", word)
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise ValueError(f"is {text!r}: write 1-5 or 1 3 6, 1 is Monday")
        days |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
    return "" if len(days) == 7 else " ".join(str(number) for number in sorted(days))


def _event_code(text: str) -> str:
    return matching(r"\d{4}", "2101, or E2101")(text.upper().removeprefix("E"))


_CLASS = {"zh": anything, "en": anything}
TABLES: dict[str, RuleTable] = {
    table.name: table
    for table in (
        RuleTable(
            "time_limits",
            ("class_code", "condition"),
            {
                "class_code": lambda text: matching(r"[EC]\d{0,4}", "E0102, or E04")(text.upper()),
                "condition": anything,
                "zh": anything,
                "en": anything,
                "amount": number,
                "unit": one_of(*UNITS),
                "source": anything,
            },
            ("class_code", "amount", "unit"),
            ("class_code", "unit"),
            empties="amount",
        ),
        RuleTable(
            "event_classes",
            ("code",),
            {
                "code": _event_code,
                "group": one_of(*packaged_classes().incident_groups().index.drop("component")),
                **_CLASS,
            },
            ("code", "zh"),
            ("code", "zh"),
        ),
        RuleTable(
            "asset_classes",
            ("code",),
            {
                "code": matching(r"\d{4}", "2101"),
                "group": one_of(*packaged_classes().asset_groups().index),
                **_CLASS,
            },
            ("code", "zh"),
            ("code", "zh"),
        ),
        RuleTable(
            "duty_roles",
            ("role", "level"),
            {
                "role": anything,
                "level": one_of(*ROLE_LEVELS),
                "kind": one_of(*ROLE_KINDS),
                "order": matching(r"\d{1,3}", "1"),
                "expected": one_of("yes", "no"),
                "many": one_of("yes", "no"),
                "zh": anything,
                "en": anything,
            },
            ("role", "level"),
            ("role", "level", "kind", "order", "expected", "many"),
        ),
        RuleTable(
            "phone_rules",
            ("viewer",),
            {"viewer": anything, "sees": words_of(*RELATIONS)},
            ("viewer", "sees"),
            ("viewer",),
        ),
        RuleTable(
            "class_owners",
            ("class_code",),
            {
                "class_code": lambda text: matching(r"[EC]\d{0,4}", "E0102, or E04")(text.upper()),
                "owner": anything,
                "note": anything,
            },
            ("class_code", "owner"),
            ("class_code",),
            empties="owner",
        ),
        RuleTable(
            "case_rules",
            ("name",),
            {"name": anything, "value": anything, "zh": anything, "en": anything}
            | {"source": anything},
            ("name", "value"),
            ("name",),
        ),
        RuleTable(
            "rounds",
            ("shift", "role", "unit", "weekdays", "days", "since"),
            {
                "shift": anything,
                "role": anything,
                "unit": anything,
                "weekdays": weekdays,
                "days": one_of("all", "workdays", "restdays"),
                "since": day,
                "until": day,
                "start": clock_time,
                "minutes": whole(0, 24 * 60),
                "need_min": number_from(0, 24 * 60),
                "part_min": number_from(0, 24 * 60),
                "source": anything,
            },
            ("shift", "start", "minutes"),
            ("shift", "start", "minutes"),
        ),
        RuleTable(
            "round_places",
            ("place",),
            {
                "place": anything,
                "kind": one_of("asset", "street", "checkpoint"),
                "shift": anything,
                "role": anything,
                "unit": anything,
                "class_code": matching(r"\d{1,4}", "0113, or 01"),
                "target": anything,
                "lon": number_from(-180, 180),
                "lat": number_from(-90, 90),
                "name": anything,
                "every_days": whole(1, 3660),
                "stay_s": number_from(0, 86_400),
                "within_m": number_from(1, 1000),
                "share": number_from(0.01, 1),
                "source": anything,
            },
            ("place", "kind"),
            ("place", "kind"),
        ),
        RuleTable(
            "patrol_alarms",
            ("name",),
            {"name": anything, "value": anything, "zh": anything, "en": anything}
            | {"source": anything},
            ("name", "value"),
            ("name", "value"),
        ),
    )
}


@dataclass(frozen=True)
class ReadTable:
    """A table with where each row came from: `file, line n`."""

    rows: pd.DataFrame
    places: tuple[str, ...]

    def refuse(self, row: int, column: str, what: str) -> InputError:
        """The error that names file, line and column of a row."""
        return InputError(f"{self.places[row]}, column {column}: {what}")


def packaged_text(name: str) -> str:
    """A table of `geo/data` as text."""
    return resources.files("geo").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")


def read_table(folder: Path, name: str) -> ReadTable:
    """A table of rules for a workspace folder, every cell text, empty where there is none.

    Raises
    ------
    InputError
        If the city's file cannot be read, or a cell cannot be used.
    """
    table = TABLES[name]
    rows = _read_rows(packaged_text(name), table, f"geo/data/{name}.csv", table.needs)
    file = folder / FOLDER / f"{name}.csv"
    own = _read_rows(_decode(file), table, str(file), table.needs) if file.is_file() else {}
    # A city's own code replaces or fills the packaged row.
    for key, (place, values) in own.items():
        before = rows[key][1] if key in rows else dict.fromkeys(table.columns, "")
        rows[key] = (place, before | {n: v for n, v in values.items() if v})
        if table.empties and not values.get(table.empties):
            del rows[key]
    _require_filled(table, rows)
    frame = pd.DataFrame(
        [values for _, values in rows.values()], columns=list(table.columns), dtype="str"
    )
    return ReadTable(frame, tuple(place for place, _ in rows.values()))


_Rows = dict[tuple[str, ...], tuple[str, dict[str, str]]]


def _require_filled(table: RuleTable, rows: _Rows) -> None:
    for place, values in rows.values():
        for column in table.fills:
            if not values[column]:
                raise InputError(f"{place}, column {column}: is empty: fill it in")


def _decode(file: Path) -> str:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"{file} is neither UTF-8 nor GB 18030: save it as CSV UTF-8")


def _read_rows(text: str, table: RuleTable, file: str, needs: Sequence[str]) -> _Rows:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows: _Rows = {}
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        _require_columns(names, table, file, needs)
        reader.fieldnames = names
        for cells in reader:
            place = f"{file}, line {reader.line_num}"
            if None in cells:
                raise InputError(f"{place}: has more cells than the {len(names)} columns")
            told = {name: (cell or "").strip() for name, cell in cells.items()}
            if not any(told.values()):
                continue
            values = {name: _checked(table, name, cell, place) for name, cell in told.items()}
            key = tuple(values.get(name, "") for name in table.key)
            if key in rows:
                words = " ".join(word for word in key if word)
                raise InputError(
                    f"{place}, column {table.key[0]}: {words} stands twice: leave one row"
                )
            rows[key] = (place, dict.fromkeys(table.columns, "") | values)
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}: {error}") from error
    return rows


def _require_columns(names: list[str], table: RuleTable, file: str, needs: Sequence[str]) -> None:
    known = ", ".join(table.columns)
    for name in names:
        if name not in table.columns:
            raise InputError(f"{file}, line 1, column {name}: is unknown: there are {known}")
    for name in needs:
        if name not in names:
            raise InputError(f"{file}, line 1, column {name}: is missing: add it")


def _checked(table: RuleTable, name: str, cell: str, place: str) -> str:
    try:
        return table.columns[name](cell)
    except ValueError as error:
        raise InputError(f"{place}, column {name}: {error}") from error


def read_classes(folder: Path) -> ClassBook:
    """The classes of assets and incidents of a workspace folder; errors as for `read_table`."""
    packaged = packaged_classes()
    return ClassBook(
        _classes(folder, "asset_classes"),
        packaged.asset_groups(),
        _classes(folder, "event_classes"),
        packaged.incident_groups(),
    )


def _classes(folder: Path, name: str) -> pd.DataFrame:
    frame = read_table(folder, name).rows.set_index("code")
    # A class that says no group is a local extension; without an English name it has the Chinese.
    group = frame["group"].mask(frame["group"] == "", "extension")
    return frame.assign(group=group, en=frame["en"].mask(frame["en"] == "", frame["zh"]))
