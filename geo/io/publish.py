"""A plan into force: what the gate says of it, and all rows of it in one transaction.

Publishing adds a boundary version. Grids that changed get a row that begins on the day, and their
row before ends on it; grids that nobody changed keep the row they have. No row that has ended is
touched, so any moment in the past is shown as it was (`Workspace.grids(at=...)`). The day may lie
ahead: until then the old grids are in force, the plan stays approved with a version, and
`settle_begun` takes it into force once the day has come. Versions follow each other in time: none
begins before the newest that there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo.errors import InputError, RuleError, StoreBusyError
from geo.io import _publish_rows as rows
from geo.io._publish_outside import match_outside, parents_of_outside
from geo.io.planbook import OpenPlan, PlanBook, PlanStateError
from geo.io.workspace import Workspace
from geo.locate import GridIndex
from geo.plan_rules import BAND, Circumstances, Finding, Verdict, check_plan
from geo.publish import CodesFullError, DutyMoves, Publication, move_duties, publish

COVER_KINDS = ("base", "dedicated")
"""Kinds of grids that form the cover; only those are in plans."""


class PlanRefusedError(RuleError):
    """The gate refused a plan; `verdict` has every finding."""

    def __init__(self, text: str, verdict: Verdict) -> None:
        super().__init__(text)
        self.verdict = verdict


@dataclass(frozen=True)
class Judged:
    """A plan with what the gate says of it and what it would become."""

    open: OpenPlan
    verdict: Verdict
    publication: Publication | None = field(repr=False)
    """None where the plan is no cover or has no codes left: nothing can be said of its grids."""
    duties: DutyMoves | None = field(repr=False)
    version: int
    """Number that the version would get."""
    stamp: str = field(repr=False)
    """Of the grids that it was held against."""


@dataclass(frozen=True)
class Published:
    """What publishing did."""

    plan_id: str
    version: int
    from_day: datetime
    in_force: bool
    """Whether the version has begun already."""
    grids: tuple[str, ...]
    """Codes of the rows that were written."""
    kept: int
    ended: tuple[str, ...]
    codes: dict[str, str]
    """Code by the plan's own ids, where they differ."""
    duties: int
    """Appointments that ended and began."""
    vacant: tuple[str, ...]
    """New grids that nobody is appointed to."""


def judge_plan(
    workspace: Workspace,
    book: PlanBook,
    plan_id: str,
    *,
    at: datetime,
    from_day: datetime | None = None,
    band: tuple[int, int] = BAND,
    publishing: bool = False,
) -> Judged:
    """Hold a plan against every rule as the workspace stands.

    Parameters
    ----------
    book
        The plans of that workspace.
    at
        Now.
    from_day
        From when it shall be in force; without it what the plan says.
    band
        Least and most households of a grid.
    publishing
        At publication the day has to be said.

    Raises
    ------
    UnknownPlanError
        If there is no such plan.
    """
    stamp = workspace.stamp("grids")
    found = book.open(plan_id)
    begin = found.from_day if from_day is None else from_day
    keys = workspace.read("grids", columns=["kind", "valid_from"])
    standing = workspace.grids()
    standing = standing[standing["kind"].isin(COVER_KINDS)]
    comments = book.comments(plan_id)
    around = Circumstances(
        band=band,
        rest=found.base.rest_grids(found.plan),
        conflicts=len(found.conflicts),
        comments=int((comments["done_at"].isna() & comments["reply_to"].isna()).sum()),
        outdated=found.outdated,
        newest=_newest(keys),
        at=at,
        from_day=begin,
        publishing=publishing,
    )
    version = int(keys["version"].max()) + 1 if len(keys) else 1
    taken = {str(code) for code in keys.index}
    publication: Publication | None = None
    duties: DutyMoves | None = None
    shapes = found.plan.ground.polygons(range(len(found.plan.blocks)))
    if shapely.is_valid(shapes).all() and shapely.coverage_is_valid(shapes):
        try:
            publication = _publication(found, standing, taken)
        except CodesFullError as error:
            around = replace(around, full=error.community)
    if publication is not None:
        new = set(publication.codes) - taken
        duties = move_duties(
            workspace.read("duties"),
            workspace.read("workers"),
            publication.heirs,
            from_=begin or at,
            version=version,
            new=new,
        )
        around = replace(around, vacant=duties.vacant)
    verdict = check_plan(
        found.first, found.plan, around, publication=publication, taken=taken, shapes=shapes
    )
    return Judged(found, verdict, publication, duties, version, stamp)


