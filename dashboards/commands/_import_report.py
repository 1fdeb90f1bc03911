"""The account of an import as a person reads it in a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pandas as pd

from geo.io.gate_report import ImportReport, count_of

_WIDTH = 100
_MOST_CLASSES = 12


def describe(report: ImportReport) -> str:
    """The report as a person reads it, for a terminal of 100 columns."""
    head = f"{report.kind}: {report.read:,} read = {report.accepted:,} accepted"
    head += f" + {report.rejected.shape[0]:,} rejected"
    lines = [head]
    if report.joined:
        lines.append(
            f"  {report.accepted:,} accepted rows are {report.stored:,} features"
            f" ({report.joined:,} rows joined as parts)"
        )
    lines += [f"  {text}" for text in _fact_lines(report)]
    lines += _section("Repaired", _repair_lines(report.repaired))
    lines += _section("Rejected", _reason_lines(report.rejected))
    lines += _section("Warnings", _bullets(report.warnings))
    lines += _section("Classes", _class_lines(report.classes))
    lines += _section("How it was read", _how_lines(report))
    if report.refused:
        lines += ["", f"REFUSED: {report.refused}", "The workspace is unchanged."]
    elif report.dry_run:
        lines += ["", "Dry run: the workspace is unchanged."]
    return "\n".join(lines)


def _fact_lines(report: ImportReport) -> list[str]:
    words = {
        "unplaced": ("row", "without a usable place kept as unplaced"),
        "outside": ("row", "outside the city"),
        "updated": ("row", "that were there, brought up to date"),
        "unchanged": ("row", "of them the same as before"),
        "named": ("division", "known by its code only got a name"),
        "divisions_made": ("division", "made"),
        "workers_made": ("worker", "made, known by the number only"),
        "closed_versions": ("grid", "of the old version closed"),
    }
    return [
        f"{count_of(count, words[key][0])} {words[key][1]}"
        for key, count in report.facts.items()
        if key in words
    ]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _repair_lines(repaired: pd.DataFrame) -> list[str]:
    out = []
    for name, rows, area, detail in repaired.itertuples(index=False):
        size = "" if pd.isna(area) else f", {area:,.2f} m2"
        out.append(f"  {rows:>9,}  {name}{size}" + (f" ({detail})" if detail else ""))
    return out


def _reason_lines(rejected: pd.DataFrame) -> list[str]:
    out = []
    for reason, rows in rejected.groupby("reason", sort=False):
        first = rows.head(3)
        details = set(rows["detail"])
        if len(details) == 1:
            shared = f" ({details.pop()})" if details != {""} else ""
            examples = [f"row {row}" for row in first["row"]]
        else:
            shared = ""
            examples = [
                f"row {row}" + (f" ({detail})" if detail else "")
                for row, detail in zip(first["row"], first["detail"], strict=True)
            ]
        more = ", …" if len(rows) > len(examples) else ""
        out.append(f"  {len(rows):>9,}  {reason}{shared}: {', '.join(examples)}{more}")
    return out


def _class_lines(classes: pd.DataFrame) -> list[str]:
    """Categories of other systems and what they became, the commonest first."""
    out = []
    for category, code, sure, rows in classes.head(_MOST_CLASSES).itertuples(index=False):
        word = "no class" if pd.isna(code) else code or "none of ours"
        doubt = f" ({sure})" if isinstance(sure, str) and sure != "yes" else ""
        out.append(f"  {rows:>9,}  {category} -> {word}{doubt}")
    rest = classes.iloc[_MOST_CLASSES:]
    if len(rest):
        out.append(f"  {int(rest['rows'].sum()):>9,}  of {len(rest):,} more categories")
    return out


def _bullets(texts: Sequence[str]) -> list[str]:
    return [f"  - {text}" for text in texts]


def _how_lines(report: ImportReport) -> list[str]:
    out = [f"  files     {', '.join(report.files)}"]
    out += [f"  crs       {text}" for text in report.crs]
    if report.timezone:
        out.append(f"  zone      {report.timezone}")
    for file, rows in report.fields.groupby("file", sort=False):
        pairs = [f"{f} <- {c}" for f, c in zip(rows["field"], rows["column"], strict=True)]
        out += _wrapped("fields", pairs, "" if report.fields["file"].nunique() == 1 else str(file))
    for file, names in report.unused.items():
        if names:
            out += _wrapped("not used", list(names), "" if len(report.unused) == 1 else file)
    return out + _bullets(report.notes)


def _wrapped(title: str, items: Sequence[str], file: str) -> list[str]:
    lines, line = [], f"  {title:<9} " + (f"[{file}] " if file else "")
    for at, item in enumerate(items):
        piece = item + (", " if at < len(items) - 1 else "")
        if _width(line) + _width(piece) > _WIDTH and line.strip():
            lines.append(line.rstrip())
            line = " " * 12
        line += piece
    return [*lines, line.rstrip()]


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: two for a Chinese character."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
