"""Past days go into Parquet, each fix once, whatever is killed when.

Two workers walk on three days in Shanghai; the present moment is the third day's noon.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from geo.io import seal
from geo.io.fixbook import FixBook, FixRules
from geo.io.seal import delete_old, merge_day, seal_past_days
from geo.io.sealed import list_parts
from geo.io.workspace import Workspace, create_workspace, open_workspace
from geo.protocols import Reading

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=ZONE)
WORKERS = ["W1", "W2"]


def hire(workspace: Workspace, workers: list[str] = WORKERS) -> None:
    people = pd.DataFrame({"worker_id": workers, "name": workers, "role": "grid_worker"})
    phones = pd.DataFrame(
        {
            "device_id": workers,
            "worker_id": workers,
            "valid_from": pd.Timestamp("2026-01-01", tz="UTC"),
        }
    )
    with workspace.writing() as conn:
        workspace.append(conn, "workers", people)
        workspace.append(conn, "devices", phones)


def walk(workspace: Workspace, begin: datetime, count: int, step_s: int = 10) -> pd.DataFrame:
    """So many fixes of each worker from a moment on."""
    times = pd.date_range(begin.astimezone(UTC), periods=count, freq=f"{step_s}s")
    frame = pd.DataFrame(
        {
            "worker_id": np.repeat(WORKERS, count),
            "time": [*times, *times],
            "lon": 111.3,
            "lat": 30.7,
        }
    )
    with workspace.writing() as conn:
        workspace.append(conn, "fixes", frame)
    return frame


def names_of(frame: pd.DataFrame) -> set[tuple[str, pd.Timestamp]]:
    return set(zip(frame["worker_id"], frame["time"], strict=True))


def count_stored(workspace: Workspace) -> int:
    """Rows wherever they lie, without dropping what lies in two places."""
    folder = workspace.path / "fixes"
    parts = [p for day in workspace.days_of_fixes() for p in list_parts(folder, day)]
    return workspace.count("fixes") + sum(len(pd.read_parquet(p, partitioning=None)) for p in parts)


@pytest.fixture
def walked(workspace: Workspace) -> Workspace:
    """Three days: 19, 20 and 21 November, from 07:00 on."""
    hire(workspace)
    for days in (2, 1, 0):
        walk(workspace, NOON.replace(hour=7) - timedelta(days=days), 30)
    return workspace


def test_past_days_are_sealed_and_today_stays_hot(walked: Workspace):
    before = walked.read_fixes()
    report = seal_past_days(walked, NOON, pause_s=0)
    assert report.days == (date(2026, 11, 19), date(2026, 11, 20))
    assert (report.sealed, report.deleted) == (120, 120)
    assert walked.count("fixes") == 60
    assert walked.days_of_fixes() == [date(2026, 11, 19), date(2026, 11, 20)]
    pd.testing.assert_frame_equal(walked.read_fixes(), before)


def test_a_day_is_past_when_it_ended_long_enough_ago(walked: Workspace):
    midnight = NOON.replace(hour=0)
    assert not seal_past_days(walked, midnight - timedelta(days=2), pause_s=0).days
    early = seal_past_days(walked, NOON, wait=timedelta(hours=13), pause_s=0)
    assert early.days == (date(2026, 11, 19),)
    assert seal_past_days(walked, NOON, wait=timedelta(hours=12), pause_s=0).days


def test_the_day_is_that_of_the_city_and_not_of_greenwich(workspace: Workspace):
    hire(workspace)
    walk(workspace, datetime(2026, 11, 20, 0, 0, tzinfo=ZONE), 1)
    walk(workspace, datetime(2026, 11, 20, 23, 59, 59, tzinfo=ZONE), 1)
    assert seal_past_days(workspace, NOON, pause_s=0).days == (date(2026, 11, 20),)


def test_sealing_again_does_nothing(walked: Workspace):
    seal_past_days(walked, NOON, pause_s=0)
    again = seal_past_days(walked, NOON, pause_s=0)
    assert (again.days, again.sealed, again.deleted) == ((), 0, 0)


def test_what_a_kill_left_in_both_places_is_read_once_and_written_no_more(walked: Workspace):
    before = walked.read_fixes()
    # Killed between renaming and deleting: all hot rows are still there.
    seal_past_days(walked, NOON, is_over=lambda: bool(walked.days_of_fixes()), pause_s=0)
    assert count_stored(walked) == 180 + 60
    pd.testing.assert_frame_equal(walked.read_fixes(), before)
    assert seal_past_days(walked, NOON, pause_s=0).sealed == 60
    assert count_stored(walked) == 180
    pd.testing.assert_frame_equal(walked.read_fixes(), before)


def test_drafts_and_half_deleted_days_of_a_killed_run_are_taken_away(walked: Workspace):
    seal_past_days(walked, NOON, pause_s=0)
    folder = walked.path / "fixes"
    draft = folder / "date=2026-11-19" / ".seal-1234.draft"
    foreign = folder / "date=2026-11-19" / ".1234.draft"
    gone = folder / ".gone-date=2026-01-01"
    draft.write_bytes(b"half")
    foreign.write_bytes(b"somebody else's")
    gone.mkdir()
    (gone / "part-0000.parquet").write_bytes(b"half")
    assert len(walked.read_fixes()) == 180
    seal_past_days(walked, NOON, pause_s=0)
    assert [path.exists() for path in (draft, gone, foreign)] == [False, False, True]


def test_late_readings_of_a_sealed_day_are_sealed_later_and_never_twice(walked: Workspace):
    seal_past_days(walked, NOON, pause_s=0)
    book = FixBook(walked, FixRules(ZONE, is_open=True), clock=lambda: NOON)
    first = NOON.replace(hour=7) - timedelta(days=1)
    sent = [
        Reading("W1", "", first, 111.3, 30.7, source="osmand"),
        Reading("W1", "", first + timedelta(seconds=5), 111.3, 30.7, source="osmand"),
    ]
    assert book.take(sent) == ["duplicate", "accepted"]
    assert book.take(sent) == ["duplicate", "duplicate"]
    assert seal_past_days(walked, NOON, pause_s=0).sealed == 1
    assert book.take(sent) == ["duplicate", "duplicate"]
    book.close()
    assert count_stored(walked) == len(walked.read_fixes()) == 181


def test_a_day_of_many_parts_is_merged_into_one(walked: Workspace):
    seal_past_days(walked, NOON, pause_s=0)
    day, folder = date(2026, 11, 19), walked.path / "fixes"
    for k in range(seal.MAX_PARTS):
        walk(walked, NOON.replace(hour=9 + k) - timedelta(days=2), 3)
        report = seal_past_days(walked, NOON, pause_s=0)
    assert report.merged == 1
    assert len(list_parts(folder, day)) == 1
    frame = pd.read_parquet(list_parts(folder, day)[0], partitioning=None)
    assert len(frame) == 60 + 6 * seal.MAX_PARTS
    assert frame.equals(frame.sort_values(["worker_id", "time"]))


def test_a_merge_that_was_killed_leaves_nothing_twice(walked: Workspace):
    seal_past_days(walked, NOON, pause_s=0)
    day, folder = date(2026, 11, 19), walked.path / "fixes"
    walk(walked, NOON.replace(hour=9) - timedelta(days=2), 3)
    seal_past_days(walked, NOON, pause_s=0)
    kept = {part: part.read_bytes() for part in list_parts(folder, day)}
    merge_day(folder, day)
    for part, body in kept.items():
        part.write_bytes(body)
    assert len(walked.read_fixes()) == 186
    merge_day(folder, day)
    assert count_stored(walked) == 186


def test_only_one_process_seals_at_a_time(walked: Workspace):
    with seal._alone(walked.path / "fixes"):
        assert seal_past_days(walked, NOON).is_busy
        assert delete_old(walked, 1, NOON).is_busy
    assert not seal_past_days(walked, NOON, pause_s=0).is_busy


def test_fixes_are_deleted_when_their_days_are_over_hot_and_sealed(walked: Workspace):
    seal_past_days(walked, NOON - timedelta(days=1), pause_s=0)
    assert delete_old(walked, 0, NOON).deleted == 0
    report = delete_old(walked, 1, NOON, pause_s=0)
    assert report.days == (date(2026, 11, 19),)
    assert len(walked.read_fixes()) == 120
    report = delete_old(walked, 1, NOON + timedelta(days=1), pause_s=0)
    assert report.deleted == 60
    left = walked.read_fixes()["time"]
    assert len(left) == 60
    assert left.min().tz_convert(ZONE).date() == date(2026, 11, 21)
    assert walked.days_of_fixes() == []


def test_large_days_go_in_slices_and_in_order(walked: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(seal, "SLICE_ROWS", 30)
    monkeypatch.setattr(seal, "DELETE_ROWS", 7)
    before = walked.read_fixes()
    seal_past_days(walked, NOON, pause_s=0)
    assert len(list_parts(walked.path / "fixes", date(2026, 11, 19))) == 1
    pd.testing.assert_frame_equal(walked.read_fixes(), before)
    assert count_stored(walked) == 180


def test_phones_may_send_again_what_is_being_sealed(walked: Workspace):
    """A day is sealed and merged over and over while two phones send it again, with more."""
    rules = FixRules(ZONE, is_open=True)
    books = [FixBook(walked, rules, clock=lambda: NOON) for _ in WORKERS]
    first = NOON.replace(hour=7) - timedelta(days=1)
    is_over = threading.Event()
    told: dict[str, list[str]] = {}

    def send(book: FixBook, worker: str) -> None:
        reasons = []
        for k in range(90):
            moments = [first + timedelta(seconds=5 * n) for n in range(k, k + 20)]
            reasons += book.take([Reading(worker, "", m, 111.3, 30.7, source="x") for m in moments])
        told[worker] = reasons

    def seal_on() -> None:
        while not is_over.is_set():
            seal_past_days(walked, NOON, pause_s=0)

    sealing = threading.Thread(target=seal_on)
    phones = [threading.Thread(target=send, args=pair) for pair in zip(books, WORKERS, strict=True)]
    for thread in (sealing, *phones):
        thread.start()
    for thread in phones:
        thread.join()
    is_over.set()
    sealing.join()
    for book in books:
        book.close()
    # 109 moments every 5 s, of which the walk had every second up to the 30th of its own.
    new = 109 - 30
    assert {worker: told[worker].count("accepted") for worker in WORKERS} == {"W1": new, "W2": new}
    assert len(walked.read_fixes()) == count_stored(walked) == 180 + 2 * new


JOB = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path
from geo.io import seal, sealed
from geo.io.workspace import open_workspace
folder, noon = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
seal.SLICE_ROWS, seal.DELETE_ROWS, seal.MAX_PARTS = 2000, 200, 2
print("ready", flush=True)
# Imported once, then a child a run: a real process that can really be killed.
for line in iter(sys.stdin.readline, ""):
    child = os.fork()
    if child == 0:
        with open_workspace(folder) as workspace:
            print("go", flush=True)
            seal.seal_past_days(workspace, noon, pause_s=0.001)
            seal.delete_old(workspace, int(line), noon, pause_s=0.001)
        os._exit(0)
    print(child, flush=True)
    # Not before we are told, so that the number cannot become another process's.
    sys.stdin.readline()
    os.waitpid(child, 0)
    print("over", flush=True)
"""


