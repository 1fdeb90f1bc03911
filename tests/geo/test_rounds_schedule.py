"""Which rounds are owed, and what must be visited on them; bad files are refused by their place."""

from __future__ import annotations

import itertools
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geo._working_time import WorkingCalendar
from geo.errors import InputError
from geo.io.rules import read_alarm_rules, read_rounds
from geo.rounds import (
    PlaceRule,
    RoundRule,
    Schedule,
    Shift,
    build_places,
    judge_rounds,
)

ZONE = ZoneInfo("Asia/Shanghai")
SATURDAY, MONDAY = date(2026, 11, 21), date(2026, 11, 23)
GRIDS = pd.Index(["A", "B", "C", "D"], name="grid_id")
UNITS = pd.DataFrame(
    {"city_code": "42", "street_code": ["S1", "S1", "S2", "S2"], "community_code": list("abcd")},
    index=GRIDS,
)


def put(folder: Path, name: str, text: str) -> Path:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def owed(schedule: Schedule, day: date = SATURDAY, **more) -> dict[str, list[str]]:
    table = schedule.owed_on(day, GRIDS, zone=ZONE, units=UNITS, **more)
    local = table["start"].dt.tz_convert(ZONE).dt.strftime("%H:%M")
    told = table["shift"].astype(str) + local + table["role"].map(lambda r: f"/{r}" if r else "")
    return told.groupby(table["grid_id"].astype(str)).apply(list).to_dict()


def test_three_rounds_of_an_hour_are_owed_where_a_city_says_nothing(tmp_path):
    schedule = read_rounds(tmp_path)
    table = schedule.owed_on(SATURDAY, GRIDS, zone=ZONE)
    assert len(table) == 12
    assert table["shift"].tolist()[:3] == ["morning", "noon", "evening"]
    assert table.loc[0, "start"] == pd.Timestamp("2026-11-21T00:00Z")
    assert (table["end"] - table["start"] == pd.Timedelta(hours=1)).all()
    assert table[["need_min", "part_min"]].drop_duplicates().to_numpy().tolist() == [[30, 10]]
    assert schedule.places == ()


def test_the_nearest_unit_wins_and_no_minutes_mean_no_round(tmp_path):
    put(
        tmp_path, "rounds",
        "shift,unit,start,minutes\nnoon,,12:00,0\nmorning,S1,09:00,60\nmorning,B,07:30,90\n"
        "evening,d,18:00,0\nevening,S2,19:00,30\n",
    )  # fmt: skip
    assert owed(read_rounds(tmp_path)) == {
        "A": ["morning09:00", "evening18:00"],
        "B": ["morning07:30", "evening18:00"],
        "C": ["morning08:00", "evening19:00"],
        "D": ["morning08:00"],
    }


def test_weekdays_dates_and_roles(tmp_path):
    put(
        tmp_path, "rounds",
        "shift,role,weekdays,since,until,start,minutes\nmorning,,6-7,,,10:00,30\n"
        "morning,,,2026-11-23,2026-11-23,06:00,60\nnight,police,1 3,,,23:30,60\n",
    )  # fmt: skip
    schedule = read_rounds(tmp_path)
    assert owed(schedule)["A"][0] == "morning10:00"
    monday = owed(schedule, MONDAY)["A"]
    assert monday == ["morning06:00", "noon12:00", "evening18:00", "night23:30/police"]
    assert owed(schedule, date(2026, 11, 24))["A"][0] == "morning08:00"
    night = schedule.owed_on(MONDAY, GRIDS, zone=ZONE).iloc[3]
    assert night["end"] == pd.Timestamp("2026-11-23T16:30Z")


