"""The one place where pages of cases ask the case book; everything else takes what this returns."""

from __future__ import annotations

import math
from datetime import datetime

import geopandas as gpd
import pandas as pd

from dashboards.components.case_filter import SORTS, TABS, CaseFilter
from dashboards.store import Store
from geo.io.casebook import CaseFile, CasePage, CaseQuery, Recurring, UnknownCaseError

SPOT_TABS = ("spots",)


SPOT_TABS = ("spots",)
WINDOW_DAYS = 90
"""How far back places are looked for whose closed cases come back."""
KEPT_S = 300
_AROUND_M = 300.0
"""Half the side of the box around a case in which its flare-up place is looked for, metres."""


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
    """Open cases that this one might be merged with, the nearest first."""
    return store.casebook.similar(incident_id, at=at)


def similar_at(store: Store, code: str, lon: float, lat: float, at: datetime) -> pd.DataFrame:
    """Open cases of a class near a place, likewise."""
    return store.casebook.similar(class_code=code, lon=lon, lat=lat, at=at)


def recurring(store: Store, choice: CaseFilter, at: datetime) -> Recurring:
    """Places of the filter's class and unit whose closed cases come back.

    A whole city takes seconds, so an answer is kept for some minutes.
    """
    query = CaseQuery(
        class_codes=(choice.class_code,) if choice.class_code else (), unit=choice.unit
    )
    turn = (query, int(at.timestamp()) // KEPT_S)
    return store.remember(
        "recurring", turn, lambda: store.casebook.recurring(at=at, days=WINDOW_DAYS, query=query)
    )


def history_of(
    store: Store, code: str, place: tuple[float, float], at: datetime
) -> gpd.GeoDataFrame:
    """What came back around one place, one row a case; see `geo.similar.find_flare_ups`."""
    reach = _AROUND_M / 111_320
    wide = reach / max(math.cos(math.radians(place[1])), 0.05)
    box = (place[0] - wide, place[1] - reach, place[0] + wide, place[1] + reach)
    query = CaseQuery(class_codes=(code,), bbox=box)
    return store.casebook.recurring(at=at, days=WINDOW_DAYS, query=query, min_returns=1).history
