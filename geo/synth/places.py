"""Shops along the streets, and one point for each school, market, office and so on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

from geo.synth.assets import find_inside, line_up, on_land, ring_points, showcase_shape
from geo.synth.blocks import HALF_WIDTH_M, Ground
from geo.synth.names import SHOP_KINDS, SURNAMES
from geo.synth.people import SIDEWALK_M
from geo.synth.plan import Plan
from geo.synth.presets import Preset

SHOP_SHARE = {
    "shops": 0.95, "market": 0.8, "old": 0.42, "slab": 0.3, "tower": 0.32, "office": 0.3,
    "hospital": 0.3, "village": 0.12, "school": 0.1, "industry": 0.05,
}  # fmt: skip
"""Share of the shop fronts along a block of each use that hold a shop."""

FRONT_M = 17.0

KINDS = {
    "school": ("school", ("小学", "中学", "幼儿园", "实验学校")),
    "market": ("market", ("农贸市场", "商贸城", "菜市场")),
    "hospital": ("hospital", ("人民医院", "中医院", "社区卫生服务中心")),
    "office": ("office", ("大厦", "写字楼", "商务中心")),
    "industry": ("factory", ("机械厂", "食品厂", "纺织厂", "物流园")),
    "park": ("park", ("公园", "游园", "植物园")),
    "square": ("square", ("广场",)),
}
"""Kind of place and endings of names for a use of a block."""


def place_places(
    rng: np.random.Generator,
    preset: Preset,
    ground: Ground,
    plan: Plan,
    communities: list[str],
    area_names: dict[int, str],
) -> pd.DataFrame:
    """Places with `kind`, `name`, `shape` (metres), in no order that means anything."""
    shops = _shops(rng, preset, ground, plan)
    rows = []
    for use, (kind, endings) in KINDS.items():
        for number, block in enumerate(np.flatnonzero(plan.uses == use)):
            stem = communities[plan.community[block]].removesuffix("社区").removesuffix("村")
            name = area_names.get(int(block), f"{stem}{endings[number % len(endings)]}")
            rows.append((kind, name, shapely.Point(np.round(ground.middle[block], 2))))
    for number, name in enumerate(communities):
        homes = np.flatnonzero((plan.community == number) & (plan.compound >= 0))
        x, y = ground.middle[homes[len(homes) // 2]]
        rows.append(
            (
                "community_centre",
                f"{name}党群服务中心",
                shapely.Point(round(x + 6, 2), round(y + 6, 2)),
            )
        )
        if number % 2 == 0:
            rows.append(
                ("clinic", f"{name}卫生室", shapely.Point(round(x - 7, 2), round(y + 4, 2)))
            )
        if number % 3 == 0:
            rows.append(
                ("police_station", f"{name}警务室", shapely.Point(round(x + 3, 2), round(y - 8, 2)))
            )
    return pd.concat(
        [shops, pd.DataFrame(rows, columns=["kind", "name", "shape"])], ignore_index=True
    )


def _shops(rng: np.random.Generator, preset: Preset, ground: Ground, plan: Plan) -> pd.DataFrame:
    edges = on_land(ground)
    edges = edges[ground.edge_class[edges] != "path"]
    half = np.array([HALF_WIDTH_M[str(kind)] for kind in ground.edge_class[edges]])
    spots = line_up(
        rng,
        ground,
        edges,
        spacing_m=FRONT_M / preset.asset_density,
        offset_m=half + SIDEWALK_M + 2.5,
    )
    block = np.where(spots.side > 0, ground.left[spots.edge], ground.right[spots.edge])
    share = np.array([SHOP_SHARE.get(str(use), 0.0) for use in plan.uses])
    spots = spots.keep(rng.random(len(block)) < share[block])
    points = shapely.points(np.round(spots.x, 2), np.round(spots.y, 2))
    points = points[find_inside(ground, points)]
    if preset.showcase is not None:
        shape = showcase_shape(ground, plan, preset.showcase)
        points = points[~shapely.dwithin(points, shape, 0.5)]
        own = ring_points("", shape, preset.showcase.shops, 20.0)["shape"].to_numpy()
        points = np.concatenate([points, own])
    n = len(points)
    owner, kind = rng.choice(list(SURNAMES), n), rng.choice(SHOP_KINDS, n)
    mark = rng.choice(["记", "家", "氏", "姐", "哥"], n)
    names = [a + b + c for a, b, c in zip(owner, mark, kind, strict=True)]
    return pd.DataFrame({"kind": "shop", "name": names, "shape": points})
