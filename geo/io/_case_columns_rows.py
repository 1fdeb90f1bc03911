"""The columns themselves: what a row takes, how a table of them grows and changes.

Public names are handed on by `geo.io.case_columns`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._time_limits import require_columns
from geo.errors import InputError
from geo.incidents import OPEN_STAGES
from geo.schema import CASE_LEVELS, STAGES

NEVER = int(np.iinfo(np.int64).min)
"""Stands where a time is empty."""

TIMES = ("reported", "closed", "deadline")
KINDS: dict[str, npt.DTypeLike] = {
    "fid": np.int64, "lon": np.float64, "lat": np.float64, "reported": np.int64,
    "closed": np.int64, "deadline": np.int64, "class_code": np.int16, "stage": np.int8,
    "owner": np.int32, "source": np.int16, "level": np.int8,
}  # fmt: skip
TEXTS = {"classes": "class_code", "owners": "owner", "sources": "source"}
"""Tables of texts, and the column whose numbers are positions in each."""

SPARE = 0.02
"""Room behind the rows for new ones, as a share; then all columns are copied into more."""

Columns = dict[str, npt.NDArray[Any]]


class _Codes(dict[object, int]):
    """The number of each value of a column as it comes; a look-up of a new one makes its number."""

    def __init__(self, known: dict[str, int], grows: bool) -> None:
        super().__init__()
        self.known, self.grows = known, grows

    def __missing__(self, value: object) -> int:
        text = "" if value is None or value != value else str(value)
        is_told = text and (self.grows or text in self.known)
        number = self.known.setdefault(text, len(self.known)) if is_told else -1
        self[value] = number
        return number


class Words:
    """Texts that occur again and again as numbers, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {
            "class_code": {}, "owner": {}, "source": {},
            "stage": {word: k for k, word in enumerate(STAGES)},
            "level": {word: k for k, word in enumerate(CASE_LEVELS)},
        }  # fmt: skip
        self._codes = {
            name: _Codes(known, name not in ("stage", "level"))
            for name, known in self._known.items()
        }

    def encode(self, name: str, texts: Sequence[object]) -> npt.NDArray[Any]:
        """The number of each text; -1 for an empty one, and for a stage or level nobody knows."""
        codes = self._codes[name]
        numbers = np.fromiter(map(codes.__getitem__, texts), dtype=np.int64, count=len(texts))
        kind = np.dtype(KINDS[name])
        if len(codes.known) > np.iinfo(kind).max:
            raise InputError(
                f"incidents have more than {np.iinfo(kind).max} different {name}: map them to"
                " classes first"
            )
        found: npt.NDArray[Any] = numbers.astype(kind)
        return found

    def told(self, name: str) -> tuple[str, ...]:
        """The texts by their numbers."""
        return tuple(self._known[name])


