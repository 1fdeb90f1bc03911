"""The figures of a briefing for others: without those of small groups, and adding up all the same.

A file goes where no right reaches, so small groups are taken out of it (`geo.disclosure`).
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from dashboards.leader_desk import LeaderFigures
from geo.briefing import BriefItem
from geo.compare import NO_UNIT, Boundary
from geo.disclosure import HIDDEN, fold_small, hide_units
from geo.evaluate import Evaluation
from geo.hierarchy import ancestors
from geo.schema import LEVELS

OTHER = "(other)"
"""The row of a list by class that holds its small ones."""


def hide_small(figures: LeaderFigures, least: int) -> LeaderFigures:
    """The figures without small groups; see `geo.disclosure`.

    What lies outside or has no place goes with the units, and what is hidden under a division is
    kept from its total, which another report tells.
    """
    view = figures.view
    rows = hide_units(
        pd.concat([view.units, view.beside]), ("now", "then"), least, keep=("name", "rank"),
        parents=units_above(figures.boundary, view.level, view.units.index),
    )  # fmt: skip
    rows["rank"] = rows["rank"].mask(rows["verdict"] == HIDDEN)
    units, beside = rows.loc[view.units.index], rows.loc[view.beside.index, view.beside.columns]
    hidden = rows.index[rows["verdict"] == HIDDEN]
    trend = view.trend.copy()
    trend.loc[trend.index.isin(hidden)] = float("nan")
    brief = figures.briefing
    return replace(
        figures,
        view=replace(view, units=units, beside=beside, trend=trend),
        briefing=replace(
            brief,
            items=tuple(_without_small(item, least) for item in brief.items),
            better=tuple(_without_small(item, least) for item in brief.better),
        ),
        areas=_hidden_rates(figures.areas, least, hidden),
        departments=_hidden_rates(figures.departments, least),
        classes=fold_small(figures.classes, "reported", least, into=OTHER),
        hot=figures.hot.assign(value=float("nan")),
        spots=replace(figures.spots, table=_spots_without_small(figures.spots.table, least)),
    )


def units_above(boundary: Boundary, level: str, codes: pd.Index) -> pd.DataFrame | None:
    """The unit of each level above that each unit lies in; None where there is no level above."""
    divisions = boundary.divisions
    if divisions is None or level not in (*LEVELS, "grid"):
        return None
    levels = boundary.levels
    own = pd.Series(codes, index=codes, dtype=object)
    if level == "grid":
        own = boundary.grids["community_code"].set_axis(boundary.grids.index.astype(str))
        own = own.reindex(codes)
    found = {
        up: ancestors(divisions, up).reindex(own.to_numpy()).fillna(NO_UNIT).to_numpy(dtype=object)
        for up in levels[: levels.index(level)]
    }
    return pd.DataFrame(found, index=codes) if found else None


def _spots_without_small(table: pd.DataFrame, least: int) -> pd.DataFrame:
    """A black spot is a few houses: its small counts are left out, and it too where it is small."""
    kept = table[table["cases"] >= least]
    kinds = [tuple(one for one in found if one[1] >= least) for found in kept["classes"]]
    left = kept["open"].astype(float).mask((kept["open"] > 0) & (kept["open"] < least))
    return kept.assign(
        classes=pd.Series(kinds, index=kept.index, dtype=object), open=left, fids=None
    )


def _without_small(item: BriefItem, least: int) -> BriefItem:
    kinds = tuple(one for one in item.classes if one[1] >= least)
    return replace(item, classes=kinds, fids=())


def _hidden_rates(found: Evaluation, least: int, hidden: pd.Index | None = None) -> Evaluation:
    """Without small denominators, and without all of hidden units, whose cases they would tell."""
    table = found.table.copy()
    small = (table["denominator"] > 0) & (table["denominator"] < least)
    scores = found.scores
    if hidden is not None:
        small |= table.index.get_level_values("code").isin(hidden)
        gone = scores.index.isin(hidden)
        scores = scores.assign(
            score=scores["score"].mask(gone), points_known=scores["points_known"].mask(gone),
            rank=scores["rank"].mask(gone),
        )  # fmt: skip
    figures = [name for name in table.columns if name not in ("reason", "rank", "weight")]
    for name in figures:
        if pd.api.types.is_numeric_dtype(table[name]):
            table[name] = table[name].astype(float).mask(small)
    table["reason"] = table["reason"].astype(object).mask(small, HIDDEN)
    return replace(found, table=table, scores=scores)
