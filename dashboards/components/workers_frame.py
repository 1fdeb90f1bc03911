"""The frame of the pages about patrols: replay, shifts and coverage under one head and three tabs.

Links between the tabs load anew, since each page has its own map; they take the language and the
day along. "Who am I" is the same as on `/incidents`, kept by the browser. A page does this:

    register_workers_frame(app)                      # in register(); does its work once an app
    config = workers_config(store, snapshot, words, query, layers=("labels",), board={...})
    workers_frame(store, snapshot, words, query, active="board", body=[...], config=config)

The same `config` goes to `city_map(...)` where the page has a map. A page's own asset waits for

    wangge.workers.onBegin((config, me) => ...)   // once a page load; config.board is its own
    wangge.workers.onMe((me) => ...)                 // another person or role was chosen
    wangge.workers.viewer()                          // {by, role}, for every request about tracks
    wangge.workers.get(path, query)                  // {ok, status, offline, body}; with the viewer

`<body>` gets the mood before the map asks for its colours; night is the switch of `/incidents`.
"""

from __future__ import annotations

from typing import Any, Literal

from dash import ClientsideFunction, Dash, Input, Output, dcc, html

from dashboards.components.city_map import map_config
from dashboards.components.marks import attrs
from dashboards.components.page_nav import day_header
from dashboards.figures import Snapshot
from dashboards.pages.incidents_layout import city_name, in_mantine
from dashboards.store import Store
from dashboards.words import Words
from geo.incidents import ROLES

Tab = Literal["replay", "board", "coverage"]

TABS: dict[Tab, str] = {
    "replay": "/workers",
    "board": "/workers/board",
    "coverage": "/workers/coverage",
}

PAGE = "workers-page"
BODY = "workers-body"
CONFIG = "workers-config"
_DONE = "workers-done"
_EXTENSION = "wangge-workers-frame"


def register_workers_frame(app: Dash) -> None:
    """Add the callback that begins these pages in the browser; a second call does nothing."""
    if _EXTENSION in app.server.extensions:
        return
    app.server.extensions[_EXTENSION] = True
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="workers", function_name="begin"),
        Output(_DONE, "data-begun"),
        Input(CONFIG, "data"),
    )


def workers_config(
    store: Store,
    snapshot: Snapshot,
    words: Words,
    query: dict[str, str],
    *,
    title: str | None = None,
    layers: tuple[str, ...] = (),
    **page: Any,
) -> dict[str, Any]:
    """What the browser needs on these pages, with the map's part (see `map_config`).

    Parameters
    ----------
    title
        Of the window; the tab's own words where it is None.
    layers
        Of the map, if the page has one.
    page
        The page's own part, by a name of its own.
    """
    settings = store.settings
    cases = {
        "page": "workers",
        "words": words.starting("cases.js."),
        "roles": list(ROLES),
        "language": settings.language,
        "soonS": settings.soon_minutes * 60,
        "refreshS": settings.refresh_s,
    }
    name = city_name(store, snapshot, words)
    return map_config(
        store,
        snapshot,
        words,
        layers=layers,
        mood="day",
        title=title or words("workers.title", city=name),
        cases=cases,
        workers={
            "roles": sorted(settings.roles_with_tracks),
            "words": words.starting("workers.js."),
        },
        **page,
    )


def workers_frame(
    store: Store,
    snapshot: Snapshot,
    words: Words,
    query: dict[str, str],
    *,
    active: Tab,
    body: Any,
    config: dict[str, Any] | None = None,
) -> Any:
    """The whole page: head, tabs, and what the page shows below.

    Parameters
    ----------
    query
        Of the address; language and day go along with the tabs.
    active
        Which tab this is.
    body
        Fills what the head and the tabs leave; it scrolls by itself if it is longer.
    config
        From `workers_config`; None makes one for a page without a map.
    """
    known = config or workers_config(store, snapshot, words, query)
    page = html.Div(
        [
            html.A(words("workers.skip"), href=f"#{BODY}", className="skip"),
            day_header(store, snapshot, words, "workers"),
            _tabs(words, query, active),
            html.Main(body, id=BODY, className=f"ws-body is-{active}", **attrs({"tabIndex": "-1"})),
            dcc.Store(id=CONFIG, data=known),
            html.Div(id=_DONE, hidden=True),
        ],
        id=PAGE,
        className="inc ws mood-day",
        lang="zh-CN" if words.language == "zh" else "en",
    )
    return in_mantine(page)


def _tabs(words: Words, query: dict[str, str], active: Tab) -> html.Nav:
    along = "&".join(f"{name}={query[name]}" for name in ("lang", "day") if query.get(name))
    links = [
        html.A(
            [html.B(words(f"workers.tab.{name}")), html.Span(words(f"workers.tab.{name}.what"))],
            href=f"{path}?{along}" if along else path,
            **attrs({"data-tab": name} | ({"aria-current": "page"} if name == active else {})),
        )
        for name, path in TABS.items()
    ]
    return html.Nav(links, className="ws-tabs", **attrs({"aria-label": words("workers.tabs")}))
