"""The scoring table of a city, and what the logs of its cases tell.

    rules/evaluation.csv    weights, full marks and limits: one row an indicator of an object

A row of the city's file replaces ours of the same object and name and keeps what it leaves empty;
a row with weight 0 takes an indicator out. What cannot be used is refused with file, line and
column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._evaluate_facts import CaseFacts, CaseLike, Moves, facts_of
from geo.errors import InputError
from geo.evaluate import INDICATORS, OBJECTS, EvaluationRules, Mark
from geo.io._rule_tables import FOLDER, packaged_text
from geo.io.workspace import Workspace
from geo.schema import STAGES

FILE = "evaluation"
COLUMNS = ("object", "name", "weight", "full", "zero", "value", "zh", "en", "source")
_AT_ONCE = 100_000
_ASK = 500
_Cells = dict[tuple[str, str], tuple[str, dict[str, str]]]


def read_evaluation(folder: Path | None = None) -> EvaluationRules:
    """The limits and the scoring table: ours, under the city's `rules/evaluation.csv`.

    Parameters
    ----------
    folder
        The workspace folder; None: ours alone.

    Raises
    ------
    InputError
        If the file cannot be used; the message names the file, the line and the column.
    """
    rows = _read(packaged_text(FILE), f"geo/data/{FILE}.csv")
    file = None if folder is None else folder / FOLDER / f"{FILE}.csv"
    if file is not None and file.is_file():
        for key, (place, cells) in _read(_decode(file), str(file)).items():
            before = rows[key][1] if key in rows else dict.fromkeys(COLUMNS, "")
            rows[key] = (place, before | {name: cell for name, cell in cells.items() if cell})
    limits: dict[str, float] = {}
    marks: dict[str, list[Mark]] = {word: [] for word in OBJECTS}
    for (thing, name), (place, cells) in rows.items():
        if thing == "rule":
            limits[name] = _number(cells, "value", place)
            continue
        weight = _number(cells, "weight", place)
        full, zero = (_number(cells, column, place) for column in ("full", "zero"))
        if full == zero:
            raise InputError(f"{place}, column zero: is {zero:g} as full is: let them differ")
        if weight > 0:
            marks[thing].append(Mark(name, weight, full, zero))
    return EvaluationRules(
        opening_limit_h=limits["opening_limit_h"],
        verify_limit_h=limits["verify_limit_h"],
        check_limit_h=limits["check_limit_h"],
        high_frequency_classes=round(limits["high_frequency_classes"]),
        repeat_within_m=limits["repeat_within_m"],
        repeat_within_days=limits["repeat_within_days"],
        least_cases=round(limits["least_cases"]),
        most_unknown=limits["most_unknown"],
        least_points=limits["least_points"],
        marks={thing: tuple(found) for thing, found in marks.items()},
    )


def read_case_facts(
    workspace: Workspace, cases: CaseLike, *, known: CaseFacts | None = None
) -> CaseFacts:
    """What the logs tell of cases; a log only grows, so what is known is read no second time.

    Parameters
    ----------
    cases
        `geo.io.case_columns.CaseColumns` of the same workspace.
    known
        What was returned before; only rows that the log has got since are read.
    """
    told = _Told() if known is None else _Told.of(known)
    where = "" if told.last is None else f" WHERE l.fid > {int(told.last)}"
    query = (
        "SELECT l.fid, i.fid, l.seq, l.at, l.stage, l.move, l.by, l.role, l.owner"
        f" FROM incident_log l JOIN incidents i ON i.incident_id = l.incident_id{where}"
    )
    with workspace.reading() as conn:
        result = conn.execution_options(yield_per=_AT_ONCE).exec_driver_sql(query)
        for part in result.partitions(_AT_ONCE):
            told.add(part)
    return told.facts(cases)


def case_ids(workspace: Workspace, fids: Iterable[int]) -> list[str]:
    """The `incident_id` of each row number, in the order asked; one that is gone is left out."""
    numbers = [int(number) for number in fids]
    found: dict[int, str] = {}
    with workspace.reading() as conn:
        for start in range(0, len(numbers), _ASK):
            some = numbers[start : start + _ASK]
            marks = ", ".join("?" * len(some))
            rows = conn.exec_driver_sql(
                f"SELECT fid, incident_id FROM incidents WHERE fid IN ({marks})", tuple(some)
            )
            found |= {int(fid): str(name) for fid, name in rows}
    return [found[number] for number in numbers if number in found]


class _Told:
    """Rows of the log as columns, by the row number of their case."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.columns: dict[str, list[npt.NDArray[Any]]] = {
            name: [] for name in ("fid", "seq", "at", "stage", "move", "by", "role", "owner")
        }
        self.words: dict[str, dict[str, int]] = {
            "stage": {word: k for k, word in enumerate(STAGES)},
            "move": {}, "by": {}, "role": {}, "owner": {},
        }  # fmt: skip

    @staticmethod
    def of(known: CaseFacts) -> _Told:
        told, log = _Told(), known.log
        told.last = int(known.version.rpartition(":")[2] or 0)
        told.columns["fid"].append(known.cases.fid[log.case])
        told.columns["seq"].append(np.arange(-len(log), 0))
        for name in ("at", "stage", "move", "by", "role", "owner"):
            told.columns[name].append(getattr(log, name))
        tables = {"move": log.moves, "by": log.people, "role": log.roles, "owner": log.owners}
        for name, words in tables.items():
            told.words[name] = {word: k for k, word in enumerate(words)}
        return told

    def add(self, rows: Any) -> None:
        if not rows:
            return
        number, fid, seq, at, stage, move, by, role, owner = zip(*rows, strict=True)
        self.last = max(self.last or 0, max(number))
        self.columns["fid"].append(np.array(fid, dtype=np.int64))
        self.columns["seq"].append(np.array(seq, dtype=np.int64))
        # UTC as `2026-11-21T03:20:00.000Z`; numpy reads it without the zone.
        texts = np.char.rstrip(np.array(at, dtype="S27"), b"Z")
        self.columns["at"].append(texts.astype("M8[s]").astype(np.int64))
        for name, column in zip(
            ("stage", "move", "by", "role", "owner"), (stage, move, by, role, owner), strict=True
        ):
            self.columns[name].append(self._codes(name, column))

    def facts(self, cases: CaseLike) -> CaseFacts:
        joined = {
            name: np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
            for name, parts in self.columns.items()
        }
        place = np.searchsorted(cases.fid, joined["fid"])
        there = place < len(cases)
        there[there] = cases.fid[place[there]] == joined["fid"][there]
        order = np.lexsort((joined["seq"], place))
        order = order[there[order]]
        log = Moves(
            case=place[order].astype(np.int32),
            at=joined["at"][order],
            stage=joined["stage"][order].astype(np.int8),
            move=joined["move"][order].astype(np.int16),
            by=joined["by"][order].astype(np.int32),
            role=joined["role"][order].astype(np.int16),
            owner=joined["owner"][order].astype(np.int32),
            moves=tuple(self.words["move"]),
            people=tuple(self.words["by"]),
            roles=tuple(self.words["role"]),
            owners=tuple(self.words["owner"]),
        )
        version = getattr(cases, "version", "")
        return replace(facts_of(cases, log), version=f"{version}:{self.last or 0}")

    def _codes(self, name: str, column: tuple[Any, ...]) -> npt.NDArray[np.int64]:
        codes, uniques = pd.factorize(np.asarray(column, dtype=object))
        known = self.words[name]
        numbers = np.full(len(uniques) + 1, -1, dtype=np.int64)
        for k, word in enumerate(uniques):
            if str(word):
                numbers[k] = known.setdefault(str(word), len(known))
        return np.asarray(numbers[codes])


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


