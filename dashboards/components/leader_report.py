"""A briefing to take along: one HTML page, the same as PDF, and a workbook with live sums.

The page holds its map (folium, with everything inside), so it opens on a laptop without a network.
It says the same as `/leader`, but small groups are taken out (`geo.disclosure`), since a file goes
where no right reaches. The PDF is the page printed by Chromium, where there is one.
"""

from __future__ import annotations

import html
import io
import os
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path

import pandas as pd
from geopandas import GeoDataFrame

from dashboards.components import leader_parts as parts
from dashboards.components import leader_rates as rates
from dashboards.components.leader_book import report_book
from dashboards.components.leader_hidden import hide_small
from dashboards.components.leader_map import change_classes, hot_classes
from dashboards.components.leader_spots import spot_layer, spot_list
from dashboards.components.leader_table import rank_table
from dashboards.leader_desk import LeaderFigures
from dashboards.pages.incidents_layout import city_name
from dashboards.store import Store
from dashboards.words import Words
from geo.errors import InputError
from layers.boundaries import boundaries
from layers.colours import css_variables, tokens
from layers.ground import ground
from layers.maplayer import LegendItem, MapLayer
from layers.to_folium import render_html, to_folium

REPORTS = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Kinds of a report, and what they are on the web."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge")
PRINT_S = 120
MAIN_ROADS = ("arterial", "main", "river", "rail")


class PrintError(InputError):
    """There is nothing on this machine that prints the PDF, or it did not."""


def make_report(store: Store, figures: LeaderFigures, words: Words, kind: str) -> bytes:
    """The report as a file of a kind of `REPORTS`.

    Raises
    ------
    PrintError
        If a PDF is asked for and cannot be printed here.
    """
    if kind == "xlsx":
        whole = io.BytesIO()
        report_book(whole, store, figures, words)
        return whole.getvalue()
    page = report_html(store, figures, words)
    return print_pdf(page) if kind == "pdf" else page.encode()


def report_html(store: Store, figures: LeaderFigures, words: Words) -> str:
    """The page as text: sections, map and style in one file."""
    least = store.settings.small_group
    told = hide_small(figures, least)
    title = words(
        "leader.report.title",
        city=city_name(store, store.snapshot(), words),
        period=parts.period_text(figures.period, words),
    )
    made = words(
        "leader.report.made", at=f"{figures.view.at:%Y-%m-%d %H:%M}", n=least,
        version="–" if figures.boundary.version is None else figures.boundary.version,
    )  # fmt: skip
    sections = [
        parts.headline(told, words, links=False), parts.briefing(told, words),
        _map_section(store, told, words), spot_list(told, words), rank_table(told, words),
        rates.indicators(told, words), rates.indicators(told, words, by="department"),
        rates.class_list(told, words), rates.definitions(told, words),
    ]  # fmt: skip
    body = "\n".join(f'<div class="ld-part">{section}</div>' for section in sections)
    style = files("dashboards").joinpath("assets/80-leader.css").read_text(encoding="utf-8")
    own = files("dashboards").joinpath("components/leader_report.css").read_text(encoding="utf-8")
    language = "zh-CN" if words.language == "zh" else "en"
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title>"
        f"<style>:root {{ {css_variables('day')} }}\n{style}\n{own}</style></head>"
        f'<body class="ld is-report"><header class="ld-title"><h1>{html.escape(title)}</h1>'
        f"<p>{html.escape(made)}</p></header><main>{body}</main></body></html>"
    )


def _map_section(store: Store, figures: LeaderFigures, words: Words) -> str:
    """The map in a frame of its own, so that its style and the page's do not meet."""
    layers = map_layers(store, figures, words)
    if not layers:
        return ""
    change = layers[-1]
    page = render_html(
        to_folium(layers, title=change.title, mood="day", language=words.language),
        language=words.language,
    )
    frame = html.escape(page, quote=True)
    title = html.escape(change.title, quote=True)
    return (
        f'<section class="ld-map"><h2>{html.escape(words("leader.report.map"))}</h2>'
        f'<iframe srcdoc="{frame}" title="{title}" loading="eager"></iframe></section>'
    )


