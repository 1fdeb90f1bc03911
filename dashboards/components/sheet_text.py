"""The words and tables of a day sheet, as HTML that prints as it stands.

Times are those of the city's clock; the zone is named once, at the foot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from dashboards.components.sheet_bars import RoundBlock, draw_bars
from dashboards.components.sheet_html import h
from dashboards.components.sheet_map import SheetPlace, draw_map, frame_of
from dashboards.components.shift_evidence import reason_sentence
from dashboards.components.shift_rows import border_note, schedule_note, shift_word
from dashboards.server import program_version
from dashboards.store import Store
from dashboards.track_rights import role_of
from dashboards.words import Words
from geo.fixes import GAP_S, STAY_M, STAY_S
from geo.worker_day import NEAR_M, STEP_M

if TYPE_CHECKING:
    from dashboards.components.sheet_day import SheetData


class _Teller:
    """Words and clock of a sheet."""

    def __init__(self, store: Store, data: SheetData, words: Words) -> None:
        self.store, self.data, self.words = store, data, words

    def clock(self, moment: Any, *, seconds: bool = False) -> str:
        """A time of the day; with its date where that is another day."""
        if moment is None or pd.isna(moment):
            return self.words("none")
        local = pd.Timestamp(moment).tz_convert(self.data.zone)
        text = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        return text if local.date() == self.data.board.day else f"{local:%m-%d} {text}"

    def metres(self, value: float) -> str:
        """Metres, from 1 km on kilometres."""
        if value != value:
            return self.words("none")
        if value < 1000:
            return self.words("sheet.m", n=self.words.number(round(value)))
        return self.words("sheet.km", n=self.words.number(value / 1000, 2))


def build_sheet(store: Store, data: SheetData, words: Words) -> Markup:
    """The whole sheet."""
    tell = _Teller(store, data, words)
    return h(
        "article",
        _head(tell),
        _figures(tell),
        _timeline(tell),
        _map(tell),
        _rounds(tell),
        _places(tell),
        _stops(tell),
        _gaps(tell),
        _alarms(tell),
        _unknown(tell),
        _evidence(tell),
        _signatures(tell),
        class_="sheet",
    )


def _head(tell: _Teller) -> Markup:
    words, data = tell.words, tell.data
    person, city = data.person, data.board.city
    begin, end = (tell.clock(moment) for moment in data.duty)
    grid = words("sheet.nogrid")
    if data.grid_id is not None:
        grid = f"{city.place_names[city.position[data.grid_id]]} ({data.grid_id})"
    devices = words("board.comma").join(data.devices) or words("sheet.nodevice")
    role = role_of(str(person["role"]), words)
    facts = [
        ("sheet.who", f"{person['name']} ({data.worker_id}) · {role}"),
        ("sheet.grid", grid),
        ("sheet.device", devices),
        ("sheet.duty", f"{begin}–{end}"),
    ]
    return h(
        "header",
        h("h1", words("sheet.heading")),
        h("p", words.date(pd.Timestamp(data.board.day).to_pydatetime()), class_="sheet-date"),
        h("dl", [h("div", h("dt", words(key)), h("dd", text)) for key, text in facts]),
        class_="sheet-head",
    )


def _figures(tell: _Teller) -> Markup:
    """The day in six figures; what is unknown stands beside what is known."""
    words, day = tell.words, tell.data.day
    silent = float(day.gaps["minutes"].sum()) * 60
    rounds = [row["status"] for row in tell.data.rounds]
    done, unknown = rounds.count("done"), rounds.count("unknown")
    figures = [
        ("sheet.figure.rounds", words("sheet.figure.of", n=done, total=len(rounds))),
        ("sheet.figure.unclear", words.number(unknown)),
        ("sheet.figure.walked", tell.metres(day.walked_m)),
        ("sheet.figure.stops", words.number(len(day.stays))),
        ("sheet.figure.silent", words.span(silent)),
        ("sheet.figure.fixes", words.number(day.fixes)),
    ]
    return h(
        "div",
        [h("div", h("b", value), h("span", words(key))) for key, value in figures],
        class_="sheet-figures",
    )


def _timeline(tell: _Teller) -> Markup:
    words, data = tell.words, tell.data
    blocks = [
        RoundBlock(
            row["start"],
            row["end"],
            f"{shift_word(row['shift'], words)} {words('board.status.' + row['status'])}",
            row["status"],
        )
        for row in data.rounds
    ]
    end = pd.Timestamp(data.duty[1]).tz_convert("UTC")
    drawn = draw_bars(data.day, blocks, end=end, zone=data.zone, label=words("sheet.timeline"))
    keys = [
        h("span", h("i", class_=f"sheet-key is-{kind}"), words(f"sheet.key.{kind}"))
        for kind in ("stay", "move", "gap")
    ]
    return _part(tell, "timeline", drawn, h("p", keys, class_="sheet-keys"))


def _map(tell: _Teller) -> Markup:
    words, data = tell.words, tell.data
    if data.grid is None and not len(data.day.track):
        return _part(tell, "map", h("p", words("sheet.map.nothing"), class_="sheet-none"))
    frame, _ = frame_of(data.day, data.grid)
    places = [
        SheetPlace(float(one["x"]), float(one["y"]), str(one["state"]))
        for one in data.places
        if np.isfinite(one["x"]) and np.isfinite(one["y"])
    ]
    first = data.day.first.tz_convert(data.zone).ceil("h") if data.day.first is not None else None
    marks = []
    if first is not None and data.day.last is not None:
        hours = pd.date_range(first, data.day.last.tz_convert(data.zone), freq="h")
        marks = [(hour, f"{hour:%H:%M}") for hour in hours]
        marks.insert(0, (data.day.first, words("sheet.map.first", at=tell.clock(data.day.first))))
        marks.append((data.day.last, words("sheet.map.last", at=tell.clock(data.day.last))))
    drawn = draw_map(
        data.day, data.grid, data.roads, places, frame=frame, label=words("sheet.map"),
        north=words("sheet.north"), marks=marks,
    )  # fmt: skip
    return _part(tell, "map", drawn, h("p", words("sheet.map.key"), class_="sheet-note"))


def _rounds(tell: _Teller) -> Markup:
    words, data = tell.words, tell.data
    if not data.rounds:
        return _part(tell, "rounds", h("p", words("sheet.rounds.none"), class_="sheet-none"))
    rows = []
    for row in data.rounds:
        own = row["own"]
        rows.append(
            [
                shift_word(row["shift"], words),
                f"{tell.clock(row['start'])}–{tell.clock(row['end'])}",
                h("b", words(f"board.status.{row['status']}")),
                reason_sentence(row, words),
                f"{int(own['here_min'])} / {int(own['away_min'])} / {int(own['unknown_min'])}",
                f"{tell.clock(own['first_fix'])}–{tell.clock(own['last_fix'])}"
                if not pd.isna(own["first_fix"])
                else words("none"),
            ]
        )
    names = ("shift", "hours", "status", "reason", "minutes", "fixes")
    return _part(tell, "rounds", _table(tell, "rounds", names, rows), note="rounds")


def _places(tell: _Teller) -> Markup | None:
    words, data = tell.words, tell.data
    if not data.places:
        return None
    rows = []
    for one in data.places:
        name = one["name"] if isinstance(one["name"], str) and one["name"] else one["place_id"]
        rows.append(
            [
                shift_word(one["shift"], words),
                f"{words('board.place.' + one['kind'])} {name}",
                h("b", words(f"board.visit.state.{one['state']}")),
                tell.clock(one["at"], seconds=True),
                tell.metres(float(one["near_m"])) if np.isfinite(one["near_m"]) else words("none"),
                words.span(float(one["stay_s"])) if one["stay_s"] > 0 else words("none"),
                words(f"board.visit.{one['reason']}") if one["reason"] else "",
            ]
        )
    names = ("shift", "place", "state", "at", "near", "stay", "why")
    return _part(tell, "places", _table(tell, "places", names, rows))


def _stops(tell: _Teller) -> Markup:
    words, stops = tell.words, tell.data.stops
    if not len(stops):
        return _part(tell, "stops", h("p", words("sheet.stops.none"), class_="sheet-none"))
    rows = []
    for number, row in stops.iterrows():
        where = words("sheet.stop.road", road=row["road"]) if row["road"] else ""
        far = row["far_m"]
        side = ""
        if far == far:
            inside = words("sheet.stop.inside")
            side = inside if far <= NEAR_M else words("sheet.stop.outside", m=tell.metres(far))
        rows.append(
            [
                str(number),
                f"{tell.clock(row['start'])}–{tell.clock(row['end'])}",
                words.number(round(row["minutes"])),
                " · ".join(part for part in (side, where) if part) or words("none"),
                f"{row['lat']:.5f}, {row['lon']:.5f}",
            ]
        )
    names = ("number", "hours", "length", "where", "coordinates")
    return _part(tell, "stops", _table(tell, "stops", names, rows), note="stops")


def _gaps(tell: _Teller) -> Markup:
    words, gaps = tell.words, tell.data.day.gaps
    if not len(gaps):
        return _part(tell, "gaps", h("p", words("sheet.gaps.none"), class_="sheet-none"))
    rows = [
        [
            f"{tell.clock(row['start'])}–{tell.clock(row['end'])}",
            words.number(round(row["minutes"])),
            words(f"sheet.gap.{row['kind']}"),
            _gap_known(tell, row),
        ]
        for row in gaps.to_dict("records")
    ]
    names = ("hours", "length", "kind", "known")
    return _part(tell, "gaps", _table(tell, "gaps", names, rows), note="gaps")


def _gap_known(tell: _Teller, row: dict[str, Any]) -> str:
    """What is known of a gap: only the places before and after it."""
    words, parts = tell.words, []
    for key in ("before", "after"):
        far = row[f"{key}_m"]
        if far != far:
            continue
        side = "inside" if far <= NEAR_M else "outside"
        parts.append(words(f"sheet.gap.{key}.{side}", m=tell.metres(far)))
    if row["far_m"] == row["far_m"]:
        parts.append(words("sheet.gap.far", m=tell.metres(row["far_m"])))
    return words("board.place.join").join(parts) or words("sheet.gap.nothing")


def _alarms(tell: _Teller) -> Markup | None:
    words, data = tell.words, tell.data
    if not data.alarms:
        return None
    rows = []
    for one in data.alarms:
        seen = words("sheet.alarm.unseen")
        if isinstance(one["seen_by"], str) and not pd.isna(one["seen_at"]):
            seen = words("sheet.alarm.seen", by=one["seen_by"], at=tell.clock(one["seen_at"]))
        rows.append(
            [
                words(f"sheet.alarm.{one['kind']}"),
                tell.clock(one["began_at"]),
                tell.clock(one["fired_at"]),
                tell.clock(one["ended_at"]),
                seen,
            ]
        )
    return _part(
        tell, "alarms", _table(tell, "alarms", ("kind", "began", "fired", "ended", "seen"), rows)
    )


def _unknown(tell: _Teller) -> Markup:
    """What this sheet does not know, in sentences."""
    words, data, day = tell.words, tell.data, tell.data.day
    lines = []
    if len(day.gaps):
        span = words.span(float(day.gaps["minutes"].sum()) * 60)
        lines.append(words("sheet.unknown.gaps", n=len(day.gaps), span=span))
    minutes = sum(int(row["own"]["unknown_min"]) for row in data.rounds)
    if minutes:
        lines.append(words("sheet.unknown.rounds", n=minutes))
    if day.fixes and day.accuracy["told"] < day.fixes:
        n = words.number(day.fixes - int(day.accuracy["told"]))
        lines.append(words("sheet.unknown.accuracy", n=n))
    if day.until < pd.Timestamp(data.duty[1]):
        lines.append(words("sheet.unknown.running", at=tell.clock(day.until)))
    lines += [words("sheet.unknown.phone"), words("sheet.unknown.posts")]
    return _part(tell, "unknown", h("ul", [h("li", line) for line in lines]))


def _evidence(tell: _Teller) -> Markup:
    """What the sheet rests on: readings, rules, versions, checksum."""
    words, data, day = tell.words, tell.data, tell.data.day
    facts = [
        (words("sheet.evidence.fixes"), _fixes_text(tell)),
        (words("sheet.evidence.removed"), _removed_text(tell)),
        (words("sheet.evidence.accuracy"), _accuracy_text(tell)),
        (
            words("sheet.evidence.rules"),
            words(
                "sheet.evidence.thresholds", gap=words.span(GAP_S), stay_m=f"{STAY_M:g}",
                stay=words.span(STAY_S), step=f"{STEP_M:g}", near=f"{NEAR_M:g}",
            ),
        ),
        (words("sheet.evidence.borders"), border_note(data.board.city, tell.store, words)),
        (words("sheet.evidence.schedule"), schedule_note(tell.store, words)),
        (words("sheet.evidence.crs"), words("sheet.evidence.crs.text", crs=data.crs)),
        (words("sheet.evidence.made"), _made_text(tell)),
        (words("sheet.evidence.checksum"), h("code", day.checksum)),
    ]  # fmt: skip
    body = h("dl", [h("div", h("dt", name), h("dd", text)) for name, text in facts])
    return _part(tell, "evidence", body, h("p", words("sheet.evidence.how"), class_="sheet-note"))


def _fixes_text(tell: _Teller) -> str:
    words, day = tell.words, tell.data.day
    every = words("none") if day.interval_s != day.interval_s else words.span(day.interval_s)
    return words(
        "sheet.evidence.fixes.text", n=words.number(day.fixes), used=words.number(day.used),
        mock=words.number(day.mock), first=tell.clock(day.first, seconds=True),
        last=tell.clock(day.last, seconds=True), every=every,
    )  # fmt: skip


def _removed_text(tell: _Teller) -> str:
    """Each rule with its threshold and how many it threw out, also those with none."""
    words, parts = tell.words, []
    for row in tell.data.day.removed.to_dict("records"):
        name = words(f"sheet.rule.{str(row['rule']).replace(' ', '_')}")
        limit = row["threshold"]
        shown = limit == limit and row["unit"] in ("m", "km/h")
        more = words("sheet.rule.limit", n=f"{limit:g}", unit=row["unit"]) if shown else ""
        parts.append(words("sheet.rule.count", rule=name, limit=more, n=int(row["count"])))
    return words("board.place.join").join(parts)


def _accuracy_text(tell: _Teller) -> str:
    words, known = tell.words, tell.data.day.accuracy
    if not known["told"]:
        return words("sheet.evidence.accuracy.none")
    return words(
        "sheet.evidence.accuracy.text", n=words.number(known["told"]),
        median=f"{known['median']:.0f}", p90=f"{known['p90']:.0f}", worst=f"{known['worst']:.0f}",
    )  # fmt: skip


def _made_text(tell: _Teller) -> str:
    words, data = tell.words, tell.data
    local = data.made_at.astimezone(data.zone)
    return words(
        "sheet.evidence.made.text", at=f"{local:%Y-%m-%d %H:%M:%S}", zone=str(data.zone),
        by=data.viewer.by, role=role_of(data.viewer.role, words), version=program_version(),
    )  # fmt: skip


def _signatures(tell: _Teller) -> Markup:
    lines = [h("span", tell.words(f"sheet.sign.{who}")) for who in ("worker", "checker", "date")]
    return h("div", lines, class_="sheet-sign")


def _part(tell: _Teller, name: str, *children: Any, note: str | None = None) -> Markup:
    more = h("p", tell.words(f"sheet.note.{note}"), class_="sheet-note") if note else None
    return h(
        "section", h("h2", tell.words(f"sheet.part.{name}")), *children, more,
        class_=f"sheet-part is-{name}",
    )  # fmt: skip


def _table(tell: _Teller, part: str, names: tuple[str, ...], rows: list[list[Any]]) -> Markup:
    heads = [h("th", tell.words(f"sheet.{part}.{name}"), scope="col") for name in names]
    body = [
        h("tr", [h("td", cell, class_=f"is-{name}") for name, cell in zip(names, row, strict=True)])
        for row in rows
    ]
    return h("table", h("thead", h("tr", heads)), h("tbody", body))