def _read(text: str, file: str) -> _Cells:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows: _Cells = {}
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        _require_head(list(reader.fieldnames), file)
        for cells in reader:
            place = f"{file}, line {reader.line_num}"
            if None in cells:
                raise InputError(f"{place}: has more cells than there are columns")
            told = {str(name): (cell or "").strip() for name, cell in cells.items()}
            if not any(told.values()):
                continue
            key = (told["object"], told["name"])
            _require_known(key, place)
            if key in rows:
                raise InputError(f"{place}, column name: {key[1]} stands twice: leave one row")
            rows[key] = (place, dict.fromkeys(COLUMNS, "") | told)
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}: {error}") from error
    return rows


def _require_head(names: list[str], file: str) -> None:
    for name in names:
        if name not in COLUMNS:
            raise InputError(
                f"{file}, line 1, column {name}: is unknown: there are {', '.join(COLUMNS)}"
            )
    for name in ("object", "name"):
        if name not in names:
            raise InputError(f"{file}, line 1, column {name}: is missing: add it")


def _require_known(key: tuple[str, str], place: str) -> None:
    thing, name = key
    if thing == "rule":
        known = [field for field in EvaluationRules.__dataclass_fields__ if field != "marks"]
    elif thing in OBJECTS:
        known = [word for word, one in INDICATORS.items() if thing in one.objects]
    else:
        raise InputError(f"{place}, column object: is {thing!r}: write {', '.join(OBJECTS)}, rule")
    if name not in known:
        raise InputError(f"{place}, column name: is {name!r}: write one of {', '.join(known)}")


def _number(cells: dict[str, str], column: str, place: str) -> float:
    text = cells[column]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1e9:
        raise InputError(f"{place}, column {column}: is {text!r}: write a number from 0")
    return value
