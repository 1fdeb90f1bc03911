"""The shift board over HTTP: days, months, evidence, files, and a worker's day sheet.

Everything lies under `/board/`. A day or month that is not judged yet answers 202 with how far it
is; asking again keeps it going, and nobody asking ends it. What shows a single person's minutes or
places goes out only after `dashboards.track_rights` allowed and noted it.
"""

from __future__ import annotations

import calendar
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import IO, Any
from urllib.parse import quote, urlsplit

import flask
from werkzeug.exceptions import NotFound

from dashboards.components import shift_export
from dashboards.components.sheet_day import sheet_json
from dashboards.components.shift_evidence import evidence_json, workers_of
from dashboards.components.shift_rows import day_json, month_json, people_json
from dashboards.json_answer import answer_json, dump_json
from dashboards.language import page_words
from dashboards.server import pack, send
from dashboards.shift_days import Progress, ShiftDay, ShiftDays
from dashboards.store import Store
from dashboards.track_rights import may_see_tracks, note_look, require_tracks, viewer_of
from dashboards.words import Words
from geo.io.shift_book import csv_lines, write_book

SHIFT_DAYS = "wangge-shift-days"
"""Where the server keeps its `ShiftDays`."""

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Answer = flask.typing.ResponseReturnValue


class BadDayError(ValueError):
    """A day or month in an address that is none; carries the key of its words."""


def add_board_routes(server: flask.Flask, store: Store, *, threaded: bool = True) -> ShiftDays:
    """Add the routes of the shift board to the server of an app."""
    days = ShiftDays(store, threaded=threaded)
    server.extensions[SHIFT_DAYS] = days
    routes = flask.Blueprint("board", __name__, url_prefix="/board")
    _add_days(routes, store, days)
    _add_people(routes, store, days)
    _add_files(routes, store, days)

    @routes.errorhandler(BadDayError)
    def bad_day(error: BadDayError) -> Answer:
        words = page_words(store.settings.language)
        return answer_json({"error": words(str(error)), "state": "bad"}, 400)

    server.register_blueprint(routes)
    return days


def _add_days(routes: flask.Blueprint, store: Store, days: ShiftDays) -> None:
    @routes.get("/day")
    def day() -> Answer:
        words = page_words(store.settings.language)
        asked = _day(days)
        board = days.day(asked)
        if board is None:
            return _working(days.progress([asked]), words)
        key = (words.language, store.workspace.stamp("workers"))
        packed = board.memo.get(
            key, lambda: pack(dump_json(day_json(store, board, words)).encode())
        )
        return send(packed, "application/json", "no-cache")

    @routes.get("/month")
    def month() -> Answer:
        words = page_words(store.settings.language)
        dates, empty = _month(store, days)
        level = _level()
        judged = [d for d in dates if d not in empty]
        found = days.days(judged)
        known = {d: found.get(d) for d in dates}
        body = month_json(store, known, empty, level, words)
        body["progress"] = _progress(days.progress(judged), words)
        body["state"] = "ready"
        marks = "".join(board.mark for board in known.values() if board is not None)
        body["mark"] = f"{marks[:4000]}.{body['progress']['done']}"
        return send(pack(dump_json(body).encode()), "application/json", "no-cache")

    @routes.post("/stop")
    def stop() -> Answer:
        origin = flask.request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != flask.request.host:
            return answer_json({"state": "bad"}, 403)
        dates, _ = _month(store, days)
        days.cancel(dates)
        return answer_json({"state": "stopped"})


def _add_people(routes: flask.Blueprint, store: Store, days: ShiftDays) -> None:
    @routes.get("/evidence")
    def evidence() -> Answer:
        words, asked = page_words(store.settings.language), _day(days)
        board = days.day(asked)
        if board is None:
            return _working(days.progress([asked]), words)
        grid = flask.request.args.get("grid", "")
        if grid not in board.city.position:
            raise NotFound
        viewer = viewer_of(flask.request.args)
        may = may_see_tracks(store, viewer)
        if may:
            since, until = _bounds(store, asked)
            note_look(store, viewer, workers_of(board, grid), since, until, "sheet")
        body = evidence_json(store, board, grid, words, may=may)
        if not may:
            body["hidden"] = words("board.hidden" if viewer.by else "board.hidden.nobody")
        return answer_json(body)

    @routes.get("/people")
    def people() -> Answer:
        words = page_words(store.settings.language)
        dates, empty = _month(store, days)
        judged = [d for d in dates if d not in empty]
        found = days.days(judged)
        body = {"state": "ready", "people": people_json(store, found, words)}
        return answer_json(body | {"progress": _progress(days.progress(judged), words)})

    @routes.get("/sheet")
    def sheet() -> Answer:
        words, asked = page_words(store.settings.language), _day(days)
        worker = flask.request.args.get("worker", "").strip()
        if worker not in store.snapshot().workers.people.index:
            return answer_json({"error": words("board.sheet.unknown"), "state": "bad"}, 404)
        viewer = viewer_of(flask.request.args)
        if not may_see_tracks(store, viewer, worker):
            return answer_json(_shares(store, days, worker, asked, words))
        require_tracks(store, viewer, worker)
        board = days.day(asked)
        if board is None:
            return _working(days.progress([asked]), words)
        note_look(store, viewer, worker, *_bounds(store, asked), "sheet")
        return answer_json(sheet_json(store, board, worker, words, viewer))


