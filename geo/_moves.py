"""The moves of a case: from which stages, by which roles, what each must say.

This is data. A city with other rules passes its own tuple of moves to `geo.incidents`; the names
and what they do to a case stay. Who does what follows the two centres of CJJ/T 106: the
supervision centre collects, opens, checks and closes (grid worker, acceptor, inspector, shift
leader), the command centre dispatches, handles and feeds back (dispatcher, handler). Names of
posts after part 4 of GB/T 30428. The standard names the side moves and not the roles that may
make them: those are our assumption, written to be read and changed. Public names are handed on by
`geo.incidents`.
"""

from __future__ import annotations

from dataclasses import dataclass

from geo.schema import CASE_LEVELS as CASE_LEVELS

ROLES = (
    "grid_worker",
    "grid_head",
    "acceptor",
    "dispatcher",
    "handler",
    "inspector",
    "shift_leader",
    "leader",
)
"""Posts of people who move cases: 网格员, 网格长, 受理员, 派遣员, 处置人, 核查员, 值班长, 领导."""

OPEN_STAGES = ("collected", "opened", "dispatched", "handling", "fed_back")
RECORDED = "recorded"
"""The move of a row that tells only a stage, as imported files do; nobody can make it."""

_BEFORE = ("collected", "opened")
_WORK = ("dispatched", "handling")
_ACCEPTING = ("acceptor", "shift_leader")
_COMMANDING = ("dispatcher", "shift_leader")
_DOING = ("handler", "grid_worker", "grid_head")
_CHECKING = ("inspector", "acceptor", "shift_leader")
_TRIAGE = ("acceptor", "dispatcher", "shift_leader")


@dataclass(frozen=True)
class Move:
    """One allowed move.

    Attributes
    ----------
    name
        The word in the log. A name may stand more than once, with other stages and roles.
    stages
        Where it may be made from; empty for the move that begins a case.
    to
        The stage after it; None where the stage stays.
    roles
        Who may make it.
    needs
        What must be given with it: `note`, `owner`, `until`, `other_id`, `condition`.
    help
        What it says, in a line.
    """

    name: str
    stages: tuple[str, ...]
    to: str | None
    roles: tuple[str, ...]
    needs: tuple[str, ...] = ()
    help: str = ""


STANDARD_MOVES: tuple[Move, ...] = (
    Move("report", (), "collected", ROLES, help="a case is collected (上报)"),
    Move("verify", ("collected",), None, ("grid_worker", "grid_head", *_ACCEPTING),
         help="somebody looked and it is so (核实)"),
    Move("register", ("collected",), "opened", _ACCEPTING, help="opened (立案)"),
    Move("cancel", _BEFORE, "cancelled", _ACCEPTING, ("note",),
         "not a case, or not ours (不予立案)"),
    Move("cancel", (*_WORK, "fed_back"), "cancelled", ("shift_leader",), ("note",),
         "void after dispatch (作废)"),
    Move("handle_on_spot", _BEFORE, "closed", ("grid_worker", "grid_head"), ("note",),
         "put right at once by the one who found it (自行处置)"),
    Move("merge", (*_BEFORE, "dispatched"), "cancelled", _TRIAGE, ("other_id",),
         "the same as another case, which goes on (合并)"),
    Move("absorb", OPEN_STAGES, None, _TRIAGE, ("other_id",),
         "another case was merged into this one"),
    Move("dispatch", ("opened",), "dispatched", _COMMANDING, ("owner",),
         "given to whoever handles it; the clock starts (派遣)"),
    Move("accept", ("dispatched",), "handling", _DOING, help="the handler takes it on (接收)"),
    Move("return", _WORK, "opened", _DOING, ("note",),
         "not mine: back to the dispatcher (回退)"),
    Move("transfer", _WORK, "dispatched", _COMMANDING, ("owner", "note"),
         "across to another department (转办)"),
    Move("raise", _BEFORE, None, (*_DOING, *_TRIAGE), ("note",),
         "to the next level up before dispatch (上报上级)"),
    Move("raise", _WORK, "dispatched", (*_DOING, *_COMMANDING), ("owner", "note"),
         "to the next level up, with a new owner (上报上级)"),
    Move("ask_postponement", _WORK, None, _DOING, ("until", "note"),
         "the handler asks for time (申请延期)"),
    Move("approve_postponement", _WORK, None, _COMMANDING,
         help="granted: the clock stands from now (批准延期、挂账)"),
    Move("refuse_postponement", _WORK, None, _COMMANDING, ("note",), "not granted (驳回延期)"),
    Move("resume", _WORK, None, (*_DOING, *_COMMANDING),
         help="the clock goes on before the time is over (恢复)"),
    Move("supervise", OPEN_STAGES, None, ("shift_leader", "dispatcher", "leader"), ("note",),
         "urged from above (督办)"),
    Move("feed_back", ("handling",), "fed_back", _DOING, ("note",),
         "done, says the handler (反馈)"),
    Move("rework", ("fed_back",), "handling", _CHECKING, ("note",),
         "looked at and not done: handle again (返工)"),
    Move("close", ("fed_back",), "closed", _CHECKING, help="looked at and done (核查结案)"),
    Move("force_close", ("opened", *_WORK), "closed", ("shift_leader",), ("note",),
         "closed without a check (强制结案)"),
    Move("remark", OPEN_STAGES, None, ROLES, ("note",), "words for the log (备注)"),
)  # fmt: skip
