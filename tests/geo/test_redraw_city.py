"""Ten thousand edits of all kinds on a city of 20,000 blocks, each state checked.

After each edit what it touched is checked by slow means against the shapes themselves, together
with their neighbours; sums and nesting are checked for the whole city. Every 2,500 edits the
whole cover is. The seed is another one each time and stands in the name of what fails.
"""

import operator
import secrets
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import shapely
from towns import check, random_edit, same, town

from geo.plan import Plan, RedrawError, read_plan

EDITS = 10_000
WHOLE_EVERY = 2_500


@dataclass
class Tally:
    """How often which edit was done, and which refused."""

    done: dict[str, int]
    refused: dict[str, int]


def touched_blocks(before: Plan, after: Plan) -> np.ndarray:
    """Blocks whose rings, places or grid differ, found by comparing the two plans whole."""
    one, two = before.ground, after.ground
    # One by one, but without a step of Python for each of the 20,000.
    other = np.fromiter(map(operator.is_not, two.rings.rings, one.rings.rings), dtype=bool)
    rings = np.append(two.rings.block[: len(other)][other], two.rings.block[len(other) :])
    kept = min(len(one.xy), len(two.xy))
    moved = np.flatnonzero((one.xy[:kept] != two.xy[:kept]).any(axis=1))
    label = np.flatnonzero(after.label[: len(before.label)] != before.label)
    more = np.arange(len(before.label), len(after.label))
    at_moved = two.rings.blocks_at(moved.tolist())
    return np.unique(np.concatenate([rings, at_moved, label, more])).astype(np.int64)


def check_around(before: Plan, after: Plan) -> None:
    """What the edit touched, and what lies beside it, by the shapes."""
    blocks = touched_blocks(before, after)
    home = np.array([row.community for row in after.grids])
    assert (home[after.label] == after.ground.community).all()
    assert after.blocks.households.sum() == before.blocks.households.sum()
    assert after.blocks.people.sum() == before.blocks.people.sum()
    assert after.blocks.households.min() >= 0
    if after.blocks is not before.blocks:
        assert len(set(after.blocks.ids)) == len(after.blocks)
    if not len(blocks):
        return
    label = np.append(before.label[blocks[blocks < len(before.label)]], after.label[blocks])
    members = [after.members(grid) for grid in np.unique(label).tolist()]
    west, south, east, north = shapely.total_bounds(after.ground.polygons(blocks))
    beside = after.ground.blocks_in((west - 1, south - 1, east + 1, north + 1))
    near = np.unique(np.concatenate([beside, *members]))
    shapes = after.ground.polygons(near)
    cover = shapes[np.searchsorted(near, beside)]
    assert shapely.is_valid(cover).all()
    assert shapely.coverage_is_valid(cover)
    old = before.ground.polygons(beside[beside < len(before.blocks)])
    gap = shapely.symmetric_difference(
        shapely.coverage_union_all(cover), shapely.coverage_union_all(old)
    )
    assert gap.area < 1e-3
    assert shapely.area(cover).sum() == pytest.approx(shapely.area(old).sum(), abs=1e-3)
    assert np.allclose(after.ground.measures[0][beside], shapely.area(cover))
    assert np.allclose(after.ground.measures[1][beside], shapely.length(cover))
    for mine in members:
        if len(mine):
            whole = shapely.coverage_union_all(shapes[np.searchsorted(near, mine)])
            assert whole.geom_type == "Polygon"


@pytest.mark.slow
def test_ten_thousand_edits_of_twenty_thousand_blocks_keep_every_rule() -> None:
    seed = secrets.randbits(32)
    rng = np.random.default_rng(seed)
    first = plan = read_plan(town(160, 125, seed, step=5))
    tally = Tally({}, {})
    try:
        for number in range(EDITS):
            before = plan
            try:
                plan = random_edit(plan, rng)
            except RedrawError as error:
                assert plan is before
                tally.refused[error.code] = tally.refused.get(error.code, 0) + 1
                continue
            assert plan.past is not None
            kind = plan.past.change.edit["do"]
            tally.done[kind] = tally.done.get(kind, 0) + 1
            check_around(before, plan)
            if number % WHOLE_EVERY == WHOLE_EVERY - 1:
                check(plan, first)
        last = plan
        while plan.past is not None:
            plan = plan.undo()
        assert same(plan, first)
        while plan.undone is not None:
            plan = plan.redo()
        assert same(plan, last)
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, after {sum(tally.done.values())} edits") from error
    print(seed, pd.Series(tally.done).to_dict(), pd.Series(tally.refused).to_dict())
    assert set(tally.done) >= {
        "paint", "merge", "split", "move", "insert", "remove", "cut", "cut_out", "rename", "lock",
        "lock_border",
    }  # fmt: skip
    assert sum(tally.done.values()) > EDITS / 3
