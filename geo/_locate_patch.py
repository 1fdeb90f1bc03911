"""Change the table of `geo.locate` where grids were redrawn, and only there.

Only edges whose labels changed matter (*changed edges*, gone or new): outside of the blocks that
they touch no line moved. A block between them that no edge touches may have changed hands as a
whole; crossing the changed edges from the west, where nothing changed, tells by how much.
"""

# Types of compiled functions are inferred by numba.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import numpy as np
from numba import njit

from geo._locate_cells import touched_cells
from geo._locate_exact import SCRATCH
from geo._locate_table import SLACK, append_rows, scale_edge, toggle_rows


@njit(cache=True, nogil=True)
def edges_of_rows(low_x, low_y, high_x, high_y, left, right, is_changed, block_start, block_count,
                  lists, lattice):  # fmt: skip
    """List, sorted, the edges inside a rectangle that have a changed grid on either side."""
    out = np.empty(1024, np.int32)
    n = 0
    first = int((low_x - lattice.x0) * lattice.per_x)
    last = int((high_x - lattice.x0) * lattice.per_x)
    for by in range(
        int((low_y - lattice.y0) * lattice.per_y), int((high_y - lattice.y0) * lattice.per_y) + 1
    ):
        for b in range(by * lattice.nx + first, by * lattice.nx + last + 1):
            for k in range(block_start[b], block_start[b] + block_count[b]):
                e = lists[k]
                if is_changed[left[e]] or is_changed[right[e]]:
                    out = append_rows(out, n + 1)
                    out[n] = e
                    n += 1
    return np.unique(out[:n])


@njit(cache=True, nogil=True)
def without_claims(edges, left, right, ids, is_changed):
    """Return the bits of edges and their labels without those of changed grids."""
    bits = np.empty((len(ids), 4))
    kept_left = np.empty(len(ids), np.int32)
    kept_right = np.empty(len(ids), np.int32)
    for i in range(len(ids)):
        e = ids[i]
        bits[i] = edges[e, :4]
        kept_left[i] = 0 if is_changed[left[e]] else left[e]
        kept_right[i] = 0 if is_changed[right[e]] else right[e]
    return bits.view(np.uint64), kept_left, kept_right


@njit(cache=True, nogil=True)
def merge_edges(ids, bits, local_left, local_right, edges, scaled, left, right, count, lattice):
    """Append the edges that are new or have new labels.

    Parameters
    ----------
    ids
        Old edges, which are the first ones of the local edges `bits`.
    edges, scaled, left, right, count
        The edges of the index, of which the first `count` are in use.

    Returns
    -------
    tuple
        edges, scaled, left, right (moved, if they had to grow), the new count, and the ids of the
        old edges that are gone.
    """
    gone = np.empty(len(ids), np.int32)
    n_gone = 0
    local = bits.view(np.float64)
    edges = append_rows(edges, count + len(local))
    scaled = append_rows(scaled, count + len(local))
    left = append_rows(left, count + len(local))
    right = append_rows(right, count + len(local))
    for i in range(len(local)):
        if i < len(ids):
            if left[ids[i]] == local_left[i] and right[ids[i]] == local_right[i]:
                continue
            gone[n_gone] = ids[i]
            n_gone += 1
        # One grid on both sides is no line; none on either side neither.
        if local_left[i] == local_right[i]:
            continue
        edges[count, :4] = local[i]
        edges[count, 4] = local_left[i] ^ local_right[i]
        scale_edge(edges, count, lattice, scaled)
        left[count] = local_left[i]
        right[count] = local_right[i]
        count += 1
    return edges, scaled, left, right, count, gone[:n_gone]


