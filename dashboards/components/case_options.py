"""What may be chosen on the pages of cases: classes with their groups, conditions, roles, sources."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dashboards.components.case_desk import unit_option
from dashboards.components.case_filter import CLOCKS, CaseFilter
from dashboards.components.case_words import level_word, plain, role_word, source_word
from dashboards.store import Store
from dashboards.words import Words
from geo.codes import incident_classes, incident_groups
from geo.deadlines import time_limits
from geo.incidents import ROLES
from geo.schema import CASE_LEVELS

SOURCES = ("page", "hotline", "app", "video", "patrol", "collector", "phone")


def page_options(store: Store, words: Words, chosen: CaseFilter) -> dict[str, Any]:
    """Everything that the browser's boxes and selects offer."""
    return {
        "classes": class_options(store, words),
        "roles": list(ROLES),
        "sources": [{"value": s, "label": source_word(words, s)} for s in SOURCES],
        "choices": {
            "clock": [{"value": c, "label": words(f"cases.clocks.{c}")} for c in CLOCKS],
            "level": [{"value": v, "label": level_word(words, v)} for v in CASE_LEVELS],
            "source": [{"value": s, "label": source_word(words, s)} for s in SOURCES],
        },
        "chosen_units": [unit_option(store, words, chosen.unit)] if chosen.unit else [],
    }


def limits_of(store: Store) -> pd.DataFrame:
    """The city's table of limits, else that of the package."""
    rules = getattr(store, "rules", None)
    return time_limits() if rules is None else rules.time_limits


def class_options(store: Store, words: Words) -> list[dict[str, Any]]:
    """Incident classes by group, each with the conditions that it may be opened under."""
    table, groups = incident_classes(), incident_groups()
    language = words.language
    other = "en" if language == "zh" else "zh"
    conditions = _conditions(limits_of(store), language)
    return [
        {
            "value": str(code),
            "label": str(row[language]),
            "hint": str(code),
            "search": str(row[other]),
            "group": str(groups.at[row["group"], language])
            if row["group"] in groups.index
            else str(row["group"]),
            "conditions": _of_class(conditions, str(code)),
        }
        for code, row in table.iterrows()
    ]


def conditions_of(store: Store, code: str, words: Words) -> list[dict[str, str]]:
    """The opening conditions of a class, of the longest beginning of its code that has any."""
    return _of_class(_conditions(limits_of(store), words.language), code)


def condition_word(store: Store, code: str, condition: object, words: Words) -> str:
    """The name of an opening condition, else the word as it is stored."""
    text = plain(condition)
    named = {one["value"]: one["label"] for one in conditions_of(store, code, words)}
    return named.get(text, text)


def _conditions(limits: pd.DataFrame, language: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in limits.to_dict("records"):
        condition = plain(row.get("condition"))
        if condition:
            label = plain(row.get(language)) or condition
            found.setdefault(plain(row["class_code"]), []).append(
                {"value": condition, "label": label}
            )
    return found


def _of_class(conditions: dict[str, list[dict[str, str]]], code: str) -> list[dict[str, str]]:
    for length in range(len(code), 0, -1):
        if code[:length] in conditions:
            return conditions[code[:length]]
    return []


def role_options(words: Words) -> list[dict[str, str]]:
    """Roles that move cases."""
    return [{"value": role, "label": role_word(words, role)} for role in ROLES]
