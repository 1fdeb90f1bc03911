"""The few words that a map carries by itself, in Chinese and English.

Whoever draws a layer may pass other words; these are for exports and notebooks, where no page
stands around the map.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["zh", "en"]


@cache
def words(language: Language) -> Mapping[str, str]:
    """All words of a language by key."""
    text = files("layers").joinpath(f"words_{language}.json").read_text(encoding="utf-8")
    catalogue: dict[str, str] = json.loads(text)
    return catalogue


def word(key: str, language: Language, own: Mapping[str, str] | None = None) -> str:
    """The word for a key: from `own` if it is there, else ours; an unknown key as it is."""
    if own and key in own:
        return own[key]
    return words(language).get(key, key)
