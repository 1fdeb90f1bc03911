"""Rows of many logs, collected a move at a time and put in order at the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo.synth.habits import NOTES

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.object_]

UP = {"grid": "community", "community": "street", "street": "district", "district": "city"}
"""Where a case goes that is raised."""


class LogParts:
    """Moves of all cases of a city, in any order."""

    def __init__(self, rng: np.random.Generator, ids: Words) -> None:
        self.rng, self.ids = rng, ids
        self.parts: list[dict[str, Any]] = []

    def add(self, move: str, stage: str | None, when: Ints, mask: Bools, **columns: Any) -> None:
        """Rows of one move for the cases of the mask; a column is one word or one a case."""
        rows = np.flatnonzero(mask)
        part: dict[str, Any] = {"case": rows, "at": when[rows], "move": move, "stage": stage}
        if move in NOTES:
            part["note"] = self.rng.choice(np.array(NOTES[move], dtype=object), len(rows))
        for name, value in columns.items():
            part[name] = value[rows] if isinstance(value, np.ndarray) else value
        self.parts.append(part)

    def assemble(self, end: int) -> pd.DataFrame:
        """The log up to a moment (epoch seconds), in order of case and time."""
        sizes = [len(part["case"]) for part in self.parts]
        case, when = (
            np.concatenate([part[name] for part in self.parts]) for name in ("case", "at")
        )
        part_of = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort([part_of, when, case])
        order = order[when[order] <= end]
        case, when = case[order], when[order]

        def column(name: str) -> Words:
            out = np.full(len(part_of), None, dtype=object)
            begin = 0
            for part, size in zip(self.parts, sizes, strict=True):
                if name in part:
                    out[begin : begin + size] = part[name]
                begin += size
            return out[order]

        starts = np.flatnonzero(np.diff(case, prepend=-1))
        seq = np.arange(len(case)) - np.repeat(starts, np.diff(starts, append=len(case))) + 1
        stage = column("stage")
        known = np.maximum.accumulate(np.where(pd.notna(stage), np.arange(len(stage)), 0))
        other, until = column("other"), column("until")
        has_other = pd.notna(other)
        other[has_other] = self.ids[other[has_other].astype(np.int64)]
        has_until = pd.notna(until)
        times = np.full(len(until), np.datetime64("NaT", "us"))
        times[has_until] = until[has_until].astype(np.int64).astype("datetime64[s]")
        words = ("move", "by", "role", "note", "owner", "level", "condition")
        columns: dict[str, Any] = {name: column(name) for name in words}
        self._lift_levels(columns, case)
        return pd.DataFrame(
            {
                "incident_id": self.ids[case],
                "seq": seq,
                "at": pd.to_datetime(when, unit="s", utc=True).astype("datetime64[us, UTC]"),
                "stage": stage[known],
                **columns,
                "until": pd.DatetimeIndex(times).tz_localize("UTC"),
                "other_id": other,
            }
        )

    def _lift_levels(self, columns: dict[str, Any], case: Ints) -> None:
        """A raise goes one level up from where the case was."""
        level, raised = columns["level"], columns["move"] == "raise"
        for row in np.flatnonzero(raised):
            back = row - 1
            while level[back] is None:
                back -= 1
            assert case[back] == case[row]
            level[row] = UP[level[back]]
