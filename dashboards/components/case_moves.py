"""A report or a move as a page sent it, checked, made, and refused in the person's language.

What a page sends is not trusted to be whole: a missing person, an unknown class or a time that
cannot be read is refused before the case book is asked.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dashboards.components.case_book import read_case
from dashboards.components.case_options import SOURCES
from dashboards.components.case_words import refusal
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import InputError
from geo.incidents import ROLES, MoveRefusedError
from geo.schema import CASE_LEVELS

MAX_NOTE = 2000
MAX_SHORT = 200
_AGAIN_H = 24
_FIELDS = ("note", "owner", "level", "other_id", "condition")


class RequestError(Exception):
    """What was sent is refused; the message is for the person.

    Attributes
    ----------
    reason
        As `MoveRefusedError.reason`, or body, origin, who, class, time, place, level, unknown.
    status
        The HTTP status: 400 not understood, 404 no such case, 409 the case says no.
    has_case
        Whether the answer can carry the case as it is now.
    """

    def __init__(
        self, message: str, reason: str, status: int = 400, *, has_case: bool = False
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.has_case = has_case


def make_report(store: Store, body: dict[str, Any], at: datetime, words: Words) -> str:
    """Begin a case; returns its id. The same words from the same place again are no new case."""
    by, role = _who(body, words)
    code = _text(body, "class_code", MAX_SHORT)
    if not code or not store.rules.classes.is_incident_class(code):
        raise RequestError(words("cases.bad.class", code=code or "–"), "class")
    lon, lat = _place(body, words)
    source = _text(body, "source", MAX_SHORT)
    told: dict[str, Any] = {
        "class_code": code,
        "lon": lon,
        "lat": lat,
        "description": _text(body, "description", MAX_NOTE),
        "address": _text(body, "address", MAX_SHORT),
        "condition": _text(body, "condition", MAX_SHORT),
        "source": source if source in SOURCES else "page",
    }
    sent_before = _sent_before(store, by, told, at)
    if sent_before:
        return sent_before
    try:
        file = store.casebook.report(at=at, by=by, role=role, **told)
    except MoveRefusedError as error:
        raise RequestError(refusal(words, error, "", role), error.reason, 409) from error
    return str(file.case.incident_id)


def make_move(
    store: Store, incident_id: str, body: dict[str, Any], at: datetime, words: Words
) -> None:
    """Make a move on a case; RequestError says why not, and whether the case can be shown."""
    by, role = _who(body, words)
    found = read_case(store, incident_id, at)
    if found is None:
        raise RequestError(words("cases.moved.unknown", id=incident_id), "unknown", 404)
    move, seen = _text(body, "move", MAX_SHORT) or "", body.get("seen")
    if not isinstance(seen, int) or isinstance(seen, bool):
        raise RequestError(words("cases.bad", what="seen"), "body")
    told: dict[str, Any] = {name: _text(body, name, MAX_NOTE) for name in _FIELDS}
    if told["level"] is not None and told["level"] not in CASE_LEVELS:
        raise RequestError(words("cases.bad.level", level=told["level"]), "level")
    other = told["other_id"]
    if other and other != incident_id and read_case(store, other, at) is None:
        text = words("cases.moved.unknown", id=other)
        raise RequestError(text, "lacks_other_id", 409, has_case=True)
    seen_other = body.get("seen_other")
    if isinstance(seen_other, int) and other:
        told["seen_other"] = seen_other
    try:
        store.casebook.move(
            incident_id, move, at=at, by=by, role=role, seen=seen,
            until=_until(store, body, words), **told,
        )  # fmt: skip
    except MoveRefusedError as error:
        text = refusal(words, error, found.case.stage, role)
        raise RequestError(text, error.reason, 409, has_case=True) from error
    except InputError as error:
        raise RequestError(str(error), "input", 400, has_case=True) from error


def _who(body: dict[str, Any], words: Words) -> tuple[str, str]:
    by, role = _text(body, "by", MAX_SHORT), _text(body, "role", MAX_SHORT)
    if not by or role not in ROLES:
        raise RequestError(words("cases.bad.who"), "who")
    return by, role


def _text(body: dict[str, Any], name: str, most: int) -> str | None:
    value = body.get(name)
    if not isinstance(value, str):
        return None
    return value.strip()[:most] or None


def _place(body: dict[str, Any], words: Words) -> tuple[float | None, float | None]:
    lon, lat = body.get("lon"), body.get("lat")
    if lon is None and lat is None:
        return None, None
    is_number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (lon, lat))
    if not is_number or not (-180 <= lon <= 180 and -90 <= lat <= 90):  # type: ignore[operator]
        raise RequestError(words("cases.bad.place"), "place")
    return float(lon), float(lat)  # type: ignore[arg-type]


def _until(store: Store, body: dict[str, Any], words: Words) -> datetime | None:
    """A time of the city's wall clock, `2026-11-21T18:00`."""
    text = _text(body, "until", MAX_SHORT)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RequestError(words("cases.bad.time", text=text), "time") from error
    return moment.replace(tzinfo=store.zone) if moment.tzinfo is None else moment


def _sent_before(store: Store, by: str, told: dict[str, Any], at: datetime) -> str | None:
    """The case that the same person made of the same words at the same place within a day.

    The key of a report lives in the memory of the server; this still knows a sending that is
    repeated after the server began anew.
    """
    if not told["description"]:
        return None
    table = store.workspace.table("incidents")
    log = store.workspace.table("incident_log")
    place = (
        table.c.lon.is_(None)
        if told["lon"] is None
        else sa.and_(table.c.lon == told["lon"], table.c.lat == told["lat"])
    )
    query = (
        sa.select(table.c.incident_id)
        .join(log, (log.c.incident_id == table.c.incident_id) & (log.c.seq == 1))
        .where(
            table.c.reported_at >= at.fromtimestamp(at.timestamp() - _AGAIN_H * 3600, tz=at.tzinfo),
            table.c.class_code == told["class_code"],
            table.c.description == told["description"],
            log.c.by == by,
            place,
        )
        .limit(1)
    )
    with store.workspace.reading() as conn:
        found = conn.execute(query).scalar()
    return None if found is None else str(found)
