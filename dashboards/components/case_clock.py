"""How a deadline came about, in sentences: the limit, when the clock started, when it stood.

The sentences follow `geo.incidents.find_clocks`; the deadline itself is the one that is stored.
"""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from dashboards.components.case_words import at_word, plain, stage_word, utc
from dashboards.store import Store
from dashboards.words import Words
from geo.incidents import find_clocks, log_table
from geo.io.casebook import CaseFile


def clock_lines(store: Store, file: CaseFile, at: datetime, words: Words) -> list[str]:
    """From the limit to the deadline, one step a line."""
    zone, case = store.zone, file.case
    due = utc(file.row["deadline"])
    rules = store.rules.case
    clocks = find_clocks(
        log_table(case.log),
        starts_at=rules.starts_at,
        restart_on=rules.restart_on,
        stands_while=rules.stands_while,
        pause_from=rules.pause_from,
    )
    start = clocks.start.iloc[0]
    lines = []
    if file.told:
        lines.append(words("cases.how.start.told"))
    else:
        lines.append(_limit_line(store, file, words))
        lines.append(
            words("cases.how.notyet")
            if pd.isna(start)
            else words(
                "cases.how.start",
                time=at_word(words, start, at, zone),
                stage=stage_word(words, rules.starts_at),
            )
        )
    for pause in clocks.pauses.to_dict("records"):
        begin, end = (at_word(words, pause[name], at, zone) for name in ("start", "end"))
        key = "cases.how.pause" if end else "cases.how.pause.open"
        lines.append(words(key, **({"from": begin, "to": end} if end else {"from": begin})))
    if file.assumed:
        lines.append(words("cases.how.assumed"))
    if due is not None:
        lines.append(words("cases.how.due", time=at_word(words, due, at, zone)))
    if case.closed_at is not None:
        lines.append(words("cases.how.closed", time=at_word(words, case.closed_at, at, zone)))
    return lines


def _limit_line(store: Store, file: CaseFile, words: Words) -> str:
    limit = file.limit
    if limit is None:
        return words("cases.how.nolimit")
    amount, unit = f"{limit.amount:g}", words(f"cases.unit.{limit.unit}")
    text = _limit_text(store, plain(file.row["class_code"]), file.case.condition or "", words)
    if text:
        return words("cases.how.limit.why", amount=amount, unit=unit, text=text)
    return words("cases.how.limit", amount=amount, unit=unit)


def _limit_text(store: Store, code: str, condition: str, words: Words) -> str:
    """The words of the row of the table of limits that decided."""
    table = store.rules.limits
    for length in range(len(code), 0, -1):
        for word in dict.fromkeys((condition, "")):
            rows = table[(table["class_code"] == code[:length]) & (table["condition"] == word)]
            if len(rows):
                return plain(rows.iloc[0].get(words.language))
    return ""
