"""The frame of `/planner`: tools on the left, the map, tabs on the right, one line at the foot.

What other parts of the planner bring (consequences, versions, division) stands in the frame as
hidden panels; the browser makes tabs of those whose asset is there (`wangge.plan.panel`). The plan
itself travels as `dashboards.plan_routes` sends it.
"""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.components.city_map import MAP_CONFIG, city_map, map_config
from dashboards.components.marks import attrs
from dashboards.components.page_nav import day_header
from dashboards.components.planner_divide import build_divide_panel
from dashboards.components.planner_impact import build_impact_panel
from dashboards.components.planner_versions import build_versions_panel
from dashboards.figures import Snapshot
from dashboards.pages.incidents_layout import city_name, in_mantine
from dashboards.store import Store
from dashboards.words import Words
from geo.incidents import ROLES
from layers.colours import MOODS, Mood, category, diverging, tokens
from layers.oklch import mix

PAGE = "planner-page"
DONE = "planner-done"
CONFIG = MAP_CONFIG
LAYERS = ("labels",)
PLANNER = "planner"
"""A role of this page beside those of incidents."""
BAND_CLASSES = 7
"""Three below the band, the band, three above it."""


def planner_config(
    store: Store,
    snapshot: Snapshot,
    words: Words,
    query: dict[str, str],
    *,
    band: tuple[int, int],
    plans: int,
) -> dict[str, Any]:
    """What the browser needs on this page, with the map's part (see `map_config`).

    Parameters
    ----------
    query
        Of the address: `plan` is opened at once.
    band
        Households that a grid should have.
    plans
        How many plans there are.
    """
    settings = store.settings
    return map_config(
        store,
        snapshot,
        words,
        layers=LAYERS,
        mood="day",
        title=words("planner.title", city=city_name(store, snapshot, words)),
        cases={
            "page": "planner",
            "words": words.starting("cases.js."),
            "roles": [PLANNER, *ROLES],
            "language": settings.language,
            "soonS": settings.soon_minutes * 60,
            "refreshS": settings.refresh_s,
        },
        planner={
            "words": words.starting("planner.js."),
            "plan": query.get("plan") or None,
            "plans": plans,
            "band": list(band),
            "palettes": {mood: palettes(mood) for mood in MOODS},
        },
    )


def palettes(mood: Mood) -> dict[str, Any]:
    """Colours of the fills of a plan in a mood.

    `band` runs from far below the band to far above it, `grids` has a tone for neighbours to tell
    them apart, `none` is for grids without a band.
    """
    ground = tokens(mood)
    band = list(diverging(mood, BAND_CLASSES))
    # What is as it should be is told from what is not on the plan at all.
    band[BAND_CLASSES // 2] = mix(ground.panel, ground.fine, 0.2)
    return {
        "band": band,
        "grids": [mix(colour, ground.panel, 0.45) for colour in category(mood)],
        "none": ground.no_data,
    }


def planner_frame(
    store: Store, snapshot: Snapshot, words: Words, config: dict[str, Any], notes: list[Any]
) -> Any:
    """The whole page; `config` is that of `planner_config`."""
    page = html.Div(
        [
            html.A(words("planner.skip"), href="#plan-map", className="skip"),
            day_header(store, snapshot, words, "planner"),
            _bar(words),
            html.Main(
                [
                    html.Div(
                        id="plan-tools",
                        className="plan-tools",
                        role="toolbar",
                        **attrs({"aria-label": words("planner.tools")}),
                    ),
                    _map(words, config, notes),
                    _side(store, words),
                ],
                className="plan-main",
            ),
            _foot(words),
            html.Div(id=DONE, hidden=True),
        ],
        id=PAGE,
        className="inc plan-page mood-day",
        lang="zh-CN" if words.language == "zh" else "en",
    )
    return in_mantine(page)


def _bar(words: Words) -> html.Div:
    def step(name: str) -> html.Button:
        return html.Button(
            words(f"planner.{name}"),
            id=f"plan-{name}",
            type="button",
            className="inc-button is-small",
            disabled=True,
            **attrs({"aria-keyshortcuts": words(f"planner.{name}.keys")}),
        )

    return html.Div(
        [
            html.Button(
                "",
                id="plan-chooser",
                type="button",
                className="plan-chooser",
                **attrs({"aria-label": words("planner.chooser"), "aria-haspopup": "dialog"}),
            ),
            html.Button(
                words("planner.rename"),
                id="plan-rename",
                type="button",
                className="inc-button is-small",
                hidden=True,
            ),
            html.Span("", id="plan-saved", className="plan-saved", role="status"),
            html.Div([step("undo"), step("redo")], className="plan-group"),
            html.Div(id="plan-band", className="plan-group"),
            html.Div(
                [
                    html.Button(
                        words(f"planner.shade.{name}"),
                        type="button",
                        className="plan-shade",
                        **attrs({"data-shade": name, "aria-pressed": str(name == "band").lower()}),
                    )
                    for name in ("band", "grids")
                ],
                className="plan-group plan-shades",
                role="group",
                **attrs({"aria-label": words("planner.shade")}),
            ),
            html.Button(
                words("planner.help"), id="plan-help", type="button",
                className="inc-button is-small plan-help-button",
                **attrs({"aria-keyshortcuts": "?"}),
            ),
        ],
        className="plan-barline",
    )  # fmt: skip


def _map(words: Words, config: dict[str, Any], notes: list[Any]) -> html.Section:
    return html.Section(
        city_map(
            words,
            label=words("planner.map"),
            config=config,
            legend=html.Div(id="plan-legend"),
            notes=notes,
            over=[
                html.Canvas(
                    id="plan-names", className="plan-names", **attrs({"aria-hidden": "true"})
                ),
                html.Div(id="plan-ring", className="plan-ring", hidden=True),
                html.Div(
                    id="plan-ask",
                    className="plan-ask",
                    role="alertdialog",
                    hidden=True,
                    **attrs({"aria-label": words("planner.ask")}),
                ),
                html.Div(id="plan-state", className="plan-blank", role="status", hidden=True),
            ],
        ),
        id="plan-map",
        className="plan-map",
        **attrs({"tabIndex": "-1"}),
    )


def _side(store: Store, words: Words) -> html.Aside:
    return html.Aside(
        [
            html.Div(
                id="plan-tabs",
                className="inc-tabs plan-tabs",
                role="tablist",
                **attrs({"aria-label": words("planner.panels")}),
            ),
            html.Div(id="plan-body", className="plan-body", role="tabpanel"),
            html.Div(
                [
                    html.Div(id="plan-grids", className="plan-grids", hidden=True),
                    html.Div(id="plan-history", className="plan-history", hidden=True),
                    build_impact_panel(store, words),
                    build_divide_panel(store, words),
                    build_versions_panel(store, words),
                ],
                id="plan-panels",
                hidden=True,
            ),
        ],
        className="panel plan-side",
        **attrs({"aria-label": words("planner.panels")}),
    )


def _foot(words: Words) -> html.Footer:
    return html.Footer(
        [
            html.Div("", id="plan-say", className="plan-say", role="status"),
            html.Div(
                id="plan-figures",
                className="plan-figures",
                **attrs({"aria-live": "polite", "aria-label": words("planner.figures")}),
            ),
        ],
        className="plan-foot",
    )
