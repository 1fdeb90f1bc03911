"""What stands behind one grid's rounds of a day: minutes, people, places, and the reason in words.

Without the right to see tracks there are minutes and reasons; who, when and where stay away.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboards.components.shift_rows import clock_span, shift_columns
from dashboards.shift_days import ShiftDay
from dashboards.store import Store
from dashboards.track_rights import role_of
from dashboards.words import Words


def evidence_json(
    store: Store, board: ShiftDay, grid_id: str, words: Words, *, may: bool
) -> dict[str, Any]:
    """The rounds of a grid with their evidence.

    Parameters
    ----------
    may
        Whether the viewer may see single tracks; the note of the look is made by the caller.
    """
    city = board.city
    at = city.position[grid_id]
    rounds = board.rounds[board.rounds["grid_id"] == grid_id]
    labels = {(c.shift, c.role): c.label(words) for c in shift_columns(board.rounds, store)}
    return {
        "state": "ready",
        "grid": grid_id,
        "name": city.names[at],
        "place": city.place_names[at],
        "mark": board.mark,
        "may": may,
        "rounds": [
            _round(store, board, row, labels[(row["shift"], row["role"])], words, may)
            for row in rounds.to_dict("records")
        ],
    }


def workers_of(board: ShiftDay, grid_id: str) -> list[str]:
    """Whose minutes the evidence of a grid shows."""
    if not len(board.workers):
        return []
    mine = board.workers.loc[board.workers["grid_id"] == grid_id, "worker_id"]
    return [str(label) for label in mine.unique()]


def _round(
    store: Store, board: ShiftDay, row: dict[str, Any], label: str, words: Words, may: bool
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "label": label,
        "hours": clock_span(row["start"], row["end"], store),
        "status": row["status"],
        "word": words(f"board.status.{row['status']}"),
        "reason": reason_sentence(row, words),
        "here": int(row["here_min"]),
        "away": int(row["away_min"]),
        "unknown": int(row["unknown_min"]),
        "minutes": int((row["end"] - row["start"]).total_seconds() // 60),
        "need": round(float(row["need_min"])),
        "facts": _facts(store, row, words),
    }
    if may:
        told["strip"] = row["strip"]
        told["workers"] = [
            _worker(store, board, one, words) for one in _of_round(board.workers, row)
        ]
        told["places"] = [_place(store, one, words) for one in _of_round(board.places, row)]
        told["seen"] = _seen(store, row, words)
    return told


def reason_sentence(row: dict[str, Any], words: Words) -> str:
    """Why a round is what it is, with its figures."""
    reason = row["reason"] or row["status"]
    return words(
        f"board.why.{reason}",
        here=int(row["here_min"]),
        away=int(row["away_min"]),
        unknown=int(row["unknown_min"]),
        carried=int(row["carried_min"]),
        need=round(float(row["need_min"])),
        left=int(row["not_visited"]),
        unclear=int(row["places_unknown"]),
        places=int(row["places"]),
    )


def _facts(store: Store, row: dict[str, Any], words: Words) -> list[str]:
    facts = [words("board.fact.people", n=int(row["workers"]))]
    if row["places"]:
        facts.append(
            words(
                "board.fact.places",
                n=int(row["places"]),
                visited=int(row["visited"]),
                probable=int(row["probable"]),
                left=int(row["not_visited"]),
                unclear=int(row["places_unknown"]),
            )
        )
    return facts


def _seen(store: Store, row: dict[str, Any], words: Words) -> str:
    """Number of fixes, the first and the last of them."""
    if pd.isna(row["first_fix"]):
        return words("board.fact.nofix")
    first, last = clock(store, row["first_fix"]), clock(store, row["last_fix"])
    return words("board.fact.fixes", n=words.number(row["fixes"]), first=first, last=last)


def clock(store: Store, moment: pd.Timestamp) -> str:
    """A time of the day on the city's clock."""
    return "" if pd.isna(moment) else f"{moment.tz_convert(store.zone):%H:%M:%S}"


def _of_round(table: pd.DataFrame, row: dict[str, Any]) -> list[dict[str, Any]]:
    if not len(table):
        return []
    mine = np.ones(len(table), dtype=bool)
    for name in ("grid_id", "shift", "role"):
        mine &= (table[name] == row[name]).to_numpy(dtype=bool)
    found: list[dict[str, Any]] = table[mine].to_dict("records")
    return found


def _worker(store: Store, board: ShiftDay, one: dict[str, Any], words: Words) -> dict[str, Any]:
    people = store.snapshot().workers.people
    worker = str(one["worker_id"])
    known = worker in people.index
    reason = one["reason"] or "none"
    return {
        "id": worker,
        "name": str(people.at[worker, "name"]) if known else worker,
        "role": role_of(str(people.at[worker, "role"]), words) if known else "",
        "here": int(one["here_min"]),
        "away": int(one["away_min"]),
        "unknown": int(one["unknown_min"]),
        "text": words(
            "board.worker.fixes" if not pd.isna(one["first_fix"]) else "board.worker.nofix",
            n=words.number(one["fixes"]),
            dropped=words.number(one["dropped"]),
            first=clock(store, one["first_fix"]),
            last=clock(store, one["last_fix"]),
        ),
        "reason": words(f"board.reason.{reason}") if one["reason"] else "",
        "far": ""
        if pd.isna(one["far_m"]) or one["far_m"] <= 0
        else words("board.worker.far", m=words.number(round(float(one["far_m"])))),
        "href": f"/workers/sheet?worker={worker}&day={board.day.isoformat()}",
    }


def _place(store: Store, one: dict[str, Any], words: Words) -> dict[str, Any]:
    """A place that was due: whether it was visited, when, how near and how long."""
    name = one["name"] if isinstance(one["name"], str) and one["name"] else one["place_id"]
    parts = []
    if not pd.isna(one["at"]):
        parts.append(words("board.place.at", at=clock(store, one["at"])))
    if not pd.isna(one["near_m"]) and np.isfinite(one["near_m"]):
        parts.append(words("board.place.near", m=words.number(round(float(one["near_m"])))))
    if not pd.isna(one["stay_s"]) and one["stay_s"] > 0:
        parts.append(words("board.place.stay", span=words.span(float(one["stay_s"]))))
    if not pd.isna(one["share"]):
        parts.append(words("board.place.share", n=round(100 * float(one["share"]))))
    if one["reason"]:
        parts.append(words(f"board.visit.{one['reason']}"))
    return {
        "name": str(name),
        "kind": words(f"board.place.{one['kind']}"),
        "state": one["state"],
        "word": words(f"board.visit.state.{one['state']}"),
        "text": words("board.place.join").join(parts),
    }
