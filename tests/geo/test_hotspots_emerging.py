"""Classes of emerging hot spots by hand, planted ones found again, noise left alone, bad input."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely

from geo._repeats import is_first_at_place
from geo.compare import Boundary
from geo.datum import to_metric
from geo.errors import InputError
from geo.hotspots import (
    CLASSES,
    Trends,
    classify,
    contiguity_weights,
    count_slices,
    distance_weights,
    find_black_spots,
    find_emerging,
    find_hot_spots,
    list_black_spots,
    measure_g_star,
    permute_g_star,
    place_keys,
)
from geo.io.case_columns import CaseColumns, case_columns

Bools = np.ndarray


def lattice(columns: int, rows: int, side: float = 100.0) -> gpd.GeoDataFrame:
    """Squares numbered row by row from the south-west: 0 1 2 / 3 4 5 …"""
    cells = [
        shapely.box(c * side, r * side, (c + 1) * side, (r + 1) * side)
        for r in range(rows)
        for c in range(columns)
    ]
    return gpd.GeoDataFrame(geometry=cells, index=pd.RangeIndex(len(cells)), crs="EPSG:4547")


def state(text: str) -> tuple[Bools, Bools]:
    """`H` hot, `C` cold, `.` neither, slice by slice."""
    return np.array([[c == "H" for c in text]]), np.array([[c == "C" for c in text]])


UP, NONE, DOWN = 3.0, 0.5, -3.0


@pytest.mark.parametrize(
    ("text", "trend", "kind"),
    [
        (".........H", NONE, "new"),
        ("......HHHH", NONE, "consecutive"),
        ("........HH", NONE, "consecutive"),
        (".HHHHHHHHH", UP, "intensifying"),
        ("HHHHHHHHHH", UP, "intensifying"),
        ("HHHHHHHHHH", NONE, "persistent"),
        ("HHHHH.HHHH", NONE, "persistent"),
        ("HHHHHHHHHH", DOWN, "diminishing"),
        ("H.H....H.H", NONE, "sporadic"),
        ("H.H.......", NONE, "sporadic"),
        ("C......H.H", NONE, "oscillating"),
        ("HC.......H", NONE, "oscillating"),
        ("C........H", NONE, "oscillating"),
        (".CC....HHH", NONE, "oscillating"),
        ("HHHHHHHHH.", NONE, "historical"),
        ("HHHHHHHHHC", NONE, "historical"),
        ("..........", NONE, ""),
        ("H..C......", NONE, ""),
        (".........C", NONE, "cold_new"),
        ("H..C.....C", NONE, "cold_oscillating"),
        ("CCCCCCCCCC", DOWN, "cold_intensifying"),
        ("CCCCCCCCCC", UP, "cold_diminishing"),
        ("H", NONE, "new"),
        ("CC", NONE, "cold_persistent"),
    ],
)
def test_each_class_is_the_published_one(text: str, trend: float, kind: str) -> None:
    p = np.array([0.01 if abs(trend) > 1 else 0.6])
    trends = Trends(np.zeros(1), np.array([trend]), p)
    assert classify(*state(text), trends)[0] == kind


def test_every_pattern_has_at_most_one_class_and_its_mirror_the_cold_one() -> None:
    rng = np.random.default_rng(1)
    codes = rng.choice([-1, 0, 0, 1, 1], (500, 9)) * rng.choice([1, -1], (500, 1))
    z, p = rng.normal(0, 2, 500), rng.uniform(0, 0.1, 500)
    kinds = classify(codes > 0, codes < 0, Trends(z, z, p))
    mirrored = classify(codes < 0, codes > 0, Trends(-z, -z, p))
    names = {*CLASSES, *(f"cold_{name}" for name in CLASSES), ""}
    assert set(kinds) <= names
    for kind, other in zip(kinds, mirrored, strict=True):
        if kind and not (kind == "historical" and other.startswith("cold_") is False):
            assert other in (f"cold_{kind}", kind.removeprefix("cold_"), "historical", "")


# --- planted and pure noise ----------------------------------------------------------------

SLICES = 30
BASE = 120.0


def _pattern(kind: str) -> np.ndarray:
    """How many times the usual a hot patch of a class has, slice by slice."""
    level = np.ones(SLICES)
    if kind == "new":
        level[-1] = 2.0
    elif kind == "consecutive":
        level[-6:] = 2.0
    elif kind == "intensifying":
        level[:] = np.linspace(1.6, 2.6, SLICES)
    elif kind == "persistent":
        level[:] = 2.0
    elif kind == "diminishing":
        level[:] = np.linspace(2.6, 1.6, SLICES)
    elif kind == "sporadic":
        level[[3, 4, 10, 11, 20, 21, 28, 29]] = 2.0
    elif kind == "oscillating":
        level[5:9], level[-4:] = 0.05, 2.0
    elif kind == "historical":
        level[:-2] = 2.0
    return level


def voronoi(count: int, side: float, seed: int) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(seed)
    square = shapely.box(0, 0, side, side)
    points = shapely.multipoints(rng.uniform(0, side, (count, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=square))
    return gpd.GeoDataFrame(geometry=shapely.intersection(cells, square), crs="EPSG:4547")


@pytest.mark.parametrize("is_cold", [False, True], ids=["hot", "cold"])
def test_planted_classes_are_found_again_on_irregular_grids(is_cold: bool) -> None:
    grids = voronoi(1600, 8000.0, 5)
    middle = shapely.centroid(grids.geometry.to_numpy())
    x, y = shapely.get_x(middle), shapely.get_y(middle)
    rng = np.random.default_rng(6)
    level = np.ones((len(grids), SLICES))
    hearts = {}
    for k, kind in enumerate(CLASSES):
        cx, cy = 1200.0 + 2800.0 * (k % 3), 1200.0 + 2800.0 * (k // 3)
        far = np.hypot(x - cx, y - cy)
        times = _pattern(kind)
        # The cold twin: as far below the usual as the hot one is above.
        times = np.maximum(2.0 - times, 0.03) if is_cold else times
        if is_cold and kind in ("intensifying", "diminishing"):
            times = np.linspace(0.5, 0.02, SLICES)
            times = times if kind == "intensifying" else times[::-1]
        level[far < 700] *= times
        hearts[kind] = np.flatnonzero(far < 350)
    counts = pd.DataFrame(rng.poisson(BASE * level), index=grids.index)
    table = find_emerging(counts, contiguity_weights(grids))
    wanted = {kind: f"cold_{kind}" if is_cold else kind for kind in CLASSES}
    for kind, rows in hearts.items():
        assert len(rows)
        found = table["kind"].iloc[rows].value_counts()
        # Of 30 slices some are called hot or cold by chance, as the rate allows.
        assert found.index[0] == wanted[kind], (kind, dict(found))
        assert found.iloc[0] >= 0.7 * len(rows), (kind, dict(found))


@pytest.mark.parametrize("mean", [0.3, 5.0])
def test_pure_noise_stays_under_the_stated_rate(mean: float) -> None:
    """Without any hot spot each one found is false, so runs that find any are at most alpha.

    Of 60 runs 3 are expected at alpha 0.05; more than 8 would be seen once in 300 times.
    """
    grids = voronoi(220, 4000.0, 7)
    weights = contiguity_weights(grids)
    rng = np.random.default_rng(8)
    false_runs = false_grids = 0
    for _ in range(60):
        counts = pd.DataFrame(rng.poisson(mean, (220, 20)), index=grids.index)
        false_runs += bool((find_emerging(counts, weights)["kind"] != "").any())
        false_grids += int((find_hot_spots(counts[0], weights)["kind"] != "").any())
    assert false_runs <= 8
    assert false_grids <= 8


def test_the_normal_p_would_not_stay_under_it_with_few_cases() -> None:
    """Why the judgement goes by skewness: rare cases, and the normal p finds spots in noise."""
    grids = voronoi(220, 4000.0, 7)
    weights = contiguity_weights(grids)
    rng = np.random.default_rng(9)
    normal = skewed = 0
    for _ in range(40):
        found = measure_g_star(
            pd.DataFrame(rng.poisson(0.05, (220, 20)), index=grids.index), weights,
            time_steps=1, whole=True,
        )  # fmt: skip
        normal += bool((found.p_normal < 0.05 / found.z.size).any())
        skewed += bool((found.p < 0.05 / found.z.size).any())
    assert skewed <= 6 < normal


def test_what_comes_on_and_goes_is_told_with_its_slices() -> None:
    grids = lattice(12, 12)
    counts = np.random.default_rng(3).poisson(30, (144, 10))
    patch = [r * 12 + c for r in (5, 6, 7) for c in (5, 6, 7)]
    counts[np.ix_(patch, [1, 2, 7, 8, 9])] += 60
    columns = [f"w{k}" for k in range(10)]
    table = find_emerging(
        pd.DataFrame(counts, index=grids.index, columns=columns), contiguity_weights(grids),
        time_steps=0,
    )  # fmt: skip
    heart = table.loc[6 * 12 + 6]
    assert heart["kind"] == "sporadic"
    assert heart[["hot", "cold", "runs"]].tolist() == [5, 0, 2]
    assert heart["hot_since"] == "w7"
    assert heart["last_hot"] == "w9"
    assert pd.isna(table.loc[0, "hot_since"])


# --- slices, one grid, zeros and other bad input --------------------------------------------


def test_cases_are_counted_into_their_slice_and_no_other() -> None:
    rows = np.array([0, 0, 1, -1, 1, 0])
    days = np.array([10, 16, 17, 12, 24, 9])
    table = count_slices(rows, days, [10, 17, 24], pd.Index(["a", "b"]))
    assert table.to_numpy().tolist() == [[2, 0], [0, 1]]
    assert table.columns.tolist() == [10, 17]


def test_slices_that_do_not_rise_are_refused() -> None:
    for edges in ([5], [5, 5], [7, 3]):
        with pytest.raises(InputError, match="each later than the last"):
            count_slices(np.array([0]), np.array([5]), edges, pd.Index(["a"]))


def test_all_zeros_one_grid_and_one_value_everywhere_are_no_hot_spots() -> None:
    for grids, values in (
        (lattice(4, 4), 0.0), (lattice(1, 1), 7.0), (lattice(3, 3), 2.5),
    ):  # fmt: skip
        weights = contiguity_weights(grids)
        series = pd.Series(values, index=grids.index)
        table = find_hot_spots(series, weights, permutations=9, rng=np.random.default_rng(0))
        assert (table["kind"] == "").all()
        assert (table["z"] == 0).all()
        assert (table["q"] == 1).all()
        cube = pd.DataFrame(dict.fromkeys(range(5), series))
        assert (find_emerging(cube, weights)["kind"] == "").all()


def test_no_grids_and_no_slices_give_an_empty_answer() -> None:
    grids = lattice(3, 3).iloc[:0]
    weights = contiguity_weights(grids)
    assert len(distance_weights(grids, 100.0)) == 0
    assert len(find_hot_spots(pd.Series([], index=grids.index, dtype=float), weights)) == 0
    assert len(find_emerging(pd.DataFrame({0: []}, index=grids.index), weights)) == 0
    some = lattice(2, 2)
    nothing = find_emerging(pd.DataFrame(index=some.index), contiguity_weights(some))
    assert (nothing["kind"] == "").all()


def test_a_missing_value_takes_its_grid_out_and_nothing_else() -> None:
    grids = lattice(5, 5)
    values = pd.Series(np.random.default_rng(2).poisson(4, 25).astype(float), index=grids.index)
    values[12] = np.nan
    weights = contiguity_weights(grids)
    table = find_hot_spots(values, weights, permutations=49, rng=np.random.default_rng(0))
    assert table.loc[12, ["z", "p", "q", "p_sim"]].isna().all()
    assert table.loc[12, "kind"] == ""
    rest = grids.drop(index=12)
    other = find_hot_spots(values.drop(12), contiguity_weights(rest))
    pd.testing.assert_series_equal(table["z"].drop(12), other["z"])
    assert find_emerging(pd.DataFrame({0: values}), weights)["kind"].isna().to_numpy().nonzero()[
        0
    ].tolist() == [12]


def test_values_find_their_grids_by_name() -> None:
    grids = lattice(4, 3)
    values = pd.Series(np.arange(12.0) ** 2, index=grids.index)
    weights = contiguity_weights(grids)
    table = find_hot_spots(values, weights)
    shuffled = find_hot_spots(values.sample(frac=1, random_state=1), weights)
    pd.testing.assert_frame_equal(table, shuffled)
    with pytest.raises(InputError, match="not the same ones"):
        find_hot_spots(values.iloc[:5], weights)


def test_wrong_numbers_are_refused_with_what_to_do() -> None:
    grids = lattice(2, 2)
    weights, values = contiguity_weights(grids), pd.Series([1.0, 2, 3, 4], index=grids.index)
    with pytest.raises(InputError, match="give a share between 0 and 1"):
        find_hot_spots(values, weights, alpha=5)
    with pytest.raises(InputError, match="give 1 or more"):
        permute_g_star(values, weights, rng=np.random.default_rng(0), permutations=0)
    with pytest.raises(InputError, match="need rng"):
        find_hot_spots(values, weights, permutations=99)
    with pytest.raises(InputError, match="more than 0 metres"):
        distance_weights(grids, -1)
    with pytest.raises(InputError, match="infinite"):
        find_hot_spots(values.replace(4.0, np.inf), weights)
    with pytest.raises(InputError, match="has no shape"):
        contiguity_weights(gpd.GeoDataFrame(geometry=[None], crs="EPSG:4547"))


def test_neighbours_share_a_border_or_a_corner() -> None:
    weights = contiguity_weights(lattice(3, 3))
    assert weights.cards.tolist() == [3, 5, 3, 5, 8, 5, 3, 5, 3]
    near = distance_weights(lattice(3, 3), 100.0)
    assert near.cards.tolist() == [2, 3, 2, 3, 4, 3, 2, 3, 2]


# --- black spots ------------------------------------------------------------------------------


def test_a_place_that_comes_back_stands_out_and_one_burst_does_not() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.uniform(0, 4000, 800), rng.uniform(0, 4000, 800)
    period = rng.integers(0, 12, 800)
    again = np.repeat([1, 2, 3, 7, 8, 11], 4)
    x = np.concatenate([x, rng.normal(1000, 8, 24), rng.normal(3000, 8, 24), [np.nan]])
    y = np.concatenate([y, rng.normal(1000, 8, 24), rng.normal(3000, 8, 24), [1.0]])
    period = np.concatenate([period, again, np.full(24, 5), [1]])
    table = find_black_spots(x, y, period, radius_m=50.0)
    assert len(table) == 1
    spot = table.iloc[0]
    assert np.hypot(spot["x"] - 1000, spot["y"] - 1000) < 15
    assert spot["cases"] >= 24
    assert spot[["periods", "first", "last"]].tolist() >= [6, 1, 11]
    assert spot["longest"] >= 3
    assert spot["p"] < 0.001


def test_noise_has_no_black_spots() -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(20):
        x, y = rng.uniform(0, 3000, (2, 1500))
        found += len(
            find_black_spots(
                x, y, rng.integers(0, 12, 1500), radius_m=60.0, least_cases=2, least_periods=2
            )
        )
    assert found <= 3


def test_no_cases_give_no_black_spots_and_a_radius_is_asked_for() -> None:
    assert len(find_black_spots([], [], [], radius_m=50.0)) == 0
    with pytest.raises(InputError, match="more than 0 metres"):
        find_black_spots([1.0], [1.0], [1], radius_m=0)
    with pytest.raises(InputError, match="equally many"):
        find_black_spots([1.0], [1.0], [1, 2], radius_m=10)


SPOTS_CRS = pyproj.CRS("EPSG:4547")


def spot_cases(rows: list[tuple[float, float, str, str, str]]) -> CaseColumns:
    """`(east, north of 600 km / 3,390 km in metres, local time, class, stage)`."""
    x, y, told, code, stage = zip(*rows, strict=True)
    change = pyproj.Transformer.from_crs(SPOTS_CRS, "EPSG:4326", always_xy=True)
    lon, lat = change.transform(np.array(x) + 600_000, np.array(y) + 3_390_000)
    moments = pd.to_datetime(list(told)).tz_localize("Asia/Shanghai").tz_convert("UTC")
    frame = {"lon": lon, "lat": lat, "reported_at": moments, "class_code": code, "stage": stage}
    return case_columns(pd.DataFrame(frame))


def spot_rows() -> list[tuple[float, float, str, str, str]]:
    """Scattered cases; one place that comes back on six days, one that calls forty times a night.

    March 2026, weeks back from Sunday the 29th: 23.-29., 16.-22., 9.-15., 2.-8.
    """
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0, 3000, (2, 150))
    rows = [(a, b, f"2026-03-{2 + k % 28:02} 10:00", "E0102", "closed")
            for k, (a, b) in enumerate(zip(x, y, strict=True))]  # fmt: skip
    days = ("03", "04", "10", "17", "18", "26")
    rows += [(1000, 1000, f"2026-03-{day} 09:00", "E0304", "handling") for day in days]
    rows += [(1000, 1000, "2026-03-26 09:05", "E0304", "opened")]
    rows += [(2000, 2000, f"2026-03-12 20:{k:02}", "E0304", "closed") for k in range(40)]
    return rows


def test_the_list_of_black_spots_says_where_how_often_and_what_is_open() -> None:
    cases = spot_cases(spot_rows())
    grids = gpd.GeoDataFrame(
        geometry=[shapely.box(600_000, 3_390_000, 603_000, 3_393_000)], index=["g"], crs=SPOTS_CRS
    ).to_crs("EPSG:4326")
    told = {"zone": ZoneInfo("Asia/Shanghai"), "first": date(2026, 3, 2), "last": date(2026, 3, 29)}
    found = list_black_spots(cases, Boundary(grids), SPOTS_CRS, **told)
    # Forty calls of one night are one day.
    assert len(found) == found.attrs["found"] == 1
    spot = found.iloc[0]
    assert (spot["days"], spot["periods"], spot["of_periods"], spot["longest"]) == (6, 4, 4, 4)
    assert (spot["cases"], spot["open"], spot["grid_id"]) == (7, 7, "g")
    assert (spot["first_day"], spot["last_day"]) == (date(2026, 3, 3), date(2026, 3, 26))
    assert spot["classes"] == (("E0304", 7),)
    assert spot["fids"][0] == 157
    assert spot["p"] < 0.01
    other = list_black_spots(cases, Boundary(grids), SPOTS_CRS, **told, classes=("E0102",))
    assert not len(other)
    assert list(other.columns) == list(found.columns)
    # A calm month has none, and the middle is told of an area alone.
    early = told | {"first": date(2026, 2, 1), "last": date(2026, 2, 28)}
    assert not len(list_black_spots(cases, Boundary(grids), SPOTS_CRS, **early))
    nowhere = np.zeros(len(cases), dtype=bool)
    assert not len(list_black_spots(cases, Boundary(grids), SPOTS_CRS, **told, where=nowhere))
    with pytest.raises(InputError, match="swap the dates"):
        list_black_spots(cases, Boundary(grids), SPOTS_CRS, **told | {"last": date(2026, 3, 1)})


def test_a_place_and_class_counts_once_a_slot_of_time() -> None:
    lon = np.array([114.0, 114.0, 114.0, 114.001, np.nan, np.nan])
    lat, code = np.full(6, 30.0), np.array([3, 3, 4, 3, 3, 3], dtype=np.int16)
    slot = np.zeros(6, dtype=int)
    assert is_first_at_place(lon, lat, code, slot).tolist() == [True, False, True, True, True, True]
    assert is_first_at_place(lon, lat, code, np.arange(6)).all()
    none = np.full(6, -1, dtype=np.int16)
    assert is_first_at_place(lon, lat, none, slot).tolist() == [
        True,
        False,
        False,
        True,
        True,
        True,
    ]


def test_calls_about_one_lamp_count_once_a_week() -> None:
    """Grid 0: a lamp called in three times in week 0 and once in week 1, and a case of no class."""
    keys = place_keys(
        np.array([1.0, 1.0, 2.0, 1.0, 1.0, 8.0]), np.ones(6), np.array([4, 4, 4, 4, -1, 4]), 5.0
    )
    assert keys.tolist()[:2] == [keys[2], keys[3]]
    assert keys[4] == -1
    assert keys[5] not in keys[:5]
    day = np.array([0, 1, 6, 7, 3, 3])
    plain = count_slices(np.zeros(6, int), day, [0, 7, 14], pd.RangeIndex(1))
    apart = count_slices(np.zeros(6, int), day, [0, 7, 14], pd.RangeIndex(1), once=keys)
    assert (plain.to_numpy().tolist(), apart.to_numpy().tolist()) == ([[5, 1]], [[3, 1]])


# --- real cities -------------------------------------------------------------------------------


@pytest.mark.real_data
def test_animals_of_new_york_by_tract_and_week(shared_data: Path) -> None:
    tracts = to_metric(gpd.read_file(shared_data / "us_nyc_tracts_pop" / "nyc_tracts.geojson"))
    told = pd.read_csv(shared_data / "inc_nyc_311" / "nyc311_animals_2025.csv", low_memory=False)
    told.columns = [name.lower().replace(" ", "_") for name in told.columns]
    points = gpd.GeoDataFrame(
        told, geometry=gpd.points_from_xy(told["longitude"], told["latitude"]), crs="EPSG:4326"
    ).to_crs(tracts.crs)
    joined = points[~points.geometry.is_empty].sjoin(tracts[["geometry"]], how="inner")
    when = pd.to_datetime(joined["created_date"])
    days = ((when - pd.Timestamp("2025-01-01")) // pd.Timedelta(days=1)).to_numpy()
    counts = count_slices(
        joined["index_right"].to_numpy(), days, list(range(0, 71, 7)), tracts.index
    )
    assert counts.to_numpy().sum() == ((days >= 0) & (days < 70)).sum() > 4000
    table = find_emerging(counts, contiguity_weights(tracts))
    kinds = table["kind"].value_counts()
    assert kinds.drop("").sum() > 20
    hot = table[table["hot"] > 0]
    assert counts.loc[hot.index].to_numpy().mean() > 2 * counts.to_numpy().mean()
