"""What each kind asks of its rows beyond an id and a place.

A value that must be there and cannot be told rejects the row; one that may be empty is emptied,
counted and listed. Words of a source (status, condition, road class) are turned into ours by the
table `geo/data/state_words.csv`. Incidents: `geo.io._gate_cases`; people: `geo.io._gate_people`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from geo import codes
from geo._classes import ClassBook
from geo.errors import InputError
from geo.io import fields
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger, list_words
from geo.io.read import Source
from geo.schema import LEVELS, TABLES

CAMERA_CLASS = "0136"
_PLACE_TAGS = ("amenity", "shop", "office", "tourism", "leisure")
_AREA_TAGS = ("leisure", "natural", "landuse", "waterway", "place")
_ROAD_TAGS = ("highway", "railway", "waterway")


def settle_times(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Reject rows whose required time is missing or unreadable, empty optional ones."""
    for column in TABLES[wishes.kind].columns:
        name, raw = column.name, f"_raw_{column.name}"
        if column.kind != "time" or name not in draft:
            continue
        unreadable = draft[raw].notna().to_numpy() if raw in draft else np.zeros(len(draft), bool)
        if not column.required:
            ledger.repair(f"{name} cannot be read, left empty", int(unreadable.sum()))
            if unreadable.any():
                ledger.point_out(draft, unreadable, f"{name} cannot be read", draft[raw])
            continue
        if unreadable.any():
            draft = ledger.reject(draft, unreadable, f"{name} cannot be read", draft[raw])
        if wishes.kind not in ("grids", "duties"):
            draft = ledger.reject(draft, draft[name].isna().to_numpy(), f"no {name}")
    return draft


def settle_words(draft: pd.DataFrame, ledger: Ledger, name: str, words: str) -> pd.DataFrame:
    """Turn the words of an optional field into ours; unknown ones are emptied and named."""
    if name not in draft:
        return draft
    found, unknown = fields.match_words(words, draft[name])
    if len(unknown):
        hit = (draft[name].notna() & found.isna()).to_numpy()
        ledger.repair(f"{name} is no word that is known, left empty", int(hit.sum()))
        ledger.point_out(draft, hit, f"{name} is no word that is known", draft[name])
        ledger.warn(f"unknown words in {name}: {list_words(unknown)}")
    return draft.assign(**{name: found})


