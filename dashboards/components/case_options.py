"""What may be chosen on the pages of cases: classes by group, conditions, roles, sources."""

from __future__ import annotations

from typing import Any

from dashboards.components.case_desk import unit_option
from dashboards.components.case_filter import CLOCKS, CaseFilter
from dashboards.components.case_words import level_word, plain, source_word
from dashboards.store import Store
from dashboards.words import Words
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


def class_options(store: Store, words: Words) -> list[dict[str, Any]]:
    """Incident classes by group, each with the conditions that it may be opened under."""
    rules = store.rules

    def make() -> list[dict[str, Any]]:
        table, groups = rules.classes.incident_classes(), rules.classes.incident_groups()
        language = words.language
        other = "en" if language == "zh" else "zh"
        return [
            {
                "value": str(code),
                "label": str(row[language]),
                "hint": str(code),
                "search": str(row[other]),
                "group": str(groups.at[row["group"], language])
                if row["group"] in groups.index
                else str(row["group"]),
                "conditions": conditions_of(store, str(code), words),
            }
            for code, row in table.iterrows()
        ]

    return store.remember(("class-options", words.language), rules.stamp, make)


def conditions_of(store: Store, code: str, words: Words) -> list[dict[str, str]]:
    """The opening conditions that the city's limits know for a class."""
    return [
        {"value": one.condition, "label": getattr(one, words.language) or one.condition}
        for one in store.rules.conditions(code)
    ]


def condition_word(store: Store, code: str, condition: object, words: Words) -> str:
    """The name of an opening condition, else the word as it is stored."""
    text = plain(condition)
    named = {one["value"]: one["label"] for one in conditions_of(store, code, words)}
    return named.get(text, text)
