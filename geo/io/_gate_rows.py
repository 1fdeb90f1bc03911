"""Rows of one source in the terms of our tables: fields filled, values read, places in WGS-84.

The conversion to WGS-84 happens here, once, by what the file or the caller says, never by guess.
Nothing is decided yet about rows that do not fit: an optional value that cannot be read is
emptied and listed, a place that cannot be used is marked in `_place` with its reason.

A draft is a frame with the filled fields and, beginning with an underscore: `_file`, `_row` (as a
person finds it), `_source` and `_pos` (where the raw row is), `_id`, `_shape`, `_place`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from geo.errors import ColumnError, InputError
from geo.io import fields, times
from geo.io._gate_places import read_places
from geo.io._gate_wishes import POINT_KINDS, Wishes
from geo.io.fields import FieldMap
from geo.io.gate_report import Ledger
from geo.io.read import Source
from geo.schema import TABLES

_BY_TAGS = {
    "class_code": ("emergency", "highway", "man_made", "amenity", "natural", "power"),
    "road_class": ("highway", "railway", "waterway"),
    "kind": ("leisure", "natural", "landuse", "waterway", "amenity", "shop"),
}


_PEOPLE = ("households", "population")
"""Numbers of people keep their sum when they are rounded."""
_YES = (
    "true", "1", "yes", "y", "t", "是", "班", "上班", "补班", "调休上班", "工作日", "workday",
    "working day",
)  # fmt: skip
_NO = (
    "false", "0", "no", "n", "f", "否", "休", "放假", "假", "休息", "休息日", "节假日", "假日",
    "公休", "holiday", "day off", "rest day",
)  # fmt: skip


def make_draft(source: Source, number: int, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """The rows of a source with the fields of the kind; as many rows, in the same order.

    Raises
    ------
    ColumnError
        If a field that must be filled has no column; the message lists the file's columns and
        says how to name one.
    CrsError
        If shapes have no CRS and are not in degrees.
    """
    kind = wishes.kind
    found = fields.recognise_fields(
        kind, source.frame, mapping=wishes.mapping, set_values=wishes.set_values
    )
    _note_fields(found, source, ledger)
    draft = pd.DataFrame(index=pd.RangeIndex(len(source.frame)))
    named = source.name if source.files is None else source.files
    draft["_file"] = pd.Series(named, index=draft.index, dtype="str")
    draft["_row"] = source.rows
    draft["_source"], draft["_pos"] = number, np.arange(len(draft))
    raw = source.frame.set_axis(draft.index)
    _require_fields(found, source, wishes)
    for name in (*TABLES[kind].names, *fields.PARENT_FIELDS, *fields.EXTRA_FIELDS.get(kind, ())):
        is_known = name in TABLES[kind].names
        if found.has(name) and not (kind in (*POINT_KINDS, "fixes") and name in ("lon", "lat")):
            sort = TABLES[kind].column(name).kind if is_known else "text"
            if name == "speed_ms":
                sort = "real"
            if sort != "time" and (kind, name) != ("fixes", "date"):
                values = found.values(raw, name)
                if source.guarded and sort == "text" and name in found.columns:
                    values = _unguard(draft, values, name, ledger)
                draft[name] = _read_values(draft, values, name, sort, ledger)
    _read_times(draft, raw, found, wishes, ledger)
    read_places(draft, raw, found, source, wishes, ledger)
    table_id = TABLES[kind].id
    draft["_id"] = (
        draft[table_id] if table_id in draft else pd.Series(None, draft.index, dtype="str")
    )
    return draft


def _note_fields(found: FieldMap, source: Source, ledger: Ledger) -> None:
    known = {(f, n) for f, n, _ in ledger.fields}
    for name, column in {
        **found.columns,
        **{k: f"= {v}" for k, v in found.constants.items()},
    }.items():
        if (source.name, name) not in known:
            ledger.fields.append((source.name, name, column))
    if source.name not in ledger.unused:
        ledger.unused[source.name] = found.unused
    for text in (*source.notes, *found.notes):
        ledger.note(text)


def _require_fields(found: FieldMap, source: Source, wishes: Wishes) -> None:
    kind = wishes.kind
    missing = []
    for column in TABLES[kind].columns:
        if (
            column.required
            and not found.has(column.name)
            and not _has_default(column.name, source, wishes)
        ):
            missing.append(column.name)
    if not missing:
        return
    table_id = TABLES[kind].id
    name = missing[0]
    ways = [f"--map {name}=COLUMN", f"--set {name}=VALUE"]
    if name == table_id and kind != "fixes":
        ways = [ways[0], "--make-ids PREFIX"]
    raise ColumnError(
        f"{source.name} has no column for {', '.join(missing)}: its columns are"
        f" {fields.list_columns(source.frame) or 'none'}; say {' or '.join(ways)}"
    )


def _has_default(name: str, source: Source, wishes: Wishes) -> bool:
    kind = wishes.kind
    if name == TABLES[kind].id and wishes.make_ids is not None and kind != "fixes":
        return True
    if kind == "fixes":
        return name in ("lon", "lat")
    if name in _BY_TAGS and set(_BY_TAGS[name]) & set(source.frame.columns):
        return True
    if (kind, name) == ("duties", "worker_id"):
        return fields.recognise_fields(kind, source.frame).has("worker_name")
    return (kind, name) in {
        ("grids", "kind"), ("grids", "version"), ("grids", "valid_from"), ("incidents", "stage"),
        ("cameras", "class_code"), ("divisions", "level"), ("workers", "role"),
        ("duties", "rank"), ("duties", "valid_from"), ("zones", "name"),
    }  # fmt: skip


def _unguard(draft: pd.DataFrame, values: pd.Series, name: str, ledger: Ledger) -> pd.Series:
    texts, hit = fields.unguard_formulas(values.astype("str"))
    ledger.repair(f"apostrophe before a formula taken off {name}", int(hit.sum()))
    return texts


def _read_values(
    draft: pd.DataFrame, values: pd.Series, name: str, sort: str, ledger: Ledger
) -> pd.Series:
    if sort == "text":
        text, odd = fields.clean_texts(values)
        if odd.any():
            ledger.repair(f"invisible characters taken out of {name}", int(odd.sum()))
            ledger.point_out(draft, odd, f"invisible characters in {name}", text)
        lost = text.str.contains("\ufffd", regex=False, na=False).to_numpy(dtype=bool)
        if lost.any():
            count = ledger.point_out(draft, lost, f"unreadable characters in {name}", text)
            ledger.warn(
                f"{count:,} values of {name} hold characters that could not be read (\ufffd)"
            )
        return text
    if sort == "bool":
        folded = fields.clean_texts(values)[0].map(fields.fold_word, na_action="ignore")
        return folded.map({**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}).astype(
            "boolean"
        )
    number, bad = fields.to_numbers(values)
    if bad.any():
        ledger.repair(f"{name} is no number, left empty", int(bad.sum()))
        ledger.point_out(draft, bad, f"{name} is no number, left empty", values.astype("str"))
    return _whole(draft, number, name, ledger) if sort == "integer" else number


def _whole(draft: pd.DataFrame, number: pd.Series, name: str, ledger: Ledger) -> pd.Series:
    """Counts of people and things: not negative, whole."""
    negative = (number < 0).to_numpy()
    if negative.any():
        ledger.repair(f"{name} is negative, left empty", int(negative.sum()))
        ledger.point_out(draft, negative, f"{name} is negative, left empty", number)
        number = number.where(~negative)
    broken = (number.notna() & (number % 1 != 0)).to_numpy()
    if broken.any():
        keeps_sum = name in _PEOPLE
        rounded = round_to_sum(number) if keeps_sum else number.round()
        ledger.repair(
            f"{name} rounded to whole numbers",
            int(broken.sum()),
            detail=f"sum {number.sum():,.2f} became {rounded.sum():,.0f}"
            + (", the largest remainders went up" if keeps_sum else ""),
        )
        number = rounded
    return number.astype("Int64")


def round_to_sum(numbers: pd.Series) -> pd.Series:
    """Whole numbers whose sum is that of the numbers, rounded: the largest remainders go up.

    Numbers that are whole stay; none moves by one or more (Hamilton's method). Among equal
    remainders the first rows go up.
    """
    known = numbers.dropna()
    low = np.floor(known)
    # Sums of many fractions end in noise; a millionth of a person decides nothing.
    rest = (known - low).round(6)
    up = int(np.floor(rest.sum() + 0.5))
    order = np.argsort(-rest.to_numpy(), kind="stable")[:up]
    out = low.to_numpy(copy=True)
    out[order] += 1
    return pd.Series(out, index=known.index).reindex(numbers.index)


def _read_times(
    draft: pd.DataFrame, raw: pd.DataFrame, found: FieldMap, wishes: Wishes, ledger: Ledger
) -> None:
    names = [c.name for c in TABLES[wishes.kind].columns if c.kind == "time" and found.has(c.name)]
    if not names:
        return
    zone = wishes.timezone
    if "time_zone" in found.columns:
        stated = raw[found.columns["time_zone"]].dropna().unique()
        zone = str(stated[0]) if len(stated) == 1 else zone
    columns = {name: found.values(raw, name) for name in names}
    if wishes.kind == "fixes" and found.has("date"):
        columns["time"] = times.join_dates(
            found.values(raw, "date"), columns["time"], replaces="date" in found.constants
        )
    order, why = wishes.date_order, "as told"
    if order is None:
        order, why = times.decide_order(columns.values()) or (None, "")
    zoneless = 0
    ordered: list[str] = []
    for name, values in columns.items():
        got = times.parse_times(values, timezone=zone, order=order, why=why)
        if wishes.kind == "fixes":
            # A day is no moment: midnight of it would be made up.
            days = times.is_day_only(values)
            unreadable = got.unreadable | days
            got = replace(got, values=got.values.mask(days), unreadable=unreadable)
        draft[name] = got.values
        zoneless += got.zoneless
        if got.order is not None:
            ordered.append(name)
        if got.unreadable.any():
            draft[f"_raw_{name}"] = values.astype("str").where(got.unreadable)
    if ordered:
        first = "month" if order == "mdy" else "day"
        ledger.note(f"dates of {', '.join(ordered)} are read {first} first: {why}")
        if "no value tells" in why:
            ledger.warn(f"day or month first? {', '.join(ordered)}: read month first; {why}")
    if zoneless:
        ledger.zone = zone
        ledger.note(f"times without a zone are taken as {zone} (--timezone NAME for another)")


def require_readable(source: Source) -> None:
    """Refuse a source without a single row."""
    if source.read == 0:
        raise InputError(f"{source.name} has no rows")
