"""Leave a command screen open while a city lives at twenty times real speed, and see that it holds.

    python benchmarks/soak.py                # 30 minutes, as the goal says
    python benchmarks/soak.py --minutes 6    # long enough to see that it runs

The invented city `west-coast` (1,333 grids) is built once into benchmarks/out; each run works on a
copy. Server (`wangge serve`), city (`wangge play --speed 20`, 5,000 people walking) and Debian's
Chromium without a GPU are processes of their own on this machine. Read from Chromium: the heap
after a garbage collection, the share of time in which the page's main thread was busy
(`TaskDuration` of the DevTools protocol, wall time), tasks over 50 ms, and from the page itself the
numbers of the events of /live. The first five minutes are warming up.

Exit code 1 if the heap grew by more than 10 percent after that, if an event was lost, or if the
main thread was busy for 15 percent of the time or more.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright

from geo.io.demo import read_mark, write_city
from geo.io.workspace import create_workspace, open_workspace
from geo.synth import build_city

OUT = Path(__file__).parent / "out"
WALL = {"width": 1920, "height": 1080}
ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WARM_S, EVERY_S = 300.0, 20.0
BOUND_HEAP, BOUND_BUSY, BOUND_LOST = 0.10, 0.15, 0
COMMAND = "from dashboards.cli import main; main()"

WATCH = """() => {
  window.soak = { long: 0, longMs: 0, worst: 0, errors: [] };
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) {
      window.soak.long += 1;
      window.soak.longMs += task.duration;
      window.soak.worst = Math.max(window.soak.worst, task.duration);
    }
  }).observe({ type: "longtask" });
}"""

READ = """() => {
  const w = window.wangge;
  return {
    long: window.soak.long, longMs: window.soak.longMs, worst: window.soak.worst,
    state: w.live.state, missed: w.live.missed, events: w.live.events, last: w.live.last,
    connections: w.live.connections, workers: w.map.workers.size, cases: w.map.cases.size,
    nodes: document.getElementsByTagName("*").length,
    fresh: (document.getElementById("page-freshness") || {}).textContent,
  };
}"""


@dataclass
class Sample:
    """What was read at one moment; times in seconds since the page was ready."""

    at: float
    heap_mb: float
    task_s: float
    thread_s: float
    """CPU time of the page's main thread, which other programs do not lengthen."""
    page: dict[str, Any]
    cpu: dict[str, float]
    """CPU seconds of server and player so far."""


