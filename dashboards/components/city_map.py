"""The map of a page: one component with its own ids and browser part, the same on every page.

Links between pages load anew, so only one page is in the document at a time and the ids are those
of the map and not of a page. The map knows no page: it shades units, draws marks, and tells who
listens what was clicked. To put it into a page:

    register_city_map(app, store)      # in the page's register(); does its work once an app

    config = map_config(store, snapshot, words, layers=("incidents", "borders", "labels"))
    html.Div(city_map(words, label=words("..."), spec=None, config=config, layers=config["layers"],
                      legend=build_marks_legend(words), top_left=[...], top_right=[...]))

`spec` is a shade of `components.map_spec.build_shade(...).spec`, or None for a map of marks only.
A page that shows other layers or another shade sets the `data` of MAP_LAYERS or MAP_SHADE
(dcc.Store) from its callbacks; new data arrives by setting MAP_VERSIONS to `page_versions(...)`,
which reloads only what changed. In the browser (assets/20-map.js and 21-*), from the page's own
asset:

    wangge.map.onClick(({lon, lat, grid_id, incident_id, kind, unit}) => ...)
        // kind: incident, worker, asset, unit, grid, ground; unit: {level, code, name} if shaded
    wangge.map.onReady((map) => ...)       // MapLibre's map, once our layers are on it
    wangge.map.select(gridId), wangge.map.mark([lon, lat] | null)      // outline, ring
    wangge.map.fit([west, south, east, north]), wangge.map.flyToUnit("grid", gridId)
    wangge.map.show(["incidents", "labels"])                             // layers
    wangge.map.loadMoving()                                              // read marks again

Every function of a page's asset that runs from a dash callback calls `wangge.begin(config)` with
the `data` of MAP_CONFIG first. Enter on the map clicks at the cross in its middle.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboards.components import unit_shapes
from dashboards.components.marks import attrs, mark, worker_mark
from dashboards.figures import Snapshot
from dashboards.store import Store
from dashboards.words import Words
from dashboards.worker_states import states_mark
from layers.colours import FONT_STACK, Mood, tokens

MAP_GRAPH = "map-graph"
MAP_CONFIG = "map-config"
MAP_SHADE = "map-shade"
MAP_LAYERS = "map-layers"
MAP_VERSIONS = "map-versions"
MAP_LEGEND = "map-legend"
MAP_NOTES = "map-notes"
MAP_TITLE = "map-title"
_DONE = "map-done"
_EXTENSION = "wangge-city-map"

LAYER_NAMES = ("incidents", "workers", "assets", "borders", "labels")
"""What `layers` may name, in the order of the switches."""

_GRAPH_CONFIG: Any = {
    "displayModeBar": False,
    "displaylogo": False,
    "scrollZoom": True,
    "doubleClick": False,
    "responsive": True,
}


def register_city_map(app: Dash, store: Store) -> None:
    """Add the map's callbacks and the shapes of units to `app`; a second call does nothing."""
    if _EXTENSION in app.server.extensions:
        return
    app.server.extensions[_EXTENSION] = True
    unit_shapes.add_route(app.server, store)

    def run(name: str) -> ClientsideFunction:
        return ClientsideFunction(namespace="citymap", function_name=name)

    config = State(MAP_CONFIG, "data")
    app.clientside_callback(  # type: ignore[no-untyped-call]
        run("draw"), Output(MAP_GRAPH, "figure"), Input(MAP_CONFIG, "data")
    )
    for name, source in (
        ("shade", MAP_SHADE),
        ("refresh", MAP_VERSIONS),
        ("layers", MAP_LAYERS),
    ):
        app.clientside_callback(  # type: ignore[no-untyped-call]
            run(name), Output(_DONE, f"data-{name}"), Input(source, "data"), config
        )


