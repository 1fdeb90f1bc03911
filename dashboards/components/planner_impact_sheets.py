"""The sheets of a plan's workbook: grids, moved blocks, workers, assets, cases, what each means."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dashboards.components.planner_impact_json import class_text, worker_text
from dashboards.plan_impact import Told
from dashboards.words import Words
from geo.impact import count_classes, find_compounds, find_moved_things
from geo.io.plan_report import Kind, ReportColumn, ReportSheet, Total

TINTS = {"low": "E9E0F4", "high": "FBE9CF"}

_WHOLE: tuple[tuple[str, Kind], ...] = (
    ("households", "count"), ("population", "count"), ("area_m2", "count"), ("street_m", "metres"),
    ("patrol_m", "metres"), ("incidents", "count"), ("assets", "count"),
)  # fmt: skip
_OTHER: tuple[tuple[str, Kind], ...] = (
    ("compactness", "decimal"), ("seen_share", "share"), ("workload", "metres"),
    ("off_band", "change"),
)  # fmt: skip
_PLACES = ("from_grid", "from_name", "to_grid", "to_name")


def impact_sheets(told: Told, notes: Sequence[str], words: Words) -> list[ReportSheet]:
    """All sheets; `notes` stand above each table."""
    return [
        _grids(told, notes, words),
        _blocks(told, notes, words),
        _workers(told, notes, words),
        _flows(told, notes, words),
        _assets(told, notes, words),
        _classes(told, notes, words),
        _cases(told, notes, words),
        _compounds(told, notes, words),
    ]


def _column(
    words: Words, key: str, kind: Kind = "text", width: float = 12, total: Total = "",
    name: str = "", formula: str = "",
) -> ReportColumn:  # fmt: skip
    heading = words(f"planimpact.sheet.{name or key}")
    return ReportColumn(key, heading, kind, width, formula, total)


def _three(words: Words, name: str, kind: Kind, *, total: bool) -> list[ReportColumn]:
    """Before, now, and the change as a formula."""
    head = words(f"planimpact.sheet.{name}")
    end: Total = "sum" if total else ""
    change: Kind = "change" if kind == "count" else kind
    return [
        ReportColumn(
            f"{name}_before", words("planimpact.sheet.before", name=head), kind, 12, "", end
        ),
        ReportColumn(name, words("planimpact.sheet.now", name=head), kind, 12, "", end),
        ReportColumn(
            f"{name}_change", words("planimpact.sheet.change", name=head), change, 12,
            f"{{{name}}}-{{{name}_before}}", end,
        ),
    ]  # fmt: skip


def _grids(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    rows = told.impact.grids.copy()
    rows["size"] = rows["came"] + rows["left"]
    rows = rows.sort_values(["size", "name"], ascending=[False, True], kind="stable")
    rows["status"] = [words(f"planimpact.change.{name}") for name in rows["status"]]
    for name in ("band", "band_before"):
        rows[name] = [
            None if pd.isna(text) else words(f"planimpact.status.{text}") for text in rows[name]
        ]
    columns = [
        _column(words, "name", width=24),
        _column(words, "grid_id", width=20),
        _column(words, "was", width=20),
        _column(words, "status", width=10),
        _column(words, "band_before", width=12),
        _column(words, "band", width=12),
        _column(words, "came", "count", 10, "sum"),
        _column(words, "left", "count", 10, "sum"),
    ]
    for name, kind in _WHOLE:
        columns += _three(words, name, kind, total=True)
    for name, kind in _OTHER:
        columns += [
            ReportColumn(
                f"{name}_before",
                words("planimpact.sheet.before", name=words(f"planimpact.sheet.{name}")),
                kind,
            ),
            ReportColumn(
                name, words("planimpact.sheet.now", name=words(f"planimpact.sheet.{name}")), kind
            ),
        ]
    tints = {words(f"planimpact.status.{name}"): colour for name, colour in TINTS.items()}
    return ReportSheet(
        words("planimpact.sheets.grids"), [*notes, words("planimpact.sheets.sum")], columns, rows,
        words("planimpact.sum.all"), 1, tints,
    )  # fmt: skip


def _blocks(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    rows = told.impact.blocks.reset_index()
    columns = [
        _column(words, "block_id", width=24, total=""),
        _column(words, "origin", width=24),
        *(_column(words, name, width=22) for name in _PLACES),
        *(_column(words, name, kind, 12, "sum") for name, kind in _WHOLE),
    ]
    return ReportSheet(
        words("planimpact.sheets.blocks"), notes, columns, rows, words("planimpact.sum")
    )


def _workers(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    rows = told.handover.workers.reset_index()
    nobody = words("planimpact.nobody")
    rows.insert(0, "worker", [worker_text(k, told.names, nobody) for k in rows["worker_id"]])
    columns = [_column(words, "worker", width=20), _column(words, "worker_id", width=16)]
    columns += _three(words, "grids", "count", total=True)
    for name, kind in [part for part in _WHOLE if part[0] != "area_m2"]:
        columns += _three(words, name, kind, total=True)
    return ReportSheet(
        words("planimpact.sheets.workers"), notes, columns, rows, words("planimpact.sum")
    )


def _flows(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    rows = told.handover.flows.copy()
    nobody = words("planimpact.nobody")
    for side in ("from", "to"):
        rows[f"{side}_worker"] = [
            worker_text(k, told.names, nobody) for k in rows[f"{side}_worker"]
        ]
    rows["is_other"] = [
        words("planimpact.yes" if one else "planimpact.no") for one in rows["is_other"]
    ]
    columns = [
        _column(words, "from_name", width=24),
        _column(words, "from_worker", width=16),
        _column(words, "to_name", width=24),
        _column(words, "to_worker", width=16),
        _column(words, "is_other", width=14),
        _column(words, "blocks", "count", 10, "sum"),
        *(
            _column(words, name, "count", 10, "sum")
            for name in ("households", "population", "incidents", "assets")
        ),
    ]
    return ReportSheet(
        words("planimpact.sheets.flows"), notes, columns, rows, words("planimpact.sum")
    )


def _assets(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    moved = find_moved_things(told.impact, "assets")
    rows = pd.DataFrame(moved.drop(columns="geometry")).rename_axis("asset_id").reset_index()
    texts = {code: class_text(code, words) for code in rows["class_code"].astype(str).unique()}
    rows["class"] = rows["class_code"].astype(str).map(texts)
    columns = [
        _column(words, "asset_id", width=22, total="count"),
        _column(words, "class_code", width=10),
        _column(words, "class", width=18),
        _column(words, "name", width=24, name="thing"),
        *(_column(words, name, width=22) for name in _PLACES),
    ]
    return ReportSheet(
        words("planimpact.sheets.assets"), notes, columns, rows, words("planimpact.count")
    )


def _classes(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    """Assets by class of the grids that change."""
    impact = told.impact
    mine = impact.grids[impact.grids["status"] != "same"]
    now, then = count_classes(impact), count_classes(impact, before=True)
    lines = []
    for one in mine.to_dict("records"):
        for code in now.columns:
            a = 0 if pd.isna(one["was"]) else int(then.loc[one["was"], code])
            b = 0 if pd.isna(one["grid_id"]) else int(now.loc[one["grid_id"], code])
            if a != b:
                lines.append((one["name"], code, class_text(str(code), words), a, b))
    names = ["name", "class_code", "class", "assets_before", "assets"]
    rows = pd.DataFrame(lines, columns=names)
    columns = [
        _column(words, "name", width=24),
        _column(words, "class_code", width=10),
        _column(words, "class", width=18),
        *_three(words, "assets", "count", total=True),
    ]
    return ReportSheet(
        words("planimpact.sheets.classes"), notes, columns, rows, words("planimpact.sum")
    )


def _cases(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    moved = find_moved_things(told.impact, "cases")
    rows = pd.DataFrame(moved.drop(columns="geometry"))
    rows = rows.reindex(columns=["class_code", "category", "description", "address", *_PLACES])
    rows = rows.rename_axis("incident_id").reset_index()
    columns = [
        _column(words, "incident_id", width=18, total="count"),
        _column(words, "class_code", width=10),
        _column(words, "category", width=18),
        _column(words, "description", width=36),
        _column(words, "address", width=36),
        *(_column(words, name, width=22) for name in _PLACES),
    ]
    return ReportSheet(
        words("planimpact.sheets.cases"), notes, columns, rows, words("planimpact.count")
    )


def _compounds(told: Told, notes: Sequence[str], words: Words) -> ReportSheet:
    """Compounds and, above them, schools and other places."""
    found = find_compounds(told.impact)
    found = found.assign(kind=words("planimpact.sheets.compound"))
    found["change"] = [words(f"planimpact.compound.{name}") for name in found["change"]]
    places = find_moved_things(told.impact, "places")
    lines = pd.DataFrame(
        {
            "compound": places["name"].astype(object).to_numpy(),
            "kind": [
                words(f"planimpact.place.{kind}") if words.has(f"planimpact.place.{kind}") else kind
                for kind in places["kind"].astype(str)
            ],
            "change": [words(f"planimpact.place.{name}") for name in places["change"]],
            "from_names": places["from_name"].astype(object).to_numpy(),
            "to_names": places["to_name"].astype(object).to_numpy(),
        }
    )
    rows = pd.DataFrame([*found.to_dict("records"), *lines.to_dict("records")])
    names = ["compound", "kind", "change", "from_names", "to_names", "households", "moved"]
    columns = [
        _column(words, "compound", width=24, total="count"),
        _column(words, "kind", width=14),
        _column(words, "change", width=14, name="compound_change"),
        _column(words, "from_names", width=32, name="from_name"),
        _column(words, "to_names", width=32, name="to_name"),
        _column(words, "households", "count", 12, "sum"),
        _column(words, "moved", "count", 12, "sum"),
    ]
    return ReportSheet(
        words("planimpact.sheets.compounds"), notes, columns, rows.reindex(columns=names),
        words("planimpact.sum"),
    )  # fmt: skip
