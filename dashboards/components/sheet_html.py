"""Elements of HTML and SVG as text, with everything that is not markup escaped.

For what is drawn on the server and printed as it stands; pages that live use dash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup, escape

EMPTY = frozenset({"br", "hr", "path", "rect", "circle", "line", "polygon", "polyline", "use"})


def h(name: str, *children: Any, **attributes: Any) -> Markup:
    """One element.

    `class_` and names with `_` for `-` are attributes; one that is None or False is left out, True
    stands without a value. Children that are lists are taken as their items.
    """
    parts = [Markup("<") + Markup(name)]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        plain = key.rstrip("_").replace("_", "-")
        told = plain if value is True else value
        parts.append(Markup(' {}="{}"').format(Markup(plain), _number(told)))
    if name in EMPTY and not children:
        return Markup("").join([*parts, Markup("/>")])
    inner = Markup("").join(escape(child) for child in _flat(children))
    return Markup("").join([*parts, Markup(">"), inner, Markup(f"</{name}>")])


def _number(value: Any) -> Any:
    """Numbers of drawings with a tenth of their unit, which is finer than any printer."""
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def _flat(children: Iterable[Any]) -> Iterable[Any]:
    for child in children:
        if child is None or child is False:
            continue
        if isinstance(child, list | tuple):
            yield from _flat(child)
        else:
            yield child
