"""The open cases of a filter as marks for the map beside the table, the most urgent first.

A map of a hundred thousand marks says nothing and costs much, so only so many are drawn and the
note says how many there are.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from dashboards.components.case_book import find_page
from dashboards.components.case_filter import STAGES_OF, CaseFilter
from dashboards.components.case_rows import rows_json
from dashboards.store import Store
from dashboards.words import Words

MARKS = 3000
_KEPT = ("id", "what", "where", "state", "due", "clock")


def map_json(store: Store, choice: CaseFilter, at: datetime, words: Words) -> dict[str, Any]:
    """A FeatureCollection of cases with a place, and a note of what is not drawn."""
    tab = choice.tab if choice.tab in STAGES_OF else "all"
    clock = choice.clock if choice.clock in ("late", "soon") else "open"
    if choice.clock == "done":
        return {"type": "FeatureCollection", "features": [], "note": _note(words, 0, 0, 0)}
    wanted = replace(choice, tab=tab, clock=clock, sort="clock", descending=False)
    page = find_page(store, wanted, 0, MARKS, at)
    rows = rows_json(store, page.rows, at, words)
    features = [
        {
            "type": "Feature",
            "properties": {name: row[name] for name in _KEPT},
            "geometry": {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
        }
        for row in rows
        if row["lon"] is not None
    ]
    note = _note(words, len(features), page.total, len(rows) - len(features))
    return {"type": "FeatureCollection", "features": features, "note": note}


def _note(words: Words, shown: int, total: int, unplaced: int) -> str:
    key = "cases.map.note" if shown + unplaced >= total else "cases.map.note.more"
    values = {"shown": words.number(shown)}
    if key.endswith("more"):
        values["total"] = words.number(total)
    text = words(key, **values)
    if unplaced:
        text += words("cases.map.and", text=words("cases.map.unplaced", n=words.number(unplaced)))
    return text
