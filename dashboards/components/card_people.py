"""The people of the card: the chain from the grid to the city, fire, police, who is nearest.

A post that nobody holds is shown as vacant with who held it last, a post that two hold as held
twice: a card that hid either would send the caller to nobody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import dash
from dash import html

from dashboards.components.card_parts import (
    disabled,
    empty,
    locate,
    metres,
    section,
)
from dashboards.components.marks import attrs, mark
from dashboards.describe import duty_role, level_name
from dashboards.one_click import Card, NearWorker
from dashboards.words import Words
from geo.responsibility import Chain, Department, Holder, Post, Step

REPLAY_PATH = "/workers"


def chain_part(card: Card, words: Words) -> html.Section:
    """The levels from the grid up, each with its people."""
    if card.chain is None:
        text = words("one.chain.unplaced" if card.around is None else "one.chain.outside")
        return section(words("one.chain"), empty(text), name="chain")
    chain = card.chain
    notes = []
    if chain.source == "workers":
        notes.append(words("one.chain.undated"))
    if not chain.is_in_force:
        notes.append(words("one.chain.past"))
    steps = html.Ol([_step(step, card.at, words) for step in chain.steps], className="card-chain")
    more = [_kind(chain, kind, card.at, words) for kind in ("fire", "police")]
    return section(
        words("one.chain"),
        [
            steps,
            *(empty(note) for note in notes),
            *(part for part in more if part is not None),
        ],
        note=words("one.chain.at", time=words.moment(card.at, card.at)),
        name="chain",
    )


def _step(step: Step, at: datetime, words: Words) -> html.Li:
    line = [post for post in step.posts if post.kind == "line"]
    person = step.person
    role = next((post.role for post in line if person and post.acting == person), "")
    stands_in = person is not None and person.rank > 1
    who: list[Any]
    if person is None:
        key = "one.vacant" if line else "one.nobody"
        who = [mark("unknown"), html.Span(words(key), className="state-unknown")]
    else:
        who = [
            html.Span(person.name, className="person-name"),
            html.Span(duty_role(role or person.role, step.level, words), className="quiet"),
        ]
        if stands_in:
            who.append(html.Span(words("one.acting"), className="tag"))
    if any(post.is_double for post in line):
        who.append(html.Span([mark("soon"), words("one.double")], className="tag state-soon"))
    others = [post for post in step.posts if post.kind not in ("fire", "police")]
    head = [
        html.Span(level_name(step.level, words), className="chain-level"),
        _unit(step, words),
        html.Span(who, className="chain-who"),
        _phone(person, words),
    ]
    if not others:
        return html.Li(html.Div(head, className="chain-row"), className="chain-step")
    return html.Li(
        html.Details(
            [
                html.Summary(head, className="chain-row"),
                html.Ul([_post(post, at, words) for post in others], className="posts"),
            ]
        ),
        className="chain-step",
    )


def _unit(step: Step, words: Words) -> Any:
    return html.Span(step.name, className="chain-unit", title=step.code)


def _phone(person: Holder | None, words: Words) -> html.Span:
    if person is None:
        return html.Span("", className="person-phone")
    return html.Span(person.phone or words("one.nophone"), className="person-phone")


def _post(post: Post, at: datetime, words: Words) -> html.Li:
    role = duty_role(post.role, post.level, words)
    lines: list[Any] = []
    if post.is_double:
        lines.append(html.Span([mark("soon"), words("one.double")], className="tag state-soon"))
    if post.is_vacant:
        lines.append(html.Span([mark("unknown"), _vacancy(post, words)], className="quiet"))
    lines += [_holder(holder, words("one.holds"), at, words) for holder in post.holders]
    lines += [
        _holder(holder, words("one.deputy", rank=holder.rank - 1), at, words)
        for holder in post.deputies
    ]
    return html.Li([html.Span(role, className="post-role"), html.Div(lines)], className="post")


def _vacancy(post: Post, words: Words) -> str:
    text = words("one.vacant")
    if post.former is not None and post.former.valid_to is not None:
        day = f"{post.former.valid_to:%Y-%m-%d}"
        text = words("one.vacant.since", day=day, name=post.former.name)
    if post.coming is not None and post.coming.valid_from is not None:
        day = f"{post.coming.valid_from:%Y-%m-%d}"
        text = words("one.vacant.coming", text=text, day=day, name=post.coming.name)
    return text


def _holder(holder: Holder, as_what: str, at: datetime, words: Words) -> html.Div:
    return html.Div(
        [
            html.Span(holder.name, className="person-name"),
            html.Span(as_what, className="quiet"),
            html.Span(holder.phone or words("one.nophone"), className="person-phone"),
            html.Span(_dates(holder, at, words), className="quiet person-dates"),
        ],
        className="holder",
    )


def _dates(holder: Holder, at: datetime, words: Words) -> str:
    zone = at.tzinfo
    since = holder.valid_from.astimezone(zone) if holder.valid_from else None
    until = holder.valid_to.astimezone(zone) if holder.valid_to else None
    if since is None and until is None:
        return words("one.dates.none")
    if until is None:
        return words("one.dates.since", day=f"{since:%Y-%m-%d}")
    start = f"{since:%Y-%m-%d}" if since else ""
    return words("one.dates.span", start=start, end=f"{until:%Y-%m-%d}")


def _kind(chain: Chain, kind: str, at: datetime, words: Words) -> html.Details | None:
    """Fire safety with its three nested levels, or the police; None where the city has none."""
    posts = chain.posts(kind)
    if not posts:
        return None
    names = [post.acting.name for post in posts if post.acting is not None]
    vacant = sum(post.is_vacant for post in posts)
    note = words("one.posts.vacant", n=vacant) if vacant else ""
    units = {step.code: step.name for step in chain.steps}
    rows = []
    for post in reversed(posts):
        row = _post(post, at, words)
        row.children.insert(0, html.Span(units.get(post.unit_code, ""), className="quiet"))
        rows.append(row)
    return html.Details(
        [
            html.Summary(
                [
                    html.Span(words(f"duty.kind.{kind}"), className="chain-level"),
                    html.Span(words("one.and").join(names)),
                    html.Span(note, className="state-unknown"),
                ],
                className="chain-row is-kind",
            ),
            html.Ul(rows, className="posts is-nested"),
        ],
        className="card-kind",
        **attrs({"data-kind": kind}),
    )


def departments_part(card: Card, words: Words) -> html.Section | None:
    """Whom to call at the department that has the case or the thing, and at all others."""
    if not card.departments:
        return None
    first: list[Department] = [card.owner] if card.owner is not None else []
    if card.thing is not None and card.thing[2].department is not None:
        first.append(card.thing[2].department)
    codes = {department.code for department in first}
    rest = [department for department in card.departments if department.code not in codes]
    shown = [_department(d, card.at, words) for d in dict.fromkeys(first)]
    others = html.Details(
        [
            html.Summary(words("one.departments.all", n=len(rest))),
            html.Ul([_department(d, card.at, words) for d in rest], className="departments"),
        ],
        className="card-more",
    )
    body = [html.Ul(shown, className="departments")] if shown else []
    return section(words("one.departments"), [*body, others], name="departments")


def _department(department: Department, at: datetime, words: Words) -> html.Li:
    people = [
        _holder(holder, duty_role(post.role, "department", words), at, words)
        for post in department.posts
        for holder in (*post.holders, *post.deputies)
    ]
    vacant = [
        html.Span([mark("unknown"), _vacancy(post, words)], className="quiet")
        for post in department.posts
        if post.is_vacant
    ]
    desk = words("one.desk", phone=department.phone) if department.phone else ""
    return html.Li(
        [
            html.Div(
                [
                    html.Span(department.name, className="person-name"),
                    html.Span(desk, className="person-phone"),
                ],
                className="holder",
            ),
            *people,
            *vacant,
        ]
    )


def nearest_part(card: Card, words: Words, minutes: int) -> html.Section | None:
    """The three on duty who are nearest, with distance and age of their last position."""
    if card.around is None:
        return None
    note = words("one.nearest.note", minutes=minutes)
    if not card.nearest:
        key = "one.nearest.stale" if card.workers_known else "one.nearest.none"
        return section(
            words("one.nearest"), empty(words(key, minutes=minutes)), note=note, name="nearest"
        )
    rows = [_near(worker, card, words) for worker in card.nearest]
    return section(
        words("one.nearest"), html.Ol(rows, className="card-nearest"), note=note, name="nearest"
    )


def _near(worker: NearWorker, card: Card, words: Words) -> html.Li:
    near = worker.near
    age = words("one.ago", span=words.span(max(near.age_s, 0.0)))
    role = duty_role(worker.role, "grid", words) if worker.role else words("one.unregistered")
    return html.Li(
        [
            html.Span(metres(near.distance_m, words), className="near-far"),
            html.Span(worker.name, className="person-name"),
            html.Span(role, className="quiet"),
            html.Span(worker.phone or words("one.nophone"), className="person-phone"),
            html.Span(
                [
                    html.Span(age, className="quiet near-age"),
                    locate(near.lon, near.lat, words, worker.name),
                    replay_of(near.key, card.at, words),
                ],
                className="near-tools",
            ),
        ],
        **attrs({"data-worker": near.key}),
    )


def has_replay() -> bool:
    """Whether this server has the page that plays patrols."""
    return any(page["path"] == REPLAY_PATH for page in dash.page_registry.values())


def replay_of(worker_id: str, at: datetime, words: Words, text: str = "") -> Any:
    """A link to the replay of a worker's patrol, or why there is none."""
    label = text or words("one.replay")
    if not has_replay():
        return disabled(label, words("one.replay.none"))
    query = urlencode({"at": at.isoformat(timespec="seconds"), "worker": worker_id})
    return html.A(label, href=f"{REPLAY_PATH}?{query}", className="card-button is-link")