@dataclass(frozen=True, eq=False)
class CaseColumns:
    """All incidents, one value a row in each array, in the order of `fid`; arrays are read-only."""

    version: str
    """Another one whenever any row differs."""
    fid: npt.NDArray[np.int64]
    lon: npt.NDArray[np.float64]
    """WGS-84 degrees; NaN where a case has no place."""
    lat: npt.NDArray[np.float64]
    reported: npt.NDArray[np.int64]
    """Whole seconds since 1970, UTC, rounded down; so are `closed` and `deadline`, or NEVER."""
    closed: npt.NDArray[np.int64]
    deadline: npt.NDArray[np.int64]
    class_code: npt.NDArray[np.int16]
    """Position in `classes`, -1 without a class."""
    stage: npt.NDArray[np.int8]
    """Position in `geo.schema.STAGES`."""
    owner: npt.NDArray[np.int32]
    """Position in `owners`, -1 of nobody."""
    source: npt.NDArray[np.int16]
    """Position in `sources`, -1 not told."""
    level: npt.NDArray[np.int8]
    """Position in `geo.schema.CASE_LEVELS`, -1 not told."""
    classes: tuple[str, ...]
    owners: tuple[str, ...]
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.fid)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns."""
        return sum(getattr(self, name).nbytes for name in KINDS)

    @cached_property
    def placed(self) -> npt.NDArray[np.bool_]:
        """Whether each has a place."""
        return np.isfinite(self.lon) & np.isfinite(self.lat)

    @cached_property
    def is_open(self) -> npt.NDArray[np.bool_]:
        """Whether each is in an open stage."""
        return np.isin(self.stage, [STAGES.index(word) for word in OPEN_STAGES])

    def codes(self, table: str, words: Iterable[str]) -> npt.NDArray[np.int64]:
        """Positions of words in `classes`, `owners` or `sources`; what nobody knows is left out."""
        where = {word: k for k, word in enumerate(getattr(self, table))}
        return np.array([where[word] for word in words if word in where], dtype=np.int64)

    def class_words(self) -> pd.Categorical:
        """The class of each in words."""
        return pd.Categorical.from_codes(self.class_code, categories=list(self.classes))

    def stage_words(self) -> pd.Categorical:
        """The stage of each in words."""
        return pd.Categorical.from_codes(self.stage, categories=list(STAGES))

    def select(self, rows: npt.NDArray[Any]) -> CaseColumns:
        """These rows alone: a mask, or positions in rising order."""
        values: dict[str, Any] = {name: _closed(getattr(self, name)[rows]) for name in KINDS}
        texts = {name: getattr(self, name) for name in TEXTS}
        return CaseColumns(version=f"{self.version}*", **values, **texts)


def _closed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view


@dataclass
class CaseTable:
    """Columns with room behind the rows; only the newest of a line of tables may be changed."""

    words: Words
    columns: Columns
    size: int
    version: str = ""

    @classmethod
    def of(cls, words: Words, columns: Columns) -> CaseTable:
        """A table of columns that are put in order of `fid`."""
        fid = columns["fid"]
        if len(fid) > 1 and not (fid[1:] > fid[:-1]).all():
            order = np.argsort(fid, kind="stable")
            columns = {name: values[order] for name, values in columns.items()}
        return cls(words, columns, len(fid))

    def view(self) -> CaseColumns:
        """The rows as they are now, for others."""
        values: dict[str, Any] = {name: _closed(self.columns[name][: self.size]) for name in KINDS}
        texts: dict[str, Any] = {table: self.words.told(name) for table, name in TEXTS.items()}
        return CaseColumns(version=self.version, **values, **texts)

    def laid_over(self, fids: npt.NDArray[np.int64], fresh: Columns) -> CaseTable:
        """This table with some rows as they are now: changed, added, or gone where not in `fresh`.

        Parameters
        ----------
        fids
            Numbers of all rows that may differ.
        fresh
            What the table has of them now, in order of `fid`.
        """
        old = self.columns["fid"][: self.size]
        gone = np.setdiff1d(fids, fresh["fid"])
        lost = np.isin(gone, old, assume_unique=True)
        if lost.any():
            keep = ~np.isin(old, gone[lost])
            columns = {name: values[: self.size][keep] for name, values in self.columns.items()}
            return CaseTable(self.words, columns, int(keep.sum())).laid_over(
                np.setdiff1d(fids, gone), fresh
            )
        at = np.searchsorted(old, fresh["fid"])
        known = at < self.size
        known[known] = old[at[known]] == fresh["fid"][known]
        new = {name: values[~known] for name, values in fresh.items()}
        changed = self._overwritten(at[known], {n: v[known] for n, v in fresh.items()})
        if len(new["fid"]) and self.size and new["fid"][0] < old[-1]:
            joined = {n: np.concatenate([changed.columns[n][: self.size], new[n]]) for n in KINDS}
            return CaseTable.of(self.words, joined)
        return changed._appended(new)

    def _overwritten(self, at: npt.NDArray[np.intp], fresh: Columns) -> CaseTable:
        columns = dict(self.columns)
        for name, values in fresh.items():
            was = columns[name][at]
            both_missing = (was != was) & (values != values)
            if not ((was == values) | both_missing).all():
                columns[name] = columns[name].copy()
                columns[name][at] = values
        return CaseTable(self.words, columns, self.size)

    def _appended(self, new: Columns) -> CaseTable:
        size = self.size + len(new["fid"])
        if size == self.size:
            return self
        columns = dict(self.columns)
        for name, values in new.items():
            if len(columns[name]) < size:
                room = np.empty(size + int(size * SPARE) + 1024, dtype=KINDS[name])
                room[: self.size] = columns[name][: self.size]
                columns[name] = room
            columns[name][self.size : size] = values
        return CaseTable(self.words, columns, size)


def columns_of(frame: pd.DataFrame) -> CaseColumns:
    """Columns of a table of incidents; see `geo.io.case_columns.case_columns`."""
    require_columns(frame, ("lon", "lat", "reported_at"), "frame")
    words, size = Words(), len(frame)
    columns: Columns = {"fid": np.arange(1, size + 1, dtype=np.int64)}
    for name in ("lon", "lat"):
        columns[name] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    for name in TIMES:
        told = f"{name}_at" if name != "deadline" else name
        columns[name] = _seconds(frame[told], told) if told in frame else _never(size)
    for name in ("class_code", "stage", "owner", "source", "level"):
        texts = frame[name].astype(object) if name in frame else pd.Series([None] * size)
        columns[name] = words.encode(name, texts.where(texts.notna(), None).to_numpy())
    table = CaseTable.of(words, columns)
    table.version = "frame"
    return table.view()


def _never(size: int) -> npt.NDArray[np.int64]:
    return np.full(size, NEVER, dtype=np.int64)


def _seconds(times: pd.Series, name: str) -> npt.NDArray[np.int64]:
    if times.isna().all():
        return _never(len(times))
    moments = pd.DatetimeIndex(times)
    if moments.tz is None:
        raise InputError(f"{name} has no zone: call frame[{name!r}].dt.tz_localize(...) first")
    plain = moments.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    seconds = np.floor_divide(plain.astype(np.int64), 1_000_000)
    return np.where(np.isnat(plain), NEVER, seconds)
