"""Bulk import of fixes: what phones and loggers really write, every refused row with its reason."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboards.cli import main
from geo.errors import ColumnError, InputError
from geo.io import _gate_fixes
from geo.io.gate import import_files
from geo.io.gate_report import ImportReport
from geo.io.seal import seal_past_days
from geo.io.workspace import Workspace, create_workspace

AT = datetime(2026, 11, 21, 6, tzinfo=UTC)
HEAD = "worker_id,time,lon,lat"
EIGHT = pd.Timestamp("2026-11-20 08:00", tz="Asia/Shanghai")
NEVER_SET = "time before 1980-01-06: the clock was never set"
GPX = '<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>%s</trkseg></trk></gpx>'


@pytest.fixture
def bring(workspace: Workspace, tmp_path: Path) -> Callable[..., ImportReport]:
    """Write texts as files, import them, and give back the report."""

    def run(*texts: str | bytes, name: str = "a.csv", **more: Any) -> ImportReport:
        files = []
        for k, text in enumerate(texts):
            files.append(tmp_path / f"{k}{name}")
            files[-1].write_bytes(text.encode() if isinstance(text, str) else text)
        return import_files(workspace, "fixes", files, at=AT, **more)

    return run


def table(*rows: str, head: str = HEAD) -> str:
    return "\n".join([head, *rows]) + "\n"


def at(time: str, worker: str = "w1", place: str = "114.3,30.5") -> str:
    return f"{worker},{time},{place}"


def point(time: str | None, lon: str = "114.3", lat: str = "30.5") -> str:
    told = "" if time is None else f"<time>{time}</time>"
    return f'<trkpt lat="{lat}" lon="{lon}">{told}</trkpt>'


def gpx(*points: str) -> str:
    return GPX % "".join(points)


def reasons(report: ImportReport) -> dict[int, str]:
    return dict(zip(report.rejected["row"], report.rejected["reason"], strict=True))


def times(workspace: Workspace) -> list[pd.Timestamp]:
    return list(workspace.read_fixes()["time"])


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("1901-12-13T20:45:52Z", NEVER_SET),
        ("1970-01-01 08:00:00", NEVER_SET),
        ("-2147483648", NEVER_SET),
        ("0", NEVER_SET),
        ("1980-01-05T23:59:59Z", NEVER_SET),
        ("2026-11-22T06:00:01Z", "time after the import"),
        ("2036-01-01 00:00:00", "time after the import"),
        ("08:00:00", "time of day without a date"),
        ("8:00:05.5 PM", "time of day without a date"),
        ("T08:00:00Z", "time of day without a date"),
        ("2026-11-20", "date without a time of day"),
        ("20.11.2026", "date without a time of day"),
        ("20261120", "date without a time of day"),
        ("2026年11月20日", "date without a time of day"),
        ("", "no time"),
        ("nan", "no time"),
        ("yesterday", "time cannot be read"),
        ("2026-13-45 08:00", "time cannot be read"),
        ("2026-11-20 25:61:00", "time cannot be read"),
    ],
)
def test_a_time_that_cannot_be_is_refused_by_its_reason_and_the_good_row_stays(
    bring: Callable[..., ImportReport], workspace: Workspace, time: str, reason: str
) -> None:
    report = bring(table(at(time), at("2026-11-20 08:00:00")))
    assert reasons(report) == {1: reason}
    assert times(workspace) == [EIGHT]


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-20 08:00:00",
        "2026-11-20T00:00:00Z",
        "2026-11-20T08:00:00+08:00",
        "2026-11-20T08:00+0800",
        "2026/11/20 8:00",
        "20/11/2026 08:00:00",
        "11/20/2026 8:00:00 AM",
        "2026年11月20日 上午8点",
        "20261120080000",
        "1795132800",
        "1795132800.0",
        "1795132800000",
        "1795132800000000",
        "46346.333333333",
    ],
)
def test_the_same_moment_is_read_in_every_form(
    bring: Callable[..., ImportReport], workspace: Workspace, time: str
) -> None:
    assert bring(table(at(time))).accepted == 1
    assert times(workspace) == [EIGHT]


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("worker_id,date,time,lon,lat", "w1,2026-11-20,08:00:00,114.3,30.5"),
        ("人员编号,日期,时间,经度,纬度", "w1,2026年11月20日,8:00,114.3,30.5"),
        ("worker_id,date,time,lon,lat", "w1,20261120,080000,114.3,30.5"),
        ("worker_id,date,time,lon,lat", "w1,11/20/2026 00:00:00,8:00:00 AM,114.3,30.5"),
        ("worker_id,utc_date,time,lon,lat", "w1,2026-11-20,00:00:00Z,114.3,30.5"),
        ("worker_id,date,time,lon,lat", "w1,1999-01-01,2026-11-20 08:00:00,114.3,30.5"),
        ("worker_id,date,lon,lat", "w1,2026-11-20 08:00:00,114.3,30.5"),
    ],
)
def test_date_and_time_of_day_in_two_columns_are_one_moment(
    bring: Callable[..., ImportReport], workspace: Workspace, head: str, row: str
) -> None:
    assert bring(table(row, head=head)).accepted == 1
    assert times(workspace) == [EIGHT]


def test_a_row_whose_date_is_missing_is_refused_alone(bring: Callable[..., ImportReport]) -> None:
    rows = ("w1,,08:00:00,114.3,30.5", "w1,2026-11-20,08:00:00,114.3,30.5", "w1,2026-11-20,,114,30")
    report = bring(table(*rows, head="worker_id,date,time,lon,lat"))
    assert reasons(report) == {1: "time of day without a date", 3: "no time"}


def test_a_date_for_all_rows_gives_times_of_day_and_unset_clocks_one(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    rows = (at("08:00:00"), at("1901-01-01 08:00:05"), at("2026-11-19 08:00:00"))
    report = bring(table(*rows), set_values={"date": "2026-11-20"})
    assert report.accepted == 3
    seconds = [0, 5, -86_400]
    assert sorted(times(workspace)) == sorted(EIGHT + timedelta(seconds=s) for s in seconds)


def test_the_report_says_how_times_of_day_get_a_date(bring: Callable[..., ImportReport]) -> None:
    assert any("--set date=" in text for text in bring(table(at("08:00:00"))).warnings)


# --- order, repeats, places ----------------------------------------------------------------------


def test_repeats_are_refused_within_a_file_across_files_and_in_any_zone(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    one = table(at("2026-11-20 08:00:00"), at("2026-11-20T00:00:00Z"), at("2026-11-20 07:59:59"))
    two = table(at("1795132800"), at("2026-11-20 08:00:00", "w2"))
    report = bring(one, two)
    assert (report.accepted, set(report.rejected["reason"])) == (
        3,
        {"same worker and time as an earlier row"},
    )
    assert len(workspace.read_fixes()) == 3


def test_late_rows_of_a_sealed_day_come_in_once(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    text = table(at("2026-11-20 08:00:00"), at("2026-11-20 08:00:10"))
    bring(text)
    assert seal_past_days(workspace, AT).sealed == 2
    assert workspace.count("fixes") == 0
    late = table(at("2026-11-20 08:00:10"), at("2026-11-20 08:00:05"))
    report = bring(late)
    assert reasons(report) == {1: "already in the workspace"}
    assert [t.second for t in times(workspace)] == [0, 5, 10]
    assert seal_past_days(workspace, AT).sealed == 1
    assert bring(text, late).accepted == 0
    assert [t.second for t in times(workspace)] == [0, 5, 10]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("0,0", "coordinates are 0, 0"),
        (",", "no coordinates"),
        ("nan,30", "no coordinates"),
        ("987654,199999", "coordinates outside the world"),
    ],
)
def test_a_fix_without_a_place_is_refused(
    bring: Callable[..., ImportReport], place: str, reason: str
) -> None:
    report = bring(table(at("2026-11-20 08:00:00", place=place), at("2026-11-20 08:00:01")))
    assert reasons(report) == {1: reason}


def test_swapped_coordinates_are_refused_and_the_way_out_is_named(
    bring: Callable[..., ImportReport],
) -> None:
    rows = [at(f"2026-11-20 08:00:{k:02d}", place=f"30.5{k:02d},114.3") for k in range(20)]
    report = bring(table(*rows))
    assert report.accepted == 0
    assert any("--map lon=lat --map lat=lon" in text for text in report.warnings)
    assert bring(table(*rows), mapping={"lon": "lat", "lat": "lon"}).accepted == 20


def test_feet_of_a_city_grid_come_in_once_they_are_named(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    text = table("w1,2026-11-20 08:00:00,987654,199999", head="worker_id,time,x,y")
    bring(text, source_crs="EPSG:2263")
    assert workspace.read_fixes()[["lon", "lat"]].round(4).values.tolist() == [[-73.9877, 40.7156]]


def test_decimal_commas_are_read(bring: Callable[..., ImportReport], workspace: Workspace) -> None:
    rows = ("w1;20.11.2026 08:00:00;114,3;30,5;4,5", "w1;20.11.2026 08:00:05;114,3001;30,5;39,9")
    bring(table(*rows, head="worker_id;time;lon;lat;speed_kmh"))
    found = workspace.read_fixes()
    assert found["lon"].tolist() == [114.3, 114.3001]
    assert found["speed_kmh"].tolist() == [4.5, 39.9]


def test_minus_one_is_no_accuracy_and_no_speed(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    rows = ("w1,2026-11-20 08:00:00,114.3,30.5,-1,-1", "w1,2026-11-20 08:00:05,114.3,30.5,5,3.6")
    report = bring(table(*rows, head=f"{HEAD},accuracy,speed_kmh"))
    assert report.repaired["rows"].tolist() == [1, 1]
    found = workspace.read_fixes()[["accuracy_m", "speed_kmh"]]
    assert found.isna().values.tolist() == [[True, True], [False, False]]


def test_rows_of_another_width_and_without_a_worker_are_named(
    bring: Callable[..., ImportReport],
) -> None:
    rows = (
        "w1,2026-11-20 08:00:00,114.3",
        "w1,2026-11-20 08:00:05,114.3,30.5,7",
        at("2026-11-20", ""),
    )
    report = bring(table(*rows, at("2026-11-20 08:00:07")))
    wrong = "row does not fit the header"
    assert reasons(report) == {1: wrong, 2: wrong, 3: "no worker_id"}


# --- GPX -----------------------------------------------------------------------------------------


def test_gpx_is_read_row_by_row_and_each_refused_point_is_named(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    points = [
        point("2026-11-20T00:00:00Z"), point(None), point("1901-12-13T20:45:52Z"),
        point("08:00:00"), point("2026-11-20T00:00:09Z", lon="east"),
        point("2026-11-20T00:00:10.5Z"),
    ]  # fmt: skip
    report = bring(gpx(*points), name="a.gpx", set_values={"worker_id": "w1"})
    assert reasons(report) == {
        2: "no time", 3: NEVER_SET, 4: "time of day without a date", 5: "no coordinates",
    }  # fmt: skip
    assert times(workspace) == [EIGHT, EIGHT + timedelta(seconds=10.5)]


def test_speed_of_an_extension_and_decimal_commas_of_gpx_are_read(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    extended = (
        '<trkpt lat="30,5" lon="114,3"><time>2026-11-20T00:00:00Z</time>'
        "<extensions><e:TrackPointExtension><e:speed>2.5</e:speed></e:TrackPointExtension>"
        "</extensions></trkpt>"
    )
    text = gpx(extended, point("2026-11-20T00:00:05Z")).replace("<gpx ", '<gpx xmlns:e="e" ')
    bring(text, name="a.gpx", set_values={"worker_id": "w1"})
    found = workspace.read_fixes()
    assert found[["lon", "lat"]].values.tolist() == [[114.3, 30.5]] * 2
    assert found["speed_kmh"].tolist() == [9.0, pytest.approx(float("nan"), nan_ok=True)]


def test_times_of_gpx_without_a_zone_are_utc_wherever_the_city_is(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    report = bring(gpx(point("2026-11-20T00:00:00")), name="a.gpx", set_values={"worker_id": "w1"})
    assert times(workspace) == [EIGHT]
    assert any("GPX without a zone are UTC" in note for note in report.notes)


def test_gpx_without_any_time_is_refused_as_fixes_and_accepted_as_lines(
    bring: Callable[..., ImportReport], workspace: Workspace, tmp_path: Path
) -> None:
    report = bring(
        gpx(point(None), point(None, lat="30.6")), name="a.gpx", mapping={"worker_id": "file"}
    )
    assert reasons(report) == {1: "no time", 2: "no time"}
    assert any("import roads --set road_class=path" in note for note in report.notes)
    lines = import_files(
        workspace, "roads", [tmp_path / "0a.gpx"], at=AT, set_values={"road_class": "path"}
    )
    assert (lines.read, lines.accepted) == (1, 1)
    assert workspace.read("roads").geometry.iloc[0].length == pytest.approx(0.1)


def test_a_recording_that_breaks_off_gives_what_was_recorded(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    whole = gpx(*(point(f"2026-11-20T00:00:0{k}Z") for k in range(4)))
    cut = whole[: whole.rindex("<time>")]
    report = bring(cut, whole.replace("00:0", "01:0"), name="a.gpx", mapping={"worker_id": "file"})
    assert reasons(report) == {4: "the file breaks off here"}
    assert report.read == 8
    assert len(workspace.read_fixes()) == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<gpx version="1.1"></gpx>', "holds no track points"),
        ('<gpx version="1.1"><wpt lat="1" lon="2"/></gpx>', "holds no track points"),
        ('<gpx version="1.1"><trk', "broken XML"),
        (table(), "no rows"),
        ("time,lon,lat\n2026-11-20 08:00:00,114.3,30.5\n", "--set worker_id=VALUE"),
    ],
)
def test_a_file_with_nothing_in_it_is_an_error_and_changes_nothing(
    bring: Callable[..., ImportReport], workspace: Workspace, text: str, message: str
) -> None:
    good = gpx(point("2026-11-20T00:00:00Z"))
    with pytest.raises((InputError, ColumnError), match=message):
        bring(*([good, text] if "gpx" in text else [text]), name="x.gpx", mapping=_by_file(text))
    assert workspace.count("fixes") == 0


def _by_file(text: str) -> dict[str, str]:
    return {"worker_id": "file"} if "gpx" in text else {}


def test_other_prefixes_routes_and_packed_files_are_read_alike(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    old = (
        '<g:gpx xmlns:g="http://www.topografix.com/GPX/1/0" version="1.0"><g:rte>'
        '<g:rtept lat="30.5" lon="114.3"><g:time>2026-11-20T00:00:00Z</g:time>'
        "<g:speed>1.5</g:speed></g:rtept></g:rte></g:gpx>"
    )
    report = bring(gzip.compress(old.encode()), name="w7.gpx.gz", mapping={"worker_id": "file"})
    assert report.accepted == 1
    found = workspace.read_fixes().iloc[0]
    assert (found["worker_id"], found["speed_kmh"]) == ("0w7", pytest.approx(5.4))


# --- Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "times_of",
    [
        lambda t: t.tz_localize(None),
        lambda t: t,
        lambda t: t.tz_convert("UTC").as_unit("ns"),
        lambda t: t.as_unit("s").asi8,
        lambda t: t.as_unit("ms").asi8,
        lambda t: t.as_unit("s").asi8.astype(float),
        lambda t: t.strftime("%Y-%m-%d %H:%M:%S").astype(object),
    ],
    ids=["no zone", "zone", "nanoseconds", "seconds", "milliseconds", "real seconds", "texts"],
)
def test_times_of_parquet_of_any_type_are_the_same_moments(
    workspace: Workspace, tmp_path: Path, times_of: Callable[[pd.DatetimeIndex], Any]
) -> None:
    moments = pd.DatetimeIndex([EIGHT, EIGHT + timedelta(seconds=5)])
    frame = pd.DataFrame(
        {"worker_id": [1.0, 2.0], "time": times_of(moments), "lon": 114.3, "lat": [30.5, np.nan]}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    report = import_files(workspace, "fixes", [tmp_path / "a.parquet"], at=AT)
    assert reasons(report) == {2: "no coordinates"}
    found = workspace.read_fixes()
    assert (found["worker_id"].tolist(), found["time"].tolist()) == (["1"], [EIGHT])


# --- many, large, all or nothing -----------------------------------------------------------------


def test_thousands_of_small_files_are_checked_together_and_rows_keep_file_and_number(
    bring: Callable[..., ImportReport], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []
    check = _gate_fixes._check_piece
    monkeypatch.setattr(
        _gate_fixes, "_check_piece", lambda *told: checked.append(0) or check(*told)
    )
    one = gpx(point("2026-11-20T00:00:00Z"), point(None), point("2026-11-20T00:00:05Z"))
    report = bring(*[one] * 400, name=".gpx", mapping={"worker_id": "file"})
    assert (report.read, report.accepted, len(checked)) == (1200, 800, 1)
    assert workspace.read_fixes()["worker_id"].nunique() == 400
    assert report.rejected["file"].nunique() == 400
    assert set(report.rejected["row"]) == {2}
    assert len(report.notes) < 20


def test_what_one_file_decides_does_not_decide_for_the_next(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    day_first = table(at("20/11/2026 08:00:00"), at("05/11/2026 08:00:00"))
    month_first = table(at("11/20/2026 08:00:00", "w2"), at("11/05/2026 08:00:00", "w2"))
    bring(day_first, month_first)
    found = workspace.read_fixes()
    days = found.groupby("worker_id")["time"].apply(lambda t: sorted(t.dt.day)).to_dict()
    assert days == {"w1": [5, 20], "w2": [5, 20]}


def test_small_files_with_other_columns_are_read_by_their_own(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    one = table(at("2026-11-20 08:00:00"))
    two = table("w2,2026-11-20 08:00:00,30.5,114.3", head="uid,datetime,latitude,lng")
    assert bring(one, two, one.replace("w1", "w3")).accepted == 3
    assert workspace.read_fixes()["lon"].tolist() == [114.3] * 3


def test_pieces_of_a_large_file_give_what_the_whole_would(
    bring: Callable[..., ImportReport], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_gate_fixes, "CHUNK_ROWS", 7)
    rows = [at(f"2026-11-20 08:{k % 30:02d}:00", f"w{k % 3}") for k in range(100)]
    report = bring(table(*rows))
    assert (report.read, report.accepted) == (100, 30)
    assert len(workspace.read_fixes()) == 30


def test_one_unusable_file_leaves_the_workspace_as_it_was(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    with pytest.raises(InputError, match=r"1a\.csv"):
        bring(table(at("2026-11-20 08:00:00")), b"\x89PNG\r\n\x1a\n")
    assert workspace.count("fixes") == 0
    assert workspace.count("workers") == 0


def test_a_dry_run_reports_the_same_and_keeps_nothing(
    bring: Callable[..., ImportReport], workspace: Workspace
) -> None:
    report = bring(table(at("2026-11-20 08:00:00"), at("1901-01-01")), dry_run=True)
    assert (report.read, report.accepted) == (2, 1)
    assert workspace.count("fixes") == 0
    assert workspace.count("workers") == 0


@pytest.mark.parametrize(("days", "is_told"), [(180, True), (0, False)])
def test_who_brings_in_old_fixes_is_told_that_a_server_would_delete_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: int, is_told: bool
) -> None:
    create_workspace(tmp_path / "city").close()
    (tmp_path / "city" / "settings.toml").write_text(f"keep_fixes_days = {days}\n", "utf-8")
    (tmp_path / "a.csv").write_text(table(at("2008-10-23 08:00:00")), "utf-8")
    with pytest.raises(SystemExit) as stop:
        main(["import", "fixes", str(tmp_path / "a.csv"), "--workspace", str(tmp_path / "city")])
    told = capsys.readouterr().err
    assert not stop.value.code
    assert ("2008-10-23: a server of this city deletes fixes after 180 days" in told) == is_told
