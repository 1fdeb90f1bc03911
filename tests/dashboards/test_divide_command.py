"""`wangge divide`: one clear line and exit 2 for what cannot be used, and real city areas."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import geo.divide
from dashboards.cli import main
from geo.io.divide import read_units


def town(**change) -> gpd.GeoDataFrame:
    """Six blocks of 100 m in a row, 60 households each, in two communities."""
    frame = pd.DataFrame(
        {
            "unit_id": [f"u{k}" for k in range(6)],
            "households": [60] * 6,
            "community": ["A"] * 3 + ["B"] * 3,
        }
    )
    boxes = [shapely.box(100 * k, 0, 100 * k + 100, 100) for k in range(6)]
    return gpd.GeoDataFrame(frame, geometry=boxes, crs="EPSG:4547").assign(**change)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["divide", *map(str, arguments)])
    return int(ended.value.code or 0)


@pytest.fixture
def units_file(tmp_path: Path) -> Path:
    file = tmp_path / "units.gpkg"
    town().to_file(file, layer="units")
    return file


def overlapping() -> gpd.GeoDataFrame:
    shapes = list(town().geometry)
    shapes[1] = shapely.box(50, 0, 200, 100)
    return town(geometry=shapes)


def inside() -> gpd.GeoDataFrame:
    shapes = list(town().geometry)
    shapes[1] = shapes[0].buffer(-20)
    return town(geometry=shapes)


@pytest.mark.parametrize(
    ("units", "more", "words"),
    [
        (town().drop(columns="households"), [], "has no column households"),
        (town(households=[60, -1, 60, 60, 60, 60]), [], "households of unit u1 is -1"),
        (town(households=[60, None, 60, 60, 60, 60]), [], "households of unit u1 is nan"),
        (town(households=list("abcdef")), [], "households of unit u0 is nan"),
        (town().drop(columns="community"), [], "has no column community"),
        (town(community=["A", None] + ["B"] * 4), [], "unit u1 has no community"),
        (town(unit_id=["u0", "u0", "u2", "u3", "u4", "u5"]), [], "u0 is there more than once"),
        (overlapping(), [], "units u0 and u1 overlap"),
        (town(geometry=[town().geometry[0], *town().geometry[:5]]), [], "units u0 and u1 overlap"),
        (inside(), [], "units u0 and u1 overlap by 3,600.0 m2"),
        (town().drop(columns=["households", "community"]), [],
         "has no column households, community: name it with --households, --community"),
        (town(), ["--band-of", "Z=100,200"], "the band of Z is for a community that has no unit"),
        (town(), ["--band-of", "A=200,100"], "the band of A is 200 to 100"),
        (town(), ["--band-of", "A"], "write COMMUNITY=LOW,HIGH"),
        (town(), ["--weigh", "cases=1"], "units lack cases"),
        (town(), ["--weigh", "households=-1"], "weights must be 0 or more"),
        (town(), ["--weigh", "households=much"], "write COLUMN=WEIGHT"),
        (town(), ["--lock", "G1"], "locked grids need the plan in force"),
        (town(), ["--households", "people"], "has no column people"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_bad_input_gives_one_line_and_exit_2(tmp_path, capfd, units, more, words):
    file = tmp_path / "units.gpkg"
    units.to_file(file, layer="units")
    out = tmp_path / "plan.csv"
    assert run(file, "--band", 100, 200, "--out", out, *more) == 2
    told = [line for line in capfd.readouterr().err.splitlines() if "compiling" not in line]
    assert len(told) == 1
    assert words in told[0]
    assert not out.exists()


@pytest.mark.parametrize("band", [(0, 300), (-5, 10), (200, "inf"), ("nan", 300)])
def test_a_band_of_what_is_no_number_above_0_says_so(tmp_path, capfd, units_file, band):
    assert run(units_file, "--band", *band, "--out", tmp_path / "plan.csv") == 2
    told = capfd.readouterr().err
    assert "give two numbers above 0" in told
    assert "compiling" not in told


@pytest.mark.parametrize(
    ("column", "word", "shift", "told"),
    [
        ("road_class", "river", 0.0, None),
        ("fclass", "canal", 0.0, None),
        ("道路等级", "河流", 0.0, None),
        ("道路等级", "RIVER", 0.0, None),
        ("road_class", "river", 3.0, "river: 0.0 of 0.1 km lie on borders of units"),
    ],
)
def test_a_river_holds_apart_in_any_words_and_is_told_where_it_does_not(
    tmp_path, capfd, units_file, column, word, shift, told
):
    """The river runs between u1 and u2, which without it would be one grid of 180 with u0."""
    line = shapely.LineString([(200 + shift, 0), (200 + shift, 100)])
    roads = gpd.GeoDataFrame({column: [word]}, geometry=[line], crs="EPSG:4547")
    roads.to_file(tmp_path / "roads.gpkg", layer="roads")
    out = tmp_path / "plan.csv"
    run(units_file, "--band", 100, 200, "--out", out, "--roads", tmp_path / "roads.gpkg")
    said = capfd.readouterr().err
    assert ("river" in said) is (told is not None)
    if told is not None:
        assert told in said
    else:
        plan = pd.read_csv(out).set_index("unit_id")["grid"]
        assert plan["u0"] == plan["u1"] != plan["u2"]


def test_classes_of_roads_that_nobody_knows_are_refused_or_told(tmp_path, capfd, units_file):
    line = shapely.LineString([(200, 0), (200, 100)])
    roads = gpd.GeoDataFrame({"road_class": ["Q7", "Q7"]}, geometry=[line, line], crs="EPSG:4547")
    roads.to_file(tmp_path / "roads.gpkg", layer="roads")
    out = tmp_path / "plan.csv"
    asked = (units_file, "--band", 100, 200, "--out", out, "--roads", tmp_path / "roads.gpkg")
    assert run(*asked) == 2
    assert "no road_class is a class that is known (Q7 (2))" in capfd.readouterr().err
    roads.assign(road_class=["Q7", "river"]).to_file(tmp_path / "roads.gpkg", layer="roads")
    assert run(*asked) == 0
    assert "road_class Q7 (1) is no class that is known" in capfd.readouterr().err


def test_a_file_of_several_layers_and_of_stretched_metres_is_divided(tmp_path):
    """Web Mercator at 31 degrees has metres of 0.86 m: the answer is that of true metres."""
    file = tmp_path / "city.gpkg"
    town().to_crs("EPSG:3857").to_file(file, layer="bloecke")
    town().head(2).to_file(file, layer="others")
    read = read_units(file, layer="bloecke", columns={})
    assert read.geometry.area.sum() == pytest.approx(60_000, rel=1e-3)
    assert run(file, "--band", 100, 200, "--out", tmp_path / "plan.csv", "--layer", "bloecke") == 0


def test_a_band_upside_down_gives_one_line_and_exit_2(tmp_path, capfd, units_file):
    assert run(units_file, "--band", 300, 200, "--out", tmp_path / "plan.csv") == 2
    assert "the band is 300 to 200: give the smaller number first" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("unit_id,grid\nu0,G1\nx9,G1\n", "names unit x9, which is not among the units"),
        ("unit_id,grid\nu0,G1\nu0,G2\n", "names unit u0 twice"),
        ("unit,grid\nu0,G1\n", "has no column unit_id"),
        ("", "cannot be read as CSV"),
    ],
    ids=["unknown unit", "a unit twice", "no unit_id", "empty"],
)
def test_a_plan_before_that_cannot_be_used_is_refused(tmp_path, capfd, units_file, rows, words):
    before = tmp_path / "before.csv"
    before.write_text(rows, "utf-8")
    out = tmp_path / "plan.csv"
    assert run(units_file, "--band", 100, 200, "--out", out, "--previous", before) == 2
    assert words in capfd.readouterr().err


def test_files_that_are_not_there_are_named(tmp_path, capfd, units_file):
    out = tmp_path / "plan.csv"
    assert run(tmp_path / "none.gpkg", "--band", 100, 200, "--out", out) == 2
    assert "none.gpkg is not there" in capfd.readouterr().err
    assert run(units_file, "--band", 100, 200, "--out", tmp_path / "plan.xlsx") == 2
    assert "written as .csv" in capfd.readouterr().err


def test_an_island_becomes_its_own_grid_and_is_named(tmp_path, capfd):
    shapes = list(town().geometry)
    shapes[0] = shapely.box(-900, 0, -800, 100)
    town(geometry=shapes).to_file(tmp_path / "units.gpkg", layer="units")
    assert run(tmp_path / "units.gpkg", "--band", 60, 130, "--out", tmp_path / "plan.csv") == 0
    assert "1 island, its own grid: u0" in capfd.readouterr().out


def test_what_cannot_be_names_the_compound_and_its_households(tmp_path, capfd):
    file, report = tmp_path / "units.gpkg", tmp_path / "report.json"
    town(households=[60, 1204, 90, 60, 60, 60]).to_file(file, layer="units")
    out = tmp_path / "plan.csv"
    assert run(file, "--band", 100, 200, "--out", out, "--report", report) == 0
    told = capfd.readouterr().out.splitlines()
    assert told[0] == "1 unit holds more than 200 and stands alone: u1 (1,204)"
    assert any(
        "A: cannot be in band because of u1 (1,204), which leaves 150 over" in x for x in told
    )
    proofs = json.loads(report.read_text("utf-8"))["proofs"]
    shut = [row for row in proofs if row["how"] == "arithmetic"]
    assert [(row["units"], row["load"], row["off"]) for row in shut] == [
        (["u0"], 60.0, 40.0), (["u2"], 90.0, 10.0)
    ]  # fmt: skip


def test_work_and_people_with_special_needs_are_balanced_where_asked(tmp_path):
    file, out = tmp_path / "units.gpkg", tmp_path / "plan.csv"
    town(community=["A"] * 6, cases=[100, 0, 0, 0, 0, 100], special=[0, 0, 20, 0, 0, 0]).to_file(
        file, layer="units"
    )
    weigh = ["--weigh", "households=1", "--weigh", "cases=1", "--weigh", "special=5"]
    assert run(file, "--band", 160, 340, "--out", out, *weigh) == 0
    grid = pd.read_csv(out, index_col="unit_id")["grid"]
    load = pd.Series([160, 60, 160, 60, 60, 160], index=grid.index).groupby(grid).sum()
    assert load.between(160, 340).all()
    assert len(load) >= 2


def test_villages_may_have_a_band_of_their_own(tmp_path):
    file, out = tmp_path / "units.gpkg", tmp_path / "plan.csv"
    town().to_file(file, layer="units")
    assert run(file, "--band", 150, 200, "--out", out, "--band-of", "B=50,70") == 0
    plan = pd.read_csv(out, index_col="unit_id")["grid"]
    assert plan[["u0", "u1", "u2"]].nunique() == 1
    assert plan[["u3", "u4", "u5"]].nunique() == 3


def test_the_first_run_says_that_it_compiles(tmp_path, capfd, units_file, monkeypatch):
    monkeypatch.setattr(geo.divide, "is_compiled", lambda: False)
    assert run(units_file, "--band", 100, 200, "--out", tmp_path / "plan.csv") == 0
    told = capfd.readouterr()
    assert "compiling the search, once after installing" in told.err
    assert "dividing" in told.err


@pytest.mark.real_data
@pytest.mark.parametrize("band", [(2_000, 4_000), (5_000, 9_000)])
def test_precincts_of_chicago_become_grids_of_their_wards(shared_data, tmp_path, capfd, band):
    file = shared_data / "us_chicago_precincts_hh" / "Chicago_Precincts.zip"
    out, report = tmp_path / "plan.csv", tmp_path / "report.json"
    units = gpd.read_file(file)
    units["unit_id"] = units["full_text"].astype(str)
    units["TOTHH"] = units["TOTHH"].round()
    units = units.dissolve("unit_id", aggfunc={"TOTHH": "sum", "ward": "first"}, as_index=False)
    units.to_file(tmp_path / "units.gpkg", layer="units")
    assert run(
        tmp_path / "units.gpkg", "--band", *band, "--out", out, "--households", "TOTHH",
        "--community", "ward", "--unit-id", "unit_id", "--effort", "fast", "--report", report,
    ) == 0  # fmt: skip
    plan = pd.read_csv(out, dtype=str).set_index("unit_id")["grid"]
    require_plan(units.set_index("unit_id"), plan, "ward", "TOTHH", report)


@pytest.mark.real_data
@pytest.mark.parametrize("band", [(8_000, 12_000), (15_000, 30_000)])
def test_tracts_of_new_york_become_grids_of_their_neighbourhoods(shared_data, tmp_path, band):
    file = shared_data / "us_nyc_tracts_pop" / "nyc_tracts.geojson"
    out, report = tmp_path / "plan.csv", tmp_path / "report.json"
    units = gpd.read_file(file).set_index("boro_ct2010")
    assert run(
        file, "--band", *band, "--out", out, "--households", "Population", "--community",
        "ntaname", "--unit-id", "boro_ct2010", "--effort", "fast", "--report", report,
    ) == 0  # fmt: skip
    units["Population"] = units["Population"].astype(float)
    plan = pd.read_csv(out, dtype=str).set_index("unit_id")["grid"]
    require_plan(units, plan, "ntaname", "Population", report)


def require_plan(units, plan, community, load, report) -> None:
    """Every unit once, nested, the sums right, no plan below the bound that the report tells."""
    assert sorted(plan.index) == sorted(units.index.astype(str))
    units = units.set_axis(units.index.astype(str)).assign(grid=plan)
    assert (units.groupby("grid")[community].nunique() == 1).all()
    said = json.loads(report.read_text("utf-8"))
    table = pd.DataFrame(said["grids"]).set_index("grid")
    sums = units.groupby("grid")[load].sum()
    assert np.allclose(table["load"].reindex(sums.index), sums)
    assert said["totals"]["bound"] <= said["totals"]["off"] + 1e-6
    assert said["totals"]["load"] == pytest.approx(units[load].sum())
    reasons = [row["cause"] for row in said["communities"] if row["off"] > 0]
    assert all(reasons)
