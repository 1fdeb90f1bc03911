"""Where the card takes its answers from: the indexes and the book that the store keeps fresh."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from dashboards.store import Store
from geo.deadlines import ClockReading, read_clock
from geo.incidents import Case, Move, allowed_moves, fold
from geo.live import LiveIndex, live_workers
from geo.nearby import TABLES_NEARBY, Around, NearbyIndex
from geo.responsibility import ChainIndex


@dataclass(frozen=True)
class CaseFile:
    row: dict[str, Any]
    case: Case
    clock: ClockReading

    @property
    def place(self) -> tuple[float | None, float | None]:
        lon, lat = self.row.get("lon"), self.row.get("lat")
        if lon is None or lat is None or not np.isfinite(lon) or not np.isfinite(lat):
            return None, None
        return float(lon), float(lat)

    def allowed(self, role: str, at: datetime) -> tuple[Move, ...]:
        return allowed_moves(self.case, role, at=at)


@dataclass(frozen=True)
class Sources:
    store: Store
    nearby: NearbyIndex
    chains: ChainIndex
    workers: LiveIndex
    people: pd.DataFrame

    def read_case(self, incident_id: str, *, at: datetime) -> CaseFile | None:
        ws = self.store.workspace
        t, log = ws.table("incidents"), ws.table("incident_log")
        with ws.reading() as conn:
            row = (
                conn.execute(
                    sa.select(*(c for c in t.c if c.name != "geom")).where(
                        t.c.incident_id == incident_id
                    )
                )
                .mappings()
                .first()
            )
            rows = (
                conn.execute(
                    sa.select(log).where(log.c.incident_id == incident_id).order_by(log.c.seq)
                )
                .mappings()
                .all()
            )
        if row is None:
            return None
        frame = pd.DataFrame([dict(r) for r in rows])
        if len(frame):
            frame["move"] = [m or "recorded" for m in frame["move"]]
            case = fold(frame)
        else:
            case = fold(
                pd.DataFrame(
                    [
                        {
                            "incident_id": incident_id,
                            "seq": 1,
                            "at": pd.Timestamp(row["reported_at"]).tz_convert("UTC"),
                            "stage": row["stage"],
                        }
                    ]
                )
            )
        clock = read_clock(row["deadline"], at=at, closed_at=row["closed_at"])
        return CaseFile(dict(row), case, clock)

    def similar(
        self, case: CaseFile | None, around: Around | None, *, at: datetime
    ) -> pd.DataFrame:
        return pd.DataFrame()

    def flare_up(
        self, case: CaseFile | None, around: Around | None, *, at: datetime
    ) -> tuple[int, datetime] | None:
        return None


_MADE: dict[int, Sources] = {}


def sources_of(store: Store) -> Sources:
    key = id(store)
    if key not in _MADE:
        ws = store.workspace
        tables = {name: ws.read(name) for name in TABLES_NEARBY}
        grids = ws.grids()
        chains = ChainIndex(
            ws.read("duties"),
            ws.read("workers"),
            ws.read("divisions"),
            ws.read("grids"),
            ws.read("departments"),
        )
        fixes = ws.read_fixes(since=store.clock() - timedelta(hours=store.settings.position_hours))
        _MADE[key] = Sources(
            store, NearbyIndex(grids, **tables), chains, live_workers(fixes), ws.read("workers")
        )
    return _MADE[key]
