"""What holds for every division, whatever the city: whole, nested, complete, and the same again."""

from __future__ import annotations

from itertools import pairwise
from threading import Event

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo._divide_exact import solve_sets
from geo._divide_graph import neighbour_lists, read_graph
from geo._divide_parts import label_parts
from geo._divide_sets import guess_sets, list_sets
from geo.divide import Board, Division, SearchProcess, divide, weigh_units
from geo.errors import ColumnError, CoverError, CrsError, InputError

SIDE = 100.0


def lattice(
    loads: list[list[float]], communities: list[list[str]] | None = None
) -> gpd.GeoDataFrame:
    """Squares of 100 m; the first row of numbers is the northernmost."""
    rows = []
    for y, line in enumerate(reversed(loads)):
        for x, load in enumerate(line):
            name = "C" if communities is None else communities[len(loads) - 1 - y][x]
            box = shapely.box(x * SIDE, y * SIDE, (x + 1) * SIDE, (y + 1) * SIDE)
            rows.append((f"u{x}-{y}", load, name, box))
    frame = pd.DataFrame(rows, columns=["unit_id", "households", "community", "geometry"])
    return gpd.GeoDataFrame(frame.set_index("unit_id"), geometry="geometry", crs="EPSG:4547")


def river(*points: tuple[float, float], kind: str = "river") -> gpd.GeoDataFrame:
    """A line along borders of units, cut at their corners."""
    lines = [
        shapely.LineString([a, b]) for a, b in pairwise((x * SIDE, y * SIDE) for x, y in points)
    ]
    return gpd.GeoDataFrame({"road_class": [kind] * len(lines)}, geometry=lines, crs="EPSG:4547")


def in_one_piece(units: gpd.GeoDataFrame, barrier: gpd.GeoDataFrame | None) -> bool:
    """The slow, obvious way: shapes that share more than points, minus what lies on a barrier."""
    todo, seen = [0], {0}
    shapes = units.geometry.to_numpy()
    wall = (
        shapely.union_all(barrier.geometry.to_numpy()).buffer(0.01) if barrier is not None else None
    )
    while todo:
        one = todo.pop()
        for two in range(len(shapes)):
            border = shapes[one].intersection(shapes[two])
            if two in seen or border.length == 0:
                continue
            if wall is None or border.intersection(wall).length < 1:
                seen.add(two)
                todo.append(two)
    return len(seen) == len(shapes)


def deviation(loads: pd.Series, low: float, high: float) -> float:
    total, most = loads.sum(), loads.max()
    if total < low:
        return low - total
    if most > high:
        return total - most
    return max(0.0, total - high)


def require_lawful(
    units: gpd.GeoDataFrame,
    found: Division,
    low: float,
    high: float,
    barrier: gpd.GeoDataFrame | None = None,
) -> None:
    assert list(found.plan.index) == list(units.index)
    assert found.plan.notna().all()
    off = 0.0
    for name, rows in units.groupby(found.plan):
        assert rows["community"].nunique() == 1
        assert in_one_piece(rows, barrier), name
        off += deviation(rows["households"], low, high)
        assert found.grids.loc[name, "load"] == rows["households"].sum()
    assert found.totals["off"] == pytest.approx(off)
    assert found.communities["off"].sum() == pytest.approx(off)
    assert found.totals["bound"] <= off + 1e-9
    assert found.grids["units"].sum() == len(units)


@st.composite
def cities(draw: st.DrawFn) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame | None]:
    wide, high = draw(st.integers(2, 7)), draw(st.integers(1, 6))
    load = st.sampled_from([0, 0, 20, 35, 60, 90, 110, 340])
    loads = [[draw(load) for _ in range(wide)] for _ in range(high)]
    cut = draw(st.integers(1, wide))
    names = [["A" if x < cut else "B" for x in range(wide)] for _ in range(high)]
    line = None
    if high > 1 and draw(st.booleans()):
        level = draw(st.integers(1, high - 1))
        line = river(*[(x, level) for x in range(wide + 1)])
    return lattice(loads, names), line


