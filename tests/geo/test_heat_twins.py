"""Surfaces against the sums that they stand for, worked out slowly, point by point."""

from __future__ import annotations

import math

import geopandas as gpd
import h3
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import integrate, stats

from geo.errors import InputError
from geo.heat import (
    KERNELS,
    UNSURE_RSE,
    HeatChoice,
    HeatGround,
    HeatPoints,
    bin_points,
    compare_with_effort,
    count_points,
    expect_by_effort,
    find_hexagons,
    fit_prior,
    frame_choices,
    heat_points,
    kernel_reach_m,
    kernel_values,
    make_ground,
    measure_areas,
    poisson_interval,
    rate_by_households,
    read_tile,
    share_households,
    shrink_ratio,
    smooth_density,
    smooth_frames,
    summarise_heat,
)
from geo.locate import GridIndex

Floats = np.ndarray
DAY = 20_000
"""2024-10-04, a Friday."""


def town(columns: int = 4, rows: int = 3, side: float = 500.0) -> gpd.GeoDataFrame:
    """Squares of 500 m in the zone of Wuhan, numbered row by row from the south-west."""
    cells = [
        shapely.box(
            500_000 + c * side, 3_380_000 + r * side,
            500_000 + (c + 1) * side, 3_380_000 + (r + 1) * side,
        )
        for r in range(rows)
        for c in range(columns)
    ]  # fmt: skip
    return gpd.GeoDataFrame(
        geometry=cells, index=pd.Index([f"g{k}" for k in range(len(cells))]), crs="EPSG:4547"
    )


def points_in(grids: gpd.GeoDataFrame, x: Floats, y: Floats, **given: Floats) -> HeatPoints:
    size = len(x)
    columns = {
        "days": np.full(size, DAY), "hours": np.full(size, 12), "kinds": np.zeros(size, int)
    } | given  # fmt: skip
    return heat_points(
        x, y, columns["days"], columns["hours"], columns["kinds"], GridIndex(grids).assign(x, y)
    )


def scattered(grids: gpd.GeoDataFrame, count: int, seed: int = 1) -> HeatPoints:
    rng = np.random.default_rng(seed)
    west, south, east, north = grids.total_bounds
    return points_in(grids, rng.uniform(west, east, count), rng.uniform(south, north, count))


def slow_share(ground: HeatGround, x: float, y: float) -> float:
    """Share of the kernel around a place that lies in the city, as a sum over squares of 4 m."""
    west, south, east, north = town().total_bounds
    reach = kernel_reach_m(ground.kernel, ground.bandwidth_m)
    px, py = np.meshgrid(*(np.arange(c - reach, c + reach, 4.0) + 2 for c in (x, y)))
    inside = (px > west) & (px < east) & (py > south) & (py < north)
    each = kernel_values(ground.kernel, np.hypot(px - x, py - y), ground.bandwidth_m)
    return float(each[inside].sum() / each.sum())


# --- kernels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_adds_up_to_one_over_the_plane(kernel: str) -> None:
    reach = kernel_reach_m(kernel, 300.0)
    total, _ = integrate.quad(
        lambda r: 2 * math.pi * r * float(kernel_values(kernel, r, 300.0)), 0, reach
    )
    assert total == pytest.approx(1.0, abs=4e-4)
    assert kernel_values(kernel, reach * 1.001, 300.0) == 0


def test_the_quartic_kernel_has_the_printed_values() -> None:
    peak = 3 / (math.pi * 200.0**2)
    found = kernel_values("quartic", [0.0, 100.0, 200.0], 200.0)
    np.testing.assert_allclose(found, [peak, peak * 0.5625, 0.0])


def test_the_window_of_the_quartic_kernel_is_five_ninths_of_its_circle() -> None:
    ground = make_ground(town(), bandwidth_m=300.0)
    assert ground.window_km2 == pytest.approx(5 / 9 * math.pi * 0.09, rel=0.01)


