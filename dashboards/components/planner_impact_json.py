"""An impact as JSON for the panel of `/planner`: what changes, sorted by size, with exact figures.

Numbers travel as they are and become text in the browser. Lists are cut at MOST rows and tell how
many there are; the workbook has all of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from dashboards.plan_impact import Told
from dashboards.words import Words
from geo.codes import class_name
from geo.errors import CodeError
from geo.impact import FIGURES, SUMS, find_compounds, find_moved_things, sum_up

MOST = 100
MOST_BLOCKS = 2000
"""Blocks whose outline the map of the change draws."""

SCHOOLS = ("school", "kindergarten")


def impact_json(told: Told, words: Words) -> dict[str, Any]:
    """Everything that the panel shows of one state of a plan."""
    impact = told.impact
    rows = impact.grids[impact.grids["status"] != "same"]
    order = np.lexsort(
        (
            rows["name"].to_numpy(str),
            -rows["area_m2_change"].abs().to_numpy(),
            -(rows["came"] + rows["left"]).to_numpy(),
        )
    )
    names = told.names
    assets = find_moved_things(impact, "assets")
    return {
        "seq": told.seq,
        "band": list(impact.band),
        "nothing": impact.is_nothing,
        "summary": {"before": _plain(sum_up(impact.then)), "now": _plain(sum_up(impact.now))},
        "rows": [_row(one) for one in rows.iloc[order].to_dict("records")],
        "sums": {name: float(value) for name, value in impact.totals().items()},
        "people": {
            "households": told.handover.households,
            "changed": told.handover.changed,
            "unknown": told.handover.unknown,
            "kept": told.handover.kept_share,
        },
        "flows": _cut(_flows(told.handover.flows, names)),
        "workers": _cut(_workers(told.handover.workers, names)),
        "compounds": _cut(_records(find_compounds(impact))),
        "places": _cut(_places(told)),
        "assets": {"total": len(assets), "rows": _assets(assets, words)},
        "cases": _cut(_cases(told, words)),
        "classes": class_changes(assets, words),
        "before": _households(impact.then),
        "moved": list(impact.blocks.index[:MOST_BLOCKS]),
        "weights": told.weights,
        "at": told.at.timestamp() * 1000,
    }


def class_changes(moved: pd.DataFrame, words: Words) -> list[dict[str, Any]]:
    """Assets that change their grid by class, the most first."""
    counts = moved["class_code"].astype(str).value_counts()
    return [
        {"code": str(code), "name": class_text(str(code), words), "count": int(count)}
        for code, count in counts.items()
    ]


def class_text(code: str, words: Words) -> str:
    """The name of a class, its code where no table knows it."""
    try:
        return class_name(code, words.language)
    except CodeError:
        return code


def worker_text(worker_id: object, names: pd.Series, empty: str) -> str:
    """Name of a worker, or what to say where there is nobody."""
    if worker_id is None or pd.isna(worker_id) or worker_id == "":
        return empty
    return str(names.get(str(worker_id), worker_id))


def _row(one: dict[str, Any]) -> dict[str, Any]:
    texts = ("grid_id", "was", "name", "kind", "community_code", "status", "band", "band_before")
    figures = {
        name: [_number(one[f"{name}_before"]), _number(one[name]), _number(one[f"{name}_change"])]
        for name in FIGURES
    }
    told = {name: None if pd.isna(one[name]) else str(one[name]) for name in texts}
    return told | {"came": int(one["came"]), "left": int(one["left"]), "figures": figures}


def _households(table: pd.DataFrame) -> list[int]:
    """Households of the grids with a band before, ascending, for the chart."""
    known = table[table["band"] != "none"]["households"]
    return sorted(int(value) for value in known)


def _flows(flows: pd.DataFrame, names: pd.Series) -> list[dict[str, Any]]:
    found = _records(flows)
    for one in found:
        for side in ("from", "to"):
            worker = one[f"{side}_worker"]
            one[f"{side}_person"] = None if worker is None else worker_text(worker, names, "")
    return found


def _workers(workers: pd.DataFrame, names: pd.Series) -> list[dict[str, Any]]:
    found = _records(workers.reset_index())
    for one in found:
        one["name"] = worker_text(one["worker_id"], names, "") or None
    return found


def _places(told: Told) -> list[dict[str, Any]]:
    """Schools first, then the other places by kind."""
    moved = find_moved_things(told.impact, "places")
    is_school = moved["kind"].isin(SCHOOLS)
    frame = pd.DataFrame(moved.drop(columns="geometry")).assign(rank=~is_school)
    frame = frame.sort_values(["rank", "kind", "name"], kind="stable").drop(columns="rank")
    return _records(frame.rename_axis("place_id").reset_index())


def _assets(moved: pd.DataFrame, words: Words) -> list[dict[str, Any]]:
    frame = (
        pd.DataFrame(moved[:MOST].drop(columns="geometry")).rename_axis("asset_id").reset_index()
    )
    texts = {code: class_text(code, words) for code in frame["class_code"].astype(str).unique()}
    frame["class"] = frame["class_code"].astype(str).map(texts)
    return _records(frame)


def _cases(told: Told, words: Words) -> list[dict[str, Any]]:
    moved = find_moved_things(told.impact, "cases")
    columns = ["class_code", "category", "address", "from_grid", "from_name", "to_grid", "to_name"]
    frame = pd.DataFrame(moved.drop(columns="geometry")).reindex(columns=columns)
    frame = frame.rename_axis("incident_id").reset_index()
    frame["class"] = [
        category if isinstance(category, str) else class_text(str(code), words)
        for code, category in zip(frame["class_code"], frame["category"], strict=True)
    ]
    return _records(frame)


def _cut(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"total": len(rows), "rows": rows[:MOST]}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _value(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _value(value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or pd.isna(value):
        return None
    return _number(value)


def _number(value: Any) -> float | int | None:
    number = float(value)
    if not np.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _plain(summary: dict[str, float]) -> dict[str, Any]:
    return {name: _number(value) for name, value in summary.items()}


assert set(SUMS) <= set(FIGURES)
