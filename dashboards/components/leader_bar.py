"""The bar above a briefing: where, when, against what, at which level, which classes; what to take.

The buttons and fields stand at once; what can be chosen of levels and classes depends on the city
and the area and comes with the figures (`choosers_json`, assets/81-leader-choose.js).
"""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.components.leader_parts import class_label, level_word
from dashboards.components.marks import attrs
from dashboards.leader_desk import LeaderFigures
from dashboards.words import Words
from geo.codes import ClassBook
from geo.errors import CodeError

KINDS = ("day", "week", "month", "quarter", "year", "span")
AGAINST = ("last_year", "last_period")
REPORTS = ("html", "pdf", "xlsx")


def leader_bar(words: Words) -> html.Div:
    """Area, period, comparison, level, classes, and what to take along."""
    return html.Div(
        [
            html.Nav(
                id="leader-path", className="ld-path", **attrs({"aria-label": words("leader.path")})
            ),
            html.Div(
                [
                    _choices("kind", [(k, words(f"leader.kind.{k}")) for k in KINDS], words),
                    _step(words),
                    _span(words),
                ],
                className="ld-when",
            ),
            _choices("against", [(k, words(f"leader.bar.against.{k}")) for k in AGAINST], words),
            html.Label(
                [
                    html.Span(words("leader.bar.level")),
                    html.Select(id="leader-level", className="inc-input"),
                ],
                className="ld-field",
            ),
            _classes(words),
            _tools(words),
        ],
        className="ld-bar",
        role="toolbar",
        **attrs({"aria-label": words("leader.bar.label")}),
    )


def _choices(name: str, options: list[tuple[str, str]], words: Words) -> html.Div:
    return html.Div(
        [
            html.Button(text, type="button", **attrs({f"data-{name}": value}))
            for value, text in options
        ],
        className="cv-views",
        role="group",
        id=f"leader-{name}",
        **attrs({"aria-label": words(f"leader.bar.{name}")}),
    )


def _button(name: str, text: str, words: Words) -> html.Button:
    label = {"aria-label": words(f"leader.bar.{name}")} if len(text) == 1 else {}
    return html.Button(
        text, type="button", className="inc-button", id=f"leader-{name}", **attrs(label)
    )


def _date(name: str, words: Words) -> html.Label:
    return html.Label(
        [
            html.Span(words(f"leader.bar.{name}")),
            # dash keeps the type of an input for itself; the browser's part makes it a date.
            html.Div(id=f"leader-{name}", className="ld-date"),
        ],
        className="ld-field",
    )


def _step(words: Words) -> html.Div:
    """The period before and after; its name opens the choice of any day."""
    return html.Div(
        [
            _button("before", "‹", words),
            html.Details(
                [
                    html.Summary(
                        html.Span("", id="leader-period", role="status"), className="ld-period"
                    ),
                    html.Div(_date("day", words), className="ld-menu is-left"),
                ],
                className="ld-pick",
                id="leader-pick-day",
            ),
            _button("after", "›", words),
            _button("today", words("leader.bar.today"), words),
        ],
        className="ld-step",
        id="leader-step",
    )


def _span(words: Words) -> html.Div:
    return html.Div(
        [_date("first", words), _date("last", words)],
        className="ld-step",
        id="leader-span",
        hidden=True,
    )


def _classes(words: Words) -> html.Details:
    return html.Details(
        [
            html.Summary(
                [
                    html.Span(words("leader.bar.class"), className="ld-quiet"),
                    html.B("", id="leader-class-text"),
                ],
                className="inc-button",
            ),
            html.Div(id="leader-classes-menu", className="ld-menu ld-classes is-left"),
        ],
        className="ld-pick",
        id="leader-pick-class",
    )


def _tools(words: Words) -> html.Div:
    links = [
        html.A(words(f"leader.report.{kind}"), href="#", **attrs({"data-report": kind}))
        for kind in REPORTS
    ]
    return html.Div(
        [
            html.Span("", id="leader-age", className="ld-age", role="status"),
            _button("present", words("leader.present"), words),
            _button("print", words("leader.print"), words),
            html.Details(
                [
                    html.Summary(words("leader.report"), className="inc-button is-main"),
                    html.Div(links, className="ld-menu", id="leader-reports"),
                ],
                className="ld-pick",
            ),
        ],
        className="ld-tools",
    )


def choosers_json(figures: LeaderFigures, words: Words) -> dict[str, Any]:
    """What may be chosen here: levels with their numbers of units, classes by group with cases."""
    view, book = figures.view, figures.book
    groups: dict[str, list[dict[str, Any]]] = {}
    counts = dict(view.held)
    for code in [*counts, *(code for code in view.choice.classes if code not in counts)]:
        one = {"code": code, "name": class_label(code, words, book), "n": counts.get(code, 0)}
        groups.setdefault(_group(code, book), []).append(one)
    titles = book.incident_groups()[words.language].to_dict()
    order = sorted(groups, key=lambda name: -sum(one["n"] for one in groups[name]))
    return {
        "levels": [
            {"level": name, "text": words("leader.bar.units", level=level_word(name, words),
                                          n=words.number(count))}
            for name, count in view.levels
        ],
        "classes": [
            {"title": str(titles.get(name, words("leader.no_group"))), "classes": groups[name]}
            for name in order
        ],
        "chosen": list(view.choice.classes),
    }  # fmt: skip


def _group(code: str, book: ClassBook) -> str:
    try:
        return book.group(code)
    except CodeError:
        return ""
