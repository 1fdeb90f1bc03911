"""The shift board as the browser takes it: a day of grids and shifts, a month of units and days.

Counts come from `geo.shifts`, level by level, so that the sums of a street are those of its grids.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from dashboards.city import City
from dashboards.shift_days import ShiftDay
from dashboards.store import Store
from dashboards.track_rights import role_of
from dashboards.words import Words
from geo.rounds import REASONS, STATUSES
from geo.shifts import COUNTS, NO_UNIT, count_shifts, share_people, sum_counts

LEVELS = ("district", "street", "community")
"""Divisions that rounds are counted for, the widest first; the whole city is the total."""

ALL_REASONS = ("", *REASONS)


@dataclass(frozen=True)
class ShiftColumn:
    """A shift of the day, and who owes it."""

    shift: str
    role: str
    hours: str
    """08:00–09:00; empty where grids have different hours."""

    def label(self, words: Words) -> str:
        """The heading, without the hours."""
        name = shift_word(self.shift, words)
        return f"{name} · {role_of(self.role, words)}" if self.role else name


def shift_word(shift: str, words: Words) -> str:
    """What a shift is called; the city's own name where the product has no word for it."""
    key = f"board.shift.{shift}"
    return words(key) if words.has(key) else shift


def shift_columns(rounds: pd.DataFrame, store: Store) -> list[ShiftColumn]:
    """The shifts of a day by their earliest begin."""
    if not len(rounds):
        return []
    found = []
    for (shift, role), rows in rounds.groupby(["shift", "role"], sort=False):
        starts, ends = rows["start"].unique(), rows["end"].unique()
        hours = ""
        if len(starts) == 1 and len(ends) == 1:
            hours = clock_span(starts[0], ends[0], store)
        found.append((rows["start"].min(), ShiftColumn(str(shift), str(role), hours)))
    return [column for _, column in sorted(found, key=lambda one: (one[0], one[1].shift))]


def clock_span(start: pd.Timestamp, end: pd.Timestamp, store: Store) -> str:
    """From and to on the city's clock."""
    return f"{start.tz_convert(store.zone):%H:%M}–{end.tz_convert(store.zone):%H:%M}"


def units_of(city: City, level: str) -> pd.Series:
    """The unit of a level that each grid lies in, by `grid_id`."""
    found = city.unit_of_grid(level).astype(object)
    return pd.Series(found.to_numpy(), index=[str(k) for k in city.grids.index], dtype=object)


def levels_of(city: City) -> tuple[str, ...]:
    """Those of LEVELS that the city has."""
    return tuple(level for level in LEVELS if level in city.levels)


def people_of(store: Store) -> dict[str, list[str]]:
    """Names of the workers posted to each grid, by its id."""
    people = store.snapshot().workers.people
    posts = people.dropna(subset=["unit_code"])
    found: dict[str, list[str]] = {}
    for unit, name in zip(posts["unit_code"].astype(str), posts["name"].astype(str), strict=True):
        found.setdefault(unit, []).append(name)
    return found


def day_json(store: Store, board: ShiftDay, words: Words) -> dict[str, Any]:
    """A day of the board: columns, a row a grid, and the counts of each level."""
    city, columns = board.city, shift_columns(board.rounds, store)
    return {
        "state": "ready",
        "day": board.day.isoformat(),
        "mark": board.mark,
        "at": f"{board.at.astimezone(store.zone):%H:%M:%S}",
        "live": not board.is_over,
        "columns": [{"label": c.label(words), "hours": c.hours} for c in columns],
        "rows": _rows(store, board, columns),
        "units": {level: unit_counts(board, level) for level in levels_of(city)},
        "parents": _parents(city),
        "total": [int(n) for n in sum_counts(count_shifts(board.rounds))],
        "notes": day_notes(store, board, words),
    }