def settle_assets(
    draft: pd.DataFrame,
    sources: Sequence[Source],
    classes: ClassBook,
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    """Class codes of assets and cameras; rows without a known class are rejected."""
    names = asset_names(classes)
    fixed = wishes.set_values.get("class_code")
    if fixed is not None and asset_class_of(fixed, classes, names) is None:
        raise InputError(
            f"--set class_code={fixed}: no such asset class, see geo/data/asset_classes.csv"
        )
    given = (
        draft["class_code"] if "class_code" in draft else pd.Series(None, draft.index, dtype="str")
    )
    meaning = {word: asset_class_of(word, classes, names) for word in given.dropna().unique()}
    code = given.map(meaning).astype("str")
    if code.isna().any():
        tagged = _by_source(draft, sources, class_of_tags)
        if tagged is not None:
            code = code.fillna(tagged)
    if wishes.kind == "cameras":
        if code.isna().any():
            ledger.note(f"cameras without a class are of class {CAMERA_CLASS}")
            if "class_code" not in draft:
                ledger.defaults.add("class_code")
        code = code.fillna(CAMERA_CLASS)
    local = code.dropna()
    strange = sorted({c for c in local.unique() if c not in classes.asset_classes().index})
    if strange:
        ledger.warn(f"classes of the city's own without a name in the table: {', '.join(strange)}")
    draft = draft.assign(class_code=code)
    missing = draft["class_code"].isna().to_numpy()
    words = given.fillna("--set class_code=CODE gives all rows one")
    draft = ledger.reject(draft, missing, "no known asset class", words)
    for name, kind in (("state", "state"), ("accuracy_class", "accuracy_class")):
        draft = settle_words(draft, ledger, name, kind)
    return _settle_directions(draft, ledger)


def _by_source(draft: pd.DataFrame, sources: Sequence[Source], work: Any) -> pd.Series | None:
    """A value for each row from the raw columns of its source; None if no source gives any."""
    out = pd.Series(None, index=draft.index, dtype="str")
    for number in draft["_source"].unique():
        mine = draft["_source"] == number
        raw = sources[number].frame.iloc[draft.loc[mine, "_pos"].to_numpy()]
        out.loc[mine] = work(raw).to_numpy()
    return out if out.notna().any() else None


def _settle_directions(draft: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    limits = {"bearing_deg": (0.0, 360.0), "angle_deg": (0.0, 360.0), "range_m": (0.0, 100_000.0)}
    for name, (low, high) in limits.items():
        if name not in draft:
            continue
        number = draft[name]
        beyond = (number.notna() & ~number.between(low, high)).to_numpy()
        if beyond.any():
            ledger.repair(f"{name} beyond {low:g} to {high:g}, left empty", int(beyond.sum()))
            ledger.point_out(draft, beyond, f"{name} beyond its range, left empty", number)
            draft = draft.assign(**{name: number.mask(beyond)})
    return draft


def settle_roads(
    draft: pd.DataFrame, sources: Sequence[Source], wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """Classes of roads by words or OpenStreetMap tags; what is no road is rejected."""
    words = fields.words_of("road_class")

    def by_tags(raw: pd.DataFrame) -> pd.Series:
        out = pd.Series(None, index=raw.index, dtype="str")
        for tag in _ROAD_TAGS:
            if tag in raw.columns:
                out = out.fillna(fields.match_words("road_class", raw[tag])[0])
        return out

    given = (
        draft["road_class"] if "road_class" in draft else pd.Series(None, draft.index, dtype="str")
    )
    code = fields.match_words("road_class", given)[0]
    if not words.keys() & set(map(fields.fold_word, wishes.set_values.values())):
        tagged = _by_source(draft, sources, by_tags)
        if tagged is not None:
            code = code.fillna(tagged)
    draft = draft.assign(road_class=code)
    missing = draft["road_class"].isna().to_numpy()
    detail = given.fillna("no tag of a road, river or railway")
    return ledger.reject(draft, missing, "no road class", detail)


def settle_named_kind(
    draft: pd.DataFrame, sources: Sequence[Source], wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """Kinds of areas (by words) and of places (as the source says them)."""
    given = draft["kind"] if "kind" in draft else pd.Series(None, index=draft.index, dtype="str")
    if wishes.kind == "areas":
        code = fields.match_words("area_kind", given)[0]
        tagged = _by_source(draft, sources, _area_of_tags)
    else:
        code = given.copy()
        tagged = _by_source(draft, sources, _first_tag)
    if tagged is not None:
        code = code.fillna(tagged)
    draft = draft.assign(kind=code)
    return ledger.reject(draft, draft["kind"].isna().to_numpy(), "no known kind", given)


def _area_of_tags(raw: pd.DataFrame) -> pd.Series:
    out = pd.Series(None, index=raw.index, dtype="str")
    for tag in _AREA_TAGS:
        if tag in raw.columns:
            out = out.fillna(fields.match_words("area_kind", raw[tag])[0])
    return out


def _first_tag(raw: pd.DataFrame) -> pd.Series:
    out = pd.Series(None, index=raw.index, dtype="str")
    for tag in _PLACE_TAGS:
        if tag in raw.columns:
            out = out.fillna(raw[tag].astype("str"))
    return out


def keep_buildings(draft: pd.DataFrame, sources: Sequence[Source], ledger: Ledger) -> pd.DataFrame:
    """Of an OpenStreetMap extract, the polygons that are tagged as buildings."""
    is_osm = draft["_source"].map(lambda n: sources[n].form == "osm").to_numpy(dtype=bool)
    if not is_osm.any():
        return draft

    def tag(raw: pd.DataFrame) -> pd.Series:
        nothing = pd.Series(None, index=raw.index, dtype="str")
        return raw["building"].astype("str") if "building" in raw.columns else nothing

    tags = _by_source(draft, sources, tag)
    untagged = is_osm if tags is None else is_osm & tags.isna().to_numpy()
    return ledger.reject(draft, untagged, "not tagged as a building")


def settle_divisions(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Codes completed to 12 digits where they are national ones, levels and upper divisions.

    Codes are national if all of them are numbers of 2, 4, 6, 9 or 12 digits whose level agrees
    with the one given, if one is.
    """
    draft = draft.copy()
    level = None
    if "level" in draft:
        level, unknown = fields.match_words("level", draft["level"])
        if len(unknown):
            hit = (draft["level"].notna() & level.isna()).to_numpy()
            draft = ledger.reject(draft, hit, "level is no word that is known", draft["level"])
            level = level[~hit]
    full = _national_codes(draft["code"], level)
    if full is not None:
        draft["code"], draft["_id"] = full, full
        draft["level"] = [codes.division_level(c) for c in full]
        ledger.note(
            "codes are national ones: completed to 12 digits, level and upper division follow"
        )
        above = pd.Series([codes.parent_code(c) for c in full], index=draft.index, dtype="str")
        given = draft.get("parent_code", pd.Series(None, index=draft.index, dtype="str"))
        draft["parent_code"] = above.fillna(given.where(given.str.len() == 12))
    else:
        draft["level"] = level if level is not None else pd.Series(None, draft.index, dtype="str")
    missing = draft["level"].isna().to_numpy()
    ways = f"--set level=LEVEL, one of {', '.join(LEVELS)}"
    draft = ledger.reject(draft, missing, "no level", ways)
    return ledger.reject(draft, draft["name"].isna().to_numpy(), "no name")


def _national_codes(code: pd.Series, level: pd.Series | None) -> pd.Series | None:
    text = code.astype("str")
    if not len(text) or not text.str.fullmatch(r"[1-8]\d(\d\d(\d\d(\d{3}(\d{3})?)?)?)?").all():
        return None
    full = text.map(codes.complete_code)
    if level is not None and level.notna().any():
        found = full.map(codes.division_level)
        agree = (found == level)[level.notna()].mean()
        # Municipalities are called province or city; one step of difference is no contradiction.
        if agree < 0.5 and not text.str.len().ge(6).all():
            return None
    elif text.str.len().nunique() > 1 and text.str.len().min() < 6:
        return None
    return full.astype("str")


def class_of_tags(raw: pd.DataFrame) -> pd.Series:
    """The asset class that OpenStreetMap tags mean, missing where none of ours."""
    out = pd.Series(None, index=raw.index, dtype="str")
    for row in fields.read_rows("osm_assets"):
        if row["key"] not in raw.columns:
            continue
        values = raw[row["key"]].astype("str")
        hit = values.notna() & (values == row["value"]) if row["value"] != "*" else values.notna()
        out = out.mask(hit & out.isna(), row["class_code"])
    return out


def asset_class_of(word: str, classes: ClassBook, names: Mapping[str, str]) -> str | None:
    """The class code that a code or name of a source means; None if it is none.

    `names` is of `asset_names`.
    """
    text = str(word).strip().removesuffix(".0")
    if text.isdigit() and len(text) == 3:
        text = text.zfill(4)  # a spreadsheet took the zero away
    if classes.is_asset_class(text):
        return text
    return names.get(fields.fold_word(text))


def asset_names(classes: ClassBook) -> dict[str, str]:
    """The code of each name of an asset class, Chinese and English, as folded."""
    table = classes.asset_classes()
    pairs = zip([*table["zh"], *table["en"]], [*table.index, *table.index], strict=True)
    names: dict[str, str] = {}
    for name, code in pairs:
        names.setdefault(fields.fold_word(name), str(code))
    return names
