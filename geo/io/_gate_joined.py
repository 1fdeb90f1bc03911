"""Small files that are alike, joined, so that thousands of them cost what one of that size does.

Every file is read by itself, and what is decided from its values is decided by file: so only files
are joined that leave nothing to decide. They have the same columns, their first rows look alike
letter for letter and digit for digit, no date has its year last, no number a decimal comma, and no
column says a zone or a CRS.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from geo.io import fields
from geo.io.read import Source

_MOST_NOTES = 5
_TO_DECIDE = re.compile(
    r"^\D{0,3}\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b|^[-+]?\d+,\d+$|[AaPp]\.?[Mm]\.?$"
)
"""Dates with the year last, decimal commas, clocks of twelve hours."""


def join_alike(sources: Iterable[Source], most_rows: int) -> Iterator[Source]:
    """Sources in their order, those in a row that are alike joined up to `most_rows` rows."""
    waiting: list[Source] = []
    look: Hashable = None
    count = 0
    for source in sources:
        own = _look(source)
        if waiting and (own is None or own != look or count + len(source.frame) > most_rows):
            yield _join(waiting)
            waiting, count = [], 0
        waiting.append(source)
        look, count = own, count + len(source.frame)
    if waiting:
        yield _join(waiting)


def _look(source: Source) -> Hashable:
    """What two files must share to be joined; None for one that stays by itself."""
    if source.shapes is not None or source.frame.empty:
        return None
    names = [fields.normalise_name(name) for name in source.frame.columns]
    if set(names) & {*fields.names_of("fixes", "time_zone"), *fields.names_of("fixes", "crs")}:
        return None
    first = source.frame.iloc[0].astype("str").fillna("").tolist()
    if any(_TO_DECIDE.search(value) for value in first):
        return None
    form = (source.form, source.crs, source.guarded, tuple(map(str, source.frame.dtypes)))
    if source.form == "gpx":  # its values have one form by definition
        return (form, tuple(source.frame.columns))
    looks = (re.sub(r"[^\W\d]+", "a", re.sub(r"\d+(\.\d+)?", "9", value)) for value in first)
    return (form, tuple(source.frame.columns), tuple(looks))


def _join(sources: Sequence[Source]) -> Source:
    if len(sources) == 1:
        return sources[0]
    notes = [note for source in sources[:_MOST_NOTES] for note in source.notes]
    more = len(sources) - _MOST_NOTES
    if more > 0:
        notes.append(f"and {more:,} more files like these")
    return replace(
        sources[0],
        name=f"{sources[0].name} and {len(sources) - 1:,} more",
        frame=pd.concat([source.frame for source in sources], ignore_index=True),
        rows=np.concatenate([source.rows for source in sources]),
        notes=tuple(notes),
        files=np.repeat(
            np.array([source.name for source in sources], dtype=object),
            [len(source.frame) for source in sources],
        ),
    )
