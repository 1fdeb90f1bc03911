"""Tables of a plan's consequences as a workbook whose sums are live formulas.

Changes and sums are formulas over the cells beside and above them, so whoever gets the file can
check that what one grid loses another gains, filter, or correct a figure and see what follows. A
text that a spreadsheet would run (see `geo.io.shift_book.RISKY`) stays a text. All words come with
the sheets; this module adds none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.utils import get_column_letter

from geo.errors import ColumnError
from geo.io.shift_book import MOST_TITLE

Kind = Literal["text", "count", "change", "metres", "decimal", "share", "degrees"]

FORMATS: Mapping[Kind, str] = {
    "text": "@",
    "count": "#,##0",
    "change": "+#,##0;-#,##0;0",
    "metres": "#,##0.0",
    "decimal": "0.00",
    "degrees": "0.000000",
    "share": "0.0%",
}
Total = Literal["", "sum", "count"]

_NAMES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class ReportColumn:
    """A column: its key in the table, heading with the unit, what is in it.

    `formula` computes it from others of the row, as `{households}-{households_before}`; `total` is
    what stands above it: the sum of its cells, how many they are, or nothing. `where` names a key
    of the table: the formula stands only in rows where that is not missing.
    """

    key: str
    heading: str
    kind: Kind = "text"
    width: float = 12.0
    formula: str = ""
    total: Total = ""
    where: str = ""


@dataclass(frozen=True, eq=False)
class ReportSheet:
    """One table with the lines above it."""

    title: str
    notes: Sequence[str]
    columns: Sequence[ReportColumn]
    rows: pd.DataFrame
    total: str = ""
    """What the row of sums is called; it stands above the rows, where a filter leaves it."""
    frozen: int = 1
    tints: Mapping[str, str] = field(default_factory=dict)
    """Colour (RRGGBB) of a cell by its text."""


def write_plan_book(target: IO[bytes], sheets: Sequence[ReportSheet]) -> None:
    """Write sheets as an Excel workbook.

    Raises
    ------
    ColumnError
        If a table lacks a column, or a formula names one that the sheet has not.
    """
    book = Workbook(write_only=True)
    styles: dict[tuple[str, str, str], Any] = {}
    used: set[str] = set()
    for sheet in sheets:
        _require(sheet)
        _write(book, sheet, _title(sheet.title, used), styles)
    book.save(target)


def _require(sheet: ReportSheet) -> None:
    known = {column.key for column in sheet.columns}
    for column in sheet.columns:
        needed = column.where if column.formula else column.key
        if needed and needed not in sheet.rows.columns:
            raise ColumnError(f"{sheet.title} lacks {needed}: it has {list(sheet.rows)}")
        strange = set(_NAMES.findall(column.formula)) - known
        if strange:
            raise ColumnError(f"{sheet.title}: the formula of {column.key} names {strange}")


def _write(
    book: Workbook, sheet: ReportSheet, title: str, styles: dict[tuple[str, str, str], Any]
) -> None:
    page = book.create_sheet(title)
    letters = {
        column.key: get_column_letter(number) for number, column in enumerate(sheet.columns, 1)
    }
    head = len(sheet.notes) + 3
    first = head + (2 if sheet.total else 1)
    last = first + len(sheet.rows) - 1
    page.freeze_panes = f"{get_column_letter(sheet.frozen + 1)}{first}"
    page.page_setup.orientation = "landscape"
    page.page_setup.paperSize = 9  # A4
    page.page_setup.fitToHeight = 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.print_title_rows = f"{head}:{head}"
    for column in sheet.columns:
        page.column_dimensions[letters[column.key]].width = column.width

    def cell(value: Any, part: str, kind: Kind = "text", tint: str = "") -> Any:
        made = WriteOnlyCell(page)
        _put(made, value)
        _dress(book, styles, made, part, kind, tint)
        return made

    def live(formula: str, part: str, kind: Kind) -> Any:
        made = WriteOnlyCell(page, value=f"={formula}")
        _dress(book, styles, made, part, kind, "")
        return made

    page.append([cell(sheet.title, "title")])
    for note in sheet.notes:
        page.append([cell(note, "note")])
    page.append([])
    page.append([cell(column.heading, "head", column.kind) for column in sheet.columns])
    if sheet.total:
        sums = []
        for number, column in enumerate(sheet.columns):
            span = f"{letters[column.key]}{first}:{letters[column.key]}{max(last, first)}"
            if column.total:
                name = "SUM" if column.total == "sum" else "COUNTA"
                kind: Kind = "count" if column.total == "count" else column.kind
                sums.append(live(f"{name}({span})", "total", kind))
            else:
                sums.append(cell(sheet.total if number == 0 else None, "total"))
        page.append(sums)
    for number, values in enumerate(_rows(sheet), start=first):
        line = []
        for value, column in zip(values, sheet.columns, strict=True):
            if column.formula and value is not None:
                line.append(live(_fill(column.formula, letters, number), "cell", column.kind))
            else:
                tint = sheet.tints.get(value, "") if isinstance(value, str) else ""
                line.append(cell(value, "cell", column.kind, tint))
        page.append(line)


def _fill(formula: str, letters: Mapping[str, str], row: int) -> str:
    """A formula with the cells of a row in place of the names."""
    return _NAMES.sub(lambda found: f"{letters[found[1]]}{row}", formula)


def _rows(sheet: ReportSheet) -> Iterator[tuple[Any, ...]]:
    """The rows as plain values, None for what is missing; true where a formula stands."""
    columns: list[Any] = []
    for column in sheet.columns:
        if column.formula:
            known = sheet.rows[column.where].notna() if column.where else [True] * len(sheet.rows)
            columns.append([True if one else None for one in known])
            continue
        values = sheet.rows[column.key].astype(object)
        columns.append(values.where(values.notna(), None))
    return zip(*columns, strict=True)


def _put(cell: Any, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("", value)
        cell.data_type = "s"
        return
    cell.value = value.item() if hasattr(value, "item") else value


def _dress(
    book: Workbook,
    styles: dict[tuple[str, str, str], Any],
    cell: Any,
    part: str,
    kind: Kind,
    tint: str,
) -> None:
    """Give a cell the style of its part and kind; each is made once a book."""
    key = (part, kind, tint)
    if key not in styles:
        style = NamedStyle(name=f"p-{part}-{kind}-{tint}".rstrip("-"))
        style.number_format = FORMATS[kind] if part in ("cell", "total") else "@"
        right = kind != "text" and part in ("cell", "total", "head")
        style.alignment = Alignment(
            horizontal="right" if right else "left", vertical="center", wrap_text=part == "head"
        )
        if part in ("head", "total", "title"):
            style.font = Font(bold=True, size=14 if part == "title" else 11)
        if part == "note":
            style.font = Font(color="56657C")
        if part in ("head", "total"):
            style.fill = PatternFill("solid", fgColor="EEF1F5")
            style.border = Border(bottom=Side(style="thin", color="9AA7BA"))
        if tint:
            style.fill = PatternFill("solid", fgColor=tint)
        book.add_named_style(style)
        cell.style = style.name
        styles[key] = cell._style
    cell._style = styles[key]


def _title(text: str, used: set[str]) -> str:
    """A name that Excel takes and that no other sheet has."""
    plain = re.sub(r"[\[\]:*?/\\]", "-", ILLEGAL_CHARACTERS_RE.sub("", text)).strip("' ") or "1"
    name, number = plain[:MOST_TITLE], 2
    while name.lower() in used:
        tail = f" {number}"
        name, number = plain[: MOST_TITLE - len(tail)] + tail, number + 1
    used.add(name.lower())
    return name