def map_config(
    store: Store,
    snapshot: Snapshot,
    words: Words,
    *,
    layers: Sequence[str] = LAYER_NAMES,
    view: tuple[float, float, float] | None = None,
    grid: str | None = None,
    mood: Mood = "night",
    **page: Any,
) -> dict[str, Any]:
    """What the browser's part needs to know of city, settings and words.

    Parameters
    ----------
    layers
        Which of LAYER_NAMES are shown at first.
    view
        Longitude, latitude and zoom (of a screen with 1080 lines); None shows the whole city.
    grid
        The grid that is outlined at first.
    mood
        Night or day, of the ground under the data.
    page
        More for the page's own asset; it finds it in `wangge.s.config`.
    """
    settings = store.settings
    return {
        "key": secrets.token_hex(4),
        "now": store.clock().timestamp() * 1000,
        "versions": page_versions(store, snapshot),
        "lang": words.language,
        "words": words.starting("js."),
        "mood": mood,
        "figure": _empty_figure(mood),
        "timezone": settings.timezone,
        "bounds": snapshot.city.bounds,
        "view": view,
        "grid": grid,
        "layers": list(layers),
        "staleS": settings.stale_s,
        "refreshS": settings.refresh_s,
        "onDutyS": settings.on_duty_minutes * 60,
        "assetZoom": settings.asset_zoom,
        "clusterZoom": settings.cluster_zoom,
        "weekdays": [words.weekday(day) for day in range(7)],
        "months": [words(f"month.{month}") for month in range(1, 13)],
        **page,
    }


def page_versions(store: Store, snapshot: Snapshot) -> dict[str, str]:
    """The versions of the data, and of what is said of people without any news of the data."""
    return {**snapshot.versions, "people": states_mark(store)}


def city_map(
    words: Words,
    *,
    label: str,
    config: dict[str, Any],
    spec: dict[str, Any] | None = None,
    title: Any = None,
    legend: Any = None,
    notes: Any = None,
    top_left: Sequence[Any] = (),
    top_right: Sequence[Any] = (),
    over: Sequence[Any] = (),
) -> html.Section:
    """The map with what stands over it; fills its place.

    Parameters
    ----------
    label
        What a screen reader says of the map.
    config
        From `map_config`.
    spec
        The shade of units at first, or None.
    title, legend, notes
        Upper left, lower left, lower right; none of them covers the middle.
    top_left, top_right
        Switches below the title and in the other corner.
    over
        What covers the whole map for a while, such as its table twin.
    """
    return html.Section(
        [
            *_canvas(label),
            html.Div(
                [html.H2(title, id=MAP_TITLE, className="map-title"), *top_left],
                className="map-top-left",
            ),
            html.Div(list(top_right), className="map-top-right"),
            html.Div(
                [
                    _button("in", "+", words("button.in")),
                    _button("out", "−", words("button.out")),
                    _button("home", "⌂", words("button.home")),
                ],
                className="map-zoom",
            ),
            _legend(words, legend),
            _corner(notes),
            *over,
            *_kept(config, spec),
        ],
        className="map-panel",
    )


def _canvas(label: str) -> list[Any]:
    """The map itself, and what is drawn right over it."""
    graph = dcc.Graph(id=MAP_GRAPH, config=_GRAPH_CONFIG, className="map-graph", responsive=True)
    return [
        html.Div(graph, className="map-canvas", role="application", **attrs({"aria-label": label})),
        html.Canvas(id="map-pulses", className="map-pulses"),
        html.Div(className="map-cross", **attrs({"aria-hidden": "true"})),
        html.Div(id="map-tip", className="map-tip"),
    ]


def _legend(words: Words, legend: Any) -> html.Div:
    """Lower left: the page's own legend, and that of the marks."""
    return html.Div(
        [
            html.Div(legend, id=MAP_LEGEND),
            html.Ul(build_marks_legend(words), className="marks-legend"),
        ],
        className="legend",
        role="group",
        **attrs({"aria-label": words("legend.title")}),
    )


