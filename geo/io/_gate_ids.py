"""Which rows are the same thing: ids cleaned, made where asked, and each stored once.

- An exact repetition of a row (every column and the shape) is rejected, the first one stays.
- Polygons or lines with one id that agree in every other field are parts of one feature and are
  joined.
- Any other row whose id came before is rejected with the fields that differ.
- An id that the workspace has already is rejected, unless rows are to be updated.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger
from geo.io.read import Source
from geo.schema import TABLES

_SCIENTIFIC = r"^\d(?:\.\d+)?[eE]\+?\d+$"


def clean_ids(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Give every row its id as text; rows without one are rejected unless ids are to be made."""
    name = TABLES[wishes.kind].id
    ids = draft[name] if name in draft else pd.Series(None, index=draft.index, dtype="str")
    wide = ~ids.fillna("").str.isascii()
    if wide.any():
        folded = ids[wide].map(lambda t: unicodedata.normalize("NFKC", t).strip())
        changed = int((folded != ids[wide]).sum())
        ledger.repair("full-width characters in ids written plainly", changed)
        ids = ids.mask(wide, folded.reindex(ids.index))
    decimal = ids.str.match(r"^\d+\.0+$", na=False)
    ledger.repair("'.0' taken off ids", int(decimal.sum()))
    if decimal.any():
        ids = ids.mask(decimal, ids.str.replace(r"\.0+$", "", regex=True))
    draft = draft.assign(**{name: ids, "_id": ids})
    lost = ids.str.match(_SCIENTIFIC, na=False).to_numpy(dtype=bool)
    draft = ledger.reject(draft, lost, "id lost its digits in a spreadsheet", draft[name])
    missing = draft[name].isna().to_numpy()
    if not missing.any():
        return draft
    if wishes.make_ids is None:
        return ledger.reject(
            draft, missing, "no id", "--make-ids PREFIX gives rows without an id one"
        )
    joint = "" if not wishes.make_ids or not wishes.make_ids[-1].isalnum() else "-"
    # By place among the rows read, so that the same files give the same ids again.
    made = pd.Series(draft.index + 1, index=draft.index).map(
        lambda n: f"{wishes.make_ids}{joint}{n:06d}"
    )
    if not missing.all() or wishes.mapping.get(name) not in ("", "-"):
        ledger.note(f"{int(missing.sum()):,} ids made, from {made[missing].iloc[0]}")
    out = draft[name].mask(missing, made).astype("str")
    return draft.assign(**{name: out, "_id": out, "_made": missing})


def drop_repeated(
    draft: pd.DataFrame, sources: Sequence[Source], wishes: Wishes, ledger: Ledger
) -> pd.DataFrame:
    """Reject exact repetitions of a row that has no id of its own, or whose id is the same."""
    name = TABLES[wishes.kind].id
    made = draft["_made"].to_numpy(dtype=bool) if "_made" in draft else np.zeros(len(draft), bool)
    suspects = draft[name].duplicated(keep=False).to_numpy() | made
    if not suspects.any():
        return draft
    some = draft[suspects]
    marks = pd.Series(row_marks(some, sources), index=some.index)
    keys = pd.DataFrame({"id": some[name].where(~made[suspects], ""), "mark": marks})
    again = pd.Series(False, index=draft.index)
    again.loc[some.index] = keys.duplicated(keep="first").to_numpy()
    return ledger.reject(draft, again.to_numpy(), "duplicate row", "repeats an earlier row exactly")


