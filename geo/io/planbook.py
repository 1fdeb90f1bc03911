"""The book of plans: drafts, their edits and what became of them, in the store of a city.

A draft is a base (`geo.io.plan_base`) and the log of its edits; the plan is what the log makes of
the base. Every write is one transaction, so an edit is in the log or it is not, whenever the power
goes. An edit is named by the screen that made it: sent twice, it counts once and is answered alike.
Of two planners the second one's edit is merged if it does on the newest plan exactly what its
author saw it do on theirs, and otherwise kept as a conflict until somebody takes or drops it
(`geo.plan_merge`). Nothing is ever deleted: not an edit, not a comment, not a plan.

Keep one book a process and share it between threads: it remembers the newest states of each plan,
so that a further edit costs what the edit costs. `at` is now and always an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from geo.errors import InputError
from geo.io._planbook_append import Applied as Applied
from geo.io._planbook_append import Step, place_edit, settle_edit, take_back
from geo.io._planbook_file import PlanFileError as PlanFileError
from geo.io._planbook_file import pack_plan, read_plan_file, write_plan_file
from geo.io._planbook_log import TELLS, Link, LogEdit, insert_rows, read_rows
from geo.io._planbook_memory import PlanMemory
from geo.io._planbook_rebase import Rebased as Rebased
from geo.io._planbook_rebase import carry_over
from geo.io._planbook_rows import MOVES as MOVES
from geo.io._planbook_rows import PlanStateError as PlanStateError
from geo.io._planbook_rows import UnknownPlanError as UnknownPlanError
from geo.io._planbook_rows import (
    add_move,
    insert_plan,
    name_of,
    next_plan_id,
    read_plan_row,
    text_of,
    to_stored,
    update_plan,
)
from geo.io._planbook_talk import require_place as require_place
from geo.io.plan_base import (
    Base,
    Note,
    make_base,
    read_base_bytes,
    write_base,
    write_base_bytes,
)
from geo.plan import Plan
from geo.plan_merge import Clash

_BROKEN = Clash(
    "rule", "it was applied once, and this version of the program finds it to break a rule"
)


@dataclass(frozen=True, eq=False)
class OpenPlan:
    """A plan as it is after some edit."""

    plan_id: str
    name: str
    state: str
    author: str
    seq: int
    plan: Plan
    first: Plan
    base: Base
    notes: tuple[Note, ...]
    conflicts: tuple[LogEdit, ...]
    """Edits that wait to be taken or dropped."""
    outdated: bool
    """Grids were published after its base was made."""
    can_undo: str | None
    """Who made the edit that undo takes back; None: nothing to undo."""
    can_redo: str | None
    from_day: datetime | None
    version: int | None
    """Boundary version that it was published as."""


class PlanBook(PlanMemory):
    """The plans of one workspace. Safe to share between threads and between processes."""

    # --- plans -----------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        by: str,
        at: datetime,
        *,
        communities: Collection[str] | None = None,
        assignment: pd.Series | None = None,
        kinds: Mapping[str, str] | None = None,
        began_as: str = "present",
        plan_id: str | None = None,
    ) -> str:
        """Begin a draft of the newest grids and give it an id, P20261121-01.

        Parameters
        ----------
        communities, assignment, kinds
            See `geo.io.plan_base.make_base`.
        began_as
            What it begins as: present, division, file, copy.

        Raises
        ------
        InputError
            If it has no name or author, or the city has nothing to draw on.
        CoverError, RedrawError
            If blocks overlap, or the assignment breaks a rule.
        """
        base = make_base(
            self.workspace, communities=communities, assignment=assignment, kinds=kinds
        )
        return self._begin(base, name, by, at, began_as, plan_id, [])

    def copy(self, plan_id: str, name: str, by: str, at: datetime) -> str:
        """Begin a draft that is what another plan is now; undo leads back through its edits.

        What waits there as a conflict waits in the copy, too, so an edit that came too late for a
        plan in force can still be taken.
        """
        opened = self.open(plan_id)
        line = self._line(plan_id)
        with line.lock:
            rows, link = list[LogEdit](), line.state(opened.seq).done
            while link is not None:
                rows.append(link.row)
                link = link.older
        rows.reverse()
        made = [
            replace(
                row,
                seq=seq,
                edit_id=f"{row.edit_id}~{plan_id}",
                on_seq=seq - 1,
                state="conflict" if seq > len(rows) else "applied",
                edit=dict(row.edit["edit"] if row.edit.get("do") == "take" else row.edit),
                clash=_elsewhere(row.clash) if seq > len(rows) else None,
                places=row.places if seq > len(rows) else None,
            )
            for seq, row in enumerate([*rows, *opened.conflicts], start=1)
        ]
        return self._begin(opened.base, name, by, at, "copy", None, made)

    def _begin(
        self,
        base: Base,
        name: str,
        by: str,
        at: datetime,
        began_as: str,
        plan_id: str | None,
        rows: list[LogEdit],
    ) -> str:
        now, title, author = to_stored(at, "at"), name_of(name), text_of(by, "by")
        write_base(self.folder, base)
        with self.workspace.writing() as conn:
            made = plan_id or next_plan_id(self.workspace, conn, now)
            insert_plan(
                self.workspace, conn, made, title, author, now,
                base=base.name, base_version=base.version, began_as=began_as, seq=len(rows),
            )  # fmt: skip
            insert_rows(self.workspace, conn, made, rows)
            add_move(self.workspace, conn, made, "draft", by=author, at=now)
        return made

    def open(self, plan_id: str, *, seq: int | None = None) -> OpenPlan:
        """A plan as it is now, or as it was after an edit.

        Raises
        ------
        UnknownPlanError
            If there is none of that id.
        StoreError
            If its base is gone or damaged.
        """
        with self.workspace.reading() as conn:
            row = read_plan_row(self.workspace, conn, plan_id)
            line = self._refresh(conn, row)
            version = self._newest_version(conn)
            with line.lock:
                wanted = line.seq if seq is None else seq
                state = line.state(wanted)
                waiting = tuple(
                    one if one.state == "conflict" else replace(one, clash=_BROKEN)
                    for one in line.rows
                    if one.state == "conflict" or one.seq in state.broken
                )
        base = state.base
        return OpenPlan(
            plan_id, row["name"], row["state"], row["author"], wanted, state.plan, base.first,
            base, base.notes, waiting, version != base.version, _who(state.done),
            _who(state.gone), row["from_day"], row["version"],
        )  # fmt: skip

    def is_outdated(self, plan_id: str) -> bool:
        """Whether grids were published after the plan's base was made."""
        with self.workspace.reading() as conn:
            row = read_plan_row(self.workspace, conn, plan_id)
            version = self._newest_version(conn)
        known = row["base_version"]
        return (None if known is None else int(known)) != version

    def rename_plan(self, plan_id: str, name: str, by: str, at: datetime) -> None:
        """Call a plan otherwise; its moves tell who did."""
        now, title, author = to_stored(at, "at"), name_of(name), text_of(by, "by")
        with self.workspace.writing() as conn:
            row = read_plan_row(self.workspace, conn, plan_id)
            if row["name"] == title:
                return
            update_plan(self.workspace, conn, plan_id, now, name=title)
            note = f"{row['name']} -> {title}"
            add_move(self.workspace, conn, plan_id, row["state"], by=author, at=now, note=note)

    # --- edits -----------------------------------------------------------------------------------

    def append(
        self,
        plan_id: str,
        *,
        edit_id: str,
        edit: Mapping[str, Any],
        by: str,
        on_seq: int,
        at: datetime,
    ) -> Applied:
        """Add an edit to the log of a plan.

        Parameters
        ----------
        edit_id
            Given by the screen, and never twice to different edits.
        edit
            As `geo.redraw.replay` takes it, or `{"do": "undo"}`, `{"do": "redo"}`.
        on_seq
            Newest edit that its author had seen.

        Returns
        -------
        Applied
            Its `state`: applied, conflict (kept; `clash` says why), or dropped if others did the
            very same.

        Raises
        ------
        RedrawError
            If it does not hold on what its author saw; nothing is stored.
        InputError
            If it cannot be read, or its id belongs to another edit.
        UnknownPlanError
            If there is no such plan.
        """
        step = Step(plan_id, text_of(edit_id, "edit_id"), dict(edit), text_of(by, "by"), on_seq,
                    to_stored(at, "at"))  # fmt: skip
        if edit.get("do") in TELLS[2:]:
            raise InputError(f"{edit['do']} is no edit: the book itself writes it")
        return self._write(step, take_back if edit.get("do") in TELLS[:2] else place_edit)

    def settle(
        self,
        plan_id: str,
        seq: int,
        decision: str,
        *,
        by: str,
        at: datetime,
        edit_id: str,
        edit: Mapping[str, Any] | None = None,
    ) -> Applied:
        """Take an edit that waits as a conflict, or drop it.

        Parameters
        ----------
        seq
            Its number.
        decision
            `take` or `drop`.
        edit
            What to take instead of it, such as the same with `along`.

        Raises
        ------
        RedrawError
            If what is to be taken does not hold on the plan as it is now; it goes on waiting.
        InputError
            If the edit does not wait.
        PlanStateError
            If the plan is no draft.
        """
        if decision not in ("take", "drop"):
            raise InputError(f"{decision!r} is neither take nor drop")
        if edit is not None and edit.get("do") in TELLS:
            raise InputError(f"{edit['do']} cannot be taken instead: give an edit")
        told: dict[str, Any] = {"do": decision, "seq": seq}
        if edit is not None and decision == "take":
            told["edit"] = dict(edit)
        step = Step(plan_id, text_of(edit_id, "edit_id"), told, text_of(by, "by"), -1,
                    to_stored(at, "at"))  # fmt: skip
        return self._write(step, settle_edit)

    def since(self, plan_id: str, seq: int) -> list[LogEdit]:
        """Rows of the log behind a number; what became of a conflict stands in a row of its own."""
        with self.workspace.reading() as conn:
            read_plan_row(self.workspace, conn, plan_id)
            table = self.workspace.table("plan_edits")
            return read_rows(self.workspace, conn, plan_id, table.c.seq > seq)

    def rebase(self, plan_id: str, by: str, at: datetime) -> Rebased:
        """Put a draft on the grids as they are published now.

        Its edits are run again in order, without those that were undone; what no longer holds, or
        would now do something else, is kept as a conflict. Nothing is done if the base is the
        newest.

        Raises
        ------
        PlanStateError
            If the plan is no draft.
        """
        now, author = to_stored(at, "at"), text_of(by, "by")
        opened = self.open(plan_id)
        old = opened.base
        assignment, kinds = None, dict[str, str]()
        if old.is_assigned:
            is_rest = old.blocks["grid_id"].isin(old.grids.index[old.grids["is_rest"]])
            assignment = old.blocks.loc[~is_rest, "grid_id"]
            kinds = {str(grid): str(kind) for grid, kind in old.grids["kind"].items()}
        base = make_base(
            self.workspace, communities=old.communities, assignment=assignment, kinds=kinds
        )
        if base.name == old.name:
            return Rebased(opened.seq, [], [], old)
        write_base(self.folder, base)
        line = self._line(plan_id)
        with line.lock:
            found = carry_over(line, base, author, now)
        with self.workspace.writing() as conn:
            row = read_plan_row(self.workspace, conn, plan_id)
            if row["state"] != "draft":
                raise PlanStateError(f"plan {plan_id} is {row['state']}: make it a draft first")
            line = self._refresh(conn, row)
            with line.lock:
                if line.seq != found.rows[0].seq - 1:
                    # Somebody drew while the edits were run again.
                    found = carry_over(line, base, author, now)
            insert_rows(self.workspace, conn, plan_id, found.rows)
            update_plan(
                self.workspace, conn, plan_id, now,
                base=base.name, base_version=base.version, seq=found.seq,
            )  # fmt: skip
        return found

    # --- files -----------------------------------------------------------------------------------

    def save_file(self, plan_id: str, path: str | Path, at: datetime) -> None:
        """Write one plan with base, edits, moves and comments into a file, whole or not at all."""
        with self.workspace.reading() as conn:
            content = pack_plan(
                self.workspace, conn, plan_id, to_stored(at, "at"),
                partial(read_base_bytes, self.folder),
            )  # fmt: skip
        write_plan_file(Path(path), content)

    def load_file(self, path: str | Path, by: str, at: datetime, *, name: str | None = None) -> str:
        """Begin a draft with what a file of `save_file` has; returns its id.

        Edits and comments keep their authors and times.

        Raises
        ------
        PlanFileError
            If it is none of ours, damaged, or written by a newer version of the program. The file
            and the workspace stay as they are.
        """
        now, author = to_stored(at, "at"), text_of(by, "by")
        packed = read_plan_file(Path(path))
        for base_name, content in packed.bases.items():
            write_base_bytes(self.folder, base_name, content)
        with self.workspace.writing() as conn:
            made = next_plan_id(self.workspace, conn, now)
            insert_plan(
                self.workspace, conn, made, name_of(name or packed.name), packed.author, now,
                base=packed.base, base_version=packed.base_version, began_as="file",
                seq=len(packed.rows),
            )  # fmt: skip
            insert_rows(self.workspace, conn, made, packed.rows)
            self._put_comments(conn, made, packed.comments)
            add_move(self.workspace, conn, made, "draft", by=author, at=now, note=Path(path).name)
        return made

    # --- within ----------------------------------------------------------------------------------

    def _write(self, step: Step, act: Any) -> Applied:
        # The log is run before the lock of the store is taken: others need not wait for it.
        with self.workspace.reading() as conn:
            self._refresh(conn, read_plan_row(self.workspace, conn, step.plan_id))
        with self.workspace.writing() as conn:
            row = read_plan_row(self.workspace, conn, step.plan_id)
            line = self._refresh(conn, row)
            with line.lock:
                applied, rows, after = act(line, step, row["state"])
            self._store(conn, step, rows)
        if rows:
            with line.lock:
                if line.seq == rows[-1].seq - 1:
                    line.add(rows[-1:], after)
        return applied  # type: ignore[no-any-return]

    def _store(self, conn: sa.Connection, step: Step, rows: list[LogEdit]) -> None:
        """Write what a step adds: at most one row, and the new state of the row it settles."""
        if not rows:
            return
        new = rows[-1]
        insert_rows(self.workspace, conn, step.plan_id, [new])
        if new.edit.get("do") in ("take", "drop"):
            table = self.workspace.table("plan_edits")
            state = "taken" if new.edit["do"] == "take" else "dropped"
            conn.execute(
                sa.update(table)
                .where(table.c.plan_id == step.plan_id, table.c.seq == new.edit["seq"])
                .values(state=state)
            )
        update_plan(self.workspace, conn, step.plan_id, step.at, seq=new.seq)


def _who(link: Link | None) -> str | None:
    return None if link is None else link.row.by


def _elsewhere(clash: Clash | None) -> Clash | None:
    """A clash without the numbers of edits, which another log does not have."""
    return None if clash is None else replace(clash, seqs=())
