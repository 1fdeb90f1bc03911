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
