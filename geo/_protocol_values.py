"""Values as phones write them: numbers, times, flags and texts out of queries and JSON.

Each function gives a value or raises `ProtocolError` with a sentence that names the field.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import parse_qsl

from geo.errors import WanggeError

FIRST_MS = 2_147_483_647
"""From this number on a time of OsmAnd is in milliseconds, as Traccar's server reads it."""

BATCH_FIRST_MS = 1e11
"""From here on a number in a batch must be milliseconds: as seconds it is the year 5138."""

MAX_FIELDS = 200
MAX_ID = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)", re.IGNORECASE)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no", ""})


class ProtocolError(WanggeError, ValueError):
    """A request that cannot be understood; `device_id` where it names one all the same."""

    def __init__(self, text: str, device_id: str = "") -> None:
        super().__init__(text)
        self.device_id = device_id


def read_time(text: str, zone: tzinfo) -> datetime:
    """A time as OsmAnd writes it: seconds, milliseconds, ISO 8601, or `yyyy-MM-dd HH:mm:ss`.

    Raises
    ------
    ProtocolError
        If it is none of these.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _moment(float(text), FIRST_MS)
    return _iso_time(text, zone)


def _iso_time(text: str, zone: tzinfo | None) -> datetime:
    if len(text) >= 15:
        try:
            # A space before the zone is a plus that an address has turned into one.
            moment = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text))
            if moment.tzinfo is None:
                if zone is None:
                    raise ProtocolError(
                        f"{_short(text)} has no zone: write it like 2026-11-21T08:00Z"
                    )
                moment = moment.replace(tzinfo=zone)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            if isinstance(error, ProtocolError):
                raise
    raise ProtocolError(f"{_short(text)} is no time")


def json_time(value: Any, first_ms: float, zone: tzinfo | None) -> datetime:
    if isinstance(value, str):
        return _iso_time(value.strip(), zone)
    return _moment(_as_float(value, "time"), first_ms)


def _moment(seconds: float, first_ms: float) -> datetime:
    """Seconds or milliseconds since 1970; what no calendar holds is its first or last moment."""
    if math.isnan(seconds):
        raise ProtocolError("time is not a number")
    if seconds >= first_ms:
        seconds /= 1000
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST if seconds > 0 else _FIRST


def read_fields(text: str) -> dict[str, str]:
    """The first value of each parameter of a query or form."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise ProtocolError(f"more than {MAX_FIELDS} parameters") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def read_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("the body is not UTF-8") from error


def load_json(body: bytes) -> Any:
    try:
        return json.loads(read_text(body).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError("the body is no JSON") from error


def part_of(told: Mapping[str, Any], name: str, device_id: str) -> dict[str, Any]:
    """An object inside an object; a missing one is empty."""
    part = told.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise ProtocolError(f"{name} is no JSON object", device_id)
    return part


def device_of(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_ID:
        raise ProtocolError("device_id is missing or no text")
    return value


def place_of(fields: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Longitude and latitude of a query; both None in a ping."""
    if fields.get("location"):
        lat, comma, lon = fields["location"].partition(",")
        pair = {"lat": lat, "lon": lon} if comma else {}
        if not pair:
            raise ProtocolError("location must be lat,lon")
        return number_of(pair, "lon"), number_of(pair, "lat")
    lon_, lat_ = number_of(fields, "lon"), number_of(fields, "lat")
    return (None, None) if lon_ is None or lat_ is None else (lon_, lat_)


def number_of(fields: Mapping[str, str], name: str) -> float | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise ProtocolError(f"{name} is {_short(text)}, no number")
    return float(text)


def json_number(told: Mapping[str, Any], name: str) -> float | None:
    value = told.get(name)
    return None if value is None else _as_float(value, name)


def _as_float(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError(f"{name} is {_kind(value)}, no number")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def flag_of(text: str, name: str) -> bool:
    low = text.strip().lower()
    if low not in _TRUE | _FALSE:
        raise ProtocolError(f"{name} is {_short(text)}: use true or false")
    return low in _TRUE


def json_flag(told: Mapping[str, Any], name: str) -> bool | None:
    value = told.get(name)
    if value is not None and not isinstance(value, bool):
        raise ProtocolError(f"{name} is {_kind(value)}: use true or false")
    return value


def known_metres(value: float | None) -> float | None:
    """A radius of uncertainty; 0 is how phones write that they do not know it."""
    return value if value is not None and 0 < value < math.inf else None


def speed_in_kmh(value: float | None, kmh: float) -> float | None:
    """A speed in km/h; a negative one says unknown."""
    return value * kmh if value is not None and 0 <= value < math.inf else None


def _kind(value: Any) -> str:
    """A value of the wrong type as an answer may name it."""
    if isinstance(value, str):
        return _short(value)
    return "an object" if isinstance(value, dict) else f"of type {type(value).__name__}"


def _short(text: str) -> str:
    """A text as an answer may repeat it."""
    cut = text if len(text) <= 40 else text[:40] + "…"
    return repr(cut.encode("utf-8", "replace").decode())
