"""Turn cases, posts, zones and holidays of an invented city into the tables of `geo.schema`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from geopandas import GeoDataFrame

from geo.codes import class_name
from geo.schema import TABLES
from geo.synth._frames import make_frame, make_times, mend_shapes
from geo.synth.incidents import ZONE
from geo.synth.kinds import KINDS
from geo.synth.place import Place

Frames = dict[str, pd.DataFrame | GeoDataFrame]


def name_cases(cases: pd.DataFrame) -> npt.NDArray[np.object_]:
    """A name for each case: the day of the report and five digits, in order of time."""
    date = pd.to_datetime(cases["when"], unit="s", utc=True).dt.tz_convert(ZONE)
    number = date.dt.strftime("%Y%m%d")
    count = (number.groupby(number).cumcount() + 1).map("{:05d}".format)
    return np.asarray(number + count, dtype=object)


def incidents(
    place: Place,
    cases: pd.DataFrame,
    moved: pd.DataFrame,
    log: pd.DataFrame,
    where: pd.DataFrame,
) -> Frames:
    """The tables `incidents` and `incident_log`; an unplaced case has no geometry.

    `cases` as drawn, `moved` and `log` from `move_cases`, `where` with the names of `street`,
    `community` and `road` of each case.
    """
    kind = cases["kind"].to_numpy()
    placed = cases["placed"].to_numpy(bool)
    codes = np.array([k.code for k in KINDS], dtype=object)
    names = np.array([class_name(code) for code in codes], dtype=object)
    x, y = cases["x"].to_numpy(), cases["y"].to_numpy()
    lon, lat = np.full(len(x), np.nan), np.full(len(x), np.nan)
    lon[placed], lat[placed] = place.degrees(x[placed], y[placed])
    shapes = np.full(len(x), None, dtype=object)
    shapes[placed] = shapely.points(lon[placed], lat[placed])
    number = np.abs((x + y) / 12).astype(np.int64) % 400 + 1
    columns = {
        "incident_id": moved.index.to_numpy(),
        "class_code": codes[kind],
        "category": names[kind],
        "description": [
            f"{road}附近{word}" if road else str(word)
            for road, word in zip(where["road"], names[kind], strict=True)
        ],
        "lon": lon,
        "lat": lat,
        "source": moved["source"].to_numpy(),
        "reported_at": make_times(cases["when"]),
        **{name: moved[name].to_numpy() for name in ("stage", "condition", "owner", "level")},
        **{name: moved[name].array for name in ("deadline", "closed_at", "paused_until")},
        "address": [
            _address(*row)
            for row in zip(
                where["street"], where["community"], where["road"], number, placed, strict=True
            )
        ],
    }
    moves = {name: log[name].array for name in TABLES["incident_log"].names}
    return {
        "incidents": make_frame("incidents", columns, shapes),
        "incident_log": make_frame("incident_log", moves),
    }


def _address(street: str, community: str, road: str, number: int, placed: bool) -> str:
    """The place in words; who could not say where says no more than the road."""
    if not placed:
        return f"{road or street}一带，具体位置不详"
    return f"{street}{community}{road}{number}号附近" if road else f"{street}{community}"


def duties(found: pd.DataFrame) -> pd.DataFrame:
    """The table `duties`."""
    columns = {"duty_id": found.index.to_numpy()}
    columns |= {name: found[name].to_numpy() for name in ("unit_code", "role", "worker_id", "rank")}
    end = found["end"].where(found["end"] < np.iinfo(np.int64).max, np.iinfo(np.int64).min)
    columns |= {"valid_from": make_times(found["begin"]), "valid_to": make_times(end)}
    return make_frame("duties", columns)


def flaws(found: pd.DataFrame) -> pd.DataFrame:
    """The truth about flaws of appointments, with times."""
    end = found["valid_to"].where(
        found["valid_to"] < np.iinfo(np.int64).max, np.iinfo(np.int64).min
    )
    return found.assign(valid_from=make_times(found["valid_from"]), valid_to=make_times(end))


def zones(place: Place, found: pd.DataFrame) -> GeoDataFrame:
    """The table `zones`."""
    columns = {name: found[name].to_numpy() for name in ("zone_id", "kind", "name")}
    return make_frame("zones", columns, mend_shapes(place.to_degrees(found["shape"].to_numpy())))


HOLIDAYS = ("01-01", "05-01", "10-01", "10-02", "10-03")
"""Days that are nobody's working days, in a year whose notice is not known yet."""


def calendar(years: list[int]) -> pd.DataFrame:
    """The table `calendar`: a few holidays in each year that no notice has told."""
    names = {"01-01": "元旦", "05-01": "劳动节"}
    rows = [
        (f"{year}-{day}", False, f"{names.get(day, '国庆节')}（暂定）")
        for year in years
        for day in HOLIDAYS
    ]
    out = pd.DataFrame(rows, columns=["day", "is_workday", "name"])
    return make_frame("calendar", {name: out[name] for name in out})