@njit(cache=True, nogil=True)
def relabel_blocks(changed, edges, scaled, left, right, corner, lattice):
    """Find the blocks whose corner has another label now, and that label."""
    low_x = np.inf
    low_y = np.inf
    high_x = -np.inf
    high_y = -np.inf
    for e in changed:
        low_x = min(low_x, scaled[e, 0], scaled[e, 2])
        high_x = max(high_x, scaled[e, 0], scaled[e, 2])
        low_y = min(low_y, scaled[e, 1])
        high_y = max(high_y, scaled[e, 3])
    # One block of room, so that the first corner of each row is west of every changed edge.
    bx = max(int(low_x) - 1, 0)
    by = max(int(low_y) - 1, 0)
    columns = min(int(high_x) + 1, lattice.nx - 1) - bx + 1
    rows = min(int(high_y) + 1, lattice.ny - 1) - by + 1
    scratch = np.empty(SCRATCH)
    change = np.zeros(rows * columns, np.int32)
    for e in changed:
        toggle_rows(e, edges, lattice, bx, by, 1, columns, rows, change, scratch)
    blocks = np.empty(rows * columns, np.int64)
    labels = np.empty(rows * columns, np.int32)
    n = 0
    for row in range(rows):
        now = np.int32(0)
        for column in range(columns):
            now ^= change[row * columns + column]
            if now != 0:
                block = (by + row) * lattice.nx + bx + column
                blocks[n] = block
                labels[n] = corner[block] ^ now
                n += 1
    return blocks[:n], labels[:n]


@njit(cache=True, nogil=True)
def blocks_of_edges(changed, scaled, lattice, more):
    """List, sorted and once each, the blocks that edges touch, and those of `more`."""
    touched = np.empty(lattice.nx * lattice.ny + 4 * (lattice.nx + lattice.ny) + 64, np.int32)
    out = np.empty(1024, np.int64)
    n = 0
    for e in changed:
        m = touched_cells(
            scaled[e, 0], scaled[e, 1], scaled[e, 2], scaled[e, 3],
            lattice.nx, lattice.ny, SLACK, touched,
        )  # fmt: skip
        out = append_rows(out, n + m)
        out[n : n + m] = touched[:m]
        n += m
    return np.unique(np.concatenate((out[:n], more)))


@njit(cache=True, nogil=True)
def relist_blocks(blocks, gone, first_new, stop_new, scaled, block_start, block_count, lists, used,
                  lattice):  # fmt: skip
    """List the edges of blocks anew: without those that are gone, with the new ones.

    Returns
    -------
    tuple
        `lists` (moved, if it had to grow), start and count for each of `blocks`.
    """
    touched = np.empty(lattice.nx * lattice.ny + 4 * (lattice.nx + lattice.ny) + 64, np.int32)
    start = np.zeros(len(blocks) + 1, np.int32)
    count = np.zeros(len(blocks), np.int32)
    for i in range(len(blocks)):
        start[i + 1] = block_count[blocks[i]]
    for e in range(first_new, stop_new):
        n = touched_cells(
            scaled[e, 0], scaled[e, 1], scaled[e, 2], scaled[e, 3],
            lattice.nx, lattice.ny, SLACK, touched,
        )  # fmt: skip
        for k in range(n):
            start[np.searchsorted(blocks, touched[k]) + 1] += 1
    start[0] = used[0]
    for i in range(len(blocks)):
        start[i + 1] += start[i]
    lists = append_rows(lists, start[-1])
    used[0] = start[-1]
    is_gone = np.zeros(first_new, np.bool_)
    for e in gone:
        is_gone[e] = True
    for i in range(len(blocks)):
        for k in range(block_start[blocks[i]], block_start[blocks[i]] + block_count[blocks[i]]):
            if not is_gone[lists[k]]:
                lists[start[i] + count[i]] = lists[k]
                count[i] += 1
    for e in range(first_new, stop_new):
        n = touched_cells(
            scaled[e, 0], scaled[e, 1], scaled[e, 2], scaled[e, 3],
            lattice.nx, lattice.ny, SLACK, touched,
        )  # fmt: skip
        for k in range(n):
            i = np.searchsorted(blocks, touched[k])
            lists[start[i] + count[i]] = e
            count[i] += 1
    return lists, start[:-1], count