@settings(max_examples=60, deadline=None)
@given(city=cities(), effort=st.sampled_from(["fast", "full"]), seed=st.integers(0, 99))
def test_every_division_is_whole_nested_complete_and_adds_up(city, effort, seed):
    units, line = city
    found = divide(units, (100, 200), roads=line, effort=effort, seed=seed)
    require_lawful(units, found, 100, 200, line)
    over = units.index[units["households"] > 200]
    assert set(found.oversize.index) == set(over)
    alone = found.plan[over]
    assert alone.is_unique


@settings(max_examples=25, deadline=None)
@given(city=cities(), seed=st.integers(0, 9), data=st.data())
def test_a_repair_is_lawful_and_moves_nothing_without_need(city, seed, data):
    units, line = city
    before = divide(units, (100, 200), roads=line, effort="fast", seed=seed)
    if before.totals["off"] == 0:
        again = divide(units, (100, 200), roads=line, previous=before.plan, effort="fast")
        assert again.plan.equals(before.plan)
        assert again.totals["moved"] == 0
    changed = units.copy()
    row = data.draw(st.integers(0, len(units) - 1))
    changed.iloc[row, changed.columns.get_loc("households")] = 150
    after = divide(changed, (100, 200), roads=line, previous=before.plan, effort="fast")
    require_lawful(changed, after, 100, 200, line)
    same = after.plan == before.plan
    assert after.totals["moved"] == changed["households"][~same].sum()


def test_the_answer_is_the_same_for_any_number_of_threads_and_order_of_calls():
    rng = np.random.default_rng(5)
    loads = rng.integers(0, 120, (12, 12)).tolist()
    names = [[f"{x // 4}{y // 4}" for x in range(12)] for y in range(12)]
    units = lattice(loads, names)
    one = divide(units, (100, 200), seed=3)
    four = divide(units, (100, 200), seed=3, threads=4)
    assert one.plan.equals(four.plan)
    with SearchProcess() as apart:
        assert divide(units, (100, 200), seed=3, apart=apart).plan.equals(one.plan)
    fast = [divide(units, (100, 200), effort="fast", seed=seed).plan for seed in (3, 4)]
    assert not fast[0].equals(fast[1])


def partitions(left: frozenset[int], around: list[set[int]]):
    """All ways to cut a set of units into connected grids."""
    if not left:
        yield []
        return
    first = min(left)
    stack = [(frozenset([first]), frozenset(around[first]) & left)]
    seen = set()
    while stack:
        grid, reach = stack.pop()
        if grid in seen:
            continue
        seen.add(grid)
        for rest in partitions(left - grid, around):
            yield [grid, *rest]
        for unit in reach - grid:
            stack.append((grid | {unit}, (reach | (frozenset(around[unit]) & left)) - {unit}))


@pytest.mark.parametrize("seed", range(6))
def test_small_communities_are_solved_as_trying_everything_does(seed):
    rng = np.random.default_rng(seed)
    units = lattice(rng.choice([0, 40, 60, 90, 130, 250], (3, 3)).astype(float).tolist())
    graph = read_graph(units)
    around = [set() for _ in units.index]
    length = {}
    for a, b, metres in zip(graph.left, graph.right, graph.weighted_m, strict=True):
        around[a].add(int(b))
        around[b].add(int(a))
        length[int(a), int(b)] = metres
    loads = units["households"].to_numpy()
    best = (np.inf, np.inf, np.inf)
    for plan in partitions(frozenset(range(9)), around):
        of = {unit: number for number, grid in enumerate(plan) for unit in grid}
        off = [deviation(pd.Series(loads[list(grid)]), 100, 200) for grid in plan]
        cost = sum(off) + 100 * sum(value > 0 for value in off)
        border = sum(m for (a, b), m in length.items() if of[a] != of[b])
        # Of plans that are as well balanced the one that is out by less, then by its borders.
        best = min(best, (cost, sum(off), border))
    found = divide(units, (100, 200), effort="full")
    row = found.communities.loc["C"]
    if row["verdict"] in ("optimal", "cannot"):
        assert row["off"] + 100 * row["bad"] == pytest.approx(best[0])
        assert row["off"] == pytest.approx(best[1])
        assert row["border_m"] == pytest.approx(best[2])
    assert row["verdict"] != "in_band"
    assert row["off"] + 100 * row["bad"] >= best[0] - 1e-9


