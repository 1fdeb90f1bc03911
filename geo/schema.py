"""The tables of a workspace: which columns each has, of which type, and what they mean.

One description serves the store (`geo.io.workspace`), the import gate (`geo.io.gate`), the
exports and the docs. Ids are text. Times are UTC with zone. Coordinates are WGS-84 longitude,
latitude (EPSG:4326). Which grid a thing is in is derived, never stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "real", "time", "bool"]
Shape = Literal["Point", "MultiLineString", "MultiPolygon", "Geometry"]

STORAGE_CRS = "EPSG:4326"
"""Longitude, latitude on WGS-84; every geometry in a workspace."""

LEVELS = ("province", "city", "district", "street", "community")
"""Levels of `divisions`, from the top down; grids come below `community`."""

GRID_KINDS = ("base", "dedicated", "unit", "duty")
ROAD_CLASSES = ("arterial", "main", "minor", "path", "river", "rail")
ASSET_STATES = ("intact", "damaged", "lost", "abandoned", "removed")
ACCURACY_CLASSES = ("A", "B", "C")
STAGES = ("collected", "opened", "dispatched", "handling", "fed_back", "closed", "cancelled")
"""Stages of an incident; the moves between them are the matter of `geo.incidents`."""

CASE_LEVELS = ("grid", "community", "street", "district", "city")
"""Who has a case, from the ground up."""

AREA_KINDS = ("park", "water", "square")
SPEED_UNITS = ("knots", "ms", "kmh")
ALARM_KINDS = ("off_post", "no_signal", "round_at_risk", "sos", "standing", "out_of_grid")
"""What a worker's phone may alarm about; `geo.watch` says when."""

PLAN_STATES = ("draft", "review", "approved", "in_force", "past", "dropped")
"""States of a plan of the planner; `geo.io.planbook` says which follows which."""

EDIT_STATES = ("applied", "conflict", "taken", "dropped")
"""What became of an edit: done, waiting because somebody else changed the same, done after all, or
let go."""

PARENT_CHANGES = ("kept", "changed", "split_from", "merged_from", "made_from")
"""How a published grid comes from one before it."""


@dataclass(frozen=True)
class Column:
    """One column: its type, whether a row may leave it empty, the words it may hold."""

    name: str
    kind: Kind
    help: str
    required: bool = False
    words: tuple[str, ...] = ()
    refers: str = ""
    """`table.column` that a value must be found in."""


@dataclass(frozen=True)
class Table:
    """One table: its columns, the ones that name a row, its geometry."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    shape: Shape | None
    needs_shape: bool
    help: str

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, without the geometry."""
        return tuple(column.name for column in self.columns)

    @property
    def id(self) -> str:
        """The column that identifies a thing to people, the first of the key."""
        return self.key[0]


