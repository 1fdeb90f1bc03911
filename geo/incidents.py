"""Cases from report to close: which move is allowed, by whom, and what it writes down.

The log is the truth and is only ever added to. A `Case` is what its log says, folded row by row:
the same log always gives the same case, and the first rows of a log give the case as it was then.
Stages after CJJ/T 106 and GB/T 30428, which moves may be made in `STANDARD_MOVES`:

    collected -> opened -> dispatched -> handling -> fed_back -> closed
        |          |  ^________|____________|  ^________|
        |          |      return               rework
        +----------+--> cancelled (void or merged), closed (on the spot)

A move names the number of the last row of the log that its maker had seen. If others moved the
case since, it is refused with what they did, and with what was typed, so that nothing is lost.
Closed and cancelled are final; what comes back is a new case (`geo.similar`).

A log that was imported may tell stages without moves. Such rows fold as `recorded`: they are taken
as they stand, and nobody can make one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from geo._case import Case as Case
from geo._case import LogRow as LogRow
from geo._case import aware, step
from geo._case import changes_since as changes_since
from geo._case import fold as fold
from geo._case import log_rows as log_rows
from geo._case import log_table as log_table
from geo._case_tables import LOG_COLUMNS as LOG_COLUMNS
from geo._case_tables import CaseClocks as CaseClocks
from geo._case_tables import LogError as LogError
from geo._case_tables import find_clocks as find_clocks
from geo._case_tables import find_holdings as find_holdings
from geo._case_tables import stage_of as stage_of
from geo._case_tables import summarise as summarise
from geo._moves import CASE_LEVELS as CASE_LEVELS
from geo._moves import OPEN_STAGES as OPEN_STAGES
from geo._moves import RECORDED as RECORDED
from geo._moves import ROLES as ROLES
from geo._moves import STANDARD_MOVES as STANDARD_MOVES
from geo._moves import Move as Move
from geo.errors import InputError, RuleError


class MoveRefusedError(RuleError):
    """A move that is not allowed; the message says why.

    Attributes
    ----------
    reason
        One word for the cause, to be translated: `unknown_move`, `finished`, `wrong_stage`,
        `wrong_role`, `lacks_note` (or `owner`, `until`, `other_id`, `condition`), `not_asked`,
        `already_asked`, `own_request`, `not_postponed`, `already_postponed`, `top_level`,
        `same_owner`, `itself`, `too_late`, `back_in_time`, `stale`.
    attempt
        The row as it would have been written, with everything that was typed.
    """

    def __init__(self, message: str, reason: str, attempt: LogRow | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.attempt = attempt


class StaleMoveError(MoveRefusedError):
    """Others moved the case meanwhile; `changes` are the rows that the maker had not seen."""

    def __init__(self, message: str, attempt: LogRow, changes: tuple[LogRow, ...]) -> None:
        super().__init__(message, "stale", attempt)
        self.changes = changes


def report(
    incident_id: str,
    *,
    at: datetime,
    by: str,
    role: str,
    note: str | None = None,
    level: str = "grid",
    condition: str | None = None,
    moves: Sequence[Move] = STANDARD_MOVES,
) -> tuple[Case, LogRow]:
    """Begin a case; returns it and the first row of its log. MoveRefusedError as for `apply`."""
    row = LogRow(
        incident_id, 1, aware(at, "at"), "collected", "report", by, role, _words(note),
        level=level, condition=_words(condition),
    )  # fmt: skip
    first = [move for move in moves if not move.stages]
    _find_move(first, "report", None, role, row)
    if level not in CASE_LEVELS:
        raise InputError(f"level is {level!r}: use one of {', '.join(CASE_LEVELS)}")
    return fold([row]), row


def apply(
    case: Case,
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
    moves: Sequence[Move] = STANDARD_MOVES,
) -> tuple[Case, LogRow]:
    """Make a move; returns the case after it and the row to add to the log.

    Parameters
    ----------
    case
        The case as the store has it now.
    move, role
        See `STANDARD_MOVES`.
    at, by
        When, with zone and not before the last row; who.
    seen
        The number of the last row that the maker had seen (`Case.seq` of the page's case).
    note, owner, until, other_id, condition
        What the move must or may say; `Move.needs` tells what it must.
    level
        With `dispatch` and `transfer`, the level of the new owner; `raise` goes one up by itself.
    moves
        The city's rules.

    Raises
    ------
    StaleMoveError
        If the log has grown since; nothing is written, and the error carries both sides.
    MoveRefusedError
        If the move is not allowed here, now, by this role, or lacks what it must say.
    """
    attempt = LogRow(
        case.incident_id, case.seq + 1, aware(at, "at"), case.stage, move, by, role, _words(note),
        _words(owner), level, None if until is None else aware(until, "until"),
        _words(other_id), _words(condition),
    )  # fmt: skip
    _refuse_stale(case, seen, attempt)
    rule = _find_move(moves, move, case.stage, role, attempt)
    _refuse_by_state(case, attempt)
    _refuse_incomplete(rule, attempt)
    row = _completed(case, rule, attempt)
    return step(case, row), row


def allowed_moves(
    case: Case, role: str, *, at: datetime | None = None, moves: Sequence[Move] = STANDARD_MOVES
) -> tuple[Move, ...]:
    """Find the moves that a role can make on a case, in the order of the rules.

    `at` is the moment, by default that of the last row; it decides whether granted time still
    runs. Each move says in `needs` what must come with it. A page that offers these is refused
    only for what was typed, for another's move in between, or for granting one's own request or a
    time that is over by then.
    """
    now = case.log[-1].at if at is None else aware(at, "at")
    allowed = []
    for move in moves:
        attempt = LogRow(case.incident_id, case.seq + 1, now, case.stage, move.name)
        if case.stage in move.stages and role in move.roles and not _obstacle(case, attempt):
            allowed.append(move)
    return tuple(allowed)


def merge_cases(
    duplicate: Case,
    keeper: Case,
    *,
    at: datetime,
    by: str,
    role: str,
    seen: tuple[int, int],
    note: str | None = None,
    moves: Sequence[Move] = STANDARD_MOVES,
) -> tuple[tuple[Case, LogRow], tuple[Case, LogRow]]:
    """Merge a case into a similar one that goes on; both logs get a row, or neither.

    `seen` has the numbers of the last rows seen of the duplicate and of the keeper. Errors as for
    `apply`; a keeper that is itself closed or cancelled is refused.
    """
    gone = apply(
        duplicate, "merge", at=at, by=by, role=role, note=note, moves=moves,
        seen=seen[0], other_id=keeper.incident_id,
    )  # fmt: skip
    kept = apply(
        keeper, "absorb", at=at, by=by, role=role, note=note, moves=moves,
        seen=seen[1], other_id=duplicate.incident_id,
    )  # fmt: skip
    return gone, kept


def _refuse_stale(case: Case, seen: int, attempt: LogRow) -> None:
    if seen == case.seq:
        return
    changes = changes_since(case, seen)
    if not changes:
        raise LogError(
            f"row {seen} of {case.incident_id} was seen, but the log ends at {case.seq}: read "
            "the case again"
        )
    told = "; ".join(
        f"{row.move} by {row.by or 'unknown'} at {row.at:%Y-%m-%d %H:%M} UTC (now {row.stage})"
        for row in changes
    )
    raise StaleMoveError(
        f"{case.incident_id} was moved meanwhile: {told}. Look at it and {attempt.move} again",
        attempt,
        changes,
    )


def _find_move(
    moves: Sequence[Move], name: str, stage: str | None, role: str, attempt: LogRow
) -> Move:
    """The rule that allows the move, or a refusal that says what would have been right."""
    named = [move for move in moves if move.name == name]
    if not named:
        known = ", ".join(dict.fromkeys(move.name for move in moves if move.stages))
        raise MoveRefusedError(
            f"there is no move {name!r}: use one of {known}", "unknown_move", attempt
        )
    if stage is not None and stage not in OPEN_STAGES:
        raise MoveRefusedError(
            f"{attempt.incident_id} is {stage} and stays so: report a new case instead",
            "finished",
            attempt,
        )
    here = [move for move in named if stage is None or stage in move.stages]
    if not here:
        stages = ", ".join(dict.fromkeys(word for move in named for word in move.stages))
        raise MoveRefusedError(
            f"{name} is not possible while {attempt.incident_id} is {stage}: it is allowed from "
            f"{stages or 'nothing, as the first row'}",
            "wrong_stage",
            attempt,
        )
    for move in here:
        if role in move.roles:
            return move
    roles = ", ".join(dict.fromkeys(word for move in here for word in move.roles))
    raise MoveRefusedError(
        f"{name} is not for a {role} while {attempt.incident_id} is {attempt.stage}: ask {roles}",
        "wrong_role",
        attempt,
    )


def _obstacle(case: Case, attempt: LogRow) -> tuple[str, str] | None:
    """What in the state of the case stands in the way: a word and a sentence."""
    name, id_ = attempt.move, case.incident_id
    is_asked = case.asked_until is not None
    stands = case.is_postponed(attempt.at)
    if name in ("approve_postponement", "refuse_postponement") and not is_asked:
        return "not_asked", f"nobody asked to postpone {id_}: the handler asks first"
    if name == "ask_postponement" and is_asked:
        return "already_asked", f"a postponement of {id_} is asked for already: answer that first"
    if name == "ask_postponement" and stands:
        return "already_postponed", f"{id_} is postponed already: resume it first"
    if name == "resume" and not stands:
        return "not_postponed", f"{id_} is not postponed: its clock runs"
    if name == "raise" and case.level == CASE_LEVELS[-1]:
        return "top_level", f"{id_} is at the city, and nothing is above: transfer it instead"
    return None


def _refuse_by_state(case: Case, attempt: LogRow) -> None:
    last = case.log[-1].at
    if attempt.at < last:
        raise MoveRefusedError(
            f"at is {attempt.at.isoformat()}, before the last row at {last.isoformat()}: the log "
            "only goes forward",
            "back_in_time",
            attempt,
        )
    obstacle = _obstacle(case, attempt)
    if obstacle is None and attempt.move == "approve_postponement" and attempt.by == case.asked_by:
        obstacle = (
            "own_request",
            f"{attempt.by} asked to postpone {case.incident_id}: somebody else approves it",
        )
    if obstacle is None and attempt.move == "transfer" and attempt.owner == case.owner:
        obstacle = ("same_owner", f"{case.owner} has {case.incident_id} already: name another")
    if obstacle is None and attempt.other_id == case.incident_id:
        obstacle = ("itself", f"{case.incident_id} cannot be merged with itself: name another")
    if obstacle is not None:
        raise MoveRefusedError(obstacle[1], obstacle[0], attempt)


def _refuse_incomplete(rule: Move, attempt: LogRow) -> None:
    for need in rule.needs:
        if getattr(attempt, need) is None:
            raise MoveRefusedError(
                f"{rule.name} needs {need}: give it with the move", f"lacks_{need}", attempt
            )


def _completed(case: Case, rule: Move, attempt: LogRow) -> LogRow:
    """The row as it goes into the log: the stage after the move, the level, the time granted."""
    level, until = attempt.level, attempt.until
    if rule.name == "raise":
        level = CASE_LEVELS[CASE_LEVELS.index(case.level) + 1]
    elif level is not None and level not in CASE_LEVELS:
        raise InputError(f"level is {level!r}: use one of {', '.join(CASE_LEVELS)}")
    if rule.name == "approve_postponement":
        until = until or case.asked_until
    if until is not None and until <= attempt.at:
        raise MoveRefusedError(
            f"until is {until.isoformat()}, not after {attempt.at.isoformat()}: name a later time",
            "too_late",
            attempt,
        )
    return replace(attempt, stage=rule.to or case.stage, level=level, until=until)


def _words(text: str | None) -> str | None:
    return (text.strip() or None) if text is not None else None