@dataclass
class Run:
    """All samples, and what the browser complained about."""

    samples: list[Sample] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def build(preset: str) -> Path:
    """The folder of the city, made once."""
    folder = OUT / f"{preset}-soak"
    if not (folder / "city.gpkg").exists():
        print(f"building {preset} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        city = build_city(preset, seed=1, at=datetime.now(UTC))
        with create_workspace(folder) as workspace:
            write_city(city, workspace)
    return folder


@contextmanager
def program(name: str, *arguments: str, cwd: Path) -> Iterator[psutil.Process]:
    """A child process of ours; its output in a file beside the city. Ended by Ctrl+C's signal."""
    with (cwd / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", COMMAND, name, *arguments],
            stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            yield psutil.Process(child.pid)
            if child.poll() is not None:
                raise SystemExit(f"{name} ended by itself: see {cwd / f'{name}.log'}")
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGINT)
                try:
                    child.wait(30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(address: str, patience_s: float = 300.0) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit(f"no server at {address} after {patience_s:.0f} s")


def wait_for_map(page: Page, patience_s: float = 300.0) -> None:
    """Wait until the map is drawn and the live connection stands."""
    end = time.monotonic() + patience_s
    ready = "document.documentElement.dataset.ready === 'map' && wangge.live.state === 'live'"
    while not page.evaluate(ready):
        if time.monotonic() > end:
            raise SystemExit(f"the map was not ready after {patience_s:.0f} s")
        page.wait_for_timeout(250)


def sample(
    page: Page, cdp: CDPSession, begun: float, children: dict[str, psutil.Process]
) -> Sample:
    """Read everything once, after a garbage collection."""
    cdp.send("HeapProfiler.collectGarbage")
    metrics = {m["name"]: m["value"] for m in cdp.send("Performance.getMetrics")["metrics"]}
    cpu = {name: sum(child.cpu_times()[:2]) for name, child in children.items()}
    return Sample(
        time.monotonic() - begun,
        metrics["JSHeapUsedSize"] / 1e6,
        metrics["TaskDuration"],
        metrics.get("ThreadTime", float("nan")),
        page.evaluate(READ),
        cpu,
    )


def watch(
    page: Page, run: Run, minutes: float, children: dict[str, psutil.Process], every_s: float
) -> None:
    """Take samples for some minutes and say how it goes."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")
    page.evaluate(WATCH)
    begun = time.monotonic()
    run.samples.append(sample(page, cdp, begun, children))
    while run.samples[-1].at < minutes * 60:
        page.wait_for_timeout(every_s * 1000)
        for name, child in children.items():
            if not child.is_running() or child.status() == psutil.STATUS_ZOMBIE:
                raise SystemExit(f"{name} ended by itself: see {name}.log beside the city")
        run.samples.append(sample(page, cdp, begun, children))
        one, two = run.samples[-2:]
        busy = (two.task_s - one.task_s) / (two.at - one.at)
        cpu = (two.thread_s - one.thread_s) / (two.at - one.at)
        print(
            f"{two.at / 60:5.1f} min  heap {two.heap_mb:6.1f} MB  busy {busy:5.1%} (CPU {cpu:5.1%})"
            f"  events {two.page['events']}  lost {two.page['missed']}"
            f"  on the map {two.page['workers']:,} people, {two.page['cases']:,} cases"
            f"  {two.page['state']}  {two.page['fresh']}",
            flush=True,
        )


def summarise(run: Run, warm_s: float) -> tuple[str, bool]:
    """The figures as a Markdown table, and whether all bounds are kept."""
    first, last = run.samples[0], run.samples[-1]
    after = [one for one in run.samples if one.at >= min(warm_s, last.at / 2)]
    warm = after[0]
    span = last.at - warm.at
    busy = (last.task_s - warm.task_s) / span
    # Three readings each: the heap after a collection still breathes by some percent.
    heap_first = statistics.median(one.heap_mb for one in after[:3])
    heap_last = statistics.median(one.heap_mb for one in after[-3:])
    growth = heap_last / heap_first - 1
    told = int(last.page["last"].rpartition("-")[2]) - int(first.page["last"].rpartition("-")[2])
    heard = last.page["events"] - first.page["events"]
    lost = last.page["missed"]
    rows = [
        ("minutes", f"{last.at / 60:.1f}"),
        ("people on the map at the end", f"{last.page['workers']:,}"),
        ("numbered events told / heard", f"{told:,} / {heard:,}"),
        ("events lost (bound 0)", f"{lost}"),
        ("connections", f"{last.page['connections']}"),
        (
            f"heap at {warm.at / 60:.1f} min and at the end (MB)",
            f"{heap_first:.1f}, {heap_last:.1f}",
        ),
        ("heap grown by (bound 10 %)", f"{growth:+.1%}"),
        ("main thread busy after warming up (bound 15 %)", f"{busy:.1%}"),
        ("its CPU time after warming up", f"{(last.thread_s - warm.thread_s) / span:.1%}"),
        ("main thread busy from the start", f"{(last.task_s - first.task_s) / last.at:.1%}"),
        ("tasks over 50 ms a minute", f"{(last.page['long'] - warm.page['long']) / span * 60:.1f}"),
        ("the longest task (ms)", f"{last.page['worst']:.0f}"),
        (
            "elements of the page, first and last",
            f"{first.page['nodes']:,}, {last.page['nodes']:,}",
        ),
        *(
            (f"CPU of {name}, share of one core", f"{(last.cpu[name] - warm.cpu[name]) / span:.1%}")
            for name in last.cpu
        ),
        ("errors in the browser's console", f"{len(run.errors)}"),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {label} | {text} |" for label, text in rows)])
    broken = [
        text
        for text, holds in (
            ("the heap grew", growth <= BOUND_HEAP),
            ("the main thread was too busy", busy < BOUND_BUSY),
            ("events were lost", lost <= BOUND_LOST and told == heard),
            ("the connection was lost", last.page["state"] == "live"),
        )
        if not holds
    ]
    return f"{table}\nbounds: {'; '.join(broken) if broken else 'all kept'}", not broken


def main() -> int:
    """Run, print, and fail if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--preset", default="west-coast")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--workers", type=int, default=5000)
    parser.add_argument("--every", type=float, default=EVERY_S, help="seconds between samples")
    parser.add_argument("--query", default="", help="of the page's address, such as kiosk=1")
    options = parser.parse_args()
    base = build(options.preset)
    folder = OUT / f"{options.preset}-soak-run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    with open_workspace(folder) as workspace:
        mark = read_mark(workspace)
    assert mark is not None
    start = mark.at + timedelta(seconds=1)  # the city may know something of the moment itself
    port, run = free_port(), Run()
    address = f"http://127.0.0.1:{port}"
    played = ["--speed", str(options.speed), "--workers", str(options.workers), "--quiet"]
    with (
        program("play", str(folder), *played, "--start", start.isoformat(), cwd=folder) as player,
        program("serve", "--workspace", str(folder), "--port", str(port), cwd=folder) as server,
        sync_playwright() as playwright,
    ):
        wait_for(address)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        page = browser.new_context(viewport=WALL).new_page()
        page.on("console", lambda m: run.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: run.errors.append(str(error)))
        page.goto(f"{address}/command{'?' + options.query if options.query else ''}")
        wait_for_map(page)
        watch(page, run, options.minutes, {"server": server, "player": player}, options.every)
        page.screenshot(path=str(OUT / "soak.png"))
        browser.close()
    text, is_kept = summarise(run, WARM_S)
    print(f"{options.preset} at {options.speed:g} times real speed, {options.workers:,} people")
    print(text)
    for error in dict.fromkeys(run.errors):
        print(f"console: {error}")
    return 0 if is_kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
