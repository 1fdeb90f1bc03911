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

Rows = npt.NDArray[np.intp]

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


def share_households(
    hexagons: gpd.GeoDataFrame, grids: gpd.GeoDataFrame, households: npt.ArrayLike
) -> pd.Series:
    """Estimate the households of hexagons: of each grid's the share of its area that lies in one.

    Areal interpolation (Goodchild & Lam 1980): homes are taken to be spread evenly over a grid,
    which they are not, so what comes of it is an estimate and is to be marked as such.

    Parameters
    ----------
    hexagons, grids
        In any CRS.
    households
        Of each grid, NaN where not known; such a grid gives nothing.

    Returns
    -------
    Series
        By hexagon, missing where no grid tells; in sum those of all grids that hexagons cover.
    """
    homes = np.asarray(households, dtype=np.float64)
    if len(homes) != len(grids):
        raise InputError(f"households has {len(homes)} numbers for {len(grids)} grids")
    one, two, pieces, whole = _pieces(hexagons, grids)
    told = np.isfinite(homes[two]) & (whole[two] > 0)
    part = homes[two[told]] * pieces[told] / whole[two[told]]
    total = np.bincount(one[told], weights=part, minlength=len(hexagons))
    count = np.bincount(one[told], minlength=len(hexagons))
    return pd.Series(np.where(count > 0, total, np.nan), index=hexagons.index, name="households")


def _covered_km2(hexagons: gpd.GeoDataFrame, grids: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    one, _, pieces, _ = _pieces(hexagons, grids)
    return np.bincount(one, weights=pieces, minlength=len(hexagons)) / 1e6


def _pieces(
    hexagons: gpd.GeoDataFrame, grids: gpd.GeoDataFrame
) -> tuple[Rows, Rows, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where a hexagon and a grid overlap: rows of both, and square metres; those of each grid."""
    if not len(hexagons):
        none = np.empty(0, dtype=np.intp)
        return none, none, np.empty(0), np.zeros(len(grids))
    crs = to_metric(hexagons).crs
    shapes = hexagons.to_crs(crs).geometry.to_numpy()
    ground = np.array(grids.to_crs(crs).geometry.array, dtype=object)
    one, two = shapely.STRtree(ground).query(shapes, predicate="intersects")
    pieces = shapely.area(shapely.intersection(shapes[one], ground[two]))
    return one, two, pieces, shapely.area(ground)
