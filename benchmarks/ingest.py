"""Measure how fast positions are acknowledged: 4,000 fixes a second in batches, 600 one by one.

    python benchmarks/ingest.py                  # 30 s of each
    python benchmarks/ingest.py --seconds 300    # as the goal says
    python benchmarks/ingest.py --preset demo --seconds 5   # to see that it runs

Builds the invented city `west-coast` (5,000 people) into benchmarks/out once and works on a copy.
`wangge serve` and the phones are processes of their own on this machine. Two loads one after the
other: batches of 100 fixes from 8 connections, then single readings as Traccar Client sends them
from 48 connections. Meanwhile a page, a figure of the map and /healthz are asked for once a second.
The time of an acknowledgement runs from the moment at which the request was due, so that a server
that falls behind is not spared. At the end the table must hold every fix that was acknowledged.

`Server-Timing` says how much of an acknowledgement was spent inside the server; on a busy machine
the rest is the phones' own process waiting for a core.

Exit code 1 if a fix is missing, an answer is not 200, less than 98 percent of the rate was reached,
or the 99th percentile is 250 ms or more.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import shutil
import statistics
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil
from soak import OUT, build, free_port, program, wait_for

from geo.io.fixbook import read_counts
from geo.io.workspace import Workspace, open_workspace

BATCH, BATCH_LINKS, SINGLE_LINKS = 100, 8, 48
BOUND_MS = 250.0
PAGES = ("/command", "/map/style.json", "/healthz")


Person = tuple[str, float, float]
"""Device, longitude, latitude: everyone stands in their own grid, so that nobody is alarmed."""


@dataclass
class Load:
    """What one load is: so many fixes a second, so many in a request, over so many connections."""

    name: str
    rate: int
    size: int
    links: int


@dataclass
class Heard:
    """What the phones heard."""

    ms: list[float] = field(default_factory=list)
    app_ms: list[float] = field(default_factory=list)
    """Of it, what the server's own clock says (`Server-Timing`): parsing, waiting, commit."""
    accepted: int = 0
    wrong: list[str] = field(default_factory=list)


class Phone(threading.Thread):
    """One connection that sends a request each time one is due."""

    def __init__(
        self, number: int, port: int, load: Load, people: list[Person], end: float
    ) -> None:
        super().__init__(daemon=True)
        self.number, self.load, self.people, self.end = number, load, people, end
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.heard = Heard()

    def run(self) -> None:
        every = self.load.size * self.load.links / self.load.rate
        due = time.time() + every * self.number / self.load.links
        turn = self.number
        while due < self.end:
            time.sleep(max(0.0, due - time.time()))
            self.send(turn, due)
            turn += self.load.links
            due += every
        self.link.close()

    def send(self, turn: int, due: float) -> None:
        first = turn * self.load.size
        who = [self.people[(first + k) % len(self.people)] for k in range(self.load.size)]
        step = 1e-5 * (turn % 10)
        if self.load.size == 1:
            name, lon, lat = who[0]
            address = (
                f"/ingest/osmand?id={name}&timestamp={int(due * 1000)}&lat={lat + step:.6f}"
                f"&lon={lon + step:.6f}&speed=2.1&bearing=0.0&accuracy=8.5&batt=80.0"
            )
            self.link.request("POST", address)
        else:
            fixes = [
                {"device_id": name, "time": round(due, 3), "lon": lon + step,
                 "lat": lat + step, "accuracy_m": 8.5, "speed_kmh": 4.2, "mock": False}
                for name, lon, lat in who
            ]  # fmt: skip
            self.link.request("POST", "/ingest/fixes", json.dumps({"fixes": fixes}))
        answer = self.link.getresponse()
        body = answer.read()
        self.heard.ms.append((time.time() - due) * 1000)
        timing = answer.headers.get("Server-Timing", "")
        self.heard.app_ms.append(float(timing.partition("dur=")[2] or "nan"))
        if answer.status != 200:
            self.heard.wrong.append(f"{answer.status} {body[:200]!r}")
        elif self.load.size > 1:
            self.heard.accepted += json.loads(body)["accepted"]
        else:
            self.heard.accepted += answer.headers["X-Wangge-Reason"] == "accepted"


def send_load(port: int, load: Load, people: list[Person], seconds: float, out: Connection) -> None:
    """The process of the phones."""
    end = time.time() + seconds
    phones = [Phone(k, port, load, people, end) for k in range(load.links)]
    for phone in phones:
        phone.start()
    for phone in phones:
        phone.join()
    whole = Heard()
    for phone in phones:
        whole.ms += phone.heard.ms
        whole.app_ms += phone.heard.app_ms
        whole.accepted += phone.heard.accepted
        whole.wrong += phone.heard.wrong
    out.send(whole)


