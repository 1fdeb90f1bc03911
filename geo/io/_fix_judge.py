"""What becomes of a reading: stored, or not and why. Pure but for the devices it is told.

The words of `REASONS` are all that `ingest_counts` ever holds. Only the last check is about duty:
what lies outside the hours is not stored, whoever sent it. A call for help goes out in any case
once the device is known; a place or time that cannot be is left out of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from geo._shifts import bd09_to_wgs84, gcj02_to_wgs84
from geo._watch_alarms import alarm_id
from geo.datum import datum_name
from geo.errors import CrsError
from geo.io.devices import KnownDevices
from geo.io.gpkg import to_time_text
from geo.protocols import Reading, is_sos

REASONS = {
    "accepted": "stored",
    "duplicate": "worker and time are stored already",
    "off_duty": "outside the duty hours: not stored",
    "ping": "without a place: a sign of life",
    "empty": "a body of no length",
    "encrypted": "OwnTracks with a secret key, which we do not have",
    "other_message": "OwnTracks, but no location",
    "malformed": "cannot be understood",
    "too_large": "larger than the route takes",
    "unknown_device": "no such device",
    "wrong_token": "the token is missing or not the device's",
    "ended_device": "the device was not the worker's at that time",
    "not_finite": "latitude or longitude is no finite number",
    "out_of_range": "latitude or longitude is on no globe",
    "null_island": "within 100 m of 0, 0: what a phone without a fix sends",
    "unknown_crs": "a crs other than wgs84, cgcs2000, gcj02, bd09",
    "future": "later than the server's clock by more than the tolerance",
    "too_old": "older than positions are kept",
}
"""What may become of a reading, and what it means."""

FINE = frozenset(
    {"accepted", "duplicate", "off_duty", "ping", "empty", "encrypted", "other_message"}
)
"""Nothing that anyone has to mend."""

FUTURE_S = 600.0
"""So far ahead of the server a phone's clock may go: our assumption. Phones set theirs by GPS or
network to within seconds; ten minutes leave room for a server whose own clock is off."""

OLDEST_DAYS = 3650
"""What is older is refused even where positions are kept for good. A receiver that has missed a
rollover of the GPS week number is 1,024 weeks (7,168 days) behind."""

NULL_ISLAND_DEG = 0.0009
"""About 100 m at the equator."""


@dataclass(frozen=True)
class FixRules:
    """What the city decides about positions that come in.

    `duty` is begin and end in the city's zone; an end before the begin lies on the next day, equal
    ones mean the whole day, None stores at any hour. `keep_days` 0 keeps for good.
    """

    zone: tzinfo
    duty: tuple[time, time] | None = None
    is_open: bool = False
    keep_days: int = 0
    speed_unit: str = "knots"

    def is_on_duty(self, moment: datetime) -> bool:
        """Whether a moment lies in the duty hours; the begin belongs to them, the end does not."""
        if self.duty is None:
            return True
        begin, end = self.duty
        clock = moment.astimezone(self.zone).time()
        if begin < end:
            return begin <= clock < end
        return clock >= begin or clock < end


class Verdict(NamedTuple):
    """What becomes of one reading."""

    source: str
    reason: str
    """`accepted` until the table says that it is a duplicate."""
    row: tuple[object, ...] | None = None
    """Columns of `fixes` in the order of `geo.schema`."""
    day: str = ""
    """Day of the fix in the city's zone."""
    alarm: tuple[object, ...] | None = None
    """Columns of `patrol_alarms` as in `ALARM_COLUMNS`."""


ALARM_COLUMNS = ("alarm_id", "kind", "worker_id", "began_at", "fired_at", "lon", "lat", "detail")
CALL = (
    f"INSERT INTO patrol_alarms ({', '.join(ALARM_COLUMNS)})"
    f" SELECT {', '.join(f'?{k}' for k in range(1, len(ALARM_COLUMNS) + 1))}"
    " WHERE NOT EXISTS (SELECT 1 FROM patrol_alarms WHERE kind = 'sos' AND worker_id = ?3"
    " AND ended_at IS NULL AND abs(julianday(began_at) - julianday(?4)) * 1440 < 10)"
    " ON CONFLICT (alarm_id) DO NOTHING"
)
"""Enters a call for help, unless the same worker's call of within ten minutes is still open: a
phone that repeats its alarm with each position calls once."""


def judge_all(
    readings: Sequence[Reading], devices: KnownDevices, rules: FixRules, now: datetime
) -> list[Verdict]:
    """The verdict on each reading, in order."""
    return [judge(reading, devices, rules, now) for reading in to_wgs84(readings)]


