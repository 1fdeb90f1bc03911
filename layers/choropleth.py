"""Shade grids by a value.

Grids without a value are grey and hatched, and the legend says "no data": an unknown is not a
zero. Differences around zero use purple to orange.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from geopandas import GeoDataFrame
from numpy.typing import ArrayLike, NDArray

from layers.classes import Classes, as_numbers, find_classes, roundest
from layers.colours import Mood, diverging, sequential, tokens
from layers.maplayer import LegendItem, MapLayer
from layers.numbers import exact_number
from layers.words import Language, word

OPACITY = 0.82
"""Roads, water and parks show through a fill without muddying the order of its classes."""


@dataclass(frozen=True, eq=False)
class Shade:
    """Classes and colours of values whose shapes are drawn elsewhere.

    `codes` has the class of each value, -1 for no data; `palette` the colour of each class from
    the smallest up; `legend` the lines of the legend, "no data" last.
    """

    codes: NDArray[np.int8]
    palette: tuple[str, ...]
    legend: tuple[LegendItem, ...]


def shade(
    values: ArrayLike | pd.Series,
    *,
    mood: Mood = "night",
    language: Language = "zh",
    ramp: str = "blue",
    most: int = 6,
    classes: Classes | None = None,
    no_data: str | None = None,
) -> Shade:
    """Put values into classes with colours, as `choropleth` does, without any shape.

    For a map whose shapes the browser has already: only the small class numbers travel. Arguments
    are those of `choropleth`; `codes` come in the order of `values`.
    """
    numbers = as_numbers(values)
    found = find_classes(numbers, most=most) if classes is None else classes
    palette = sequential(mood, max(len(found), 1), ramp)
    return _shade(
        found.assign(numbers), palette, found.labels(language),
        mood=mood, no_data=no_data or word("no_data", language),
    )  # fmt: skip


def choropleth(
    grids: GeoDataFrame,
    values: pd.Series,
    *,
    title: str,
    unit: str,
    mood: Mood = "night",
    language: Language = "zh",
    ramp: str = "blue",
    most: int = 6,
    classes: Classes | None = None,
    no_data: str | None = None,
    id: str = "grids",
) -> MapLayer:
    """Shade each grid by its value, in classes of about equal size, grey where there is none.

    Parameters
    ----------
    grids
        Grids in EPSG:4326 indexed by `grid_id`; a `name` column, where there is one, heads the
        hover text.
    values
        Numbers indexed by `grid_id`, in any order; a grid that is not in it has no data.
    title, unit
        What is shown and in which unit, as people read it.
    ramp
        Name of the ramp, one of `layers.colours.RAMPS`.
    most, classes
        At most so many classes, or these ones (to keep two maps comparable).
    no_data
        The word for a grid without a value.

    Returns
    -------
    MapLayer
        One feature a grid in the order of `grids`, with `fill`, `hover`, `value` and `code`.
        Equal values always get the same colour, so a map with few distinct values has fewer
        classes than colours.
    """
    row = values.reindex(grids.index)
    found = find_classes(row, most=most) if classes is None else classes
    codes = found.assign(row)
    palette = sequential(mood, max(len(found), 1), ramp)
    return _shaded(
        grids, row, codes, palette, found.labels(language),
        title=title, unit=unit, mood=mood, no_data=no_data or word("no_data", language), id=id,
    )  # fmt: skip


def choropleth_of_change(
    grids: GeoDataFrame,
    changes: pd.Series,
    *,
    title: str,
    unit: str,
    mood: Mood = "night",
    language: Language = "zh",
    no_data: str | None = None,
    id: str = "change",
) -> MapLayer:
    """Shade each grid by a difference: purple less, grey about the same, orange more.

    Seven classes, even to both sides of zero; the outermost start at the roundest number near
    the 90th percentile of what changed, so that one odd grid does not wash out the rest.
    """
    row = changes.reindex(grids.index)
    numbers = as_numbers(row)
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    reach = float(np.quantile(sizes, 0.9)) if len(sizes) else 1.0
    step = roundest(reach / 5 * 0.75, reach / 5 * 1.5, near=reach / 3.5)
    edges = np.array([-5, -3, -1, 1, 3, 5]) * step
    # Symmetric: zero and what is within one step of it is "about the same" on both sides.
    codes = np.full(len(numbers), -1, dtype=np.int8)
    known = np.isfinite(numbers)
    codes[known] = np.where(
        numbers[known] < 0,
        np.searchsorted(edges, numbers[known], side="left"),
        np.searchsorted(edges, numbers[known], side="right"),
    )
    return _shaded(
        grids, row, codes, diverging(mood, 7), _change_labels(edges),
        title=title, unit=unit, mood=mood, no_data=no_data or word("no_data", language), id=id,
    )  # fmt: skip


def _change_labels(edges: np.ndarray) -> tuple[str, ...]:
    def signed(value: float) -> str:
        return f"{value:+,.6g}".replace("-", "−")

    inner = [f"{signed(a)} … {signed(b)}" for a, b in pairwise(edges)]
    return (f"≤ {signed(edges[0])}", *inner, f"≥ {signed(edges[-1])}")


def _shaded(
    grids: GeoDataFrame,
    row: pd.Series,
    codes: np.ndarray,
    palette: Sequence[str],
    labels: Sequence[str],
    *,
    title: str,
    unit: str,
    mood: Mood,
    no_data: str,
    id: str,
) -> MapLayer:
    """The layer of grids whose classes are known."""
    shaded = _shade(codes, palette, labels, mood=mood, no_data=no_data)
    colours = np.array([*palette, tokens(mood).no_data], dtype=object)
    features = GeoDataFrame(
        {
            "name": _names(grids),
            "value": as_numbers(row),
            "code": codes,
            "fill": colours[codes],
            "hover": _hover(grids, row, title, unit, no_data),
        },
        index=grids.index,
        geometry=grids.geometry.to_numpy(),
        crs=grids.crs,
    )
    return MapLayer(id, title, "fill", features, shaded.legend, unit, mood, opacity=OPACITY)


def _shade(
    codes: NDArray[np.int8],
    palette: Sequence[str],
    labels: Sequence[str],
    *,
    mood: Mood,
    no_data: str,
) -> Shade:
    """Colours and legend of classes that are known."""
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    legend = [
        LegendItem(label, colour, "fill", int(count))
        for label, colour, count in zip(labels, palette, counts, strict=False)
    ]
    unknown = int((codes < 0).sum())
    if unknown:
        legend.append(LegendItem(no_data, tokens(mood).no_data, "hatch", unknown))
    return Shade(codes, tuple(palette), tuple(legend))


def _names(grids: GeoDataFrame) -> list[str]:
    """The name of each grid, its id where it has none."""
    ids = [str(label) for label in grids.index]
    if "name" not in grids.columns:
        return ids
    return [
        str(name) if pd.notna(name) and str(name) else label
        for name, label in zip(grids["name"], ids, strict=True)
    ]


def _hover(grids: GeoDataFrame, row: pd.Series, title: str, unit: str, no_data: str) -> list[str]:
    texts = []
    for name, value in zip(_names(grids), as_numbers(row), strict=True):
        figure = exact_number(value, unit) if np.isfinite(value) else no_data
        texts.append(f"{name}\n{title}：{figure}" if title else f"{name}\n{figure}")
    return texts