def test_listed_sets_are_all_connected_sets_in_the_band():
    units = lattice([[30, 50, 0], [70, 20, 90], [10, 60, 40]])
    graph = read_graph(units)
    start, unit, cost = neighbour_lists(9, graph.left, graph.right, graph.weighted_m)
    load = units["households"].to_numpy(float)
    around = np.zeros(9, np.uint64)
    for u in range(9):
        for v in unit[start[u] : start[u + 1]]:
            around[u] |= np.uint64(1) << np.uint64(v)
    masks, half, off = list_sets(
        around, start, unit, cost, load, load > 200, 100.0, 150.0, 10.0, 10_000
    )
    expected = {}
    for mask in range(1, 512):
        rows = [k for k in range(9) if mask >> k & 1]
        out = deviation(pd.Series(load[rows]), 100, 150)
        if out <= 10 and in_one_piece(units.iloc[rows], None):
            cut = sum(
                m
                for a, b, m in zip(graph.left, graph.right, graph.weighted_m, strict=True)
                if (a in rows) != (b in rows)
            )
            expected[mask] = (cut / 2, out)
    assert len(masks) == len(set(masks.tolist()))
    guess = guess_sets(around, load, load > 200, 100.0, 150.0, 10.0)
    assert len(masks) / 2 < guess < 2 * len(masks)
    got = {int(m): (float(c), float(o)) for m, c, o in zip(masks, half, off, strict=True)}
    assert got.keys() == expected.keys()
    for mask, pair in expected.items():
        assert got[mask] == pytest.approx(pair)


@settings(max_examples=50, deadline=None)
@given(links=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14))
def test_parts_are_what_a_walk_along_the_links_reaches(links):
    parts = label_parts(12, *np.array(links, dtype=np.int64).reshape(-1, 2).T)
    walk = list(range(12))
    for _ in range(12):
        for a, b in links:
            walk[a] = walk[b] = min(walk[a], walk[b])
    assert [walk.index(k) for k in walk] == [parts.tolist().index(k) for k in parts]
    assert sorted(set(parts.tolist())) == list(range(parts.max() + 1))


def test_a_plan_of_more_grids_out_of_the_band_is_named_with_the_fewest_that_there_can_be():
    # Nothing joins 90 and 90 across the 1,000: each is out by 10, whatever is done.
    found = divide(lattice([[90, 1000, 90]]), (100, 200))
    assert found.totals["off"] == found.totals["bound"] == 20
    assert found.totals["bad"] == found.totals["bad_bound"] == 2


def test_no_choice_of_sets_is_a_proof():
    masks = np.array([0b011, 0b110], dtype=np.uint64)
    solved = solve_sets(masks, np.ones(2), 3, None)
    assert solved.is_proven
    assert solved.masks is None


def test_a_proof_by_listing_counts_the_sets_that_trying_all_of_them_finds():
    units = lattice([[190, 20, 70], [40, 90, 10]])
    found = divide(units, (100, 150))
    row = found.proofs[found.proofs["how"] == "enumeration"].iloc[0]
    load = units["households"].to_numpy()
    count = 0
    for mask in range(1, 2 ** len(units)):
        rows = [k for k in range(len(units)) if mask >> k & 1]
        off = off_of(load[rows], 100, 150)
        count += off <= row["slack"] and in_one_piece(units.iloc[rows], None)
    assert row["sets"] == count
    assert set(row["units"]) == set(units.index)
    assert row["off"] == found.communities.loc["C", "bound"]


def off_of(loads: np.ndarray, low: float, high: float) -> float:
    """What a set of units is out of the band by; what is beside a unit too large is too much."""
    if loads.max() > high:
        return float(loads.sum() - loads.max()) if (loads > high).sum() == 1 else np.inf
    return float(max(0, low - loads.sum(), loads.sum() - high))


@pytest.mark.parametrize("seed", range(4))
def test_no_plan_of_a_small_community_beats_its_bound(seed):
    rng = np.random.default_rng(100 + seed)
    units = lattice(rng.choice([0, 30, 70, 110, 160, 330], (3, 3)).astype(float).tolist())
    graph = read_graph(units)
    around = [set() for _ in units.index]
    for a, b in zip(graph.left, graph.right, strict=True):
        around[a].add(int(b))
        around[b].add(int(a))
    loads = units["households"].to_numpy()
    plans = partitions(frozenset(range(9)), around)
    least = min(
        sum(deviation(pd.Series(loads[list(grid)]), 100, 200) for grid in plan) for plan in plans
    )
    found = divide(units, (100, 200))
    assert found.communities.loc["C", "bound"] <= least
    if found.communities.loc["C", "verdict"] == "cannot":
        assert least > 0


