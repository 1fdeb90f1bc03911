"""`wangge import`: exit codes, one line of error, the printed account, the file of problems."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyogrio
import pytest

from dashboards.cli import main
from geo.io.workspace import create_workspace, open_workspace

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A city without anything in it, closed."""
    create_workspace(tmp_path / "city").close()
    (tmp_path / "a.csv").write_text(
        "id,lon,lat,class_code\n1,114.3,30.6,0118\n2,,,0118\n", encoding="utf-8"
    )
    return tmp_path / "city"


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line and give back its exit code, output and errors."""

    def go(*args: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(["import", *args, "--workspace", str(folder)])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return go


def test_rows_that_come_in_end_with_zero_and_an_account(run: Run, folder: Path) -> None:
    problems = folder.parent / "p.gpkg"
    code, out, err = run("assets", str(folder.parent / "a.csv"), "--problems", str(problems))
    assert (code, err) == (0, "")
    assert out.startswith("assets: 2 read = 1 accepted + 1 rejected\n")
    assert "no coordinates: row 2" in out
    assert f"problems written to {problems}: 1 in layer rows" in out
    assert pyogrio.list_layers(problems)[:, 0].tolist() == ["rows"]
    with open_workspace(folder) as city:
        assert city.count("assets") == 1


def test_rows_that_all_stay_out_end_with_one(run: Run, folder: Path) -> None:
    file = folder.parent / "a.csv"
    file.write_text("id,lon,lat,class_code\n2,,,0118\n")
    code, out, err = run("assets", str(file))
    assert code == 1
    assert "1 read = 0 accepted + 1 rejected" in out
    assert err == "wangge: none of 1 rows was accepted\n"


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (b"\x89PNG\r\n\x1a\n", (), "a.csv is no data file but a PNG picture"),
        (b"", (), "is empty"),
        (b"a,b\n1,2\n", (), "has no column for asset_id, class_code: its columns are a, b"),
        (b"id,lon,lat\n1,2,3\n", ("--map", "nonsense"), "--map nonsense is not of the form"),
        (b"id,lon,lat\n1,2,3\n", ("--source-crs", "mars"), "mars"),
        (b"id,lon,lat\n1,2,3\n", ("--timezone", "Mars"), "no time zone is called Mars"),
    ],
)
def test_what_cannot_be_used_ends_with_two_and_one_line(
    run: Run, folder: Path, data: bytes, options: tuple[str, ...], words: str
) -> None:
    file = folder.parent / "a.csv"
    file.write_bytes(data)
    before = (folder / "city.gpkg").read_bytes()
    code, out, err = run("assets", str(file), *options)
    assert (code, out) == (2, "")
    assert err.startswith("wangge: ")
    assert words in err
    assert err.count("\n") == 1
    assert (folder / "city.gpkg").read_bytes() == before


def test_a_file_that_is_not_there_ends_with_two(run: Run, folder: Path) -> None:
    code, _, err = run("assets", str(folder.parent / "none.csv"))
    assert code == 2
    assert "is not there" in err


def test_an_overlap_ends_with_one_and_its_place_is_written(run: Run, folder: Path) -> None:
    file = folder.parent / "g.csv"
    file.write_text(
        'id,wkt\nA,"POLYGON ((114.3 30.6,114.4 30.6,114.4 30.7,114.3 30.7,114.3 30.6))"\n'
        'B,"POLYGON ((114.39 30.6,114.5 30.6,114.5 30.7,114.39 30.7,114.39 30.6))"\n'
    )
    problems = folder.parent / "p.gpkg"
    code, out, err = run("grids", str(file), "--problems", str(problems))
    assert code == 1
    assert "REFUSED: 1 overlap between grids" in out
    assert err.startswith("wangge: 1 overlap between grids")
    areas = pyogrio.read_dataframe(problems, layer="areas")
    assert sorted(areas["reason"]) == [
        "overlap",
        "the whole import was refused",
        "the whole import was refused",
    ]


def test_the_report_comes_as_json_too(run: Run, folder: Path) -> None:
    code, out, _ = run("assets", str(folder.parent / "a.csv"), "--json", "--dry-run")
    report = json.loads(out)
    assert code == 0
    assert (report["read"], report["accepted"], report["rejected"]) == (2, 1, 1)
    assert report["rejected_by_reason"] == {"no coordinates": 1}
    assert report["dry_run"] is True


def test_the_zone_comes_from_the_option_or_the_workspace(run: Run, folder: Path) -> None:
    file = folder.parent / "i.csv"
    file.write_text("id,lon,lat,time\n1,-74,40.7,2024-05-01 10:00\n")
    (folder / "settings.toml").write_text('timezone = "America/New_York"\n')
    code, out, _ = run("incidents", str(file))
    assert code == 0
    assert "times without a zone are taken as America/New_York" in out
    _, out, _ = run("incidents", str(file), "--update", "--timezone", "UTC")
    assert "times without a zone are taken as UTC" in out


def test_the_environment_names_the_zone_before_the_file_does(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.parent / "i.csv"
    file.write_text("id,lon,lat,time\n1,-74,40.7,2024-05-01 10:00\n")
    (folder / "settings.toml").write_text('timezone = "Asia/Shanghai"\n')
    monkeypatch.setenv("WANGGE_TIMEZONE", "America/New_York")
    _, out, _ = run("incidents", str(file))
    assert "times without a zone are taken as America/New_York" in out


def test_the_account_names_what_became_of_foreign_categories(run: Run, folder: Path) -> None:
    file = folder.parent / "i.csv"
    row = "{},-74,40.7,2024-05-01 10:00,{}\n"
    words = ["Illegal Parking", "Illegal Parking", "Graffiti", "HEAT/HOT WATER", "Moon Landing"]
    file.write_text("id,lon,lat,time,complaint_type\n" + "".join(map(row.format, range(5), words)))
    _, out, _ = run("incidents", str(file), "--timezone", "America/New_York")
    assert "          2  Illegal Parking -> E0505\n" in out
    assert "          1  HEAT/HOT WATER -> none of ours\n" in out
    assert "          1  Moon Landing -> no class\n" in out
    assert "1 incidents keep their category and have no class" in out
    _, out, _ = run("incidents", str(file), "--update", "--json")
    classes = json.loads(out)["classes"]
    assert {"category": "Moon Landing", "class_code": None, "rows": 1} in classes
    assert {"category": "HEAT/HOT WATER", "class_code": "", "rows": 1} in classes


def test_problems_may_not_overwrite_an_input(run: Run, folder: Path) -> None:
    code, _, err = run(
        "assets", str(folder.parent / "a.csv"), "--problems", str(folder / "city.gpkg")
    )
    assert code == 2
    assert "would overwrite an input" in err
