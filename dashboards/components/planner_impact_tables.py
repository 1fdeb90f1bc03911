"""The tables of a plan's page: grids, households, workers, compounds, assets, cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboards.components.planner_impact_json import SCHOOLS, class_changes, worker_text
from dashboards.plan_impact import Told
from dashboards.words import Words
from geo.impact import SUMS, find_compounds, find_moved_things
from layers.plan_page import PageTable

MOST_ROWS = 400
"""Rows of one table on the page; the workbook has all."""


def impact_tables(told: Told, words: Words) -> list[PageTable]:
    """All tables of the page, in order."""
    return [
        _grid_table(told, words),
        _flow_table(told, words),
        _worker_table(told, words),
        _compound_table(told, words),
        _thing_table(told, "assets", words),
        _thing_table(told, "cases", words),
    ]


def _signed(value: float, words: Words, digits: int = 0) -> str:
    if not np.isfinite(value):
        return words("none")
    text = words.number(abs(value), digits)
    return f"+{text}" if value > 0 else f"−{text}" if value < 0 else text


_SHOWN = (("households", 0), ("incidents", 0), ("assets", 0), ("street_m", 0), ("patrol_m", 0),
          ("workload", 0))  # fmt: skip


def _grid_table(told: Told, words: Words) -> PageTable:
    """Changed grids, the largest change first, and the sums of all changes."""
    impact = told.impact
    rows = impact.grids[impact.grids["status"] != "same"]
    rows = rows.assign(size=rows["came"] + rows["left"]).sort_values(
        ["size", "name"], ascending=[False, True], kind="stable"
    )
    heads = [words("planimpact.head.grid"), words("planimpact.head.status"),
             words("planimpact.head.band")]  # fmt: skip
    for name, _ in _SHOWN:
        heads += [words(f"planimpact.head.{name}"), words("planimpact.head.change")]
    heads += [words("planimpact.head.compactness"), words("planimpact.head.seen_share")]
    lines, keys = [], []
    for one in rows.head(MOST_ROWS).to_dict("records"):
        ended = one["status"] == "ended"
        band = one["band_before"] if ended else one["band"]
        line = [str(one["name"]), words(f"planimpact.change.{one['status']}"),
                words(f"planimpact.status.{band}")]  # fmt: skip
        for name, digits in _SHOWN:
            line.append(
                f"{words.number(one[f'{name}_before'], digits)} → {words.number(one[name], digits)}"
            )
            line.append(_signed(one[f"{name}_change"], words, digits))
        line += [_pair(one, "compactness", words), _share_pair(one, words)]
        lines.append(line)
        keys.append(f"b:{one['was']}" if ended else f"n:{one['grid_id']}")
    totals = impact.totals()
    foot = [words("planimpact.sum.all"), "", ""]
    for name, digits in _SHOWN:
        change = totals[name] if name in SUMS else impact.grids[f"{name}_change"].sum().round(6)
        foot += ["", _signed(float(change), words, digits)]
    return PageTable(
        words("planimpact.table.grids"),
        _note(len(rows), words),
        heads,
        ["text", "text", "text"] + ["number"] * (len(heads) - 3),
        lines,
        keys,
        [*foot, "", ""],
        words("planimpact.empty"),
    )


def _pair(one: dict[str, Any], name: str, words: Words) -> str:
    return f"{words.number(one[f'{name}_before'], 2)} → {words.number(one[name], 2)}"


def _share_pair(one: dict[str, Any], words: Words) -> str:
    told = [
        words("none") if not np.isfinite(value) else f"{value:.0%}"
        for value in (one["seen_share_before"], one["seen_share"])
    ]
    return " → ".join(told)


def _note(count: int, words: Words) -> str:
    if count <= MOST_ROWS:
        return words("planimpact.rows", n=words.number(count))
    return words("planimpact.rows.cut", n=words.number(count), shown=words.number(MOST_ROWS))


def _flow_table(told: Told, words: Words) -> PageTable:
    flows, nobody = told.handover.flows, words("planimpact.nobody")
    lines = [
        [
            one["from_name"], worker_text(one["from_worker"], told.names, nobody),
            one["to_name"], worker_text(one["to_worker"], told.names, nobody),
            words.number(one["households"]), words.number(one["population"]),
            words.number(one["blocks"]),
            words("planimpact.yes" if one["is_other"] else "planimpact.no"),
        ]
        for one in flows.head(MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    heads = [words(f"planimpact.head.{name}") for name in (
        "from", "from_worker", "to", "to_worker", "households", "population", "blocks", "is_other",
    )]  # fmt: skip
    return PageTable(
        words("planimpact.table.flows"), _note(len(flows), words), heads,
        ["text"] * 4 + ["number"] * 3 + ["text"], lines,
        empty=words("planimpact.empty"),
    )  # fmt: skip


def _worker_table(told: Told, words: Words) -> PageTable:
    workers, nobody = told.handover.workers, words("planimpact.nobody")
    lines = []
    for worker_id, one in zip(workers.index, workers.to_dict("records"), strict=True):
        line = [worker_text(worker_id, told.names, nobody),
                f"{one['grids_before']} → {one['grids']}"]  # fmt: skip
        for name in ("households", "incidents", "assets", "patrol_m"):
            line.append(f"{words.number(one[f'{name}_before'])} → {words.number(one[name])}")
            line.append(_signed(one[f"{name}_change"], words))
        lines.append(line)
    heads = [words("planimpact.head.worker"), words("planimpact.head.grids")]
    for name in ("households", "incidents", "assets", "patrol_m"):
        heads += [words(f"planimpact.head.{name}"), words("planimpact.head.change")]
    return PageTable(
        words("planimpact.table.workers"), _note(len(workers), words), heads,
        ["text"] + ["number"] * 9, lines[:MOST_ROWS],
        empty=words("planimpact.empty"),
    )  # fmt: skip


def _compound_table(told: Told, words: Words) -> PageTable:
    found = find_compounds(told.impact)
    lines = [
        [
            one["compound"], words(f"planimpact.compound.{one['change']}"),
            one["from_names"], one["to_names"],
            words.number(one["households"]), words.number(one["moved"]),
        ]
        for one in found.to_dict("records")
    ]  # fmt: skip
    places = find_moved_things(told.impact, "places")
    schools = places[places["kind"].isin(SCHOOLS)]
    lines = [
        [str(one["name"]), words(f"planimpact.place.{one['change']}"), one["from_name"],
         one["to_name"], "", ""]
        for one in schools.drop(columns="geometry").to_dict("records")
    ] + lines  # fmt: skip
    heads = [words(f"planimpact.head.{name}") for name in (
        "compound", "status", "from", "to", "households", "moved",
    )]  # fmt: skip
    return PageTable(
        words("planimpact.table.compounds"), _note(len(lines), words), heads,
        ["text"] * 4 + ["number"] * 2, lines[:MOST_ROWS],
        empty=words("planimpact.empty"),
    )  # fmt: skip


def _thing_table(told: Told, name: str, words: Words) -> PageTable:
    """Assets by class, or open cases one by one."""
    if name == "assets":
        counts = class_changes(find_moved_things(told.impact, "assets"), words)
        lines = [[one["code"], one["name"], words.number(one["count"])] for one in counts]
        heads = [words("planimpact.head.code"), words("planimpact.head.class"),
                 words("planimpact.head.count")]  # fmt: skip
        return PageTable(
            words("planimpact.table.assets"), words("planimpact.table.assets.note"), heads,
            ["text", "text", "number"], lines, empty=words("planimpact.empty"),
        )  # fmt: skip
    moved = find_moved_things(told.impact, "cases")
    frame = moved.drop(columns="geometry").reindex(
        columns=["category", "address", "from_name", "to_name"]
    )
    lines = [
        [str(case_id), *("" if pd.isna(value) else str(value) for value in row)]
        for case_id, row in zip(frame.index, frame.to_numpy(object), strict=True)
    ]
    heads = [words(f"planimpact.head.{name}") for name in ("case", "class", "address", "from",
                                                           "to")]  # fmt: skip
    return PageTable(
        words("planimpact.table.cases"), _note(len(lines), words), heads, ["text"] * 5,
        lines[:MOST_ROWS], empty=words("planimpact.empty"),
    )  # fmt: skip
