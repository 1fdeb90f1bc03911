"""The one place where pages of cases ask the case book; everything else takes what this returns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from dashboards.components.case_filter import SORTS, TABS, CaseFilter
from dashboards.store import Store
from geo.io.casebook import CaseFile, CasePage, CaseQuery, UnknownCaseError

SPOT_TABS = ("spots",)


SPOT_TABS = ("spots",)
WINDOW_DAYS = 90
"""How far back places are looked for whose closed cases come back."""


def query_of(store: Store, choice: CaseFilter, offset: int = 0, limit: int = 100) -> CaseQuery:
    """The choice as the case book takes it."""
    start, end = choice.reported_between(store.zone)
    return CaseQuery(
        text=choice.text,
        stages=choice.stages or (),
        state=choice.state,
        class_codes=(choice.class_code,) if choice.class_code else (),
        level=choice.level,
        owner=choice.owner,
        source=choice.source,
        unit=choice.unit,
        since=start,
        until=end,
        sort=SORTS[choice.sort],
        descending=choice.descending,
        offset=offset,
        limit=limit,
    )


def find_page(store: Store, choice: CaseFilter, offset: int, limit: int, at: datetime) -> CasePage:
    """Rows from `offset` on, and how many there are in all."""
    if choice.is_void:
        empty = store.casebook.page(query_of(store, choice, 0, 0), at=at)
        return CasePage(empty.rows, 0)
    return store.casebook.page(query_of(store, choice, offset, limit), at=at)


def count_tabs(store: Store, choice: CaseFilter, at: datetime) -> dict[str, int]:
    """How many cases each tab would show with the rest of the filter."""
    tabs = {tab: choice.with_tab(tab) for tab in TABS if tab not in SPOT_TABS}
    return {
        tab: 0 if one.is_void else store.casebook.count(query_of(store, one), at=at)
        for tab, one in tabs.items()
    }


def read_case(store: Store, incident_id: str, at: datetime) -> CaseFile | None:
    """One case, None if there is none of that id."""
    try:
        return store.casebook.read(incident_id, at=at)
    except UnknownCaseError:
        return None


def similar_to(store: Store, incident_id: str, at: datetime) -> pd.DataFrame:
    """Open cases that this one might be merged with: `similar_id`, `distance_m`, `apart_h`."""
    return store.casebook.similar(incident_id, at=at)


def similar_at(store: Store, code: str, lon: float, lat: float, at: datetime) -> pd.DataFrame:
    """Open cases of a class near a place, likewise."""
    return store.casebook.similar(class_code=code, lon=lon, lat=lat, at=at)


def flare_ups(store: Store, at: datetime) -> Any:
    """History of the places whose closed cases come back; see `geo.similar.find_flare_ups`."""
    stamp = (store.workspace.stamp("incidents"), f"{at:%Y%m%d%H}")
    return store.remember("flare-ups", stamp, lambda: store.casebook.recurring(at=at))