def _rows(store: Store, board: ShiftDay, columns: list[ShiftColumn]) -> list[list[Any]]:
    """`[id, name, code of each level, people, cells]`, in the order of the city's grids."""
    city, rounds = board.city, board.rounds
    of_level = [units_of(city, level) for level in levels_of(city)]
    number = {(c.shift, c.role): k for k, c in enumerate(columns)}
    cells: dict[str, list[Any]] = {}
    names = [
        "grid_id", "shift", "role", "status", "reason", "here_min", "away_min", "unknown_min",
        "need_min", "visited", "places",
    ]  # fmt: skip
    for row in rounds[names].itertuples(index=False) if len(rounds) else ():
        line = cells.setdefault(row.grid_id, [None] * len(columns))
        line[number[(row.shift, row.role)]] = [
            STATUSES.index(row.status), ALL_REASONS.index(row.reason), int(row.here_min),
            int(row.away_min), int(row.unknown_min), round(float(row.need_min)), int(row.visited),
            int(row.places),
        ]  # fmt: skip
    people = people_of(store)
    return [
        [
            grid_id,
            name,
            [_text(codes.iloc[k]) for codes in of_level],
            people.get(grid_id, []),
            cells.get(grid_id, [None] * len(columns)),
        ]
        for k, (grid_id, name) in enumerate(
            zip(map(str, city.grids.index), city.names, strict=True)
        )
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else NO_UNIT


def unit_counts(board: ShiftDay, level: str) -> list[list[Any]]:
    """`[code, name, counts]` of each unit of a level, in the order of the divisions."""
    counts = count_shifts(board.rounds, ["unit"], units=units_of(board.city, level))
    return [[code, name, _row(counts, code)] for code, name in _named(board.city, level, counts)]


def _named(city: City, level: str, counts: pd.DataFrame) -> list[tuple[str, str]]:
    """Code and name of the units that have rounds; grids in no unit come last, without a name."""
    names = city.units(level)["name"]
    known = [(str(code), str(name)) for code, name in names.items() if code in counts.index]
    return [*known, *([(NO_UNIT, "")] if NO_UNIT in counts.index else [])]


def _row(counts: pd.DataFrame, label: Any) -> list[int]:
    return [int(value) for value in counts.loc[label, list(COUNTS)]]


def _parents(city: City) -> dict[str, str]:
    """The division above each, for filters that follow one another."""
    found: dict[str, str] = {}
    for level in levels_of(city):
        found |= {str(k): str(v) for k, v in city.units(level)["parent"].items()}
    return found


def day_notes(store: Store, board: ShiftDay, words: Words) -> list[str]:
    """What a reader must know: as of when, by which borders and which schedule."""
    notes = [border_note(board.city, store, words), schedule_note(store, words)]
    at = board.at.astimezone(store.zone)
    notes.append(words("board.note.at", at=f"{at:%Y-%m-%d %H:%M:%S}"))
    notes.append(words("board.note.posts"))
    if not board.has_fixes:
        notes.insert(0, words("board.note.nofixes"))
    return notes


def border_note(city: City, store: Store, words: Words) -> str:
    """The boundary version, and since when it holds."""
    if city.version is None:
        return words("board.note.noborders")
    since = city.since
    told = words("none") if since is None else f"{since.astimezone(store.zone):%Y-%m-%d}"
    return words(
        "board.note.borders", n=city.version, since=told, grids=words.number(len(city.grids))
    )


def schedule_note(store: Store, words: Words) -> str:
    """Whose schedule: the city's own file, or the one that comes with the product."""
    file = store.workspace.path / "rules" / "rounds.csv"
    if not file.is_file():
        return words("board.note.schedule.ours")
    changed = datetime.fromtimestamp(file.stat().st_mtime, tz=store.zone)
    return words("board.note.schedule.city", at=f"{changed:%Y-%m-%d %H:%M}")


def month_counts(days: dict[date, ShiftDay | None], level: str) -> pd.DataFrame:
    """Counts by unit and date of the days that are known, each by the borders of its day."""
    boards = [board for board in days.values() if board is not None and len(board.rounds)]
    # Counted once a day and level: a page asks again every second while the month grows.
    parts = [
        board.memo.get(("counts", level), lambda board=board: _count_day(board, level))  # type: ignore[misc]
        for board in boards
    ]
    names = ["code", "date", *COUNTS]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def _count_day(board: ShiftDay, level: str) -> pd.DataFrame:
    """Counts by `code` and `date` of one day."""
    if level == "grid":
        found, column = count_shifts(board.rounds, ["grid_id", "date"]), "grid_id"
    else:
        units = units_of(board.city, level)
        found, column = count_shifts(board.rounds, ["unit", "date"], units=units), "unit"
    return found.reset_index().rename(columns={column: "code"})


def month_json(
    store: Store, days: dict[date, ShiftDay | None], empty: set[date], level: str, words: Words
) -> dict[str, Any]:
    """A month: units by days with counts, their sums, and the sums of each day.

    `empty` are the days without any fix; nothing is said about them.
    """
    city = store.snapshot().city
    counts = month_counts(days, level)
    dates = [day.isoformat() for day in days]
    codes, names = month_units(city, level, counts)
    cube = month_cube(counts, codes, dates)
    return {
        "level": level,
        "days": [
            {
                "day": day.isoformat(),
                "number": day.day,
                "weekday": words.weekday(day.weekday()),
                "rest": day.weekday() >= 5,
                "empty": day in empty,
                "ready": board is not None,
                "live": board is not None and not board.is_over,
            }
            for day, board in days.items()
        ],
        "rows": [
            [code, name, cube[k].sum(axis=0).tolist(), cube[k].tolist()]
            for k, (code, name) in enumerate(zip(codes, names, strict=True))
        ],
        "total": [cube.sum(axis=(0, 1)).tolist(), cube.sum(axis=0).tolist()],
    }


def month_units(city: City, level: str, counts: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Codes and names of the rows of a month: today's units in order, then those of the past."""
    seen = set(counts["code"])
    if level == "grid":
        known = dict(zip(map(str, city.grids.index), city.place_names, strict=True))
    else:
        known = {str(k): str(v) for k, v in city.units(level)["name"].items()}
    codes = [code for code in known if code in seen]
    codes += sorted(code for code in seen if code not in known and code)
    codes += [NO_UNIT] if NO_UNIT in seen else []
    return codes, [known.get(code, code) for code in codes]


def month_cube(counts: pd.DataFrame, codes: list[str], dates: list[str]) -> np.ndarray:
    """Counts by unit, day and kind (COUNTS); zeros where there is nothing."""
    cube = np.zeros((len(codes), len(dates), len(COUNTS)), dtype=np.int64)
    if len(counts):
        row = pd.Index(codes, dtype=object).get_indexer(counts["code"].astype(object))
        column = pd.Index(dates, dtype=object).get_indexer(counts["date"].astype(object))
        np.add.at(cube, (row, column), counts[list(COUNTS)].to_numpy(dtype=np.int64))
    return cube


def people_json(
    store: Store, days: dict[date, ShiftDay | None], words: Words
) -> list[dict[str, Any]]:
    """People of a month by shares alone, in the order of grids; few rounds make no share."""
    parts = [b.rounds[["grid_id", "status"]] for b in days.values() if b and len(b.rounds)]
    if not parts:
        return []
    people = store.snapshot().workers.people
    posts = people["unit_code"].dropna()
    city = store.snapshot().city
    posts = posts[posts.astype(str).isin(list(city.position))]
    shares = share_people(pd.concat(parts, ignore_index=True), posts)
    return [
        {
            "id": str(worker),
            "name": str(people.at[worker, "name"]),
            "grid": city.place_names[city.position[row.grid_id]],
            "role": role_of(str(people.at[worker, "role"]), words),
            "done": None if np.isnan(row.done_share) else round(row.done_share, 4),
            "unknown": None if np.isnan(row.unknown_share) else round(row.unknown_share, 4),
            "few": bool(row.is_few),
        }
        for worker, row in zip(shares.index, shares.itertuples(index=False), strict=True)
    ]