# --- density ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS)
def test_density_is_the_sum_of_kernels_over_the_share_inside(kernel: str) -> None:
    grids = town()
    ground = make_ground(grids, bandwidth_m=240.0 if kernel != "gaussian" else 100.0, kernel=kernel)
    points = scattered(grids, 60)
    surface = smooth_density(points, ground)
    rows, columns = np.nonzero(ground.inside >= 0.99)
    picked = np.random.default_rng(2).choice(len(rows), 150, replace=False)
    slow, variance = [], []
    for row, column in zip(rows[picked], columns[picked], strict=True):
        x, y = ground.place_of(row, column)
        each = kernel_values(kernel, np.hypot(points.x - x, points.y - y), ground.bandwidth_m)
        share = slow_share(ground, x, y)
        slow.append(each.sum() / share * 1e6)
        variance.append((each**2).sum() / share**2 * 1e12)
    fast = surface.value[rows[picked], columns[picked]]
    assert np.abs(fast - slow).max() < 0.02 * surface.top
    dense = np.array(slow) > 0.3 * surface.top
    rse = surface.rse[rows[picked], columns[picked]]
    np.testing.assert_allclose(
        rse[dense], np.sqrt(variance)[dense] / np.array(slow)[dense], rtol=0.05
    )


def test_the_surface_adds_up_to_the_cases_away_from_the_border() -> None:
    """And those outside are left out and counted."""
    grids = town()
    ground = make_ground(grids, bandwidth_m=230.0)
    rng = np.random.default_rng(3)
    west, south, east, north = grids.total_bounds
    x = np.concatenate([rng.uniform(west + 240, east - 240, 500), [west - 50.0, np.nan]])
    y = np.concatenate([rng.uniform(south + 240, north - 240, 500), [south, 1.0]])
    surface = smooth_density(points_in(grids, x, y), ground)
    assert (surface.cases, surface.left_out) == (500, 2)
    # Where kernels reach the correction the sum is that of the uncorrected surface.
    plain = np.nansum(surface.value * ground.edge, dtype=float) * ground.cell_m**2 / 1e6
    assert plain == pytest.approx(500, rel=2e-4)


def test_evenly_spread_cases_are_flat_up_to_the_border() -> None:
    grids = town()
    ground = make_ground(grids, bandwidth_m=200.0)
    west, south, east, north = grids.total_bounds
    x, y = np.meshgrid(np.arange(west + 5, east, 10.0), np.arange(south + 5, north, 10.0))
    surface = smooth_density(points_in(grids, x.ravel(), y.ravel()), ground)
    inside = surface.value[ground.inside >= 0.99]
    assert surface.mean == pytest.approx(10_000, rel=0.002)
    assert np.abs(inside / surface.mean - 1).max() < 0.02


def test_binning_is_the_sum_of_the_four_shares_of_each_point() -> None:
    grids = town()
    ground = make_ground(grids, bandwidth_m=300.0)
    points = scattered(grids, 40)
    counts, chosen = bin_points(points, ground)
    slow = np.zeros(ground.shape)
    for x, y in zip(points.x, points.y, strict=True):
        u, v = ground.cells_of(x, y)
        i, j = math.floor(u), math.floor(v)
        for di in (0, 1):
            for dj in (0, 1):
                slow[j + dj, i + di] += (1 - abs(u - i - di)) * (1 - abs(v - j - dj))
    np.testing.assert_allclose(counts, slow, atol=1e-12)
    assert chosen == 40


def test_the_bandwidth_is_the_same_on_the_ground_at_every_zoom() -> None:
    """One case: the disc that is coloured has the same metres across on tiles of each zoom."""
    grids = town(8, 8)
    ground = make_ground(grids, bandwidth_m=400.0)
    middle = shapely.centroid(shapely.union_all(grids.geometry.to_numpy()))
    surface = smooth_density(points_in(grids, np.array([middle.x]), np.array([middle.y])), ground)
    lon, lat = gpd.GeoSeries([middle], crs=grids.crs).to_crs("EPSG:4326").iloc[0].coords[0]
    widths = []
    for zoom in (12, 13, 14):
        tx = int((lon + 180) / 360 * 2**zoom)
        ty = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**zoom)
        lit = 0
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                value, _ = read_tile(surface, zoom, tx + dx, ty + dy)
                lit += int((value > 0.02 * surface.top).sum())
        metres = 40_075_016.7 * math.cos(math.radians(lat)) / 2**zoom / 256
        widths.append(2 * math.sqrt(lit * metres**2 / math.pi))
    # The quartic kernel falls to 2 % of its top at 0.93 of the bandwidth; cells add a little.
    np.testing.assert_allclose(widths, 2 * 0.927 * 400.0, rtol=0.06)
    np.testing.assert_allclose(widths, widths[0], rtol=0.01)


