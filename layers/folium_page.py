"""The fixed parts of an exported page: style, script, title card and legend.

Texts come in as they are and are escaped here; nothing names an address outside of the page.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from layers.colours import Mood, css_variables, tokens
from layers.maplayer import MapLayer
from layers.marks import mark_svg


@cache
def leaflet_css() -> str:
    """Leaflet's style with its pictures inside."""
    text = _vendored("leaflet.css").decode()
    return re.sub(r"url\(images/([a-z0-9-]+\.png)\)", lambda m: f"url({_picture(m[1])})", text)


@cache
def leaflet_js() -> str:
    """Leaflet's script without the pointer to its source map, which is not here."""
    return re.sub(r"//# sourceMappingURL=\S+", "", _vendored("leaflet.js").decode())


def page_css(mood: Mood) -> str:
    """Our style for a page of that mood."""
    return f":root {{ {css_variables(mood)} }}\n{_own('page.css')}"


def page_js() -> str:
    """Our script, and the pictures of leaflet's default pin."""
    pictures = {
        "iconUrl": "marker-icon.png",
        "iconRetinaUrl": "marker-icon-2x.png",
        "shadowUrl": "marker-shadow.png",
    }
    members = json.dumps({name: _picture(file) for name, file in pictures.items()})
    pins = f"L.Icon.Default.imagePath = '';\nL.Icon.Default.mergeOptions({members});\n"
    return pins + _own("page.js")


def title_card(title: str, note: str) -> str:
    """The card at the upper left; nothing where there is no title."""
    if not title:
        return ""
    below = f"<p>{html.escape(note)}</p>" if note else ""
    return f'<header class="card head"><h1>{html.escape(title)}</h1>{below}</header>'


def legend_card(layers: Sequence[MapLayer], words: Mapping[str, str]) -> str:
    """The legend: for each layer its title, unit, classes with counts, and note."""
    parts = [_legend_of(layer) for layer in layers if layer.legend]
    if not parts:
        return ""
    name = html.escape(words["legend"])
    return f'<aside class="card legend" aria-label="{name}">{"".join(parts)}</aside>'


def _legend_of(layer: MapLayer) -> str:
    colours = tokens(layer.mood)
    unit = f"<small>{html.escape(layer.unit)}</small>" if layer.unit else ""
    rows = []
    for item in layer.legend:
        casing = colours.no_data_hatch if item.shape == "hatch" else colours.border_casing
        count = "" if item.count is None else f"<b>{item.count:,}</b>"
        label = html.escape(item.label)
        mark = mark_svg(item.shape, item.colour, 18, casing, width=item.width or 3)
        if layer.kind == "fill" and layer.opacity < 1:
            # A swatch looks like the shapes on the map, which let the ground through.
            mark = mark.replace("<svg ", f'<svg style="opacity:{layer.opacity:g}" ', 1)
        rows.append(f"<li>{mark}{label}{count}</li>")
    note = f"<p>{html.escape(layer.note)}</p>" if layer.note else ""
    head = f"<h2>{html.escape(layer.title)}{unit}</h2>"
    return f"<section>{head}<ul>{''.join(rows)}</ul>{note}</section>"


def _picture(name: str) -> str:
    """A vendored picture as a data address."""
    return _pictures()[name]


@cache
def _pictures() -> dict[str, str]:
    pictures: dict[str, str] = json.loads(_vendored("leaflet-images.json"))
    return pictures


def _own(name: str) -> str:
    return files("layers").joinpath(name).read_text(encoding="utf-8")


def _vendored(name: str) -> bytes:
    return files("layers.vendor").joinpath(name).read_bytes()
