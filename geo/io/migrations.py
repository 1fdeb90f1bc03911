"""Steps from each older layout of `city.gpkg` to the next, as plain SQL that stays as it is.

A step says what it does with the names and types of its own time and never asks `geo.schema`,
which describes today. So a file of any age comes up step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from geo.io import gpkg

Migration = Callable[[sa.Connection], None]


def add_case_columns(conn: sa.Connection) -> None:
    """From 1 to 2: moves in full, working calendar, zones, a list of changed incidents."""
    for table, columns in (
        (
            "incident_log",
            "move TEXT, role TEXT, owner TEXT, level TEXT, until DATETIME, other_id TEXT,"
            " condition TEXT",
        ),
        (
            "incidents",
            "condition TEXT, owner TEXT, level TEXT, paused_until DATETIME, address TEXT",
        ),
    ):
        for column in columns.split(", "):
            conn.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")
    conn.exec_driver_sql(
        "CREATE TABLE calendar (fid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, day TEXT NOT NULL,"
        " is_workday BOOLEAN NOT NULL, name TEXT, UNIQUE (day))"
    )
    gpkg.register_layer(conn, "calendar", "days on which the city works otherwise", None)
    conn.exec_driver_sql(
        "CREATE TABLE zones (fid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"
        " geom MULTIPOLYGON NOT NULL, zone_id TEXT NOT NULL, kind TEXT NOT NULL,"
        " name TEXT NOT NULL, UNIQUE (zone_id))"
    )
    gpkg.register_layer(conn, "zones", "areas of the city's own", "MultiPolygon")
    for columns in (
        "stage, deadline, closed_at, paused_until",
        "deadline",
        "class_code, stage, reported_at",
        "owner, stage, reported_at",
        "level, stage, reported_at",
        "source",
        "lon, lat",
    ):
        name = f"ix_incidents_{columns.replace(', ', '_')}"
        conn.exec_driver_sql(f"CREATE INDEX {name} ON incidents ({columns})")
    gpkg.watch_incidents(conn)
    gpkg.guard_log(conn)


def add_patrol_tables(conn: sa.Connection) -> None:
    """From 2 to 3: phones that send, what became of it, alarms of patrols, looks at tracks."""
    for name, text, columns in (
        (
            "devices",
            "phones that may send positions",
            "device_id TEXT NOT NULL, worker_id TEXT NOT NULL, token_hash TEXT, speed_unit TEXT,"
            " valid_from DATETIME NOT NULL, valid_to DATETIME, UNIQUE (device_id),"
            " FOREIGN KEY(worker_id) REFERENCES workers (worker_id) DEFERRABLE INITIALLY DEFERRED",
        ),
        (
            "ingest_counts",
            "what became of the readings that phones sent",
            "day TEXT NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,"
            ' "count" INTEGER NOT NULL, UNIQUE (day, source, reason)',
        ),
        (
            "patrol_alarms",
            "alarms about patrols",
            "alarm_id TEXT NOT NULL, kind TEXT NOT NULL, worker_id TEXT, grid_id TEXT, shift TEXT,"
            " began_at DATETIME NOT NULL, fired_at DATETIME NOT NULL, ended_at DATETIME, lon REAL,"
            " lat REAL, detail TEXT, seen_at DATETIME, seen_by TEXT, note TEXT, UNIQUE (alarm_id)",
        ),
        (
            "track_views",
            "who looked at whose track",
            'view_id TEXT NOT NULL, at DATETIME NOT NULL, "by" TEXT NOT NULL, role TEXT,'
            " worker_id TEXT NOT NULL, since DATETIME NOT NULL, until DATETIME NOT NULL,"
            " screen TEXT NOT NULL, UNIQUE (view_id)",
        ),
    ):
        conn.exec_driver_sql(
            f"CREATE TABLE {name} (fid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, {columns})"
        )
        gpkg.register_layer(conn, name, text, None)
    for table, columns in (
        ("devices", "worker_id"),
        ("patrol_alarms", "ended_at"),
        ("patrol_alarms", "fired_at"),
        ("track_views", "worker_id, at"),
    ):
        name = f"ix_{table}_{columns.replace(', ', '_')}"
        conn.exec_driver_sql(f"CREATE INDEX {name} ON {table} ({columns})")
    gpkg.guard_views(conn)


def add_plan_tables(conn: sa.Connection) -> None:
    """From 3 to 4: plans of the planner, their edits, moves and comments; parentage of grids."""
    for name, text, columns in (
        (
            "plans",
            "drafts and plans of the planner",
            "plan_id TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, author TEXT NOT NULL,"
            " base TEXT NOT NULL, base_version INTEGER, began_as TEXT, seq INTEGER NOT NULL,"
            " created_at DATETIME NOT NULL, changed_at DATETIME NOT NULL, from_day DATETIME,"
            " version INTEGER, UNIQUE (plan_id)",
        ),
        (
            "plan_edits",
            "every edit of every plan",
            "plan_id TEXT NOT NULL, seq INTEGER NOT NULL, edit_id TEXT NOT NULL,"
            ' at DATETIME NOT NULL, "by" TEXT NOT NULL, on_seq INTEGER NOT NULL,'
            " state TEXT NOT NULL, edit TEXT NOT NULL, UNIQUE (plan_id, seq),"
            " FOREIGN KEY(plan_id) REFERENCES plans (plan_id) DEFERRABLE INITIALLY DEFERRED",
        ),
        (
            "plan_moves",
            "who submitted, approved, returned and published which plan",
            'plan_id TEXT NOT NULL, seq INTEGER NOT NULL, at DATETIME NOT NULL, "by" TEXT NOT NULL,'
            " state TEXT NOT NULL, note TEXT, verdict TEXT, UNIQUE (plan_id, seq),"
            " FOREIGN KEY(plan_id) REFERENCES plans (plan_id) DEFERRABLE INITIALLY DEFERRED",
        ),
        (
            "plan_comments",
            "comments pinned on the map of a plan",
            "comment_id TEXT NOT NULL, plan_id TEXT NOT NULL, at DATETIME NOT NULL,"
            ' "by" TEXT NOT NULL, text TEXT NOT NULL, grid_id TEXT, reply_to TEXT, lon REAL,'
            " lat REAL, done_at DATETIME, done_by TEXT, UNIQUE (comment_id),"
            " FOREIGN KEY(plan_id) REFERENCES plans (plan_id) DEFERRABLE INITIALLY DEFERRED",
        ),
        (
            "grid_parents",
            "parentage of grids",
            "grid_id TEXT NOT NULL, version INTEGER NOT NULL, from_grid_id TEXT NOT NULL,"
            " from_version INTEGER NOT NULL, change TEXT NOT NULL, households INTEGER NOT NULL,"
            " share REAL, UNIQUE (grid_id, version, from_grid_id)",
        ),
    ):
        conn.exec_driver_sql(
            f"CREATE TABLE {name} (fid INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, {columns})"
        )
        gpkg.register_layer(conn, name, text, None)
    conn.exec_driver_sql(
        "CREATE INDEX ix_plan_edits_plan_id_edit_id ON plan_edits (plan_id, edit_id)"
    )
    conn.exec_driver_sql("CREATE INDEX ix_plan_comments_plan_id ON plan_comments (plan_id)")


MIGRATIONS: Mapping[int, Migration] = {
    1: add_case_columns,
    2: add_patrol_tables,
    3: add_plan_tables,
}
"""From each older version, the step to the next; run in one transaction, after a copy."""
