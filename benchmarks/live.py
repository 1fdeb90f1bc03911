"""Measure what it costs to keep many screens fresh: the store's looks, and events to 20 screens.

    python benchmarks/live.py                # 3,311 grids, over 100,000 cases in the window
    python benchmarks/live.py --preset demo  # small, to see that it runs
    python benchmarks/live.py --browser      # what a screen itself works; see live_browser.py

Builds the invented city into benchmarks/out once, with every case of it three times. First the
store alone: CPU time of a look at the workspace after a change, and of the figures that pages ask
for first; medians. Then `wangge serve` in a process of its own with 20 screens on `/live`, while
this program commits 5,000 fixes and ten moved cases every second: the time from the commit to the
event at each screen (the server looks every second here), lost numbers, CPU of the server.

Exit code 1 if a change costs more than 150 ms, or an event is lost.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from live_browser import measure_browser
from soak import OUT, free_port, program, wait_for

from dashboards.live_feed import LiveFeed
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.demo import write_city
from geo.io.workspace import Workspace, create_workspace, open_workspace
from geo.synth import build_city

COPIES, SCREENS, SECONDS = 3, 20, 30
BOUND_MS = 150.0


def build(preset: str) -> Path:
    """The folder of the city with every case three times, made once; each run takes a copy."""
    folder, run = OUT / f"{preset}-live", OUT / f"{preset}-live-run"
    if not (folder / "city.gpkg").exists():
        print(f"building {preset} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        city = build_city(preset, seed=1, at=datetime.now(UTC))
        with create_workspace(folder) as workspace:
            write_city(city, workspace)
            frame = workspace.read("incidents").reset_index()
            for k in range(1, COPIES):
                with workspace.writing() as conn:
                    copy = frame.assign(incident_id=frame["incident_id"] + f"-{k}")
                    workspace.append(conn, "incidents", copy)
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(folder, run)
    return run


class Writer:
    """Another program that writes into the city."""

    def __init__(self, workspace: Workspace, cases: list[str], people: list[str]) -> None:
        self.workspace, self.cases, self.people = workspace, cases, people[:5000]
        self.place = workspace.read("grids").total_bounds
        self.rng = np.random.default_rng(1)
        self.turn = 0

    def move_cases(self, count: int = 10) -> None:
        """Other stages for some open cases, by one transaction."""
        self.turn += 1
        table = self.workspace.table("incidents")
        ids = [self.cases[(self.turn * count + k) % len(self.cases)] for k in range(count)]
        stage = ("handling", "dispatched")[self.turn % 2]
        with self.workspace.writing() as conn:
            conn.execute(sa.update(table).where(table.c.incident_id.in_(ids)).values(stage=stage))
            self.workspace.touch(conn, "incidents")

    def walk(self, at: datetime) -> None:
        """A fix of everyone, by one transaction."""
        west, south, east, north = self.place
        frame = pd.DataFrame({"worker_id": self.people, "time": pd.Timestamp(at)})
        frame["lon"] = self.rng.uniform(west, east, len(frame))
        frame["lat"] = self.rng.uniform(south, north, len(frame))
        with self.workspace.writing() as conn:
            self.workspace.append(conn, "fixes", frame)


def cpu_ms(work: Callable[[], Any], before: Callable[[], Any] = lambda: None, n: int = 7) -> float:
    """Median CPU time of some work, milliseconds; `before` is not counted."""
    spent = []
    for _ in range(n):
        before()
        begun = time.process_time()
        work()
        spent.append((time.process_time() - begun) * 1000)
    return statistics.median(spent)


def measure_store(folder: Path) -> tuple[list[tuple[str, float]], float]:
    """CPU time of looks and of first questions, and the most that a change costs."""
    with open_workspace(folder) as workspace:
        now = [datetime.now(UTC)]
        store = Store(workspace, Settings(), clock=lambda: now[0])
        first = cpu_ms(store.refresh, n=1)
        snapshot = store.snapshot()
        LiveFeed(store)
        is_open = snapshot.cases.is_open
        writer = Writer(
            workspace, list(snapshot.cases.ids[is_open]), list(snapshot.workers.people.index)
        )

        def later(seconds: float, job: Callable[[], None] = lambda: None) -> None:
            now[0] += timedelta(seconds=seconds)
            job()

        rows = [
            (f"read everything ({len(snapshot.cases):,} cases in the window)", first),
            ("look without news", cpu_ms(store.refresh)),
            (
                "look after ten cases moved",
                cpu_ms(store.refresh, lambda: later(1, writer.move_cases)),
            ),
            (
                f"look after {len(writer.people):,} people moved",
                cpu_ms(store.refresh, lambda: later(1, lambda: writer.walk(now[0]))),
            ),
            ("look in a new minute", cpu_ms(store.refresh, lambda: later(61))),
            (
                "figures of the city, first asked",
                cpu_ms(lambda: store.snapshot().scope(), lambda: later(61, store.refresh)),
            ),
        ]  # fmt: skip
        for level in store.snapshot().levels[1:]:
            spent = cpu_ms(
                lambda level=level: store.snapshot().table(level), lambda: later(61, store.refresh)
            )
            rows.append((f"table of the level {level}, first asked", spent))
    return rows, max(spent for label, spent in rows[1:5])


class Screen(threading.Thread):
    """One open screen: what it heard, when, and whether a number was missing."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.heard: list[tuple[str, float, int]] = []
        self.lost = 0
        self.is_over = False

    def run(self) -> None:
        self.connection.request("GET", "/live")
        answer = self.connection.getresponse()
        kind, number = "", 0
        while not self.is_over and (line := answer.readline()):
            name, _, text = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                new = int(text.rpartition("-")[2])
                self.lost += max(0, new - number - 1) if number else 0
                number = new
            elif name == "event":
                kind = text
            elif name == "data" and kind in ("positions", "cases"):
                self.heard.append((kind, time.time(), len(text)))
        self.connection.close()


