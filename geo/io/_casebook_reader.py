"""What a book of cases is asked beside single cases: lists, neighbours, owners, files.

Public names are handed on by `geo.io.casebook`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from geo.io._casebook_export import Say, require_ending, write_cases
from geo.io._casebook_list import CaseList, CasePage
from geo.io._casebook_near import Recurring, read_recurring, read_similar
from geo.io._casebook_owner import OwnerSuggestion, suggest_owners
from geo.io._casebook_page import CaseQuery
from geo.io._casebook_rows import read_row, to_stored
from geo.io.export import ExportReport, Headers, Progress
from geo.io.gpkg import INDEXES
from geo.io.rules import Rules
from geo.io.workspace import Workspace
from geo.responsibility import ChainIndex


class CaseReader:
    """The questions to a book; `CaseBook` adds the moves."""

    def __init__(self, workspace: Workspace, rules: Rules) -> None:
        self.workspace = workspace
        self.rules = rules
        self._list = CaseList(workspace, rules)
        self._known_chains: tuple[str, ChainIndex] | None = None

    def page(self, query: CaseQuery, *, at: datetime) -> CasePage:
        """The rows of a page of the list, and how long the list is; see `CaseQuery`."""
        return self._list.page(query, at)

    def count(self, query: CaseQuery, *, at: datetime) -> int:
        """How many cases a query has, whatever page it names."""
        return self._list.count(query, at)

    def export(
        self,
        query: CaseQuery,
        out: str | Path,
        *,
        at: datetime,
        headers: Headers = "columns",
        say: Say | None = None,
        progress: Progress | None = None,
    ) -> ExportReport:
        """Write the whole list of a query, in its order, to a file ending in .csv or .xlsx.

        `headers` are our names of columns, or Chinese or English ones; then a case without a
        category has the name of its class there. `say` has words for what columns hold, say
        `{"stage": {"closed": "已结案"}}`. Errors as for `geo.io.export.export_table`.
        """
        path = Path(out)
        require_ending(path)
        with self.workspace.reading() as conn:
            total, chunks = self._list.chunks(conn, query, at)
            return write_cases(
                chunks, total, path, headers=headers, classes=self.rules.classes, say=say or {},
                timezone=self.rules.calendar.zone, progress=progress,
            )  # fmt: skip

    def similar(
        self,
        incident_id: str | None = None,
        *,
        at: datetime,
        lon: float | None = None,
        lat: float | None = None,
        class_code: str | None = None,
        within_m: float | None = None,
        within_h: float | None = None,
    ) -> pd.DataFrame:
        """Open cases that a case, or a report about to be made, might be merged with.

        Parameters
        ----------
        incident_id
            The case; or else `lon`, `lat` and `class_code` of what is about to be reported now.
        within_m, within_h
            How near and how long; without them the city's rules say so.

        Returns
        -------
        DataFrame
            Indexed by `incident_id`, the nearest first: `distance_m`, `apart_h` (hours by which
            it was reported earlier), and the columns of a page. Empty where the case has no class
            or place.
        """
        mine = self.rules.case
        with self.workspace.reading() as conn:
            reported_at = to_stored(at, "at")
            if incident_id is not None:
                row = read_row(self.workspace, conn, incident_id)
                lon, lat, class_code = row["lon"], row["lat"], row["class_code"]
                reported_at = row["reported_at"]
            if lon is None or lat is None or class_code is None:
                pairs = pd.DataFrame({"distance_m": [], "apart_h": []}, dtype="float64")
                pairs.index = pd.Index([], dtype="str", name="incident_id")
            else:
                pairs = read_similar(
                    conn,
                    self.workspace.table("incidents"),
                    incident_id=incident_id or "",
                    place=(lon, lat),
                    class_code=class_code,
                    reported_at=reported_at,
                    within_m=within_m or mine.similar_m,
                    within_h=within_h or mine.similar_h,
                )
            rows = self._list.read_cases(conn, list(pairs.index))
        return pairs.join(self._list.with_clocks(rows, at))

    def recurring(
        self,
        *,
        at: datetime,
        days: float = 90.0,
        query: CaseQuery | None = None,
        within_m: float | None = None,
        within_days: float | None = None,
        min_returns: int | None = None,
    ) -> Recurring:
        """Black spots (黑点复燃): places whose closed cases came back, with their history.

        Parameters
        ----------
        days
            How far back: cases that were reported or closed since.
        query
            Leaves only cases that it has, say of a unit, a class or a box around a place; its
            order and page do not count.
        within_m, within_days, min_returns
            How near, how soon after the close, how often; without them the city's rules say so.
        """
        now = to_stored(at, "at")
        mine = self.rules.case
        with self.workspace.reading() as conn:
            where = [] if query is None else self._list.where(conn, query, at)
            return read_recurring(
                conn,
                self.workspace.table("incidents"),
                since=now - timedelta(days=days),
                until=now,
                where=where,
                within_m=within_m or mine.recurring_m,
                within_days=within_days or mine.recurring_days,
                min_returns=min_returns or mine.recurring_min,
            )

    def suggest_owner(
        self,
        incident_id: str | None = None,
        *,
        at: datetime,
        class_code: str | None = None,
        lon: float | None = None,
        lat: float | None = None,
        chains: ChainIndex | None = None,
    ) -> tuple[OwnerSuggestion, ...]:
        """Who might handle a case, the likeliest first.

        For a fault of an asset the department that owns the nearest one of the class
        (`owner_asset_m`); then whom `rules/class_owners.csv` names for the class; then community,
        street, grid and district of the place.

        Parameters
        ----------
        incident_id
            The case; or else what is known of one.
        chains
            The index that a server keeps anyway; without it the book makes one and keeps it.
        """
        with self.workspace.reading() as conn:
            if incident_id is not None:
                row = read_row(self.workspace, conn, incident_id)
                class_code, lon, lat = row["class_code"], row["lon"], row["lat"]
            return suggest_owners(
                self.workspace,
                conn,
                chains or self._chains(),
                class_code=class_code,
                place=None if lon is None or lat is None else (lon, lat),
                by_class=self.rules.owner_of_class(class_code),
                within_m=self.rules.case.owner_asset_m,
                at=at,
            )

    def refresh(self, *, at: datetime | None = None) -> int:
        """Bring the index of words up to date, or make it; returns how many cases were read.

        With `at`, the unit that each case lies in is looked up as well (see `geo.io.casebook`).
        Indexes of the table that a city of before lacks are made too. A page does without either,
        only slower, so call this where nobody waits: after an import, and in the background of a
        server. Without changes it costs next to nothing.
        """
        _make_indexes(self.workspace)
        if at is not None:
            self._list.look_up_units(at)
        return self._list.words.refresh()

    def _chains(self) -> ChainIndex:
        """Who answers for what, made anew when a table of it changed."""
        names = ("duties", "workers", "divisions", "grids", "departments")
        stamp = self.workspace.stamp(*names)
        known = self._known_chains
        if known is None or known[0] != stamp:
            tables = [self.workspace.read(name) for name in names]
            made = ChainIndex(
                *tables, roles=self.rules.duty_roles, rules=dict(self.rules.phone_rules)
            )
            known = self._known_chains = (stamp, made)
        return known[1]


def _make_indexes(workspace: Workspace) -> None:
    wanted = {f"ix_incidents_{'_'.join(names)}": names for names in INDEXES["incidents"]}
    query = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'incidents'"
    with workspace.reading() as conn:
        missing = set(wanted) - set(conn.exec_driver_sql(query).scalars())
    if missing:
        with workspace.writing() as conn:
            for name in sorted(missing):
                columns = ", ".join(wanted[name])
                conn.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON incidents ({columns})")
