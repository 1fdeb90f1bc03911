"""The settings of a server: defaults, then `<workspace>/settings.toml`, then `WANGGE_*`.

Each field is one setting: its type, a safe default, the unit in its name and one line of help. A
later source replaces an earlier one field by field. A key that no field knows is refused in the
file; in the environment only the names of fields are looked at, because other programs may own
other variables that begin alike. Two fields that contradict each other are refused together, with
both values in the message, so that a server never starts into a state that nobody meant.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from geo.errors import InputError, SettingsError
from geo.impact import read_weights
from geo.schema import SPEED_UNITS

PREFIX = "WANGGE_"
FILE_NAME = "settings.toml"
LANGUAGES = ("zh", "en")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """Everything that an operator may choose; `read_settings` makes one."""

    city_name: str = _setting(
        "", "name in the page's header; empty takes the name of the city's division"
    )
    timezone: str = _setting("Asia/Shanghai", "zone of clocks, dates and working days (IANA name)")
    language: str = _setting("zh", "language of a page whose address names none: zh or en")
    host: str = _setting(
        "127.0.0.1", "address to listen on; 0.0.0.0 lets other machines in, without sign-in"
    )
    port: int = _setting(8050, "TCP port to listen on, 1 to 65535")
    threads: int = _setting(8, "requests served at the same time")
    screens: int = _setting(
        32,
        "screens that may listen to /live at the same time, each with a thread beside `threads`;"
        " more of them ask every refresh_s instead",
    )
    check_s: float = _setting(1.0, "seconds between looks at the workspace for changed data")
    refresh_s: float = _setting(5.0, "seconds between updates of an open page")
    stale_s: int = _setting(60, "age of the newest data in seconds from which the page says stale")
    on_duty_minutes: int = _setting(
        15, "minutes since the last position for which a worker counts as on duty"
    )
    position_hours: int = _setting(
        12, "hours after which a last position is no longer drawn on the map"
    )
    new_minutes: int = _setting(
        30, "minutes since the report for which an incident counts as new and pulses"
    )
    soon_minutes: int = _setting(120, "minutes before its deadline from which an incident is amber")
    list_rows: int = _setting(40, "newest incidents in the list beside the map")
    asset_zoom: int = _setting(
        16, "zoom of the map from which each asset has its own mark; clustered before"
    )
    cluster_zoom: int = _setting(
        14, "zoom of the map from which clusters of assets are drawn; nothing before"
    )
    phones_by_role: bool = _setting(
        False,
        "show telephone numbers to the roles that may see them; off, all are masked, since nobody"
        " signs in yet",
    )
    card_radius_m: int = _setting(
        300, "metres around a place that its card shows at first: 100, 300, 500 or 1000"
    )
    card_days: int = _setting(
        365, "days that a card looks back for what happened at a place before"
    )
    ingest_open: bool = _setting(
        False, "let known devices send positions without a token; for invented cities and trials"
    )
    duty_hours: str = _setting(
        "07:00-21:00", "hours of the day, in the city's zone, in which positions are stored"
    )
    keep_off_duty: bool = _setting(False, "store positions outside duty_hours as well")
    keep_fixes_days: int = _setting(
        180, "days after which positions are deleted, imported ones as well; 0 keeps them for good"
    )
    track_roles: str = _setting(
        "grid_head,community_head,street_head,dispatcher,shift_leader,inspector",
        "roles that may see the tracks of single workers, separated by commas; others see shares",
    )
    osmand_speed: str = _setting(
        "knots", "unit of speed in OsmAnd requests of a device that names none: knots, ms or kmh"
    )
    reach_m: float = _setting(
        20.0, "metres from a walked path within which a street counts as seen"
    )
    grid_band: str = _setting(
        "200-500", "households that a grid should have, least-most; plans are held against it"
    )
    plan_four_eyes: bool = _setting(
        True,
        "a plan under review is approved by another person than the one who submitted it, told"
        " apart by name; off where a city has one planner",
    )
    workload_weights: str = _setting(
        "households=0.4,incidents=0.3,patrol_m=0.2,assets=0.1",
        "share of each figure in the workload index of a grid",
    )
    small_group: int = _setting(
        5, "reports and exports for others show no figure of fewer people or cases than this"
    )
    mqtt_host: str = _setting("", "MQTT broker that OwnTracks phones publish to; empty: none")
    mqtt_port: int = _setting(1883, "TCP port of the MQTT broker")
    mqtt_user: str = _setting("", "user at the MQTT broker")
    mqtt_password: str = _setting("", "password there; better given as WANGGE_MQTT_PASSWORD")
    mqtt_topic: str = _setting("owntracks/+/+", "topic to subscribe to at the MQTT broker")
    attribution: str = _setting("", "credit for the basemap's data, shown on every map")

    def __post_init__(self) -> None:
        _require_ranges(self)
        _require_no_contradiction(self)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of `timezone`."""
        return ZoneInfo(self.timezone)

    @property
    def duty(self) -> tuple[time, time]:
        """Begin and end of `duty_hours`; an end before the begin lies on the next day."""
        begin, end = self.duty_hours.split("-")
        return time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())

    @property
    def roles_with_tracks(self) -> frozenset[str]:
        """The names in `track_roles`."""
        return frozenset(name.strip() for name in self.track_roles.split(",") if name.strip())

    @property
    def band(self) -> tuple[int, int]:
        """Least and most households of `grid_band`."""
        low, high = self.grid_band.split("-")
        return int(low), int(high)


