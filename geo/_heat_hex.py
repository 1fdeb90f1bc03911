"""Hexagons of H3 over a city, as polygons that share their corners to the last digit.

So each point is in exactly one of them, by the rule of `geo.locate`, which is the one H3 names but
for points on a line. Public names are handed on by `geo.heat`.
"""

from __future__ import annotations

import geopandas as gpd
import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.datum import to_metric
from geo.errors import InputError
from geo.schema import STORAGE_CRS

RESOLUTIONS = range(5, 12)
MOST_HEXAGONS = 20_000
"""More are neither seen on a screen nor sent to one; our assumption."""


def hexagon_size(resolution: int) -> float:
    """Average area of a hexagon, km²."""
    return float(h3.average_hexagon_area(resolution, unit="km^2"))


def find_hexagons(grids: gpd.GeoDataFrame, resolution: int) -> gpd.GeoDataFrame:
    """Find the hexagons that cover the grids.

    Parameters
    ----------
    grids
        In any CRS.
    resolution
        Of H3: 8 has 0.74 km², 9 has 0.11 km².

    Returns
    -------
    GeoDataFrame
        Indexed by the id of H3, in EPSG:4326, in the order of the ids; `area_km2` is how much of
        each the grids cover.

    Raises
    ------
    InputError
        If the resolution is not from 5 to 11, or too fine for so large a city.
    """
    if resolution not in RESOLUTIONS:
        raise InputError(f"resolution is {resolution}: use 5 to 11")
    shape = grids.to_crs(STORAGE_CRS).geometry
    cells: set[str] = set()
    for part in shapely.get_parts(np.array(shape.array, dtype=object)):
        if part.is_empty:
            continue
        outline = [(y, x) for x, y in part.exterior.coords]
        outer = h3.LatLngPoly(outline)
        cells |= set(h3.h3shape_to_cells_experimental(outer, resolution, "overlap"))
        if len(cells) > MOST_HEXAGONS:
            raise InputError(
                f"resolution is {resolution}, more than {MOST_HEXAGONS:,} hexagons: use"
                f" {resolution - 1} or less"
            )
    ids = sorted(cells)
    corners: dict[str, tuple[float, float]] = {}
    polygons = []
    for cell in ids:
        ring = []
        for vertex in h3.cell_to_vertexes(cell):
            if vertex not in corners:
                lat, lon = h3.vertex_to_latlng(vertex)
                corners[vertex] = (lon, lat)
            ring.append(corners[vertex])
        polygons.append(shapely.Polygon(ring))
    found = gpd.GeoDataFrame(
        geometry=polygons, index=pd.Index(ids, name="hexagon", dtype=object), crs=STORAGE_CRS
    )
    return found.assign(area_km2=_covered_km2(found, grids))


def _covered_km2(hexagons: gpd.GeoDataFrame, grids: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    if not len(hexagons):
        return np.empty(0)
    crs = to_metric(hexagons).crs
    shapes = hexagons.to_crs(crs).geometry.to_numpy()
    ground = np.array(grids.to_crs(crs).geometry.array, dtype=object)
    one, two = shapely.STRtree(ground).query(shapes, predicate="intersects")
    pieces = shapely.area(shapely.intersection(shapes[one], ground[two]))
    return np.bincount(one, weights=pieces, minlength=len(shapes)) / 1e6
