"""What the caller of an import asked for, and which kinds are points or polygons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from geo.io import times

POINT_KINDS = ("assets", "cameras", "places", "incidents")
AREA_KINDS = ("divisions", "blocks", "buildings", "areas", "zones")


@dataclass(frozen=True)
class Wishes:
    """What the caller asked of an import; see `geo.io.gate.import_files`."""

    kind: str
    at: datetime
    source_crs: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    set_values: Mapping[str, str] = field(default_factory=dict)
    make_ids: str | None = None
    allow_gaps: bool = False
    snap_m: float = 1.0
    timezone: str = "Asia/Shanghai"
    date_order: times.Order | None = None
    update: bool = False
    new_version: bool = False
    layer: str | None = None
    encoding: str | None = None
    dry_run: bool = False
