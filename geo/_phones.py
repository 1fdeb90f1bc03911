"""Telephone numbers that are hidden unless a rule lets the viewer see them.

Public names are handed on by `geo.responsibility`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import StringIO

import pandas as pd

from geo._units import UnitTree
from geo.errors import InputError

RELATIONS = ("self", "same", "below", "above", "other")
"""How the person stands to the viewer: oneself, the same unit, below or above it, elsewhere."""

# One number: digits (or stars of an earlier mask) with single signs that people put between them.
_NUMBER = re.compile(r"[\d*](?:[ \-().·]{0,2}[\d*])*")
_WHOLE = 11
"""Digits of a Chinese mobile number; of these the first 3 and last 4 are commonly shown."""

_LANDLINE = 7


@dataclass(frozen=True)
class Viewer:
    """Who looks: the role of the sign-in, the unit answered for, the person if known."""

    role: str
    unit_code: str | None = None
    worker_id: str | None = None


def mask_phone(text: object) -> str:
    """Hide the telephone numbers in a text: 13812345678 becomes 138****5678.

    Each number is hidden by itself and everything else stays. Of 11 digits or more the first
    three and the last four are shown, of 7 to 10 the last two, of fewer none; so at least four
    digits are hidden, or all of them. Masking twice changes nothing. Missing text is empty.
    """
    if text is None or (not isinstance(text, str) and pd.isna(text)):
        return ""
    return _NUMBER.sub(lambda found: _hide(found.group()), str(text))


def _hide(number: str) -> str:
    places = [k for k, sign in enumerate(number) if sign == "*" or sign.isdigit()]
    count = len(places)
    if count >= _WHOLE:
        hidden = places[3:-4]
    elif count >= _LANDLINE:
        hidden = places[:-2]
    else:
        hidden = places
    signs = list(number)
    for place in hidden:
        signs[place] = "*"
    return "".join(signs)


@cache
def phone_rules() -> dict[str, frozenset[str]]:
    """For each role of a viewer the relations whose full numbers it sees.

    From `geo/data/phone_rules.csv`, which a city may edit. A role that is not in it sees none.
    """
    text = resources.files("geo").joinpath("data", "phone_rules.csv").read_text(encoding="utf-8")
    table = pd.read_csv(StringIO(text), dtype="str", index_col=0)
    return {str(role): frozenset(str(sees).split()) for role, sees in table["sees"].items()}


class Sight:
    """What one viewer may see at one moment."""

    def __init__(
        self, tree: UnitTree, moment: int, viewer: Viewer | None, relations: frozenset[str]
    ) -> None:
        self._tree, self._moment, self._viewer = tree, moment, viewer
        self._relations = relations
        own = "" if viewer is None else viewer.unit_code or ""
        self._own = own
        self._above = {unit.code for unit in tree.way_up(own, moment)[1:]} if own else set()
        self._known: dict[str, str] = {}

    def relation(self, unit_code: str, worker_id: str | None) -> str:
        if self._viewer is None:
            raise InputError("there is no viewer: give one")
        if worker_id is not None and worker_id == self._viewer.worker_id:
            return "self"
        if unit_code not in self._known:
            self._known[unit_code] = self._find(unit_code)
        return self._known[unit_code]

    def _find(self, unit_code: str) -> str:
        if not self._own or not unit_code:
            return "other"
        if unit_code == self._own:
            return "same"
        if unit_code in self._above:
            return "above"
        up = self._tree.way_up(unit_code, self._moment)
        return "below" if any(unit.code == self._own for unit in up[1:]) else "other"

    def sees(self, unit_code: str, worker_id: str | None) -> bool:
        return bool(self._relations) and self.relation(unit_code, worker_id) in self._relations
