"""The book of cases: report, move, read and list them in the store of a city.

Every write is one transaction: the log gets its row (a merge, its two), and the row of `incidents`
says what the log then adds up to. So both are there or neither, whenever the power goes. A move is
checked against the log as it is inside of that transaction: of two people who move the same case
at once the second gets a `StaleMoveError` with what the first did and with everything that was
typed. The log is only ever inserted into; the database refuses anything else.

When a case is due follows from its log and the rules: see `geo.io.rules` for what a city decides,
`geo.deadlines` for how it is counted. By CJJ/T 106 the clock starts with the dispatch, so a case
that waits for its dispatch has no deadline unless its source told one, or the rule
`clock_starts_at` says collected or opened.

`at` is now and always an argument. It may not lie before the last row of the log.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd
import sqlalchemy as sa

from geo.deadlines import ClockReading, Limit, read_clock
from geo.errors import CodeError, InputError
from geo.incidents import (
    STANDARD_MOVES,
    Case,
    LogRow,
    Move,
    MoveRefusedError,
    StaleMoveError,
    allowed_moves,
    apply,
    find_holdings,
    log_table,
    merge_cases,
    report,
)
from geo.io._casebook_list import CasePage as CasePage
from geo.io._casebook_near import Recurring as Recurring
from geo.io._casebook_owner import OwnerSuggestion as OwnerSuggestion
from geo.io._casebook_page import CaseQuery as CaseQuery
from geo.io._casebook_reader import CaseReader
from geo.io._casebook_rows import (
    Due,
    Row,
    find_due,
    folded,
    insert_log,
    insert_row,
    level_of,
    next_id,
    read_case,
    read_row,
    to_stored,
    update_row,
)
from geo.io._casebook_rows import UnknownCaseError as UnknownCaseError
from geo.io._casebook_settle import settle_deadlines
from geo.io.rules import Rules
from geo.io.workspace import Workspace
from geo.schema import CASE_LEVELS, TABLES

__all__ = [
    "CaseBook",
    "CaseFile",
    "CasePage",
    "CaseQuery",
    "OwnerSuggestion",
    "Recurring",
    "UnknownCaseError",
]


@dataclass(frozen=True, eq=False)
class CaseFile:
    """One case as the store has it, with its clock at a moment."""

    row: Row
    """The row of `incidents` by column, without its shape; times in UTC."""
    case: Case
    clock: ClockReading
    limit: Limit | None
    """How long a case of its class and condition may take; None where no rule says so."""
    assumed: bool
    """The deadline needed working days of a year that no calendar knows."""
    told: bool
    """The deadline is one that the source told."""
    moves: tuple[Move, ...] = STANDARD_MOVES

    @property
    def place(self) -> tuple[float, float] | None:
        """Longitude and latitude; None of an unplaced case."""
        lon, lat = self.row["lon"], self.row["lat"]
        return None if lon is None or lat is None else (float(lon), float(lat))

    @property
    def holdings(self) -> pd.DataFrame:
        """Who had it at which level from when to when, see `geo.incidents.find_holdings`."""
        return find_holdings(log_table(self.case.log))

    def allowed(self, role: str, at: datetime) -> tuple[Move, ...]:
        """The moves that a role can make on it now; `absorb` is made by merging the other."""
        found = allowed_moves(self.case, role, at=max(at, self.case.log[-1].at), moves=self.moves)
        return tuple(move for move in found if move.name != "absorb")


class CaseBook(CaseReader):
    """The cases of one workspace, to be asked and to be moved.

    Safe to share between threads; any number of processes may have a book of the same workspace.

    Parameters
    ----------
    workspace, rules
        The city and what it decided, see `geo.io.rules.read_rules`.
    moves
        Who may make which move.
    """

    def __init__(
        self, workspace: Workspace, rules: Rules, *, moves: Sequence[Move] = STANDARD_MOVES
    ) -> None:
        super().__init__(workspace, rules)
        self.moves = tuple(moves)

    def report(
        self,
        *,
        at: datetime,
        by: str,
        role: str,
        class_code: str | None,
        lon: float | None = None,
        lat: float | None = None,
        description: str | None = None,
        address: str | None = None,
        condition: str | None = None,
        source: str | None = "page",
        note: str | None = None,
        level: str = "grid",
        category: str | None = None,
    ) -> CaseFile:
        """Begin a case and give it an id: the day in the city and a number, 2026112100001.

        Parameters
        ----------
        class_code
            One that the rules know; None where nobody knows yet, then it has no limit.
        lon, lat
            WGS-84 degrees; both or neither: a case without a place is kept as unplaced.
        condition
            Opening condition; one of those that the limits know for the class, where they do.

        Raises
        ------
        InputError
            If the class or condition is unknown, or the place is none.
        MoveRefusedError
            If the role may not report.
        """
        now = to_stored(at, "at")
        self._require_class(class_code, condition)
        place = _place(lon, lat)
        with self.workspace.writing() as conn:
            incident_id = next_id(self.workspace, conn, now, self.rules.calendar.zone)
            case, row = report(
                incident_id, at=now, by=by, role=role, note=note, level=level,
                condition=condition, moves=self.moves,
            )  # fmt: skip
            due = find_due(case, class_code, self.rules)
            values: Row = dict.fromkeys(TABLES["incidents"].names)
            values |= {
                "incident_id": incident_id, "class_code": class_code, "category": _text(category),
                "description": _text(description), "lon": place[0], "lat": place[1],
                "source": _text(source), "reported_at": now, "address": _text(address),
            } | folded(case, due)  # fmt: skip
            values = insert_row(self.workspace, conn, values)
            insert_log(self.workspace, conn, [row])
        return self._file(values, case, due, now)

    def move(
        self,
        incident_id: str,
        move: str,
        *,
        at: datetime,
        by: str,
        role: str,
        seen: int,
        note: str | None = None,
        owner: str | None = None,
        level: str | None = None,
        until: datetime | None = None,
        other_id: str | None = None,
        condition: str | None = None,
        seen_other: int | None = None,
    ) -> CaseFile:
        """Make a move; see `geo.incidents.apply` for what each argument says.

        `merge` ends the case and adds a row to the log of the other, which goes on; `absorb` is
        the same seen from the other side. `seen_other` is the last row seen of the other case,
        where its page was looked at. A dispatch or transfer to a grid or division goes to the
        level of that one, unless `level` says otherwise.

        Returns
        -------
        CaseFile
            The case after the move.

        Raises
        ------
        StaleMoveError
            If others moved the case (or the other one) meanwhile; nothing is written, `changes`
            has what they did and `attempt` what was typed.
        MoveRefusedError
            If the move is not allowed here, now, by this role, or lacks what it must say.
        UnknownCaseError
            If there is no such case.
        InputError
            If a level or condition is unknown, or a time has no zone.
        """
        now = to_stored(at, "at")
        attempt = LogRow(
            incident_id, seen + 1, now, "", move, by, role, note, owner, level,
            None if until is None else to_stored(until, "until"), other_id, condition,
        )  # fmt: skip
        with self.workspace.writing() as conn:
            if move in ("merge", "absorb") and (other_id or "").strip() not in ("", incident_id):
                return self._merge(conn, attempt, seen, seen_other)
            row = read_row(self.workspace, conn, incident_id)
            self._require_condition(row["class_code"], condition)
            case = self._begin(conn, row)
            if level is None and move in ("dispatch", "transfer"):
                found = level_of(self.workspace, conn, owner)
                attempt = replace(attempt, level=found if found in CASE_LEVELS else None)
            after, new = apply(
                case, move, at=now, by=by, role=role, seen=seen, note=note, owner=owner,
                level=attempt.level, until=attempt.until, other_id=other_id, condition=condition,
                moves=self.moves,
            )  # fmt: skip
            return self._write(conn, row, after, new)

    def read(self, incident_id: str, *, at: datetime) -> CaseFile:
        """One case with its log and its clock at a moment; UnknownCaseError if there is none."""
        with self.workspace.reading() as conn:
            row = read_row(self.workspace, conn, incident_id)
            case, _ = read_case(self.workspace, conn, row)
        return self._file(row, case, find_due(case, row["class_code"], self.rules), at)

    def settle_deadlines(self) -> int:
        """Give open cases the deadlines that the rules of now say; returns how many changed.

        For after an edit of the rules or the calendar, and after an import: otherwise a case keeps
        its deadline until its next move. Deadlines that a source told stay, and so do the logs.
        """
        return settle_deadlines(self.workspace, self.rules)

    # -- within ------------------------------------------------------------------------------

    def _begin(self, conn: sa.Connection, row: Row) -> Case:
        """The case of a row; a log that is not there yet is written."""
        case, is_logged = read_case(self.workspace, conn, row)
        if not is_logged:
            insert_log(self.workspace, conn, case.log)
        return case

    def _write(self, conn: sa.Connection, row: Row, case: Case, new: LogRow) -> CaseFile:
        due = find_due(case, row["class_code"], self.rules)
        values = folded(case, due)
        insert_log(self.workspace, conn, [new])
        update_row(self.workspace, conn, case.incident_id, values)
        return self._file(row | values, case, due, new.at)

    def _merge(
        self, conn: sa.Connection, attempt: LogRow, seen: int, seen_other: int | None
    ) -> CaseFile:
        """Write both sides of a merge; whatever is refused carries the row as it was typed."""
        other_id = (attempt.other_id or "").strip()
        try:
            rows = [
                read_row(self.workspace, conn, name) for name in (attempt.incident_id, other_id)
            ]
        except UnknownCaseError as error:
            if str(error).startswith(f"no case {other_id}"):
                raise MoveRefusedError(str(error), "no_such_case", attempt) from error
            raise
        cases = [self._begin(conn, row) for row in rows]
        attempt = replace(attempt, stage=cases[0].stage)
        seqs = [seen, cases[1].seq if seen_other is None else seen_other]
        gone, kept = (0, 1) if attempt.move == "merge" else (1, 0)
        try:
            made = merge_cases(
                cases[gone], cases[kept], at=attempt.at, by=attempt.by or "",
                role=attempt.role or "", seen=(seqs[gone], seqs[kept]), note=attempt.note,
                moves=self.moves,
            )  # fmt: skip
        except StaleMoveError as error:
            raise StaleMoveError(str(error), attempt, error.changes) from error
        except MoveRefusedError as error:
            raise MoveRefusedError(str(error), error.reason, attempt) from error
        files = [
            self._write(conn, rows[at], case, new)
            for at, (case, new) in zip((gone, kept), made, strict=True)
        ]
        return files[gone]

    def _file(self, row: Row, case: Case, due: Due, at: datetime) -> CaseFile:
        if case.is_open or row["closed_at"] is not None:
            clock = read_clock(
                row["deadline"],
                at=at,
                closed_at=row["closed_at"],
                is_paused=due.stands(at),
                soon_h=self.rules.case.soon_h,
            )
        else:
            # Closed at a moment that the source did not tell.
            clock = ClockReading("done", None, 0.0)
        return CaseFile(row, case, clock, due.limit, due.assumed, due.told, self.moves)

    def _require_class(self, class_code: str | None, condition: str | None) -> None:
        if class_code is not None and not self.rules.classes.is_incident_class(class_code):
            raise CodeError(
                f"class_code is {class_code!r}, which no table knows: use one like E0102, or add"
                " it to rules/event_classes.csv"
            )
        self._require_condition(class_code, condition)

    def _require_condition(self, class_code: str | None, condition: str | None) -> None:
        known = [one.condition for one in self.rules.conditions(class_code)]
        word = (condition or "").strip()
        if word and known and word not in known:
            raise InputError(f"condition is {word!r}: use one of {', '.join(known)}")


def _place(lon: float | None, lat: float | None) -> tuple[float, float] | tuple[None, None]:
    if lon is None and lat is None:
        return None, None
    if lon is None or lat is None:
        raise InputError("one of lon and lat is missing: give both, or neither")
    x, y = float(lon), float(lat)
    if not (math.isfinite(x) and math.isfinite(y) and abs(x) <= 180 and abs(y) <= 90):
        raise InputError(f"lon {lon}, lat {lat} is no place: give WGS-84 degrees")
    return x, y


def _text(words: str | None) -> str | None:
    return ((words or "").strip()) or None
