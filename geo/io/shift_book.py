"""Tables of rounds as a workbook or as CSV, to be read by people and by other programs.

A sheet says on top what it shows: a title, and one line for each thing a reader must know (day,
schedule, boundary version, time of making). Then the headings, the rows, the sum of the rows, and
below them the legend. Nothing in it is a formula: sums are written as numbers, and a text that a
spreadsheet would run (beginning with = + - @ or a tab) stays a text. In CSV such a text gets an
apostrophe before it.

All words come with the sheet, in whatever language; this module adds none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Literal

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.utils import get_column_letter

from geo.errors import ColumnError

Kind = Literal["text", "count", "share", "minutes", "time"]

FORMATS: dict[Kind, str] = {
    "text": "@",
    "count": "#,##0",
    "share": "0%",
    "minutes": "0",
    "time": "yyyy-mm-dd hh:mm",
}

RISKY = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a spreadsheet may run (OWASP, CSV injection)."""

MOST_TITLE = 31
"""Letters that the name of a sheet may have."""

_FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", "-"))


@dataclass(frozen=True)
class Column:
    """A column of a sheet: the key in the table, its heading with the unit, what is in it."""

    key: str
    heading: str
    kind: Kind = "text"
    width: float = 12.0
    """Letters wide."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """One table with what must be said about it."""

    title: str
    notes: Sequence[str]
    """Lines above the table."""
    columns: Sequence[Column]
    rows: pd.DataFrame
    """Has a column for each key. Times without zone are those of the city's clock."""
    total: dict[str, Any] | None = None
    """The last row of the table, by key."""
    legend: Sequence[str] = ()
    """Lines below the table."""
    frozen: int = 1
    """Columns at the left that stay when one scrolls."""
    tints: dict[str, str] | None = None
    """Colour (RRGGBB) of a cell by its text."""


def write_book(target: IO[bytes], sheets: Sequence[Sheet]) -> None:
    """Write sheets as an Excel workbook.

    Raises
    ------
    ColumnError
        If a table lacks a column.
    """
    book = Workbook(write_only=True)
    styles = _Styles(book)
    used: set[str] = set()
    for sheet in sheets:
        _require_columns(sheet)
        _write_sheet(book, sheet, _title(sheet.title, used), styles)
    book.save(target)


def csv_lines(sheet: Sheet) -> Iterator[bytes]:
    """A sheet as CSV in pieces: UTF-8 with the mark that Excel needs, CRLF.

    Only the table: headings, rows and total. Missing values are empty.
    """
    _require_columns(sheet)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")

    def take() -> bytes:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text.encode("utf-8")

    writer.writerow([guard(column.heading) for column in sheet.columns])
    yield b"\xef\xbb\xbf" + take()
    for number, values in enumerate(_values(sheet), start=1):
        cells = zip(values, sheet.columns, strict=True)
        writer.writerow([_csv_cell(value, column.kind) for value, column in cells])
        if number % 500 == 0:
            yield take()
    if sheet.total is not None:
        row = [(sheet.total.get(column.key), column.kind) for column in sheet.columns]
        writer.writerow([_csv_cell(value, kind) for value, kind in row])
    yield take()