def measure_screens(folder: Path, screens: int, seconds: int) -> tuple[list[tuple[str, str]], int]:
    """Serve to many screens while the city changes every second."""
    (folder / "settings.toml").write_text("check_s = 1.0\nrefresh_s = 2.0\n", encoding="utf-8")
    port = free_port()
    arguments = ("--workspace", str(folder), "--port", str(port))
    with (
        program("serve", *arguments, cwd=folder) as server,
        open_workspace(folder) as workspace,
    ):
        wait_for(f"http://127.0.0.1:{port}")
        people = list(workspace.read("workers", columns=["name"]).index)
        table = workspace.table("incidents")
        opened = workspace.read("incidents", where=table.c.stage == "handling", columns=["stage"])
        writer = Writer(workspace, list(opened.index), people)
        watching = [Screen(port) for _ in range(screens)]
        for screen in watching:
            screen.start()
        time.sleep(3)
        begun, cpu = time.time(), sum(server.cpu_times()[:2])
        commits = []
        while time.time() - begun < seconds:
            turn = time.time()
            writer.walk(datetime.now(UTC))
            writer.move_cases()
            commits.append(time.time())
            time.sleep(max(0.0, turn + 1 - time.time()))
        time.sleep(3)
        spent = (sum(server.cpu_times()[:2]) - cpu) / (time.time() - begun)
        for screen in watching:
            screen.is_over = True
        late = np.array(
            [at - max(c for c in commits if c <= at)
             for screen in watching for kind, at, _ in screen.heard
             if kind == "cases" and at >= commits[0]]
        )  # fmt: skip
        size = np.mean([n for _, _, n in watching[0].heard if n > 1000])
        lost = sum(screen.lost for screen in watching)
        told = {len(screen.heard) for screen in watching}
    rows = [
        ("screens", f"{screens}"),
        ("events at each screen, least and most", f"{min(told)}, {max(told)}"),
        ("numbers lost, all screens together", f"{lost}"),
        ("bytes of an event with positions", f"{size:,.0f}"),
        ("from a commit to a screen, median (ms)", f"{np.median(late) * 1000:.0f}"),
        ("from a commit to a screen, 95 of 100 (ms)", f"{np.percentile(late, 95) * 1000:.0f}"),
        ("CPU of the server, share of one core", f"{spent:.0%}"),
    ]
    return rows, lost


def show_browser(preset: str | None, seconds: int) -> int:
    """One screen in Chromium: its table, and 1 if a bound is broken."""
    rows, broken = measure_browser(preset or "west-coast", seconds)
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    print(json.dumps({"bounds": broken or "all kept"}))
    return 1 if broken else 0


def main() -> int:
    """Measure, print the tables, and fail if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--preset", default=None)
    parser.add_argument("--screens", type=int, default=SCREENS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--browser", action="store_true", help="measure one screen in Chromium")
    options = parser.parse_args()
    if options.browser:
        return show_browser(options.preset, options.seconds)
    preset = options.preset or "yubei"
    folder = build(preset)
    store, most = measure_store(folder)
    print(f"{preset}: CPU of the store\n| | ms |\n|---|---|")
    print("\n".join(f"| {label} | {spent:.1f} |" for label, spent in store))
    screens, lost = measure_screens(folder, options.screens, options.seconds)
    print("\n| | |\n|---|---|")
    print("\n".join(f"| {label} | {text} |" for label, text in screens))
    broken = [
        *([f"a change costs {most:.0f} ms"] if most > BOUND_MS else []),
        *([f"{lost} events were lost"] if lost else []),
    ]
    print(json.dumps({"bounds": broken or "all kept"}))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
