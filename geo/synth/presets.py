"""Which towns can be invented, and the figures that each must show.

A figure that a preset states (a number of grids, people, cameras …) holds exactly in every city
built from it, whatever the seed. Everything else follows from the seed. The figures are those
that real towns published about their grids; their shape, names and codes are invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Showcase:
    """One grid whose inventory is known to the piece, as counted in a real grid."""

    number: int
    """Sequence number of the grid in the city's first community, from 1."""
    compounds: int
    buildings: int
    households: int
    shops: int
    cameras: int
    assets: tuple[tuple[str, int], ...]
    """Class code (4 digits) and number of pieces."""
    manholes: int


@dataclass(frozen=True)
class Preset:
    """What is asked of an invented city.

    Lengths are metres, areas square metres unless the name says otherwise. `roles` maps a role
    of the field to how many workers have it in the whole city; officials come beside them.
    """

    name: str
    title: str
    """Name of the city or county on screen, in Chinese."""
    lon: float
    lat: float
    province: str
    """First two digits of the division codes (GB/T 2260)."""
    grids: int
    communities: int
    villages: int = 0
    streets: int = 1
    districts: int = 1
    band: tuple[int, int] = (200, 300)
    """Fewest and most households of a base grid."""
    households: int | None = None
    people: int | None = None
    buildings: int | None = None
    compounds: int | None = None
    """Number of compounds in the whole city; without it, one to three in each grid."""
    area_km2: float | None = None
    dedicated_share: float = 0.0
    """Share of the grids that are dedicated (专属网格): parks, markets, schools, hospitals."""
    block_m2: float = 8500.0
    blocks_per_grid: float = 3.4
    sprawl: float = 1.6
    """How much larger a block is at the rim than at the centre, as a factor less one."""
    roles: dict[str, int] = field(default_factory=dict)
    public_cameras: int | None = None
    private_cameras: int | None = None
    incidents_a_day: float = 0.6
    """New incidents a grid and day."""
    fix_days: int = 3
    fix_workers: int = 400
    """At most so many workers carry a phone that reports."""
    fix_interval_s: int = 60
    asset_density: float = 1.0
    showcase: Showcase | None = None
    staff: int | None = None
    """People in the table of workers, officials and all: `grid_worker` is then what the others
    leave of it."""
    flaws: tuple[str, ...] = ()
    """What is wrong with the appointments on purpose, any of `geo.synth.roster.FLAWS`."""


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "demo",
            "清江市",
            111.30,
            30.70,
            "42",
            grids=108,
            communities=12,
            streets=3,
            districts=1,
            dedicated_share=0.06,
            roles={"grid_worker": 108, "grid_head": 108, "police": 24, "assistant": 60},
            flaws=("vacant", "double", "gap"),
            incidents_a_day=1.0,
            fix_days=4,
            fix_interval_s=30,
        ),
        Preset(
            "shuangshan",
            "双山市",
            117.53,
            36.71,
            "37",
            grids=10,
            communities=1,
            people=6_000,
            band=(200, 214),
            roles={"grid_worker": 10, "grid_head": 10, "police": 2},
            incidents_a_day=0.8,
            fix_interval_s=30,
        ),
        Preset(
            "shuanghu",
            "双湖市",
            121.02,
            41.12,
            "21",
            grids=12,
            communities=1,
            band=(220, 320),
            blocks_per_grid=5.0,
            roles={"grid_head": 12, "grid_worker": 12},
            incidents_a_day=0.8,
            fix_interval_s=30,
            showcase=Showcase(
                number=3,
                compounds=3,
                buildings=8,
                households=285,
                shops=65,
                cameras=20,
                assets=(("0301", 1), ("0302", 3), ("0118", 31), ("0117", 22)),
                manholes=18,
            ),
        ),
        Preset(
            "tianjin",
            "津海市",
            117.22,
            39.10,
            "12",
            grids=60,
            communities=6,
            band=(300, 500),
            households=20_700,
            buildings=474,
            compounds=12,
            block_m2=11_000.0,
            roles={"grid_head": 60, "grid_worker": 60, "police": 60},
            incidents_a_day=0.5,
            fix_interval_s=30,
        ),
        Preset(
            "lvyuan",
            "绿园市",
            125.23,
            43.88,
            "22",
            grids=324,
            communities=57,
            villages=24,
            streets=12,
            dedicated_share=0.04,
            sprawl=4.0,
            roles={"grid_head": 324, "police": 108, "assistant": 606},
            public_cameras=3_329,
            private_cameras=8_400,
        ),
        Preset(
            "yichang",
            "彝陵市",
            111.29,
            30.70,
            "42",
            grids=1_110,
            communities=112,
            streets=13,
            districts=2,
            roles={"grid_worker": 1_110},
            fix_days=2,
        ),
        Preset(
            "west-coast",
            "西海岸市",
            120.00,
            35.90,
            "37",
            grids=1_333,
            communities=161,
            streets=14,
            districts=2,
            dedicated_share=0.03,
            staff=5_000,
            roles={"grid_worker": 0, "grid_head": 1_333, "police": 240, "assistant": 227},
            fix_days=2,
        ),
        Preset(
            "chenghua",
            "成华市",
            104.10,
            30.68,
            "51",
            grids=1_500,
            communities=103,
            streets=14,
            people=1_130_000,
            area_km2=108.0,
            band=(200, 400),
            dedicated_share=0.03,
            sprawl=2.5,
            roles={"grid_worker": 1_500, "grid_head": 1_500, "police": 309},
            fix_days=1,
            asset_density=0.6,
        ),
        Preset(
            "yubei",
            "渝北市",
            106.60,
            29.75,
            "50",
            grids=3_311,
            communities=180,
            villages=60,
            streets=22,
            districts=2,
            dedicated_share=0.02,
            sprawl=3.0,
            staff=18_900,
            roles={"grid_worker": 0, "grid_head": 3_311, "police": 500, "assistant": 489},
            incidents_a_day=0.35,
            fix_days=1,
            fix_workers=600,
            asset_density=0.5,
        ),
    )
}
"""The towns by name. `demo` is the default: small, with everything in it."""
