"""The cases of a filter as CSV or Excel, written while they are read.

Headers are in the language of the page. CSV begins with a byte-order mark, without which Excel
reads Chinese as Latin. A text that a spreadsheet would take for a formula gets an apostrophe
before it, so that a description can never run. Times are those of the city's clock.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from dashboards.components.case_book import find_page
from dashboards.components.case_desk import People, unit_names
from dashboards.components.case_filter import CaseFilter
from dashboards.components.case_words import class_word, level_word, plain, source_word, stage_word
from dashboards.store import Store
from dashboards.words import Words

BLOCK = 2000
MAX_SHEET_ROWS = 1_048_575
"""What a sheet of Excel holds below its header; a longer export goes on in the next sheet."""

COLUMNS = (
    "incident_id", "class_code", "class", "description", "address", "district", "street",
    "community", "grid_id", "grid", "lon", "lat", "stage_word", "level", "owner_name", "person",
    "source", "reported_at", "deadline", "closed_at", "clock", "late_h", "condition",
)  # fmt: skip
NUMBERS = ("lon", "lat", "late_h")


def headers(words: Words) -> list[str]:
    """The words above the columns."""
    return [words(f"cases.csv.{name}") for name in COLUMNS]


def export_rows(
    store: Store, choice: CaseFilter, at: datetime, words: Words
) -> Iterator[list[Any]]:
    """Every case of the filter as a list of cells, read block by block."""
    offset = 0
    while True:
        page = find_page(store, choice, offset, BLOCK, at)
        if not len(page.rows):
            return
        yield from _cells(store, page.rows, at, words)
        offset += len(page.rows)


def _cells(store: Store, frame: pd.DataFrame, at: datetime, words: Words) -> Iterator[list[Any]]:
    city, zone = store.snapshot().city, store.zone
    people, names = People(store, at), unit_names(store)
    lon = frame["lon"].to_numpy(dtype=np.float64, na_value=np.nan)
    lat = frame["lat"].to_numpy(dtype=np.float64, na_value=np.nan)
    rows = city.assign(lon, lat)
    for k, (case, row) in enumerate(zip(frame.index, frame.to_dict("records"), strict=True)):
        grid = int(rows[k])
        grid_id = str(city.grids.index[grid]) if grid >= 0 else ""
        owner = plain(row["owner"])
        unit = owner or grid_id
        person = people.of_unit(unit) if unit else None
        late = float(row["late_s"])
        cells = {
            "incident_id": str(case),
            "class_code": plain(row["class_code"]),
            "class": class_word(store, row["class_code"], row["category"], words),
            "description": plain(row["description"]),
            "address": plain(row["address"]),
            "grid_id": grid_id,
            "grid": city.names[grid] if grid >= 0 else "",
            "lon": float(lon[k]) if np.isfinite(lon[k]) else None,
            "lat": float(lat[k]) if np.isfinite(lat[k]) else None,
            "stage_word": stage_word(words, row["stage"]),
            "level": level_word(words, row["level"]),
            "owner_name": names.get(owner, owner),
            "person": person.name if person else "",
            "source": source_word(words, row["source"]),
            "clock": words(f"cases.state.{row['state']}"),
            "late_h": round(late / 3600, 2) if late else None,
            "condition": plain(row["condition"]),
        }
        for level in ("district", "street", "community"):
            known = grid >= 0 and level in city.places
            cells[level] = plain(city.places[level].iloc[grid]) if known else ""
        for name in ("reported_at", "deadline", "closed_at"):
            moment = row[name]
            cells[name] = (
                ""
                if pd.isna(moment)
                else f"{pd.Timestamp(moment).tz_convert(zone):%Y-%m-%d %H:%M:%S}"
            )
        yield [cells[name] for name in COLUMNS]


def safe(cell: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return cell


def csv_lines(store: Store, choice: CaseFilter, at: datetime, words: Words) -> Iterator[bytes]:
    """UTF-8 with a byte-order mark, in pieces."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")

    def take() -> bytes:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text.encode("utf-8")

    writer.writerow(headers(words))
    yield b"\xef\xbb\xbf" + take()
    for number, cells in enumerate(export_rows(store, choice, at, words), start=1):
        writer.writerow(["" if cell is None else safe(cell) for cell in cells])
        if number % 200 == 0:
            yield take()
    yield take()


def write_xlsx(
    target: io.BufferedIOBase, store: Store, choice: CaseFilter, at: datetime, words: Words
) -> None:
    """A workbook written row by row; numbers stay numbers."""
    book = Workbook(write_only=True)
    name = words("cases.csv.name")
    sheet: Any = None
    for number, cells in enumerate(export_rows(store, choice, at, words)):
        if number % MAX_SHEET_ROWS == 0:
            sheet = _sheet(
                book, name if number == 0 else f"{name} {number // MAX_SHEET_ROWS + 1}", words
            )
        sheet.append([safe(cell) for cell in cells])
    if sheet is None:
        _sheet(book, name, words)
    book.save(target)


def _sheet(book: Workbook, title: str, words: Words) -> Any:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "B2"
    for k in range(len(COLUMNS)):
        sheet.column_dimensions[chr(ord("A") + k)].width = 18
    head = []
    for text in headers(words):
        cell = WriteOnlyCell(sheet, value=text)
        cell.font = Font(bold=True)
        head.append(cell)
    sheet.append(head)
    return sheet
