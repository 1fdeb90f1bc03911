"""An invented city of any size, repeatable: streets, blocks, people, grids, assets, cases, rounds.

    city = build_city("demo", seed=1, at=datetime(2026, 11, 21, 12, tzinfo=UTC))
    city["grids"]

Nothing in it is real: no place, name, code, telephone number or person.
"""

from geo.synth.city import PARTS, City, build_city
from geo.synth.presets import PRESETS, Preset, Showcase

__all__ = ["PARTS", "PRESETS", "City", "Preset", "Showcase", "build_city"]
