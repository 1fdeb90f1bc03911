"""The shift board as sheets of `geo.io.shift_book`: what stands on the page, with its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboards.components.shift_evidence import reason_sentence
from dashboards.components.shift_rows import (
    border_note,
    day_notes,
    levels_of,
    month_counts,
    month_cube,
    month_units,
    people_of,
    schedule_note,
    shift_columns,
    units_of,
)
from dashboards.shift_days import ShiftDay
from dashboards.store import Store
from dashboards.words import Words
from geo.io.shift_book import Column, Sheet
from geo.rounds import STATUSES
from geo.shifts import COUNTS, ENDED, add_shares, count_shifts, sum_counts

MOST_COUNT_ROWS = 10_000
"""A month of more units and days has the shares and sums alone: openpyxl takes about a second for
ten thousand cells, and nobody reads so many rows. The level above has them."""

TINTS = {
    "done": "DDF1E8", "partly": "FBE9CF", "missed": "F9D9E0", "unknown": "E3E6EB",
    "vacant": "F1EDF7",
}  # fmt: skip
"""Light grounds of the states on paper; the word stands in the cell."""


@dataclass(frozen=True)
class BoardChoice:
    """What of a day was chosen on the page."""

    unit: str = ""
    statuses: frozenset[str] = frozenset()
    text: str = ""


def read_choice(query: Mapping[str, str]) -> BoardChoice:
    """The choice of an address; what cannot be understood is left out."""
    asked = query.get("status", "").split(",")
    return BoardChoice(
        query.get("unit", ""),
        frozenset(name for name in asked if name in STATUSES),
        query.get("q", "").strip().lower(),
    )


def chosen_grids(store: Store, board: ShiftDay, choice: BoardChoice) -> list[str]:
    """Ids of the grids that a choice shows, in the order of the city; as the page filters them."""
    city = board.city
    wanted = pd.Series(True, index=[str(k) for k in city.grids.index])
    if choice.unit:
        inside = np.asarray(wanted.index == choice.unit)
        for level in levels_of(city):
            inside = inside | (units_of(city, level) == choice.unit).to_numpy(dtype=bool)
        wanted &= inside
    if choice.statuses and len(board.rounds):
        has = board.rounds["status"].isin(choice.statuses)
        wanted &= wanted.index.isin(board.rounds.loc[has, "grid_id"])
    if choice.text:
        people = people_of(store)
        hay = [
            " ".join([k, name, *people.get(k, [])]).lower()
            for k, name in zip(wanted.index, city.names, strict=True)
        ]
        wanted &= np.array([all(part in h for part in choice.text.split()) for h in hay])
    return [str(k) for k in wanted.index[wanted.to_numpy(dtype=bool)]]


def day_sheets(store: Store, board: ShiftDay, choice: BoardChoice, words: Words) -> list[Sheet]:
    """Grids by shift, the single rounds with their reasons, and the sums of each level."""
    chosen = chosen_grids(store, board, choice)
    rounds = board.rounds[board.rounds["grid_id"].isin(chosen)]
    notes = [words("board.file.of", day=board.day.isoformat()), *day_notes(store, board, words)]
    if len(chosen) < len(board.city.grids):
        told = words.number(len(chosen)), words.number(len(board.city.grids))
        notes.append(words("board.file.filtered", n=told[0], total=told[1]))
    sheets = [_grids_sheet(store, board, rounds, chosen, notes, words)]
    sheets.append(_rounds_sheet(store, board, rounds, notes, words))
    for level in levels_of(board.city):
        sheets.append(_level_sheet(board, rounds, level, notes, words))
    return sheets


def _legend(words: Words) -> list[str]:
    return [
        words("board.legend.sum"),
        *(
            words(
                "board.legend.line",
                word=words(f"board.status.{name}"),
                text=words(f"board.legend.{name}"),
            )
            for name in STATUSES
        ),
    ]


def _count_columns(words: Words) -> list[Column]:
    """The counts with their unit, and the two shares."""
    unit = words("board.unit.rounds")
    found = [
        Column(name, f"{words(f'board.count.{name}')} ({unit})", "count", 10) for name in COUNTS
    ]
    return [
        *found,
        Column("done_share", words("board.share.done"), "share", 12),
        Column("unknown_share", words("board.share.unknown"), "share", 12),
    ]


def _with_shares(counts: pd.DataFrame) -> pd.DataFrame:
    return add_shares(counts)[[*COUNTS, "done_share", "unknown_share"]]


def _total(counts: pd.DataFrame, words: Words, key: str) -> dict[str, Any]:
    summed = sum_counts(counts).to_frame().T
    row = _with_shares(summed).iloc[0].to_dict()
    whole = {name: int(row[name]) for name in COUNTS}
    return {key: words("board.total"), **row, **whole}


def _place_columns(board: ShiftDay, words: Words) -> list[Column]:
    """The divisions above a grid, the grid and its number."""
    levels = [
        Column(level, words(f"board.level.{level}"), "text", 14) for level in levels_of(board.city)
    ]
    return [
        Column("name", words("board.level.grid"), "text", 22),
        Column("grid_id", words("board.grid.id"), "text", 20),
        *levels,
    ]


def _places(board: ShiftDay, grid_ids: list[str]) -> pd.DataFrame:
    """Name, number and divisions of grids, in their order."""
    city = board.city
    rows = [city.position[k] for k in grid_ids]
    found = pd.DataFrame({"grid_id": grid_ids, "name": [city.names[k] for k in rows]})
    for level in levels_of(city):
        names = city.places[level].astype(object) if level in city.places else None
        found[level] = None if names is None else names.to_numpy()[rows]
    return found.astype(object)


def _grids_sheet(
    store: Store,
    board: ShiftDay,
    rounds: pd.DataFrame,
    chosen: list[str],
    notes: list[str],
    words: Words,
) -> Sheet:
    columns = shift_columns(board.rounds, store)
    counts = count_shifts(rounds).reindex(chosen).fillna(0).astype(np.int64)
    people = people_of(store)
    table = _places(board, chosen)
    table["people"] = [words("board.comma").join(people.get(k, [])) for k in chosen]
    heads = []
    for k, column in enumerate(columns):
        mine = (rounds["shift"] == column.shift) & (rounds["role"] == column.role)
        status = rounds[mine].set_index("grid_id")["status"]
        told = status.map(lambda s: words(f"board.status.{s}")).reindex(chosen)
        table[f"shift{k}"] = told.astype(object).to_numpy()
        head = f"{column.label(words)} {column.hours}".strip()
        heads.append(Column(f"shift{k}", head, "text", 14))
    shares = _with_shares(counts).reset_index(drop=True)
    table = pd.concat([table, shares], axis=1)
    return Sheet(
        title=words("board.file.day"),
        notes=notes,
        columns=[
            *_place_columns(board, words),
            Column("people", words("board.people"), "text", 16),
            *heads,
            *_count_columns(words),
        ],
        rows=table,
        total=_total(counts, words, "name"),
        legend=_legend(words),
        tints={words(f"board.status.{name}"): TINTS[name] for name in ENDED},
    )


def _rounds_sheet(
    store: Store, board: ShiftDay, rounds: pd.DataFrame, notes: list[str], words: Words
) -> Sheet:
    """One row a round with minutes and the reason in words."""
    labels = {(c.shift, c.role): c.label(words) for c in shift_columns(board.rounds, store)}
    table = _places(board, [str(k) for k in rounds["grid_id"]])
    local = {
        name: rounds[name].dt.tz_convert(store.zone).dt.tz_localize(None).to_numpy()
        for name in ("start", "end", "first_fix", "last_fix")
        if name in rounds
    }
    records = rounds.to_dict("records")
    table = table.assign(
        shift=[labels[(r["shift"], r["role"])] for r in records],
        status=[words(f"board.status.{r['status']}") for r in records],
        reason=[reason_sentence(r, words) for r in records],
        **local,
    )
    numbers = ("here_min", "away_min", "unknown_min", "need_min")
    places = ("places", "visited", "probable", "not_visited", "places_unknown")
    for name in (*numbers, *places, "fixes"):
        table[name] = [int(r[name]) for r in records]
    columns = [
        *_place_columns(board, words),
        Column("shift", words("board.shift"), "text", 12),
        Column("start", words("board.start"), "time", 17),
        Column("end", words("board.end"), "time", 17),
        Column("status", words("board.status"), "text", 10),
        Column("reason", words("board.reason"), "text", 48),
        *(Column(name, words(f"board.column.{name}"), "minutes", 10) for name in numbers),
        *(Column(name, words(f"board.column.{name}"), "count", 10) for name in places),
        Column("fixes", words("board.column.fixes"), "count", 10),
        Column("first_fix", words("board.column.first_fix"), "time", 17),
        Column("last_fix", words("board.column.last_fix"), "time", 17),
    ]
    return Sheet(
        title=words("board.file.rounds"),
        notes=notes,
        columns=columns,
        rows=table,
        legend=_legend(words),
        tints={words(f"board.status.{name}"): TINTS[name] for name in ENDED},
    )


def _level_sheet(
    board: ShiftDay, rounds: pd.DataFrame, level: str, notes: list[str], words: Words
) -> Sheet:
    counts = count_shifts(rounds, ["unit"], units=units_of(board.city, level))
    names = board.city.units(level)["name"]
    codes = [str(code) for code in counts.index]
    table = _with_shares(counts).reset_index(drop=True)
    table.insert(0, "code", codes)
    table.insert(0, "name", [str(names.get(k, "")) or words("board.nounit") for k in codes])
    return Sheet(
        title=words(f"board.level.{level}"),
        notes=notes,
        columns=[
            Column("name", words(f"board.level.{level}"), "text", 20),
            Column("code", words("board.code"), "text", 16),
            *_count_columns(words),
        ],
        rows=table,
        total=_total(counts, words, "name"),
        legend=_legend(words),
    )


def month_sheets(
    store: Store,
    days: dict[date, ShiftDay | None],
    empty: set[date],
    level: str,
    words: Words,
) -> list[Sheet]:
    """The share done by unit and day, and the counts that it comes from."""
    city = store.snapshot().city
    counts = month_counts(days, level)
    codes, names = month_units(city, level, counts)
    dates = list(days)
    cube = month_cube(counts, codes, [day.isoformat() for day in dates])
    named = [name or words("board.nounit") for name in names]
    notes = [
        words("board.file.month.of", month=f"{dates[0]:%Y-%m}"),
        border_note(city, store, words),
        words("board.note.borders.month"),
        schedule_note(store, words),
        words("board.note.at", at=f"{store.clock().astimezone(store.zone):%Y-%m-%d %H:%M:%S}"),
    ]
    if empty:
        told = words("board.comma").join(str(day.day) for day in dates if day in empty)
        notes.append(words("board.note.empty", days=told))
    head = [
        Column("name", words(f"board.level.{level}"), "text", 26),
        Column("code", words("board.code"), "text", 18),
    ]
    whole = pd.DataFrame(cube.sum(axis=1), columns=list(COUNTS))
    sums = _with_shares(whole)
    table = pd.DataFrame({"name": named, "code": codes})
    total = _total(whole, words, "name")
    heads = []
    for k, day in enumerate(dates):
        of_day = add_shares(pd.DataFrame(cube[:, k, :], columns=list(COUNTS)))
        table[f"d{k}"] = of_day["done_share"].to_numpy()
        all_day = add_shares(pd.DataFrame(cube[:, k, :].sum(axis=0)[None], columns=list(COUNTS)))
        share = float(all_day["done_share"].iloc[0])
        total[f"d{k}"] = None if np.isnan(share) else share
        heads.append(Column(f"d{k}", f"{day.day} {words.weekday(day.weekday())}", "share", 7))
    table = pd.concat([table, sums], axis=1)
    first = Sheet(
        title=words("board.file.month"),
        notes=[words("board.file.share"), *notes],
        columns=[*head, *heads, *_count_columns(words)],
        rows=table,
        total=total,
        legend=_legend(words),
    )
    if np.count_nonzero(cube.sum(axis=2)) > MOST_COUNT_ROWS:
        return [first]
    return [first, _month_counts_sheet(cube, named, codes, dates, head, notes, words)]


def _month_counts_sheet(
    cube: np.ndarray,
    names: list[str],
    codes: list[str],
    dates: list[date],
    head: list[Column],
    notes: list[str],
    words: Words,
) -> Sheet:
    """One row a unit and day on which rounds were required."""
    row, column = np.nonzero(cube.sum(axis=2))
    counts = pd.DataFrame(cube[row, column], columns=list(COUNTS))
    table = _with_shares(counts)
    table.insert(0, "day", [dates[k].isoformat() for k in column])
    table.insert(0, "code", [codes[k] for k in row])
    table.insert(0, "name", [names[k] for k in row])
    return Sheet(
        title=words("board.file.counts"),
        notes=notes,
        columns=[*head, Column("day", words("board.day"), "text", 12), *_count_columns(words)],
        rows=table,
        total=_total(counts, words, "name"),
        legend=_legend(words),
    )
