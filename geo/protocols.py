"""What phones send, as readings: OsmAnd and Traccar, OwnTracks, and our own JSON batch.

Pure: bytes and parameters in, readings out; nothing is looked up or stored, and no input whatever
raises anything but `ProtocolError`. Two kinds of bad input are told apart. What cannot be
understood (no JSON, no device, words where a number belongs) is a `ProtocolError`: the sender is
no client of ours. What is understood but cannot be a position (no coordinates, an infinite
latitude, the year 1970) is a `Reading`, which `geo.io.fixbook` counts by its reason: a phone would
send a refused one again for ever, and the good ones behind it would never come.

Each protocol has its own units; a reading is always in degrees, metres, km/h and UTC:

    protocol        speed            time                      battery
    OsmAnd          knots (or as     s, ms from 2147483647,    percent
                    set, see below)  ISO 8601, local text
    Traccar JSON    m/s              ISO 8601                  0 to 1
    OwnTracks       km/h             s                         percent
    our batch       km/h             ISO 8601 with zone, s     -

OsmAnd itself sends m/s where Traccar reads knots, so the unit is a matter of the device. A negative
speed says unknown. The forms are those of the servers of Traccar (OsmAndProtocolDecoder) and of
OwnTracks' booklet; the battery is not kept.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from geo.errors import WanggeError

KMH_OF = {"knots": 1.852, "ms": 3.6, "kmh": 1.0}
"""Kilometres an hour of one unit of speed; a knot is a nautical mile of 1,852 m an hour."""

HDOP_M = 5.0
"""Metres of accuracy for each unit of HDOP where a phone sends nothing better: our assumption."""

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


class Reading(NamedTuple):
    """One reading of a phone, in degrees of `crs`, metres, km/h and UTC.

    `lon` and `lat` are None in a ping, and may be anything else that a float can hold.
    """

    device_id: str
    token: str
    time: datetime
    lon: float | None
    lat: float | None
    accuracy_m: float | None = None
    speed_kmh: float | None = None
    mock: bool | None = None
    """The phone's own word; None: it says nothing about it."""
    alarm: str = ""
    source: str = ""
    crs: str = "wgs84"
    aliases: tuple[str, ...] = ()
    """Other names that the same request gives for the device, in order."""


def parse_osmand(
    query: str,
    content_type: str,
    body: bytes,
    *,
    now: datetime,
    zone: tzinfo,
    unit_of: Callable[[str], str] = lambda device_id: "knots",
) -> Reading:
    """Read one request of Traccar Client or OsmAnd: query, form, or the JSON of the newer client.

    Parameters
    ----------
    query
        What stands behind the question mark of the address.
    content_type, body
        Of a POST; empty for a GET.
    now
        Stands for a time that is missing.
    zone
        The server's, for times without one.
    unit_of
        Unit of speed of a device, one of `geo.schema.SPEED_UNITS`; not asked for JSON.

    Raises
    ------
    ProtocolError
        If it names no device, or something in it is of the wrong type.
    """
    asked = _fields(query)
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    # No form begins with a brace: a client that forgets to say so sends JSON.
    if is_json or body[:20].lstrip().startswith(b"{"):
        return _read_traccar(_load(body), asked.get("token", ""), now, zone)
    fields = asked
    if not ({"id", "deviceid"} & set(asked)):
        fields = _fields(_text(body)) | asked
    device_id = fields.get("id") or fields.get("deviceid") or ""
    if not device_id or len(device_id) > MAX_ID:
        raise ProtocolError("id is missing: name the device")
    try:
        lon, lat = _place(fields)
        speed = _number(fields, "speed")
        accuracy = _metres(_number(fields, "accuracy"))
        hdop = _metres(_number(fields, "hdop"))
        mock = _flag(fields.get("mock", "false"), "mock")
        if not _flag(fields.get("valid", "true"), "valid"):
            lon = lat = None
        time = read_time(fields["timestamp"], zone) if fields.get("timestamp") else now
    except ProtocolError as error:
        raise ProtocolError(str(error), device_id) from error
    if accuracy is None and hdop is not None:
        accuracy = hdop * HDOP_M
    return Reading(
        device_id, fields.get("token", ""), time, lon, lat, accuracy,
        _speed(speed, KMH_OF[unit_of(device_id)]), mock, fields.get("alarm", ""), "osmand",
    )  # fmt: skip


