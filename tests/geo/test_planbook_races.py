"""Two processes at one draft, a process that dies between two steps, a base published over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geo.io.planbook import PlanBook, PlanStateError
from geo.io.workspace import Workspace
from geo.plan import RedrawError

AT = datetime(2026, 11, 21, 4, tzinfo=UTC)
WEST, SOUTH, STEP = 111.3, 30.7, 0.001
COLUMNS = 24

SERVER = """
import json, os, signal, sys
from datetime import UTC, datetime
from geo.io import planbook, _planbook_talk
from geo.io.planbook import PlanBook
from geo.io.workspace import open_workspace
AT = datetime(2026, 11, 21, 4, tzinfo=UTC)

def draw(book, job):
    states = []
    for edit_id, edit in job["edits"]:
        answer = book.append(
            job["plan_id"], edit_id=edit_id, edit=edit, by=job["who"], on_seq=0, at=AT
        )
        states.append([edit_id, answer.seq, answer.state])
    with open(job["told"], "w") as file:
        json.dump(states, file)

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def dying(book, job):
    module, name, when = job["where"].split(":")
    home = {"planbook": planbook, "talk": _planbook_talk}[module]
    real = getattr(home, name)
    def both(*args, **kwargs):
        real(*args, **kwargs)
        die()
    setattr(home, name, die if when == "before" else both)
    plan_id, who, what = job["plan_id"], job["who"], job["what"]
    edit = {"do": "paint", "blocks": ["b07"], "grid": "G2"}
    if what == "append":
        book.append(plan_id, edit_id="last", edit=edit, by=who, on_seq=2, at=AT)
    elif what == "settle":
        book.settle(plan_id, 2, "take", by=who, at=AT, edit_id="last")
    elif what == "create":
        book.create("死", who, AT)
    elif what == "move":
        book.move(plan_id, "review", by=who, at=AT)
    elif what == "rebase":
        book.rebase(plan_id, who, AT)
    elif what == "load":
        book.load_file(job["file"], who, AT)
    elif what == "comment":
        book.comment(plan_id, by=who, text="a", at=AT)

# The modules are read once; each job is a process of its own, forked before any thread began.
for line in sys.stdin:
    pids = []
    for job in json.loads(line):
        pid = os.fork()
        if not pid:
            book = PlanBook(open_workspace(job["path"]))
            draw(book, job) if "edits" in job else dying(book, job)
            os._exit(0)
        pids.append(pid)
    print(json.dumps([os.waitpid(pid, 0)[1] for pid in pids]), flush=True)
"""


@pytest.fixture(scope="module")
def run_jobs():
    """Run jobs at once, each in a process of its own; gives how each of them ended."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(*jobs):
        server.stdin.write(json.dumps(jobs) + "\n")
        server.stdin.flush()
        return [
            os.waitstatus_to_exitcode(status) for status in json.loads(server.stdout.readline())
        ]

    yield run
    server.communicate(timeout=60)


def row_of_blocks() -> gpd.GeoDataFrame:
    """A street of 24 blocks in one community, four to a grid: G0 is b00 to b03, and so on."""
    return gpd.GeoDataFrame(
        {
            "block_id": [f"b{k:02d}" for k in range(COLUMNS)],
            "households": 10,
            "community_code": "A",
            "grid_id": [f"G{k // 4}" for k in range(COLUMNS)],
        },
        geometry=[
            shapely.box(WEST + STEP * k, SOUTH, WEST + STEP * (k + 1), SOUTH + STEP)
            for k in range(COLUMNS)
        ],
        crs="EPSG:4326",
    )


