"""Heat of real cities: New York, Baltimore, Sacramento."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo.datum import to_metric
from geo.heat import (
    DegreeFinder,
    Finder,
    HeatChoice,
    HeatPoints,
    frame_choices,
    heat_points,
    make_ground,
    rate_by_households,
    smooth_density,
    summarise_heat,
)
from geo.hotspots import contiguity_weights, count_slices, find_emerging, find_hot_spots
from geo.io.case_columns import case_columns, local_days, local_hours
from geo.locate import GridIndex
from geo.seams import repair_cover

pytestmark = pytest.mark.real_data

NEW_YORK = ZoneInfo("America/New_York")


def table_of(told: pd.DataFrame, lon: str, lat: str, when: str, zone: ZoneInfo) -> pd.DataFrame:
    moments = pd.to_datetime(told[when], format="mixed")
    return pd.DataFrame(
        {
            "lon": pd.to_numeric(told[lon], errors="coerce"),
            "lat": pd.to_numeric(told[lat], errors="coerce"),
            "reported_at": moments.dt.tz_localize(
                zone, ambiguous=True, nonexistent="shift_forward"
            ),
        }
    )


def points_of(
    frame: pd.DataFrame, grids: gpd.GeoDataFrame, zone: ZoneInfo, finder: Finder | None = None
) -> HeatPoints:
    index = GridIndex(grids) if finder is None else finder
    cases = case_columns(frame)
    places = gpd.GeoSeries(gpd.points_from_xy(cases.lon, cases.lat), crs="EPSG:4326")
    x, y = np.full(len(cases), np.nan), np.full(len(cases), np.nan)
    moved = places[cases.placed].to_crs(grids.crs)
    x[cases.placed], y[cases.placed] = moved.x, moved.y
    return heat_points(
        x, y, local_days(cases.reported, zone), local_hours(cases.reported, zone),
        cases.class_code, index.assign(x, y),
    )  # fmt: skip


def squares_around(frame: pd.DataFrame, side: float) -> gpd.GeoDataFrame:
    """Squares of a side over the places that most cases have."""
    low, high = frame[["lon", "lat"]].quantile(0.02), frame[["lon", "lat"]].quantile(0.98)
    box = gpd.GeoDataFrame(
        geometry=[shapely.box(low["lon"], low["lat"], high["lon"], high["lat"])], crs="EPSG:4326"
    )
    metres = to_metric(box)
    west, south, east, north = metres.total_bounds
    cells = [
        shapely.box(x, y, x + side, y + side)
        for y in np.arange(south, north, side)
        for x in np.arange(west, east, side)
    ]
    return gpd.GeoDataFrame(geometry=cells, crs=metres.crs)


@pytest.fixture(scope="module")
def tracts(shared_data: Path) -> tuple[gpd.GeoDataFrame, Finder]:
    """Tracts in metres, and where points are in them by degrees, as the gate would have them."""
    file = shared_data / "us_nyc_tracts_pop" / "nyc_tracts.geojson"
    read = gpd.read_file(file).to_crs("EPSG:4326")
    repaired, _ = repair_cover(read, snap_m=1.0)
    metres = to_metric(repaired)
    return metres, DegreeFinder(GridIndex(repaired), metres.crs)


@pytest.mark.parametrize(
    "file", ["nyc311_2019-12.csv", "nyc311_2024-05.csv", "nyc311_animals_2025.csv"]
)
def test_new_york_is_densest_where_people_live_closest(
    shared_data: Path, tracts: tuple[gpd.GeoDataFrame, Finder], file: str
) -> None:
    told = pd.read_csv(shared_data / "inc_nyc_311" / file, low_memory=False)
    told.columns = [name.lower().replace(" ", "_") for name in told.columns]
    frame = table_of(told, "longitude", "latitude", "created_date", NEW_YORK)
    grids, finder = tracts
    points = points_of(frame, grids, NEW_YORK, finder)
    ground = make_ground(grids, bandwidth_m=1000.0, index=finder)
    surface = smooth_density(points, ground)
    assert surface.cases + surface.left_out == len(told)
    assert surface.cases > 0.95 * len(told)
    found = summarise_heat(surface)
    assert 650 < found["area_km2"] < 900
    assert found["peak"]["times"] > 3
    assert found["peak"]["low"] > 2 * found["mean"]
    assert 0 < found["half_share"] < 0.35
    inside = np.nansum(surface.value * ground.inside, dtype=float) * ground.cell_m**2 / 1e6
    assert inside == pytest.approx(surface.cases, rel=0.03)


def test_baltimore_has_each_hour_once_and_few_cases_are_unsure(shared_data: Path) -> None:
    told = pd.read_csv(shared_data / "inc_baltimore_311" / "311_sample.csv")
    frame = table_of(told, "Longitude", "Latitude", "CreatedDate", NEW_YORK)
    # Rows that stand for no place have round degrees.
    frame.loc[frame["lon"].isin([-77.0, -76.0]), ["lon", "lat"]] = np.nan
    grids = squares_around(frame.dropna(), 500.0)
    points = points_of(frame, grids, NEW_YORK)
    ground = make_ground(grids, bandwidth_m=500.0)
    whole = smooth_density(points, ground)
    frames = [smooth_density(points, ground, one) for _, one in frame_choices(HeatChoice(), "hour")]
    assert sum(one.cases for one in frames) == whole.cases
    added = np.nansum([one.value for one in frames], axis=0)
    np.testing.assert_allclose(
        added[ground.inside > 0.9], whole.value[ground.inside > 0.9], rtol=1e-3, atol=1e-3
    )
    busy, quiet = (summarise_heat(frames[hour]) for hour in (10, 3))
    assert busy["cases"] > 2 * quiet["cases"]
    assert quiet["unsure_cases"] > 0.9


def test_five_years_of_baltimore_by_month_have_spots_and_its_shuffled_cases_none(
    shared_data: Path,
) -> None:
    told = pd.read_csv(shared_data / "inc_baltimore_311" / "311_sample.csv")
    frame = table_of(told, "Longitude", "Latitude", "CreatedDate", NEW_YORK)
    frame.loc[frame["lon"].isin([-77.0, -76.0]), ["lon", "lat"]] = np.nan
    grids = squares_around(frame.dropna(), 1000.0)
    points = points_of(frame, grids, NEW_YORK)
    first = int(points.day.min())
    edges = list(range(first, int(points.day.max()) - 30, 30))
    assert len(edges) > 55
    weights = contiguity_weights(grids)
    counts = count_slices(points.grid, points.day, edges, grids.index)
    found = find_emerging(counts, weights)
    assert (found["kind"] != "").sum() > 10
    rng = np.random.default_rng(1)
    placed = np.flatnonzero(points.grid >= 0)
    false_runs = 0
    for _ in range(10):
        rows = points.grid.copy()
        rows[placed] = rng.integers(0, len(grids), len(placed))
        noise = count_slices(rows, points.day, edges, grids.index)
        false_runs += bool((find_emerging(noise, weights)["kind"] != "").any())
    assert false_runs <= 3


def test_sacramento_has_its_centre_hot_by_its_own_grid_squares(shared_data: Path) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    told = pd.read_csv(shared_data / "inc_sacramento_crime" / "SacramentocrimeJanuary2006.csv")
    frame = table_of(told, "longitude", "latitude", "cdatetime", zone)
    grids = squares_around(frame, 600.0)
    points = points_of(frame, grids, zone)
    counts = count_slices(points.grid, points.day, [13_149, 13_180], grids.index)
    assert int(counts.to_numpy().sum()) == int((points.grid >= 0).sum())
    table = find_hot_spots(counts.iloc[:, 0], contiguity_weights(grids))
    hot = grids[table["kind"] == "hot"]
    centre = gpd.GeoSeries([shapely.Point(-121.4944, 38.5816)], crs="EPSG:4326").to_crs(grids.crs)
    assert hot.distance(centre.iloc[0]).min() < 1200
    homes = np.full(len(grids), 400.0)
    rate = rate_by_households(points, make_ground(grids, bandwidth_m=600.0), homes)
    assert rate.mean == pytest.approx(rate.cases / homes.sum() * 1000)
