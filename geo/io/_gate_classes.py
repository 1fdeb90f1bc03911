"""Categories of other systems to our class codes.

`geo/data/foreign_classes.csv` has the words of some known sources; a city's own are in
`<workspace>/rules/foreign_classes.csv` and come first. A row names a category (compared without
case, doubled blanks, dashes; `*` stands for anything), perhaps words of the description
(`detail`), the class code, and how sure that is: `yes`, `likely`, or `loose` (the nearest that we
have). A row without a code says that the category is none of ours on purpose, with the reason in
`note`. The exact name wins over a pattern, a longer pattern over a shorter one, a row with a
detail over one without.

Of the known sources the one that knows the most rows of an import speaks, and the report names it:
the same word may mean something else in another city. A category that nobody maps stays as it is,
without a class, and the report counts it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

import pandas as pd

from geo._classes import ClassBook
from geo.errors import InputError
from geo.io import fields
from geo.io._rule_tables import _decode as decode
from geo.io._rule_tables import read_classes
from geo.io.gate_report import Ledger, list_words
from geo.io.workspace import Workspace

OWN = "own"
"""Name of the source of a city's own rows."""
COLUMNS = ("category", "class_code")
SURE = ("yes", "likely", "loose")


@dataclass(frozen=True)
class ForeignClass:
    """One row: what a category of a source means."""

    source: str
    category: str
    detail: str
    class_code: str
    sure: str

    @property
    def is_exact(self) -> bool:
        """Whether it names one category and not a pattern of them."""
        return "*" not in self.category

    @property
    def weight(self) -> tuple[bool, int, bool]:
        """What decides between rows that fit the same category, the greater first."""
        return self.is_exact, len(self.category.replace("*", "")), bool(self.detail)


def read_foreign(workspace: Workspace) -> tuple[ForeignClass, ...]:
    """The rows of the city and those that come with the product.

    Raises
    ------
    InputError
        If the city's own table lacks a column or names a class that no table knows; it names the
        file and the row.
    """
    file = workspace.path / "rules" / "foreign_classes.csv"
    classes = read_classes(workspace.path)
    own = _own_rows(file, classes) if file.is_file() else []
    packaged = fields.read_rows("foreign_classes")
    return (*own, *_to_rows(packaged, "geo/data/foreign_classes.csv", classes))


def _own_rows(file: Path, classes: ClassBook) -> list[ForeignClass]:
    reader = csv.DictReader(StringIO(decode(file), newline=""))
    listed = [{**row, "source": OWN} for row in reader]
    missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{file}, line 1: no column {', '.join(missing)}: add it")
    return _to_rows(listed, str(file), classes)


def _to_rows(
    listed: Iterable[Mapping[str, str | None]], file: str, classes: ClassBook
) -> list[ForeignClass]:
    out = []
    for number, row in enumerate(listed, start=2):
        code = (row.get("class_code") or "").strip().upper()
        if code and not classes.is_incident_class(code):
            raise InputError(
                f"{file}, line {number}, column class_code: {code} is no incident class: write one"
                " like E0102"
            )
        sure = (row.get("sure") or "yes").strip().lower()
        out.append(
            ForeignClass(
                (row.get("source") or "").strip(),
                fields.fold_word(row.get("category") or ""),
                fields.fold_word(row.get("detail") or ""),
                code,
                sure if sure in SURE else "yes",
            )
        )
    return [row for row in out if row.category]


def map_categories(
    draft: pd.DataFrame, known: pd.Series, rows: tuple[ForeignClass, ...], ledger: Ledger
) -> pd.Series:
    """Class codes of the rows of a draft, where a foreign category has one.

    Parameters
    ----------
    draft
        With `category` and perhaps `description`.
    known
        Class codes found so far; only rows without one are looked at.
    rows
        See `read_foreign`.

    Returns
    -------
    Series
        `known` with what was found. `ledger.classes` gets a row for each category and class.
    """
    if "category" not in draft:
        return known
    todo = (known.isna() & draft["category"].notna()).to_numpy()
    if not todo.any():
        return known
    words = draft.loc[todo, "category"].map(fields.fold_word)
    counts = words.value_counts()
    source, chosen = _choose_source(counts, rows)
    found = pd.Series(None, index=words.index, dtype="str")
    sure = pd.Series(None, index=words.index, dtype="str")
    look = _Lookup(chosen)
    for category, places in words.groupby(words, sort=False).indices.items():
        fits = look.rows(str(category))
        if fits:
            _fill(draft, words.index[places], fits, found, sure)
    _report(draft, found, sure, source, ledger)
    return known.fillna(found.replace("", None).reindex(known.index))


