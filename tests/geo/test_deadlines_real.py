"""Clocks of a real city that sets its own due dates."""

from __future__ import annotations

import pandas as pd
import pytest

from geo.deadlines import read_clocks


@pytest.mark.real_data
def test_baltimore_closed_1567_of_its_cases_after_their_own_due_dates(shared_data):
    file = shared_data / "inc_baltimore_311" / "311_sample.csv"
    table = pd.read_csv(file, dtype="str", index_col=0)
    times = {
        name: pd.to_datetime(table[name], format="%m/%d/%Y %I:%M:%S %p").dt.tz_localize(
            "America/New_York", ambiguous=True, nonexistent="shift_forward"
        )
        for name in ("DueDate", "CloseDate")
    }
    clocks = read_clocks(
        times["DueDate"],
        at=pd.Timestamp("2030-01-01", tz="UTC"),
        closed_at=times["CloseDate"],
    )
    # SOURCE.md of the file: due missing 286, close missing 208, closed after due 1567
    assert clocks["state"].value_counts()["done_late"] == 1567
    assert clocks["left_s"].isna().sum() == 286
