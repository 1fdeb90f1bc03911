"""Publishing in the store: one transaction, dated rows, no past record touched.

Two communities of four grids each, every grid two blocks, one above the other (60 and 40
households); one worker a grid:

    block  A1b A2b A3b A4b   B1b B2b B3b B4b
    block  A1a A2a A3a A4a   B1a B2a B3a B4a
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa

from geo.checks import check_versions
from geo.errors import InputError, StoreBusyError
from geo.io.plan_exchange import export_plan, import_plan
from geo.io.planbook import PlanBook, PlanStateError
from geo.io.publish import PlanRefusedError, judge_plan, publish_plan, settle_begun, verdict_json
from geo.io.versions import list_versions, version_start
from geo.io.workspace import Workspace
from geo.locate import GridIndex
from geo.plan import RedrawError

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
BAND = (50, 400)
STEP = 0.001
WEST, SOUTH = 114.3, 30.6


def cell(column: int, low: int, high: int) -> shapely.Polygon:
    return shapely.box(*spot(column, low), *spot(column + 1, high))


def spot(column: float, row: float) -> tuple[float, float]:
    """A corner of the lattice, always with the same bits."""
    return round(WEST + column * STEP, 9), round(SOUTH + row * STEP, 9)


@pytest.fixture
def city(workspace: Workspace) -> Workspace:
    codes = [f"{side}{n}" for side in "AB" for n in range(1, 5)]
    divisions = gpd.GeoDataFrame(
        {"code": ["A", "B"], "level": "community", "name": ["甲", "乙"]},
        geometry=[None, None], crs="EPSG:4326",
    )  # fmt: skip
    grids = gpd.GeoDataFrame(
        {
            "grid_id": codes, "name": [f"第{c}网格" for c in codes], "kind": "base",
            "community_code": [c[0] for c in codes], "households": 100, "population": 0,
            "version": 1, "valid_from": pd.Timestamp(BEGUN),
        },
        geometry=[cell(k, 0, 2) for k in range(8)],
        crs="EPSG:4326",
    )  # fmt: skip
    shapes = [(code + half, cell(k, low, low + 1), homes) for k, code in enumerate(codes)
              for half, low, homes in (("a", 0, 60), ("b", 1, 40))]  # fmt: skip
    # The corner where the blocks meet is a vertex of both grids.
    grids = grids.set_geometry(
        [shapely.coverage_union_all([s for b, s, _ in shapes if b[:2] == c]) for c in codes]
    )
    blocks = gpd.GeoDataFrame(
        {
            "block_id": [b for b, _, _ in shapes], "households": [h for _, _, h in shapes],
            "population": 0, "community_code": [b[0] for b, _, _ in shapes],
        },
        geometry=[s for _, s, _ in shapes], crs="EPSG:4326",
    )  # fmt: skip
    people = pd.DataFrame(
        {"worker_id": [f"w{c}" for c in codes], "name": codes, "role": "grid_worker",
         "unit_code": codes}
    )  # fmt: skip
    duties = pd.DataFrame(
        {"duty_id": [f"d{c}" for c in codes], "unit_code": codes, "role": "grid_worker",
         "worker_id": [f"w{c}" for c in codes], "rank": 1, "valid_from": pd.Timestamp(BEGUN),
         "valid_to": pd.NaT}
    )  # fmt: skip
    with workspace.writing() as conn:
        workspace.append(conn, "divisions", divisions)
        workspace.append(conn, "grids", grids)
        workspace.append(conn, "blocks", blocks)
        workspace.append(conn, "workers", people)
        workspace.append(conn, "duties", duties)
    return workspace


def approved(city: Workspace, *edits: dict[str, Any]) -> tuple[PlanBook, str]:
    book = PlanBook(city)
    plan_id = book.create("调整", "王", NOW)
    for number, edit in enumerate(edits):
        book.append(plan_id, edit_id=f"e{number}", edit=edit, by="王", on_seq=number, at=NOW)
    for state in ("review", "approved"):
        book.move(plan_id, state, by="李", at=NOW)
    return book, plan_id


MERGE = {"do": "merge", "grids": ["A1", "A2"], "into": "A1"}
PAINT = {"do": "paint", "blocks": ["B2b"], "grid": "B1"}


def grids_of(city: Workspace, at: datetime) -> dict[str, tuple[int, int]]:
    frame = city.grids(at=at)
    return {
        str(code): (int(row["version"]), int(row["households"])) for code, row in frame.iterrows()
    }


def dump(city: Workspace, name: str) -> list[tuple[Any, ...]]:
    with city.reading() as conn:
        return [tuple(row) for row in conn.exec_driver_sql(f"SELECT * FROM {name} ORDER BY fid")]


def test_a_published_plan_dates_what_changed_and_leaves_the_rest(city: Workspace) -> None:
    book, plan_id = approved(city, MERGE, PAINT)
    day = NOW - timedelta(hours=1)
    done = publish_plan(city, book, plan_id, from_=day, by="赵", at=NOW, band=BAND)
    assert (done.version, done.in_force, done.kept) == (2, True, 4)
    assert done.grids == ("A1", "B1", "B2")
    assert done.ended == ("A2",)
    before = grids_of(city, day - timedelta(seconds=1))
    assert before == {f"{s}{n}": (1, 100) for s in "AB" for n in range(1, 5)}
    assert grids_of(city, day) == {
        "A1": (2, 200), "A3": (1, 100), "A4": (1, 100),
        "B1": (2, 140), "B2": (2, 60), "B3": (1, 100), "B4": (1, 100),
    }  # fmt: skip
    assert book.row(plan_id)["state"] == "in_force"
    table = city.read("grids").reset_index()
    frame = table[table["valid_to"].isna()]
    assert shapely.coverage_is_valid(frame.geometry.to_numpy())


def test_what_was_stored_before_is_the_same_but_for_the_ends(city: Workspace) -> None:
    before = dump(city, "grids")
    book, plan_id = approved(city, MERGE)
    day = NOW + timedelta(days=9)
    publish_plan(city, book, plan_id, from_=day, by="赵", at=NOW, band=BAND)
    after = dump(city, "grids")[: len(before)]
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 2
    for old, new in changed:
        assert [k for k, (x, y) in enumerate(zip(old, new, strict=True)) if x != y] == [
            [c.name for c in city.table("grids").columns].index("valid_to")
        ]


def test_a_day_ahead_keeps_the_old_grids_until_then(city: Workspace) -> None:
    book, plan_id = approved(city, MERGE)
    day = NOW + timedelta(days=9)
    done = publish_plan(city, book, plan_id, from_=day, by="赵", at=NOW, band=BAND)
    assert not done.in_force
    assert grids_of(city, NOW)["A2"] == (1, 100)
    assert grids_of(city, day) == grids_of(city, day + timedelta(days=999))
    assert "A2" not in grids_of(city, day)
    row = book.row(plan_id)
    assert (row["state"], row["version"]) == ("approved", 2)
    assert city.read("workers").loc["wA2", "unit_code"] == "A2"
    assert settle_begun(city, book, at=NOW) == ()
    assert settle_begun(city, book, at=day) == (plan_id,)
    assert book.row(plan_id)["state"] == "in_force"
    assert city.read("workers").loc["wA2", "unit_code"] == "A1"
    assert settle_begun(city, book, at=day) == ()


def test_duties_of_a_grid_that_ends_go_to_its_heir_dated(city: Workspace) -> None:
    book, plan_id = approved(city, MERGE)
    publish_plan(city, book, plan_id, from_=NOW, by="赵", at=NOW, band=BAND)
    duties = city.read("duties")
    assert duties.loc["dA2", "valid_to"] == pd.Timestamp(NOW)
    new = duties.loc["dA2-v2"]
    assert (new["unit_code"], new["worker_id"], int(new["rank"])) == ("A1", "wA2", 1)
    assert new["valid_from"] == pd.Timestamp(NOW)
    assert duties["valid_to"].notna().sum() == 1


def test_parentage_is_kept_and_the_versions_are_listed(city: Workspace) -> None:
    book, plan_id = approved(city, MERGE)
    publish_plan(city, book, plan_id, from_=NOW, by="赵", at=NOW, band=BAND)
    parents = city.read("grid_parents").reset_index()
    told = parents[["grid_id", "version", "from_grid_id", "from_version", "change", "households"]]
    assert told.to_numpy().tolist() == [
        ["A1", 2, "A1", 1, "changed", 100],
        ["A1", 2, "A2", 1, "merged_from", 100],
    ]
    versions = list_versions(city, at=NOW)
    assert versions.index.tolist() == [2, 1]
    assert versions["state"].tolist() == ["in_force", "past"]
    assert versions.loc[2, ["grids", "total", "ended", "merged_from", "name", "by"]].tolist() == [
        1, 7, 1, 1, "调整", "赵",
    ]  # fmt: skip
    assert version_start(city, 2) == NOW
    with pytest.raises(InputError, match="no boundary version 9: there are 1, 2"):
        version_start(city, 9)


def test_a_split_through_blocks_replaces_the_block_and_leaves_it_covered(city: Workspace) -> None:
    book = PlanBook(city)
    base = book.open(book.create("x", "王", NOW)).base
    line = base.to_metric(
        [[WEST + STEP / 2, SOUTH - STEP], [WEST + STEP / 2, SOUTH + 3 * STEP]]
    ).tolist()
    book, plan_id = approved(
        city, {"do": "split", "grid": "A1", "line": line, "through": True, "name": "新网格"}
    )
    done = publish_plan(city, book, plan_id, from_=NOW, by="赵", at=NOW, band=BAND)
    assert "A5" in done.grids
    assert done.vacant == ("A5",)
    blocks = city.read("blocks")
    assert len(blocks) == 18
    assert blocks["households"].sum() == 800
    assert shapely.coverage_is_valid(blocks.geometry.to_numpy())
    now = city.grids(at=NOW)
    assert shapely.coverage_is_valid(now.geometry.to_numpy())
    assert now.loc["A5", "name"] == "新网格"
    # The next draft begins without a word of repair.
    assert [n.code for n in book.open(book.create("y", "王", NOW)).notes] == []


def test_a_cut_that_ends_on_the_border_of_another_community_gives_it_the_vertex(
    city: Workspace,
) -> None:
    book = PlanBook(city)
    plan_id = book.create("甲", "王", NOW, communities=["A"])
    base = book.open(plan_id).base
    line = base.to_metric([spot(2.5, 0.3), spot(4.5, 0.3)]).tolist()
    edit = {"do": "split", "grid": "A4", "line": line, "through": True, "name": "新"}
    book.append(plan_id, edit_id="e", edit=edit, by="王", on_seq=0, at=NOW)
    for state in ("review", "approved"):
        book.move(plan_id, state, by="李", at=NOW)
    before = city.grids(at=NOW - timedelta(seconds=1)).geometry["B1"]
    done = publish_plan(city, book, plan_id, from_=NOW, by="赵", at=NOW, band=(0, 999))
    assert "B1" in done.grids
    assert "B2" not in done.grids
    frame = city.grids(at=NOW)
    assert shapely.coverage_is_valid(frame.geometry.to_numpy())
    GridIndex(frame)  # raises where two grids share ground
    after = frame.geometry["B1"]
    assert shapely.get_num_coordinates(after) == shapely.get_num_coordinates(before) + 1
    assert frame.loc["B1", ["name", "households"]].tolist() == ["第B1网格", 100]
    parents = city.read("grid_parents").reset_index()
    mine = parents[parents["grid_id"] == "B1"]
    assert mine[["from_grid_id", "change", "households"]].to_numpy().tolist() == [
        ["B1", "kept", 100]
    ]


def test_the_gate_refuses_and_nothing_is_written(city: Workspace) -> None:
    book, plan_id = approved(city, MERGE)
    before = {name: dump(city, name) for name in ("grids", "duties", "plans", "grid_parents")}
    with pytest.raises(PlanRefusedError, match="from_early") as caught:
        publish_plan(city, book, plan_id, from_=BEGUN, by="赵", at=NOW, band=BAND)
    assert [f.rule for f in caught.value.verdict.errors] == ["from_early"]
    assert before == {name: dump(city, name) for name in before}


def test_a_plan_is_published_only_once_and_only_when_approved(city: Workspace) -> None:
    book, plan_id = approved(city, MERGE)
    publish_plan(city, book, plan_id, from_=NOW + timedelta(1), by="赵", at=NOW, band=BAND)
    with pytest.raises(PlanStateError, match="was published already, as version 2"):
        publish_plan(city, book, plan_id, from_=NOW + timedelta(2), by="赵", at=NOW, band=BAND)
    draft = book.create("草稿", "王", NOW)
    with pytest.raises(PlanStateError, match="only an approved plan"):
        publish_plan(city, book, draft, from_=NOW + timedelta(2), by="赵", at=NOW, band=BAND)


def test_a_draft_of_before_is_outdated_once_another_is_published(city: Workspace) -> None:
    book, mine = approved(city, PAINT)
    _, other = approved(city, MERGE)
    publish_plan(city, book, other, from_=NOW + timedelta(days=1), by="赵", at=NOW, band=BAND)
    judged = judge_plan(city, book, mine, at=NOW, band=BAND)
    assert [f.rule for f in judged.verdict.errors] == ["base_outdated"]
    told = verdict_json(judged)
    assert told["passed"] is False
    assert told["version"] == 3


def test_a_plan_that_changed_while_it_was_checked_is_not_published(
    city: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, plan_id = approved(city, MERGE)
    import geo.io.publish as room

    real = room._frame

    def meanwhile(*args: Any) -> gpd.GeoDataFrame:
        book.move(plan_id, "draft", by="王", at=NOW)
        return real(*args)

    monkeypatch.setattr(room, "_frame", meanwhile)
    before = dump(city, "grids")
    with pytest.raises(StoreBusyError, match="changed while the plan was checked"):
        publish_plan(city, book, plan_id, from_=NOW, by="赵", at=NOW, band=BAND)
    assert dump(city, "grids") == before


def test_a_plan_that_a_later_one_replaced_wholly_belongs_to_the_past(city: Workspace) -> None:
    book, one = approved(city, PAINT)
    publish_plan(city, book, one, from_=NOW, by="赵", at=NOW, band=BAND)
    later = NOW + timedelta(hours=1)
    _, two = approved(city, {"do": "paint", "blocks": ["B2b"], "grid": "B2"})
    publish_plan(city, book, two, from_=later, by="赵", at=later, band=BAND)
    assert [book.row(p)["state"] for p in (one, two)] == ["past", "in_force"]
    assert grids_of(city, NOW)["B1"] == (2, 140)
    assert grids_of(city, later)["B1"] == (3, 100)


# --- files ------------------------------------------------------------------------------------


def test_a_draft_goes_out_as_grids_and_comes_back_with_a_border_drawn_elsewhere(
    city: Workspace, tmp_path: Any
) -> None:
    book, plan_id = approved(city)
    path = tmp_path / "draft.gpkg"
    assert export_plan(city, book, plan_id, path).rows == 8
    frame = gpd.read_file(path).set_index("grid_id")
    # The vertex where B2, B3 and their blocks meet is dragged to the east, in both of them.
    at, to = spot(6, 1), spot(6.3, 1)

    def drag(xy: Any) -> Any:
        out = xy.copy()
        out[(abs(xy - at) < 1e-12).all(axis=1)] = to
        return out

    frame.geometry = shapely.transform(frame.geometry.to_numpy(), drag)
    frame.reset_index().to_file(path, layer="grids", driver="GPKG")
    done = import_plan(city, book, path, name="QGIS", by="王", at=NOW)
    assert (done.moved, done.cut, done.differs, done.notes) == (1, 0, {}, ())
    found = book.open(done.plan_id)
    assert found.plan.table()["households"].tolist() == [100] * 8
    judged = judge_plan(city, book, done.plan_id, at=NOW, band=BAND)
    assert judged.publication is not None
    assert set(judged.publication.grids.index) == {"B2", "B3"}


def test_a_new_border_through_blocks_cuts_them(city: Workspace, tmp_path: Any) -> None:
    with city.writing() as conn:
        grids = city.table("grids")
        conn.execute(sa.update(grids).where(grids.c.grid_id == "B1").values(kind="dedicated"))
        city.touch(conn, "grids")
    frame = city.grids()[["name", "community_code", "geometry"]]
    half = shapely.box(*spot(0, 0), *spot(0.5, 2))
    frame.loc["A1", "geometry"] = frame.geometry["A1"].difference(half)
    new = gpd.GeoDataFrame(
        {"name": ["新"], "community_code": ["A"]}, geometry=[half], index=["A9"], crs=frame.crs
    )
    path = tmp_path / "split.gpkg"
    pd.concat([frame, new]).rename_axis("grid_id").reset_index().to_file(path, driver="GPKG")
    book = PlanBook(city)
    done = import_plan(city, book, path, name="QGIS", by="王", at=NOW)
    assert (done.moved, done.cut, done.differs, done.notes) == (0, 2, {}, ())
    table = book.open(done.plan_id).plan.table()
    assert table.set_index("name").loc[["第A1网格", "新"], "households"].tolist() == [50, 50]
    # The file has no column of kinds.
    assert table["kind"].to_dict() == {"B1": "dedicated"} | dict.fromkeys(
        table.index.drop("B1"), "base"
    )


def test_a_file_with_an_overlap_is_refused_with_its_places(city: Workspace, tmp_path: Any) -> None:
    frame = city.grids()[["name", "geometry"]]
    frame.loc["A1", "geometry"] = shapely.box(*spot(0, 0), *spot(1.5, 2))
    path = tmp_path / "bad.gpkg"
    frame.reset_index().to_file(path, driver="GPKG")
    book = PlanBook(city)
    done = import_plan(city, book, path, name="QGIS", by="王", at=NOW)
    assert done.plan_id == ""
    assert "overlap" in done.report.refused
    assert len(done.report.problems) > 0
    assert book.plans().empty


# --- the past ---------------------------------------------------------------------------------


def picture(city: Workspace, at: datetime) -> dict[str, tuple[Any, ...]]:
    """The city at a moment: code, name, version, households, shape by bits; and who answers."""
    frame = city.grids(at=at)
    duties = city.read("duties")
    holds = (duties["valid_from"] <= at) & ~(duties["valid_to"] <= at)
    workers = duties[holds].groupby("unit_code")["worker_id"].agg(lambda v: tuple(sorted(v)))
    return {
        str(code): (
            None if pd.isna(row["name"]) else row["name"], int(row["version"]),
            int(row["households"]), row["geometry"].wkb, workers.get(code, ()),
        )
        for code, row in frame.iterrows()
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_after_any_number_of_versions_each_moment_is_as_it_was_then(
    city: Workspace, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    book = PlanBook(city)
    seen: dict[datetime, dict[str, tuple[Any, ...]]] = {}
    codes = set(city.grids().index)
    at = NOW
    for version in range(2, 6):
        plan_id = book.create(f"第{version}稿", "王", at)
        for number in range(40):
            opened = book.open(plan_id)
            plan, pairs = opened.plan, opened.plan.ground.pairs
            block = int(rng.integers(len(plan.blocks)))
            other = int(rng.choice(pairs.near(block)[0]))
            one, two = (plan.grids[int(plan.label[k])].grid_id for k in (block, other))
            x, y = shapely.get_coordinates(shapely.centroid(plan.ground.polygon(block)))[0]
            edit = [
                {"do": "paint", "blocks": [plan.blocks.ids[block]], "grid": two},
                {"do": "merge", "grids": [one, two]},
                {"do": "split", "grid": one, "line": [[x, y - 999], [x, y + 999]], "through": True},
            ][int(rng.integers(3))]
            try:
                book.append(
                    plan_id, edit_id=f"e{number}", edit=edit, by="王", on_seq=opened.seq, at=at
                )
            except RedrawError:
                continue
            if book.open(plan_id).seq == 4:
                break
        for state in ("review", "approved"):
            book.move(plan_id, state, by="李", at=at)
        begin = at + timedelta(days=int(rng.integers(0, 3)))
        seen[at - timedelta(seconds=1)] = picture(city, at - timedelta(seconds=1))
        done = publish_plan(city, book, plan_id, from_=begin, by="赵", at=at, band=(0, 9999))
        assert done.version == version
        new = set(done.grids) - codes
        codes |= new
        seen[begin] = picture(city, begin)
        shapes = city.grids(at=begin).geometry.to_numpy()
        assert shapely.coverage_is_valid(shapes)
        assert city.grids(at=begin)["households"].sum() == 800
        assert city.read("blocks")["households"].sum() == 800
        at = begin + timedelta(days=1)
    for moment, before in seen.items():
        assert picture(city, moment) == before
    table = city.read("grids").reset_index()
    assert not table.duplicated(["grid_id", "version"]).any()
    assert check_versions(city.read("grids")).empty
    # A code that ended is never borne again.
    for _, rows in table.sort_values("valid_from").groupby("grid_id"):
        assert (
            rows["valid_to"].iloc[:-1].to_numpy() == rows["valid_from"].iloc[1:].to_numpy()
        ).all()


def test_a_plan_written_to_a_geopackage_and_read_again_is_the_same_plan(city, tmp_path):
    """Kinds, names, numbers, homes and borders, of grids that only the draft has, too."""
    west, south = spot(4.0, 0)
    book = PlanBook(city)
    one = book.create("专属", "王", NOW)
    opened = book.open(one)
    park = shapely.box(west + 0.2 * STEP, south, west + 0.8 * STEP, south + 0.5 * STEP)
    area = opened.base.geometry_to_metric(park)
    edits = [
        {"do": "split", "grid": "A3", "name": "第九网格", "through": False,
         "line": opened.base.to_metric([spot(1.5, 1), spot(3.5, 1)]).tolist()},
        {"do": "rename", "grid": "B4", "name": "河东"},
        {"do": "cut_out", "area": shapely.get_coordinates(area.exterior).tolist(),
         "name": "公园", "through": True, "kind": "dedicated"},
    ]  # fmt: skip
    for number, edit in enumerate(edits):
        book.append(one, edit_id=f"k{number}", edit=edit, by="王", on_seq=number, at=NOW)
    path = tmp_path / "draft.gpkg"
    export_plan(city, book, one, path)
    done = import_plan(city, book, path, name="QGIS", by="王", at=NOW)
    assert (done.differs, done.notes) == ({}, ())
    two = book.open(done.plan_id)
    mine, theirs = book.open(one).plan.table(), two.plan.table()
    told = ["name", "kind", "community_code", "households"]
    rows = [sorted(map(tuple, t[told].astype(str).to_numpy().tolist())) for t in (mine, theirs)]
    assert rows[0] == rows[1]
    assert (theirs["kind"] == "dedicated").sum() == 1
    assert set(mine.index) - set(theirs.index) <= {"A3-2", mine.index[mine["name"] == "公园"][0]}
    first, second = (
        judge_plan(city, book, plan, at=NOW, band=BAND).publication for plan in (one, done.plan_id)
    )
    assert first is not None
    assert second is not None
    assert set(first.grids.index) == set(second.grids.index)
    assert set(first.ended) == set(second.ended)
    kinds = [p.grids["kind"].sort_index().to_dict() for p in (first, second)]
    assert kinds[0] == kinds[1]
