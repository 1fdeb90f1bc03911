"""Replay of 5,000 workers and 10 million fixes of one day: server, bytes, and a real browser.

    python benchmarks/replay.py --workspace /tmp/replay --out replay.json

The first run makes the city (preset west-coast) and seals a day into it: each worker on duty from
08:00 to 18:00, a fix every 18 s on a smooth wandering way around the own grid, one in fifty silent
for half an hour. The day is loaded as the server does it, slices are asked for over HTTP of one
process, and Chromium plays the day at 60x and at 600x.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import statistics
import threading
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from werkzeug.serving import make_server

from dashboards.app import create_app
from dashboards.replay_days import Day, Days
from dashboards.replay_routes import DAYS
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import Workspace, open_workspace

WORKERS, FIXES, STEP_S, HOURS = 5000, 10_000_000, 18, 10
DAY = date(2026, 11, 19)
LEADER = {"by": "bench", "role": "shift_leader", "day": DAY.isoformat()}
ARGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def make_fixes(workspace: Workspace, seed: int = 4) -> None:
    """Seal the day, an hour of workers at a time so that memory stays small."""
    rng = np.random.default_rng(seed)
    shapes = workspace.grids().geometry.to_numpy()
    ids = workspace.read("workers", columns=["unit_code"]).index.astype(str).to_numpy()[:WORKERS]
    assert len(ids) == WORKERS
    middles = shapely.get_coordinates(shapely.centroid(shapes[np.arange(WORKERS) % len(shapes)]))
    begin = datetime.combine(DAY, datetime.min.time(), tzinfo=workspace.zone) + timedelta(hours=8)
    count = FIXES // len(ids)
    step_s = HOURS * 3600 / count
    for part in np.array_split(np.arange(len(ids)), 10):
        n = len(part)
        turn = np.cumsum(rng.normal(0, 0.25, (n, count)), axis=1) + rng.uniform(0, 6.3, (n, 1))
        pace = 1.1 * step_s
        east, north = (np.cumsum(pace * f(turn), axis=1) for f in (np.cos, np.sin))
        # Held near the post: a walk of a day that comes back again and again.
        east, north = 260 * np.sin(east / 260), 260 * np.sin(north / 260)
        lon = middles[part, 0][:, None] + east / 95_000 + rng.normal(0, 3e-5, (n, count))
        lat = middles[part, 1][:, None] + north / 111_000 + rng.normal(0, 3e-5, (n, count))
        seconds = np.arange(count) * step_s + rng.uniform(0, step_s, (n, 1))
        silent = (part % 50 == 0)[:, None] & (np.abs(seconds - 3 * 3600) < 900)
        keep = ~silent.ravel()
        frame = pd.DataFrame(
            {
                "worker_id": np.repeat(ids[part], count)[keep],
                "time": (
                    pd.Timestamp(begin).tz_convert("UTC")
                    + pd.to_timedelta(seconds.ravel()[keep], unit="s")
                ).astype("datetime64[ms, UTC]"),
                "lon": lon.ravel()[keep],
                "lat": lat.ravel()[keep],
                "accuracy_m": 8.0,
            }
        )
        workspace.seal_fixes(frame, timezone=workspace.zone.key)


def measure_server(server: Any, days: Days, workspace: Workspace) -> dict[str, Any]:
    """Load the day, then slices of several kinds and questions, by the test client."""
    begun = time.perf_counter()
    days.get(DAY)
    day = None
    while day is None:
        found = days.get(DAY)
        if isinstance(found, Day):
            day = found
        time.sleep(0.05)
    first_s = time.perf_counter() - begun
    day = days.wait(DAY, 900)
    told: dict[str, Any] = {
        "workers": len(day.replay.names),
        "fixes": len(day.replay),
        "removed": int(day.replay.removed.sum()),
        "ready_s": round(first_s, 1),
        "with_streets_s": round(time.perf_counter() - begun, 1),
        "columns_mb": round(day.replay.nbytes / 1e6),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "covered_m": round(float(day.streets.covered_m[-1])) if day.streets else None,
    }
    client = server.test_client()
    west, south, east, north = workspace.grids().total_bounds
    x, y = (west + east) / 2, (south + north) / 2
    near = ",".join(f"{v:.5f}" for v in (x - 0.02, y - 0.012, x + 0.02, y + 0.012))
    for name, length, step, box in (
        ("60x city", 900, 15, ""), ("600x city", 3600, 60, ""),
        ("1x city", 120, 2, ""), ("60x near", 900, 15, near),
    ):  # fmt: skip
        spent, sizes = [], []
        for k in range(13):
            begin = 9 * 3600 + k * length // 2
            query = LEADER | {"from": begin, "to": begin + length, "step": step, "box": box}
            begun = time.perf_counter()
            answer = client.get(
                "/replay/slice", query_string=query, headers={"Accept-Encoding": "gzip"}
            )
            spent.append((time.perf_counter() - begun) * 1000)
            sizes.append(len(answer.data))
            assert answer.status_code == 200, answer.data
        told[name] = {
            "ms_median": round(statistics.median(spent[3:]), 1),
            "ms_worst": round(max(spent[3:]), 1),
            "kb": round(statistics.median(sizes) / 1000),
        }
    spent = []
    for k in range(8):
        lon, lat = x + 0.004 * (k - 4), y + 0.003 * (k - 4)
        query = LEADER | {"from": 8 * 3600, "to": 10 * 3600, "area": f"circle:{lon},{lat},150"}
        begun = time.perf_counter()
        answer = client.get("/replay/passed", query_string=query)
        spent.append((time.perf_counter() - begun) * 1000)
        told["passed_found"] = answer.json["total"]
    told["passed_ms"] = [round(ms) for ms in spent]
    return told


FPS = """(ms) => new Promise((done) => {
  const r = wangge.workers.replay, d = r.draw, draw = d.frame;
  const told = { long: [], frames: 0, draw: 0 };
  const watch = new PerformanceObserver((list) =>
    list.getEntries().forEach((e) => told.long.push(Math.round(e.duration))));
  watch.observe({ entryTypes: ["longtask"] });
  d.frame = () => {
    const at = performance.now();
    draw();
    told.draw += performance.now() - at;
    told.frames++;
  };
  const from = r.t, slices = r.stats.slices, bytes = r.stats.bytes, begun = performance.now();
  window.setTimeout(() => {
    watch.disconnect();
    d.frame = draw;
    const s = (performance.now() - begun) / 1000;
    done({
      seconds: s, fps: told.frames / s, draw_ms: told.draw / told.frames, long: told.long,
      main_ms_per_s: told.draw / s, clock_per_s: (r.t - from) / s,
      slices: r.stats.slices - slices, kb: (r.stats.bytes - bytes) / 1000, shown: d.seen + d.silent,
    });
  }, ms);
})"""


def measure_browser(address: str, size: tuple[int, int]) -> dict[str, Any]:
    """Play the day and count frames and long tasks, ten seconds at each speed."""
    from playwright.sync_api import sync_playwright

    told: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        person = {"by": "bench", "role": "shift_leader", "worker_id": None, "name": "bench"}
        page.add_init_script(
            f"localStorage.setItem('wangge-person', {json.dumps(json.dumps(person))})"
        )
        page.goto(f"{address}/workers?day={DAY}&t=09:30:00")
        ready = "document.documentElement.dataset.replay === 'ready' && !!wangge.s.map"
        end = time.monotonic() + 120
        while not page.evaluate(ready) and time.monotonic() < end:
            page.wait_for_timeout(200)
        page.wait_for_timeout(10_000)
        for speed in (60, 600):
            page.evaluate(f"document.querySelector('[data-speed=\"{speed}\"]').click()")
            page.evaluate("wangge.workers.replay.seek(9.5 * 3600)")
            page.evaluate("wangge.workers.replay.toggle()")
            page.wait_for_timeout(3000)
            told[f"{speed}x"] = page.evaluate(FPS, 10_000)
            page.evaluate("wangge.workers.replay.toggle()")
        browser.close()
    return told


def main() -> None:
    """Make, measure, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--no-browser", action="store_true")
    args = parser.parse_args()
    with open_workspace(args.workspace) as workspace:
        if DAY not in workspace.days_of_fixes():
            make_fixes(workspace)
        store = Store(workspace, Settings(track_roles="shift_leader"))
        app = create_app(store.settings, store)
        told = measure_server(app.server, app.server.extensions[DAYS], workspace)
        print(json.dumps(told, indent=1))
        if not args.no_browser:
            logging.getLogger("werkzeug").setLevel(logging.WARNING)
            server = make_server("127.0.0.1", 0, app.server, threaded=True)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            address = f"http://127.0.0.1:{server.server_port}"
            told["browser"] = measure_browser(address, (1920, 1080))
            print(json.dumps(told["browser"], indent=1))
            server.shutdown()
            thread.join()
    if args.out:
        args.out.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