def judge(reading: Reading, devices: KnownDevices, rules: FixRules, now: datetime) -> Verdict:
    """What becomes of one reading in WGS-84."""
    device = devices.find(reading.device_id, *reading.aliases)
    if device is None:
        return Verdict(reading.source, "unknown_device")
    if not rules.is_open and not device.knows(reading.token):
        return Verdict(reading.source, "wrong_token")
    bad_time, bad_place = _find_bad_time(reading.time, rules, now), _find_bad_place(reading)
    reason = bad_time or bad_place
    if not reason and not device.carries(reading.time):
        reason = "ended_device"
    if not reason and not rules.is_on_duty(reading.time):
        reason = "off_duty"
    alarm = None
    # Whoever carried it then, or carries it now where the phone's clock cannot be.
    is_theirs = device.carries(now if bad_time else reading.time)
    if reading.alarm and is_sos(reading.alarm) and is_theirs:
        alarm = _call_for_help(reading, device.worker_id, now, bad_time, bad_place)
    if reason:
        return Verdict(reading.source, reason, alarm=alarm)
    row = (
        device.worker_id, to_time_text(reading.time), reading.lon, reading.lat,
        reading.accuracy_m, reading.speed_kmh, reading.mock, reading.source,
    )  # fmt: skip
    day = reading.time.astimezone(rules.zone).date().isoformat()
    return Verdict(reading.source, "accepted", row, day, alarm)


def _find_bad_time(moment: datetime, rules: FixRules, now: datetime) -> str:
    if moment > now + timedelta(seconds=FUTURE_S):
        return "future"
    return "too_old" if moment < now - timedelta(days=rules.keep_days or OLDEST_DAYS) else ""


def _find_bad_place(reading: Reading) -> str:
    lon, lat = reading.lon, reading.lat
    if lon is None or lat is None:
        return "ping"
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return "not_finite"
    if abs(lon) > 180 or abs(lat) > 90:
        return "out_of_range"
    if abs(lon) < NULL_ISLAND_DEG and abs(lat) < NULL_ISLAND_DEG:
        return "null_island"
    return "" if reading.crs == "wgs84" else "unknown_crs"


def _call_for_help(
    reading: Reading, worker_id: str, now: datetime, bad_time: str, bad_place: str
) -> tuple[object, ...]:
    """The row of `patrol_alarms`; a reading that is sent again has the same id."""
    began = now if bad_time else reading.time
    lon, lat = (None, None) if bad_place else (reading.lon, reading.lat)
    detail = {"source": reading.source, "accuracy_m": reading.accuracy_m, "mock": reading.mock}
    return (
        alarm_id("sos", worker_id, reading.time), "sos", worker_id, to_time_text(began),
        to_time_text(now), lon, lat, json.dumps(detail),
    )  # fmt: skip


def to_wgs84(readings: Sequence[Reading]) -> list[Reading]:
    """The readings with GCJ-02 and BD-09 shifted back; an unknown crs keeps its name."""
    found = list(readings)
    for name, shift in (("gcj02", gcj02_to_wgs84), ("bd09", bd09_to_wgs84)):
        rows = [
            k
            for k, reading in enumerate(found)
            if reading.crs != "wgs84" and _datum(reading.crs) == name and not _find_far(reading)
        ]
        if rows:
            lon, lat = shift(
                np.array([found[k].lon for k in rows], dtype=np.float64),
                np.array([found[k].lat for k in rows], dtype=np.float64),
            )
            for k, x, y in zip(rows, lon.tolist(), lat.tolist(), strict=True):
                found[k] = found[k]._replace(lon=x, lat=y, crs="wgs84")
    for k, reading in enumerate(found):
        if reading.crs != "wgs84" and (_find_far(reading) or _datum(reading.crs) == "wgs84"):
            found[k] = reading._replace(crs="wgs84")
    return found


def _find_far(reading: Reading) -> str:
    """What is wrong with a place in any crs of degrees."""
    return _find_bad_place(reading._replace(crs="wgs84"))


@lru_cache(maxsize=256)
def _datum(crs: str) -> str:
    """`wgs84`, `gcj02` or `bd09`; empty for any other, also for one that PROJ would know."""
    if len(crs) > 16:
        return ""
    try:
        name = datum_name(crs)
    except CrsError:
        return ""
    return name if name in ("wgs84", "gcj02", "bd09") else ""
