"""Words for moves, roles, stages, sources, people and refusals of cases, in the page's language.

A word that a city's own file brings and no catalogue knows is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd

from dashboards.store import Store
from dashboards.words import Words
from geo.errors import CodeError
from geo.incidents import STANDARD_MOVES, MoveRefusedError


def class_word(store: Store, code: object, category: object, words: Words) -> str:
    """The city's name of a class, else the word of the source, else the code."""
    text = plain(code)
    if text:
        try:
            return store.rules.classes.name(text, words.language)
        except CodeError:
            return plain(category) or text
    return plain(category) or words("cases.class.none")


def said(words: Words, prefix: str, key: object, otherwise: str = "") -> str:
    """The word `prefix.key`, else the key itself, else `otherwise` where there is none."""
    text = plain(key)
    if not text:
        return otherwise
    return words(f"{prefix}.{text}") if words.has(f"{prefix}.{text}") else text


def plain(value: object) -> str:
    """Text of a cell, empty where the cell is."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    return str(value)


def move_word(words: Words, move: object) -> str:
    """The name of a move, as a button says it."""
    return said(words, "cases.move", move)


def role_word(words: Words, role: object) -> str:
    """The name of a post."""
    return said(words, "cases.role", role) if plain(role) else ""


def stage_word(words: Words, stage: object) -> str:
    """The name of a stage."""
    return said(words, "stage", stage)


def level_word(words: Words, level: object) -> str:
    """The name of a level."""
    return said(words, "cases.level", level)


def source_word(words: Words, source: object) -> str:
    """How a case was reported."""
    return said(words, "cases.source", source)


def at_word(words: Words, moment: object, now: datetime, zone: ZoneInfo) -> str:
    """A moment of the log: the time, with the date where it is another day."""
    stamp = utc(moment)
    return "" if stamp is None else words.moment(stamp.astimezone(zone), now.astimezone(zone))


def utc(moment: object) -> datetime | None:
    """A cell with a time as a moment, None where it is empty."""
    if moment is None or pd.isna(moment):
        return None
    stamp: datetime = pd.Timestamp(moment).to_pydatetime()
    return stamp


def refusal(words: Words, error: MoveRefusedError, stage: str, role: str) -> str:
    """Why a move was refused, as a person reads it."""
    key = f"cases.refused.{error.reason}"
    if not words.has(key):
        return str(error)
    move = error.attempt.move if error.attempt else ""
    roles = _roles_of(move, stage)
    return words(
        key,
        move=move_word(words, move),
        stage=stage_word(words, stage),
        role=role_word(words, role),
        roles=words("cases.or").join(role_word(words, one) for one in roles),
    )


def _roles_of(move: str, stage: str) -> Iterable[str]:
    found = [rule for rule in STANDARD_MOVES if rule.name == move and stage in rule.stages]
    return dict.fromkeys(role for rule in found for role in rule.roles)