def test_a_tile_shows_at_each_pixel_what_the_surface_has_there() -> None:
    grids = town()
    ground = make_ground(grids, bandwidth_m=250.0)
    surface = smooth_density(scattered(grids, 300), ground)
    lon, lat = (
        gpd.GeoSeries([shapely.Point(501_000, 3_380_750)], crs=grids.crs)
        .to_crs("EPSG:4326").iloc[0].coords[0]
    )  # fmt: skip
    zoom = 15
    tx = int((lon + 180) / 360 * 2**zoom)
    ty = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**zoom)
    value, unsure = read_tile(surface, zoom, tx, ty)
    pixels = np.random.default_rng(4).integers(0, 256, (40, 2))
    seen = 0
    for row, column in pixels:
        plon = (tx + (column + 0.5) / 256) / 2**zoom * 360 - 180
        plat = math.degrees(
            math.atan(math.sinh(math.pi * (1 - 2 * (ty + (row + 0.5) / 256) / 2**zoom)))
        )
        place = (
            gpd.GeoSeries([shapely.Point(plon, plat)], crs="EPSG:4326").to_crs(grids.crs).iloc[0]
        )
        u, v = ground.cells_of(place.x, place.y)
        i, j = math.floor(u), math.floor(v)
        s, t = u - i, v - j
        cells = surface.value[j : j + 2, i : i + 2].astype(float)
        slow = np.array([1 - t, t]) @ cells @ np.array([1 - s, s])
        if not np.isnan(value[row, column]):
            seen += 1
            assert value[row, column] == pytest.approx(slow, rel=1e-3, abs=1e-3 * surface.top)
            if slow > 0.2 * surface.top:
                near = 1 / surface.rse[j : j + 2, i : i + 2]
                told = np.array([1 - t, t]) @ near @ np.array([1 - s, s])
                assert unsure[row, column] == (told < 1 / UNSURE_RSE)
    assert seen > 20


# --- what is chosen --------------------------------------------------------------------------


def test_a_choice_takes_what_a_mask_takes() -> None:
    grids = town()
    rng = np.random.default_rng(5)
    size = 3000
    west, south, east, north = grids.total_bounds
    x, y = rng.uniform(west, east, size), rng.uniform(south, north, size)
    days, hours = rng.integers(DAY, DAY + 800, size), rng.integers(0, 24, size)
    kinds = rng.integers(-1, 4, size)
    points = points_in(grids, x, y, days=days, hours=hours, kinds=kinds)
    ground = make_ground(grids, bandwidth_m=300.0)
    dates = pd.to_datetime(days, unit="D")
    choices = {
        HeatChoice(first=DAY + 10, last=DAY + 200): (days >= DAY + 10) & (days <= DAY + 200),
        HeatChoice(kinds=(1, 3)): np.isin(kinds, [1, 3]),
        HeatChoice(kinds=()): np.zeros(size, bool),
        HeatChoice(hours=(0, 23)): np.isin(hours, [0, 23]),
        HeatChoice(weekdays=(6,)): dates.day_of_week == 6,
        HeatChoice(months=(2, 12)): dates.month.isin([2, 12]),
        HeatChoice(hours=(8,), weekdays=(0, 1), months=(3,)): (hours == 8)
        & (dates.day_of_week <= 1)
        & (dates.month == 3),
    }
    for choice, mask in choices.items():
        assert bin_points(points, ground, choice)[1] == mask.sum()
        by_grid = count_points(points, points.grid, ground.grids, choice)
        slow = np.bincount(points.grid[mask], minlength=len(grids))
        assert by_grid.iloc[:-1].tolist() == slow.tolist()


