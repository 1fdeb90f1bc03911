"""Real cities compared: exact counts of the files, and what may not be said about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.compare import OUTSIDE, UNPLACED, compare, find_period, make_span, period_before
from geo.evaluate import evaluate, reconcile
from geo.io.case_columns import read_case_columns
from geo.io.compare import compare_city, read_boundary
from geo.io.evaluation import read_case_facts
from geo.io.gate import import_files
from geo.io.rules import read_rules
from geo.io.workspace import Workspace, create_workspace

pytestmark = pytest.mark.real_data

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
EAST, WEST = ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")


def settle(workspace: Workspace, zone: ZoneInfo) -> None:
    (workspace.path / "settings.toml").write_text(f'timezone = "{zone.key}"\n', encoding="utf-8")


@pytest.fixture(scope="module")
def york(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Workspace]:
    """2,166 tracts in five boroughs, and three extracts of cases; nothing is written to it."""
    workspace = create_workspace(tmp_path_factory.mktemp("york") / "city")
    settle(workspace, EAST)
    tracts = shared_data / "us_nyc_tracts_pop" / "nyc_tracts.geojson"
    import_files(workspace, "grids", [tracts], at=AT, allow_gaps=True)
    names = ("nyc311_2019-12.csv", "nyc311_2024-05.csv", "nyc311_animals_2025.csv")
    files = [shared_data / "inc_nyc_311" / name for name in names]
    import_files(workspace, "incidents", files, at=AT, timezone=EAST.key)
    with workspace:
        yield workspace


def test_two_nights_of_new_york_are_counted_and_not_called_months(york: Workspace) -> None:
    """Each extract is one night. As months they cannot be compared; as evenings they are counted
    by borough, unplaced ones beside, and add up to a thousand each."""
    cases, boundary, rules = read_case_columns(york), read_boundary(york), read_rules(york)
    months = [find_period("month", date(y, m, 1), zone=EAST) for y, m in ((2024, 5), (2019, 12))]
    found = compare(cases, boundary, *months, level="district", calendar=rules.calendar)
    counts = found.table.set_index("name")[["now", "then"]]
    assert counts.loc["Manhattan"].tolist() == [178, 183]
    assert counts.loc["Bronx"].tolist() == [227, 183]
    assert counts.loc["Brooklyn"].tolist() == [281, 289]
    assert counts.loc["Queens"].tolist() == [281, 297]
    assert counts.loc["Staten Island"].tolist() == [21, 35]
    assert counts.loc[UNPLACED].tolist() == [12, 13]
    assert (found.total["now"], found.total["then"]) == (1000, 1000)
    assert set(found.table["verdict"]) == {"unknown"}
    assert {"then_before_records", "now_has_gaps"} <= set(found.notes)


def test_animals_of_new_york_did_not_clearly_change_from_january_to_february(
    york: Workspace,
) -> None:
    cases, boundary, rules = read_case_columns(york), read_boundary(york), read_rules(york)
    found = compare_city(
        cases, boundary, rules, kind="month", day=date(2025, 2, 1), against="last_period",
        level="district", at=AT,
    )  # fmt: skip
    counts = found.table.set_index("name")
    assert counts["now"].to_dict() == {
        "Staten Island": 171, "Manhattan": 357, "Brooklyn": 620, "Bronx": 255, "Queens": 460,
        "(no unit)": 0, OUTSIDE: 2, UNPLACED: 19,
    }  # fmt: skip
    assert (found.total["now"], found.total["then"]) == (1884, 2038)
    # 28 days against 31: 154 fewer cases are 2 % more a day, and weeks scatter six times Poisson.
    assert found.total["change"] == pytest.approx(0.024, abs=0.001)
    assert found.total["verdict"] == "no_clear_change"
    assert found.total["dispersion"] == pytest.approx(6.1, abs=0.1)
    by_tract = compare(
        cases, boundary, found.now, found.then, level="grid", calendar=rules.calendar
    )
    assert by_tract.total[["now", "then"]].tolist() == [1884, 2038]
    # Of 2,166 tracts two rose, to 29 from 1, to 14 from 1; none clearly fell.
    clear = by_tract.table[by_tract.table["verdict"].isin(["rose", "fell"])]
    assert clear["now"].to_dict() == {"3081800": 29, "1004400": 14}
    # Central Park went to 39 from 13, all at its one point: who can tell whether they are one dog.
    park = by_tract.table.loc["1014300"]
    assert park[["now", "then", "verdict"]].tolist() == [39, 13, "no_clear_change"]
    # Six clusters: two classes in some of the four weeks.
    assert park["now_repeats"] == 39 - 6
    assert (clear["verdict"] == "rose").all()
    assert (by_tract.table["verdict"] == "too_few").sum() == 1976


def test_what_files_of_new_york_do_not_tell_has_no_value(york: Workspace) -> None:
    cases, boundary = read_case_columns(york), read_boundary(york)
    february = find_period("month", date(2025, 2, 1), zone=EAST)
    facts = read_case_facts(york, cases)
    found = evaluate(facts, february, boundary=boundary, level="district", compared=False)
    assert found.table["value"].dropna().index.get_level_values("indicator").unique().tolist() == [
        "high_frequency_share"
    ]
    reasons = found.table["reason"].groupby("indicator").agg(set)
    assert "not_logged" in reasons["opening_rate"]
    assert "no_deadline" in reasons["closing_rate"]
    table = reconcile(cases, february)
    assert table.loc["(total)"].to_dict() == {
        "reported": 1884, "solved": 1818, "open": 66, "cancelled": 0, "unknown": 0,
    }  # fmt: skip
    assert (table[:-1].sum() == table.loc["(total)"]).all()


def test_five_years_of_baltimore_by_month(workspace: Workspace, shared_data: Path) -> None:
    """10,000 cases, a sample; every month of five years, counted by pandas from the file."""
    settle(workspace, EAST)
    file = shared_data / "inc_baltimore_311" / "311_sample.csv"
    import_files(workspace, "incidents", [file], at=AT, timezone=EAST.key)
    box = gpd.GeoDataFrame(
        {"grid_id": ["B"]}, geometry=[shapely.box(-76.72, 39.19, -76.52, 39.38)], crs="EPSG:4326"
    )
    box.to_file(workspace.path / "box.gpkg")
    import_files(workspace, "grids", [workspace.path / "box.gpkg"], at=AT)
    cases, boundary, rules = read_case_columns(workspace), read_boundary(workspace), None
    rules = read_rules(workspace)
    source = pd.read_csv(file, dtype="str")
    made = pd.to_datetime(source["CreatedDate"], format="%m/%d/%Y %I:%M:%S %p")
    by_month = made.dt.to_period("M").value_counts()
    told = 0
    for month in pd.period_range("2014-02", "2019-01", freq="M"):
        now = find_period("month", month.to_timestamp().date(), zone=EAST)
        found = compare(
            cases, boundary, now, period_before(now), calendar=rules.calendar,
            known_since=datetime(2014, 1, 1, tzinfo=EAST),
        )  # fmt: skip
        assert found.total["now"] == by_month.get(month, 0)
        assert found.total["then"] == by_month.get(month - 1, 0)
        assert found.table["now"].sum() == found.total["now"]
        told += found.total["verdict"] in ("rose", "fell")
    # Sixty comparisons of neighbouring months; by chance alone three would be clear.
    assert 3 <= told <= 30
    # Five in a hundred have no place, and nine in a hundred the place 39.0, -77.0 or -76.0.
    year = find_period("year", date(2018, 1, 1), zone=EAST)
    found = compare(cases, boundary, year, period_before(year), calendar=rules.calendar)
    assert found.total["now"] == (made.dt.year == 2018).sum()
    assert found.table.loc[[OUTSIDE, UNPLACED], "now"].sum() > 0.1 * found.total["now"]


def test_deadlines_of_baltimore_make_a_rate_in_time(
    workspace: Workspace, shared_data: Path
) -> None:
    """Closed in time of what fell due or was closed in 2018, by the columns of the file."""
    settle(workspace, EAST)
    file = shared_data / "inc_baltimore_311" / "311_sample.csv"
    import_files(workspace, "incidents", [file], at=AT, timezone=EAST.key)
    cases = read_case_columns(workspace)
    year = find_period("year", date(2018, 1, 1), zone=EAST)
    found = evaluate(read_case_facts(workspace, cases), year, by="department", compared=False)
    sums = found.table.groupby(level="indicator")[["numerator", "denominator"]].sum()
    rows = workspace.read("incidents")
    due, closed = rows["deadline"], rows["closed_at"].where(rows["stage"] == "closed")
    begin = pd.Timestamp(year.begin_s, unit="s", tz="UTC")
    end = pd.Timestamp(year.end_s, unit="s", tz="UTC")
    gone = (rows["stage"] == "cancelled") & (rows["closed_at"] < end)
    falls = due.between(begin, end, inclusive="left") & ~gone & (rows["reported_at"] < end)
    ends = closed.between(begin, end, inclusive="left") & due.notna()
    counted = falls | ends
    in_time = counted & (closed <= due) & (closed < end)
    assert sums.loc["on_time_closing_rate"].tolist() == [in_time.sum(), counted.sum()]
    # When a case was handled the file never tells, only that open ones are not.
    handled = found.table.xs("handling_rate", level="indicator")
    assert handled["numerator"].sum() == 0
    # What was cancelled after the year was still due in it.
    silent = (falls & rows["stage"].isin(["closed", "cancelled"])).sum()
    assert (handled["unknown"].sum(), handled["value"].fillna(0).max()) == (silent, 0)


@pytest.fixture
def sacramento(workspace: Workspace, shared_data: Path) -> Workspace:
    """January 2006 with its own districts, beats and grid; their borders are drawn around the
    cases, for the file has none: a grid is where its number is the nearest."""
    settle(workspace, WEST)
    file = shared_data / "inc_sacramento_crime" / "SacramentocrimeJanuary2006.csv"
    import_files(workspace, "incidents", [file], at=AT, make_ids="SAC", timezone=WEST.key)
    source = pd.read_csv(file, dtype="str")
    source["beat"] = source["beat"].str.strip()
    source = source[source["beat"] != ""]
    for name in ("longitude", "latitude"):
        source[name] = source[name].astype(float)
    spots = source.groupby("grid").agg(
        lon=("longitude", "median"), lat=("latitude", "median"),
        beat=("beat", lambda column: column.mode()[0]),
    )  # fmt: skip
    town = shapely.box(-121.6, 38.4, -121.3, 38.75)
    middles = shapely.multipoints(spots[["lon", "lat"]].to_numpy())
    cells = shapely.get_parts(shapely.voronoi_polygons(middles, extend_to=town))
    tree = shapely.STRtree(cells)
    at = tree.query(shapely.points(spots["lon"], spots["lat"]), predicate="within")
    shapes = pd.Series(cells[at[1]], index=spots.index[at[0]])
    spots = spots.loc[shapes.index]
    beats = sorted(set(spots["beat"]))
    districts = sorted({beat[0] for beat in beats})
    divisions = pd.DataFrame(
        [("SAC", "city", "Sacramento", None)]
        + [(f"D{d}", "district", f"District {d}", "SAC") for d in districts]
        + [(f"D{d}00", "street", f"District {d}", f"D{d}") for d in districts]
        + [(b, "community", f"Beat {b}", f"D{b[0]}00") for b in beats],
        columns=["code", "level", "name", "parent_code"],
    )
    divisions.to_csv(workspace.path / "divisions.csv", index=False)
    import_files(workspace, "divisions", [workspace.path / "divisions.csv"], at=AT)
    grids = gpd.GeoDataFrame(
        {"grid_id": spots.index, "community_code": spots["beat"].to_numpy()},
        geometry=list(shapely.intersection(shapes.to_numpy(), town)), crs="EPSG:4326",
    )  # fmt: skip
    grids.to_file(workspace.path / "grids.gpkg")
    import_files(workspace, "grids", [workspace.path / "grids.gpkg"], at=AT, allow_gaps=True)
    return workspace


def test_halves_of_january_in_sacramento_add_up_at_every_level(sacramento: Workspace) -> None:
    cases, boundary = read_case_columns(sacramento), read_boundary(sacramento)
    rules = read_rules(sacramento)
    late = make_span(date(2006, 1, 16), date(2006, 1, 31), zone=WEST)
    early = make_span(date(2006, 1, 1), date(2006, 1, 15), zone=WEST)
    rows = sacramento.read("incidents")
    day = rows["reported_at"].dt.tz_convert(WEST).dt.day
    wanted = [(day > 15).sum(), (day <= 15).sum()]
    for level in ("city", "district", "community", "grid"):
        found = compare(cases, boundary, late, early, level=level, calendar=rules.calendar)
        assert (
            found.table[["now", "then"]].sum().tolist()
            == wanted
            == found.total[["now", "then"]].tolist()
        ), level
    assert sum(wanted) == len(rows) == 7546
    by_district = compare(cases, boundary, late, early, level="district", calendar=rules.calendar)
    assert by_district.table.index.tolist()[:6] == ["D1", "D2", "D3", "D4", "D5", "D6"]
    assert (by_district.table["now"][:6] > 300).all()
    assert np.isfinite(by_district.table["p"][:6]).all()
    # A month has too few weeks for the scatter, and that is said.
    assert "scatter_not_estimated" in by_district.notes
