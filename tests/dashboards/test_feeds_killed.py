"""A server that takes positions is killed a hundred times in the middle of a stream.

A process that has imported everything forks a server for each life, so that a hundred lives fit
into a test; each is a real server on a real socket, ended by SIGKILL. Phones are threads that send
single readings and batches, and send again what was not answered, as phones do.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from geo.io.fixbook import read_counts
from geo.io.workspace import create_workspace, open_workspace

LIVES, PHONES = 100, 6
MOST_ANSWERS = 60
"""A life may end after that many readings were acknowledged, or after any smaller number."""
NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)

SERVER = """
import os, socket, sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo
import flask
from waitress.server import create_server
from dashboards.feeds import add_ingest_routes
from geo.io.fixbook import FixBook, FixRules
from geo.io.workspace import open_workspace

class Store:
    pass

folder, now = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)
print(listener.getsockname()[1], flush=True)
while sys.stdin.readline():
    child = os.fork()
    if child == 0:
        workspace = open_workspace(folder)
        rules = FixRules(ZoneInfo("Asia/Shanghai"), is_open=True)
        book = FixBook(workspace, rules, clock=lambda: now)
        app = flask.Flask("feeds")
        add_ingest_routes(app, Store(), book)
        server = create_server(app, sockets=[listener], threads=8)
        print("up", flush=True)
        server.run()
    print(child, flush=True)
    # Not before we are told, so that the number cannot become another process's.
    sys.stdin.readline()
    os.waitpid(child, 0)
    print("over", flush=True)
"""


class Phone(threading.Thread):
    """Sends readings in order, each until it is answered; every second phone in batches."""

    def __init__(self, number: int, port: int) -> None:
        super().__init__(daemon=True)
        self.name_of = f"W{number}"
        self.is_batch = number % 2 == 1
        self.port = port
        self.acknowledged: list[datetime] = []
        self.told: Counter[str] = Counter()
        self.is_over = threading.Event()
        self.wrong: list[str] = []

    def run(self) -> None:
        turn = 0
        link = self.connect()
        while not self.is_over.is_set():
            size = 20 if self.is_batch else 1
            times = [NOW - timedelta(days=1) + timedelta(seconds=turn + k) for k in range(size)]
            turn += size
            while not self.is_over.is_set():
                try:
                    self.send(link, times)
                    self.acknowledged += times
                    break
                except (OSError, http.client.HTTPException):
                    link.close()
                    link = self.connect()
        link.close()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)

    def send(self, link: http.client.HTTPConnection, times: list[datetime]) -> None:
        stamps = [int(moment.timestamp()) for moment in times]
        if self.is_batch:
            fixes = [
                {"device_id": self.name_of, "time": stamp, "lon": 111.3, "lat": 30.7}
                for stamp in stamps
            ]
            link.request("POST", "/ingest/fixes", json.dumps({"fixes": fixes}))
        else:
            link.request(
                "POST", f"/ingest/osmand?id={self.name_of}&timestamp={stamps[0]}&lat=30.7&lon=111.3"
            )
        answer = link.getresponse()
        body = answer.read()
        if answer.status != 200:
            self.wrong.append(f"{answer.status} {body[:200]!r}")
            raise http.client.HTTPException
        if self.is_batch:
            counts = json.loads(body)
            self.told["accepted"] += counts["accepted"]
            self.told["duplicate"] += counts["duplicates"]
        else:
            self.told[answer.headers["X-Wangge-Reason"]] += 1


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "no answer in a minute"
        time.sleep(0.002)


@pytest.mark.slow
def test_a_server_that_is_killed_a_hundred_times_loses_no_acknowledged_fix(tmp_path: Path):
    folder = tmp_path / "city"
    workers = [f"W{k}" for k in range(PHONES)]
    with create_workspace(folder) as workspace, workspace.writing() as conn:
        people = pd.DataFrame({"worker_id": workers, "name": workers, "role": "grid_worker"})
        given = pd.Timestamp("2026-01-01", tz="UTC")
        phones_ = pd.DataFrame({"device_id": workers, "worker_id": workers, "valid_from": given})
        workspace.append(conn, "workers", people)
        workspace.append(conn, "devices", phones_)
    rng = random.Random(1)
    parent = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder), NOW.isoformat()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdin is not None
    assert parent.stdout is not None
    phones: list[Phone] = []
    growth = []
    try:
        port = int(parent.stdout.readline())
        phones = [Phone(k, port) for k in range(PHONES)]
        for phone in phones:
            phone.start()
        for _ in range(LIVES):
            parent.stdin.write("live\n")
            parent.stdin.flush()
            lines = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
            child = int(next(line for line in lines if line != "up"))
            # In the middle of the stream: after some answers, and between this one and the next.
            some = sum(len(phone.acknowledged) for phone in phones) + rng.randrange(MOST_ANSWERS)
            wait_until(lambda some=some: sum(len(p.acknowledged) for p in phones) >= some)
            time.sleep(rng.uniform(0.0, 0.02))
            os.kill(child, signal.SIGKILL)
            growth.append(sum(len(phone.acknowledged) for phone in phones))
            parent.stdin.write("\n")
            parent.stdin.flush()
            assert parent.stdout.readline() == "over\n"
    finally:
        for phone in phones:
            phone.is_over.set()
        parent.stdin.close()
        parent.stdout.close()
        parent.wait(60)
        for phone in phones:
            phone.join(60)
    assert not [text for phone in phones for text in phone.wrong]
    with open_workspace(folder) as workspace:
        fixes = workspace.read("fixes")
        counts = read_counts(workspace)
        with workspace.reading() as conn:
            assert conn.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    stored = set(zip(fixes["worker_id"], fixes["time"].dt.to_pydatetime(), strict=True))
    sent = {(phone.name_of, moment) for phone in phones for moment in phone.acknowledged}
    assert not sent - stored
    assert len(stored) == len(fixes)
    # What was counted as stored is what is there: both are of one commit.
    assert counts["osmand", "accepted"] + counts["batch", "accepted"] == len(fixes)
    # The stream went on through most of the lives, else the kills hit nothing.
    assert sum(b > a for a, b in itertools.pairwise(growth)) > LIVES / 2
