"""Measure what one click costs: the kernels of `geo`, and the whole answer over HTTP.

    python benchmarks/one_click.py              # 3,311 grids, 1M assets, 1M incidents
    python benchmarks/one_click.py --small      # a fiftieth of it, to see that it runs
    python benchmarks/one_click.py --no-http    # the kernels alone

The town is in `one_click_data.py`, seed 1. The clicks are at assets and cases, so they are where
the town is thickest. Kernels: wall times of single answers. HTTP: the callback of the card, sent as
a browser sends it to a server in a process of its own; `server` is its `Server-Timing`, `cpu` the
processor's time in it, `wall` the whole trip on this machine. The bound is 150 ms of server time:
exit code 1 if the 99th hundredth of the kernels or the 95th of any click breaks it. The workspace
is kept in benchmarks/out (1 GB).
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import numpy as np
import pandas as pd
import shapely
from one_click_data import AT, LAT, LON, make_town, write_town
from waitress.server import create_server

from dashboards.app import create_app
from dashboards.components import card_ids as ids
from dashboards.components.one_click import register_card
from dashboards.settings import Settings
from dashboards.store import Store
from geo.io.workspace import open_workspace
from geo.live import LiveIndex, live_workers
from geo.nearby import NearbyIndex
from geo.responsibility import ChainIndex, Viewer

OUT = Path(__file__).parent / "out"
BOUND_MS = 150.0
CLICKS = 400
ASKS = 100


def timed(job: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    out = job()
    return out, time.perf_counter() - start


def show(name: str, milliseconds: list[float]) -> None:
    low, high = np.percentile(milliseconds, [50, 99])
    print(f"{name:44}{low:9.2f}{high:9.2f}{max(milliseconds):9.2f}")


def measure_updates(live: LiveIndex, fixes: pd.DataFrame, rng: np.random.Generator) -> None:
    """Steps of 7 m, as of a walk with a fix each 5 s, and moves of a kilometre."""
    for name, step in (("live: update, a step of 7 m (µs)", 7e-5),
                       ("live: update, a move of 1 km (µs)", 1e-2)):  # fmt: skip
        micro = []
        for k, (key, lon, lat) in enumerate(
            zip(fixes["worker_id"], fixes["lon"], fixes["lat"], strict=True)
        ):
            at = AT + pd.Timedelta(seconds=1 if step < 1e-3 else 2)
            move = step * rng.choice([-1, 1])
            _, seconds = timed(lambda a=(key, lon + move, lat, at): live.update(*a))
            micro.append(seconds * 1e6)
            if k == 5000:
                break
        show(name, micro)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--no-http", action="store_true", help="the kernels alone")
    options = parser.parse_args()
    share = 0.02 if options.small else 1.0
    town = make_town(share)
    kept = measure_kernels(town)
    if not options.no_http:
        kept = measure_http(town, "small" if options.small else "full") and kept
    print(f"the card keeps {BOUND_MS:.0f} ms: {'yes' if kept else 'NO'}")
    return 0 if kept else 1


def measure_kernels(town: dict[str, Any]) -> bool:
    """Answers of `geo` by themselves."""
    grids, divisions, workers = town["grids"], town["divisions"], town["workers"]
    duties, fixes = town["duties"], town["fixes"]
    things = {
        name: town[name]
        for name in ("assets", "incidents", "cameras", "buildings", "places", "roads")
    }
    rng = np.random.default_rng(2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sizes = ", ".join(f"{len(frame):,} {name}" for name, frame in things.items())
    print(f"{len(grids):,} grids, {len(duties):,} duties, {sizes}")
    chains, build_chains = timed(lambda: ChainIndex(duties, workers, divisions, grids))
    live, build_live = timed(lambda: live_workers(fixes))
    nearby, build_nearby = timed(lambda: NearbyIndex(grids, **things))
    chains.chain_at(LON, LAT, at=AT)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"built in s: chains {build_chains:.2f}, live {build_live:.2f}, nearby {build_nearby:.2f}"
    )
    print(f"cells of nearby {nearby.nbytes / 1e6:.0f} MB; the process grew by {after - before:.0f} "
          f"MB at most, from {before:.0f} MB for the tables")  # fmt: skip

    spots = things["assets"].geometry.to_numpy()[rng.choice(len(things["assets"]), CLICKS)]
    places = list(zip(shapely.get_x(spots), shapely.get_y(spots), strict=True))
    on_duty = set(workers.index[::2])
    viewer = Viewer("dispatcher", "500100000000")
    jobs: dict[str, Callable[[float, float], Any]] = {
        "chain of a grid": lambda x, y: chains.chain(grids.index[0], at=AT, viewer=viewer),
        "chain of a place": lambda x, y: chains.chain_at(x, y, at=AT, viewer=viewer),
        "live: 3 nearest on duty, at most 10 min old": lambda x, y: live.nearest(
            x, y, 3, at=AT, on_duty=on_duty, max_age_s=600
        ),
        "nearby: around, 200 m": lambda x, y: nearby.around(x, y, at=AT),
        "nearby: around, 500 m": lambda x, y: nearby.around(x, y, at=AT, radius_m=500),
        "nearby: a whole grid": lambda x, y: nearby.around_grid(
            grids.index[int((x + y) * 1e6) % len(grids)], at=AT
        ),
        "the whole card: chain, 3 nearest, 200 m": lambda x, y: (
            chains.chain_at(x, y, at=AT, viewer=viewer),
            live.nearest(x, y, 3, at=AT, on_duty=on_duty, max_age_s=600),
            nearby.around(x, y, at=AT),
        ),
    }
    print(f"{'ms':44}{'median':>9}{'99 %':>9}{'most':>9}")
    taken: list[float] = []
    for name, job in jobs.items():
        job(*places[0])
        taken = [timed(lambda s=spot: job(*s))[1] * 1000 for spot in places]  # noqa: B023
        show(name, taken)
    found = [len(nearby.around(*spot, at=AT).assets) for spot in places[:100]]
    print(f"assets within 200 m: median {np.median(found):.0f}, most {max(found)}")
    measure_updates(live, fixes, rng)
    return bool(np.percentile(taken, 99) < BOUND_MS)


# The whole answer over HTTP.


def measure_http(town: dict[str, Any], size: str) -> bool:
    """A server of its own process, asked as a browser asks; `Server-Timing` and wall time."""
    folder = OUT / f"one-click-{size}"
    if not (folder / "city.gpkg").exists():
        write_town(folder, town)
    with served(folder) as (port, built_s):
        print(f"server ready after {built_s:.0f} s")
        asks = make_asks(town)
        wait_for_answer(port, asks["incident, 300 m"][0])
        heads = ("server", "95 %", "most", "cpu", "95 %", "wall", "95 %", "kB")
        print(f"{'HTTP: ms':20}" + "".join(f"{head:>9}" for head in heads))
        worst = 0.0
        for name, bodies in asks.items():
            server, cpu, wall, sizes = zip(*(ask(port, body) for body in bodies), strict=True)
            figures = [
                *np.percentile(server, [50, 95, 100]), *np.percentile(cpu, [50, 95]),
                *np.percentile(wall, [50, 95]), np.median(sizes) / 1000,
            ]  # fmt: skip
            print(f"{name:20}" + "".join(f"{figure:9.1f}" for figure in figures))
            worst = max(worst, figures[1])
    return worst < BOUND_MS


def make_asks(town: dict[str, Any]) -> dict[str, list[bytes]]:
    """Bodies of the card's callback by kind of click."""
    rng = np.random.default_rng(3)
    incidents, grids = town["incidents"], town["grids"]
    is_open = incidents.index[incidents["stage"] == "handling"]
    cases = [*rng.choice(is_open, ASKS // 2), *rng.choice(incidents.index, ASKS // 2)]
    spots = town["assets"].geometry.to_numpy()[rng.choice(len(town["assets"]), ASKS)]
    places = list(zip(shapely.get_x(spots), shapely.get_y(spots), strict=True))

    def case(radius: int) -> list[bytes]:
        return [body({"kind": "incident", "id": str(c), "radius_m": radius}) for c in cases]

    def place(radius: int) -> list[bytes]:
        return [
            body({"kind": "place", "lon": float(x), "lat": float(y), "radius_m": radius})
            for x, y in places
        ]

    chosen = rng.choice(grids.index, ASKS)
    return {
        "incident, 300 m": case(300),
        "incident, 1000 m": case(1000),
        "place, 300 m": place(300),
        "place, 1000 m": place(1000),
        "grid": [body({"kind": "grid", "id": str(g)}) for g in chosen],
    }


def body(target: dict[str, Any]) -> bytes:
    """What dash's page sends when the target changes."""
    outputs = [
        (ids.CARD_HEAD, "children"), (ids.CARD_BODY, "children"), (ids.CARD_ACTIONS, "children"),
        (ids.CARD_MARKS, "data"), (ids.CARD_SEEN, "data"), (ids.CARD_OWNER, "data"),
    ]  # fmt: skip
    person = {"role": "dispatcher", "by": "坐席05"}
    return json.dumps(
        {
            "output": ".." + "...".join(f"{i}.{p}" for i, p in outputs) + "..",
            "outputs": [{"id": i, "property": p} for i, p in outputs],
            "inputs": [
                {"id": ids.CARD_TARGET, "property": "data", "value": target},
                {"id": ids.CARD_TOUCH, "property": "data", "value": 0},
                {"id": ids.CARD_PERSON, "property": "data", "value": person},
            ],
            "changedPropIds": [f"{ids.CARD_TARGET}.data"],
            "state": [
                {"id": ids.CARD_CONFIG, "property": "data", "value": {"lang": "zh"}},
                {"id": ids.CARD_SEEN, "property": "data", "value": None},
                {"id": ids.CARD_MOVE, "property": "data", "value": None},
            ],
        }
    ).encode()


def ask(port: int, sent: bytes) -> tuple[float, float, float, int]:
    """Milliseconds of server, processor and whole trip, and bytes, of one click."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    begun = time.perf_counter()
    link.request("POST", "/_dash-update-component", sent, {"Content-Type": "application/json"})
    answer = link.getresponse()
    content = answer.read()
    wall = (time.perf_counter() - begun) * 1000
    link.close()
    if answer.status != 200 or len(content) < 2000:
        raise SystemExit(f"the card did not come: {answer.status} {content[:400]!r}")
    timing = re.search(r"app;dur=([\d.]+)", answer.headers["Server-Timing"] or "")
    cpu = float(answer.headers["X-Cpu-Ms"] or "nan")
    return float(timing.group(1)) if timing else wall, cpu, wall, len(content)


def wait_for_answer(port: int, sent: bytes) -> None:
    """The first answers build caches; they do not count."""
    for _ in range(5):
        ask(port, sent)


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, float]]:
    """`serve` in a process of its own, with the clock of the town."""
    begun = time.perf_counter()
    ours = [sys.executable, str(Path(__file__)), "--serve", str(folder)]
    with subprocess.Popen(ours, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield int(line.split()[-1]), time.perf_counter() - begun
        finally:
            process.terminate()


def add_cpu_time(server: flask.Flask) -> None:
    """Tell the processor's time of each request too: it is the same on a busy machine, nearly."""

    @server.before_request
    def begin() -> None:
        flask.g.cpu = time.thread_time()

    @server.after_request
    def end(response: flask.Response) -> flask.Response:
        spent = (time.thread_time() - flask.g.cpu) * 1000
        response.headers["X-Cpu-Ms"] = f"{spent:.1f}"
        return response


def serve(folder: Path) -> None:
    """Serve the workspace at the moment of the town, on a free port that is printed."""
    with open_workspace(folder) as workspace:
        store = Store(workspace, Settings(timezone="Asia/Shanghai"), clock=lambda: AT)
        store.start()
        store.catch_up()
        app = create_app(store.settings, store)
        register_card(app, store)
        add_cpu_time(app.server)
        server = create_server(app.server, host="127.0.0.1", port=0, threads=4)
        print(f"port {server.effective_port}", flush=True)
        server.run()


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--serve":
        serve(Path(sys.argv[2]))
    else:
        sys.exit(main())
