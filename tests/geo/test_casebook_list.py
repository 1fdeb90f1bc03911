"""Pages of the list: the same cases, in the same order, as a slow look at every row gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.deadlines import CLOCK_STATES, read_clocks
from geo.errors import InputError
from geo.io import _casebook_list
from geo.io._casebook_words import FILE
from geo.io.casebook import CaseBook, CaseQuery
from geo.io.rules import read_rules
from geo.io.workspace import create_workspace
from geo.locate import GridIndex
from geo.schema import STAGES

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
TEXTS = ("井盖破损", "暴露垃圾", "Road is Wet", "100% 坏_了", "垃圾", None)
OPEN = ("collected", "opened", "dispatched", "handling", "fed_back")
MANY = 400


def draw_cases(rng, n):
    """Cases of ten days, many at the same time and with the same deadline, so that ties occur."""
    hours = rng.integers(0, 240, n)
    hours[:4] = 100, 30, 100, 30  # at the very ends of what the queries ask for
    reported = pd.Timestamp(AT) - pd.to_timedelta(hours, unit="h")
    stage = rng.choice(STAGES, n)
    is_done = np.isin(stage, ["closed", "cancelled"])
    closed = pd.Series(reported + pd.to_timedelta(rng.integers(0, 60, n), unit="h"))
    closed = closed.where(is_done & (rng.random(n) < 0.9) & (closed <= pd.Timestamp(AT)))
    deadline = pd.Series(reported + pd.to_timedelta(rng.integers(1, 200, n), unit="h"))
    paused = pd.Series(pd.Timestamp(AT) + pd.to_timedelta(rng.integers(-9, 9, n), unit="h"))
    lon, lat = 114 + rng.integers(0, 41, n) / 1e4, 30 + rng.integers(0, 41, n) / 1e4
    gone = rng.random(n) < 0.1
    return gpd.GeoDataFrame(
        {
            "incident_id": [f"c{k:04d}" for k in rng.permutation(n)],
            "class_code": pd.Series(rng.choice(["E0102", "E0401", "C0118", "E2199"], n)).where(
                rng.random(n) < 0.9
            ),
            "description": [TEXTS[k] for k in rng.integers(len(TEXTS), size=n)],
            "address": [f"建设路{k}号" for k in rng.integers(1, 60, n)],
            "lon": np.where(gone, np.nan, lon),
            "lat": np.where(gone, np.nan, lat),
            "source": rng.choice(["app", "video"], n),
            "reported_at": reported,
            "stage": stage,
            "deadline": deadline.where(rng.random(n) < 0.8),
            "closed_at": closed,
            "owner": pd.Series(rng.choice(["D01", "D02"], n)).where(rng.random(n) < 0.7),
            "level": rng.choice(["grid", "street"], n),
            "paused_until": paused.where(rng.random(n) < 0.2),
        },
        geometry=np.where(gone, None, shapely.points(lon, lat)),
        crs="EPSG:4326",
    )


def draw_city():
    """Four grids in two communities of one street; C and D from 20 November on as one, E.

    C D        E E
    A B        A B
    """
    boxes = {
        "A": (0, 0, 20, 20),
        "B": (20, 0, 40, 20),
        "C": (0, 20, 20, 40),
        "D": (20, 20, 40, 40),
        "E": (0, 20, 40, 40),
    }
    change = pd.Timestamp(2026, 11, 20, tz="UTC")
    grids = gpd.GeoDataFrame(
        {
            "grid_id": list(boxes),
            "kind": "base",
            "community_code": ["500112001001", "500112001001", *["500112001002"] * 3],
            "version": [1, 1, 1, 1, 2],
            "valid_from": [pd.Timestamp(2026, 1, 1, tz="UTC")] * 4 + [change],
            "valid_to": [pd.NaT, pd.NaT, change, change, pd.NaT],
        },
        geometry=[
            shapely.box(114 + w / 1e4, 30 + s / 1e4, 114 + e / 1e4, 30 + n / 1e4)
            for w, s, e, n in boxes.values()
        ],
        crs="EPSG:4326",
    )
    box = shapely.box(114.0005, 30.0005, 114.0015, 30.002)
    divisions = gpd.GeoDataFrame(
        {
            "code": [
                "500100000000",
                "500112000000",
                "500112001000",
                "500112001001",
                "500112001002",
                "500113000000",
            ],
            "level": ["city", "district", "street", "community", "community", "district"],
            "name": ["市", "区", "街道", "甲", "乙", "另区"],
            "parent_code": [
                None,
                "500100000000",
                "500112000000",
                "500112001000",
                "500112001000",
                "500100000000",
            ],
        },
        geometry=[None] * 5 + [box],
        crs="EPSG:4326",
    )
    zones = gpd.GeoDataFrame(
        {"zone_id": ["z1"], "kind": ["商圈"], "name": ["步行街"]}, geometry=[box], crs="EPSG:4326"
    )
    return divisions, grids, zones


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("list") / "city"
    with create_workspace(folder) as workspace:
        divisions, grids, zones = draw_city()
        with workspace.writing() as conn:
            workspace.append(conn, "divisions", divisions)
            workspace.append(conn, "grids", grids)
            workspace.append(conn, "zones", zones)
            workspace.append(conn, "incidents", draw_cases(np.random.default_rng(5), MANY))
        yield CaseBook(workspace, read_rules(workspace))


def units_of(rows):
    """The codes of every unit that has each case at `AT`."""
    _, grids, zones = draw_city()
    now = grids[grids["valid_to"].isna()].reset_index(drop=True)
    at = GridIndex(now).assign(rows["lon"], rows["lat"])
    units = []
    points = shapely.points(rows["lon"], rows["lat"])
    for row, point in zip(at, points, strict=True):
        mine = {"500100000000"}
        if row >= 0:
            mine |= {now["grid_id"][row], now["community_code"][row], "500112001000"}
            mine |= {"500112000000"}
        if np.isfinite(shapely.get_x(point)) and zones.geometry[0].intersects(point):
            mine |= {"zone:z1", "500113000000"}
        units.append(mine)
    return units


@cache
def read_rows(book):
    rows = book.workspace.read("incidents").assign(fid=np.arange(1, MANY + 1))
    return rows, units_of(rows)


def look_at_every_row(book, query, at=AT):
    """The ids of a query, in order, by pandas."""
    rows, units = read_rows(book)
    done = ~rows["stage"].isin(OPEN)
    paused = (rows["paused_until"] > pd.Timestamp(at)).fillna(False)
    state = read_clocks(
        rows["deadline"], at=at, closed_at=rows["closed_at"], is_paused=paused, soon_h=2.0
    )["state"].mask(done & rows["closed_at"].isna(), "done")
    keep = pd.Series(True, index=rows.index)
    if query.stages:
        keep &= rows["stage"].isin(query.stages)
    if query.state:
        keep &= state == query.state
    if query.class_codes:
        keep &= rows["class_code"].str.startswith(query.class_codes).fillna(False).astype(bool)
    if query.class_group:
        groups = {"component": "C", "emergency": "E04", "extension": "E21"}
        keep &= rows["class_code"].str.startswith(groups[query.class_group]).fillna(False)
    for name in ("level", "owner", "source"):
        if getattr(query, name):
            keep &= rows[name] == getattr(query, name)
    if query.since:
        keep &= rows["reported_at"] >= query.since
    if query.until:
        keep &= rows["reported_at"] < query.until
    if query.unplaced is not None:
        keep &= rows["lon"].isna() == query.unplaced
    if query.bbox:
        west, south, east, north = query.bbox
        keep &= rows["lon"].between(west, east) & rows["lat"].between(south, north)
    if query.unit:
        keep &= np.array([query.unit in mine for mine in units])
    for word in query.text.lower().split():
        texts = [rows.index.to_series(), rows["description"], rows["address"]]
        keep &= sum(t.str.lower().str.contains(word, regex=False).fillna(False) for t in texts) > 0
    found = rows[keep.to_numpy(dtype=bool)].reset_index()
    ties = {"closed_at": ["deadline"], "stage": ["reported_at"]} | {
        name: ["stage", "reported_at"] for name in ("class_code", "owner", "level")
    }
    # Last key first, each sort keeping the order of what is equal; empty values are the least
    # behind the first column, and last in it.
    up = not query.descending
    for name in reversed([*ties.get(query.sort, []), "fid"]):
        found = found.sort_values(
            name, ascending=up, kind="stable", na_position="first" if up else "last"
        )
    found = found.sort_values(query.sort, ascending=up, kind="stable", na_position="last")
    return found["incident_id"].tolist()


FILTERS = {
    "text": ["垃圾", "井", "建设路1", "C00", "wet", "100%", "_了", "坏 建设", "没有", "号"],
    "stages": [OPEN, ("closed",), ("collected", "cancelled")],
    "state": list(CLOCK_STATES),
    "class_codes": [("E0102",), ("E04", "C"), ("E0401", "C0118")],
    "class_group": ["component", "emergency", "extension"],
    "level": ["street"],
    "owner": ["D01"],
    "source": ["app"],
    "unit": [
        *("A", "B", "E", "C", "500112001001", "500112001000", "500112000000", "500100000000"),
        *("500113000000", "zone:z1", "none"),
    ],
    "since": [AT - timedelta(hours=100)],
    "until": [AT - timedelta(hours=30)],
    "unplaced": [True, False],
    "bbox": [(114.001, 30.0005, 114.003, 30.002), (113, 29, 115, 31)],
}
SORTED = (
    *("reported_at", "deadline", "stage", "class_code", "owner", "level", "incident_id"),
    *("closed_at", "address"),
)


@st.composite
def draw_query(draw):
    """A query with none to three conditions."""
    names = draw(st.lists(st.sampled_from(sorted(FILTERS)), max_size=3, unique=True))
    told = {name: draw(st.sampled_from(FILTERS[name])) for name in names}
    return CaseQuery(sort=draw(st.sampled_from(SORTED)), descending=draw(st.booleans()), **told)


queries = draw_query()


@settings(max_examples=200, deadline=None)
@given(query=queries, offset=st.sampled_from([0, 0, 3, 50]), few=st.sampled_from([1, 20_000]))
def test_a_page_is_a_slice_of_what_a_look_at_every_row_gives(book, query, offset, few):
    wanted = look_at_every_row(book, query)
    # With few members a unit is a list in the statement, with more a row of flags.
    before, _casebook_list.FEW = _casebook_list.FEW, few
    try:
        page = book.page(replace(query, offset=offset, limit=40), at=AT)
    finally:
        _casebook_list.FEW = before
    assert page.rows.index.tolist() == wanted[offset : offset + 40]
    assert page.total == book.count(query, at=AT) == len(wanted)
    if query.state:
        assert set(page.rows["state"]) <= {query.state}


def test_every_state_of_a_clock_is_on_some_page(book):
    found = {state: book.count(CaseQuery(state=state), at=AT) for state in CLOCK_STATES}
    assert all(found.values())
    assert sum(found.values()) == MANY


@settings(max_examples=30, deadline=None)
@given(text=st.text(alphabet='垃圾井盖号建设0123456789cwetROAD%_"*\\ ', max_size=6))
def test_the_index_of_words_finds_what_reading_through_the_texts_finds(book, text):
    query = CaseQuery(text=text, limit=500)
    file = book.workspace.path / FILE
    book.refresh()
    with_index = book.page(query, at=AT)
    hidden = file.rename(file.with_suffix(".hidden"))
    try:
        book._list._totals.clear()
        without = book.page(query, at=AT)
    finally:
        hidden.rename(file)
    assert with_index.rows.index.tolist() == without.rows.index.tolist()
    assert with_index.total == without.total


def test_the_index_of_words_follows_reports_edits_and_removals(workspace):
    book = CaseBook(workspace, read_rules(workspace))
    table = workspace.table("incidents")

    def found(text):
        return book.page(CaseQuery(text=text), at=AT).rows.index.tolist()

    def reported(text):
        file = book.report(at=AT, by="L", role="acceptor", class_code=None, description=text)
        return file.row["incident_id"]

    one = reported("井盖破损")
    assert book.refresh() == 1
    assert book.refresh() == 0
    two = reported("井盖丢失")
    assert found("井盖") == [two, one]
    book.move(one, "remark", at=AT, by="L", role="acceptor", seen=1, note="n")
    assert found("井盖 破损") == [one]
    with workspace.writing() as conn:
        conn.execute(table.update().where(table.c.incident_id == one).values(description="路灯"))
    assert (found("井盖"), found("路灯"), found("灯")) == ([two], [one], [one])
    with workspace.writing() as conn:
        conn.execute(table.update().where(table.c.incident_id == two).values(address="路灯下"))
    assert found("路灯") == [two, one]


def test_after_an_import_the_texts_are_read_through_until_the_index_is_made_again(workspace):
    book = CaseBook(workspace, read_rules(workspace))
    book.refresh()
    with workspace.writing() as conn:
        workspace.append(conn, "incidents", draw_cases(np.random.default_rng(6), 600))
    wanted = sum(1 for text in workspace.read("incidents")["description"] if "垃圾" in str(text))
    assert book.count(CaseQuery(text="垃圾"), at=AT) == wanted
    assert book.refresh() == 600
    assert book.page(CaseQuery(text="垃圾"), at=AT).total == wanted


def test_a_case_that_moves_is_counted_in_its_new_grid_at_once(workspace):
    book = CaseBook(workspace, read_rules(workspace))
    divisions, grids, _ = draw_city()
    with workspace.writing() as conn:
        workspace.append(conn, "divisions", divisions)
        workspace.append(conn, "grids", grids)
    told = {"at": AT, "by": "L", "role": "acceptor", "class_code": None}

    def counts():
        return [book.count(CaseQuery(unit=unit), at=AT) for unit in ("A", "B", "500112001000")]

    assert counts() == [0, 0, 0]
    case = book.report(lon=114.001, lat=30.001, **told).row["incident_id"]
    book.report(lon=114.002, lat=30.001, **told)  # on the line between A and B: the one to its east
    assert counts() == [1, 1, 2]
    table = workspace.table("incidents")
    with workspace.writing() as conn:
        change = table.update().where(table.c.incident_id == case)
        conn.execute(change.values(lon=114.003, lat=30.001))
    assert counts() == [0, 2, 2]
    with workspace.writing() as conn:
        conn.execute(table.update().where(table.c.incident_id == case).values(lon=None, lat=None))
    assert counts() == [0, 1, 1]


def test_a_unit_has_the_cases_of_the_grids_that_were_in_force(book):
    before = datetime(2026, 11, 19, tzinfo=UTC)
    then = [book.count(CaseQuery(unit=unit), at=before) for unit in ("C", "D", "E")]
    now = [book.count(CaseQuery(unit=unit), at=AT) for unit in ("C", "D", "E")]
    assert now == [0, 0, sum(then)]
    assert then[2] == 0
    assert sum(then) > 0


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"state": "lost"}, "state is 'lost': use one of fine, soon"),
        ({"stages": ("gone",)}, "stages is 'gone'"),
        ({"sort": "geom"}, "sort is 'geom'"),
        ({"level": "moon"}, "level is 'moon'"),
        ({"offset": -1}, "give an offset from 0"),
        ({"limit": 10**6}, "a limit up to 10,000"),
        ({"since": AT.replace(tzinfo=None)}, "without a zone"),
    ],
)
def test_a_query_that_cannot_be_is_refused_in_words(told, said):
    with pytest.raises(InputError, match=said):
        CaseQuery(**told)
