"""The frame of the one-click card: it stands from the start, and the form of a move is part of it.

So text that was typed stays whatever others do to the case meanwhile, and nothing jumps while an
answer is on its way.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboards.components import card_ids as ids
from dashboards.components.card_fill import answer, nothing
from dashboards.components.case_words import role_word
from dashboards.components.marks import attrs
from dashboards.one_click import Target
from dashboards.store import Store
from dashboards.words import Words
from geo.incidents import ROLES

FIELDS = ("note", "owner", "until", "other_id", "condition")
"""What a move may ask for (`geo.incidents.Move.needs`), each a field of the form."""


def card_shell(
    store: Store,
    words: Words,
    *,
    target: Target | None = None,
    person: dict[str, Any] | None = None,
    listens: bool = True,
) -> html.Section:
    """The frame of the card, filled at once where there is a target.

    Parameters
    ----------
    target
        What the card shows as the page opens, see `one_click.read_target`.
    person
        Who looks, if the page knows; else what the browser remembers.
    listens
        Whether clicks on the map open the card by themselves; a page that keeps its own choice in
        `PAGE_PLACE` says no, and the card follows that.
    """
    parts = answer(store, target, person, words) if target is not None else nothing()
    config = {
        "lang": words.language,
        "listens": listens,
        "words": words.starting("one.js."),
        "needs": {name: words(f"need.{name}") for name in FIELDS},
    }
    return html.Section(
        [
            html.Div(parts["head"], id=ids.CARD_HEAD, className="panel-head detail-head"),
            html.Div(
                [
                    html.Div(parts["actions"], id=ids.CARD_ACTIONS, className="card-actions"),
                    _form(words, parts["owners"]),
                    html.Div(id=ids.CARD_SAID, className="card-saying", role="status"),
                    html.Div(parts["body"], id=ids.CARD_BODY, className="card-body"),
                ],
                className="card-scroll",
                tabIndex="0",
                role="region",
                **attrs({"aria-label": words("one.title")}),
            ),
            dcc.Store(id=ids.CARD_TARGET, data=None if target is None else target.data()),
            dcc.Store(id=ids.CARD_PERSON, data=person),
            dcc.Store(id=ids.CARD_CONFIG, data=config),
            dcc.Store(id=ids.CARD_TOUCH, data=0),
            dcc.Store(id=ids.CARD_MARKS, data=parts["marks"]),
            dcc.Store(id=ids.CARD_SEEN, data=parts["seen"]),
            dcc.Store(id=ids.CARD_MOVE, data=None),
            html.Div(id=ids.CARD_DONE, hidden=True),
        ],
        id=ids.CARD,
        className="panel detail-panel one-card",
        hidden=target is None,
        **attrs({"aria-label": words("one.title"), "aria-live": "polite"}),
    )


def _form(words: Words, owners: list[dict[str, Any]]) -> html.Div:
    """The form of a move; the browser shows the fields that the chosen move needs."""
    roles = [{"value": role, "label": role_word(words, role)} for role in ROLES]
    field = {"size": "xs", "className": "card-input"}
    return html.Div(
        [
            html.Div(
                [
                    dmc.Select(
                        id=ids.CARD_ROLE, data=roles, placeholder=words("one.role"),
                        clearable=True, **attrs({"aria-label": words("one.role")}), **field,
                    ),
                    dmc.TextInput(
                        id=ids.CARD_BY, placeholder=words("one.by"), debounce=True,
                        **attrs({"aria-label": words("one.by")}), **field,
                    ),
                ],
                className="card-person",
            ),
            html.Div(
                [
                    html.Div(id="card-form-title", className="card-form-title"),
                    _field("owner", dmc.Select(
                        id=ids.CARD_OWNER, label=words("need.owner"), searchable=True, data=owners,
                        clearable=True, nothingFoundMessage=words("one.owner.nothing"), **field,
                    )),
                    _field("until", dmc.DateTimePicker(
                        id=ids.CARD_UNTIL, label=words("need.until"), clearable=True,
                        valueFormat="YYYY-MM-DD HH:mm", **field,
                    )),
                    _field("other_id", dmc.TextInput(
                        id=ids.CARD_OTHER, label=words("need.other_id"), **field,
                    )),
                    _field("condition", dmc.TextInput(
                        id=ids.CARD_CONDITION, label=words("need.condition"), **field,
                    )),
                    _field("note", dmc.Textarea(
                        id=ids.CARD_NOTE, label=words("need.note"), autosize=True, minRows=2,
                        maxRows=6, **field,
                    )),
                    html.Div(
                        [
                            html.Button(
                                words("one.send"), id=ids.CARD_SEND, type="button", n_clicks=0,
                                className="card-button is-text is-main",
                            ),
                            html.Button(
                                words("one.cancel"), type="button",
                                className="card-button is-text", **attrs({"data-form": "close"}),
                            ),
                        ],
                        className="card-form-buttons",
                    ),
                ],
                className="card-form",
                id=ids.CARD_FORM,
                hidden=True,
            ),
        ],
        className="card-hands",
    )  # fmt: skip


def _field(need: str, control: Any) -> html.Div:
    return html.Div(control, className="card-field", **attrs({"data-need": need}))
