"""Covers and points for the benchmark of `geo.locate`: a worst case, drawn from a seed.

Grids are the cells of scattered seeds with borders that wiggle, as borders along streets do.
Points are shuffled; nearly half of them follow the borders, because streets are where workers walk.
"""

from __future__ import annotations

import numpy as np
import shapely
from geopandas import GeoDataFrame
from scipy.spatial import cKDTree

SIDE_M = 30_000.0
STEP_M = 2.0**-9
"""Vertices are whole multiples of this, so the middle of an edge is exactly on it."""


def make_grids(n: int, seed: int, *, wiggles: int = 4) -> GeoDataFrame:
    """Draw `n` grids over 30 x 30 km whose shared borders have the same vertices.

    Parameters
    ----------
    wiggles
        How often each straight border is halved and its middle moved aside; 4 gives 16 edges.
    """
    random = np.random.default_rng(seed)
    seeds = _scatter(n, random)
    cells = shapely.voronoi_polygons(
        shapely.MultiPoint(seeds), extend_to=shapely.box(0, 0, SIDE_M, SIDE_M)
    )
    cells = shapely.intersection(shapely.get_parts(cells), shapely.box(0, 0, SIDE_M, SIDE_M))
    lines = _unique_borders(cells)
    sideways = np.full(len(lines), 0.10)
    while True:
        paths = [
            shapely.linestrings(_wiggle(line, wiggles, aside, np.random.default_rng([seed, i])))
            for i, (line, aside) in enumerate(zip(lines, sideways, strict=True))
        ]
        shapes = shapely.get_parts(shapely.polygonize(paths))
        wrong = shapely.coverage_invalid_edges(shapes)
        wrong = wrong[~shapely.is_empty(wrong)]
        if len(wrong) == 0:
            break
        # Where wiggles met, draw the borders straight.
        path, _ = shapely.STRtree(wrong).query(paths, predicate="intersects")
        sideways[path] = 0.0
    order = random.permutation(len(shapes))
    names = [f"G{i:05d}" for i in range(len(shapes))]
    return GeoDataFrame({"grid_id": names}, geometry=shapes[order], crs="EPSG:4547").set_index(
        "grid_id"
    )


def make_points(grids: GeoDataFrame, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw `n` shuffled points: 45 % walks along borders with 8 m of noise, 15 % hot spots,
    37 % anywhere, 1 % exactly on edges and vertices, 2 % around the city.
    """
    random = np.random.default_rng(seed)
    a, b = _edges(grids)
    share = (np.array([0.45, 0.15, 0.37, 0.01]) * n).astype(int)
    length = np.hypot(*(b - a).T)
    edge = random.choice(len(a), share[0], p=length / length.sum())
    along = random.random((share[0], 1))
    walks = a[edge] + along * (b - a)[edge] + random.normal(0, 8.0, (share[0], 2))
    centres = random.random((40, 2)) * SIDE_M
    hot = centres[random.integers(0, 40, share[1])] + random.normal(0, 150.0, (share[1], 2))
    anywhere = random.random((share[2], 2)) * SIDE_M
    edge = random.integers(0, len(a), share[3])
    planted = np.where((np.arange(share[3]) % 2 == 0)[:, None], (a[edge] + b[edge]) / 2, a[edge])
    around = random.random((n - share.sum(), 2)) * 1.2 * SIDE_M - 0.1 * SIDE_M
    points = np.concatenate([walks, hot, anywhere, planted, around])
    points = points[random.permutation(n)]
    return points[:, 0].copy(), points[:, 1].copy()


def _scatter(n: int, random: np.random.Generator) -> np.ndarray:
    """Scatter `n` seeds about evenly: random ones, moved apart a few times."""
    seeds = random.random((n, 2)) * SIDE_M
    reach = SIDE_M / np.sqrt(n)
    for _ in range(12):
        distance, near = cKDTree(seeds).query(seeds, k=2)
        away = seeds - seeds[near[:, 1]]
        push = np.clip(0.7 * reach - distance[:, 1], 0, None) / 2
        seeds = seeds + away / np.maximum(distance[:, 1:], 1e-9) * push[:, None]
        seeds = np.clip(seeds, 0.2 * reach, SIDE_M - 0.2 * reach)
    return seeds


def _unique_borders(cells: np.ndarray) -> np.ndarray:
    """Return the straight borders between cells, each once, as (n, 2, 2), on the raster."""
    points, of = shapely.get_coordinates(shapely.get_exterior_ring(cells), return_index=True)
    points = np.round(points / STEP_M) * STEP_M
    same = of[1:] == of[:-1]
    a, b = points[:-1][same], points[1:][same]
    swap = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    a, b = np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)
    keep = (a != b).any(axis=1)
    return np.unique(np.stack([a[keep], b[keep]], axis=1), axis=0)


def _wiggle(
    line: np.ndarray, wiggles: int, sideways: float, random: np.random.Generator
) -> np.ndarray:
    """Halve a straight border several times and move each middle aside; the outer ones stay."""
    path = line
    if any(np.all(line[:, axis] == end) for axis in (0, 1) for end in (0.0, SIDE_M)):
        sideways = 0.0
    for _ in range(wiggles):
        step = np.diff(path, axis=0)
        if np.hypot(*step[0]) < 12.0:
            break
        normal = np.stack([-step[:, 1], step[:, 0]], axis=1)
        middle = path[:-1] + step / 2 + normal * random.uniform(-sideways, sideways, (len(step), 1))
        out = np.empty((len(path) + len(middle), 2))
        out[0::2] = path
        out[1::2] = np.round(middle / STEP_M / 2) * STEP_M * 2
        path = out
    return path


def _edges(grids: GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    points, of = shapely.get_coordinates(grids.geometry.exterior.values, return_index=True)
    same = of[1:] == of[:-1]
    return points[:-1][same], points[1:][same]