def guard(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula; anything else as it is."""
    if isinstance(value, str) and value.startswith(RISKY):
        return f"'{value}"
    return value


def _csv_cell(value: Any, kind: Kind) -> Any:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if kind == "share":
        return f"{float(value):.4f}"
    if kind == "time" and isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return guard(value)


def _require_columns(sheet: Sheet) -> None:
    missing = [column.key for column in sheet.columns if column.key not in sheet.rows.columns]
    if missing:
        raise ColumnError(f"{sheet.title} lacks {', '.join(missing)}: it has {list(sheet.rows)}")


def _values(sheet: Sheet) -> Iterator[tuple[Any, ...]]:
    """The rows as plain values, missing ones as None."""
    columns = [
        sheet.rows[column.key].astype(object).where(sheet.rows[column.key].notna(), None)
        for column in sheet.columns
    ]
    return zip(*columns, strict=True)


def _title(text: str, used: set[str]) -> str:
    """A name that Excel takes and that no other sheet has."""
    plain = ILLEGAL_CHARACTERS_RE.sub("", text).translate(_FORBIDDEN).strip("' ") or "1"
    name, number = plain[:MOST_TITLE], 2
    while name.lower() in used:
        tail = f" {number}"
        name, number = plain[: MOST_TITLE - len(tail)] + tail, number + 1
    used.add(name.lower())
    return name


class _Styles:
    """Styles of a workbook, each made once: a style of its own per cell is ten times as slow."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._known: dict[tuple[str, str, str], Any] = {}

    def put(self, cell: Any, part: str, kind: Kind, tint: str = "") -> None:
        """Give a cell the style of a part (cell, total, head, title, note) and a kind.

        The name of a style is looked up once: `cell.style` does it for each cell, which takes half
        of the time of a book.
        """
        key = (part, kind, tint)
        if key not in self._known:
            style = NamedStyle(name=f"w-{part}-{kind}-{tint}".rstrip("-"))
            style.number_format = FORMATS[kind] if part in ("cell", "total") else "@"
            right = kind != "text" and part in ("cell", "total", "head")
            style.alignment = Alignment(
                horizontal="right" if right else "left",
                vertical="center",
                wrap_text=part == "head",
            )
            if part in ("head", "total", "title"):
                style.font = Font(bold=True, size=14 if part == "title" else 11)
            if part == "note":
                style.font = Font(color="56657C")
            if part == "head":
                style.fill = PatternFill("solid", fgColor="EEF1F5")
                style.border = Border(bottom=Side(style="thin", color="9AA7BA"))
            if part == "total":
                style.border = Border(top=Side(style="thin", color="9AA7BA"))
            if tint:
                style.fill = PatternFill("solid", fgColor=tint)
            self._book.add_named_style(style)
            cell.style = style.name
            self._known[key] = cell._style
        cell._style = self._known[key]


def _write_sheet(book: Workbook, sheet: Sheet, title: str, styles: _Styles) -> None:
    page = book.create_sheet(title)
    head_row = len(sheet.notes) + 3
    page.freeze_panes = f"{get_column_letter(sheet.frozen + 1)}{head_row + 1}"
    page.page_setup.orientation = "landscape"
    page.page_setup.paperSize = 9  # A4
    page.page_setup.fitToHeight = 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.print_title_rows = f"{head_row}:{head_row}"
    for number, column in enumerate(sheet.columns, start=1):
        page.column_dimensions[get_column_letter(number)].width = column.width
    if len(sheet.rows):
        last = f"{get_column_letter(len(sheet.columns))}{head_row + len(sheet.rows)}"
        page.auto_filter.ref = f"A{head_row}:{last}"

    def cell(value: Any, part: str, kind: Kind = "text", tint: str = "") -> Any:
        made = WriteOnlyCell(page)
        _put(made, value)
        styles.put(made, part, kind, tint)
        return made

    page.append([cell(sheet.title, "title")])
    for note in sheet.notes:
        page.append([cell(note, "note")])
    page.append([])
    page.append([cell(column.heading, "head", column.kind) for column in sheet.columns])
    kinds = [column.kind for column in sheet.columns]
    tints = sheet.tints or {}
    for values in _values(sheet):
        page.append(
            [
                cell(v, "cell", k, tints.get(v, "") if isinstance(v, str) else "")
                for v, k in zip(values, kinds, strict=True)
            ]
        )
    if sheet.total is not None:
        row = [(sheet.total.get(column.key), column.kind) for column in sheet.columns]
        page.append([cell(value, "total", kind) for value, kind in row])
    page.append([])
    for line in sheet.legend:
        page.append([cell(line, "note")])


def _put(cell: Any, value: Any) -> None:
    """A value as what it is; a text is never read as a formula."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("", value)
        cell.data_type = "s"
        return
    if isinstance(value, pd.Timestamp):
        value = value.to_pydatetime()
    cell.value = value.item() if hasattr(value, "item") else value