_RANGES: dict[str, tuple[float, float]] = {
    "port": (1, 65535),
    "threads": (1, 256),
    "check_s": (0.2, 3600),
    "refresh_s": (1, 3600),
    "stale_s": (1, 86_400 * 365),
    "on_duty_minutes": (1, 1440),
    "position_hours": (1, 24 * 30),
    "new_minutes": (0, 1440),
    "soon_minutes": (0, 60 * 24 * 30),
    "list_rows": (1, 500),
    "asset_zoom": (1, 22),
    "cluster_zoom": (0, 22),
    "screens": (1, 512),
    "card_days": (1, 3660),
    "keep_fixes_days": (0, 36_600),
    "reach_m": (1, 500),
    "small_group": (0, 1000),
    "mqtt_port": (1, 65535),
}
CARD_RADII_M = (100, 300, 500, 1000)


def _require_ranges(settings: Settings) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise SettingsError(f"{name} is {value}: choose a number from {low:g} to {high:g}")
    if settings.card_radius_m not in CARD_RADII_M:
        raise SettingsError(
            f"card_radius_m is {settings.card_radius_m}: choose 100, 300, 500 or 1000"
        )
    if settings.language not in LANGUAGES:
        raise SettingsError(f"language is {settings.language!r}: choose one of zh, en")
    if settings.osmand_speed not in SPEED_UNITS:
        raise SettingsError(
            f"osmand_speed is {settings.osmand_speed!r}: choose one of {', '.join(SPEED_UNITS)}"
        )
    try:
        begin, end = settings.duty
    except ValueError as error:
        raise SettingsError(
            f"duty_hours is {settings.duty_hours!r}: write it as 07:00-21:00"
        ) from error
    if begin == end:
        raise SettingsError(
            f"duty_hours is {settings.duty_hours!r}: that is no time at all, name two hours"
        )
    try:
        low, high = settings.band
    except ValueError as error:
        raise SettingsError(f"grid_band is {settings.grid_band!r}: write it as 200-500") from error
    if not 0 <= low < high:
        raise SettingsError(f"grid_band is {settings.grid_band!r}: give the smaller number first")
    try:
        read_weights(settings.workload_weights)
    except InputError as error:
        told = settings.workload_weights
        raise SettingsError(f"workload_weights is {told!r}: {error}") from error
    if not settings.host:
        raise SettingsError("host is empty: name an address such as 127.0.0.1")
    try:
        ZoneInfo(settings.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"timezone is {settings.timezone!r}: no such zone, use a name such as Asia/Shanghai"
        ) from error


def _require_no_contradiction(settings: Settings) -> None:
    def refuse(one: str, two: str, why: str) -> None:
        raise SettingsError(
            f"{one} is {getattr(settings, one)} and {two} is {getattr(settings, two)}: {why}"
        )

    if settings.cluster_zoom >= settings.asset_zoom:
        refuse("cluster_zoom", "asset_zoom", "clusters must end where single assets begin")
    if settings.refresh_s >= settings.stale_s:
        refuse("refresh_s", "stale_s", "every page would be stale before its next update")
    if settings.check_s > settings.refresh_s:
        refuse("check_s", "refresh_s", "a page would ask more often than the server looks")
    if settings.on_duty_minutes > settings.position_hours * 60:
        refuse("on_duty_minutes", "position_hours", "a worker on duty would not be drawn")


def read_settings(folder: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of the workspace in `folder`, with `WANGGE_*` of the environment on top.

    Raises
    ------
    SettingsError
        For an unreadable file, an unknown key, a wrong type or a contradiction; the message says
        where the value came from.
    """
    values: dict[str, Any] = {}
    file = folder / FILE_NAME
    if file.is_file():
        values.update(_file_values(file))
    values.update(_environment_values(os.environ if environment is None else environment))
    return Settings(**values)


def _file_values(file: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    known = {item.name: item for item in fields(Settings)}
    values = {}
    for name, value in raw.items():
        if name not in known:
            raise SettingsError(
                f"{file} sets {name}, which is no setting: use one of {', '.join(known)}"
            )
        values[name] = _typed(name, value, str(file))
    return values


def _environment_values(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for item in fields(Settings):
        variable = PREFIX + item.name.upper()
        if variable in environment:
            values[item.name] = _typed(item.name, environment[variable], f"{variable}")
    return values


def _typed(name: str, value: Any, origin: str) -> Any:
    """`value` as the type of the field; text is parsed, other types must already be right."""
    kind = type(getattr(_DEFAULTS, name))
    try:
        if isinstance(value, str) and kind is not str:
            return _parsed(value, kind)
    except ValueError as error:
        raise SettingsError(
            f"{origin} sets {name} to {value!r}: use {_KIND_WORDS[kind]}"
        ) from error
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise SettingsError(f"{origin} sets {name} to {value!r}: use {_KIND_WORDS[kind]}")
    return value


def _parsed(text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise ValueError(text)
    return kind(text)


_KIND_WORDS = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
_DEFAULTS = Settings()


def write_template(path: Path, **chosen: Any) -> None:
    """Write a settings file with every setting in it; those not chosen are commented out.

    The name of the city and its zone stand there in any case.
    """
    settings = Settings(**chosen)
    lines = [
        "# Settings of this city. A line without # is in force; the environment variable of the",
        f"# same name in capitals with {PREFIX} before it wins. All of them: docs/settings.md",
        "",
    ]
    for item in fields(Settings):
        mark = "" if item.name in {"city_name", "timezone", *chosen} else "# "
        value = json.dumps(getattr(settings, item.name), ensure_ascii=False)
        lines += [f"# {item.metadata['help']}", f"{mark}{item.name} = {value}", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def settings_help() -> dict[str, tuple[Any, str]]:
    """Default and help of every setting, in order."""
    return {item.name: (item.default, item.metadata["help"]) for item in fields(Settings)}