def _choose_source(
    counts: pd.Series, rows: tuple[ForeignClass, ...]
) -> tuple[str, list[ForeignClass]]:
    """The source that knows the most rows, with its rows and the city's own before them."""
    best, most = "", 0
    for source in dict.fromkeys(r.source for r in rows if r.source != OWN):
        # A row for everything else tells nothing of where the words come from.
        look = _Lookup([r for r in rows if r.source == source and r.category != "*"])
        score = int(sum(n for word, n in counts.items() if look.rows(str(word))))
        if score > most:
            best, most = source, score
    return best, [r for r in rows if r.source in (OWN, best)]


class _Lookup:
    """Finds the rows that speak of a category, the weightiest first; a city's own before all."""

    def __init__(self, rows: list[ForeignClass]) -> None:
        self._exact: dict[str, list[ForeignClass]] = {}
        for row in rows:
            if row.is_exact:
                self._exact.setdefault(row.category, []).append(row)
        self._patterns = [(row, _pattern(row.category)) for row in rows if not row.is_exact]

    def rows(self, category: str) -> list[ForeignClass]:
        found = list(self._exact.get(category, ()))
        found += [row for row, pattern in self._patterns if pattern.fullmatch(category)]
        return sorted(found, key=lambda r: (r.source == OWN, *r.weight), reverse=True)


def _fill(
    draft: pd.DataFrame,
    mine: pd.Index,
    fits: list[ForeignClass],
    found: pd.Series,
    sure: pd.Series,
) -> None:
    """Give the rows of one category the class of the first row that fits each of them."""
    left = mine
    nothing = pd.Series(None, index=draft.index, dtype="str")
    for row in fits:
        if not len(left):
            return
        hit = left
        if row.detail:
            told = draft.get("description", nothing).loc[left]
            looks = {w: _meets(row.detail, fields.fold_word(w)) for w in told.dropna().unique()}
            hit = left[told.map(looks).eq(True).to_numpy(dtype=bool)]
        found.loc[hit], sure.loc[hit] = row.class_code, row.sure
        left = left.difference(hit, sort=False)


def _meets(detail: str, words: str) -> bool:
    return words == detail or ("*" in detail and _pattern(detail).fullmatch(words) is not None)


def _report(
    draft: pd.DataFrame, found: pd.Series, sure: pd.Series, source: str, ledger: Ledger
) -> None:
    table = pd.DataFrame(
        {
            "category": draft.loc[found.index, "category"],
            "class_code": found,
            "sure": sure,
            "rows": 1,
        }
    )
    keys = ["category", "class_code", "sure"]
    counts = table.groupby(keys, dropna=False, sort=False)["rows"].sum().reset_index()
    ledger.classes = counts.sort_values("rows", ascending=False, ignore_index=True)
    mapped = int((found.fillna("") != "").sum())
    none = int((found == "").sum())
    if mapped or none:
        ledger.facts["classes_of"] = source or OWN
        ledger.facts["mapped"] = mapped
        ledger.facts["without_class"] = none
        loose = int(((found.fillna("") != "") & (sure == "loose")).sum())
        ledger.note(
            f"classes by foreign_classes.csv, source {source or OWN}: {mapped:,} rows mapped"
            f" ({loose:,} of them to the nearest we have), {none:,} of categories that are none"
            " of ours"
        )
    unknown = draft.loc[found.index[found.isna()], "category"].value_counts()
    if len(unknown):
        ledger.facts["unmapped"] = int(unknown.sum())
        ledger.warn(
            f"{int(unknown.sum()):,} incidents keep their category and have no class, map them in"
            f" rules/foreign_classes.csv: {list_words(unknown)}"
        )


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)