def _read_traccar(told: Any, token: str, now: datetime, zone: tzinfo) -> Reading:
    """The JSON of Traccar Client from version 9 on: one location of one device."""
    if not isinstance(told, dict):
        raise ProtocolError("the body is no JSON object")
    device_id = _device(told.get("device_id"))
    location = _part(told, "location", device_id)
    coords = _part(location, "coords", device_id)
    extras = _part(location, "extras", device_id)
    try:
        time = now
        if location.get("timestamp") is not None:
            time = _json_time(location["timestamp"], FIRST_MS, zone)
        alarm = location.get("alarm") or extras.get("alarm") or told.get("alarm") or ""
        if not isinstance(alarm, str):
            raise ProtocolError("alarm is no text")
        return Reading(
            device_id, token, time,
            _json_number(coords, "longitude"), _json_number(coords, "latitude"),
            _metres(_json_number(coords, "accuracy")),
            _speed(_json_number(coords, "speed"), KMH_OF["ms"]),
            _json_flag(location, "mock"), alarm, "traccar",
        )  # fmt: skip
    except ProtocolError as error:
        raise ProtocolError(str(error), device_id) from error


def parse_owntracks(
    body: bytes,
    *,
    user: str = "",
    password: str = "",
    limit_user: str = "",
    limit_device: str = "",
    topic: str = "",
    source: str = "owntracks",
) -> Reading | str:
    """Read one message of OwnTracks, sent by HTTP or MQTT; a text says why it holds no position.

    The device is the user of the Basic authentication where there is one, else the device or the
    user that the topic, the headers `X-Limit-D` and `X-Limit-U` or the address name.

    Returns
    -------
    Reading or str
        A reading, or one of `empty`, `encrypted`, `other_message`: nothing to store, all is well.

    Raises
    ------
    ProtocolError
        If the body is no JSON object, or a location that lacks its place or time.
    """
    names = [user, limit_device, limit_user]
    if not body.strip():
        return "empty"
    told = _load(body)
    if not isinstance(told, dict):
        raise ProtocolError("the body is no JSON object")
    spoken = topic or told.get("topic")
    parts = spoken.split("/") if isinstance(spoken, str) else []
    if len(parts) >= 3:
        names += [parts[2], parts[1], f"{parts[1]}/{parts[2]}"]
    if limit_user and limit_device:
        names.append(f"{limit_user}/{limit_device}")
    known = tuple(dict.fromkeys(name for name in names if name and len(name) <= MAX_ID))
    kind = told.get("_type")
    if kind != "location":
        return "encrypted" if kind == "encrypted" else "other_message"
    device_id = known[0] if known else ""
    try:
        place = [_json_number(told, name) for name in ("lon", "lat")]
        if None in place:
            raise ProtocolError("lat and lon are missing")
        if told.get("tst") is None:
            raise ProtocolError("tst is missing")
        return Reading(
            device_id, password, _json_time(told["tst"], BATCH_FIRST_MS, None), place[0], place[1],
            _metres(_json_number(told, "acc")), _speed(_json_number(told, "vel"), 1.0), None, "",
            source, aliases=known[1:],
        )  # fmt: skip
    except ProtocolError as error:
        raise ProtocolError(str(error), device_id) from error


def parse_batch(body: bytes, token: str = "") -> list[Reading | ProtocolError]:
    """Read a batch in our own form; one answer for each fix, in order.

    Raises
    ------
    ProtocolError
        If the body is no JSON object with a list `fixes`.
    """
    told = _load(body)
    fixes = told.get("fixes") if isinstance(told, dict) else None
    if not isinstance(fixes, list):
        raise ProtocolError('the body must be a JSON object {"fixes": [...]}')
    found: list[Reading | ProtocolError] = []
    for fix in fixes:
        try:
            found.append(_read_fix(fix, token))
        except ProtocolError as error:
            found.append(error)
    return found