def row_marks(draft: pd.DataFrame, sources: Sequence[Source]) -> npt.NDArray[np.uint64]:
    """A number for each row that is equal where all its raw values and its shape are equal."""
    out = np.zeros(len(draft), dtype=np.uint64)
    owner = draft["_source"].to_numpy()
    for number in np.unique(owner):
        mine = owner == number
        source = sources[number]
        at = draft["_pos"].to_numpy()[mine]
        if source.frame.shape[1]:
            # Columns by name, so that files with another order of columns compare too.
            raw = source.frame.iloc[at]
            raw = raw[sorted(raw.columns, key=str)].astype("str").fillna("")
            marks = pd.util.hash_pandas_object(raw, index=False).to_numpy(dtype=np.uint64)
        else:
            marks = np.zeros(len(at), dtype=np.uint64)
        if source.shapes is not None:
            wkb = pd.Series(shapely.to_wkb(source.shapes[at]), dtype=object)
            text = wkb.map(lambda b: "" if b is None else bytes(b).hex())
            shape_marks = pd.util.hash_pandas_object(text, index=False).to_numpy(dtype=np.uint64)
            marks = marks * np.uint64(1_000_003) + shape_marks
        out[mine] = marks
    return out


def settle_same_ids(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    """Join the parts of one feature; reject other rows whose id came before.

    The joined row keeps the place of the first part; its shape is the union of all parts.
    """
    name = TABLES[wishes.kind].id
    keys = [name, "version"] if wishes.kind == "grids" and "version" in draft else [name]
    again = draft.duplicated(keys, keep="first").to_numpy()
    if not again.any():
        return draft
    differ = _differing_fields(draft, keys)
    parts = np.zeros(len(draft), dtype=bool)
    if "_shape" in draft:
        dimension = shapely.get_dimensions(draft["_shape"].to_numpy(dtype=object))
        parts = again & (differ == "") & (dimension >= 1)
    clash = again & ~parts
    detail = np.where(differ == "", "another place", np.array([f"other {d}" for d in differ]))
    rest = ledger.reject(draft, clash, "id was there before in these files", detail)
    if not parts.any():
        return rest
    return _join_parts(rest, parts[~clash], keys, ledger)


def _differing_fields(draft: pd.DataFrame, keys: Sequence[str]) -> npt.NDArray[Any]:
    """For every row the fields in which it differs from the first row of its id."""
    plain = [c for c in draft.columns if not c.startswith("_") and c not in keys]
    twice = draft.duplicated(list(keys), keep=False)
    out = np.full(len(draft), "", dtype=object)
    some = draft.loc[twice, [*keys, *plain]]
    groups = some.groupby(list(keys), sort=False)
    for column in plain:
        # Not transform("first"): that skips missing values.
        first = some[column].to_numpy(dtype=object)[_first_positions(groups)]
        own = some[column].to_numpy(dtype=object)
        same = (own == first) | (pd.isna(own) & pd.isna(first))
        where = np.flatnonzero(twice.to_numpy())[~np.asarray(same, dtype=bool)]
        out[where] = [f"{v}, {column}" if v else column for v in out[where]]
    return out


def _first_positions(groups: Any) -> npt.NDArray[np.intp]:
    number = groups.ngroup().to_numpy()
    first = np.full(number.max() + 1, -1, dtype=np.intp)
    first[number[::-1]] = np.arange(len(number))[::-1]
    return np.asarray(first[number])


def _join_parts(
    draft: pd.DataFrame, parts: npt.NDArray[np.bool_], keys: Sequence[str], ledger: Ledger
) -> pd.DataFrame:
    number = draft.groupby(list(keys), sort=False).ngroup().to_numpy()
    concerned = np.isin(number, np.unique(number[parts]))
    out = draft[~parts].copy()
    shapes = draft["_shape"].to_numpy(dtype=object)
    joined = {
        group: _union(shapes[concerned & (number == group)]) for group in np.unique(number[parts])
    }
    keep = number[~parts]
    out["_shape"] = np.array(
        [joined.get(g, s) for g, s in zip(keep, out["_shape"], strict=True)], dtype=object
    )
    ledger.joined += int(parts.sum())
    ledger.repair(
        "rows joined into one feature as its parts",
        int(parts.sum()),
        detail=f"{len(joined):,} features",
    )
    return out


def _union(shapes: npt.NDArray[Any]) -> Any:
    union = shapely.union_all(shapes)
    return shapely.line_merge(union) if shapely.get_dimensions(union) == 1 else union
