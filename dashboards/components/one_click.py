"""The one-click card: what a page puts into its layout, and the callbacks behind it.

A page puts `card_shell` into its layout once; `register_card` adds the callbacks once an app. The
target in `CARD_TARGET` decides what the card shows. A move that comes too late is answered with
what others did meanwhile; what was typed stays and can be sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update

from dashboards.components import card_ids as ids
from dashboards.components.card_fill import answer, nothing, tool
from dashboards.components.card_frame import card_shell as card_shell
from dashboards.components.case_words import move_word, refusal
from dashboards.components.marks import chip
from dashboards.describe import log_line
from dashboards.language import page_words
from dashboards.one_click import read_target as read_target
from dashboards.one_click import target_of
from dashboards.server import new_reference
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import InputError, WanggeError
from geo.incidents import LogRow, MoveRefusedError, StaleMoveError

log = logging.getLogger(__name__)

_EXTENSION = "wangge-card"


def register_card(app: Dash, store: Store) -> None:
    """Add the card's callbacks to `app`; a second call does nothing."""
    if _EXTENSION in app.server.extensions:
        return
    app.server.extensions[_EXTENSION] = True
    _register_show(app, store)
    _register_send(app, store)
    _register_browser(app)


def _register_show(app: Dash, store: Store) -> None:
    @app.callback(
        output={
            "head": Output(ids.CARD_HEAD, "children"),
            "body": Output(ids.CARD_BODY, "children"),
            "actions": Output(ids.CARD_ACTIONS, "children"),
            "marks": Output(ids.CARD_MARKS, "data"),
            "seen": Output(ids.CARD_SEEN, "data"),
            "owners": Output(ids.CARD_OWNER, "data"),
        },
        inputs={
            "target": Input(ids.CARD_TARGET, "data"),
            "touch": Input(ids.CARD_TOUCH, "data"),
            "person": Input(ids.CARD_PERSON, "data"),
        },
        state={
            "config": State(ids.CARD_CONFIG, "data"),
            "seen": State(ids.CARD_SEEN, "data"),
            "move": State(ids.CARD_MOVE, "data"),
        },
        on_error=_on_error(store),
        prevent_initial_call=True,
    )
    def show(
        target: Any, touch: Any, person: Any, config: Any, seen: Any, move: Any
    ) -> dict[str, Any]:
        words = _words(config)
        wanted = target_of(target)
        if wanted is None:
            return nothing()
        found = answer(store, wanted, person, words)
        now = found["seen"]
        open_here = move and seen and now and seen["incident_id"] == now["incident_id"]
        if open_here and ctx.triggered_id == ids.CARD_TOUCH:
            # While a form is open, what its writer had seen stays what counts.
            found["seen"] = no_update
        return found


def _on_error(store: Store) -> Callable[[Exception], dict[str, Any]]:
    """The frame must not wait for ever: the card says what happened, or under which number."""

    def show(error: Exception) -> dict[str, Any]:
        return nothing() | _failure(error, page_words(store.settings.language))

    return show


def _failure(error: Exception, words: Words) -> dict[str, Any]:
    if isinstance(error, WanggeError):
        log.warning("card: %s", error)
        text = words("error.known", text=str(error))
    else:
        reference = new_reference()
        log.error("%s in the card", reference, exc_info=error)
        text = words("error.page", reference=reference)
    head = [
        html.Div([html.H2(words("one.title"), tabIndex="-1")]),
        tool("icon-close", words("one.close"), card="close"),
    ]
    return {"head": head, "body": [html.Div(text, className="empty", role="alert")]}