def _read_fix(fix: Any, token: str) -> Reading:
    if not isinstance(fix, dict):
        raise ProtocolError("it is no JSON object")
    device_id = _device(fix.get("device_id"))
    try:
        if fix.get("time") is None:
            raise ProtocolError("time is missing")
        time = _json_time(fix["time"], BATCH_FIRST_MS, None)
        lon, lat = _json_number(fix, "lon"), _json_number(fix, "lat")
        alarm, crs = fix.get("alarm") or "", fix.get("crs") or "wgs84"
        if not isinstance(alarm, str) or not isinstance(crs, str):
            raise ProtocolError("alarm or crs is no text")
        if (lon is None or lat is None) and not is_sos(alarm):
            raise ProtocolError("lon and lat are missing")
        return Reading(
            device_id, token, time, lon, lat, _metres(_json_number(fix, "accuracy_m")),
            _speed(_json_number(fix, "speed_kmh"), 1.0), _json_flag(fix, "mock"), alarm, "batch",
            crs,
        )  # fmt: skip
    except ProtocolError as error:
        raise ProtocolError(str(error), device_id) from error


def is_sos(alarm: str) -> bool:
    """Whether an alarm is a call for help, as Traccar's clients write it."""
    return alarm.strip().lower() == "sos"


def read_basic(header: str) -> tuple[str, str]:
    """User and password of an `Authorization` header; empty texts where it has none."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password


def read_bearer(header: str) -> str:
    """Token of an `Authorization` header; empty where it has none."""
    scheme, _, rest = header.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


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


def _json_time(value: Any, first_ms: float, zone: tzinfo | None) -> datetime:
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


def _fields(text: str) -> dict[str, str]:
    """The first value of each parameter of a query or form."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise ProtocolError(f"more than {MAX_FIELDS} parameters") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("the body is not UTF-8") from error


def _load(body: bytes) -> Any:
    try:
        return json.loads(_text(body).removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError("the body is no JSON") from error


def _part(told: Mapping[str, Any], name: str, device_id: str) -> dict[str, Any]:
    """An object inside an object; a missing one is empty."""
    part = told.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise ProtocolError(f"{name} is no JSON object", device_id)
    return part


def _device(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_ID:
        raise ProtocolError("device_id is missing or no text")
    return value


def _place(fields: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Longitude and latitude of a query; both None in a ping."""
    if fields.get("location"):
        lat, comma, lon = fields["location"].partition(",")
        pair = {"lat": lat, "lon": lon} if comma else {}
        if not pair:
            raise ProtocolError("location must be lat,lon")
        return _number(pair, "lon"), _number(pair, "lat")
    lon_, lat_ = _number(fields, "lon"), _number(fields, "lat")
    return (None, None) if lon_ is None or lat_ is None else (lon_, lat_)


def _number(fields: Mapping[str, str], name: str) -> float | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise ProtocolError(f"{name} is {_short(text)}, no number")
    return float(text)


def _json_number(told: Mapping[str, Any], name: str) -> float | None:
    value = told.get(name)
    return None if value is None else _as_float(value, name)


def _as_float(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProtocolError(f"{name} is {_kind(value)}, no number")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _flag(text: str, name: str) -> bool:
    low = text.strip().lower()
    if low not in _TRUE | _FALSE:
        raise ProtocolError(f"{name} is {_short(text)}: use true or false")
    return low in _TRUE


def _json_flag(told: Mapping[str, Any], name: str) -> bool | None:
    value = told.get(name)
    if value is not None and not isinstance(value, bool):
        raise ProtocolError(f"{name} is {_kind(value)}: use true or false")
    return value


def _metres(value: float | None) -> float | None:
    """A radius of uncertainty; 0 is how phones write that they do not know it."""
    return value if value is not None and 0 < value < math.inf else None


def _speed(value: float | None, kmh: float) -> float | None:
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
