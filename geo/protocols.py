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
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from geo._protocol_values import (
    BATCH_FIRST_MS,
    FIRST_MS,
    MAX_ID,
    device_of,
    flag_of,
    json_flag,
    json_number,
    json_time,
    known_metres,
    load_json,
    number_of,
    part_of,
    place_of,
    read_fields,
    read_text,
    speed_in_kmh,
)
from geo._protocol_values import ProtocolError as ProtocolError
from geo._protocol_values import read_time as read_time

KMH_OF = {"knots": 1.852, "ms": 3.6, "kmh": 1.0}
"""Kilometres an hour of one unit of speed; a knot is a nautical mile of 1,852 m an hour."""

HDOP_M = 5.0
"""Metres of accuracy for each unit of HDOP where a phone sends nothing better: our assumption."""


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
    asked = read_fields(query)
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    # No form begins with a brace: a client that forgets to say so sends JSON.
    if is_json or body[:20].lstrip().startswith(b"{"):
        return _read_traccar(load_json(body), asked.get("token", ""), now, zone)
    fields = asked
    if not ({"id", "deviceid"} & set(asked)):
        fields = read_fields(read_text(body)) | asked
    device_id = fields.get("id") or fields.get("deviceid") or ""
    if not device_id or len(device_id) > MAX_ID:
        raise ProtocolError("id is missing: name the device")
    try:
        lon, lat = place_of(fields)
        speed = number_of(fields, "speed")
        accuracy = known_metres(number_of(fields, "accuracy"))
        hdop = known_metres(number_of(fields, "hdop"))
        mock = flag_of(fields.get("mock", "false"), "mock")
        if not flag_of(fields.get("valid", "true"), "valid"):
            lon = lat = None
        time = read_time(fields["timestamp"], zone) if fields.get("timestamp") else now
    except ProtocolError as error:
        raise ProtocolError(str(error), device_id) from error
    if accuracy is None and hdop is not None:
        accuracy = hdop * HDOP_M
    return Reading(
        device_id, fields.get("token", ""), time, lon, lat, accuracy,
        speed_in_kmh(speed, KMH_OF[unit_of(device_id)]), mock, fields.get("alarm", ""), "osmand",
    )  # fmt: skip


def _read_traccar(told: Any, token: str, now: datetime, zone: tzinfo) -> Reading:
    """The JSON of Traccar Client from version 9 on: one location of one device."""
    if not isinstance(told, dict):
        raise ProtocolError("the body is no JSON object")
    device_id = device_of(told.get("device_id"))
    location = part_of(told, "location", device_id)
    coords = part_of(location, "coords", device_id)
    extras = part_of(location, "extras", device_id)
    try:
        time = now
        if location.get("timestamp") is not None:
            time = json_time(location["timestamp"], FIRST_MS, zone)
        alarm = location.get("alarm") or extras.get("alarm") or told.get("alarm") or ""
        if not isinstance(alarm, str):
            raise ProtocolError("alarm is no text")
        return Reading(
            device_id, token, time,
            json_number(coords, "longitude"), json_number(coords, "latitude"),
            known_metres(json_number(coords, "accuracy")),
            speed_in_kmh(json_number(coords, "speed"), KMH_OF["ms"]),
            json_flag(location, "mock"), alarm, "traccar",
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
    told = load_json(body)
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
        place = [json_number(told, name) for name in ("lon", "lat")]
        if None in place:
            raise ProtocolError("lat and lon are missing")
        if told.get("tst") is None:
            raise ProtocolError("tst is missing")
        return Reading(
            device_id, password, json_time(told["tst"], BATCH_FIRST_MS, None), place[0], place[1],
            known_metres(json_number(told, "acc")), speed_in_kmh(json_number(told, "vel"), 1.0),
            source=source, aliases=known[1:],
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
    told = load_json(body)
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
    device_id = device_of(fix.get("device_id"))
    try:
        if fix.get("time") is None:
            raise ProtocolError("time is missing")
        time = json_time(fix["time"], BATCH_FIRST_MS, None)
        lon, lat = json_number(fix, "lon"), json_number(fix, "lat")
        alarm, crs = fix.get("alarm") or "", fix.get("crs") or "wgs84"
        if not isinstance(alarm, str) or not isinstance(crs, str):
            raise ProtocolError("alarm or crs is no text")
        if (lon is None or lat is None) and not is_sos(alarm):
            raise ProtocolError("lon and lat are missing")
        return Reading(
            device_id, token, time, lon, lat, known_metres(json_number(fix, "accuracy_m")),
            speed_in_kmh(json_number(fix, "speed_kmh"), 1.0), json_flag(fix, "mock"), alarm,
            "batch", crs,
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
