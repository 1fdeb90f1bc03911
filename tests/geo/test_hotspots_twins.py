"""Gi*, permutations, false discovery rate and trends against slow twins and against esda, scipy."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import stats

from geo._hotspots_kernels import count_permuted, draw_orders
from geo._hotspots_star import _tail
from geo.datum import to_metric
from geo.hotspots import (
    Weights,
    adjust_fdr,
    contiguity_weights,
    distance_weights,
    measure_g_star,
    measure_trends,
    permute_g_star,
)

Floats = np.ndarray


def irregular(count: int, seed: int = 0) -> gpd.GeoDataFrame:
    """Voronoi cells of random points in a square of 3 km: grids as uneven as real ones."""
    rng = np.random.default_rng(seed)
    points = shapely.multipoints(rng.uniform(0, 3000, (count, 2)))
    square = shapely.box(0, 0, 3000, 3000)
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=square))
    cells = shapely.intersection(cells, square)
    ids = [f"g{k:04d}" for k in range(count)]
    return gpd.GeoDataFrame({"grid_id": ids}, geometry=cells, crs="EPSG:4547").set_index("grid_id")


def slow_star(values: list[float], near: list[list[int]], i: int) -> float:
    """Ord & Getis (1995), equation 13 of Gi*, as it is printed, weights of one."""
    n = len(values)
    mean = sum(values) / n
    s = (sum(v * v for v in values) / n - mean**2) ** 0.5
    members = [i, *near[i]]
    w = s1 = len(members)
    top = sum(values[j] for j in members) - w * mean
    return top / (s * ((n * s1 - w * w) / (n - 1)) ** 0.5)


def lists(weights: Weights) -> list[list[int]]:
    pairs = zip(weights.start[:-1], weights.start[1:], strict=True)
    return [weights.other[a:b].tolist() for a, b in pairs]


def test_gi_star_is_the_printed_formula() -> None:
    grids = irregular(40)
    weights = contiguity_weights(grids)
    values = np.random.default_rng(1).poisson(3, 40).astype(float)
    found = measure_g_star(pd.Series(values, grids.index), weights)
    slow = [slow_star(values.tolist(), lists(weights), i) for i in range(40)]
    np.testing.assert_allclose(found.z[:, 0], slow, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.p_normal[:, 0], 2 * stats.norm.sf(np.abs(slow)), rtol=1e-10)


def test_space_time_gi_star_is_the_printed_formula_over_all_bins() -> None:
    grids = irregular(15)
    weights = contiguity_weights(grids)
    cube = np.random.default_rng(2).poisson(2, (15, 6)).astype(float)
    found = measure_g_star(pd.DataFrame(cube, grids.index), weights, time_steps=2, whole=True)
    near = lists(weights)
    bins = [(i, t) for i in range(15) for t in range(6)]
    flat = [cube[i, t] for i, t in bins]
    neighbours = [
        [
            k
            for k, (j, s) in enumerate(bins)
            if t - 2 <= s <= t and (j == i or j in near[i]) and (j, s) != (i, t)
        ]
        for i, t in bins
    ]
    slow = [slow_star(flat, neighbours, k) for k in range(len(bins))]
    np.testing.assert_allclose(found.z.ravel(), slow, rtol=1e-10, atol=1e-10)


def test_the_skewness_of_a_sum_is_that_of_all_samples_without_putting_back() -> None:
    values = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 5.0, 9.0])
    size, m = len(values), 3
    sums = np.array([sum(draw) for draw in itertools.combinations(values, m)])
    apart = values - values.mean()
    third = (apart**3).mean()
    formula = third * m * (size - m) * (size - 2 * m) / ((size - 1) * (size - 2))
    np.testing.assert_allclose(((sums - sums.mean()) ** 3).mean(), formula, rtol=1e-12)


def test_the_skewed_tail_is_the_pearson_type_iii_of_scipy() -> None:
    t, skew = np.meshgrid(np.linspace(-3, 7, 41), [-1.2, -0.3, -0.01, 0.0, 0.01, 0.4, 1.5])
    slow = stats.pearson3.sf(t, skew)
    np.testing.assert_allclose(_tail(t, skew), slow, rtol=1e-5, atol=1e-14)


@pytest.mark.parametrize("mean", [0.3, 1.0, 4.0])
def test_p_of_few_cases_is_near_the_exact_one_where_the_normal_is_far_off(mean: float) -> None:
    """Sums of seven Poisson counts among very many are Poisson: their tail is known."""
    grids = irregular(400)
    weights = distance_weights(grids, 1.0)
    counts = np.random.default_rng(3).poisson(7 * mean, 400).astype(float)
    found = measure_g_star(pd.Series(counts, grids.index), weights)
    for k in np.flatnonzero(found.z[:, 0] > 2.5):
        exact = 2 * stats.poisson.sf(counts[k] - 1, counts.mean())
        assert 0.3 < found.p[k, 0] / exact < 3


# --- esda ---------------------------------------------------------------------------------


def esda_of(values: Floats, weights: Weights, permutations: int, seed: int):  # type: ignore[no-untyped-def]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from esda.getisord import G_Local
        from libpysal.weights import W

        near = dict(enumerate(lists(weights)))
        return G_Local(
            values, W(near, silence_warnings=True), transform="B", star=True,
            permutations=permutations, seed=seed, n_jobs=1, keep_simulations=True,
        )  # fmt: skip


@pytest.mark.parametrize("kind", ["counts", "rates"])
@pytest.mark.parametrize("make", ["contiguity", "distance"])
def test_z_and_normal_p_are_those_of_esda(kind: str, make: str) -> None:
    grids = irregular(120)
    weights = contiguity_weights(grids) if make == "contiguity" else distance_weights(grids, 450)
    rng = np.random.default_rng(4)
    values = rng.poisson(2, 120).astype(float) if kind == "counts" else rng.gamma(2, 1, 120)
    oracle = esda_of(values, weights, 0, 1)
    found = measure_g_star(pd.Series(values, grids.index), weights)
    np.testing.assert_allclose(found.z[:, 0], oracle.Zs, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found.p_normal[:, 0], 2 * oracle.p_norm, rtol=1e-8)


def test_weights_are_those_of_libpysal() -> None:
    grids = irregular(150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from libpysal.weights import DistanceBand, Queen

        queen = Queen.from_dataframe(grids, use_index=False, silence_warnings=True)
        middle = shapely.centroid(grids.geometry.to_numpy())
        points = np.column_stack([shapely.get_x(middle), shapely.get_y(middle)])
        band = DistanceBand(points, 400, silence_warnings=True)
    # Corners of cells that were cut apart may differ in the last digit, so libpysal may miss some.
    mine = lists(contiguity_weights(grids))
    assert all(set(queen.neighbors[k]) <= set(mine[k]) for k in range(150))
    assert sum(map(len, mine)) - sum(queen.cardinalities.values()) <= 6
    assert lists(distance_weights(grids, 400)) == [sorted(band.neighbors[k]) for k in range(150)]


def test_with_the_draws_of_esda_the_permutation_p_is_the_same_number() -> None:
    from esda.crand import vec_permutations

    grids = irregular(90)
    weights = contiguity_weights(grids)
    values = np.random.default_rng(5).poisson(2, 90).astype(float)
    oracle = esda_of(values, weights, 199, 77)
    draws = vec_permutations(int(weights.cards.max()), 90, 199, 77)
    found = permute_g_star(
        pd.Series(values, grids.index), weights, rng=np.random.default_rng(0), draws=draws
    )
    larger = found.larger[:, 0]
    folded = np.where(199 - larger < larger, 199 - larger, larger)
    np.testing.assert_allclose((folded + 1) / 200, oracle.p_sim, rtol=1e-6)


def test_permutation_p_agrees_with_esda_within_the_error_of_drawing() -> None:
    grids = irregular(60)
    weights = contiguity_weights(grids)
    values = np.random.default_rng(6).poisson(2, 60).astype(float)
    count = 4999
    oracle = esda_of(values, weights, count, 3)
    found = permute_g_star(
        pd.Series(values, grids.index), weights, rng=np.random.default_rng(8), permutations=count
    )
    mine, theirs = found.larger[:, 0] / count, (oracle.sim >= oracle.Gs).mean(axis=0)
    error = np.sqrt(np.maximum(theirs * (1 - theirs), 1e-3) * 2 / count)
    assert (np.abs(mine - theirs) / error).max() < 4.5


# --- slow twins ----------------------------------------------------------------------------


def test_counting_by_shared_orders_is_counting_each_grid_apart() -> None:
    rng = np.random.default_rng(9)
    grids = irregular(25)
    weights = contiguity_weights(grids)
    near, values = lists(weights), rng.poisson(1, 25).astype(float)
    found = np.array([values[i] + sum(values[j] for j in near[i]) for i in range(25)])
    seeds = rng.integers(0, 2**64, 60, dtype=np.uint64)
    orders = draw_orders(25, int(weights.cards.max()) + 1, seeds)
    larger, smaller = count_permuted(values, found, weights.cards, orders, 0.0)
    for i in range(25):
        sums = []
        for order in orders:
            others = [j for j in order if j != i][: len(near[i])]
            assert len(others) == len(near[i])
            sums.append(values[i] + sum(values[j] for j in others))
        assert larger[i] == sum(total >= found[i] for total in sums)
        assert smaller[i] == sum(total <= found[i] for total in sums)


def test_every_order_of_four_comes_equally_often() -> None:
    seeds = np.random.default_rng(10).integers(0, 2**64, 48_000, dtype=np.uint64)
    orders = draw_orders(4, 4, seeds)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.001


def test_threads_and_order_of_slices_do_not_change_the_answer() -> None:
    grids = irregular(50)
    weights = contiguity_weights(grids)
    table = pd.DataFrame(np.random.default_rng(11).poisson(2, (50, 6)), index=grids.index)
    one, two = (
        permute_g_star(
            table, weights, rng=np.random.default_rng(1), permutations=99, threads=threads
        )
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one.larger, two.larger)
    np.testing.assert_array_equal(one.smaller, two.smaller)


def test_the_false_discovery_rate_is_that_of_scipy_and_keeps_missing_ones() -> None:
    p = np.random.default_rng(12).uniform(0, 1, (30, 4)) ** 3
    np.testing.assert_allclose(
        adjust_fdr(p).ravel(), stats.false_discovery_control(p.ravel()), rtol=1e-12
    )
    with_gap = p.copy()
    with_gap[3, 2] = np.nan
    left = adjust_fdr(with_gap)
    assert np.isnan(left[3, 2])
    kept = ~np.isnan(with_gap.ravel())
    np.testing.assert_allclose(
        left.ravel()[kept], stats.false_discovery_control(p.ravel()[kept]), rtol=1e-12
    )


def test_mann_kendall_is_the_sum_of_signs_and_follows_kendalls_tau() -> None:
    rng = np.random.default_rng(13)
    series = rng.integers(0, 6, (20, 17)).astype(float)
    found = measure_trends(series)
    for k, row in enumerate(series):
        slow = sum(np.sign(row[j] - row[i]) for j in range(17) for i in range(j))
        assert found.score[k] == slow
        ties = [int((row == v).sum()) for v in np.unique(row)]
        n = 17
        variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
        z = (slow - np.sign(slow)) / variance**0.5
        assert found.z[k] == pytest.approx(z)
        tau = stats.kendalltau(np.arange(17), row, variant="b").statistic
        pairs = n * (n - 1) / 2
        tied = sum(t * (t - 1) / 2 for t in ties)
        assert slow / (pairs * (pairs - tied)) ** 0.5 == pytest.approx(tau)
    exact = stats.kendalltau(np.arange(17), series[0], method="asymptotic").pvalue
    assert found.p[0] == pytest.approx(exact, abs=0.06)


@pytest.mark.real_data
def test_sacramento_beats_agree_with_esda(shared_data: Path) -> None:
    """Crimes of a month by the city's own police grid: groups of points, hulls as grids."""
    told = pd.read_csv(shared_data / "inc_sacramento_crime" / "SacramentocrimeJanuary2006.csv")
    points = gpd.GeoDataFrame(
        told, geometry=gpd.points_from_xy(told["longitude"], told["latitude"]), crs="EPSG:4326"
    )
    grouped = points.dissolve("grid")
    hulls = to_metric(grouped)
    hulls = hulls.set_geometry(hulls.geometry.convex_hull.buffer(50.0))
    counts = told.groupby("grid").size().reindex(hulls.index).astype(float)
    weights = distance_weights(hulls, 1500.0)
    oracle = esda_of(counts.to_numpy(), weights, 0, 1)
    found = measure_g_star(counts, weights)
    np.testing.assert_allclose(found.z[:, 0], oracle.Zs, rtol=1e-9, atol=1e-9)
