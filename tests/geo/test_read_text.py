"""Delimited text in every state that cities send it in."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.errors import InputError
from geo.io._read_text import clean_names, detect_encoding, find_delimiter
from geo.io.read import Source, read_sources

ROWS = [
    ["编号", "名称", "经度"],
    ["007", "中关村街道办事处", "116.31"],
    ["008", "学院路社区", "116.35"],
]


def read(path: Path, data: bytes | str, **options: object) -> Source:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    (source,) = read_sources(path, **options)  # type: ignore[arg-type]
    return source


def lines(delimiter: str = ",", end: str = "\n") -> str:
    return end.join(delimiter.join(row) for row in ROWS) + end


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-32"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_text_of_any_encoding_and_delimiter_reads_the_same(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    source = read(tmp_path / "a.csv", lines(delimiter).encode(encoding))
    assert [list(source.frame.columns), *source.frame.to_numpy().tolist()] == ROWS


def test_traditional_characters_are_read_as_big5(tmp_path: Path) -> None:
    text = "編號,名稱,位置\n1,臺中市西屯區,中正路與民權路口消防栓\n2,大甲區公所,經國路北側人行道\n"
    source = read(tmp_path / "a.csv", text.encode("big5"))
    assert source.frame["名稱"].tolist() == ["臺中市西屯區", "大甲區公所"]
    assert "big5" in source.notes[0]


def test_western_letters_are_read_as_windows_1252(tmp_path: Path) -> None:
    text = "id,name\n1,Café Müller\n2,Straße des Friedens\n3,Señor Peña\n"
    source = read(tmp_path / "a.csv", text.encode("cp1252"))
    assert source.frame["name"].tolist() == ["Café Müller", "Straße des Friedens", "Señor Peña"]


def test_the_encoding_that_was_told_is_used_and_named(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", lines().encode("gbk"), encoding="gb18030")
    assert source.frame.iloc[0, 1] == "中关村街道办事处"
    assert source.notes == ("a.csv: text read as gb18030, as told",)
    with pytest.raises(InputError, match="no encoding is called klingon"):
        read(tmp_path / "a.csv", lines(), encoding="klingon")


def test_a_few_broken_bytes_do_not_turn_a_chinese_file_into_accents(tmp_path: Path) -> None:
    data = lines().encode() * 20 + b"009,\xff\xfe,1\n"
    source = read(tmp_path / "a.csv", data)
    assert source.frame.iloc[0, 1] == "中关村街道办事处"
    assert source.frame.iloc[-1, 1] == "\ufffd\ufffd"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do(tmp_path: Path, end: str) -> None:
    source = read(tmp_path / "a.csv", lines(end=end))
    assert source.frame["编号"].tolist() == ["007", "008"]


def test_quoted_values_may_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", 'id,"na\nme",x\n1,"a, ""b""\nc",2\n')
    assert list(source.frame.columns) == ["id", "na me", "x"]
    assert source.frame.iloc[0, 1] == 'a, "b"\nc'


def test_titles_above_the_header_are_left_out_and_named(tmp_path: Path) -> None:
    text = "某市路灯台账,,\n导出时间：2024年,,\n编号,名称,经度\n1,甲,116.1\n2,乙,116.2\n"
    source = read(tmp_path / "a.csv", text)
    assert list(source.frame.columns) == ["编号", "名称", "经度"]
    assert len(source.frame) == 2
    assert any("2 line(s) above the header" in note for note in source.notes)


def test_a_row_that_does_not_fit_the_header_comes_back_with_its_number(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", "a,b,c\n1,2,3\n4,5\n6,7,8\n9,9,9,9\n1,1,1\n")
    assert source.rows.tolist() == [1, 3, 5]
    assert source.bad["row"].tolist() == [2, 4]
    assert source.bad["detail"].tolist() == [
        "2 values, the header has 3",
        "4 values, the header has 3",
    ]
    assert source.read == 5


def test_a_delimiter_at_the_end_of_every_row_is_no_fault(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", "a,b\n1,2,\n3,4,\n")
    assert source.frame["a"].tolist() == ["1", "3"]
    assert source.bad.empty


def test_row_names_without_a_heading_are_a_column_of_their_own(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", '"id","x"\n"r1",7,8\n"r2",9,10\n')
    assert source.frame["id"].tolist() == ["7", "9"]


def test_the_hint_of_a_spreadsheet_names_the_delimiter(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", "sep=;\na;b\n1,5;2\n")
    assert source.frame.to_numpy().tolist() == [["1,5", "2"]]


def test_pieces_are_the_whole_in_order(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": range(200_000), "text": "abcdefghijklmnopqrstuvwxyz" * 3})
    frame.to_csv(tmp_path / "a.csv", index=False)
    pieces = list(read_sources(tmp_path / "a.csv", chunk_rows=50_000))
    assert len(pieces) > 1
    assert [i for p in pieces for i in p.frame["id"]] == [str(i) for i in range(200_000)]
    assert [r for p in pieces for r in p.rows.tolist()] == list(range(1, 200_001))


def test_a_mark_that_is_never_closed_is_refused_and_inches_are_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a quotation mark in row 2 is never closed"):
        read(tmp_path / "a.csv", 'id,name\n1,x\n2,"open\n3,y\n4,z\n')
    assert read(tmp_path / "a.csv", 'id,name\n1,pipe 12"\n2,y\n').read == 2


def test_a_title_of_one_cell_is_no_header(tmp_path: Path) -> None:
    source = read(tmp_path / "a.csv", "标题,,,\n,,,\n工号,姓名,岗位,手机\n1,张三,x,2\n2,李四,,\n")
    assert list(source.frame.columns) == ["工号", "姓名", "岗位", "手机"]


def test_names_are_cleaned_and_told_apart() -> None:
    assert clean_names(["\ufeffid", " a\n b ", "", "id"]) == ["id", "a b", "column 3", "id (2)"]


def test_a_file_without_names_of_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no line with the names of its columns .*add one"):
        read(tmp_path / "a.csv", "1,2,3\n4,5,6\n")


def test_a_header_without_rows_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "id,name\n").read == 0


@given(
    st.lists(
        st.text("abc中文é ,;\"'\t|", min_size=1, max_size=8).filter(str.strip),
        min_size=3,
        max_size=3,
    ),
)
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory: object, values: list[str]) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["alpha", "beta", "gamma"])
    for _ in range(5):
        writer.writerow(["id", "plain", "words"])
    writer.writerow(values)
    path = tmp_path_factory.getbasetemp() / "w.csv"  # type: ignore[attr-defined]
    assert read(path, text.getvalue(), encoding="utf-8").frame.iloc[-1].tolist() == values


def test_encodings_are_told_apart_by_their_bytes() -> None:
    assert detect_encoding("纬度,经度\n".encode())[0] == "utf-8"
    assert detect_encoding("纬度,经度,名称,编号\n".encode("gbk"))[0] == "gb18030"
    assert detect_encoding(b"plain")[0] == "utf-8"
    assert find_delimiter(["a;b,c;d", "1;2,3;4"]) == ";"
