"""Fields of what a page sends about plans, and of what it is told: days, texts, numbers."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import pandas as pd

from dashboards.components.case_moves import RequestError
from dashboards.store import Store
from dashboards.words import Words


def day_of(value: Any, store: Store, words: Words, *, end: bool = False) -> datetime | None:
    """A day of the city's calendar as its first (or last) moment; None for no day."""
    text = str(value or "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise RequestError(words("planversions.bad.day"), "day", 400) from error
    return datetime.combine(day, time.max if end else time.min, tzinfo=store.zone)


def text_of(value: Any) -> str | None:
    """A text without blanks around it; None for what is none, or no text."""
    return (value.strip() or None) if isinstance(value, str) else None


def number_of(value: Any) -> float | None:
    """A number; None for none. ValueError, TypeError or OverflowError for what cannot be one."""
    return None if value is None or pd.isna(value) else float(value)
