"""One draft as a file: JSON with a format number, the bases inside as they lie on the disk.

A file of a newer format is refused before anything of it is used. What is read is checked as far as
it can be: bases against their hash, the log by running it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from geo.errors import InputError, StoreError, WanggeError
from geo.io._planbook_log import Line, LogEdit, from_json, read_rows, to_json
from geo.io._planbook_rows import Row, read_plan_row
from geo.io.plan_base import Base, parse_base
from geo.io.workspace import Workspace
from geo.schema import EDIT_STATES, TABLES

FILE_FORMAT = 1
"""Number of the layout of a draft file."""

PROGRAM = "wangge plan"

_TIMES = ("at", "done_at")


class PlanFileError(InputError):
    """A draft file cannot be used; it and the workspace stay as they are."""


@dataclass(frozen=True, eq=False)
class Packed:
    """What a draft file has."""

    name: str
    author: str
    base: str
    base_version: int | None
    bases: dict[str, bytes]
    rows: list[LogEdit]
    comments: list[Row]


def pack_plan(
    workspace: Workspace,
    conn: sa.Connection,
    plan_id: str,
    at: datetime,
    read: Callable[[str], bytes],
) -> dict[str, Any]:
    """A plan as plain values for JSON; `read` gives the content of the file of a base."""
    row = read_plan_row(workspace, conn, plan_id)
    rows = read_rows(workspace, conn, plan_id, sa.true())
    names = {str(row["base"])}
    for one in rows:
        if one.edit.get("do") == "rebase":
            names |= {str(one.edit["base"]), str(one.edit["from"])}
    return {
        "program": PROGRAM,
        "format": FILE_FORMAT,
        "saved_at": at.isoformat(),
        "plan": {key: _plain(value) for key, value in row.items()},
        "bases": {
            name: base64.b64encode(read(name)).decode() for name in sorted(names)
        },
        "edits": [
            {
                "seq": one.seq, "edit_id": one.edit_id, "at": one.at.isoformat(), "by": one.by,
                "on_seq": one.on_seq, "state": one.state, "edit": json.loads(to_json(one)),
            }
            for one in rows
        ],
        "moves": _rows_of(workspace, conn, "plan_moves", plan_id),
        "comments": _rows_of(workspace, conn, "plan_comments", plan_id),
    }  # fmt: skip


def _rows_of(
    workspace: Workspace, conn: sa.Connection, name: str, plan_id: str
) -> list[dict[str, Any]]:
    table = workspace.table(name)
    columns = [table.c[column] for column in TABLES[name].names]
    query = sa.select(*columns).where(table.c.plan_id == plan_id).order_by(table.c.fid)
    rows = conn.execute(query).mappings()
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def write_plan_file(path: Path, content: dict[str, Any]) -> None:
    """Write a draft file, whole or not at all; StoreError if the place cannot be written."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with draft.open("x", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def read_plan_file(path: Path) -> Packed:
    """Read and check a draft file.

    Raises
    ------
    PlanFileError
        If it is not there, none of ours, damaged, or of a newer format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise PlanFileError(f"{path} is not there") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise PlanFileError(f"{path} cannot be read as a draft: {error}") from error
    if not isinstance(content, dict) or content.get("program") != PROGRAM:
        raise PlanFileError(f"{path} is no draft of ours: save one with the planner")
    number = content.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise PlanFileError(f"{path} states no format: save it again")
    if number > FILE_FORMAT:
        raise PlanFileError(
            f"{path} has format {number}, this program knows {FILE_FORMAT}: a newer version of the"
            " program wrote it; update the program and open it then, nothing in it was changed"
        )
    try:
        packed = _unpack(content)
    except (LookupError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        what = f"it lacks {error.args[0]}" if isinstance(error, LookupError) else str(error)
        raise PlanFileError(f"{path} is damaged: {what}: save the draft again") from error
    try:
        _run(packed, path)
    except WanggeError as error:
        if isinstance(error, PlanFileError):
            raise
        raise PlanFileError(f"{path} cannot be used: {error}") from error
    return packed


def _unpack(content: dict[str, Any]) -> Packed:
    plan = _part(content, "plan", dict, "the file")
    bases = {}
    for name, text in _part(content, "bases", dict, "the file").items():
        try:
            bases[str(name)] = base64.b64decode(text, validate=True)
        except (TypeError, ValueError, binascii.Error) as error:
            raise ValueError(f"the base {name} is no base64") from error
    rows = []
    for seq, one in enumerate(_rows(content, "edits"), start=1):
        where = f"edit {seq}"
        _part(one, "edit", dict, where)
        _part(one, "on_seq", int, where)
        _part(one, "at", str, where)
        for key in ("seq", "state", "edit_id", "by"):
            _part(one, key, object, where)
        edit, clash, places = _read_edit(one["edit"], where)
        if one["seq"] != seq or one["state"] not in EDIT_STATES:
            raise ValueError(f"edit {seq} is missing or in state {one['state']!r}")
        rows.append(
            LogEdit(
                seq, str(one["edit_id"]), _moment(one["at"]), str(one["by"]), int(one["on_seq"]),
                str(one["state"]), edit, clash, places,
            )
        )  # fmt: skip
    for number, one in enumerate(_rows(content, "comments"), start=1):
        for key in ("comment_id", "at", "by", "text"):
            _part(one, key, str, f"comment {number}")
        _part(one, "reply_to", object, f"comment {number}")
    comments = [
        {key: _moment(value) if key in _TIMES and value else value for key, value in one.items()}
        for one in _rows(content, "comments")
    ]
    for key in ("name", "author", "base", "base_version"):
        _part(plan, key, object, "the plan")
    version = plan["base_version"]
    return Packed(
        str(plan["name"]), str(plan["author"]), str(plan["base"]),
        None if version is None else int(version), bases, rows, comments,
    )  # fmt: skip


_KINDS = {dict: "object", int: "whole number", str: "text", list: "list"}


def _part(content: dict[str, Any], key: str, kind: type, where: str) -> Any:
    """A part of a draft; ValueError that says in words what is wrong with it."""
    if key not in content:
        raise ValueError(f"{where} lacks {key}")
    if not isinstance(content[key], kind):
        raise ValueError(f"{key} of {where} is no {_KINDS[kind]}")
    return content[key]


def _rows(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = _part(content, key, list, "the file")
    for number, one in enumerate(found, start=1):
        if not isinstance(one, dict):
            raise ValueError(f"number {number} of {key} is no object")
    return found  # type: ignore[no-any-return]


def _read_edit(edit: dict[str, Any], where: str) -> Any:
    try:
        return from_json(json.dumps(edit))
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{where} tells no conflict that can be read") from error


def _moment(text: str) -> datetime:
    try:
        datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{text!r} is no time") from error
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return found


def _run(packed: Packed, path: Path) -> None:
    """Run the log, so that only what can be opened is taken in."""
    known = {name: parse_base(content, name, str(path)) for name, content in packed.bases.items()}

    def read(name: str) -> Base:
        if name not in known:
            raise PlanFileError(f"{path} lacks the base {name} of its plan: save it again")
        return known[name]

    rebases = [row for row in packed.rows if row.edit.get("do") == "rebase"]
    line = Line(read(str(rebases[0].edit["from"]) if rebases else packed.base), read)
    line.add(packed.rows)
    read(packed.base)