def publish_plan(
    workspace: Workspace,
    book: PlanBook,
    plan_id: str,
    *,
    from_: datetime,
    by: str,
    at: datetime,
    band: tuple[int, int] = BAND,
    note: str | None = None,
) -> Published:
    """Bring an approved plan into force from a moment, all in one transaction.

    Parameters
    ----------
    from_
        From when; it may lie ahead, and must lie after the beginning of the newest version.
    by, note
        Who publishes it, and why; kept with the plan.
    at
        Now.

    Raises
    ------
    PlanStateError
        If the plan is not approved, or was published already.
    PlanRefusedError
        If a rule is broken; nothing is written.
    StoreBusyError
        If the plan or the grids changed while it was checked: try again.
    """
    for name, moment in (("from_", from_), ("at", at)):
        if moment.tzinfo is None:
            raise InputError(f"{name} is {moment} without a zone: add one, such as +08:00")
    judged = judge_plan(workspace, book, plan_id, at=at, from_day=from_, band=band, publishing=True)
    found = judged.open
    _require_approved(found)
    if not judged.verdict.passed:
        raise PlanRefusedError(describe(judged.verdict), judged.verdict)
    publication, duties = judged.publication, judged.duties
    assert publication is not None
    assert duties is not None
    frame = _frame(found, publication, judged.version, from_)
    others = workspace.grids()
    others = others[others["kind"].isin(COVER_KINDS)]
    mine = {*publication.codes, *publication.ended}
    beside = match_outside(found, others[~others.index.isin(mine)])
    frame = pd.concat([frame, _dated(beside, judged.version, from_)]) if len(beside) else frame
    parents = pd.concat([publication.parents, parents_of_outside(beside)], ignore_index=True)
    begins = from_ <= at
    with workspace.writing() as conn:
        if workspace.stamp("grids") != judged.stamp or rows.plan_key(workspace, conn, plan_id) != (
            found.seq,
            "approved",
            None,
        ):
            raise StoreBusyError(
                "the plan or the grids changed while the plan was checked, nothing is stored:"
                " look at it again, then publish"
            )
        before = rows.close_rows(
            workspace, conn, [*publication.closed, *beside.index.astype(str)], from_
        )
        workspace.append(conn, "grids", frame)
        rows.write_parents(workspace, conn, parents, judged.version, before)
        if found.base.as_blocks == "blocks":
            rows.replace_blocks(workspace, conn, found.base, found.plan)
        rows.write_duties(workspace, conn, duties, from_)
        # It stays approved until its day: then it comes into force, at once or by settle_begun.
        book.move(
            plan_id, "approved", by=by, at=at, note=note, from_day=from_, version=judged.version,
            conn=conn,
        )  # fmt: skip
        if begins:
            rows.begin_version(workspace, conn, book, plan_id, duties.workers, by, at)
            rows.end_plans(workspace, conn, book, by, at)
    renamed = {str(grid): str(code) for grid, code in publication.codes.items() if grid != code}
    return Published(
        plan_id, judged.version, from_, begins, tuple(frame["grid_id"]),
        len(publication.kept), publication.ended, renamed,
        len(duties.ended) + len(duties.begun) + len(duties.moved), duties.vacant,
    )  # fmt: skip


def settle_begun(workspace: Workspace, book: PlanBook, *, at: datetime) -> tuple[str, ...]:
    """Take plans into force whose day has come, and those that nothing is left of to the past.

    Returns
    -------
    tuple
        Ids of the plans that came into force. Cheap where there are none.
    """
    if not rows.waiting_plans(workspace, at):
        return ()
    with workspace.writing() as conn:
        begun = rows.waiting_plans(workspace, at, conn)
        for plan_id, version, by in begun:
            people = rows.late_workers(workspace, conn, version)
            rows.begin_version(workspace, conn, book, plan_id, people, by, at)
        if begun:
            rows.end_plans(workspace, conn, book, begun[-1][2], at)
    return tuple(plan_id for plan_id, _, _ in begun)


def describe(verdict: Verdict, most: int = 5) -> str:
    """The errors of a verdict as one line for a log or a terminal."""
    errors = verdict.errors
    told = "; ".join(_sentence(f) for f in errors[:most])
    more = f"; and {len(errors) - most} more" if len(errors) > most else ""
    return f"the plan breaks {len(errors)} rules: {told}{more}"


def _sentence(finding: Finding) -> str:
    figures = ", ".join(f"{name} {value}" for name, value in finding.figures.items())
    where = f" at grid {finding.grid}" if finding.grid else ""
    return f"{finding.rule}{where}" + (f" ({figures})" if figures else "")


def present_grids(found: OpenPlan, standing: gpd.GeoDataFrame) -> pd.Series:
    """The newest grid of each block of a draft's base, by `block_id`, missing where none is.

    A draft that began as the present knows it; one that began as a division has the division's
    grids instead, and is laid over those that there are.
    """
    base = found.base
    if not base.is_assigned and not found.outdated:
        return base.blocks["grid_id"].where(
            base.blocks["grid_id"].isin(base.grids.index[~base.grids["is_rest"].astype(bool)])
        )
    inner = shapely.point_on_surface(base.blocks.geometry.to_numpy())
    at = GridIndex(standing).assign(shapely.get_x(inner), shapely.get_y(inner))
    codes = np.append(standing.index.to_numpy(dtype=object), np.nan)
    return pd.Series(codes[at], index=base.blocks.index, dtype="str", name="grid_id")


