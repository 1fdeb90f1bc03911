"""What 5,000 people who move every second cost one command screen: main thread, bytes, server.

    python benchmarks/live.py --browser                  # 1,333 grids, 5,000 people, 30 s a view
    python benchmarks/live.py --browser --seconds 15

`wangge serve` in a process of its own, looking every second; a third process commits a step of one
metre for each of the people once a second; Debian's Chromium at 1920x1080 without a GPU shows
`/command`. Read by the DevTools protocol (`Performance.getMetrics`) over the same seconds: the time
in which the page's main thread was at work (`TaskDuration`, wall time, so that a busy machine
lengthens it), of it scripts, style and layout; and its processor time (`ThreadTime`). Three views:
the city while nobody moves, the city while all move, and streets from near with names and trails.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

import numpy as np
import pandas as pd
import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright
from soak import ARGS, OUT, WALL, build, free_port, program, wait_for, wait_for_map

from geo.io.workspace import open_workspace

PEOPLE = 5_000
WARM_S = 12.0
BOUND_MS = 60.0
"""Main thread a second while all move."""

STEP = """
import sys, time
from live_browser import walk_forever
walk_forever(sys.argv[1], int(sys.argv[2]))
"""


def walk_forever(folder: str, people: int) -> None:
    """Commit a step of everyone once a second, until the process is ended."""
    rng = np.random.default_rng(1)
    with open_workspace(folder) as workspace:
        ids = list(workspace.read("workers", columns=["name"]).index)[:people]
        grids = workspace.grids(at=datetime.now(UTC))
        some = grids.geometry.representative_point().sample(len(ids), replace=True, random_state=1)
        lon, lat = some.x.to_numpy().copy(), some.y.to_numpy().copy()
        heading = rng.uniform(0, 2 * np.pi, len(ids))
        while True:
            begun = time.monotonic()
            heading += rng.normal(0, 0.2, len(ids))
            lon += np.cos(heading) * 1.2 / 95_000
            lat += np.sin(heading) * 1.2 / 110_574
            at = pd.Timestamp(datetime.now(UTC))
            frame = pd.DataFrame({"worker_id": ids, "time": at})
            with workspace.writing() as conn:
                workspace.append(
                    conn, "fixes", frame.assign(lon=lon, lat=lat, accuracy_m=8.0, mock=False)
                )
            print(int(at.timestamp()), f"{time.time():.3f}", flush=True)
            time.sleep(max(0.0, begun + 1 - time.monotonic()))


LISTEN = """() => {
  window.arrived = [];
  wangge.live.on("positions", (told) => {
    const t = wangge.map.people.unpack(told).t;
    window.arrived.push([t.reduce((a, b) => Math.max(a, b), 0), Date.now() / 1000]);
  });
}"""


def lags_s(page: Page, log: Path) -> list[float]:
    """Seconds from each commit to the moment at which the page had the event with its fixes."""
    commits = dict(line.split() for line in log.read_text("utf-8").splitlines() if " " in line)
    arrived: list[tuple[float, float]] = page.evaluate("window.arrived")
    return [at - float(commits[str(int(t))]) for t, at in arrived if str(int(t)) in commits]


class Meter:
    """Differences of the browser's own counters over some seconds."""

    NAMES = (
        "TaskDuration",
        "ScriptDuration",
        "LayoutDuration",
        "RecalcStyleDuration",
        "ThreadTime",
    )

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cdp: CDPSession = page.context.new_cdp_session(page)
        self.cdp.send("Performance.enable")

    def read(self) -> dict[str, float]:
        """All counters, and how far the events have come."""
        metrics = {
            m["name"]: m["value"] for m in self.cdp.send("Performance.getMetrics")["metrics"]
        }
        found = {name: metrics.get(name, float("nan")) for name in self.NAMES}
        seen: dict[str, float] = self.page.evaluate(
            """() => ({events: wangge.live.events, missed: wangge.live.missed,
                       frames: wangge.map.people.frames, version: wangge.map.people.version})"""
        )
        return found | seen | {"at": time.monotonic()}

    def over(self, seconds: float, server: psutil.Process) -> dict[str, float]:
        """What was spent a second: milliseconds, frames, events; the server's share of a core."""
        before, cpu = self.read(), sum(server.cpu_times()[:2])
        self.page.wait_for_timeout(seconds * 1000)
        after, cpu_after = self.read(), sum(server.cpu_times()[:2])
        span = after["at"] - before["at"]
        spent = {name: (after[name] - before[name]) / span for name in after if name != "at"}
        for name in self.NAMES:
            spent[name] *= 1000
        return spent | {"server": (cpu_after - cpu) / span}