def map_layers(store: Store, figures: LeaderFigures, words: Words) -> list[MapLayer]:
    """Ground, hot spots, borders, and the change of each unit."""
    workspace, view = store.workspace, figures.view
    shapes = unit_shapes(figures)
    if not len(shapes):
        return []
    table = workspace.table("roads")
    roads = workspace.read("roads", where=table.c.road_class.in_(MAIN_ROADS))
    found = list(ground(roads, workspace.read("areas"), mood="day"))
    code, palette, labels = change_classes(view, words)
    fill = tokens("day").no_data
    row = pd.Series(code, index=view.units.index).reindex(shapes.index).fillna(-1).astype(int)
    verdicts = view.units["verdict"].reindex(shapes.index)
    names = view.units["name"].reindex(shapes.index).astype(str)
    features = GeoDataFrame(
        {
            "fill": [palette[k] if k >= 0 else fill for k in row],
            "code": row.to_numpy(),
            "hover": [
                f"{name}\n{words(f'leader.verdict.{word}')}"
                for name, word in zip(names, verdicts.fillna("unknown"), strict=True)
            ],
        },
        index=shapes.index,
        geometry=shapes.geometry.to_numpy(),
        crs=shapes.crs,
    )
    legend = [
        LegendItem(labels[k], palette[k], "square", int((row == k).sum())) for k in range(6, -1, -1)
    ]
    legend.append(LegendItem(words("leader.map.change.none"), fill, "hatch", int((row < 0).sum())))
    title = words("leader.map.change.title", level=parts.level_word(view.level, words))
    change = MapLayer("change", title, "fill", features, tuple(legend), mood="day", opacity=0.85)
    hot = _hot_layer(figures, words)
    lines = boundaries(
        workspace.read("divisions"), None, title=words("leader.report.borders"), mood="day",
        language=words.language,
    )  # fmt: skip
    spots = spot_layer(figures, words)
    beside = [layer for layer in (hot, lines, spots) if layer is not None]
    return [*found, *beside, change]


def unit_shapes(figures: LeaderFigures) -> GeoDataFrame:
    """Outlines of the units of the area, EPSG:4326, by code."""
    view, boundary = figures.view, figures.boundary
    if view.level == "grid":
        shapes = boundary.grids
    elif boundary.divisions is None:
        shapes = boundary.grids.iloc[:0]
    else:
        table = boundary.divisions
        shapes = table.set_index("code") if "code" in table.columns else table
    shapes = shapes[shapes.index.isin(view.units.index)]
    return GeoDataFrame(shapes[~(shapes.geometry.isna() | shapes.geometry.is_empty)])


def _hot_layer(figures: LeaderFigures, words: Words) -> MapLayer | None:
    code, palette, labels = hot_classes(figures, words)
    grids = figures.boundary.grids
    shown = grids[grids.index.isin(code.index)]
    if not len(shown):
        return None
    row = code.reindex(shown.index)
    features = GeoDataFrame(
        {
            "fill": [palette[int(k)] for k in row],
            "code": row.astype(int).to_numpy(),
            "hover": [labels[int(k)] for k in row],
        },
        index=shown.index,
        geometry=shown.geometry.to_numpy(),
        crs=shown.crs,
    )
    legend = tuple(
        LegendItem(labels[k], palette[k], "square", int((row == k).sum())) for k in sorted(labels)
    )
    return MapLayer(
        "hot", words("leader.map.hot.title"), "fill", features, legend, mood="day", opacity=0.9
    )


def print_pdf(page: str) -> bytes:
    """Print a page as A4 by the Chromium of this machine.

    Raises
    ------
    PrintError
        If there is no Chromium, or it does not print.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise PrintError(
            "no Chromium is installed, which prints the PDF: write the report as .html and print it"
            " from a browser"
        )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "report.html", Path(folder) / "report.pdf"
        # Laid out as wide as the paper from the start: the map fits itself to its frame only once.
        paper = page.replace('class="ld is-report"', 'class="ld is-report is-paper"', 1)
        source.write_text(paper, encoding="utf-8")
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--disable-quic",
            "--no-pdf-header-footer", "--virtual-time-budget=8000",
            f"--user-data-dir={folder}/user",
            f"--print-to-pdf={target}", source.as_uri(),
        ]  # fmt: skip
        if os.name == "posix" and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        try:
            done = subprocess.run(command, capture_output=True, timeout=PRINT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise PrintError(
                f"{browser} did not print within {PRINT_S} s: write the report as .html instead"
            ) from error
        if not target.is_file():
            told = done.stderr.decode(errors="replace").strip().splitlines()
            raise PrintError(
                f"{browser} did not print the report: {told[-1] if told else 'no word from it'}"
            )
        return target.read_bytes()
