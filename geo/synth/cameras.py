"""Cameras: the public ones at junctions and along streets, the private ones at gates and shops.

Who owns a camera says which it is: `PUBLIC_OWNERS` are public, all others private.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.synth.assets import (
    Spots,
    find_inside,
    junctions,
    line_up,
    on_land,
    ring_points,
    showcase_shape,
)
from geo.synth.blocks import HALF_WIDTH_M, Ground
from geo.synth.plan import Plan
from geo.synth.presets import Preset, Showcase

Bools = npt.NDArray[np.bool_]

PUBLIC_OWNERS = ("公安局", "城管局", "公安交警")
"""Owners whose cameras are public."""

PRIVATE_OWNERS = ("物业公司", "商户自建", "单位自建", "学校")


def place_cameras(
    rng: np.random.Generator, preset: Preset, ground: Ground, plan: Plan
) -> pd.DataFrame:
    """Cameras with `shape` (metres), `owner`, `bearing_deg`, `angle_deg`, `range_m`, `edge`."""
    public = preset.public_cameras or round(4.5 * preset.grids * max(preset.asset_density, 0.6))
    private = preset.private_cameras or round(4.0 * preset.grids * max(preset.asset_density, 0.6))
    out = pd.concat(
        [
            _pick(rng, ground, _public_spots(rng, ground), public),
            _pick(rng, ground, _private_spots(rng, ground, plan), private),
        ],
        ignore_index=True,
    )
    is_public = np.arange(len(out)) < public
    if preset.showcase is not None:
        out, is_public = _show(rng, preset.showcase, ground, plan, out, is_public)
    n = len(out)
    out["owner"] = np.where(
        is_public,
        rng.choice(PUBLIC_OWNERS, n, p=[0.62, 0.16, 0.22]),
        rng.choice(PRIVATE_OWNERS, n, p=[0.45, 0.35, 0.15, 0.05]),
    )
    dome = rng.random(n) < 0.12
    out["angle_deg"] = np.where(dome, 360.0, np.round(rng.uniform(55, 110, n)))
    out["bearing_deg"] = np.where(dome, 0.0, np.round(out["bearing_deg"] % 360.0, 1) % 360.0)
    out["range_m"] = np.round(np.where(is_public, rng.uniform(50, 120, n), rng.uniform(15, 45, n)))
    # An old inventory does not know where some of its cameras look.
    blind = rng.random(n) < 0.06
    out.loc[blind, ["bearing_deg", "angle_deg", "range_m"]] = np.nan
    return out


def _pick(rng: np.random.Generator, ground: Ground, spots: Spots, count: int) -> pd.DataFrame:
    """So many of the spots that lie in the city."""
    points = shapely.points(np.round(spots.x, 2), np.round(spots.y, 2))
    good = np.flatnonzero(find_inside(ground, points))
    if len(good) < count:
        raise ValueError(f"{len(good)} places for {count} cameras")
    chosen = np.sort(good[_by_need(rng, len(good), count)])
    bearing = np.degrees(np.pi / 2 - spots.heading[chosen])
    return pd.DataFrame(
        {"shape": points[chosen], "edge": spots.edge[chosen], "bearing_deg": bearing}
    )


def _by_need(rng: np.random.Generator, n: int, count: int) -> npt.NDArray[np.int64]:
    """The first places are the most wanted: three of four come from the first half."""
    score = rng.random(n) + 0.5 * np.arange(n) / max(n, 1)
    return np.argsort(score, kind="stable")[:count]


def _public_spots(rng: np.random.Generator, ground: Ground) -> Spots:
    legs = junctions(ground)
    legs = legs[legs["legs"] >= 3].sort_values(["best", "rank", "node", "edge"], kind="stable")
    half = np.array([HALF_WIDTH_M[str(kind)] for kind in ground.edge_class])
    away = legs["away"].to_numpy()
    wide = half[legs["edge"].to_numpy()]
    x = legs["x"].to_numpy() + np.cos(away) * (wide * 0.3 + 7) - np.sin(away) * (wide + 1.0)
    y = legs["y"].to_numpy() + np.sin(away) * (wide * 0.3 + 7) + np.cos(away) * (wide + 1.0)
    edges = on_land(ground)
    more = line_up(rng, ground, edges, spacing_m=70, offset_m=half[edges] + 1.3)
    both = rng.random(len(more.x)) < 0.5
    turned = np.where(both, more.heading, more.heading + np.pi)
    return Spots(
        np.concatenate([x, more.x]),
        np.concatenate([y, more.y]),
        np.concatenate([legs["edge"].to_numpy(), more.edge]),
        np.concatenate([np.ones(len(x), dtype=np.int64), more.side]),
        np.concatenate([away, turned]),
    )


def _private_spots(rng: np.random.Generator, ground: Ground, plan: Plan) -> Spots:
    """At the corners of buildings, looking away from them, and at gates, looking in."""
    shapes = plan.buildings["shape"].to_numpy()
    corner = shapely.get_coordinates(shapes).reshape(len(shapes), 5, 2)[:, :4].reshape(-1, 2)
    middle = np.repeat(shapely.get_coordinates(shapely.centroid(shapes)), 4, axis=0)
    away = np.arctan2(*(corner - middle).T[::-1])
    x, y = corner[:, 0] + 0.4 * np.cos(away), corner[:, 1] + 0.4 * np.sin(away)
    edges = on_land(ground)
    half = np.array([HALF_WIDTH_M[str(kind)] for kind in ground.edge_class[edges]])
    gates = line_up(rng, ground, edges, spacing_m=95, offset_m=half + 5.0)
    inward = gates.heading + np.where(gates.side > 0, np.pi / 2, -np.pi / 2)
    none = np.full(len(x), -1)
    return Spots(
        np.concatenate([gates.x, x]),
        np.concatenate([gates.y, y]),
        np.concatenate([gates.edge, none]),
        np.concatenate([gates.side, np.abs(none)]),
        np.concatenate([inward, away]),
    )


def _show(
    rng: np.random.Generator,
    showcase: Showcase,
    ground: Ground,
    plan: Plan,
    cameras: pd.DataFrame,
    is_public: Bools,
) -> tuple[pd.DataFrame, Bools]:
    """Exactly as many cameras in the shown grid as it is known to have."""
    shape = showcase_shape(ground, plan, showcase)
    keep = ~shapely.dwithin(cameras["shape"].to_numpy(), shape, 0.5)
    new = ring_points("0136", shape, showcase.cameras, 7.5).drop(columns="class_code")
    new["bearing_deg"] = rng.uniform(0, 360, len(new))
    public = np.concatenate([is_public[keep], np.arange(len(new)) % 2 == 0])
    return pd.concat([cameras[keep], new], ignore_index=True), public