def _shares(store: Store, days: ShiftDays, worker: str, day: date, words: Words) -> dict[str, Any]:
    """What those see who may not see tracks: shares of the month up to the day."""
    first = day.replace(day=1)
    dates = [first + timedelta(days=k) for k in range(day.day)]
    empty = _empty_days(store, days, dates)
    found = days.days([d for d in dates if d not in empty])
    mine = [one for one in people_json(store, found, words) if one["id"] == worker]
    viewer = viewer_of(flask.request.args)
    return {
        "state": "shares",
        "hidden": words("board.hidden" if viewer.by else "board.hidden.nobody"),
        "people": mine,
        "month": f"{day:%Y-%m}",
    }


def _add_files(routes: flask.Blueprint, store: Store, days: ShiftDays) -> None:
    @routes.get("/day.<kind>")
    def day_file(kind: str) -> Answer:
        words, asked = page_words(store.settings.language), _day(days)
        board = days.day(asked)
        if board is None:
            return _working(days.progress([asked]), words)
        choice = shift_export.read_choice(flask.request.args)
        sheets = shift_export.day_sheets(store, board, choice, words)
        return _file(kind, sheets, f"{words('board.file.day')}-{asked:%Y%m%d}", words)

    @routes.get("/month.<kind>")
    def month_file(kind: str) -> Answer:
        words = page_words(store.settings.language)
        dates, empty = _month(store, days)
        judged = [d for d in dates if d not in empty]
        found = days.days(judged)
        progress = days.progress(judged)
        if progress.done < progress.total:
            return _working(progress, words)
        known: dict[date, ShiftDay | None] = {d: found.get(d) for d in dates}
        sheets = shift_export.month_sheets(store, known, empty, _level(), words)
        return _file(kind, sheets, f"{words('board.file.month')}-{dates[0]:%Y%m}", words)


def _file(kind: str, sheets: list[Any], name: str, words: Words) -> Answer:
    if kind == "csv":
        response = flask.Response(csv_lines(sheets[0]), mimetype="text/csv; charset=utf-8")
    elif kind == "xlsx":
        # openpyxl finishes a workbook before the first byte can go out, so it waits on disk.
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
        write_book(file, sheets)
        size = file.tell()
        file.seek(0)
        response = flask.Response(_pieces(file), mimetype=XLSX)
        response.call_on_close(file.close)
        response.content_length = size
    else:
        raise NotFound
    response.headers["Content-Disposition"] = (
        f"attachment; filename=board.{kind}; filename*=UTF-8''{quote(f'{name}.{kind}')}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file in pieces; it is closed, and so gone, after the last one."""
    with file:
        while piece := file.read(65_536):
            yield piece


# --- what addresses say ------------------------------------------------------------------------


def read_day(text: str, today: date) -> date:
    """A day of an address, today where it says none.

    Raises
    ------
    BadDayError
        If it is no date, or has not come yet.
    """
    if not text:
        return today
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise BadDayError("board.bad.day") from error
    if found > today:
        raise BadDayError("board.bad.future")
    return found


def _day(days: ShiftDays) -> date:
    return read_day(flask.request.args.get("day", ""), days.today)


def _month(store: Store, days: ShiftDays) -> tuple[list[date], set[date]]:
    """The days of the month that is asked for, and those without any fix, or not come yet."""
    text = flask.request.args.get("month", "")
    try:
        first = date.fromisoformat(f"{text}-01") if text else days.today.replace(day=1)
    except ValueError as error:
        raise BadDayError("board.bad.month") from error
    count = calendar.monthrange(first.year, first.month)[1]
    dates = [first.replace(day=k) for k in range(1, count + 1)]
    return dates, _empty_days(store, days, dates)


def _empty_days(store: Store, days: ShiftDays, dates: list[date]) -> set[date]:
    today = days.today
    return {d for d in dates if d > today or (d != today and not days.has_fixes(d))}


def _level() -> str:
    level = flask.request.args.get("level", "")
    return level if level in ("district", "street", "community", "grid") else "street"


def _bounds(store: Store, day: date) -> tuple[datetime, datetime]:
    """The day in the city's zone."""
    begin = datetime.combine(day, time(0), tzinfo=store.zone)
    end = datetime.combine(day + timedelta(days=1), time(0), tzinfo=store.zone)
    return begin, end


# --- answers -----------------------------------------------------------------------------------


def _progress(found: Progress, words: Words) -> dict[str, Any]:
    soon = found.left_s is None or found.left_s < 1
    left = "" if soon else words("board.left", span=words.span(float(found.left_s or 0)))
    text = words("board.progress", done=found.done, total=found.total)
    return {
        "done": found.done,
        "total": found.total,
        "text": text,
        "left": left if found.done < found.total else "",
        "trouble": words("board.trouble") if found.trouble else "",
    }


def _working(found: Progress, words: Words) -> flask.Response:
    if found.trouble:
        return answer_json({"state": "trouble", "error": words("board.trouble")}, 500)
    return answer_json({"state": "working", "progress": _progress(found, words)}, 202)