def test_sealing_may_be_killed_at_any_moment(tmp_path: Path):
    """Forty kills at random moments while late readings come in; nothing lost, nothing twice."""
    folder = tmp_path / "city"
    rng = random.Random(7)
    sent: set[tuple[str, pd.Timestamp]] = set()
    with create_workspace(folder) as workspace:
        hire(workspace)
        for days in (2, 1):
            sent |= names_of(walk(workspace, NOON.replace(hour=7) - timedelta(days=days), 2_000))
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder), NOON.isoformat()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert job.stdin is not None
    assert job.stdout is not None
    try:
        assert job.stdout.readline() == "ready\n"
        for k in range(40):
            with open_workspace(folder) as workspace:
                begin = NOON.replace(hour=14) - timedelta(days=1 + k % 2) + timedelta(minutes=k)
                sent |= names_of(walk(workspace, begin, 20, step_s=1))
            job.stdin.write("100\n")
            job.stdin.flush()
            told = {job.stdout.readline().strip(), job.stdout.readline().strip()}
            child = int(next(word for word in told if word not in ("go", "over")))
            time.sleep(rng.uniform(0.0, 0.25))
            os.kill(child, signal.SIGKILL)
            job.stdin.write("\n")
            job.stdin.flush()
            while "over" not in told:
                told.add(job.stdout.readline().strip())
    finally:
        job.stdin.close()
        job.wait(60)
        job.stdout.close()
    with open_workspace(folder) as workspace:
        assert names_of(workspace.read_fixes()) == sent
        assert len(workspace.read_fixes()) == len(sent)
        seal_past_days(workspace, NOON, pause_s=0)
        assert count_stored(workspace) == len(sent)
        assert workspace.count("fixes") == 0
