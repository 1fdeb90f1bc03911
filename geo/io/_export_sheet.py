"""Spreadsheets: local times, texts that stay texts, borders longer than a cell.

Used by `geo.io.export`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geo.errors import InputError

CELL_LETTERS = 32_767
"""Letters of a spreadsheet cell."""


def to_local(frame: pd.DataFrame, timezone: str) -> tuple[pd.DataFrame, str | None]:
    """Times without zone as people read them, and the zone; UTC if an hour occurs twice."""
    out = frame.copy()
    times = [n for n in out.columns if isinstance(out[n].dtype, pd.DatetimeTZDtype)]
    if not times:
        return out, None
    zone = timezone
    for name in times:
        local = out[name].dt.tz_convert(timezone).dt.tz_localize(None)
        back = local.dt.tz_localize(timezone, ambiguous="NaT", nonexistent="NaT")
        if (back.isna() & local.notna()).any():
            zone = "UTC"
    for name in times:
        out[name] = out[name].dt.tz_convert(zone).dt.tz_localize(None)
    return out, zone


def split_shapes(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Texts of shapes that are longer than a cell, in columns `wkt`, `wkt 2`, `wkt 3` …, and how
    many of these.

    Pieces neither begin nor end with a blank, which a spreadsheet might drop.
    """
    if "wkt" not in frame.columns or not (frame["wkt"].str.len() > CELL_LETTERS).any():
        return frame, 1
    pieces = [_cut(text) if isinstance(text, str) else [None] for text in frame["wkt"]]
    wide = max(map(len, pieces))
    out = frame.copy()
    for number in range(wide):
        name = "wkt" if number == 0 else f"wkt {number + 1}"
        texts = [p[number] if number < len(p) else None for p in pieces]
        out[name] = pd.Series(texts, index=out.index, dtype="str")
    return out, wide


def _cut(text: str) -> list[str | None]:
    pieces: list[str | None] = []
    start = 0
    while len(text) - start > CELL_LETTERS:
        end = start + CELL_LETTERS
        while text[end - 1] == " " or text[end] == " ":
            end -= 1
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]


def require_short(frame: pd.DataFrame, id_name: str) -> None:
    for name in frame.columns:
        if pd.api.types.is_string_dtype(frame[name].dtype):
            long = np.flatnonzero((frame[name].str.len() > CELL_LETTERS).fillna(False))
            if long.size:
                first = frame[id_name].iloc[long[0]]
                raise InputError(
                    f"{name} of {first} ({long.size} rows in all) is longer than the"
                    f" {CELL_LETTERS:,} letters of a spreadsheet cell: use .gpkg or .csv"
                )


def write_xlsx(frame: pd.DataFrame, draft: Path, title: str) -> None:
    """A workbook with real dates and numbers; a text that looks like a formula stays text."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    head = [WriteOnlyCell(sheet, value=str(name)) for name in frame.columns]
    for cell in head:
        cell.font = Font(bold=True)
    sheet.append(head)
    is_time = [pd.api.types.is_datetime64_any_dtype(frame[n].dtype) for n in frame.columns]
    columns = [
        frame[name].astype(object).where(frame[name].notna(), None) for name in frame.columns
    ]
    for values in zip(*columns, strict=True):
        row: list[Any] = []
        for value, when in zip(values, is_time, strict=True):
            if value is None:
                row.append(None)
            elif when:
                cell = WriteOnlyCell(sheet, value=value.to_pydatetime())
                cell.number_format = "yyyy-mm-dd hh:mm:ss"
                row.append(cell)
            elif isinstance(value, str):
                row.append(_text_cell(WriteOnlyCell(sheet), value))
            else:
                row.append(value.item() if hasattr(value, "item") else value)
        sheet.append(row)
    book.save(draft)


def _text_cell(cell: Any, text: str) -> Any:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)
    # "=1+1" typed by a citizen is a text, and an id with leading zeros is no number.
    cell.data_type = "s"
    cell.number_format = "@"
    return cell
