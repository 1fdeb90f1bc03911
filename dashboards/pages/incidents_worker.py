"""The layout of `/worker`: a phone's width, one column, targets of 44 px and more."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.components.city_map import city_map
from dashboards.components.marks import attrs
from dashboards.pages.incidents_ids import CASE, DONE, ME, WORKER_PAGE
from dashboards.pages.incidents_layout import city_name, in_mantine, language_of, page_config
from dashboards.store import Store
from dashboards.words import Words


def build_worker_page(store: Store, query: dict[str, str]) -> Any:
    """The whole page; cases, forms and what waits to be sent come from the browser's part."""
    snapshot, words = store.snapshot(), language_of(store, query)
    config = page_config(store, snapshot, words, query, page="worker")
    other = "en" if words.language == "zh" else "zh"
    city = city_name(store, snapshot, words)
    page = html.Div(
        [
            html.Header(
                [
                    html.H1(words("worker.title", city=city)),
                    html.Button(
                        "", id=ME, type="button", className="inc-me",
                        **attrs({"aria-label": words("cases.me.label")}),
                    ),
                    html.A(words("worker.desk"), href="/incidents", className="inc-button"),
                    html.A(
                        words("language.switch"), href=f"?lang={other}", className="inc-button",
                        lang="en" if other == "en" else "zh-CN", **attrs({"data-lang": other}),
                    ),
                ],
                className="wk-top",
            ),
            html.Div(id="worker-status", className="wk-status", role="status"),
            html.Section(
                id="worker-outbox", className="wk-outbox", hidden=True,
                **attrs({"aria-label": words("worker.outbox")}),
            ),
            html.Section(
                city_map(words, label=words("worker.map"), config=config),
                id="worker-map",
                className="wk-map",
            ),
            html.Section(
                id=CASE, className="panel inc-case", hidden=True,
                **attrs({"aria-label": words("cases.js.case.file")}),
            ),
            _looks(words),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2(words("worker.mine")),
                            html.Span("", id="worker-count", className="inc-quiet", role="status"),
                            html.Button(
                                words("worker.refresh"), id="worker-refresh", type="button",
                                className="inc-button",
                            ),
                        ],
                        className="wk-head",
                    ),
                    html.Div(id="worker-list"),
                ],
                className="wk-list",
                **attrs({"aria-label": words("worker.list.label")}),
            ),
            html.Div(
                html.Button(
                    words("worker.report"), id="incidents-report", type="button",
                    className="inc-button is-main",
                ),
                className="wk-foot",
            ),
            html.Div(id=DONE, hidden=True),
        ],
        id=WORKER_PAGE,
        className="wk mood-day",
        lang="zh-CN" if words.language == "zh" else "en",
    )  # fmt: skip
    return in_mantine(page)


def _looks(words: Words) -> html.Section:
    """Who looked at my track: one line, more when it is opened; filled by assets/57-tracks.js."""
    return html.Section(
        html.Details(
            [
                html.Summary(
                    [
                        html.Span(words("tracks.title"), className="wk-looks-title"),
                        html.Span("", id="worker-looks-count", className="inc-quiet"),
                    ]
                ),
                html.Div(
                    html.P(words("tracks.choose"), className="inc-empty"),
                    id="worker-looks-list",
                    **attrs({"aria-live": "polite"}),
                ),
            ],
            id="worker-looks",
        ),
        className="wk-looks",
        **attrs({"aria-label": words("tracks.title"), "data-facts": words("tracks.facts")}),
    )
