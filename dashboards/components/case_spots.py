"""Black spots (黑点复燃): places whose closed cases come back, the worst first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboards.components.case_book import WINDOW_DAYS, recurring
from dashboards.components.case_file import history_line
from dashboards.components.case_filter import CaseFilter
from dashboards.components.case_rows import place_word
from dashboards.components.case_words import class_word, stage_word
from dashboards.store import Store
from dashboards.words import Words

SPOTS = 200
CASES_EACH = 40


def spots_json(store: Store, choice: CaseFilter, at: datetime, words: Words) -> dict[str, Any]:
    """The places of the filter's class and unit, and a note of what counts as one."""
    near = store.rules.case
    rule = {
        "metres": f"{near.recurring_m:g}",
        "days": f"{near.recurring_days:g}",
        "window": WINDOW_DAYS,
    }
    found = recurring(store, choice, at)
    places, history = found.places, found.history
    if not len(places):
        return {"spots": [], "note": words("cases.spots.none", **rule)}
    shown = places.head(SPOTS)
    rows = store.snapshot().city.assign(shown.geometry.x.to_numpy(), shown.geometry.y.to_numpy())
    by_place = dict(tuple(history.groupby("place_id")))
    spots = [
        _spot(store, str(place), row, int(grid), by_place[place], at, words)
        for (place, row), grid in zip(shown.iterrows(), rows, strict=True)
    ]
    return {"spots": spots, "note": words("cases.spots.note", n=words.number(len(places)), **rule)}


def _spot(
    store: Store, place: str, row: Any, grid: int, cases: Any, at: datetime, words: Words
) -> dict[str, Any]:
    zone, newest = store.zone, cases.iloc[::-1].head(CASES_EACH)
    first, last = (row[name].astimezone(zone) for name in ("first_reported", "last_reported"))
    many_open = int(row["open_cases"])
    return {
        "id": place,
        "what": class_word(store, row["class_code"], "", words),
        "where": place_word(store, grid, True, words),
        "lon": round(row.geometry.x, 6),
        "lat": round(row.geometry.y, 6),
        "cases_text": words("cases.spot.cases", n=words.number(int(row["cases"]))),
        "returns_text": words("cases.spot.returns", n=words.number(int(row["returns"]))),
        "open_text": words("cases.spot.open", n=many_open) if many_open else "",
        "span_text": words(
            "cases.spot.span",
            first=f"{first:%m-%d}",
            last=f"{last:%m-%d}",
            metres=f"{row['extent_m']:.0f}",
        ),
        "history": [
            {
                "id": str(case),
                "stage_word": stage_word(words, one["stage"]),
                "text": history_line(store, one, at, words),
            }
            for case, one in newest.iterrows()
        ],
    }
