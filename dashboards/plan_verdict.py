"""Findings of the gate as sentences of the page, by rule, with names in place of ids."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.words import Words
from geo.io.publish import Judged


def verdict_words(
    judged: Judged, findings: list[dict[str, Any]], words: Words, zone: ZoneInfo
) -> list[dict[str, Any]]:
    """The findings of `verdict_json`, in its order, each with `text` and the name of its grid.

    `was_so` tells that a warning was true of the grid before the plan already.
    """
    plan = judged.open.plan
    first = judged.open.first.table()["households"]
    told = []
    for finding, plain in zip(judged.verdict.findings, findings, strict=True):
        row = plan.grid_rows.get(finding.grid)
        name = "" if row is None else plan.grids[row].name
        values = {key: _say(value, words, zone) for key, value in finding.figures.items()}
        if "what" in finding.figures:
            values["what"] = words(f"planversions.what.{finding.figures['what']}")
        text = words(f"planversions.rule.{finding.rule}", **(values | {"name": name}))
        was = finding.figures.get("was")
        was_so = (
            was is not None
            and finding.grid in first.index
            and finding.figures.get("households") == was
        )
        told.append(plain | {"text": text, "name": name, "was_so": was_so})
    return told


def _say(value: Any, words: Words, zone: ZoneInfo) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d}"
    if isinstance(value, bool) or value is None:
        return words("none")
    if isinstance(value, int):
        return words.number(value)
    if isinstance(value, float):
        return words.number(value, 2)
    return str(value)
