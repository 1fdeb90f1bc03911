"""Torn covers are whole after a repair: no overlap, no crack inside, no seam open to the outside.

What is checked is found without `geo.seams`: the ground of the cover before it was torn, less what
tearing moved along its edge, has to be filled; and `shapely.coverage_is_valid` has to hold.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geo.datum import to_metric
from geo.seams import repair_cover

CRS = "EPSG:4547"
SNAP_M = 1.0
SNAPPED_M = 0.01


def cells(random: np.random.Generator, kind: str) -> np.ndarray:
    """Boxes or Voronoi cells over some ground, turned by any angle, at coordinates of a city."""
    if kind == "boxes":
        columns, rows = random.integers(1, 6, 2)
        x = np.cumsum(random.uniform(40, 150, columns + 1))
        y = np.cumsum(random.uniform(40, 150, rows + 1))
        found = np.array(
            [
                shapely.box(x[i], y[j], x[i + 1], y[j + 1])
                for i in range(columns)
                for j in range(rows)
            ]
        )
    else:
        places = shapely.MultiPoint(random.uniform(0, 1000, (int(random.integers(2, 25)), 2)))
        whole = shapely.box(0, 0, 1000, 1000)
        found = shapely.intersection(shapely.get_parts(shapely.voronoi_polygons(places)), whole)
    angle = random.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corner = np.array([5e5, 3.4e6]) + random.uniform(0, 1e4, 2)
    return shapely.transform(found, lambda xy: xy @ turn + corner)


def torn(cover: np.ndarray, random: np.random.Generator, how: str, size_m: float) -> np.ndarray:
    """The cover with every vertex of each polygon moved, or one polygon, vertex or edge of one."""
    out = np.array(cover, dtype=object)
    one = int(random.integers(len(out)))
    for k in range(len(out)) if how == "all" else [one]:
        xy = shapely.get_coordinates(out[k])[:-1]
        by = random.uniform(-size_m, size_m, xy.shape if how == "all" else 2)
        first = int(random.integers(len(xy)))
        rows = {
            "all": slice(None),
            "polygon": slice(None),
            "vertex": [first],
            "edge": [first, (first + 1) % len(xy)],
        }[how]
        xy[rows] += by
        out[k] = shapely.make_valid(shapely.Polygon(xy))
    return out


def require_whole(before: np.ndarray, after: np.ndarray, size_m: float) -> None:
    """No overlap, crack or open seam, and no ground wider than the width changed hands."""
    assert shapely.coverage_is_valid(after)
    union = shapely.union_all(after)
    assert shapely.area(after).sum() == pytest.approx(union.area, abs=1e-2)
    assert sum(len(part.interiors) for part in shapely.get_parts(union)) == 0
    # Where a seam meets the outside, its mouth may stay open as far as the two sides were moved.
    inside = shapely.buffer(shapely.union_all(before), -3 * size_m - 10 * SNAPPED_M)
    assert shapely.difference(inside, union).area < 1e-2


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["boxes", "cells"]),
    how=st.sampled_from(["all", "polygon", "vertex", "edge"]),
    size_m=st.sampled_from([1e-6, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.3]),
    degrees=st.booleans(),
)
@example(29, "cells", "all", 0.1, False)
@example(143, "cells", "polygon", 0.2, False)
def test_a_torn_cover_of_any_city_is_whole_after_a_repair(seed, kind, how, size_m, degrees):
    random = np.random.default_rng(seed)
    cover = cells(random, kind)
    broken = torn(cover, random, how, size_m)
    frame = gpd.GeoDataFrame(geometry=broken, crs=CRS)
    repaired, _ = repair_cover(frame.to_crs(4326) if degrees else frame, snap_m=SNAP_M)
    assert shapely.coverage_is_valid(repaired.geometry.to_numpy())
    require_whole(cover, repaired.to_crs(CRS).geometry.to_numpy(), size_m)
    moved = shapely.symmetric_difference(broken, repaired.to_crs(CRS).geometry.to_numpy())
    assert shapely.is_empty(shapely.buffer(moved, -(SNAP_M + 3 * SNAPPED_M) / 2)).all()


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("off_degrees", [5e-7, 1e-6, 5e-6])
def test_a_block_drawn_some_centimetres_off_is_joined_to_its_neighbour(rows, off_degrees):
    """Boxes of a thousandth of a degree; the western edge of one lies 5, 10 or 50 cm too far east.

    A buffer of a micrometre came out empty in coordinates of millions of metres, so the seam was
    taken for nobody's.
    """
    west, south, step = 111.3, 30.7, 0.001
    shapes = [
        shapely.box(
            west + step * column + (off_degrees if (column, row) == (5, 0) else 0),
            south + step * row,
            west + step * (column + 1),
            south + step * (row + 1),
        )
        for row in range(rows)
        for column in (4, 5)
    ]
    repaired, _ = repair_cover(gpd.GeoDataFrame(geometry=shapes, crs=4326), snap_m=SNAP_M)
    after = to_metric(repaired).geometry.to_numpy()
    assert shapely.coverage_is_valid(after)
    # A seam that is open to the outside leaves two parts, or a border as long as two boxes.
    union = shapely.union_all(after)
    assert union.geom_type == "Polygon"
    assert len(union.interiors) == 0
    assert union.length == pytest.approx(shapely.minimum_rotated_rectangle(union).length, rel=1e-3)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "layer"),
    [
        ("us_nyc_tracts_pop/nyc_tracts.geojson", None),
        ("us_chicago_precincts_hh/Chicago_Precincts.zip", None),
        ("tw_taichung_villages/villages.geojson", None),
        ("st_bubenec/bubenec.gpkg", "plots"),
    ],
    ids=["New York", "Chicago", "Taichung", "Bubenec"],
)
def test_a_real_border_moved_on_one_side_in_a_geopackage_is_whole_after_a_repair(
    shared_data: Path, tmp_path: Path, file: str, layer: str | None
) -> None:
    """A vertex of one polygon dragged 20 cm without its neighbours', as QGIS does by default."""
    drawn = gpd.read_file(shared_data / file, **({"layer": layer} if layer else {}))
    middle = drawn.geometry.iloc[len(drawn) // 2].representative_point()
    order = np.argsort(shapely.distance(drawn.geometry.to_numpy(), middle))[:150]
    some = to_metric(drawn.iloc[order][[drawn.geometry.name]].reset_index(drop=True))
    sound = repair_cover(some, snap_m=0.5)[0].geometry.to_numpy()
    at, row = _inner_vertex(sound)
    dragged = sound.copy()
    dragged[row] = shapely.transform(
        sound[row],
        lambda places: np.where((places == at).all(axis=1)[:, None], places + 0.14, places),
    )
    assert not shapely.coverage_is_valid(dragged, gap_width=0.5)
    path = tmp_path / "dragged.gpkg"
    gpd.GeoDataFrame(geometry=dragged, crs=some.crs).to_crs(4326).to_file(path, driver="GPKG")
    repaired, _ = repair_cover(gpd.read_file(path), snap_m=0.5)
    after = repaired.to_crs(some.crs).geometry.to_numpy()
    assert shapely.coverage_is_valid(repaired.geometry.to_numpy())
    assert shapely.coverage_is_valid(after)
    assert shapely.area(after).sum() == pytest.approx(shapely.union_all(after).area, rel=1e-9)
    moved = shapely.area(shapely.symmetric_difference(sound, after))
    assert moved.max() < 0.2 * shapely.length(sound[row])


def _inner_vertex(cover: np.ndarray) -> tuple[np.ndarray, int]:
    """A vertex that three polygons share, nearest to the first one, and a polygon that has it."""
    rings = shapely.get_parts(cover)
    own = [np.unique(shapely.get_coordinates(ring), axis=0) for ring in rings]
    places, number = np.unique(np.concatenate(own), axis=0, return_counts=True)
    places = places[number >= 3]
    middle = shapely.get_coordinates(shapely.centroid(cover[0]))[0]
    at = places[np.argmin(np.hypot(*(places - middle).T))]
    rows = [
        k for k, shape in enumerate(cover) if (shapely.get_coordinates(shape) == at).all(1).any()
    ]
    return at, rows[0]