def _newest(keys: pd.DataFrame) -> datetime | None:
    begins = keys.loc[keys["kind"].isin(COVER_KINDS), "valid_from"].max()
    return None if pd.isna(begins) else begins.to_pydatetime()


def _publication(found: OpenPlan, standing: gpd.GeoDataFrame, taken: set[str]) -> Publication:
    """What a plan becomes, with neighbours whose stored border does not match redrawn, too.

    A grid of before may not follow the blocks that it was made of vertex by vertex. Once its
    neighbour is drawn by the blocks, it has to be as well, or the two would not match.
    """
    present = present_grids(found, standing)
    redrawn: set[str] = set()
    while True:
        publication = publish(
            found.first, found.plan, taken=taken, present=present, grids=standing, redrawn=redrawn
        )
        loose = _mismatched(found, publication, standing) - redrawn
        if not loose:
            return publication
        redrawn |= loose


def _mismatched(found: OpenPlan, publication: Publication, standing: gpd.GeoDataFrame) -> set[str]:
    """Grids that keep their row and do not match, vertex by vertex, a neighbour that does not."""
    if publication.grids.empty or not publication.kept:
        return set()
    new = found.base.grid_polygons(found.plan, list(publication.grids["plan_grid"]))
    kept = standing.loc[standing.index.isin(publication.kept)]
    drawn = new.geometry.to_numpy()
    _, near = shapely.STRtree(kept.geometry.to_numpy()).query(drawn, predicate="intersects")
    beside = kept.iloc[np.unique(near)]
    shapes = np.concatenate([drawn, beside.geometry.to_numpy()])
    edges = shapely.coverage_invalid_edges(shapes)[len(drawn) :]
    if shapely.is_empty(edges).all():
        return set()
    # Two kept grids that do not match each other are as they were published.
    alone = shapely.coverage_invalid_edges(beside.geometry.to_numpy())
    hit = ~shapely.is_empty(edges) & (shapely.length(edges) > shapely.length(alone) + 1e-12)
    return set(beside.index[hit].astype(str))


def _require_approved(found: OpenPlan) -> None:
    if found.version is not None:
        raise PlanStateError(
            f"plan {found.plan_id} was published already, as version {found.version}"
        )
    if found.state != "approved":
        raise PlanStateError(
            f"plan {found.plan_id} is in state {found.state}: only an approved plan is published"
        )


def _frame(
    found: OpenPlan, publication: Publication, version: int, from_: datetime
) -> gpd.GeoDataFrame:
    """The new rows of `grids`; vertices that nobody moved are where they were, bit for bit."""
    table = publication.grids
    shapes = found.base.grid_polygons(found.plan, list(table["plan_grid"])).geometry
    moment = pd.Timestamp(from_).tz_convert("UTC")
    return gpd.GeoDataFrame(
        {
            "grid_id": table.index.astype("str"),
            "name": pd.array(table["name"], dtype="str"),
            "kind": pd.array(table["kind"], dtype="str"),
            "community_code": pd.array(table["community_code"], dtype="str"),
            "households": table["households"].to_numpy(),
            "population": table["population"].to_numpy(),
            "version": np.full(len(table), version, dtype=np.int64),
            "valid_from": pd.Series([moment] * len(table), dtype="datetime64[us, UTC]"),
            "valid_to": pd.Series([pd.NaT] * len(table), dtype="datetime64[us, UTC]"),
        },
        geometry=shapes.to_numpy(),
        crs=shapes.crs,
    )


def _dated(rows_: gpd.GeoDataFrame, version: int, from_: datetime) -> gpd.GeoDataFrame:
    """Rows of `grids` as rows of another version."""
    moment = pd.Timestamp(from_).tz_convert("UTC")
    frame = rows_.reset_index().assign(
        version=np.int64(version),
        valid_from=pd.Series([moment] * len(rows_), dtype="datetime64[us, UTC]"),
        valid_to=pd.Series([pd.NaT] * len(rows_), dtype="datetime64[us, UTC]"),
    )
    return gpd.GeoDataFrame(frame)


def verdict_json(judged: Judged) -> dict[str, Any]:
    """A verdict as JSON for screens and for the book of moves: places in longitude, latitude."""
    base = judged.open.base

    def place(finding: Finding) -> dict[str, Any]:
        if finding.place is None or finding.place.is_empty:
            return {}
        shape = base.geometry_to_lonlat(finding.place)
        point = shape.representative_point()
        west, south, east, north = shape.bounds
        return {
            "point": [round(point.x, 7), round(point.y, 7)],
            "box": [round(v, 7) for v in (west, south, east, north)],
        }

    return {
        "passed": judged.verdict.passed,
        "seq": judged.open.seq,
        "version": judged.version,
        "findings": [
            {
                "rule": f.rule,
                "severity": f.severity,
                "grid": f.grid,
                "figures": {
                    name: v.isoformat() if isinstance(v, datetime) else v
                    for name, v in f.figures.items()
                },
                **place(f),
            }
            for f in judged.verdict.findings
        ],
    }