def _register_send(app: Dash, store: Store) -> None:
    @app.callback(
        output={
            "said": Output(ids.CARD_SAID, "children"),
            "touch": Output(ids.CARD_TOUCH, "data"),
            "seen": Output(ids.CARD_SEEN, "data", allow_duplicate=True),
            "move": Output(ids.CARD_MOVE, "data"),
            "note": Output(ids.CARD_NOTE, "value"),
            "owner": Output(ids.CARD_OWNER, "value"),
            "until": Output(ids.CARD_UNTIL, "value"),
            "other_id": Output(ids.CARD_OTHER, "value"),
            "condition": Output(ids.CARD_CONDITION, "value"),
        },
        inputs={"clicks": Input(ids.CARD_SEND, "n_clicks")},
        state={
            "move": State(ids.CARD_MOVE, "data"),
            "seen": State(ids.CARD_SEEN, "data"),
            "person": State(ids.CARD_PERSON, "data"),
            "touch": State(ids.CARD_TOUCH, "data"),
            "config": State(ids.CARD_CONFIG, "data"),
            "note": State(ids.CARD_NOTE, "value"),
            "owner": State(ids.CARD_OWNER, "value"),
            "until": State(ids.CARD_UNTIL, "value"),
            "other_id": State(ids.CARD_OTHER, "value"),
            "condition": State(ids.CARD_CONDITION, "value"),
        },
        prevent_initial_call=True,
    )
    def send(
        clicks: int, move: Any, seen: Any, person: Any, touch: Any, config: Any, **typed: Any
    ) -> dict[str, Any]:
        words = _words(config)
        kept: dict[str, Any] = dict.fromkeys(
            ("touch", "seen", "move", "note", "owner", "until", "other_id", "condition"), no_update
        )
        if not move or not seen:
            return kept | {"said": no_update}
        try:
            said = make_move(store, seen, move, person, typed, words)
        except StaleMoveError as error:
            # Everything that was typed stays; the second press goes through with what is now known.
            return kept | {
                "said": _told(error, words, store.clock().astimezone(store.settings.zone)),
                "touch": (touch or 0) + 1,
                "seen": {**seen, "seq": error.changes[-1].seq},
            }
        except MoveRefusedError as error:
            return kept | {
                "said": _refused(
                    refusal(
                        words, error, _stage(store, seen), str((person or {}).get("role") or "")
                    )
                )
            }
        except InputError as error:
            return kept | {"said": _refused(str(error))}
        done = dict.fromkeys(("note", "other_id", "condition"), "")
        return kept | done | {
            "said": said, "touch": (touch or 0) + 1, "move": None, "owner": None, "until": None,
        }  # fmt: skip


def _stage(store: Store, seen: dict[str, Any]) -> str:
    """The stage of the case as it is now."""
    return store.casebook.read(seen["incident_id"], at=store.clock()).case.stage


def make_move(
    store: Store,
    seen: dict[str, Any],
    move: str,
    person: dict[str, Any] | None,
    typed: dict[str, Any],
    words: Words,
) -> Any:
    """Write a move into the book; says what was done. Errors of `geo.incidents.apply`."""
    if not person or not person.get("role") or not person.get("by"):
        raise InputError(words("one.moves.who"))
    at = store.clock()
    until = _moment(typed.get("until"), store)
    file = store.casebook.move(
        seen["incident_id"],
        move,
        at=at,
        by=str(person["by"]),
        role=str(person["role"]),
        seen=int(seen["seq"]),
        note=typed.get("note") or None,
        owner=typed.get("owner") or None,
        until=until,
        other_id=typed.get("other_id") or None,
        condition=typed.get("condition") or None,
    )
    line = log_line(file.case.log[-1], words, at.astimezone(store.settings.zone))
    return html.Div(
        [chip("fine", words("one.moved", what=line.what, time=line.when))], className="card-ok"
    )


def _moment(text: Any, store: Store) -> datetime | None:
    """A time as the picker writes it, on the clock of the city."""
    if not isinstance(text, str) or not text:
        return None
    return datetime.fromisoformat(text).replace(tzinfo=store.settings.zone)


def _refused(text: str) -> html.Div:
    return html.Div([chip("late", text)], className="card-refused", role="alert")


def _told(error: StaleMoveError, words: Words, at: datetime) -> html.Div:
    """What others did meanwhile, one line a row."""
    lines = [_change(row, words, at) for row in error.changes]
    attempt = error.attempt
    move = move_word(words, attempt.move) if attempt is not None else ""
    return html.Div(
        [
            html.P(words("one.stale")),
            html.Ul(lines),
            html.P(words("one.stale.again", move=move), className="quiet"),
        ],
        className="card-refused is-stale",
        role="alert",
    )


def _change(row: LogRow, words: Words, at: datetime) -> html.Li:
    line = log_line(row, words, at)
    parts = [line.when, line.what, line.who, *line.details, line.note]
    return html.Li(" ".join(part for part in parts if part))


def _register_browser(app: Dash) -> None:
    def run(name: str) -> ClientsideFunction:
        return ClientsideFunction(namespace="card", function_name=name)

    for name, source in (
        ("begin", Input(ids.CARD_TARGET, "data")),
        ("draw", Input(ids.CARD_MARKS, "data")),
        ("openForm", Input(ids.CARD_MOVE, "data")),
        ("place", Input(ids.PAGE_PLACE, "data")),
        ("said", Input(ids.CARD_SAID, "children")),
    ):
        app.clientside_callback(  # type: ignore[no-untyped-call]
            run(name),
            Output(ids.CARD_DONE, f"data-{name.lower()}"),
            source,
            State(ids.CARD_CONFIG, "data"),
        )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        run("choosePerson"),
        Output(ids.CARD_PERSON, "data"),
        Input(ids.CARD_ROLE, "value"),
        Input(ids.CARD_BY, "value"),
        State(ids.CARD_PERSON, "data"),
        prevent_initial_call=True,
    )


def _words(config: Any) -> Words:
    return Words((config or {}).get("lang", "zh"))