def _corner(notes: Any) -> html.Div:
    """Lower right: notes and the scale."""
    scale = [html.Span(id="map-scale-text"), html.I(id="map-scale-bar")]
    return html.Div(
        [html.Div(notes, id=MAP_NOTES), html.Div(scale, className="scale")],
        className="map-bottom-right",
    )


def _kept(config: dict[str, Any], spec: dict[str, Any] | None) -> list[Any]:
    """What the browser's part reads."""
    return [
        dcc.Store(id=MAP_CONFIG, data=config),
        dcc.Store(id=MAP_SHADE, data=spec),
        dcc.Store(id=MAP_LAYERS, data=config["layers"]),
        dcc.Store(id=MAP_VERSIONS, data=config["versions"]),
        html.Div(id=_DONE, hidden=True),
    ]


def layer_chips(words: Words, component_id: str, chosen: Sequence[str]) -> html.Div:
    """Switches of the layers; the page's callback passes their `value` on to MAP_LAYERS."""
    chips = [
        dmc.Chip(words(f"layer.{name}"), value=name, size="xs", variant="outline")
        for name in LAYER_NAMES
    ]
    return html.Div(
        dmc.ChipGroup(chips, id=component_id, multiple=True, value=list(chosen)),
        className="layer-chips",
        role="group",
        **attrs({"aria-label": words("layers")}),
    )


def map_empty(words: Words) -> html.Div:
    """What covers the map of a city without grids: why, and what to do."""
    return html.Div(
        [html.H2(words("map.empty.title")), html.P(words("map.empty.text"))], className="map-empty"
    )


def build_marks_legend(words: Words) -> list[Any]:
    """Shape and word of each state of an open incident, and of a worker."""
    states = ("late", "soon", "fine", "none")
    items = [html.Li([mark(state), words(f"state.{state}")]) for state in states]
    people = [
        html.Li([worker_mark(state), words(f"js.worker.{state}")], className="of-people")
        for state in DRAWN
    ]
    return [
        html.Li(words("legend.incidents"), className="legend-title"),
        *items,
        html.Li(words("live.legend"), className="legend-title of-people"),
        *people,
    ]


DRAWN = ("on_duty", "off_post", "standing", "no_signal", "sos")
"""States of workers that have a mark on the map; who is off duty has none."""


def map_notes(store: Store, snapshot: Snapshot, words: Words) -> list[Any]:
    """What is not on the map, which boundaries, whose ground."""
    totals, city = snapshot.totals, snapshot.city
    notes = []
    if totals["unplaced"] or totals["outside"]:
        notes.append(
            words(
                "map.outside",
                unplaced=words.number(totals["unplaced"]),
                outside=words.number(totals["outside"]),
            )
        )
    if city.version is not None and city.since is not None:
        since = city.since.astimezone(snapshot.at.tzinfo)
        notes.append(words("map.version", version=city.version, date=f"{since:%Y-%m-%d}"))
    if store.settings.attribution:
        notes.append(words("map.attribution", credit=store.settings.attribution))
    return [html.Span(note) for note in notes]


def _button(action: str, sign: str, label: str) -> html.Button:
    return html.Button(
        sign,
        className="map-button",
        type="button",
        title=label,
        **attrs({"aria-label": label, "data-map": action}),
    )


def _empty_figure(mood: Mood) -> dict[str, Any]:
    """A map of plotly with nothing on it: plotly makes no map for a figure without a trace."""
    colours = tokens(mood)
    return {
        "data": [{"type": "scattermap", "lon": [0], "lat": [0], "opacity": 0, "hoverinfo": "skip"}],
        "layout": {
            "map": {},
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "paper_bgcolor": colours.land,
            "plot_bgcolor": colours.land,
            "showlegend": False,
            "hovermode": False,
            "dragmode": "pan",
            "clickmode": "none",
            "font": {"family": FONT_STACK, "color": colours.text, "size": 14},
        },
    }
