"""Things that stand somewhere: incidents, workers, assets, and what cameras look at.

Urgency is told by colour and shape (in time a disc, due soon a triangle, overdue a square, unknown
a hollow diamond, closed a small quiet ring), and the urgent lie on top. Whether a case is late or
a position old is an answer of others; here it only gets its look. What has no place cannot be on
a map, so the legend counts it on a line of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from geopandas import GeoDataFrame

from geo.codes import asset_group, asset_groups, class_name, is_asset_class, is_incident_class
from geo.views import view_sectors
from layers.colours import Mood, category, states, tokens
from layers.maplayer import LegendItem, MapLayer
from layers.words import Language, word

URGENCIES = ("closed", "unknown", "fine", "soon", "late")
"""From the quietest to the most urgent, which is drawn last."""

_SIZES = {"closed": 7.0, "unknown": 11.0, "fine": 9.0, "soon": 12.0, "late": 13.0}

GROUP_MARKS: Mapping[str, tuple[str, int]] = {
    # group of `geo.codes`: shape, number of the colour in `category`
    "manhole": ("target", 5),
    "grate": ("hollow-square", 5),
    "streetlight": ("star", 3),
    "light": ("hollow-star", 3),
    "camera": ("diamond", 1),
    "pole": ("ring", 5),
    "hydrant": ("diamond", 4),
    "bin": ("hollow-square", 2),
    "sign": ("hollow-triangle", 0),
    "traffic_light": ("hollow-triangle", 4),
    "tree": ("ring", 2),
    "green": ("target", 2),
    "toilet": ("hollow-square", 0),
    "septic_tank": ("target", 3),
    "transit": ("square", 0),
    "cabinet": ("square", 5),
    "power": ("star", 4),
    "gas": ("hollow-star", 4),
    "water": ("target", 0),
    "hazard": ("triangle", 4),
    "fitness": ("ring", 3),
    "kiosk": ("square", 3),
    "police_box": ("star", 0),
}
"""Each frequent group of assets: a shape and a colour that no other group has together."""

_OTHER_MARK = ("hollow-diamond", 5)


def group_mark(group: str, mood: Mood = "night") -> tuple[str, str]:
    """Shape and colour of a group of assets; rare groups share one mark."""
    shape, number = GROUP_MARKS.get(group, _OTHER_MARK)
    return shape, category(mood)[number]


def incident_markers(
    incidents: GeoDataFrame,
    urgency: pd.Series,
    *,
    title: str,
    unit: str = "",
    mood: Mood = "night",
    language: Language = "zh",
    words: Mapping[str, str] | None = None,
    hover: pd.Series | None = None,
    id: str = "incidents",
) -> MapLayer:
    """Mark each incident by its urgency, the most urgent on top.

    Parameters
    ----------
    incidents
        Points in EPSG:4326 indexed by `incident_id`; those without a place are only counted.
    urgency
        One of `URGENCIES` by `incident_id`; an incident that is not in it is `unknown`.
    hover
        Text by `incident_id`; without it the name of the class and the description.
    """
    state = urgency.reindex(incidents.index).fillna("unknown").astype(object)
    looks = _urgency_looks(mood)
    placed = ~(incidents.geometry.isna() | incidents.geometry.is_empty).to_numpy()
    texts = _incident_texts(incidents, language) if hover is None else hover
    order = state.map({name: n for n, name in enumerate(URGENCIES)}).to_numpy()[placed]
    shown = incidents[placed].iloc[np.argsort(order, kind="stable")]
    words_of = state.loc[shown.index]
    features = GeoDataFrame(
        {
            "fill": words_of.map(lambda key: looks[key][1]),
            "shape": words_of.map(lambda key: looks[key][0]),
            "size": words_of.map(_SIZES),
            "group": words_of,
            "hover": texts.reindex(shown.index).fillna(""),
        },
        geometry=shown.geometry.to_numpy(),
        crs=incidents.crs,
    )
    counts = words_of.value_counts()
    legend = [
        LegendItem(
            word(f"state.{key}", language, words), looks[key][1], looks[key][0], int(counts[key])
        )
        for key in reversed(URGENCIES)
        if key in counts.index
    ]
    if not placed.all():
        label = word("unplaced", language, words)
        legend.append(LegendItem(label, tokens(mood).unknown, "ring", int((~placed).sum())))
    return MapLayer(id, title, "point", features, tuple(legend), unit, mood)


def worker_markers(
    positions: GeoDataFrame,
    *,
    fresh_s: float,
    title: str,
    unit: str = "",
    mood: Mood = "night",
    language: Language = "zh",
    words: Mapping[str, str] | None = None,
    id: str = "workers",
) -> MapLayer:
    """Mark where workers were last seen: a disc while they report, a hollow diamond when not.

    Parameters
    ----------
    positions
        Points in EPSG:4326 indexed by `worker_id` with `age_s`, the age of the position, and
        perhaps `name`.
    fresh_s
        Age up to which a worker counts as reporting; beyond it the place is unknown, not empty.
    """
    colours = tokens(mood)
    old = ~(positions["age_s"].to_numpy(dtype=float) <= fresh_s)
    names = positions["name"] if "name" in positions.columns else positions.index.to_series()
    labels = (word("worker.now", language, words), word("worker.old", language, words))
    features = GeoDataFrame(
        {
            "fill": np.where(old, colours.unknown, colours.accent),
            "shape": np.where(old, "hollow-diamond", "disc"),
            "size": np.where(old, 9.0, 7.0),
            "group": np.where(old, "old", "now"),
            "hover": [
                f"{name}\n{labels[int(gone)]}" for name, gone in zip(names, old, strict=True)
            ],
        },
        index=positions.index,
        geometry=positions.geometry.to_numpy(),
        crs=positions.crs,
    )
    legend = (
        LegendItem(labels[0], colours.accent, "disc", int((~old).sum())),
        LegendItem(labels[1], colours.unknown, "hollow-diamond", int(old.sum())),
    )
    return MapLayer(id, title, "point", features, legend, unit, mood)


def asset_markers(
    assets: GeoDataFrame,
    *,
    title: str,
    unit: str = "",
    mood: Mood = "night",
    language: Language = "zh",
    id: str = "assets",
) -> MapLayer:
    """Mark each asset by the shape and colour of its group; a line stands at its middle.

    `assets` is in EPSG:4326, indexed by `asset_id`, with `class_code`; a class that no table
    knows is drawn as "other" and keeps its code in the hover text.
    """
    codes = assets["class_code"].astype(str)
    groups = codes.map({code: _group_of(code) for code in codes.unique()})
    looks = {group: group_mark(group, mood) for group in groups.unique()}
    names = {code: _class_text(code, language) for code in codes.unique()}
    own = assets["name"] if "name" in assets.columns else pd.Series(None, index=assets.index)
    hover = [
        f"{names[code]}\n{name if pd.notna(name) and name else label}"
        for code, name, label in zip(codes, own, assets.index, strict=True)
    ]
    features = GeoDataFrame(
        {
            "fill": groups.map(lambda group: looks[group][1]),
            "shape": groups.map(lambda group: looks[group][0]),
            "size": 9.0,
            "group": groups,
            "hover": hover,
        },
        index=assets.index,
        geometry=assets.geometry.representative_point().to_numpy(),
        crs=assets.crs,
    )
    table = asset_groups()
    legend = tuple(
        LegendItem(_group_word(group, table, language), looks[group][1], looks[group][0], int(n))
        for group, n in groups.value_counts().items()
    )
    return MapLayer(id, title, "point", features, legend, unit, mood)


def camera_views(
    cameras: GeoDataFrame,
    *,
    title: str,
    unit: str = "",
    mood: Mood = "night",
    language: Language = "zh",
    words: Mapping[str, str] | None = None,
    id: str = "views",
) -> MapLayer:
    """Shade the ground that each camera looks at; the legend counts those whose view is unknown.

    `cameras` is in EPSG:4326, indexed by `asset_id`, with `bearing_deg`, `angle_deg`, `range_m`.
    """
    sectors = view_sectors(cameras)
    known = sectors.notna()
    _, colour = group_mark("camera", mood)
    names = cameras["name"] if "name" in cameras.columns else cameras.index.to_series()
    features = GeoDataFrame(
        {
            "fill": colour,
            "hover": [
                f"{name if pd.notna(name) else label}\n{word('view', language, words)}"
                for label, name in names[known.to_numpy()].items()
            ],
        },
        index=cameras.index[known],
        geometry=sectors[known].to_numpy(),
        crs=sectors.crs,
    )
    legend = [LegendItem(word("view", language, words), colour, "fill", int(known.sum()))]
    if not known.all():
        label = word("view.unknown", language, words)
        unknown = tokens(mood).unknown
        legend.append(LegendItem(label, unknown, "hollow-diamond", int((~known).sum())))
    return MapLayer(id, title, "fill", features, tuple(legend), unit, mood, opacity=0.16)


def _urgency_looks(mood: Mood) -> dict[str, tuple[str, str]]:
    """Shape and colour of each urgency."""
    looks = {key: (state.shape, state.colour) for key, state in states(mood).items()}
    return {**looks, "closed": ("ring", tokens(mood).quiet)}


def _incident_texts(incidents: GeoDataFrame, language: Language) -> pd.Series:
    """Class and description of each incident; the source's own category where we have no class."""
    texts = []
    columns = ("class_code", "category", "description")
    rows = [incidents[c] if c in incidents.columns else [None] * len(incidents) for c in columns]
    for code, kind, description in zip(*rows, strict=True):
        known = pd.notna(code) and is_incident_class(code)
        heads = (class_name(code, language) if known else None, kind, code)
        head = next((str(part) for part in heads if pd.notna(part)), "")
        tail = str(description) if pd.notna(description) else ""
        texts.append(f"{head}\n{tail}".strip("\n"))
    return pd.Series(texts, index=incidents.index, dtype=object)


def _group_of(code: str) -> str:
    return asset_group(code) if is_asset_class(code) else "other"


def _class_text(code: str, language: Language) -> str:
    return class_name(code, language) if is_asset_class(code) else code


def _group_word(group: str, table: pd.DataFrame, language: Language) -> str:
    if group in table.index:
        return str(table.loc[group, language])
    return word("group.other", language)