def test_a_proof_by_arithmetic_can_be_worked_out_again_from_its_units():
    units = lattice([[60, 1204, 90], [0, 0, 0]]).drop(index=["u1-0"])
    found = divide(units, (200, 300))
    shut = found.proofs[found.proofs["how"] == "arithmetic"]
    assert len(shut) == 2
    for _, row in shut.iterrows():
        load = units["households"][list(row["units"])].sum()
        assert load == row["load"]
        # Beside the compound there may be none of its own: then all of it is too much there.
        assert row["off"] == min(max(0, k * 200 - load, load - k * 300) for k in range(3))
        assert row["beside"] == ("u1-1",)
    of = found.communities.loc["C"]
    assert (of["verdict"], of["cause"], of["left"]) == ("cannot", "u1-1 (1,204)", 150)


def test_a_compound_too_large_is_named_and_stands_alone():
    found = divide(lattice([[500, 60, 60], [50, 40, 30]]), (100, 200))
    assert list(found.oversize.index) == ["u0-1"]
    assert found.grids["is_forced"].sum() == 1
    assert found.totals["bad"] == 0


def test_what_cannot_be_in_the_band_says_which_unit_is_in_the_way():
    found = divide(lattice([[190, 20]]), (100, 200))
    row = found.communities.loc["C"]
    assert (row["verdict"], row["off"], row["bound"]) == ("cannot", 10, 10)
    assert row["cause"] == "u0-0 (190)"


def test_a_grid_follows_the_main_street():
    units = lattice([[50, 50, 50, 50], [50, 50, 50, 50]])
    street = river((1, 0), (1, 1), (1, 2), kind="main")
    found = divide(units, (100, 300), roads=street)
    left = found.plan[["u0-0", "u0-1"]]
    assert left.nunique() == 1
    assert not (found.plan.drop(left.index) == left.iloc[0]).any()


def test_main_streets_can_be_barriers_as_well():
    units = lattice([[60, 60, 60]])
    street = river((1, 0), (1, 1), kind="main")
    found = divide(units, (150, 200), roads=street, barriers=("main", "river", "rail"))
    assert found.plan["u0-0"] != found.plan["u1-0"]


def test_an_island_is_a_grid_of_its_own_and_named():
    units = lattice([[60, 60, 60]])
    units = units.drop(index="u1-0")
    far = lattice([[60, 60, 60, 60, 60]]).loc[["u4-0"]]
    found = divide(pd.concat([units.loc[["u0-0"]], far]), (50, 200))
    assert found.islands == ("u0-0", "u4-0")
    assert found.plan.nunique() == 2


def test_a_locked_grid_stays_as_it_is():
    units = lattice([[60, 60, 60, 60]])
    before = pd.Series(["A", "A", "A", "B"], index=units.index)
    free = divide(units, (100, 150), previous=before)
    assert free.totals["bad"] == 0
    held = divide(units, (100, 150), previous=before, locked=["A"])
    assert set(held.plan.index[held.plan == "A"]) == {"u0-0", "u1-0", "u2-0"}


def test_communities_may_have_bands_of_their_own():
    units = lattice([[50, 50, 50, 50]], [["A", "A", "B", "B"]])
    found = divide(units, (100, 120), bands={"B": (50, 60)})
    assert found.grids["community"].value_counts().to_dict() == {"A": 1, "B": 2}


def test_work_is_balanced_where_weights_say_so():
    units = lattice([[10, 10, 10, 10]]).assign(incidents=[90, 0, 0, 90])
    load = weigh_units(units, {"households": 1, "incidents": 1})
    found = divide(units.assign(load=load), (105, 115), load="load")
    assert sorted(found.grids["load"]) == [110, 110]
    with pytest.raises(ColumnError, match="units lack trees"):
        weigh_units(units, {"trees": 1})
    with pytest.raises(InputError, match="0 or more"):
        weigh_units(units, {"households": -1})


