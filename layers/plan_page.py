"""The consequences of a plan as one page that stands alone: three maps, a chart, tables, words.

The maps of the present, of the plan and of the change share one view. Leaflet and everything else
stands inside the file, geometry that several maps show stands in it once, and nothing is ever asked
of a network, so the file can be sent around and opened on a laptop without one. Texts come in as
they are and are escaped here; what the script needs stands in the page as data and never as code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any, Literal

import geopandas as gpd

from layers.colours import css_variables
from layers.folium_page import leaflet_css, leaflet_js
from layers.maplayer import LegendItem
from layers.marks import mark_svg
from layers.to_geojson import frame_to_geojson
from layers.words import Language

MapName = Literal["before", "now", "change"]


@dataclass(frozen=True)
class PageMap:
    """One of the maps: title, legend, and for each shape by key its fill, outline and hover."""

    name: MapName
    title: str
    legend: Sequence[LegendItem]
    shapes: Sequence[tuple[str, str, bool, str]]
    """Key of the shape, colour, whether its grid changes, text of the hover."""


@dataclass(frozen=True)
class PageCard:
    """A figure: what it is, before, now, and a line below."""

    label: str
    before: str
    now: str
    note: str = ""


@dataclass(frozen=True)
class PageTable:
    """A table with the line that says what it is.

    `kinds` are text or number; `keys` are shapes that a click on a row shows.
    """

    title: str
    note: str
    heads: Sequence[str]
    kinds: Sequence[str]
    rows: Sequence[Sequence[str]]
    keys: Sequence[str] = ()
    foot: Sequence[str] = ()
    empty: str = ""


@dataclass(frozen=True, eq=False)
class PlanPage:
    """Everything on the page, in words and numbers as people read them."""

    title: str
    facts: Sequence[tuple[str, str]]
    """What the page is about: state, boundary version, age of the data, and so on."""
    cards: Sequence[PageCard]
    shapes: gpd.GeoDataFrame
    """Outlines by key, EPSG:4326."""
    roads: gpd.GeoDataFrame
    """Lines below, EPSG:4326."""
    moved: gpd.GeoDataFrame
    """Blocks that change their grid, EPSG:4326."""
    maps: Sequence[PageMap]
    chart: str
    """An SVG, from `layers.balance`."""
    chart_title: str
    tables: Sequence[PageTable]
    definitions: Sequence[tuple[str, str]]
    words: Mapping[str, str]
    """`maps`, `definitions`, `whole` (button that shows all again)."""
    language: Language = "zh"


def render_plan_page(page: PlanPage) -> str:
    """The page as text.

    Parameters
    ----------
    page
        What stands on it; empty tables say why by their `empty`.
    """
    data = {
        "maps": [
            {"name": one.name, "shapes": [list(shape) for shape in one.shapes]} for one in page.maps
        ],
    }
    # "<" could end the script that it stands in.
    texts = {
        "shapes": frame_to_geojson(page.shapes, []).decode(),
        "roads": frame_to_geojson(page.roads, []).decode(),
        "moved": frame_to_geojson(page.moved, []).decode(),
        "view": json.dumps(data, ensure_ascii=False),
    }
    safe = {name: text.replace("<", "\\u003c") for name, text in texts.items()}
    blocks = "".join(
        f'<script type="application/json" id="data-{name}">{text}</script>'
        for name, text in safe.items()
    )
    language = "zh-CN" if page.language == "zh" else "en"
    body = (
        f"<header><h1>{escape(page.title)}</h1>{_facts(page.facts)}</header>"
        f'<section class="cards">{"".join(map(_card, page.cards))}</section>'
        f"{_maps(page)}"
        f'<section class="chart"><h2>{escape(page.chart_title)}</h2>{page.chart}</section>'
        f"{''.join(map(_table, page.tables))}"
        f"{_definitions(page)}"
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(page.title)}</title><style>{leaflet_css()}</style>"
        f"<style>:root {{ {css_variables('day')} }}\n{_own('plan_page.css')}</style></head>"
        f"<body>{body}{blocks}<script>{leaflet_js()}</script>"
        f"<script>{_own('plan_page.js')}</script></body></html>"
    )


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    parts = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
    return f'<dl class="facts">{"".join(parts)}</dl>'


def _card(card: PageCard) -> str:
    before = f"<s>{escape(card.before)}</s>" if card.before else ""
    note = f"<small>{escape(card.note)}</small>" if card.note else ""
    return f"<div><span>{escape(card.label)}</span><b>{before}{escape(card.now)}</b>{note}</div>"


def _maps(page: PlanPage) -> str:
    parts = [
        f"<figure><figcaption>{escape(one.title)}</figcaption>"
        f'<div class="map" id="map-{one.name}" role="img" aria-label="{escape(one.title)}"></div>'
        f"{_legend(one.legend)}</figure>"
        for one in page.maps
    ]
    button = f'<button type="button" id="whole">{escape(page.words["whole"])}</button>'
    head = f"<h2>{escape(page.words['maps'])}{button}</h2>"
    return f'<section class="maps">{head}<div>{"".join(parts)}</div></section>'


def _legend(items: Sequence[LegendItem]) -> str:
    rows = (
        f"<li>{mark_svg(item.shape, item.colour, 16, '#8b97a8', width=item.width or 3)}"
        f"{escape(item.label)}{'' if item.count is None else f' <b>{item.count:,}</b>'}</li>"
        for item in items
    )
    return f'<ul class="legend">{"".join(rows)}</ul>'


def _table(table: PageTable) -> str:
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    head = f"<h2>{escape(table.title)}</h2>{note}"
    if not table.rows:
        return f'<section>{head}<p class="empty">{escape(table.empty)}</p></section>'
    classes = [' class="n"' if kind == "number" else "" for kind in table.kinds]
    heads = "".join(
        f'<th{c} scope="col">{escape(text)}</th>'
        for c, text in zip(classes, table.heads, strict=True)
    )
    keys = table.keys or [""] * len(table.rows)
    rows = "".join(
        f"<tr{f' data-key={_quote(key)} tabindex=0' if key else ''}>"
        + "".join(f"<td{c}>{escape(v)}</td>" for c, v in zip(classes, row, strict=True))
        + "</tr>"
        for key, row in zip(keys, table.rows, strict=True)
    )
    foot = ""
    if table.foot:
        cells = "".join(
            f"<td{c}>{escape(v)}</td>" for c, v in zip(classes, table.foot, strict=True)
        )
        foot = f"<tfoot><tr>{cells}</tr></tfoot>"
    return (
        f'<section>{head}<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody>{foot}</table></div></section>"
    )


def _definitions(page: PlanPage) -> str:
    parts = "".join(
        f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in page.definitions
    )
    return f'<section class="definitions"><h2>{escape(page.words["definitions"])}</h2><dl>{parts}</dl></section>'  # noqa: E501


def _quote(text: str) -> str:
    return f'"{escape(text, quote=True)}"'


def _own(name: str) -> str:
    return files("layers").joinpath(name).read_text(encoding="utf-8")


def read_shapes(text: str) -> Any:
    """The data of a page by name, as its script reads it; for whoever checks a page."""
    found = {}
    for part in text.split('<script type="application/json" id="data-')[1:]:
        name, _, rest = part.partition('">')
        found[name] = json.loads(rest.partition("</script>")[0])
    return found