def look_at_pages(port: int, is_over: threading.Event, spent: dict[str, list[float]]) -> None:
    """Ask for each page once a second, as a screen does."""
    while not is_over.wait(1.0):
        for path in PAGES:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            begun = time.perf_counter()
            link.request("GET", path)
            answer = link.getresponse()
            answer.read()
            link.close()
            spent[path].append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise SystemExit(f"{path} answered {answer.status}")


def percentile(values: list[float], share: float) -> float:
    """The value below which a share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(
    port: int, server: psutil.Process, load: Load, people: list[Person], seconds: float
) -> bool:
    """One load; whether it kept the bounds."""
    is_over, spent = threading.Event(), {path: [] for path in PAGES}
    watcher = threading.Thread(target=look_at_pages, args=(port, is_over, spent), daemon=True)
    watcher.start()
    here, there = multiprocessing.Pipe(duplex=False)
    sender = multiprocessing.Process(target=send_load, args=(port, load, people, seconds, there))
    begun, cpu = time.time(), sum(server.cpu_times()[:2])
    sender.start()
    heard: Heard = here.recv()
    took = time.time() - begun
    used = (sum(server.cpu_times()[:2]) - cpu) / took
    sender.join()
    is_over.set()
    watcher.join()
    rate = heard.accepted / seconds
    p50, p99 = percentile(heard.ms, 0.5), percentile(heard.ms, 0.99)
    print(
        f"{load.name}: {rate:,.0f} fixes/s for {seconds:.0f} s ({len(heard.ms):,} requests);"
        f" acknowledged p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {max(heard.ms):.0f} ms;"
        f" server {used * 100:.0f} % of a core; load {os.getloadavg()[0]:.1f}"
    )
    p50, p99 = (percentile(heard.app_ms, share) for share in (0.5, 0.99))
    print(f"    of it inside the server: p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    for path, ms in spent.items():
        print(f"    {path}: median {statistics.median(ms):.0f} ms, longest {max(ms):.0f} ms")
    for text in heard.wrong[:3]:
        print(f"    wrong: {text}")
    is_quick = percentile(heard.ms, 0.99) < BOUND_MS
    return not heard.wrong and rate >= 0.98 * load.rate and is_quick, heard.accepted


def main() -> None:
    """Run both loads and check the table."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--preset", default="west-coast")
    options.add_argument("--seconds", type=float, default=30.0, help="of each load")
    chosen = options.parse_args()
    source, folder = build(chosen.preset), OUT / f"{chosen.preset}-ingest-run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    _make_open(folder)
    loads = (
        Load("batches of 100", 4_000, BATCH, BATCH_LINKS),
        Load("one by one", 600, 1, SINGLE_LINKS),
    )
    port = free_port()
    with open_workspace(folder) as workspace:
        people = find_people(workspace)[:5_000]
        before = workspace.count("fixes")
    load_now = os.getloadavg()[0]
    print(f"{chosen.preset}: {len(people):,} phones, {os.cpu_count()} cores, load {load_now:.1f}")
    with program("serve", "--workspace", str(folder), "--port", str(port), cwd=folder) as server:
        wait_for(f"http://127.0.0.1:{port}")
        time.sleep(5)
        kept = [measure(port, server, load, people, chosen.seconds) for load in loads]
    with open_workspace(folder) as workspace:
        counts, rows = read_counts(workspace), workspace.count("fixes") - before
        print(f"alarms of patrols meanwhile: {workspace.count('patrol_alarms'):,}")
    acknowledged = sum(n for _, n in kept)
    print(f"acknowledged {acknowledged:,} fixes, stored {rows:,}; {counts}")
    shutil.rmtree(folder)
    if not all(is_kept for is_kept, _ in kept) or rows != acknowledged:
        raise SystemExit(1)


def find_people(workspace: Workspace) -> list[Person]:
    """The phones of the city, each in its worker's grid, or in one of the others'."""
    grids = workspace.grids()
    points = grids.geometry.representative_point()
    unit = workspace.read("workers", columns=["unit_code"])["unit_code"]
    at = grids.index.get_indexer(unit)
    at = np.where(at >= 0, at, np.arange(len(at)) % len(grids))
    return [
        (str(name), float(point.x), float(point.y))
        for name, point in zip(unit.index, points.iloc[at], strict=True)
    ]


def _make_open(folder: Path) -> None:
    """An invented city whose phones send at any hour."""
    (folder / "settings.toml").write_text(
        "ingest_open = true\nkeep_off_duty = true\n", encoding="utf-8"
    )
    with open_workspace(folder) as workspace, workspace.writing() as conn:
        if conn.exec_driver_sql("SELECT count(*) FROM devices").scalar_one() == 0:
            # Built by an older version: each worker's phone has the worker's own id.
            conn.exec_driver_sql(
                "INSERT INTO devices (device_id, worker_id, valid_from)"
                " SELECT worker_id, worker_id, ? FROM workers",
                (datetime(2020, 1, 1, tzinfo=UTC).isoformat(timespec="milliseconds"),),
            )
            workspace.touch(conn, "devices")


if __name__ == "__main__":
    main()