def test_a_search_that_is_stopped_gives_a_lawful_plan_and_says_so():
    rng = np.random.default_rng(1)
    units = lattice(rng.integers(0, 120, (8, 8)).tolist())
    stop = Event()
    stop.set()
    found = divide(units, (100, 200), stop=stop)
    assert not found.is_complete
    require_lawful(units, found, 100, 200)


def test_the_best_plan_so_far_can_be_seen_while_the_search_goes_on():
    rng = np.random.default_rng(1)
    units = lattice(rng.integers(0, 120, (6, 6)).tolist(), [["A"] * 3 + ["B"] * 3] * 6)
    board, seen = Board(), []
    found = divide(
        units, (100, 200), board=board, progress=lambda *_: seen.append(board.labels(len(units)))
    )
    first, last = seen
    assert (first >= 0).sum() == 18
    assert (last >= 0).all()
    same = pd.Series(last).groupby(found.plan.to_numpy()).nunique()
    assert (same == 1).all()
    assert len(set(last)) == found.plan.nunique()


@pytest.mark.parametrize("effort", ["fast", "full"])
def test_the_answer_is_the_same_for_any_number_of_threads(effort):
    rng = np.random.default_rng(2)
    names = [[f"{x // 3}{y // 3}" for x in range(9)] for y in range(9)]
    units = lattice(rng.integers(0, 120, (9, 9)).tolist(), names)
    one = divide(units, (100, 200), effort=effort)
    for threads in (2, 5):
        assert divide(units, (100, 200), effort=effort, threads=threads).plan.equals(one.plan)


def test_progress_counts_the_pieces():
    told = []
    units = lattice([[50, 50, 50, 50]], [["A", "A", "B", "B"]])
    divide(units, (100, 120), progress=lambda *what: told.append(what))
    assert told == [(1, 2, "A"), (2, 2, "B")]


def broken(**change) -> gpd.GeoDataFrame:
    return lattice([[60, 60]]).assign(**change)


@pytest.mark.parametrize(
    ("units", "band", "more", "error", "words"),
    [
        (broken(), (300, 200), {}, InputError, "the band is 300 to 200"),
        (broken(), (0, 200), {}, InputError, "the band is 0 to 200"),
        (broken(), (1, 2), {"bands": {"X": (1, 2)}}, InputError, "community that has no unit"),
        (broken(), (1, 2), {"bands": {"C": (2, 1)}}, InputError, "the band of C is 2 to 1"),
        (broken(households=[5, -1]), (1, 2), {}, InputError, "households of unit u1-0 is -1"),
        (broken(households=[5, None]), (1, 2), {}, InputError, "give a number of 0 or more"),
        (broken().drop(columns="households"), (1, 2), {}, ColumnError, "units have no households"),
        (broken().drop(columns="community"), (1, 2), {}, ColumnError, "units have no community"),
        (broken(community=["C", None]), (1, 2), {}, InputError, "u1-0 has no community"),
        (broken().to_crs(4326), (1, 2), {}, CrsError, "EPSG:4326"),
        (broken().iloc[:0], (1, 2), {}, InputError, "there are no units"),
        (broken().iloc[[0, 0]], (1, 2), {}, InputError, "u0-0 is there more than once"),
        (broken(geometry=[shapely.box(0, 0, 9, 9), shapely.box(5, 5, 19, 19)]), (1, 2), {},
         CoverError, "u0-0 and u1-0 overlap by 16.0 m2"),
        (broken(geometry=[shapely.box(0, 0, 9, 9), shapely.Point(5, 5)]), (1, 2), {}, InputError,
         "u1-0 is no polygon"),
        (broken(), (1, 2), {"previous": pd.Series(["A"], index=["x"])}, InputError,
         "names unit x, which is not among the units"),
        (broken(), (1, 2), {"previous": pd.Series(["A", "B"], index=["u0-0", "u0-0"])}, InputError,
         "names unit u0-0 twice"),
        (broken(), (1, 2), {"locked": ["A"]}, InputError, "need the plan in force"),
        (broken(), (1, 2), {"locked": ["Z"], "previous": pd.Series(["A"], index=["u0-0"])},
         InputError, "locked grid Z is not in the plan"),
        (broken(), (1, 2), {"effort": "most"}, InputError, "use one of fast, full"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line_that_says_where(units, band, more, error, words):
    with pytest.raises(error, match=words) as caught:
        divide(units, band, **more)
    assert "\n" not in str(caught.value)
