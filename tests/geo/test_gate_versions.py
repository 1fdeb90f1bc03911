"""New versions of grids: what the file says of number and beginning is kept or refused.

Two grids side by side, version 1, in force since 1 January 2026:   A B
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.errors import InputError
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport
from geo.io.workspace import Workspace

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
BEGUN = pd.Timestamp("2026-01-01", tz="UTC")
BOXES = {
    "A": shapely.box(114.3, 30.6, 114.31, 30.61),
    "B": shapely.box(114.31, 30.6, 114.32, 30.61),
}
WIDER = {
    "A": shapely.box(114.3, 30.6, 114.312, 30.61),
    "B": shapely.box(114.312, 30.6, 114.32, 30.61),
}


@pytest.fixture
def city(workspace: Workspace) -> Workspace:
    grids = gpd.GeoDataFrame(
        {"grid_id": list(BOXES), "kind": "base", "version": 1, "valid_from": BEGUN},
        geometry=list(BOXES.values()),
        crs="EPSG:4326",
    )
    with workspace.writing() as conn:
        workspace.append(conn, "grids", grids)
    return workspace


def put(city: Workspace, columns: dict[str, Any], **options: Any) -> ImportReport:
    text = ",".join(["grid_id", *columns, "wkt"]) + "\n"
    for at, (name, shape) in enumerate(WIDER.items()):
        cells = [str(v[at] if isinstance(v, list) else v) for v in columns.values()]
        text += ",".join([name, *cells, f'"{shape.wkt}"']) + "\n"
    path = city.path.parent / "grids.csv"
    path.write_text(text, encoding="utf-8")
    return import_files(city, "grids", [path], at=AT, new_version=True, timezone="UTC", **options)


def versions(city: Workspace) -> list[tuple[str, int, str, str]]:
    table = city.read("grids").reset_index().sort_values(["grid_id", "version"])
    begin, end = (table[n].dt.strftime("%m-%d").fillna("") for n in ("valid_from", "valid_to"))
    return list(zip(table["grid_id"], table["version"].astype(int), begin, end, strict=True))


def test_without_a_word_of_the_file_the_next_version_begins_now(city: Workspace) -> None:
    report = put(city, {})
    assert report.facts["closed_versions"] == 2
    assert versions(city) == [
        ("A", 1, "01-01", "11-21"),
        ("A", 2, "11-21", ""),
        ("B", 1, "01-01", "11-21"),
        ("B", 2, "11-21", ""),
    ]


def test_a_number_and_a_beginning_of_the_file_are_kept(city: Workspace) -> None:
    put(city, {"version": 7, "valid_from": "2026-12-01"})
    assert versions(city) == [
        ("A", 1, "01-01", "12-01"),
        ("A", 7, "12-01", ""),
        ("B", 1, "01-01", "12-01"),
        ("B", 7, "12-01", ""),
    ]
    assert city.grids(at=AT)["version"].tolist() == [1, 1]
    assert city.grids(at=datetime(2026, 12, 2, tzinfo=UTC))["version"].tolist() == [7, 7]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"version": 1}, "says version 1 for A, but version 1 is in force already: number it 2"),
        ({"valid_from": "2026-01-01"}, r"began at 2026-01-01 00:00 UTC: give a later valid_from"),
        ({"valid_from": ["2026-12-01", "2026-12-02"]}, "begin at 2 times, from 2026-12-01 00:00"),
    ],
    ids=["a number that was used", "a beginning before", "several beginnings"],
)
def test_what_would_make_the_past_untrue_is_refused(
    city: Workspace, columns: dict[str, Any], words: str
) -> None:
    before = versions(city)
    with pytest.raises(InputError, match=words):
        put(city, columns)
    assert versions(city) == before


def test_an_export_that_was_drawn_anew_comes_in_once_its_dates_are_let_go(city: Workspace) -> None:
    columns = {"version": 1, "valid_from": "2026-01-01"}
    put(city, columns, mapping={"version": "-", "valid_from": "-"})
    assert [v[:2] for v in versions(city)] == [("A", 1), ("A", 2), ("B", 1), ("B", 2)]


def test_the_same_new_version_does_not_come_in_twice(city: Workspace) -> None:
    put(city, {})
    with pytest.raises(InputError, match="says version 2 for A, but version 2 is in force"):
        put(city, {"version": 2})


def parents(city: Workspace) -> list[tuple[Any, ...]]:
    rows = city.read("grid_parents").reset_index()
    told = ["grid_id", "version", "from_grid_id", "from_version", "change", "households"]
    return sorted(map(tuple, rows[told].to_numpy().tolist()))


def test_a_new_version_tells_which_grids_its_own_come_from(city: Workspace) -> None:
    put(city, {})
    # A fifth of B went to A, and nobody knows of any household.
    assert parents(city) == [
        ("A", 2, "A", 1, "changed", 0),
        ("A", 2, "B", 1, "changed", 0),
        ("B", 2, "B", 1, "changed", 0),
    ]


def test_households_of_blocks_say_what_came_from_which_grid(city: Workspace) -> None:
    edges = [114.3, 114.31, 114.312, 114.32]
    blocks = gpd.GeoDataFrame(
        {"block_id": ["a", "b1", "b2"], "households": [100, 30, 70]},
        geometry=[shapely.box(w, 30.6, e, 30.61) for w, e in itertools.pairwise(edges)],
        crs="EPSG:4326",
    )
    with city.writing() as conn:
        city.append(conn, "blocks", blocks)
    put(city, {})
    assert parents(city) == [
        ("A", 2, "A", 1, "changed", 100),
        ("A", 2, "B", 1, "changed", 30),
        ("B", 2, "B", 1, "changed", 70),
    ]
    shares = city.read("grid_parents")["share"]
    assert sorted(shares) == pytest.approx([0.3, 0.7, 1.0])
