"""Times in every form, and the zone and order that are assumed."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import InputError
from geo.io.times import decide_order, find_zone, parse_times

CHINA = "Asia/Shanghai"


def read_one(text: object, **options: object) -> pd.Timestamp:
    options = {"timezone": CHINA, **options}
    return parse_times(pd.Series([text]), **options).values.iloc[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-05-27T02:08:51.000", "2024-05-26 18:08:51"),
        ("2024-05-27 02:08", "2024-05-26 18:08"),
        ("2024-05-27", "2024-05-26 16:00"),
        ("2024/5/7", "2024-05-06 16:00"),
        ("2024.05.06 10:11:12", "2024-05-06 02:11:12"),
        ("2024-05-27T02:08:51Z", "2024-05-27 02:08:51"),
        ("2024-05-27T02:08:51+08:00", "2024-05-26 18:08:51"),
        ("2024-05-27T02:08:51.5-0530", "2024-05-27 07:38:51.5"),
        ("2024-05-27 02:08:51 UTC", "2024-05-27 02:08:51"),
        ("04/12/2018 11:11:26 AM", "2018-04-12 03:11:26"),
        ("12/31/2018 12:00:00 AM", "2018-12-30 16:00"),
        ("12/31/2018 12:30 PM", "2018-12-31 04:30"),
        ("3/14/2025 1:20", "2025-03-13 17:20"),
        ("1/1/06 0:00", "2005-12-31 16:00"),
        ("7/4/76", "1976-07-03 16:00"),
        ("2024/10/10 上午 08:55:04", "2024-10-10 00:55:04"),
        ("2015/6/30 下午 07:46:11", "2015-06-30 11:46:11"),
        ("2015/6/30 上午 12:05:00", "2015-06-29 16:05"),
        ("2015/6/30 中午 12:05", "2015-06-30 04:05"),
        ("2015/6/30 晚上 9:05", "2015-06-30 13:05"),
        ("2024年10月10日", "2024-10-09 16:00"),
        ("2024年10月10日 8时5分", "2024-10-10 00:05"),
        ("2024年10月10日下午3点", "2024-10-10 07:00"),
        ("2024年10月10日 星期四 15时30分20秒", "2024-10-10 07:30:20"),
        ("113/10/10", "2024-10-09 16:00"),
        ("民國113年10月10日", "2024-10-09 16:00"),
        ("２０２４－０５－０１", "2024-04-30 16:00"),
        ("1700000000", "2023-11-14 22:13:20"),
        ("1700000000123", "2023-11-14 22:13:20.123"),
        ("20240510", "2024-05-09 16:00"),
        ("20240510083000", "2024-05-10 00:30"),
        ("45000.5", "2023-03-15 04:00"),
        ("12-Apr-2018 10:00", "2018-04-12 02:00"),
        ("Apr 2, 2018", "2018-04-01 16:00"),
        ("Thu, 03 Aug 2023 10:00:00 GMT", "2023-08-03 10:00"),
        ("9999-12-31", "9999-12-30 16:00"),
    ],
)
def test_a_time_of_any_form_is_read(text: str, utc: str) -> None:
    assert read_one(text) == pd.Timestamp(utc, tz="UTC")


@pytest.mark.parametrize(
    "text", ["2024-02-30", "02/30/2024 01:00:00 PM", "garbage", "25:00", "2024-13-01", "13/13/2024"]
)
def test_what_is_no_time_is_marked(text: str) -> None:
    got = parse_times(pd.Series([text, "2024-01-01", None, "", "N/A"]), timezone=CHINA)
    assert got.unreadable.tolist() == [True, False, False, False, False]
    assert got.values.isna().tolist() == [True, False, True, True, True]
    assert got.zoneless == 1


@pytest.mark.parametrize(
    ("values", "order", "why"),
    [
        (["13/05/2024", "1/2/2024"], "dmy", "1 values have a day above 12 in first place"),
        (["1/2/2024", "5/13/2024 1:00"], "mdy", "1 values have a day above 12 in second place"),
        (["1.5.2024"], "dmy", "dots"),
        (["1/5/2024 3:00 PM"], "mdy", "AM or PM"),
        (["1/5/2024"], "mdy", "--date-order dmy"),
        (["13/05/2024", "14/05/2024", "5/13/2024"], "dmy", "though 1 contradict it"),
    ],
)
def test_day_or_month_first_is_decided_for_the_column_with_a_reason(
    values: list[str], order: str, why: str
) -> None:
    decided = decide_order([pd.Series(values)])
    assert decided is not None
    assert decided[0] == order
    assert why in decided[1]


def test_one_column_of_a_file_tells_the_order_of_another() -> None:
    assert decide_order([pd.Series(["1/2/2024"]), pd.Series(["25/2/2024"])]) == (
        "dmy",
        "1 values have a day above 12 in first place",
    )
    assert decide_order([pd.Series(["2024-01-02", "113/10/10"])]) is None


def test_a_value_against_the_order_is_not_read_the_other_way_round() -> None:
    got = parse_times(pd.Series(["5/13/2024", "13/05/2024", "5/14/2024"]), timezone=CHINA)
    assert got.order == "mdy"
    assert got.unreadable.tolist() == [False, True, False]


def test_the_first_pass_of_a_repeated_hour_counts_and_a_skipped_one_moves_on() -> None:
    york = "America/New_York"
    assert read_one("2024-11-03 01:30", timezone=york) == pd.Timestamp("2024-11-03 05:30Z")
    assert read_one("2024-03-10 02:30", timezone=york) == pd.Timestamp("2024-03-10 07:00Z")


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(InputError, match="no time zone is called Mars/Base"):
        find_zone("Mars/Base")


@settings(deadline=None)
@given(
    st.lists(st.datetimes(pd.Timestamp("1971-01-01"), pd.Timestamp("2068-12-31")), min_size=1),
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y年%m月%d日 %H时%M分%S秒", "%Y%m%d%H%M%S"]
    ),
)
def test_what_strftime_wrote_is_read_back(moments: list[pd.Timestamp], form: str) -> None:
    whole = pd.Series([pd.Timestamp(m).floor("s") for m in moments]).astype("datetime64[us]")
    texts = pd.Series([m.strftime(form) for m in whole], dtype="str")
    got = parse_times(texts, timezone="UTC", order="mdy")
    assert got.values.dt.tz_localize(None).tolist() == whole.tolist()
