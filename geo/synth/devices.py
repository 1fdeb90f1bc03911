"""One phone for each worker of an invented city, with the worker's own id and no token.

The setting `ingest_open` of an invented city lets them in. They are given out with the grids, so
that a phone may send what lies before the moment at which the city was built.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from geo.synth._frames import make_frame

GIVEN_OUT_DAYS = 400
"""So many days before the city is looked at; the grids came into force then, too."""


def hand_out(workers: pd.DataFrame, *, at: datetime) -> pd.DataFrame:
    """The table `devices` of a city, indexed by `device_id`.

    `workers` is indexed by `worker_id`; `at` is the moment at which the city is looked at.
    """
    ids = [str(label) for label in workers.index]
    begun = pd.Timestamp(at).tz_convert("UTC").floor("s") - timedelta(days=GIVEN_OUT_DAYS)
    table: pd.DataFrame = make_frame(
        "devices", {"device_id": ids, "worker_id": ids, "valid_from": [begun] * len(ids)}
    )
    return table.astype({"valid_from": "datetime64[us, UTC]"})