@pytest.mark.parametrize("by", ["hour", "weekday", "month"])
def test_the_frames_of_a_playback_are_the_surfaces_of_their_choices(by: str) -> None:
    grids = town()
    rng = np.random.default_rng(11)
    west, south, east, north = grids.total_bounds
    x, y = rng.uniform(west - 90, east, 900), rng.uniform(south, north, 900)
    points = points_in(
        grids, x, y, days=rng.integers(DAY, DAY + 500, 900), hours=rng.integers(0, 24, 900)
    )
    ground = make_ground(grids, bandwidth_m=300.0)
    choice = HeatChoice(last=DAY + 450, weekdays=(0, 2, 6), months=(1, 2, 5, 9))
    frames = dict(smooth_frames(points, ground, choice, by=by))
    slow = {value: smooth_density(points, ground, one) for value, one in frame_choices(choice, by)}
    assert list(frames) == list(slow)
    for value, surface in slow.items():
        assert (frames[value].cases, frames[value].left_out) == (surface.cases, surface.left_out)
        np.testing.assert_allclose(frames[value].value, surface.value, rtol=1e-5, atol=1e-6)
    assert sum(one.cases for one in frames.values()) == smooth_density(points, ground, choice).cases


# --- rates and effort --------------------------------------------------------------------------


def test_a_rate_is_the_quotient_of_two_surfaces() -> None:
    """Homes everywhere alike: the rate is the density over that of homes, at every place."""
    grids = town()
    ground = make_ground(grids, bandwidth_m=300.0)
    points = scattered(grids, 400)
    surface = rate_by_households(points, ground, np.full(12, 500.0))
    density = smooth_density(points, ground)
    inside = ground.inside >= 0.99
    homes = smooth_density(  # a place every 10 m, 2,500 a grid
        points_in(grids, *(part.ravel() for part in np.meshgrid(
            np.arange(500_005, 502_000, 10.0), np.arange(3_380_005, 3_381_500, 10.0)))), ground,
    )  # fmt: skip
    slow = density.value[inside] / (homes.value[inside] / 5) * 1000
    np.testing.assert_allclose(surface.value[inside], slow, rtol=0.02, atol=0.01 * surface.top)
    assert surface.mean == pytest.approx(400 / 6000 * 1000)


def test_grids_that_do_not_know_their_homes_count_neither_above_nor_below() -> None:
    grids = town()
    points = scattered(grids, 400)
    homes = np.full(12, 250.0)
    homes[5] = np.nan
    surface = rate_by_households(points, make_ground(grids, bandwidth_m=300.0), homes)
    inside = int((points.grid == 5).sum())
    assert (surface.cases, surface.left_out) == (400 - inside, inside)
    assert surface.mean == pytest.approx((400 - inside) / 2750 * 1000)


def test_where_few_homes_are_seen_there_is_no_rate() -> None:
    grids = town()
    homes = np.zeros(12)
    homes[0] = 1000.0
    surface = rate_by_households(
        scattered(grids, 200), make_ground(grids, bandwidth_m=200.0), homes
    )
    ground = surface.ground
    row, column = (int(part) for part in ground.cells_of(501_900, 3_381_400)[::-1])
    assert np.isnan(surface.value[row, column])
    assert summarise_heat(surface)["unknown_share"] > 0.5


def test_households_spread_over_cells_add_up_even_in_grids_smaller_than_a_cell() -> None:
    grids = town(3, 3, 20.0)
    ground = make_ground(grids, bandwidth_m=600.0)
    homes = np.arange(9.0) * 10
    homes[3] = np.nan
    spread = ground.spread(homes)
    assert spread.sum() == pytest.approx(np.nansum(homes))