def outlines(blocks: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Grids as unions that keep the vertices of their blocks."""
    names = sorted(set(blocks["grid_id"]))
    shapes = [
        shapely.coverage_union_all(blocks.geometry[blocks["grid_id"] == name].to_numpy())
        for name in names
    ]
    return gpd.GeoDataFrame({"grid_id": names}, geometry=shapes, crs="EPSG:4326")


@pytest.fixture
def city(workspace: Workspace) -> Workspace:
    blocks = row_of_blocks()
    grids = outlines(blocks).assign(
        kind="base", community_code="A", version=1, valid_from=pd.Timestamp(AT)
    )
    with workspace.writing() as conn:
        one = pd.DataFrame({"code": ["A"], "level": ["community"], "name": ["甲"]})
        workspace.append(conn, "divisions", one)
        workspace.append(conn, "grids", grids)
        workspace.append(conn, "blocks", blocks.drop(columns="grid_id"))
    return workspace


def publish(workspace: Workspace, moved: dict[str, str], version: int = 2) -> None:
    """Bring other grids into force, as publishing a plan does: new rows for those that changed."""
    before = row_of_blocks()
    after = before.assign(
        grid_id=[
            moved.get(name, grid)
            for name, grid in zip(before["block_id"], before["grid_id"], strict=True)
        ]
    )
    old, new = (outlines(frame).set_index("grid_id").geometry for frame in (before, after))
    changed = [name for name in new.index if name not in old or not new[name].equals(old[name])]
    table = workspace.table("grids")
    day = AT + timedelta(days=1)
    with workspace.writing() as conn:
        gone = [*changed, *(set(old.index) - set(new.index))]
        conn.execute(table.update().where(table.c.grid_id.in_(gone)).values(valid_to=day))
        frame = gpd.GeoDataFrame(
            {
                "grid_id": changed,
                "kind": "base",
                "community_code": "A",
                "version": version,
                "valid_from": pd.Timestamp(day),
            },
            geometry=new[changed].to_numpy(),
            crs="EPSG:4326",
        )
        workspace.append(conn, "grids", frame)


@pytest.fixture
def book(city: Workspace) -> PlanBook:
    return PlanBook(city)


@pytest.fixture
def plan_id(book: PlanBook) -> str:
    return book.create("抢", "甲", AT)


def paint(block: str, grid: str) -> dict[str, object]:
    return {"do": "paint", "blocks": [block], "grid": grid}


def test_two_processes_that_draw_at_once_lose_no_edit(book, plan_id, run_jobs, tmp_path):
    # Both take the borders of G0|G1, G2|G3 and G4|G5, one from each side; two are apart.
    plans = {
        "甲": [paint("b03", "G1"), paint("b11", "G3"), paint("b19", "G5"), paint("b07", "G2")],
        "乙": [paint("b03", "G1"), paint("b12", "G2"), paint("b20", "G4"), paint("b15", "G4")],
    }
    jobs = [
        {
            "path": str(book.workspace.path),
            "plan_id": plan_id,
            "who": who,
            "edits": [[f"{who}{k}", edit] for k, edit in enumerate(edits)],
            "told": str(tmp_path / who),
        }
        for who, edits in plans.items()
    ]
    assert run_jobs(*jobs) == [0, 0]
    told = [row for who in plans for row in json.loads((tmp_path / who).read_text())]
    log = book.since(plan_id, 0)
    assert sorted(told) == sorted([row.edit_id, row.seq, row.state] for row in log)
    assert [row.seq for row in log] == list(range(1, 9))
    states = {row.edit_id: row.state for row in log}
    assert sorted([states["甲0"], states["乙0"]]) == ["applied", "dropped"]
    assert states["甲3"] == "applied"
    plan = book.open(plan_id).plan
    assert plan.table()["households"].sum() == 240
    assert plan.assignment["b03"] == "G1"


def test_threads_of_one_book_wait_for_each_other_and_lose_nothing(book, plan_id):
    errors: list[BaseException] = []

    def draw(who: str) -> None:
        try:
            for k in range(12):
                name = {"do": "rename", "grid": f"G{k % 6}", "name": f"{who}{k}"}
                seen = book.open(plan_id).seq
                book.append(plan_id, edit_id=f"{who}{k}", edit=name, by=who, on_seq=seen, at=AT)
                book.open(plan_id, seq=seen // 2)
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=draw, args=(who,)) for who in ("甲", "乙", "丙")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    log = book.since(plan_id, 0)
    assert len(log) == len({row.edit_id for row in log}) == 36
    fresh = PlanBook(book.workspace).open(plan_id)
    assert fresh.plan.table().equals(book.open(plan_id).plan.table())


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("append", "planbook:insert_rows:before"),
        ("append", "planbook:insert_rows:after"),
        ("append", "planbook:update_plan:after"),
        ("settle", "planbook:insert_rows:after"),
        ("settle", "planbook:update_plan:before"),
        ("create", "planbook:insert_plan:before"),
        ("create", "planbook:add_move:after"),
        ("move", "talk:update_plan:before"),
        ("rebase", "planbook:insert_rows:after"),
        ("rebase", "planbook:update_plan:after"),
        ("load", "planbook:insert_rows:after"),
        ("comment", "talk:update_plan:before"),
    ],
)
def test_a_process_that_dies_between_two_steps_leaves_all_or_nothing(
    book, plan_id, tmp_path, what, where, run_jobs
):
    for k, who in enumerate("甲乙", start=1):
        name = {"do": "rename", "grid": "G5", "name": f"{who}区"}
        book.append(plan_id, edit_id=f"{k}", edit=name, by=who, on_seq=0, at=AT)
    assert len(book.open(plan_id).conflicts) == 1
    file = tmp_path / "draft.json"
    book.save_file(plan_id, file, AT)
    if what == "rebase":
        publish(book.workspace, {"b19": "G5"})

    def look():
        fresh = PlanBook(book.workspace)
        opened = fresh.open(plan_id)
        return (
            [vars(row) for row in fresh.since(plan_id, 0)],
            opened.plan.assignment.to_dict(),
            fresh.plans().to_dict(),
            fresh.moves(plan_id).to_dict(),
            len(fresh.comments(plan_id)),
        )

    before = repr(look())
    job = {"path": str(book.workspace.path), "plan_id": plan_id, "who": "乙"}
    assert run_jobs(job | {"what": what, "where": where, "file": str(file)}) == [-signal.SIGKILL]
    assert repr(look()) == before
    # And the next one can go on.
    seen = book.open(plan_id).seq
    more = book.append(plan_id, edit_id="3", edit=paint("b07", "G2"), by="甲", on_seq=seen, at=AT)
    assert more.state == "applied"


# --- published over ------------------------------------------------------------------------------


def test_a_draft_on_the_newest_grids_needs_no_rebase(book, plan_id):
    assert not book.is_outdated(plan_id)
    found = book.rebase(plan_id, "甲", AT)
    assert (found.seq, found.applied, found.conflicts) == (0, [], [])
    assert book.since(plan_id, 0) == []


def test_a_rebase_keeps_what_holds_and_shows_what_does_not(book, plan_id):
    edits = [
        paint("b03", "G1"),  # published otherwise: conflict
        paint("b11", "G3"),  # apart: holds
        {"do": "rename", "grid": "G5", "name": "东"},
        paint("b19", "G5"),  # published just so: nothing to do
        paint("b07", "G2"),
    ]
    for k, edit in enumerate(edits):
        who = "甲" if k != 1 else "乙"
        book.append(plan_id, edit_id=f"e{k}", edit=edit, by=who, on_seq=k, at=AT)
    undone = book.append(plan_id, edit_id="u", edit={"do": "undo"}, by="甲", on_seq=5, at=AT)
    assert undone.plan.assignment["b07"] == "G1"
    publish(book.workspace, {"b02": "G1", "b03": "G1", "b19": "G5"})
    assert book.is_outdated(plan_id)
    assert book.open(plan_id).outdated
    # Before the rebase the draft is what it was.
    assert book.open(plan_id).plan.assignment["b02"] == "G0"
    found = book.rebase(plan_id, "张", AT)
    opened = PlanBook(book.workspace).open(plan_id)
    assert not opened.outdated
    states = {row.edit["do"] + row.edit_id.partition("~")[0]: row.state for row in found.rows}
    assert states == {
        f"rebase{found.rows[0].edit_id}": "applied",
        "painte0": "dropped",
        "painte1": "applied",
        "renamee2": "applied",
        "painte3": "dropped",
    }
    assert opened.plan.assignment[["b02", "b03", "b11", "b19", "b07"]].tolist() == [
        "G1", "G1", "G3", "G5", "G1",
    ]  # fmt: skip
    assert [row.by for row in found.applied] == ["乙", "甲"]
    assert book.open(plan_id).plan.table().equals(opened.plan.table())
    assert [row.seq for row in book.since(plan_id, 0)] == list(range(1, found.seq + 1))


def test_what_clashes_with_what_was_published_waits_and_can_still_be_taken(book, plan_id):
    book.append(plan_id, edit_id="a", edit=paint("b04", "G0"), by="甲", on_seq=0, at=AT)
    publish(book.workspace, {"b04": "G0", "b05": "G0", "b20": "G4"})
    book.append(plan_id, edit_id="b", edit=paint("b20", "G4"), by="甲", on_seq=1, at=AT)
    book.append(plan_id, edit_id="c", edit=paint("b21", "G4"), by="甲", on_seq=2, at=AT)
    book.append(plan_id, edit_id="d", edit={"do": "merge", "grids": ["G0", "G1"]}, by="乙",
                on_seq=3, at=AT)  # fmt: skip
    found = book.rebase(plan_id, "张", AT)
    assert [row.edit_id for row in found.conflicts] == [f"d~{found.rows[0].seq}"]
    assert [row.edit_id for row in found.applied] == [f"c~{found.rows[0].seq}"]
    waiting = book.open(plan_id).conflicts
    assert waiting[0].clash.code == "blocks"
    taken = book.settle(plan_id, waiting[0].seq, "take", by="乙", at=AT, edit_id="t")
    assert "G1" not in taken.plan.grid_rows
    # Who was offline over the rebase drew on another base: kept, and shown.
    late = book.append(plan_id, edit_id="l", edit=paint("b11", "G3"), by="丙", on_seq=2, at=AT)
    assert (late.state, late.clash.code) == ("conflict", "base")
    assert book.settle(plan_id, late.seq, "take", by="丙", at=AT, edit_id="t2").state == "applied"


def test_vertices_are_found_again_on_a_new_base(book, plan_id):
    opened = book.open(plan_id)
    base, plan = opened.base, opened.plan
    # A cut gives an inner border whose vertices no community's border fixes.
    line = base.to_metric(
        [(WEST + 8.5 * STEP, SOUTH - STEP), (WEST + 8.5 * STEP, SOUTH + 2 * STEP)]
    )
    cut = {"do": "cut", "block": "b08", "line": line.tolist()}
    book.append(plan_id, edit_id="a", edit=cut, by="甲", on_seq=0, at=AT)
    new = len(plan.ground.xy)
    book.append(
        plan_id, edit_id="b", edit={"do": "insert", "tail": new, "head": new + 1}, by="甲",
        on_seq=1, at=AT,
    )  # fmt: skip
    place = book.open(plan_id).plan.ground.xy[new + 2] + (15.0, 0.0)
    move = {"do": "move", "vertices": [new + 2], "xy": [place.tolist()]}
    book.append(plan_id, edit_id="c", edit=move, by="甲", on_seq=2, at=AT)
    before = book.open(plan_id).plan
    # The street gets a block to the west, so every vertex has another number.
    with book.workspace.writing() as conn:
        book.workspace.append(
            conn, "blocks",
            gpd.GeoDataFrame(
                {"block_id": ["a0"], "households": [1], "community_code": ["A"]},
                geometry=[shapely.box(WEST - STEP, SOUTH, WEST, SOUTH + STEP)], crs="EPSG:4326",
            ),
        )  # fmt: skip
    found = book.rebase(plan_id, "张", AT)
    assert (len(found.applied), found.conflicts) == (3, [])
    after = book.open(plan_id).plan
    for name in ("b08-1", "b08-2"):
        one, two = (plan.ground.polygon(plan.block_rows[name]) for plan in (before, after))
        assert shapely.equals_exact(shapely.normalize(one), shapely.normalize(two))


def test_a_rebase_needs_a_draft_and_undo_stops_at_it(book, plan_id):
    book.append(plan_id, edit_id="a", edit=paint("b03", "G1"), by="甲", on_seq=0, at=AT)
    publish(book.workspace, {"b19": "G5"})
    book.move(plan_id, "review", by="甲", at=AT)
    with pytest.raises(PlanStateError, match="is review"):
        book.rebase(plan_id, "甲", AT)
    book.move(plan_id, "draft", by="甲", at=AT)
    found = book.rebase(plan_id, "甲", AT)
    undone = book.append(
        plan_id, edit_id="u", edit={"do": "undo"}, by="甲", on_seq=found.seq, at=AT
    )
    assert undone.plan.assignment["b03"] == "G0"
    with pytest.raises(RedrawError, match="nothing to undo"):
        book.append(plan_id, edit_id="v", edit={"do": "undo"}, by="甲", on_seq=9, at=AT)
    # A file keeps both bases, and opens.
    file = book.workspace.path / "draft.json"
    book.save_file(plan_id, file, AT)
    loaded = PlanBook(book.workspace).load_file(file, "丁", AT)
    assert book.open(loaded).plan.assignment.equals(book.open(plan_id).plan.assignment)
    assert book.open(loaded, seq=1).plan.assignment["b03"] == "G1"
