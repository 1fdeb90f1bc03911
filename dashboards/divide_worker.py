"""A process that divides units for `/planner`; its server talks to it through two pipes.

It reads one job, then commands; it writes what it found so far, at least twice a second while that
changes, and at the end the answer. When the pipe from the server closes, the server is gone, by
whatever means, and the process ends at once: nothing is left running behind.

A message is its length in 8 bytes and a pickle. Both ends are this program; nobody else writes
into the pipes.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import threading
import time
from typing import IO, Any

SHOW_S = 0.4
"""The page is promised the best so far at least every second."""

_NICE = 10
"""Pages come first."""


def send(pipe: IO[bytes], message: Any) -> None:
    """Write one message."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(struct.pack("<q", len(body)) + body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one message; EOFError when the other end is gone."""
    head = pipe.read(8)
    if len(head) < 8:
        raise EOFError
    (size,) = struct.unpack("<q", head)
    body = pipe.read(size)
    if len(body) < size:
        raise EOFError
    return pickle.loads(body)


def main() -> None:
    """Work off one job."""
    # Solvers print by themselves: what they say must not get into the pipe.
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    os.nice(_NICE)
    source = sys.stdin.buffer
    job = receive(source)
    stop = threading.Event()
    threading.Thread(target=_listen, args=(source, stop), daemon=True).start()
    send(out, _work(job, stop, out))
    out.close()
    os._exit(0)


def _listen(source: IO[bytes], stop: threading.Event) -> None:
    try:
        while receive(source) == "stop":
            stop.set()
    except EOFError:
        os._exit(3)


def _work(job: dict[str, Any], stop: threading.Event, out: IO[bytes]) -> dict[str, Any]:
    # What takes long to load comes after the first look at the pipe.
    import geopandas as gpd
    import numpy as np
    import shapely

    from geo.divide import Board, divide, is_compiled
    from geo.errors import WanggeError

    lock, board = threading.Lock(), Board()
    done, load, ids = threading.Event(), np.asarray(job["load"], dtype=float), job["ids"]
    told: dict[str, Any] = {"compiling": not is_compiled()}

    def show() -> None:
        labels = board.labels(len(ids))
        found = look(labels, load, job["limits"])
        with lock:
            send(out, {"do": "show", **told, **found})

    def watch() -> None:
        while not done.wait(SHOW_S):
            show()

    def progress(count: int, total: int, community: str) -> None:
        told.update(done=count, total=total, community=community, compiling=False)

    units = gpd.GeoDataFrame(
        {"community": job["community"], "load": load},
        geometry=shapely.from_wkb(job["wkb"]), index=ids, crs=job["crs"],
    )  # fmt: skip
    roads = None
    if len(job["roads"]):
        roads = gpd.GeoDataFrame(
            {"road_class": job["classes"]}, geometry=shapely.from_wkb(job["roads"]), crs=job["crs"]
        )
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.monotonic()
    try:
        found = divide(
            units, job["band"], roads=roads, previous=job["previous"], bands=job["bands"],
            load="load", locked=job["locked"], effort=job["effort"], seed=0, progress=progress,
            stop=stop, board=board,
        )  # fmt: skip
    except WanggeError as error:
        return {"do": "failed", "error": str(error)}
    finally:
        done.set()
        watcher.join()
    show()
    return {
        "do": "done",
        "seconds": time.monotonic() - started,
        "plan": found.plan.to_numpy(dtype=object),
        "totals": found.totals,
        "communities": found.communities,
        "oversize": found.oversize,
        "islands": list(found.islands),
        "is_complete": found.is_complete,
    }


def look(labels: Any, load: Any, limits: Any) -> dict[str, Any]:
    """What a plan so far is like: a small number for each unit, and how each grid stands.

    `limits` has the least and most load of each unit's community. A grid is -1 below its band, 1
    above it, 0 in it; 2 stands for a unit too large for any grid. -1 as label: no plan yet.
    """
    import numpy as np

    known = labels >= 0
    codes = np.full(len(labels), -1, dtype=np.int32)
    names, codes[known] = np.unique(labels[known], return_inverse=True)
    count = len(names)
    sums = np.bincount(codes[known], weights=load[known], minlength=count)
    low, high, most = np.zeros(count), np.zeros(count), np.zeros(count)
    low[codes[known]] = limits[known, 0]
    high[codes[known]] = limits[known, 1]
    np.maximum.at(most, codes[known], load[known])
    status = np.select([most > high, sums < low, sums > high], [2, -1, 1], 0).astype(np.int8)
    alone = (status == 2) & (sums <= most)
    off = np.select(
        [status == 2, status == -1, status == 1], [sums - most, low - sums, sums - high], 0.0
    )
    return {
        "labels": codes.tobytes(),
        "status": status.tobytes(),
        "grids": count,
        "bad": int(((status != 0) & ~alone).sum()),
        "off": float(off.sum()),
        "units": int(known.sum()),
    }


if __name__ == "__main__":
    main()
