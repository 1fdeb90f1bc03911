"""A book of rounds opens elsewhere with the same sums, and nothing in it runs."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from openpyxl import load_workbook

from geo.errors import ColumnError
from geo.io.shift_book import Column, Sheet, csv_lines, guard, write_book

COLUMNS = (
    Column("grid", "网格", "text", 24),
    Column("required", "应巡 (次)", "count"),
    Column("done", "已完成 (次)", "count"),
    Column("share", "完成率", "share"),
    Column("first", "首个定位", "time", 18),
)
ROWS = pd.DataFrame(
    {
        "grid": ['=HYPERLINK("http://x")', "+1", "东湖第1网格", "@SUM(A1)"],
        "required": [3, 3, 1203, 0],
        "done": [1, 3, 1000, 0],
        "share": [1 / 3, 1.0, 0.5, None],
        "first": [pd.Timestamp("2026-11-20 08:03:10"), None, None, None],
    }
)
SHEET = Sheet(
    title="班次表 [2026/11/20]",
    notes=["2026-11-20", "边界版本 1"],
    columns=COLUMNS,
    rows=ROWS,
    total={"grid": "合计", "required": 1209, "done": 1004, "share": 1004 / 1209},
    legend=["未知：没有信号"],
    frozen=2,
    tints={"东湖第1网格": "D0D2D7"},
)


@pytest.fixture(scope="module")
def page():  # type: ignore[no-untyped-def]
    file = io.BytesIO()
    write_book(file, [SHEET, SHEET])
    file.seek(0)
    return load_workbook(file)


def test_a_fresh_reader_finds_the_same_rows_and_the_same_sums(page) -> None:  # type: ignore[no-untyped-def]
    sheet = page.worksheets[0]
    head = [cell.value for cell in sheet[5]]
    assert head == [column.heading for column in COLUMNS]
    rows = [[cell.value for cell in sheet[number]] for number in range(6, 10)]
    assert [row[0] for row in rows] == ROWS["grid"].tolist()
    total = {column.key: cell.value for column, cell in zip(COLUMNS, sheet[10], strict=True)}
    assert total["required"] == sum(row[1] for row in rows) == 1209
    assert total["done"] == sum(row[2] for row in rows) == 1004
    assert sheet["A12"].value == "未知：没有信号"


def test_no_cell_of_a_book_is_a_formula(page) -> None:  # type: ignore[no-untyped-def]
    kinds = {cell.data_type for row in page.worksheets[0].iter_rows() for cell in row}
    assert "f" not in kinds
    assert page.worksheets[0]["A6"].data_type == "s"


def test_headings_stay_and_numbers_are_numbers(page) -> None:  # type: ignore[no-untyped-def]
    sheet = page.worksheets[0]
    assert sheet.freeze_panes == "C6"
    assert sheet["B8"].number_format == "#,##0"
    assert sheet["D6"].number_format == "0%"
    assert sheet["E6"].value == pd.Timestamp("2026-11-20 08:03:10").to_pydatetime()
    assert sheet["A8"].fill.fgColor.rgb == "00D0D2D7"
    assert sheet["A1"].value == SHEET.title
    assert [sheet["A2"].value, sheet["A3"].value] == list(SHEET.notes)


def test_names_of_sheets_are_such_as_excel_takes(page) -> None:  # type: ignore[no-untyped-def]
    assert page.sheetnames == ["班次表 -2026-11-20-", "班次表 -2026-11-20- 2"]


def test_csv_has_the_rows_and_total_and_guards_what_would_run() -> None:
    text = b"".join(csv_lines(SHEET)).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == [column.heading for column in COLUMNS]
    assert [row[0] for row in rows[1:5]] == [guard(name) for name in ROWS["grid"]]
    assert rows[1][0].startswith("'=")
    assert rows[1][4] == "2026-11-20 08:03:10"
    assert rows[4][3] == ""
    assert int(rows[5][1]) == sum(int(row[1]) for row in rows[1:5])


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@cmd", "\t=1", "\r=1"])
def test_what_a_spreadsheet_may_run_gets_an_apostrophe(text: str) -> None:
    assert guard(text) == f"'{text}"


def test_a_table_without_a_column_is_refused_by_name() -> None:
    sheet = Sheet("x", [], COLUMNS, ROWS.drop(columns="done"))
    with pytest.raises(ColumnError, match="x lacks done"):
        write_book(io.BytesIO(), [sheet])
    with pytest.raises(ColumnError, match="x lacks done"):
        next(iter(csv_lines(sheet)))