_ASSET_COLUMNS = (
    Column("asset_id", "text", "identifier of the asset", required=True),
    Column("class_code", "text", "class code, 4 digits, see `geo.codes`", required=True),
    Column("name", "text", "name or address"),
    Column("state", "text", "condition", words=ASSET_STATES),
    Column("owner", "text", "who owns or maintains it"),
    Column("accuracy_class", "text", "A ±0.5 m, B ±1 m, C ±10 m", words=ACCURACY_CLASSES),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "divisions",
            ("code",),
            (
                Column("code", "text", "division code, 12 digits or the source's own", True),
                Column("level", "text", "level of government", True, LEVELS),
                Column("name", "text", "name", True),
                Column("parent_code", "text", "the division above", refers="divisions.code"),
            ),
            "MultiPolygon",
            False,
            "city, districts, streets and communities",
        ),
        Table(
            "grids",
            ("grid_id", "version"),
            (
                Column("grid_id", "text", "identifier of the grid", True),
                Column("name", "text", "name"),
                Column("kind", "text", "kind of grid", True, GRID_KINDS),
                Column(
                    "community_code", "text", "the division it lies in", refers="divisions.code"
                ),
                Column("households", "integer", "resident households"),
                Column("population", "integer", "residents"),
                Column("version", "integer", "number of the boundary version", True),
                Column("valid_from", "time", "in force from", True),
                Column("valid_to", "time", "in force until, empty while it is"),
            ),
            "MultiPolygon",
            True,
            "grids, dated; nothing that was published is changed in place",
        ),
        Table(
            "blocks",
            ("block_id",),
            (
                Column("block_id", "text", "identifier of the block", True),
                Column("compound", "text", "name of the compound (小区), where it is one"),
                Column("households", "integer", "resident households"),
                Column("population", "integer", "residents"),
                Column(
                    "community_code", "text", "the division it lies in", refers="divisions.code"
                ),
            ),
            "MultiPolygon",
            True,
            "blocks: the smallest unit that a planner moves",
        ),
        Table(
            "buildings",
            ("building_id",),
            (
                Column("building_id", "text", "identifier of the building", True),
                Column("name", "text", "name or number"),
                Column("compound", "text", "name of the compound (小区), where it is in one"),
                Column("floors", "integer", "storeys above ground"),
                Column("households", "integer", "resident households"),
                Column("population", "integer", "residents"),
            ),
            "MultiPolygon",
            True,
            "building footprints with the people in them",
        ),
        Table(
            "areas",
            ("area_id",),
            (
                Column("area_id", "text", "identifier of the area", True),
                Column("kind", "text", "what covers the ground", True, AREA_KINDS),
                Column("name", "text", "name"),
            ),
            "MultiPolygon",
            True,
            "parks and water, drawn under the data",
        ),
        Table(
            "roads",
            ("road_id",),
            (
                Column("road_id", "text", "identifier of the road piece", True),
                Column("road_class", "text", "class", True, ROAD_CLASSES),
                Column("name", "text", "name"),
            ),
            "MultiLineString",
            True,
            "streets, rivers and railways as lines",
        ),
        Table(
            "places",
            ("place_id",),
            (
                Column("place_id", "text", "identifier of the place", True),
                Column("kind", "text", "shop, school, clinic, market …", True),
                Column("name", "text", "name"),
            ),
            "Point",
            True,
            "shops, schools and other organisations",
        ),
        Table("assets", ("asset_id",), _ASSET_COLUMNS, "Geometry", True, "assets, points or lines"),
        Table(
            "cameras",
            ("asset_id",),
            (
                *_ASSET_COLUMNS,
                Column("bearing_deg", "real", "direction of view, clockwise from north"),
                Column("angle_deg", "real", "opening angle of the view"),
                Column("range_m", "real", "how far it sees, metres"),
            ),
            "Point",
            True,
            "cameras: assets that look somewhere; not repeated in `assets`",
        ),
        Table(
            "workers",
            ("worker_id",),
            (
                Column("worker_id", "text", "identifier of the worker", True),
                Column("name", "text", "name", True),
                Column("role", "text", "grid_worker, grid_head, police, assistant …", True),
                Column("unit_code", "text", "the grid or division the worker answers for"),
                Column("phone", "text", "telephone"),
            ),
            None,
            False,
            "grid workers and everyone else with a duty",
        ),
        Table(
            "departments",
            ("department_code",),
            (
                Column("department_code", "text", "code of the department", True),
                Column("name", "text", "name", True),
                Column("phone", "text", "telephone of its desk"),
            ),
            None,
            False,
            "departments that cases are handed to, across the levels",
        ),
        Table(
            "duties",
            ("duty_id",),
            (
                Column("duty_id", "text", "identifier of the appointment", True),
                Column("unit_code", "text", "the grid, division or department answered for", True),
                Column("role", "text", "as what: grid_worker, grid_head, police, fire …", True),
                Column("worker_id", "text", "who", True, refers="workers.worker_id"),
                Column("rank", "integer", "1 holds the post, 2 and more stand in, in order", True),
                Column("valid_from", "time", "appointed from", True),
                Column("valid_to", "time", "appointed until, empty while it lasts"),
            ),
            None,
            False,
            "who answers for what, as what, from when to when",
        ),
        Table(
            "fixes",
            ("worker_id", "time"),
            (
                Column("worker_id", "text", "who", True, refers="workers.worker_id"),
                Column("time", "time", "when", True),
                Column("lon", "real", "longitude, degrees", True),
                Column("lat", "real", "latitude, degrees", True),
                Column("accuracy_m", "real", "radius of uncertainty, metres"),
                Column("speed_kmh", "real", "speed, kilometres an hour"),
                Column("mock", "bool", "the phone says that the position is made up"),
                Column("source", "text", "protocol or file it came by"),
            ),
            None,
            False,
            "GPS readings of the current days; past days are sealed into Parquet",
        ),
        Table(
            "incidents",
            ("incident_id",),
            (
                Column("incident_id", "text", "identifier of the case", True),
                Column("class_code", "text", "class code, 4 digits, see `geo.codes`"),
                Column("category", "text", "the class in the words of the source"),
                Column("description", "text", "what is the matter"),
                Column("lon", "real", "longitude, degrees; empty if unplaced"),
                Column("lat", "real", "latitude, degrees; empty if unplaced"),
                Column("source", "text", "how it was reported"),
                Column("reported_at", "time", "reported", True),
                Column("stage", "text", "stage", True, STAGES),
                Column("deadline", "time", "to be closed by"),
                Column("closed_at", "time", "closed"),
                Column("condition", "text", "opening condition, sets the limit with the class"),
                Column("owner", "text", "the unit or department that has it now"),
                Column("level", "text", "level that has it now", words=CASE_LEVELS),
                Column("paused_until", "time", "the clock stands until then; empty: it runs"),
                Column("address", "text", "the place in words"),
            ),
            "Point",
            False,
            "incidents as their logs say; one without a usable place is kept as unplaced",
        ),
        Table(
            "incident_log",
            ("incident_id", "seq"),
            (
                Column("incident_id", "text", "the case", True, refers="incidents.incident_id"),
                Column("seq", "integer", "number of the move, from 1", True),
                Column("at", "time", "when", True),
                Column("stage", "text", "stage after the move", True, STAGES),
                Column("move", "text", "the move, see `geo.incidents`; empty: told by a file"),
                Column("by", "text", "who"),
                Column("role", "text", "as what"),
                Column("note", "text", "why"),
                Column("owner", "text", "the unit or department that has it from here on"),
                Column("level", "text", "level that has it from here on", words=CASE_LEVELS),
                Column("until", "time", "time asked for or granted; told by a file: the deadline"),
                Column("other_id", "text", "the other case of a merge"),
                Column("condition", "text", "opening condition from here on"),
            ),
            None,
            False,
            "every move of every incident, never edited",
        ),
        Table(
            "calendar",
            ("day",),
            (
                Column("day", "text", "date, YYYY-MM-DD", True),
                Column("is_workday", "bool", "whether people work on it", True),
                Column("name", "text", "holiday, or the reason"),
            ),
            None,
            False,
            "days on which the city works other than the State Council's calendar says",
        ),
        Table(
            "zones",
            ("zone_id",),
            (
                Column("zone_id", "text", "identifier of the zone", True),
                Column("kind", "text", "the set it belongs to: shopping areas, campuses …", True),
                Column("name", "text", "name", True),
            ),
            "MultiPolygon",
            True,
            "areas of the city's own, beside the five levels",
        ),
        Table(
            "devices",
            ("device_id",),
            (
                Column("device_id", "text", "identifier that the phone sends", True),
                Column("worker_id", "text", "who carries it", True, refers="workers.worker_id"),
                Column("token_hash", "text", "hash of its token, empty: it has none"),
                Column(
                    "speed_unit", "text", "unit of speed of its OsmAnd requests", False, SPEED_UNITS
                ),
                Column("valid_from", "time", "given out", True),
                Column("valid_to", "time", "taken back; readings up to then still count"),
            ),
            None,
            False,
            "phones that may send positions; a worker carries one at a time",
        ),
        Table(
            "ingest_counts",
            ("day", "source", "reason"),
            (
                Column("day", "text", "date in the city's zone, YYYY-MM-DD", True),
                Column("source", "text", "protocol", True),
                Column("reason", "text", "accepted, duplicate, off_duty, or why refused", True),
                Column("count", "integer", "readings", True),
            ),
            None,
            False,
            "what became of the readings that phones sent",
        ),
        Table(
            "patrol_alarms",
            ("alarm_id",),
            (
                Column("alarm_id", "text", "identifier of the alarm", True),
                Column("kind", "text", "what about", True, ALARM_KINDS),
                Column("worker_id", "text", "whose phone; empty: the grid's", False),
                Column("grid_id", "text", "the grid it is about"),
                Column("shift", "text", "the round it is about"),
                Column("began_at", "time", "what it is about began", True),
                Column("fired_at", "time", "it was told, after its delay", True),
                Column("ended_at", "time", "over; empty while it lasts"),
                Column("lon", "real", "longitude, degrees; empty: nobody knows where"),
                Column("lat", "real", "latitude, degrees; empty: nobody knows where"),
                Column("detail", "text", "figures that explain it, JSON"),
                Column("seen_at", "time", "acknowledged"),
                Column("seen_by", "text", "who acknowledged it"),
                Column("note", "text", "what they wrote"),
            ),
            None,
            False,
            "alarms about patrols, and who took note of them",
        ),
        Table(
            "track_views",
            ("view_id",),
            (
                Column("view_id", "text", "identifier of the look", True),
                Column("at", "time", "when", True),
                Column("by", "text", "who looked", True),
                Column("role", "text", "as what"),
                Column("worker_id", "text", "whose track", True),
                Column("since", "time", "from when the track was shown", True),
                Column("until", "time", "until when", True),
                Column("screen", "text", "replay, sheet, passed, follow, export", True),
            ),
            None,
            False,
            "who looked at whose track, never edited; shown to that worker",
        ),
        Table(
            "plans",
            ("plan_id",),
            (
                Column("plan_id", "text", "identifier of the plan", True),
                Column("name", "text", "what people call it", True),
                Column("state", "text", "state", True, PLAN_STATES),
                Column("author", "text", "who began it", True),
                Column("base", "text", "name of the file in `plans/` that it begins from", True),
                Column("base_version", "integer", "boundary version that it began from"),
                Column("began_as", "text", "what it began as: present, division, file, copy"),
                Column("seq", "integer", "number of its newest edit", True),
                Column("created_at", "time", "begun", True),
                Column("changed_at", "time", "last edit, comment or move", True),
                Column("from_day", "time", "asked to be in force from; empty: not said yet"),
                Column("version", "integer", "boundary version that it was published as"),
            ),
            None,
            False,
            "drafts and plans of the planner",
        ),
        Table(
            "plan_edits",
            ("plan_id", "seq"),
            (
                Column("plan_id", "text", "the plan", True, refers="plans.plan_id"),
                Column("seq", "integer", "number of the edit, from 1", True),
                Column("edit_id", "text", "identifier that the screen gave it", True),
                Column("at", "time", "when", True),
                Column("by", "text", "who", True),
                Column("on_seq", "integer", "newest edit that its author had seen", True),
                Column("state", "text", "what became of it", True, EDIT_STATES),
                Column("edit", "text", "the edit as `geo.redraw.replay` takes it, JSON", True),
            ),
            None,
            False,
            "every edit of every plan, in order; none is ever deleted",
        ),
        Table(
            "plan_moves",
            ("plan_id", "seq"),
            (
                Column("plan_id", "text", "the plan", True, refers="plans.plan_id"),
                Column("seq", "integer", "number of the move, from 1", True),
                Column("at", "time", "when", True),
                Column("by", "text", "who", True),
                Column("state", "text", "state after it", True, PLAN_STATES),
                Column("note", "text", "why"),
                Column("verdict", "text", "what the rules said, JSON"),
            ),
            None,
            False,
            "who submitted, approved, returned and published which plan",
        ),
        Table(
            "plan_comments",
            ("comment_id",),
            (
                Column("comment_id", "text", "identifier of the comment", True),
                Column("plan_id", "text", "the plan", True, refers="plans.plan_id"),
                Column("at", "time", "when", True),
                Column("by", "text", "who", True),
                Column("text", "text", "what they say", True),
                Column("grid_id", "text", "the grid it is about"),
                Column("reply_to", "text", "the comment it answers"),
                Column("lon", "real", "longitude, degrees; empty: about the whole plan"),
                Column("lat", "real", "latitude, degrees; empty: about the whole plan"),
                Column("done_at", "time", "settled"),
                Column("done_by", "text", "who settled it"),
            ),
            None,
            False,
            "comments pinned on the map of a plan",
        ),
        Table(
            "grid_parents",
            ("grid_id", "version", "from_grid_id"),
            (
                Column("grid_id", "text", "the grid", True),
                Column("version", "integer", "its boundary version", True),
                Column("from_grid_id", "text", "the grid that it comes from", True),
                Column("from_version", "integer", "boundary version of that one", True),
                Column("change", "text", "how it comes from it", True, PARENT_CHANGES),
                Column("households", "integer", "households that came along", True),
                Column("share", "real", "of the households of the one it comes from, 0 to 1"),
            ),
            None,
            False,
            "parentage of grids: split from, merged from, changed",
        ),
    )
}

KEPT_BY_SERVER = (
    "incident_log",
    "devices",
    "ingest_counts",
    "patrol_alarms",
    "track_views",
    "plans",
    "plan_edits",
    "plan_moves",
    "plan_comments",
    "grid_parents",
)
"""Tables that only the program writes."""

IMPORT_KINDS = tuple(name for name in TABLES if name not in KEPT_BY_SERVER)
"""What `wangge import` and `wangge export` take as KIND."""