def bytes_a_second(page: Page, seconds: float) -> float:
    """What one more screen is sent by /live in a second."""
    script = """async (seconds) => {
      const answer = await fetch("/live?lang=zh");
      const reader = answer.body.getReader();
      const end = performance.now() + seconds * 1000;
      let bytes = 0, first = 0;
      while (performance.now() < end) {
        const part = await reader.read();
        if (!first) first = performance.now();
        else bytes += part.value.length;
      }
      await reader.cancel();
      return bytes / ((performance.now() - first) / 1000);
    }"""
    found: float = page.evaluate(script, seconds)
    return found


def measure_browser(preset: str, seconds: float) -> tuple[list[tuple[str, ...]], list[str]]:
    """The table of all views, and which bounds are broken."""
    run = OUT / f"{preset}-browser-run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(build(preset), run)
    (run / "settings.toml").write_text("check_s = 1.0\n", encoding="utf-8")
    port = free_port()
    results: dict[str, dict[str, float]] = {}
    with program("serve", "--workspace", str(run), "--port", str(port), cwd=run) as server:
        wait_for(f"http://127.0.0.1:{port}")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=ARGS)
            page = browser.new_page(viewport=WALL)
            page.goto(f"http://127.0.0.1:{port}/command")
            wait_for_map(page)
            page.wait_for_timeout(WARM_S * 1000)
            meter = Meter(page)
            results["nobody moves"] = meter.over(seconds, server)
            with _walking(run):
                _until(page, f"wangge.map.workers.size >= {PEOPLE * 0.99:.0f}")
                page.wait_for_timeout(WARM_S * 1000)
                results["all move, the city"] = meter.over(seconds, server)
                # After the measuring, for listening costs the page something.
                page.evaluate(LISTEN)
                page.wait_for_timeout(WARM_S * 1000)
                lags = lags_s(page, run / "walk.log")
                page.evaluate(
                    """() => { const p = wangge.map.people;
                       const a = p.at(p.slots.values().next().value);
                       wangge.s.map.jumpTo({center: [a.lon, a.lat], zoom: 15.6}); }"""
                )
                page.wait_for_timeout(WARM_S * 1000)
                results["all move, from near"] = meter.over(seconds, server)
                page.screenshot(path=str(OUT / "live-near.png"))
                sent = bytes_a_second(page, min(seconds, 10.0))
            browser.close()
    return _table(results, sent, lags), _broken(results)


def _chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        raise SystemExit("no chromium on this machine: apt-get install chromium")
    return found


@contextmanager
def _walking(run: Path) -> Iterator[None]:
    """The writer as a child process."""
    with (run / "walk.log").open("wb") as log:
        child = Popen(
            [sys.executable, "-c", STEP, str(run), str(PEOPLE)], stdout=log, stderr=log,
            cwd=Path(__file__).parent,
        )  # fmt: skip
        try:
            yield
        finally:
            child.terminate()
            child.wait(30)


def _until(page: Page, script: str, patience_s: float = 120.0) -> None:
    end = time.monotonic() + patience_s
    while not page.evaluate(script):
        if time.monotonic() > end:
            raise SystemExit(f"never true: {script}")
        page.wait_for_timeout(250)


def _table(
    results: dict[str, dict[str, float]], sent: float, lags: list[float]
) -> list[tuple[str, ...]]:
    def row(label: str, name: str, say: Callable[[float], str]) -> tuple[str, ...]:
        return (label, *(say(one[name]) for one in results.values()))

    ms = "{:.0f}".format
    return [
        ("a second", *results),
        row("main thread at work (ms)", "TaskDuration", ms),
        row("of it scripts (ms)", "ScriptDuration", ms),
        row("style and layout (ms)", "RecalcStyleDuration", ms),
        row("processor time of the main thread (ms)", "ThreadTime", ms),
        row("frames of the map", "frames", "{:.1f}".format),
        row("events of /live", "events", "{:.1f}".format),
        row("events lost", "missed", "{:.0f}".format),
        row("processor of the server (share of a core)", "server", "{:.0%}".format),
        ("bytes by /live to a screen", "", "", f"{sent:,.0f}"),
        (
            "from a commit to the page, median and most (s)",
            "",
            f"{np.median(lags):.2f}, {max(lags):.2f}" if lags else "",
            "",
        ),
    ]


def _broken(results: dict[str, dict[str, float]]) -> list[str]:
    spent = results["all move, the city"]
    found = []
    if spent["TaskDuration"] > BOUND_MS:
        found.append(f"the main thread works {spent['TaskDuration']:.0f} ms a second")
    if any(one["missed"] for one in results.values()):
        found.append("events were lost")
    return found
