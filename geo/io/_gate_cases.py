"""What the gate asks of incidents: a stage, a class, and times that agree.

Words of a source are turned into ours (`geo/data/stage_words.csv`, `state_words.csv`,
`foreign_classes.csv`); an unknown status counts as collected. A case that is closed was closed
after it was reported, and a case that is open has no close time: a close time that contradicts is
emptied, counted and listed with what the source said.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from geo._classes import ClassBook
from geo.io import fields
from geo.io._gate_classes import ForeignClass, map_categories
from geo.io._gate_kinds import settle_words
from geo.io._gate_wishes import Wishes
from geo.io.gate_report import Ledger, list_words

DONE = ("closed", "cancelled")
FIRST_STAGE = "collected"
SLACK = pd.Timedelta(minutes=5)
"""Clocks differ; what is further ahead of the import than this is in the future (`geo.checks`)."""


def settle_incidents(
    draft: pd.DataFrame,
    rules: tuple[ForeignClass, ...],
    classes: ClassBook,
    wishes: Wishes,
    ledger: Ledger,
) -> pd.DataFrame:
    """Stages, levels, classes, and times that contradict each other."""
    draft = _settle_stage(draft, wishes, ledger)
    draft = settle_words(draft, ledger, "level", "case_level")
    draft = _settle_times(draft, ledger, wishes)
    return _settle_class(draft, rules, classes, ledger)


def _settle_stage(draft: pd.DataFrame, wishes: Wishes, ledger: Ledger) -> pd.DataFrame:
    closed = draft["closed_at"].notna() if "closed_at" in draft else pd.Series(False, draft.index)
    if "stage" in draft:
        stage, unknown = fields.match_words("stage", draft["stage"])
        if len(unknown):
            hit = (draft["stage"].notna() & stage.isna()).to_numpy()
            ledger.point_out(draft, hit, "unknown status, taken as collected", draft["stage"])
            ledger.warn(f"unknown status taken as collected: {list_words(unknown)}")
            stage = stage.mask(hit, "collected")
        empty = draft["stage"].isna()
        if empty.any():
            ledger.note(
                f"{int(empty.sum()):,} rows without a status: closed where closed_at is filled"
            )
    else:
        stage = pd.Series(None, index=draft.index, dtype="str")
        empty = pd.Series(True, index=draft.index)
        ledger.note("no column for stage: closed where closed_at is filled, else collected")
    stage = stage.mask(empty & closed, "closed")
    # What an update does not tell stays as it is (`geo.io._gate_write`).
    return draft.assign(stage=stage if wishes.update else stage.fillna(FIRST_STAGE))


def _settle_times(draft: pd.DataFrame, ledger: Ledger, wishes: Wishes) -> pd.DataFrame:
    if "closed_at" in draft:
        closed = draft["closed_at"]
        is_open = closed.notna() & ~draft["stage"].isin(DONE)
        draft = _empty_closed(draft, is_open, "close time of a case that is open", ledger)
        before = draft["closed_at"] < draft["reported_at"]
        draft = _empty_closed(draft, before, "closed before it was reported", ledger)
    if "deadline" in draft:
        early = (draft["deadline"] < draft["reported_at"]).to_numpy()
        count = ledger.point_out(draft, early, "deadline before it was reported")
        if count:
            ledger.warn(f"{count:,} incidents have a deadline before they were reported")
    limit = pd.Timestamp(wishes.at) + SLACK
    for name, word in (("reported_at", "reported"), ("closed_at", "closed")):
        if name in draft:
            future = (draft[name] > limit).to_numpy(dtype=bool)
            detail = _say(draft.loc[future, name])
            count = ledger.point_out(draft, future, f"{word} in the future", detail)
            if count:
                ledger.warn(f"{count:,} incidents are {word} after the time of this import")
    return draft


def _empty_closed(
    draft: pd.DataFrame, mask: pd.Series, reason: str, ledger: Ledger
) -> pd.DataFrame:
    hit = mask.to_numpy(dtype=bool)
    if not hit.any():
        return draft
    ledger.repair(f"{reason}, close time left empty", int(hit.sum()))
    ledger.point_out(draft, hit, reason, _say(draft.loc[hit, "closed_at"]))
    return draft.assign(closed_at=draft["closed_at"].mask(hit))


def _say(times: pd.Series) -> npt.NDArray[np.object_]:
    return np.asarray(times.dt.strftime("%Y-%m-%d %H:%M:%S UTC"), dtype=object)


def _settle_class(
    draft: pd.DataFrame, rules: tuple[ForeignClass, ...], classes: ClassBook, ledger: Ledger
) -> pd.DataFrame:
    """Our code or name first, then what the table of foreign categories says."""
    table = classes.incident_classes()
    names = {
        fields.fold_word(name): str(code)
        for code, row in table.iterrows()
        for name in (row["zh"], row["en"])
    }

    def meaning(word: str) -> str | None:
        text = str(word).strip().upper()
        if classes.is_incident_class(text):
            return text
        return names.get(fields.fold_word(word))

    known = pd.Series(None, index=draft.index, dtype="str")
    for column in ("class_code", "category"):
        if column in draft:
            words = {w: meaning(w) for w in draft[column].dropna().unique()}
            known = known.fillna(draft[column].map(words).astype("str"))
    if "class_code" in draft:
        lost = draft["class_code"].notna() & known.isna()
        if lost.any():
            ledger.note(f"class_code of {int(lost.sum()):,} rows is none of the table: left empty")
            if "category" not in draft:
                draft = draft.assign(category=draft["class_code"])
    return draft.assign(class_code=map_categories(draft, known, rules, ledger))
