"""A list of cases out to a file, for people: CSV or Excel, all rows of a query in its order.

Written as `geo.io.export` writes tables: text that a spreadsheet would take for a formula stays
text, times in Excel are local, a file appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from geo.codes import ClassBook, Language
from geo.errors import InputError
from geo.io.export import SHEET_ROWS, ExportReport, Headers, Progress, _atomic, _Writer

ENDINGS = (".csv", ".xlsx")
Say = Mapping[str, Mapping[str, str]]
"""For a column, words of the store to words of the reader: `{"stage": {"closed": "已结案"}}`."""


def require_ending(path: Path) -> str:
    """The ending of a file, or InputError with those that there are."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"{path} ends in {ending or 'nothing'}: use {' or '.join(ENDINGS)}")
    if not path.resolve().parent.is_dir():
        raise InputError(f"there is no folder {path.resolve().parent}: make it first")
    return ending


def write_cases(
    chunks: Iterator[pd.DataFrame],
    total: int,
    path: Path,
    *,
    headers: Headers,
    classes: ClassBook,
    say: Say,
    timezone: str,
    progress: Progress | None,
) -> ExportReport:
    """Write rows of `incidents`, some at a time; a case without a category has its class's name."""
    ending = require_ending(path)
    if ending == ".xlsx" and total > SHEET_ROWS:
        raise InputError(
            f"{total:,} rows do not fit a spreadsheet of {SHEET_ROWS:,}: use .csv, or filter more"
        )
    if ending == ".xlsx":
        parts = list(chunks)
        chunks = iter([pd.concat(parts)] if parts else [])
    writer = _Writer("incidents", "wgs84", headers, True, timezone)
    rows = 0
    with _atomic(path) as draft:
        for chunk in chunks:
            writer.write(_for_people(chunk, headers, classes, say), draft, ending)
            rows += len(chunk)
            if progress is not None:
                progress(rows)
        writer.close()
    return ExportReport(rows, path, tuple(writer.notes))


def _for_people(rows: pd.DataFrame, headers: Headers, classes: ClassBook, say: Say) -> pd.DataFrame:
    out = rows.copy()
    if headers != "columns":
        names = _names(out["class_code"], classes, headers)
        out["category"] = out["category"].fillna(out["class_code"].map(names))
    for name, words in say.items():
        known = out[name].map(words).astype("str")
        out[name] = known.fillna(out[name])
    return out


def _names(codes: pd.Series, classes: ClassBook, language: Language) -> dict[str, str]:
    known = [code for code in codes.dropna().unique() if classes.is_incident_class(code)]
    return {code: classes.name(code, language) for code in known}
