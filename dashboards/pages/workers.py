"""The replay of all workers on one clock, `/workers`: a map, a scrub bar, people, who passed here.

The page comes with words and the choice of its address; the day, its slices and answers travel from
`dashboards.replay_routes`, and the browser's part is assets/61-*.js to 63-*.js. What the person
chose is in the address: `day`, `t` (time of day), `speed`, `worker`, `area`, `from`, `to`; the card
links here with `at` (a moment) and `worker`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from typing import Any

from dash import Dash, html

from dashboards.components.city_map import city_map, register_city_map
from dashboards.components.marks import attrs, mark
from dashboards.components.workers_frame import (
    register_workers_frame,
    workers_config,
    workers_frame,
)
from dashboards.pages import add_page
from dashboards.pages.incidents_layout import language_of
from dashboards.replay_json import days_json
from dashboards.store import Store
from dashboards.words import Words

NAME = "workers"
PATH = "/workers"

SPEEDS = (1, 10, 60, 120, 300, 600)
"""Times as fast as life."""

LAYERS = ("borders", "labels")


@dataclass(frozen=True)
class Choice:
    """What the address names, empty where it says nothing that can be used."""

    day: str = ""
    t: str = ""
    speed: int = 60
    worker: str = ""
    area: str = ""
    since: str = "08:00"
    until: str = "10:00"


def read_choice(query: dict[str, str], store: Store) -> Choice:
    """Read an address; a wrong part counts as not said."""
    known = days_json(store)["days"]
    today = store.clock().astimezone(store.zone).date().isoformat()
    day, moment = _day(query.get("day", "")), _time(query.get("t", ""), seconds=True)
    at = _moment(query.get("at", ""))
    if at is not None:
        local = at.astimezone(store.zone)
        day, moment = day or local.date().isoformat(), moment or f"{local:%H:%M:%S}"
    if not day:
        day = today if not known or today in known else known[-1]
    speed = query.get("speed", "")
    return Choice(
        day=day,
        t=moment,
        speed=int(speed) if speed.isdecimal() and int(speed) in SPEEDS else 60,
        worker=query.get("worker", "")[:100],
        area=query.get("area", "")[:4000],
        since=_time(query.get("from", "")) or "08:00",
        until=_time(query.get("to", "")) or "10:00",
    )


def _day(told: str) -> str:
    try:
        return date.fromisoformat(told).isoformat()
    except ValueError:
        return ""


def _time(told: str, *, seconds: bool = False) -> str:
    try:
        found = time.fromisoformat(told)
    except ValueError:
        return ""
    return f"{found:%H:%M:%S}" if seconds else f"{found:%H:%M}"


def _moment(told: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(told.replace(" ", "+"))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def build_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page for an address."""
    snapshot, words = store.snapshot(), language_of(store, query)
    choice = read_choice(query, store)
    days = days_json(store)
    config = workers_config(
        store,
        snapshot,
        words,
        query,
        layers=LAYERS,
        replay={**asdict(choice), "speeds": SPEEDS, **days},
    )
    body = [_main(words, config), _bar(words, choice)]
    return workers_frame(store, snapshot, words, query, active="replay", body=body, config=config)


def _main(words: Words, config: dict[str, Any]) -> html.Div:
    canvas = html.Canvas(id="replay-canvas", className="rp-canvas")
    names = html.Div(id="replay-names", className="rp-names", **attrs({"aria-hidden": "true"}))
    state = html.Div(id="replay-state", className="rp-state", role="status", hidden=True)
    tip = html.Div(id="replay-tip", className="inc-tip", hidden=True)
    draw_note = html.Div(
        id="replay-draw-note", className="rp-draw-note", hidden=True, role="status"
    )
    return html.Div(
        [
            html.Section(
                city_map(
                    words,
                    label=words("workers.map.label"),
                    config=config,
                    title=html.Span(id="replay-title"),
                    top_left=[draw_note],
                    top_right=[_switches(words)],
                    legend=_legend(words),
                    over=[canvas, names, tip, state],
                ),
                className="rp-map",
                **attrs({"aria-label": words("workers.map.label")}),
            ),
            html.Aside(_side(words), className="rp-side"),
        ],
        className="rp-main",
    )


def _switches(words: Words) -> html.Div:
    buttons = [
        html.Button(
            words(f"workers.show.{name}"),
            type="button",
            className="inc-button is-small",
            title=words(f"workers.show.{name}.help"),
            **attrs({"data-show": name, "aria-pressed": "true" if name != "trails" else "false"}),
        )
        for name in ("incidents", "streets", "trails")
    ]
    return html.Div(
        buttons, className="rp-switches", role="group", **attrs({"aria-label": words("layers")})
    )