def test_working_days_are_those_of_the_calendar(tmp_path):
    put(tmp_path, "rounds", "shift,days,start,minutes\nnoon,workdays,12:00,0\n")
    schedule = read_rounds(tmp_path)
    week = WorkingCalendar(basis="weekdays", overrides=((MONDAY, False),))
    assert "noon12:00" in owed(schedule, SATURDAY, calendar=week)["A"]
    assert "noon12:00" in owed(schedule, MONDAY, calendar=week)["A"]
    assert "noon12:00" not in owed(schedule, date(2026, 11, 24), calendar=week)["A"]
    with pytest.raises(InputError, match="noon is for workdays: give a calendar"):
        owed(schedule)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rounds", "shift,start,minutes\nmorning,8,60\n",
         r"rounds\.csv, line 2, column start: is '8': write it like 08:00"),
        ("rounds", "shift,start,minutes\nmorning,08:00,1.5\n",
         "line 2, column minutes: is '1.5': write a whole number from 0 to 1440"),
        ("rounds", "shift,start,minutes,need_min\nmorning,08:00,30,40\n",
         "line 2, column need_min: is 40 of 30 minutes: ask for fewer"),
        ("rounds", "shift,start,minutes,need_min,part_min\nm,08:00,30,10,20\n",
         "line 2, column part_min: is 20, more than the 10 of need_min"),
        ("rounds", "shift,start,minutes,weekdays\nm,08:00,30,0-5\n",
         "line 2, column weekdays: is '0-5': write 1-5 or 1 3 6"),
        ("rounds", "shift,start,minutes,since,until\nm,08:00,30,2026-02-02,2026-02-01\n",
         "line 2, column until: is 2026-02-01, before 2026-02-02"),
        ("rounds", "shift,start,minutes,since\nm,08:00,30,02/02/2026\n", "column since: is '02/02"),
        ("rounds", "shift,start,minutes\nm,08:00,30\nm,09:00,30\n", "line 3, .* stands twice"),
        ("rounds", "shift,start\nm,08:00\n", "line 1, column minutes: is missing"),
        ("round_places", "place,kind\np,shop\n", "line 2, column kind: is 'shop'"),
        ("round_places", "place,kind\np,asset\n", "line 2, column class_code: is empty"),
        ("round_places", "place,kind\np,street\n", "line 2, column target: is empty"),
        ("round_places", "place,kind,lon\np,checkpoint,114\n", "line 2, column lon: or lat is"),
        ("round_places", "place,kind,target,class_code\np,street,r,01\n", "only assets have a"),
        ("round_places", "place,kind,class_code,every_days\np,asset,01,0\n", "every_days: is '0'"),
        ("round_places", "place,kind,class_code,within_m\np,asset,01,-3\n", "within_m: is '-3'"),
        ("patrol_alarms", "name,value\noff_post,3\n", "line 2, column name: is 'off_post', which"),
        ("patrol_alarms", "name,value\noff_post_delay_s,soon\n", "column value: off_post_delay_s"),
        ("patrol_alarms", "name,value\nduty_days,monthly\n", "write daily or workdays"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_by_its_row_and_column(tmp_path, name, text, said):
    put(tmp_path, name, text)
    with pytest.raises(InputError, match=said):
        (read_alarm_rules if name == "patrol_alarms" else read_rounds)(tmp_path)


def test_thresholds_of_alarms_are_the_packaged_ones_with_the_citys_over_them(tmp_path):
    packaged = read_alarm_rules(tmp_path)
    assert packaged == type(packaged)()
    put(tmp_path, "patrol_alarms", "name,value\noff_post_delay_s,120\nduty_days,workdays\n")
    own = read_alarm_rules(tmp_path)
    assert (own.off_post_delay_s, own.duty_days) == (120, "workdays")
    assert own.no_signal_delay_s == packaged.no_signal_delay_s


# --- what must be visited ----------------------------------------------------------------------


@pytest.fixture
def town(four_grids):
    """Four grids of 100 m, six hydrants in A, a light in B, a street through A and B."""
    spots = [(10 + 15 * k, 45) for k in range(6)] + [(150, 50)]
    states = ["intact"] * 5 + ["removed", "lost"]
    assets = gpd.GeoDataFrame(
        {"class_code": ["0113"] * 6 + ["0118"], "name": None, "state": states},
        geometry=gpd.points_from_xy(*zip(*spots, strict=True)),
        index=pd.Index([*"uvwxyz", "l"], name="asset_id"),
        crs=four_grids.crs,
    )  # fmt: skip
    roads = gpd.GeoDataFrame(
        {"road_class": ["minor"]},
        geometry=[shapely.LineString([(0, 30), (200, 30)])],
        index=pd.Index(["r1"], name="road_id"),
        crs=four_grids.crs,
    )
    return four_grids, assets, roads


def test_assets_of_a_class_come_due_in_turn_and_removed_ones_never(town):
    grids, assets, roads = town
    schedule = Schedule((), (PlaceRule("h", "asset", class_code="0113", every_days=5),))
    book = build_places(schedule, grids, assets=assets, roads=roads)
    assert sorted(book.table["place_id"]) == list("uvwxy")
    due = [
        set(book.table["place_id"][book.due_on(date.fromordinal(SATURDAY.toordinal() + k))])
        for k in range(10)
    ]
    assert [len(each) for each in due] == [1] * 10
    assert set().union(*due[:5]) == set("uvwxy")
    assert due[:5] == due[5:]


def test_places_lie_in_the_grid_of_their_place_and_streets_in_each_they_cross(town):
    grids, assets, roads = town
    schedule = Schedule(
        (),
        (
            PlaceRule("any", "asset", class_code="01", unit="B"),
            PlaceRule("one", "asset", target="u"),
            PlaceRule("street", "street", target="r1"),
        ),
    )
    table = build_places(schedule, grids, assets=assets, roads=roads).table
    told = list(zip(table["place_id"], table["kind"], table["row"].astype(int), strict=True))
    assert told == [("l", "asset", 1), ("u", "asset", 0), ("r1", "street", 0), ("r1", "street", 1)]
    assert table["count"].tolist() == [1, 1, 10, 10]


def test_a_place_that_is_not_there_is_refused(town):
    grids, assets, roads = town
    for rule in (PlaceRule("p", "asset", target="?"), PlaceRule("p", "street", target="?")):
        with pytest.raises(InputError, match=r"p names the .* \?, which is not there"):
            build_places(Schedule((), (rule,)), grids, assets=assets, roads=roads)


def patrol(points: list[tuple[float, float]], *, stop: dict[int, int] | None = None):
    """A fix every 5 s at 1 m/s along points from 08:00, standing at some of them for seconds."""
    x, y = [], []
    for k, (a, b) in enumerate(itertools.pairwise(points)):
        steps = max(1, int(np.hypot(b[0] - a[0], b[1] - a[1]) / 5))
        x += list(np.linspace(a[0], b[0], steps, endpoint=False))
        y += list(np.linspace(a[1], b[1], steps, endpoint=False))
        again = (stop or {}).get(k + 1, 0) // 5
        x += [b[0]] * again
        y += [b[1]] * again
    second = np.arange(len(x)) * 5
    return pd.DataFrame(
        {
            "worker_id": "w",
            "time": pd.Timestamp("2026-11-21T00:00Z") + pd.to_timedelta(second, unit="s"),
            "x": x,
            "y": y,
        }
    )


def test_a_round_without_its_places_is_partly_done_and_names_what_was_left_out(town):
    """Along the street for an hour; a stop at one hydrant, another passed, one far away."""
    grids, assets, roads = town
    far = gpd.GeoDataFrame(
        {"class_code": ["0113"], "name": ["远处"], "state": ["intact"]},
        geometry=[shapely.Point(20, 95)], index=pd.Index(["q"], name="asset_id"), crs=grids.crs,
    )  # fmt: skip
    assets = pd.concat([assets.loc[["u", "y"]], far])
    rules = (
        PlaceRule("h", "asset", class_code="0113"),
        PlaceRule("s", "street", target="r1", unit="A"),
    )
    schedule = Schedule(Schedule.of_shifts([Shift("morning", time(8))]).rounds, rules)
    book = build_places(schedule, grids, assets=assets, roads=roads)
    way = [(2, 30), (10, 45), *[(0, 30), (98, 30)] * 40]
    judged = judge_rounds(
        grids, patrol(way, stop={1: 90}), pd.Series({"w": "A"}), day=SATURDAY,
        at=datetime(2026, 11, 21, 23, tzinfo=ZONE), zone=ZONE, schedule=schedule, places=book,
    )  # fmt: skip
    row = judged.rounds.iloc[0]
    assert (row["status"], row["reason"], row["places"]) == ("partly", "places_missing", 4)
    places = judged.places.set_index("place_id")
    assert places["state"].to_dict() == {
        "u": "visited", "y": "not_visited", "q": "not_visited", "r1": "visited",
    }  # fmt: skip
    assert places["reason"].to_dict() == {"u": "", "y": "passed_by", "q": "far", "r1": ""}
    assert places.loc["q", "name"] == "远处"
    assert places.loc["u", "stay_s"] >= 60
    assert places.loc["u", "at"] < pd.Timestamp("2026-11-21T00:02Z")
    assert places.loc["r1", "share"] == 1.0
    # The same round with its places done is done.
    only = build_places(Schedule((), (PlaceRule("h", "asset", target="u"),)), grids, assets=assets)
    again = judge_rounds(
        grids, patrol(way, stop={1: 90}), pd.Series({"w": "A"}), day=SATURDAY,
        at=datetime(2026, 11, 21, 23, tzinfo=ZONE), zone=ZONE, schedule=schedule, places=only,
    )  # fmt: skip
    assert again.rounds.loc[0, "status"] == "done"


def test_a_round_of_a_role_is_walked_by_its_people_only(four_grids):
    schedule = Schedule((RoundRule("beat", time(8), role="police"), RoundRule("walk", time(8))))
    way = [(10, 30), (90, 30)] * 30
    posts = pd.Series({"w": "A", "p": "A"})
    judged = judge_rounds(
        four_grids, patrol(way), posts, day=SATURDAY,
        at=datetime(2026, 11, 21, 23, tzinfo=ZONE), zone=ZONE, schedule=schedule,
        roles=pd.Series({"w": "grid_worker", "p": "police"}), phones=pd.Index(["w", "p"]),
    )  # fmt: skip
    mine = judged.rounds[judged.rounds["grid_id"] == "A"].set_index("shift")
    assert mine["status"].to_dict() == {"beat": "unknown", "walk": "done"}
    assert mine["workers"].to_dict() == {"beat": 1, "walk": 2}


def test_a_worker_without_a_phone_is_not_waited_for(four_grids):
    away = patrol([(1000, 1000), (1090, 1000)] * 40)
    posts = pd.Series({"w": "A", "v": "A"})
    at = datetime(2026, 11, 21, 23, tzinfo=ZONE)
    told = {"day": SATURDAY, "at": at, "zone": ZONE}
    both = judge_rounds(four_grids, away, posts, **told).rounds.iloc[0]
    assert (both["status"], both["reason"]) == ("unknown", "others_silent")
    one = judge_rounds(four_grids, away, posts, phones=pd.Index(["w"]), **told).rounds.iloc[0]
    assert (one["status"], one["reason"]) == ("missed", "off_post")
