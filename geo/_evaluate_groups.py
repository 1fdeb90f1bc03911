"""Whose a tally is: areas by the place of a case, departments by who has it, posts by who acted.

Public names are handed on by `geo.evaluate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._compare_units import BESIDE, Boundary
from geo._evaluate_facts import CaseFacts, Rows
from geo._evaluate_tallies import Tally

NOBODY = "(nobody)"
"""Row of what no department has, or of moves of which the log does not tell by whom."""

_Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """The units of an evaluation, and which of them a row of a tally belongs to."""

    by: str
    labels: pd.Index
    """Codes, and last the ones beside."""
    names: Mapping[str, str]
    beside: tuple[str, ...]
    place: _Labels
    """Label of each case; of posts nothing."""
    of_owner: _Labels
    of_pair: Mapping[int, int]
    """Label by role and person, packed."""
    width: int = 1

    def of(self, tally: Tally) -> _Labels:
        """The label of each row of a tally."""
        if self.by == "area":
            return self.place[tally.case]
        if self.by == "department":
            return self.of_owner[tally.owner]
        key = tally.role.astype(np.int64) * self.width + tally.person
        key[(tally.role < 0) | (tally.person < 0)] = -1
        keys, back = np.unique(key, return_inverse=True)
        nobody = len(self.labels) - 1
        found = np.array([self.of_pair.get(int(k), nobody) for k in keys], dtype=np.int64)
        return found[back] if len(keys) else np.zeros(0, dtype=np.int64)

    def of_cases(self, rows: Rows) -> _Labels:
        """The label of cases; of posts nobody's."""
        if self.by == "post":
            return np.full(len(rows), len(self.labels) - 1, dtype=np.int64)
        return self.place[rows]


def by_area(facts: CaseFacts, boundary: Boundary, level: str) -> Groups:
    """Units of a level on a boundary version."""
    units = boundary.units(level)
    place = boundary.place(level, facts.cases.lon, facts.cases.lat).astype(np.int64)
    names = dict(zip(units.codes, units.names, strict=True))
    return Groups("area", units.rows, names, BESIDE, place, np.zeros(1, dtype=np.int64), {})


def by_department(facts: CaseFacts, names: Mapping[str, str]) -> Groups:
    """Everybody who had a case, in the order of their codes."""
    owners = facts.log.owners
    extra = sorted(set(facts.cases.owners) - set(owners))
    order = sorted(set(owners) | set(extra))
    labels = pd.Index([*order, NOBODY], dtype=object, name="code")
    of_owner = np.append(labels.get_indexer(pd.Index(owners, dtype=object)), len(order))
    # A case that no log gives to anybody has the owner that its row tells.
    place = of_owner[facts.last_owner]
    told = np.append(labels.get_indexer(pd.Index(facts.cases.owners, dtype=object)), len(order))
    place = np.where(facts.last_owner < 0, told[facts.cases.owner], place)
    told_names = {code: names.get(code, code) for code in labels}
    return Groups("department", labels, told_names, (NOBODY,), place, of_owner, {})


def by_post(facts: CaseFacts, names: Mapping[str, str]) -> Groups:
    """Everybody who made a move, as what: `acceptor:W000398`, in order of role and person."""
    log = facts.log
    width = max(len(log.people), 1)
    told = (log.role >= 0) & (log.by >= 0)
    keys = np.unique(log.role[told].astype(np.int64) * width + log.by[told])
    rows = sorted((log.roles[int(k) // width], log.people[int(k) % width], int(k)) for k in keys)
    codes = [f"{role}:{person}" for role, person, _ in rows]
    labels = pd.Index([*codes, NOBODY], dtype=object, name="code")
    told_names = {
        code: names.get(person, person) for code, (_, person, _) in zip(codes, rows, strict=True)
    }
    of_pair = {key: label for label, (_, _, key) in enumerate(rows)}
    none = np.zeros(0, dtype=np.int64)
    return Groups("post", labels, told_names | {NOBODY: NOBODY}, (NOBODY,), none, none, of_pair,
                  width)  # fmt: skip