def _legend(words: Words) -> list[Any]:
    seen = html.I(className="mark rp-mark-seen", **attrs({"aria-hidden": "true"}))
    street = html.I(className="rp-mark-street", **attrs({"aria-hidden": "true"}))
    return [
        html.Ul(
            [
                html.Li(words("workers.legend"), className="legend-title"),
                html.Li([seen, words("workers.legend.seen")]),
                html.Li([mark("unknown"), words("workers.legend.silent")]),
                html.Li([street, words("workers.legend.street")], className="rp-needs-tracks"),
            ],
            className="marks-legend rp-legend",
        ),
        html.Ul(id="replay-share-legend", className="marks-legend rp-share-legend", hidden=True),
    ]


def _side(words: Words) -> list[Any]:
    figures = html.Dl(
        [
            html.Div(
                [html.Dt(words(f"workers.figure.{name}")), html.Dd("–", id=f"replay-{name}")],
                title=words(f"workers.figure.{name}.help"),
            )
            for name in ("seen", "silent", "open", "covered")
        ],
        className="rp-figures panel",
    )
    tabs = html.Div(
        [
            html.Button(
                [html.Span(words(f"workers.side.{name}")), html.Span("", className="inc-count")],
                type="button",
                role="tab",
                id=f"replay-tab-{name}",
                **attrs(
                    {
                        "data-side": name,
                        "aria-selected": "true" if name == "people" else "false",
                        "aria-controls": f"replay-{name}",
                    }
                ),
            )
            for name in ("people", "passed")
        ],
        className="inc-tabs rp-side-tabs",
        role="tablist",
        **attrs({"aria-label": words("workers.side")}),
    )
    people = html.Section(
        [
            html.Div(id="replay-picked", className="rp-picked", hidden=True),
            html.Div(id="replay-search-place", className="rp-search"),
            html.Div(id="replay-list", className="rp-list", **attrs({"tabIndex": "-1"})),
            html.Div("", id="replay-count", className="inc-foot", role="status"),
        ],
        id="replay-people",
        className="rp-tab",
        role="tabpanel",
    )
    passed = html.Section(id="replay-passed", className="rp-tab", role="tabpanel", hidden=True)
    return [figures, html.Div([tabs, people, passed], className="panel rp-panel")]


def _bar(words: Words, choice: Choice) -> html.Section:
    def button(action: str, sign: str, **more: str) -> html.Button:
        return html.Button(
            sign,
            type="button",
            className="inc-button rp-button",
            title=words(f"workers.do.{action}"),
            **attrs({"data-do": action, "aria-label": words(f"workers.do.{action}")} | more),
        )

    speeds = html.Div(
        [
            html.Button(
                f"{speed}×",
                type="button",
                className="inc-button is-small",
                **attrs(
                    {
                        "data-speed": str(speed),
                        "aria-pressed": "true" if speed == choice.speed else "false",
                    }
                ),
            )
            for speed in SPEEDS
        ],
        className="rp-speeds",
        role="group",
        **attrs({"aria-label": words("workers.speed")}),
    )
    controls = html.Div(
        [
            html.Div(
                [
                    button("yesterday", "‹"),
                    html.Div(id="replay-date", className="rp-date"),
                    button("tomorrow", "›"),
                ],
                className="rp-days",
            ),
            html.Div(
                [
                    button("back", "−10"),
                    button("play", "▶", **{"aria-pressed": "false"}),
                    button("forth", "+10"),
                ],
                className="rp-play",
            ),
            html.Div(
                [html.B("--:--:--", id="replay-clock"), html.Span("", id="replay-day")],
                className="rp-clock",
                role="timer",
            ),
            speeds,
            html.Div("", id="replay-facts", className="rp-facts"),
            html.Div(words("workers.keys"), className="rp-keys"),
        ],
        className="rp-controls",
    )
    scrub = html.Div(
        [
            html.Canvas(id="replay-scrub", className="rp-scrub-canvas"),
            html.Div(id="replay-scrub-place", className="rp-scrub-place"),
            html.Div(id="replay-scrub-tip", className="rp-scrub-tip", hidden=True),
        ],
        className="rp-scrub",
    )
    return html.Section(
        [controls, scrub],
        className="rp-bar panel",
        id="replay-bar",
        **attrs({"aria-label": words("workers.bar")}),
    )


def register(app: Dash, store: Store) -> None:
    """Add the page and its callbacks to `app`."""
    add_page(app, store, NAME, PATH, title="page.workers", build=build_page)
    register_city_map(app, store)
    register_workers_frame(app)
