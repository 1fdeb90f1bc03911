"""What keeps polygons from being a cover is found, and only what is narrow is repaired."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from geo.datum import metric_crs, to_metric
from geo.errors import CoverError, CrsError
from geo.seams import (
    find_gaps,
    find_overlaps,
    find_slivers,
    find_unmatched,
    repair_cover,
    require_cover,
)

box = shapely.box


def cover_of(**shapes: shapely.Geometry) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=list(shapes.values()), index=list(shapes), crs="EPSG:4547")


def counts(changes) -> dict[str, int]:
    return dict(zip(changes["change"], changes["count"], strict=True))


def area_of(changes, change: str) -> float:
    return float(changes.set_index("change")["area_m2"][change])


# Two or three squares of 100 m beside one another, each wrong in one way.
SEAM = {"A": box(0, 0, 100, 100), "B": box(100.3, 0, 200, 100)}
OVERLAP = {"A": box(0, 0, 100, 100), "B": box(99.7, 0, 200, 100)}
WIDE_OVERLAP = {"A": box(0, 0, 100, 100), "B": box(80, 0, 200, 100)}
ENCLOSED = {
    "A": box(0, 0, 100, 200),
    "B": shapely.Polygon(
        [(100, 0), (200, 0), (200, 200), (100, 200), (100, 150), (100.4, 100), (100, 50)]
    ),
}
LAKE = {"A": box(0, 0, 100, 100) - box(40, 40, 60, 60), "B": box(100, 0, 200, 100)}
TEE = {"A": box(0, 0, 100, 200), "B": box(100, 0, 200, 100), "C": box(100, 100, 200, 200)}
BOWTIE = {
    "A": shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)]),
    "B": box(100, 0, 200, 100),
}


def test_a_sound_cover_has_nothing_wrong_and_stays_the_very_same(four_grids):
    for find in (find_overlaps, find_gaps, find_slivers, find_unmatched):
        assert find(four_grids).empty
    require_cover(four_grids)
    repaired, changes = repair_cover(four_grids, snap_m=0.5)
    assert changes.empty
    assert all(
        a is b for a, b in zip(repaired.geometry.array, four_grids.geometry.array, strict=True)
    )


def test_an_overlap_has_both_ids_its_area_and_its_width():
    found = find_overlaps(cover_of(**OVERLAP))
    assert found["ids"].tolist() == [("A", "B")]
    assert found["area_m2"][0] == pytest.approx(30)
    assert found["width_m"][0] == pytest.approx(0.3, rel=0.03)
    assert found.crs == 4547


def test_a_polygon_inside_another_overlaps_it():
    found = find_overlaps(cover_of(A=box(0, 0, 100, 100), B=box(40, 40, 60, 60)))
    assert found["area_m2"].tolist() == [400]


def test_the_same_polygon_twice_overlaps_itself():
    assert find_overlaps(cover_of(A=box(0, 0, 9, 9), B=box(0, 0, 9, 9)))["area_m2"].tolist() == [81]


def test_a_lake_is_a_gap_and_a_bay_is_none():
    found = find_gaps(cover_of(**LAKE))
    assert found["ids"].tolist() == [("A",)]
    assert found["area_m2"].tolist() == [400]
    bay = cover_of(A=box(0, 0, 100, 100) - box(40, 40, 60, 100), B=box(100, 0, 200, 100))
    assert find_gaps(bay).empty
    require_cover(bay)


def test_an_island_in_a_lake_is_no_part_of_the_gap():
    ring = box(0, 0, 100, 100) - box(20, 20, 80, 80)
    found = find_gaps(cover_of(A=ring, B=box(40, 40, 60, 60)))
    assert found["area_m2"].tolist() == [3600 - 400]
    assert found["ids"].tolist() == [("A", "B")]


def test_a_seam_open_to_the_outside_is_a_sliver():
    found = find_slivers(cover_of(**SEAM))
    assert set(found["ids"][0]) == {"A", "B"}
    assert found["area_m2"][0] == pytest.approx(30)
    assert find_gaps(cover_of(**SEAM)).empty


def test_a_part_thinner_than_a_metre_is_a_sliver_of_its_own():
    thin = shapely.MultiPolygon([box(0, 0, 100, 100), box(150, 0, 150.4, 100)])
    found = find_slivers(cover_of(A=thin))
    assert found["ids"].tolist() == [("A",)]
    assert found["width_m"][0] == pytest.approx(0.4, rel=0.03)
    assert find_slivers(cover_of(A=thin), width_m=0.3).empty


def test_a_t_junction_without_a_vertex_is_unmatched():
    assert "A" in {ids[0] for ids in find_unmatched(cover_of(**TEE))["ids"]}


@pytest.mark.parametrize(
    ("shapes", "kind", "area"),
    [
        (SEAM, "seam_closed", 30),
        (OVERLAP, "overlap_removed", 30),
        (ENCLOSED, "gap_closed", 20),
        (TEE, "borders_matched", 0),
        (BOWTIE, "made_valid", 5000),
    ],
    ids=["open seam", "overlap", "enclosed gap", "T-junction", "bow tie"],
)
def test_what_is_narrow_is_repaired_and_listed(shapes, kind, area):
    cover = cover_of(**shapes)
    with pytest.raises(CoverError):
        require_cover(cover if kind != "seam_closed" else cover_of(A=SEAM["A"], B=BOWTIE["A"]))
    repaired, changes = repair_cover(cover, snap_m=0.5)
    require_cover(repaired)
    assert counts(changes)[kind] == 1
    assert area_of(changes, kind) == pytest.approx(area, abs=0.01)
    assert repaired.index.equals(cover.index)
    assert repaired.crs == cover.crs


def test_a_repaired_seam_lies_on_one_of_the_old_borders():
    repaired, _ = repair_cover(cover_of(**SEAM), snap_m=0.5)
    assert sorted(repaired.geometry.area.round(6)) == [9970, 10030]


@pytest.mark.parametrize("shapes", [WIDE_OVERLAP, LAKE], ids=["overlap of 20 m", "lake"])
def test_what_is_wide_stays_as_it_is(shapes):
    cover = cover_of(**shapes)
    repaired, changes = repair_cover(cover, snap_m=0.5)
    assert changes.empty
    assert repaired.geometry.geom_equals_exact(cover.geometry, 0).all()


def test_a_narrow_overlap_is_repaired_beside_a_wide_one():
    cover = cover_of(
        A=box(0, 0, 100, 100),
        B=box(80, 0, 200, 100),
        C=box(0, 300, 100, 400),
        D=box(99.8, 300, 200, 400),
    )
    repaired, changes = repair_cover(cover, snap_m=0.5)
    assert counts(changes)["overlap_removed"] == 1
    assert find_overlaps(repaired)["ids"].tolist() == [("A", "B")]


def test_a_wide_overlap_is_refused_with_the_place():
    with pytest.raises(
        CoverError, match=r"1 overlaps between polygons: A, B \(2000 m2 at 90.0, 50.0\)"
    ):
        require_cover(cover_of(**WIDE_OVERLAP))


def test_a_lake_is_refused_unless_gaps_are_allowed():
    with pytest.raises(CoverError, match=r"1 gaps between polygons: A .*close them, or allow gaps"):
        require_cover(cover_of(**LAKE))
    require_cover(cover_of(**LAKE), allow_gaps=True)


def test_invalid_and_missing_polygons_are_refused_by_name():
    with pytest.raises(CoverError, match="1 shapes are no valid polygons: A"):
        require_cover(cover_of(**BOWTIE))
    with pytest.raises(CoverError, match="2 shapes are no valid polygons: A, B"):
        require_cover(cover_of(A=None, B=shapely.Point(0, 0), C=box(0, 0, 1, 1)))


def test_unmatched_borders_are_refused_with_what_to_do():
    with pytest.raises(CoverError, match=r"do not match their neighbours': .*call repair_cover"):
        require_cover(cover_of(**TEE))


def test_degrees_are_refused_where_areas_are_measured():
    with pytest.raises(CrsError, match="not metres"):
        find_gaps(cover_of(**SEAM).set_crs(4326, allow_override=True))


def test_missing_shapes_stay_missing_through_a_repair():
    cover = cover_of(A=SEAM["A"], B=SEAM["B"], C=None)
    repaired, changes = repair_cover(cover, snap_m=0.5)
    assert repaired.geometry["C"] is None
    assert counts(changes)["seam_closed"] == 1


def jittered(shapes, size: float, seed: int):
    """Every vertex of every ring moved on its own by up to `size`, rings closed."""
    random = np.random.default_rng(seed)
    xy = shapely.get_coordinates(shapes).reshape(-1, 5, 2)
    xy = xy + random.uniform(-size, size, xy.shape)
    xy[:, 4] = xy[:, 0]
    return shapely.polygons(xy)


@pytest.mark.parametrize("size", [1e-10, 1e-6, 2e-3], ids=["a last bit", "a micrometre", "2 mm"])
def test_near_coincident_vertices_become_one(size):
    squares = [
        box(100 * x, 100 * y, 100 * x + 100, 100 * y + 100) for x in range(5) for y in range(5)
    ]
    cover = gpd.GeoDataFrame(geometry=jittered(np.array(squares), size, 1), crs=4547)
    assert len(find_unmatched(cover)) == 25
    repaired, changes = repair_cover(cover, snap_m=0.5)
    require_cover(repaired)
    vertices = {tuple(p) for p in shapely.get_coordinates(repaired.geometry.array)}
    # Crossings of borders that are torn by more than the snapping distance stay as vertices.
    assert len(vertices) == 36 if size < 1e-3 else 36 <= len(vertices) <= 60
    assert area_of(changes, "borders_matched") < 25 * 400 * 4 * size
    assert shapely.symmetric_difference(cover.geometry.array, repaired.geometry.array)[0].area < 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 0.1, 0.3]))
@example(599, 0.3)  # a long flat notch in the outer border
def test_a_torn_cover_is_whole_after_repair_and_nothing_moved_further_than_the_width(seed, size):
    """Voronoi cells whose vertices are moved one by one: seams, overlaps and gaps at random."""
    random = np.random.default_rng(seed)
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.MultiPoint(random.uniform(0, 1000, (15, 2))))
    )
    cells = shapely.intersection(cells, box(0, 0, 1000, 1000))
    torn = []
    for cell in cells:
        xy = shapely.get_coordinates(cell)
        xy = xy + random.uniform(-size, size, xy.shape)
        xy[-1] = xy[0]
        torn.append(shapely.make_valid(shapely.Polygon(xy)))
    cover = gpd.GeoDataFrame(geometry=torn, crs=4547)
    repaired, _ = repair_cover(cover, snap_m=1.5)
    require_cover(repaired)
    for before, after in zip(cover.geometry, repaired.geometry, strict=True):
        moved = shapely.symmetric_difference(before, after)
        assert shapely.is_empty(shapely.buffer(moved, -(1.5 + 0.02) / 2))
    assert repaired.area.sum() == pytest.approx(repaired.union_all().area, rel=1e-12)


def test_a_cover_in_degrees_is_repaired_in_metres_and_stays_whole_in_degrees():
    """Grids of 0.001 degrees, one moved by 0.2 m and one vertex by the last bit."""
    steps = np.arange(6) * 0.001
    shapes = [
        box(114.3 + x, 30.5 + y, 114.3 + x + 0.001, 30.5 + y + 0.001) for x in steps for y in steps
    ]
    rough = gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4326")
    cover, _ = repair_cover(rough, snap_m=0.01)
    shifted = cover.copy()
    shifted.loc[14, "geometry"] = shapely.affinity.translate(cover.geometry[14], 2e-6, 0)
    shifted.loc[3, "geometry"] = shapely.transform(
        cover.geometry[3], lambda p: p + np.array([0, 1.5e-14])
    )
    repaired, changes = repair_cover(shifted, snap_m=0.5)
    assert shapely.coverage_is_valid(repaired.geometry.array)
    require_cover(to_metric(repaired))
    assert repaired.crs == 4326
    far = [
        k
        for k in range(36)
        if not cover.geometry[k].intersects(cover.geometry[14].union(cover.geometry[3]))
    ]
    assert all(repaired.geometry[k].equals_exact(cover.geometry[k], 0) for k in far)
    assert {"overlap_removed", "borders_matched"} <= set(changes["change"])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "overlaps", "gaps", "lakes"),
    [
        ("us_nyc_tracts_pop/nyc_tracts.geojson", 11, 11, 0),
        ("us_chicago_precincts_hh/Chicago_Precincts.zip", 3, 6, 3),
        ("tw_taichung_villages/villages.geojson", 0, 1, 1),
    ],
    ids=["New York", "Chicago", "Taichung"],
)
def test_real_covers_are_whole_after_a_repair_of_half_a_metre(
    shared_data, file, overlaps, gaps, lakes
):
    layer = gpd.read_file(shared_data / file)
    metric = to_metric(layer) if layer.crs.is_geographic else layer
    assert len(find_overlaps(metric)) == overlaps
    assert len(find_gaps(metric)) == gaps
    repaired, changes = repair_cover(layer, snap_m=0.5)
    require_cover(to_metric(repaired), allow_gaps=True)
    assert shapely.coverage_is_valid(repaired.geometry.array)
    assert len(find_gaps(to_metric(repaired))) == lakes
    assert changes["area_m2"].sum() < 10


def test_vertices_that_differ_in_the_last_bit_of_a_degree_alone_are_made_one():
    """So near that they are one place in metres: nothing is to repair there, but in degrees."""
    found = 0
    for number in range(1, 40):
        y = 30.7 + number * 2e-5
        ring = [(111.301, 30.7), (111.302, 30.7), (111.302, 30.701), (111.301, 30.701)]
        left = [(111.3, 30.7), (111.301, 30.7), (111.301, y), (111.301, 30.701), (111.3, 30.701)]
        shapes = [shapely.Polygon(left), shapely.Polygon([*ring, (111.301, np.nextafter(y, 31))])]
        cover = gpd.GeoDataFrame(geometry=shapes, crs="EPSG:4326")
        metric = cover.to_crs(metric_crs([111.3, 111.302], [30.7, 30.701])).geometry.to_numpy()
        if not shapely.coverage_is_valid(metric):
            continue
        found += 1
        assert not shapely.coverage_is_valid(shapes)
        repaired, _ = repair_cover(cover, snap_m=1.0)
        assert shapely.coverage_is_valid(repaired.geometry.to_numpy())
    assert found