def test_cases_that_follow_effort_are_no_hot_place_and_those_beyond_it_are() -> None:
    """Twice the rounds in the west find twice as much; in one grid there is more than that."""
    grids = town(8, 6)
    ground = make_ground(grids, bandwidth_m=400.0)
    rng = np.random.default_rng(6)
    west, south, east, north = grids.total_bounds
    middle = (west + east) / 2
    x = np.concatenate([rng.uniform(west, middle, 4000), rng.uniform(middle, east, 2000)])
    y = rng.uniform(south, north, 6000)
    extra = rng.normal((middle + 1000, south + 1500), 120, (500, 2)).T
    effort = np.where(
        np.arange(ground.shape[1]) < ground.cells_of(middle, south)[0], 2.0, 1.0
    ) * np.where(ground.inside > 0, 1.0, 0.0)
    plain = compare_with_effort(points_in(grids, x, y), ground, effort)
    inside = ground.inside >= 0.99
    assert np.abs(plain.value[inside] - 1).max() < 0.2
    both = points_in(grids, np.append(x, extra[0]), np.append(y, extra[1]))
    found = compare_with_effort(both, ground, effort)
    peak = summarise_heat(found)["peak"]
    assert math.hypot(peak["x"] - middle - 1000, peak["y"] - south - 1500) < 300
    assert peak["low"] > 1.3
    assert peak["sure"]
    # Without the correction the west would look worse than the east.
    raw = smooth_density(points_in(grids, x, y), ground).value
    columns = np.arange(ground.shape[1]) < ground.cells_of(middle, south)[0]
    assert np.nanmedian(raw[:, columns][inside[:, columns]]) > 1.8 * np.nanmedian(
        raw[:, ~columns][inside[:, ~columns]]
    )


