"""Real tracks: delivery workers with labels, GeoLife, recordings without times."""

from __future__ import annotations

import zipfile

import gpxpy
import numpy as np
import pandas as pd
import pytest

from geo.datum import metric_crs
from geo.fixes import RULES, clean_fixes, find_walking, split_tracks

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def labelled(shared_data) -> pd.DataFrame:
    """Pieces of six minutes, a label a fix; the dates are relative."""
    parts = []
    with zipfile.ZipFile(shared_data / "trace_goal_onfoot_dev" / "trajectories.zip") as pack:
        for name in sorted(n for n in pack.namelist() if n.endswith(".csv")):
            with pack.open(name) as file:
                parts.append(pd.read_csv(file).assign(worker_id=name))
    table = pd.concat(parts, ignore_index=True)
    times = pd.to_datetime(table["timestamp"], format="ISO8601", utc=True)
    return table.assign(time=times.astype("datetime64[us, UTC]"))


def test_on_foot_is_found_with_the_precision_and_recall_that_the_docs_state(labelled):
    found = find_walking(labelled).fillna(True).to_numpy(dtype=bool)
    truth = (labelled["groundtruth"] == "OnFoot").to_numpy()
    both = (found & truth).sum()
    assert (len(truth), int(truth.sum())) == (29016, 16182)
    assert round(both / found.sum(), 3) == 0.914
    assert round(both / truth.sum(), 3) == 0.933
    driven = (~found & ~truth).sum()
    assert round(driven / (~truth).sum(), 3) == 0.889


def test_relative_dates_are_no_obstacle_once_the_rule_of_time_is_left_out(labelled):
    assert (clean_fixes(labelled).removed["rule"] == "no time").all()
    rules = [rule for rule in RULES if rule.name != "no time"]
    assert clean_fixes(labelled, rules=rules).count_removed().to_dict() == {"jump": 3}


def test_geolife_is_cleaned_whole_and_what_goes_is_named(shared_data):
    table = pd.read_csv(shared_data / "trace_geolife_skmob" / "geolife_sample.csv.gz")
    to_metres = metric_crs(table["lng"], table["lat"])
    import pyproj

    move = pyproj.Transformer.from_crs("EPSG:4326", to_metres, always_xy=True)
    x, y = move.transform(table["lng"].to_numpy(), table["lat"].to_numpy())
    times = pd.to_datetime(table["datetime"]).dt.tz_localize("UTC")
    fixes = pd.DataFrame({"worker_id": table["uid"].astype(str), "time": times, "x": x, "y": y})
    cleaned = clean_fixes(fixes)
    assert len(fixes) == 217_653
    assert len(cleaned.tracks) + len(cleaned.removed) == len(fixes)
    assert set(cleaned.removed["rule"]) == {"jump"}
    assert len(cleaned.removed) < 0.002 * len(fixes)
    assert len(cleaned.stays) > 1_000
    assert split_tracks(fixes, gap_s=3600)["fixes"].sum() == len(fixes)
    assert len(split_tracks(fixes, gap_s=3600)) == 244 + 2


def test_recordings_without_times_say_so_row_by_row(shared_data):
    for name, lacking in (("korita-zbevnica.gpx", 358), ("cerknicko-without-times.gpx", 291)):
        text = (shared_data / "trace_gpx_dev" / name).read_text(encoding="utf-8")
        points = [p for t in gpxpy.parse(text).tracks for s in t.segments for p in s.points]
        times = pd.to_datetime([p.time for p in points], utc=True)
        fixes = pd.DataFrame(
            {
                "worker_id": "w",
                "time": pd.Series(times).astype("datetime64[us, UTC]"),
                "x": np.array([p.longitude for p in points]) * 78_000,
                "y": np.array([p.latitude for p in points]) * 111_000,
            }
        )
        assert clean_fixes(fixes).count_removed()["no time"] == lacking
