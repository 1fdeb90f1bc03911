"""The maps beside a briefing: how each unit changed, and which grids are hot spots.

A unit whose change is not clear has the colour of no change whatever its percent, so that the map
cannot say more than the test does; too few cases and missing records are hatched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from dashboards.components.leader_parts import level_word
from dashboards.components.map_spec import typed
from dashboards.components.sheet_html import h
from dashboards.components.unit_shapes import unit_codes
from dashboards.figures import Snapshot
from dashboards.leader_desk import LeaderFigures
from dashboards.words import Words
from geo.leader import LeaderView
from layers.colours import diverging

CHANGE_EDGES = (-0.5, -0.25, 0.0, 0.25, 0.5)
"""Bounds of the classes of clear changes: by a quarter and by half, down and up."""

HOT_KINDS = (
    "new", "consecutive", "intensifying", "persistent", "diminishing", "sporadic", "oscillating",
    "historical",
)  # fmt: skip


def change_classes(
    view: LeaderView, words: Words
) -> tuple[np.ndarray[Any, Any], list[str], list[str]]:
    """The class of each unit (-1: cannot be told), the colours and the words of the classes."""
    change = view.units["change"].to_numpy(dtype=float)
    verdict = view.units["verdict"].astype(str).to_numpy()
    side = np.searchsorted(CHANGE_EDGES, np.nan_to_num(change, posinf=9.9), side="right")
    # Three classes below and three above stand around the middle one, which is no clear change.
    code = np.where(side >= 3, side + 1, side)
    code = np.where(verdict == "no_clear_change", 3, code)
    code = np.where(np.isin(verdict, ("rose", "fell", "no_clear_change")), code, -1)
    labels = [words(f"leader.map.change.{k}") for k in range(7)]
    return code.astype(np.int8), list(diverging("day", 7)), labels


def hot_classes(
    figures: LeaderFigures, words: Words
) -> tuple[pd.Series, list[str], dict[int, str]]:
    """The class of each hot or cold grid by `grid_id`, the colours, the words of the classes."""
    hot = figures.hot
    ramp = list(diverging("day", 7))
    emerging = hot["emerging"].fillna("").astype(str)
    now = hot["kind"].fillna("").astype(str)
    rising = emerging.isin(["new", "intensifying", "consecutive"])
    code = pd.Series(
        np.select([rising, now == "hot", now == "cold"], [0, 1, 2], default=-1), index=hot.index
    )
    labels = {0: "rising", 1: "hot", 2: "cold"}
    return (
        code[code >= 0].astype(np.int8),
        [ramp[6], ramp[5], ramp[0]],
        {k: words(f"leader.map.hot.{name}") for k, name in labels.items()},
    )


def change_map(figures: LeaderFigures, snapshot: Snapshot, words: Words) -> dict[str, Any]:
    """Units by their change: three classes down, no clear change, three up; hatched if unknown."""
    view = figures.view
    units = view.units
    code, ramp, labels = change_classes(view, words)
    change = units["change"].to_numpy(dtype=float)
    verdict = units["verdict"].astype(str).to_numpy()
    lines = [(ramp[k], labels[k], int((code == k).sum())) for k in range(6, -1, -1)]
    lines.append(("", words("leader.map.change.none"), int((code < 0).sum())))
    return {
        "spec": _spec(snapshot, view.level, units.index, code, change * 100, ramp, words,
                      "leader.map.change.figure"),
        "title": words("leader.map.change.title", level=level_word(view.level, words)),
        "legend": str(_legend(lines, words("leader.map.change.legend"))),
        "note": words(
            "leader.map.change.note",
            rose=int((verdict == "rose").sum()), fell=int((verdict == "fell").sum()),
            same=int((verdict == "no_clear_change").sum()),
            few=int(np.isin(verdict, ("too_few", "unknown")).sum()),
        ),
    }  # fmt: skip


def hot_map(figures: LeaderFigures, snapshot: Snapshot, words: Words) -> dict[str, Any]:
    """Grids that are hot or cold in the period, and those that are becoming it."""
    hot = figures.hot
    code, palette, labels = hot_classes(figures, words)
    emerging = hot["emerging"].fillna("").astype(str)
    lines = [(palette[k], labels[k], int((code == k).sum())) for k in sorted(labels)]
    counts = emerging.value_counts()
    told = [
        words("leader.map.hot.kind", kind=words(f"leader.hot.{kind}"), n=int(counts[kind]))
        for kind in HOT_KINDS
        if kind in counts.index
    ]
    unknown = "now_without_records" in figures.view.comparison.notes
    short = "short." if hot["emerging"].isna().all() else ""
    note = words(
        "leader.map.hot.unknown" if unknown
        else f"leader.map.hot.{short}note" if len(code) else "leader.map.hot.nothing",
        n=int((hot["kind"] == "hot").sum()),
        kinds=words("leader.comma").join(told) or words("none"),
    )  # fmt: skip
    return {
        "spec": _spec(snapshot, "grid", code.index, code.to_numpy(),
                      hot["value"].reindex(code.index).to_numpy(dtype=float), palette, words,
                      "leader.map.hot.figure"),
        "title": words("leader.map.hot.title"),
        "legend": str(_legend(lines, words("leader.map.hot.legend"))),
        "note": note,
    }  # fmt: skip


def _spec(
    snapshot: Snapshot,
    level: str,
    codes: pd.Index,
    classes: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
    palette: list[str],
    words: Words,
    figure: str,
) -> dict[str, Any]:
    """A shade as the map of a page takes it (`map_spec.build_shade`)."""
    position = {code: row for row, code in enumerate(unit_codes(snapshot, level))}
    known = np.array([str(code) in position for code in codes], dtype=bool)
    rows = np.array([position[str(code)] for code in codes[known]], dtype=np.int32)
    finite = np.clip(np.nan_to_num(values[known], posinf=999.0), -999, 1e9)
    return {
        "level": level,
        "scope": None,
        "rows": typed(rows),
        "classes": typed(np.asarray(classes[known], dtype=np.int8)),
        "values": typed(np.round(finite, 1).astype(np.float32)),
        "palette": palette,
        "labels": None,
        "unit": words(f"{figure}.unit"),
        "figure": words(figure),
    }


def _legend(lines: list[tuple[str, str, int]], title: str) -> Markup:
    rows = [
        h("li",
          h("i", class_="swatch" if colour else "swatch swatch-hatch",
            data_colour=colour or None),
          h("span", text, class_="legend-label"), h("span", f"{count:,}", class_="quiet"))
        for colour, text, count in lines
    ]  # fmt: skip
    return h("div", h("div", h("span", title, class_="legend-title"), class_="legend-head"),
             h("ul", rows, class_="legend-classes"))  # fmt: skip