def test_where_nobody_walked_the_map_is_empty_and_not_cold() -> None:
    grids = town(8, 6)
    ground = make_ground(grids, bandwidth_m=300.0)
    effort = np.where(np.arange(ground.shape[1]) < ground.shape[1] // 2, 1.0, 0.0)
    surface = compare_with_effort(
        scattered(grids, 3000), ground, np.broadcast_to(effort, ground.shape).astype(float)
    )
    row, column = (int(part) for part in ground.cells_of(503_700, 3_381_500)[::-1])
    assert np.isnan(surface.value[row, column])


def test_shrunken_ratios_follow_the_moment_equations() -> None:
    rng = np.random.default_rng(7)
    truth = rng.gamma(4, 0.25, 400)
    expected = rng.uniform(2, 30, 400)
    observed = rng.poisson(truth * expected)
    prior = fit_prior(observed, expected)
    theta = (observed + prior.nu) / (expected + prior.alpha)
    assert theta.mean() == pytest.approx(prior.mean, rel=1e-6)
    spread = ((1 + prior.alpha / expected) * (theta - theta.mean()) ** 2).sum() / 399
    assert spread == pytest.approx(prior.nu / prior.alpha**2, rel=1e-5)
    assert prior.mean == pytest.approx(truth.mean(), abs=0.08)
    assert prior.nu / prior.alpha**2 == pytest.approx(truth.var(), abs=0.08)
    table = shrink_ratio(observed, expected)
    raw = observed / expected
    assert ((table["ratio"] - truth) ** 2).mean() < ((raw - truth) ** 2).mean()
    inside = (table["low"] <= truth) & (truth <= table["high"])
    assert 0.91 < inside.mean() < 0.985


def test_places_that_do_not_differ_are_all_drawn_to_the_mean() -> None:
    rng = np.random.default_rng(8)
    expected = rng.uniform(1, 5, 300)
    table = shrink_ratio(rng.poisson(expected), expected)
    assert table["ratio"].std() < 0.1


def test_effort_shares_out_exactly_the_cases_there_are() -> None:
    expected = expect_by_effort([3, 0, 9], [10.0, 30.0, 0.0])
    np.testing.assert_allclose(expected, [3.0, 9.0, 0.0])
    halved = expect_by_effort([3, 0, 9], [10.0, 40.0, 0.0], power=0.5)
    np.testing.assert_allclose(halved, [4.0, 8.0, 0.0])
    assert expect_by_effort([3, 4], [0.0, 0.0]).tolist() == [0.0, 0.0]


def test_the_interval_of_a_count_is_the_exact_one() -> None:
    low, high = poisson_interval([0, 1, 10, 100])
    np.testing.assert_allclose(low, [0, *stats.chi2.ppf(0.025, [2, 20, 200]) / 2])
    np.testing.assert_allclose(high, stats.chi2.ppf(0.975, [2, 4, 22, 202]) / 2)


def test_areas_have_their_rates_with_how_sure_each_is() -> None:
    ids = pd.Index(["a", "b", "c"])
    table = measure_areas(
        pd.Series([40, 4, 0], ids), pd.Series([2.0, 1.0, 1.0], ids),
        households=pd.Series([1000.0, np.nan, 0.0], ids),
        effort=pd.Series([100.0, 10.0, 0.0], ids),
    )  # fmt: skip
    assert table["per_km2"].tolist() == [20.0, 4.0, 0.0]
    assert table["unsure"].tolist() == [False, True, True]
    assert table["per_1000"].tolist()[0] == 40.0
    assert table["per_1000"].isna().tolist() == [False, True, True]
    assert table["expected"].tolist() == [40.0, 4.0, 0.0]
    assert table["ratio"].isna().tolist() == [False, False, True]


# --- hexagons ----------------------------------------------------------------------------------


def test_each_point_is_in_the_hexagon_that_h3_names() -> None:
    grids = town(8, 8).to_crs("EPSG:4326")
    hexagons = find_hexagons(grids, 9)
    west, south, east, north = grids.total_bounds
    rng = np.random.default_rng(9)
    lon, lat = rng.uniform(west, east, 3000), rng.uniform(south, north, 3000)
    rows = GridIndex(hexagons).assign(lon, lat)
    named = [h3.latlng_to_cell(b, a, 9) for a, b in zip(lon, lat, strict=True)]
    assert (rows >= 0).all()
    assert np.mean(hexagons.index[rows] == np.array(named, dtype=object)) > 0.999


def test_hexagons_cover_the_grids_and_know_how_much_of_them() -> None:
    grids = town(6, 5)
    hexagons = find_hexagons(grids, 9)
    assert hexagons["area_km2"].sum() == pytest.approx(grids.area.sum() / 1e6, rel=1e-3)


def test_households_of_hexagons_are_those_of_grids_by_area() -> None:
    grids = town(6, 5)
    homes = np.arange(30.0) * 10
    homes[7] = np.nan
    hexagons = find_hexagons(grids, 9)
    found = share_households(hexagons, grids, homes)
    assert found.sum() == pytest.approx(np.nansum(homes), rel=1e-3)
    pieces = gpd.overlay(
        hexagons.to_crs(grids.crs).reset_index(),
        grids.assign(homes=homes, whole=grids.area).reset_index(drop=True),
        how="intersection",
    )
    slow = (pieces["homes"] * pieces.area / pieces["whole"]).groupby(pieces["hexagon"]).sum()
    assert found.fillna(0).to_dict() == pytest.approx(slow.reindex(found.index).fillna(0).to_dict())
    nobody = share_households(hexagons, grids, np.full(30, np.nan))
    assert nobody.isna().all()
    with pytest.raises(InputError, match="3 numbers for 30 grids"):
        share_households(hexagons, grids, [1, 2, 3])


def test_beside_a_very_hot_place_a_few_cases_are_still_told_with_their_error() -> None:
    """A million cases in one spot, nine two kilometres off: a third of uncertainty, not none."""
    grids = town(8, 8)
    ground = make_ground(grids, bandwidth_m=300.0)
    x = np.append(np.full(1_000_000, 500_600.0), np.full(9, 503_000.0))
    y = np.append(np.full(1_000_000, 3_380_600.0), np.full(9, 3_383_000.0))
    surface = smooth_density(points_in(grids, x, y), ground)
    u, v = (round(float(part)) for part in ground.cells_of(503_000, 3_383_000))
    assert surface.value[v, u] == pytest.approx(9 * 3 / (math.pi * 0.09), rel=0.05)
    assert surface.rse[v, u] == pytest.approx(1 / 3, rel=0.05)
    assert (surface.rse > 0).all()
