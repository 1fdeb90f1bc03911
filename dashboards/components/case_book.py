"""The one place where pages of cases ask the case book; everything else takes what this returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from dashboards.components.case_filter import SORTS, TABS, CaseFilter
from dashboards.store import Store
from geo.io.casebook import CaseFile, CasePage, CaseQuery

SPOT_TABS = ("spots",)


@dataclass(frozen=True)
class Near:
    """How near and how long counts as similar, and as having come back."""

    similar_m: float = 50.0
    similar_h: float = 72.0
    spot_m: float = 50.0
    spot_days: float = 30.0
    spot_returns: int = 2
    window_days: int = 90


def near_of(store: Store) -> Near:
    """The distances of the settings."""
    return Near()


def query_of(store: Store, choice: CaseFilter, offset: int = 0, limit: int = 100) -> CaseQuery:
    """The choice as the case book takes it."""
    start, end = choice.reported_between(store.zone)
    return CaseQuery(
        stages=choice.stages,
        text=choice.text,
        class_code=choice.class_code,
        level=choice.level,
        source=choice.source,
        owner=choice.owner,
        overdue=choice.overdue,
        reported_from=start,
        reported_to=end,
        order_by=SORTS[choice.sort],
        descending=choice.descending,
        offset=offset,
        limit=limit,
    )


def find_page(store: Store, choice: CaseFilter, offset: int, limit: int, at: datetime) -> CasePage:
    """Rows from `offset` on, and how many there are in all."""
    return store.casebook.page(query_of(store, choice, offset, limit), at=at)


def count_tabs(store: Store, choice: CaseFilter, at: datetime) -> dict[str, int]:
    """How many cases each tab would show with the rest of the filter."""
    return {
        tab: store.casebook.page(query_of(store, choice.with_tab(tab), 0, 1), at=at).total
        for tab in TABS
        if tab not in SPOT_TABS
    }


def read_case(store: Store, incident_id: str, at: datetime) -> CaseFile:
    """One case; `geo.errors.UnknownCaseError` or the like if there is none."""
    return store.casebook.read(incident_id, at=at)


def similar_to(store: Store, incident_id: str, at: datetime) -> pd.DataFrame:
    """Open cases that this one might be merged with: `similar_id`, `distance_m`, `apart_h`."""
    near = near_of(store)
    return store.casebook.similar(
        incident_id, at=at, within_m=near.similar_m, within_h=near.similar_h
    )


def similar_at(store: Store, code: str, lon: float, lat: float, at: datetime) -> pd.DataFrame:
    """Open cases of a class near a place."""
    near = near_of(store)
    return store.casebook.similar(
        class_code=code, lon=lon, lat=lat, at=at, within_m=near.similar_m, within_h=near.similar_h
    )


def flare_ups(store: Store, at: datetime) -> Any:
    """History of the places whose closed cases come back; see `geo.similar.find_flare_ups`."""
    near = near_of(store)
    stamp = (store.workspace.stamp("incidents"), f"{at:%Y%m%d%H}")
    return store.remember(
        "flare-ups",
        stamp,
        lambda: store.casebook.recurring(
            at=at, within_m=near.spot_m, within_days=near.spot_days, min_returns=1
        ),
    )
