"""What one move and one edit of a plan cost on 20,000 blocks, beside GerryChain in the same run.

A made-up city: a lattice of 160 x 125 blocks with shaken corners (seed 1), 800 grids of 5 x 5. The
same moves go through both: one block to the grid beside it, where its own grid stays whole.
Microseconds by the wall, medians; one call of Python a move.

    pip install -e '.[bench]'
    python benchmarks/redraw.py [--moves 5000] [--peer 400]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import networkx as nx
import numpy as np
import shapely
from gerrychain import Graph, Partition, updaters
from gerrychain.constraints import single_flip_contiguous
from towns import town

from geo.plan import Brush, Plan, RedrawError, read_plan
from geo.redraw import cut, merge, move_vertices, paint, split

COLUMNS, ROWS, STEP, SEED = 160, 125, 5, 1


def _split(plan: Plan, block: int, other: str) -> Plan:
    row = int(plan.label[block])
    west, south, east, north = plan.outline(row).bounds
    level = south + 0.45 * (north - south)
    line = shapely.LineString([(west - 9, level), (east + 9, level + 7)])
    return split(plan, plan.grids[row].grid_id, line, through=True)


def _cut(plan: Plan, block: int, other: str) -> Plan:
    place = plan.ground.polygon(block).representative_point()
    across = shapely.LineString([(place.x - 300, place.y - 20), (place.x + 300, place.y + 20)])
    return cut(plan, plan.blocks.ids[block], across)


def _move(plan: Plan, block: int, other: str) -> Plan:
    vertex = int(plan.ground.rings.rings[plan.ground.rings.rings_of(block)[-1]][0])
    return move_vertices(plan, [vertex], plan.ground.xy[[vertex]] + 0.5)


EDITS = {
    "paint": lambda plan, block, other: paint(plan, [plan.blocks.ids[block]], other),
    "move a vertex": _move,
    "cut a block": _cut,
    "split through blocks": _split,
    "merge": lambda plan, block, other: merge(
        plan, [plan.grids[int(plan.label[block])].grid_id, other]
    ),
}


def draw_moves(plan: Plan, count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Moves that hold one after the other: a block, and the grid that it goes to."""
    brush, found = plan.brush(), []
    while len(found) < count:
        block = int(rng.integers(0, len(plan.blocks)))
        near = plan.ground.pairs.near(block)[0]
        to = int(brush.label[rng.choice(near)])
        if brush.move(block, to) == 0:
            found.append((block, to))
    return found


def time_ours(plan: Plan, moves: list[tuple[int, int]]) -> tuple[np.ndarray, Brush]:
    """Seconds of each move: totals, contiguity and compactness of both grids."""
    brush = plan.brush()
    took = np.empty(len(moves))
    for k, (block, to) in enumerate(moves):
        left = int(brush.label[block])
        begin = time.perf_counter()
        answer = brush.move(block, to)
        brush.compactness(left)
        brush.compactness(to)
        took[k] = time.perf_counter() - begin
        assert answer == 0
    return took, brush


def time_peer(plan: Plan, moves: list[tuple[int, int]]) -> np.ndarray:
    """Seconds of each flip of GerryChain with the same totals and its check of contiguity."""
    graph = nx.Graph()
    area, _ = plan.ground.measures
    for row in range(len(plan.blocks)):
        graph.add_node(row, households=int(plan.blocks.households[row]), area=float(area[row]))
    for row in range(len(plan.blocks)):
        graph.add_edges_from((row, int(near)) for near in plan.ground.pairs.near(row)[0])
    told = {
        "households": updaters.Tally("households"),
        "area": updaters.Tally("area"),
    }
    partition = Partition(Graph.from_networkx(graph), dict(enumerate(plan.label.tolist())), told)
    took = np.empty(len(moves))
    for k, (block, to) in enumerate(moves):
        begin = time.perf_counter()
        partition = partition.flip({block: to})
        partition["households"]
        partition["area"]
        is_whole = single_flip_contiguous(partition)
        took[k] = time.perf_counter() - begin
        assert is_whole
    return took


def time_outlines(plan: Plan, count: int, rng: np.random.Generator) -> np.ndarray:
    """Seconds for the new outlines of two grids."""
    took = []
    for _ in range(count):
        block = int(rng.integers(0, len(plan.blocks)))
        other = int(plan.label[rng.choice(plan.ground.pairs.near(block)[0])])
        begin = time.perf_counter()
        plan.outline(int(plan.label[block]))
        plan.outline(other)
        took.append(time.perf_counter() - begin)
    return np.array(took)


def time_edits(plan: Plan, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Seconds of whole edits, checked and with history, each on the plan that the last one gave."""
    took: dict[str, list[float]] = {name: [] for name in EDITS}
    while min(map(len, took.values())) < count:
        block = int(rng.integers(0, len(plan.blocks)))
        for name, edit in EDITS.items():
            other = plan.grids[int(plan.label[plan.ground.pairs.near(block)[0][0]])].grid_id
            begin = time.perf_counter()
            try:
                after = edit(plan, block, other)
            except RedrawError:
                continue
            took[name].append(time.perf_counter() - begin)
            plan = after
    return {name: np.array(values) for name, values in took.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=5_000)
    parser.add_argument("--peer", type=int, default=400, help="moves that GerryChain makes")
    told = parser.parse_args()
    rng = np.random.default_rng(SEED)
    plan = read_plan(town(COLUMNS, ROWS, SEED, step=STEP))
    moves = draw_moves(plan, told.moves, rng)
    time_ours(plan, moves[:50])
    ours, brush = time_ours(plan, moves)
    peer = time_peer(plan, moves[: told.peer])
    after = brush.commit()
    table = after.table()
    drift = max(
        float(np.abs(brush.totals[row, :4] - table.loc[name].iloc[4:8].astype(float)).max())
        for name, row in after.grid_rows.items()
    )
    print(f"{len(plan.blocks)} blocks, {len(plan.grids)} grids, seed {SEED}")
    for name, took in (("one move", ours), ("GerryChain flip", peer)):
        print(
            f"{name}: {np.median(took) * 1e6:.1f} us median, "
            f"{np.percentile(took, 99) * 1e6:.1f} us p99, {len(took)} moves"
        )
    print(f"ratio of the medians: {np.median(peer) / np.median(ours):.0f} x")
    print(f"drift of all totals after {len(moves)} moves: {drift:.2g}")
    lines = time_outlines(after, 400, rng)
    print(f"new outlines of two grids: {np.median(lines) * 1e3:.2f} ms")
    for name, took in time_edits(after, 40, rng).items():
        print(f"edit, {name}: {np.median(took) * 1e3:.2f} ms median of {len(took)}")


if __name__ == "__main__":
    main()
