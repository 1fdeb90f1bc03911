"""Which column of a file fills which field, and cleaning of the values in it.

Names are compared without case, blanks, underscores, dashes, brackets, full-width forms, and with
traditional characters as simplified ones, against `geo/data/field_names.csv` (edit it for a
source of your own) and the headers that our exports write. Where several columns could fill a
field, the name that stands first in that table wins; of two columns whose names are the same
after that comparison neither is chosen by guess unless they hold the same values. A column
without any value counts only if no other fits. A field that takes certain words (say the
condition of an asset) takes a column only if it holds one of those words.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import StringIO
from typing import Any

import pandas as pd

from geo.errors import ColumnError, InputError
from geo.io._field_values import clean_texts as clean_texts
from geo.io._field_values import guard_formulas as guard_formulas
from geo.io._field_values import has_values as has_values
from geo.io._field_values import parse_pairs as parse_pairs
from geo.io._field_values import to_degrees as to_degrees
from geo.io._field_values import to_numbers as to_numbers
from geo.io._field_values import to_texts as to_texts
from geo.io._field_values import unguard_formulas as unguard_formulas
from geo.io._read_dbf import CUT
from geo.schema import TABLES

PLACE_FIELDS = ("lon", "lat", "wkt", "place")
"""Fields that say where a row is, when the file has no shapes of its own."""
FILE_FIELDS = ("crs", "time_zone")
"""Columns of our own exports that say how coordinates and times are written."""
TIERS = ("province", "city", "county", "district", "town", "street", "community")
"""Kinds of upper levels that columns beside a grid may name, from the top."""
PARENT_FIELDS = tuple(f"{tier}_{part}" for tier in TIERS for part in ("code", "name"))
EXTRA_FIELDS = {"fixes": ("speed_ms", "date"), "duties": ("worker_name",)}
NO_COLUMN = ("", "-")
"""`--map field=-` leaves a field empty whatever columns there are."""

_VAGUE_NAMES = {"x", "y", "x坐标", "y坐标", "coordx", "coordy"}
"""Names of coordinates that also name other things; they count if they hold numbers."""
_WORD_FIELDS = {
    ("assets", "state"): "state",
    ("cameras", "state"): "state",
    ("assets", "accuracy_class"): "accuracy_class",
    ("cameras", "accuracy_class"): "accuracy_class",
    ("grids", "kind"): "kind",
    ("areas", "kind"): "area_kind",
    ("divisions", "level"): "level",
    ("incidents", "level"): "case_level",
    ("roads", "road_class"): "road_class",
}
_PARENT_KINDS = ("grids", "blocks")
_SIMPLE = str.maketrans(
    "編號碼經緯東稱區鄉鎮縣戶數時間類別狀態點線網責電話職務單位層樓棟場連絡環節辦結創報關閉處來"
    "聯繫產權範圍標題說圖級聲細檔設備遺責緒終從業歷國際園長寬積隊員",
    "编号码经纬东称区乡镇县户数时间类别状态点线网责电话职务单位层楼栋场连络环节办结创报关闭处来"
    "联系产权范围标题说图级声细档设备遗责绪终从业历国际园长宽积队员",
)
_REPEAT = re.compile(r" \(\d+\)$")


@dataclass(frozen=True)
class FieldMap:
    """Which column fills which field of a kind, what is set for all rows, what stays unused."""

    columns: Mapping[str, str]
    constants: Mapping[str, str]
    unused: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def has(self, field: str) -> bool:
        """Whether a column or a set value fills a field."""
        return field in self.columns or field in self.constants

    def values(self, frame: pd.DataFrame, field: str) -> pd.Series:
        """The raw values of a field, one a row; missing where nothing fills it."""
        if field in self.constants:
            return pd.Series(self.constants[field], index=frame.index, dtype="str")
        if field not in self.columns:
            return pd.Series(None, index=frame.index, dtype="str")
        values = frame[self.columns[field]]
        if field == "wkt":
            for column in _continued(self.columns[field], frame):
                values = values.astype("str") + frame[column].astype("str").fillna("")
        return values


def _continued(column: str, frame: pd.DataFrame) -> list[str]:
    """Further columns of a text too long for a cell: `wkt 2`, `wkt 3` … as our exports write."""
    out: list[str] = []
    while f"{column} {len(out) + 2}" in frame.columns:
        out.append(f"{column} {len(out) + 2}")
    return out


def normalise_name(name: str) -> str:
    """The form in which names of columns are compared."""
    text = unicodedata.normalize("NFKC", str(name)).lower().translate(_SIMPLE)
    return re.sub(r"[^\w:]|_", "", text)


def is_vague_name(name: str) -> bool:
    """Whether a column is called like coordinates of any kind, say x."""
    return normalise_name(name) in _VAGUE_NAMES


def _bare_name(name: str) -> str:
    """The same without what stands in brackets: 户数(户) is 户数."""
    text = unicodedata.normalize("NFKC", str(name))
    return normalise_name(re.sub(r"[(\[【].*?[)\]】]", "", text))


def known_fields(kind: str) -> tuple[str, ...]:
    """The fields that an import of a kind can fill."""
    fields = [*TABLES[kind].names, *EXTRA_FIELDS.get(kind, ())]
    if TABLES[kind].shape is not None or kind == "fixes":
        fields += [f for f in PLACE_FIELDS if f not in fields]
    if kind in _PARENT_KINDS:
        fields += [f for f in PARENT_FIELDS if f not in fields]
    return tuple(dict.fromkeys([*fields, *FILE_FIELDS]))


@cache
def _field_names() -> dict[str, dict[str, tuple[str, ...]]]:
    """Names by kind and field, as normalised, the best first."""
    table: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in read_rows("field_names"):
        names = tuple(normalise_name(n) for n in row["names"].split("|"))
        table.setdefault(row["kind"], {})[row["field"]] = names
    for row in read_rows("headers"):
        words = (normalise_name(row["zh"]), normalise_name(row["en"]))
        table.setdefault("headers", {})[row["column"]] = words
    return table


@cache
def words_of(field: str) -> dict[str, str]:
    """The words that sources use for a field of fixed values, each with our value."""
    name, key = ("stage_words", "stage") if field == "stage" else ("state_words", "value")
    out: dict[str, str] = {}
    for row in read_rows(name):
        if field == "stage" or row["field"] == field:
            out.setdefault(fold_word(row[key]), row[key])
            out.update({fold_word(word): row[key] for word in row["words"].split("|")})
    return out


def read_rows(name: str) -> list[dict[str, str]]:
    """Rows of an editable table of `geo/data`, by its name without .csv."""
    file = resources.files("geo").joinpath("data", f"{name}.csv")
    return list(csv.DictReader(StringIO(file.read_text("utf-8"))))


def fold_word(word: str) -> str:
    """The form in which words of a fixed list are compared."""
    text = unicodedata.normalize("NFKC", str(word)).lower().translate(_SIMPLE)
    return re.sub(r"[\s_-]+", " ", text).strip()


def names_of(kind: str, field: str) -> tuple[str, ...]:
    """All names that a field is known by, normalised, the best first."""
    table = _field_names()
    own = table.get(kind, {}).get(field, ())
    shared = table["*"].get(field, ())
    above = table["parents"].get(field, ()) if kind in _PARENT_KINDS else ()
    header = table.get("headers", {}).get(field, ())
    return tuple(dict.fromkeys([normalise_name(field), *header, *own, *shared, *above]))


def recognise_fields(
    kind: str,
    frame: pd.DataFrame,
    *,
    mapping: Mapping[str, str] | None = None,
    set_values: Mapping[str, str] | None = None,
) -> FieldMap:
    """Find the columns that fill the fields of a kind.

    Parameters
    ----------
    kind
        One of `geo.schema.IMPORT_KINDS`.
    frame
        Columns and values as they stand in the file.
    mapping
        Column of a field, decided by a person; `-` leaves the field empty.
    set_values
        Value of a field for every row.

    Raises
    ------
    ColumnError
        If `mapping` names a column that the file lacks, or two columns fit a field equally; the
        message lists the columns.
    InputError
        If `mapping` or `set_values` name a field that the kind does not have.
    """
    mapping, set_values = dict(mapping or {}), dict(set_values or {})
    _require_known(kind, [*mapping, *set_values])
    by_name: dict[str, list[str]] = {}
    for column in frame.columns:
        for form in dict.fromkeys((normalise_name(column), _bare_name(column))):
            by_name.setdefault(form, []).append(column)
    empty = {c for c in frame.columns if not has_values(frame[c])}
    columns: dict[str, str] = {}
    notes: list[str] = []
    for field in known_fields(kind):
        if field in set_values or mapping.get(field) in NO_COLUMN:
            continue
        if field in mapping:
            columns[field] = _named_column(mapping[field], frame, field)
            continue
        found = _best_column(kind, field, frame, by_name, empty, notes)
        if found is not None:
            columns[field] = found
    used = set(columns.values())
    used |= set(_continued(columns["wkt"], frame)) if "wkt" in columns else set()
    unused = tuple(str(c) for c in frame.columns if c not in used)
    return FieldMap(columns, set_values, unused, tuple(notes))


def _require_known(kind: str, fields: Sequence[str]) -> None:
    unknown = [f for f in fields if f not in known_fields(kind)]
    if unknown:
        raise InputError(
            f"{kind} has no field {', '.join(unknown)}: it has {', '.join(known_fields(kind))}"
        )


def _named_column(name: str, frame: pd.DataFrame, field: str) -> str:
    if name in frame.columns:
        return name
    alike = [c for c in frame.columns if normalise_name(c) == normalise_name(name)]
    if len(alike) == 1:
        return str(alike[0])
    raise ColumnError(
        f"the file has no column {name} for {field}: its columns are {list_columns(frame)}"
    )


def list_columns(frame: pd.DataFrame, most: int = 60) -> str:
    """The columns of a file for a message."""
    names = [str(c) for c in frame.columns]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _best_column(
    kind: str,
    field: str,
    frame: pd.DataFrame,
    by_name: Mapping[str, list[str]],
    empty: set[str],
    notes: list[str],
) -> str | None:
    names = names_of(kind, field)
    fits = [(name, by_name[name]) for name in names if name in by_name]
    fits += [(name, cut) for name in names if (cut := _cut_columns(name, frame))]
    fallback = None
    for name, columns in fits:
        full = [c for c in columns if c not in empty]
        if not full:
            fallback = fallback or columns[0]
            continue
        # A repeated heading was numbered by the reader: it is still the same name.
        exact = [c for c in full if normalise_name(_REPEAT.sub("", c)) == name] or full
        chosen = _one_of(exact, frame, field)
        if _suits(kind, field, frame[chosen]):
            return chosen
        notes.append(f"column {chosen} does not fill {field}: its values are no {field}")
    return fallback


def _cut_columns(name: str, frame: pd.DataFrame) -> list[str]:
    """Columns whose name is the beginning of `name`, cut off by the format of the file."""
    cut = [str(c) for c in frame.columns if str(c).endswith(CUT)]
    return [c for c in cut if name.startswith(normalise_name(c))]


def _one_of(columns: Sequence[str], frame: pd.DataFrame, field: str) -> str:
    """The column, or the first of several that hold the same; else a person must choose."""
    for other in columns[1:]:
        if not frame[columns[0]].astype("str").equals(frame[other].astype("str")):
            raise ColumnError(
                f"columns {', '.join(columns)} all look like {field} and differ:"
                f" choose one with --map {field}=COLUMN"
            )
    return columns[0]


def _suits(kind: str, field: str, values: pd.Series) -> bool:
    """Whether values can be what the field wants, where its name alone says too little."""
    if (kind, field) in _WORD_FIELDS:
        known = words_of(_WORD_FIELDS[kind, field])
        unique = values.dropna().astype("str").unique()[:5000]
        return any(fold_word(v) in known for v in unique)
    if field in ("lon", "lat"):
        if not is_vague_name(str(values.name)):
            return True
        some = values.dropna().astype("str").str.strip()
        some = some[some != ""].head(1000)
        return bool(some.empty or to_degrees(some)[0].notna().any())
    if field == "wkt":
        some = values.dropna().astype("str").head(1000)
        return bool(
            some.str.match(r"^\s*(SRID=\d+;)?\s*(MULTI)?(POINT|LINE|POLYGON)", case=False).any()
        )
    if field == "place":
        some = values.dropna().astype("str").head(1000)
        return bool(parse_pairs(some)[0].notna().any())
    if field in ("phone",):
        return bool(values.dropna().astype("str").str.contains(r"\d{3}").any())
    if field == "time_zone":
        return bool(values.dropna().astype("str").str.contains("/|UTC").any())
    return True


def match_words(field: str, values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Our value for each word of a source, and the words that are not known.

    Returns
    -------
    values, unknown
        One value a row (missing where there is no word or it is unknown), and the unknown words
        with their counts.
    """
    text = clean_texts(values)[0]
    unique = text.dropna().unique()
    known = words_of(field)
    found = {word: _look_up(word, known) for word in unique}
    out = text.map(found).astype("str")
    counts = text[text.notna() & out.isna()].value_counts()
    return out, counts


def _look_up(word: str, known: Mapping[str, str]) -> str | None:
    folded = fold_word(word)
    if folded in known:
        return known[folded]
    # "Closed (Transferred)" is closed; "['primary', 'secondary']" is primary.
    bare = re.sub(r"\s*\(.*\)\s*$", "", folded)
    listed = re.match(r"^\[\s*['\"]([^'\"]+)['\"]", str(word))
    return known.get(bare) or (known.get(fold_word(listed.group(1))) if listed else None)


def parse_options(pairs: Sequence[str], option: str) -> dict[str, str]:
    """`field=column` texts of the command line as a mapping.

    Raises
    ------
    InputError
        If one has no equals sign, or a field comes twice.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not field.strip():
            raise InputError(f"{option} {pair} is not of the form field=value")
        if field.strip() in out:
            raise InputError(f"{option} names {field.strip()} twice")
        out[field.strip()] = column.strip()
    return out
