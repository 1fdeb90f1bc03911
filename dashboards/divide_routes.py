"""Automatic division over HTTP for `/planner`: begin, look, stop, take over.

    POST /plan/divide/<plan_id>                what to divide, the band, weights: the id of a job
    GET  /plan/divide/jobs/<job>?seen=3        how far it is; the best so far, if it is newer
    POST /plan/divide/jobs/<job>/stop          end with the best so far
    POST /plan/divide/jobs/<job>/draft         a new draft with the answer

A job works on the blocks of the draft as they stand; grids that are locked in it stay. The answer
becomes a draft of its own, or, where no grid is new or at an end, one edit of the draft, which the
page sends as any other (`changes`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import flask
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from dashboards.components.case_moves import RequestError
from dashboards.divide_jobs import Asked, Job, Jobs, TooManyJobsError
from dashboards.divide_loads import read_load, read_roads_near
from dashboards.language import page_words
from dashboards.plan_desk import Desk, Entry, desk_of
from dashboards.plan_routes import answer, answered, band_of, person, read_body
from dashboards.store import Store
from dashboards.words import Words

_EXTENSION = "wangge-divide-jobs"

EFFORTS = {"fast": "fast", "full": "full"}
_NAMED = 40
"""Units and communities that an answer names."""
Answer = flask.typing.ResponseReturnValue


def jobs_of(server: flask.Flask) -> Jobs:
    """The divisions of a server."""
    jobs: Jobs = server.extensions.setdefault(_EXTENSION, Jobs())
    return jobs


def add_divide_routes(server: flask.Flask, store: Store) -> Jobs:
    """Add the routes of automatic division to the server of an app."""
    routes = flask.Blueprint("plan-divide", __name__, url_prefix="/plan/divide")
    desk, jobs = desk_of(store), jobs_of(server)
    wrap = answered(store)

    @routes.post("/<plan_id>")
    @wrap
    def begin(plan_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        person(body, words)
        with desk.open(plan_id) as entry:
            asked = read_asked(store, entry, body, words)
        try:
            job = jobs.start(asked)
        except TooManyJobsError as error:
            raise RequestError(words("plandivide.bad.many"), "many", 429) from error
        return answer(store, {"ok": True, "job": job.id}, 202)

    @routes.get("/jobs/<job_id>")
    @wrap
    def look(job_id: str) -> Answer:
        words = page_words(store.settings.language)
        job = _job(jobs, job_id, words)
        seen = flask.request.args.get("seen", default=-1, type=int)
        return answer(store, {"ok": True, **job_json(desk, job, seen)})

    @routes.post("/jobs/<job_id>/stop")
    @wrap
    def stop(job_id: str) -> Answer:
        words = page_words(store.settings.language)
        read_body(words)
        job = _job(jobs, job_id, words)
        jobs.stop(job)
        return answer(store, {"ok": True, "state": job.state})

    @routes.post("/jobs/<job_id>/draft")
    @wrap
    def draft(job_id: str) -> Answer:
        words = page_words(store.settings.language)
        body = read_body(words)
        by, _ = person(body, words)
        name = str(body.get("name") or "").strip()[:100]
        if not name:
            raise RequestError(words("planner.bad.name"), "name", 400)
        job = _job(jobs, job_id, words)
        return answer(store, {"ok": True, "id": make_draft(store, desk, job, name, by, words)}, 201)

    server.register_blueprint(routes)
    return jobs


def _job(jobs: Jobs, job_id: str, words: Words) -> Job:
    job = jobs.find(job_id)
    if job is None:
        raise RequestError(words("plandivide.bad.gone"), "gone", 404)
    return job


# --- what is asked --------------------------------------------------------------------------------


def read_asked(store: Store, entry: Entry, body: Mapping[str, Any], words: Words) -> Asked:
    """The units of the area, their load, bands, and the plan in force among them.

    Raises
    ------
    RequestError
        If the area is empty, a band is upside down, or the weights count nothing.
    """
    plan = entry.plan
    blocks = plan.blocks_frame()
    # Grids for one purpose (a park, a school) have no band and stay as they are.
    apart = {row.grid_id for row in plan.grids if row.kind != "base"}
    rest = set(entry.open.base.rest_grids(plan))
    rows = _area(blocks, ~blocks["grid_id"].isin(apart - rest).to_numpy(), body, words)
    units = blocks.iloc[rows]
    band = _band(body.get("band") or band_of(store), words)
    codes = set(units["community_code"])
    bands = {
        str(code): _band(pair, words)
        for code, pair in dict(body.get("bands") or {}).items()
        if str(code) in codes
    }
    load = read_load(store, units, dict(body.get("weights") or {"households": 1}), words)
    present = units["grid_id"][~units["grid_id"].isin(rest)]
    fresh = bool(body.get("fresh"))
    locked = sorted(plan.locked & set(present))
    limits = np.array([bands.get(code, band) for code in units["community_code"]])
    roads, classes = _roads(store, units)
    previous = present
    if fresh:
        previous = present[present.isin(locked)] if locked else None
    work = {
        "ids": units.index.to_numpy(dtype=object),
        "wkb": shapely.to_wkb(units.geometry.to_numpy()),
        "crs": plan.crs.to_wkt(),
        "community": units["community_code"].to_numpy(dtype=object),
        "load": load,
        "limits": limits,
        "band": band,
        "bands": bands,
        "previous": previous,
        "locked": locked,
        "roads": roads,
        "classes": classes,
        "effort": EFFORTS.get(str(body.get("effort")), "full"),
    }
    return Asked(entry.open.plan_id, entry.seq, rows, len(blocks), work, fresh)


def _area(
    blocks: gpd.GeoDataFrame, keep: np.ndarray, body: Mapping[str, Any], words: Words
) -> np.ndarray:
    if body.get("grids"):
        keep = keep & blocks["grid_id"].isin([str(name) for name in body["grids"]]).to_numpy()
    if body.get("communities"):
        wanted = [str(code) for code in body["communities"]]
        keep = keep & blocks["community_code"].isin(wanted).to_numpy()
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise RequestError(words("plandivide.bad.area"), "area", 422)
    return rows


def _band(pair: Any, words: Words) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in pair)
    except (TypeError, ValueError) as error:
        raise RequestError(words("plandivide.bad.band"), "band", 422) from error
    if not 0 < low <= high < 1e9:
        raise RequestError(words("plandivide.bad.band"), "band", 422)
    return low, high


def _roads(store: Store, units: gpd.GeoDataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Lines near the area that a grid must not cross or should follow, and their classes."""
    roads = read_roads_near(store, units)
    roads = roads[roads["road_class"].isin(["arterial", "main", "river", "rail"])]
    return shapely.to_wkb(roads.geometry.to_numpy()), roads["road_class"].to_numpy(dtype=object)


# --- what is told ---------------------------------------------------------------------------------


def job_json(desk: Desk, job: Job, seen: int) -> dict[str, Any]:
    """How far a job is; the best so far where it is newer than look number `seen`."""
    with job.lock:
        shown, looks, state, found = job.shown, job.looks, job.state, job.answer
    body: dict[str, Any] = {
        "state": state,
        "looks": looks,
        "plan": job.asked.plan_id,
        **{name: shown.get(name) for name in ("done", "total", "community", "compiling")},
        **{name: shown.get(name) for name in ("grids", "bad", "off", "units")},
        "all": len(job.asked.rows),
    }
    if looks > seen and "labels" in shown:
        labels = np.full(job.asked.count, -1, dtype=np.int32)
        labels[job.asked.rows] = np.frombuffer(shown["labels"], dtype=np.int32)
        body["labels"] = base64.b64encode(labels.tobytes()).decode()
        body["status"] = base64.b64encode(shown["status"]).decode()
    if state == "failed":
        body["error"] = (found or {}).get("error", "")
    if state == "done" and found is not None:
        body["result"] = result_json(desk, job, found)
    return body


def result_json(desk: Desk, job: Job, found: Mapping[str, Any]) -> dict[str, Any]:
    """What came out: sums, what cannot be better and why, and whether one edit would do it."""
    communities, oversize = found["communities"], found["oversize"]
    with desk.open(job.asked.plan_id) as entry:
        plan = entry.plan
        is_newest = entry.seq == job.asked.seq
        changes = find_changes(entry, job) if is_newest else None
        rows = plan.block_rows
        big = [
            {"unit": str(unit), "row": rows.get(str(unit)), "load": float(row["load"]),
             "community": str(row["community"])}
            for unit, row in oversize.head(_NAMED).iterrows()
        ]  # fmt: skip
    out = communities[communities["off"] > 0].sort_values("off", ascending=False, kind="stable")
    keep = ["bad", "off", "bound", "verdict", "cause", "left"]
    return {
        "totals": {name: float(value) for name, value in found["totals"].items()},
        "verdicts": {str(k): int(v) for k, v in communities["verdict"].value_counts().items()},
        "out": [
            {"community": str(code), **{name: _plain(row[name]) for name in keep}}
            for code, row in out.head(_NAMED).iterrows()
        ],
        "oversize": {"count": len(oversize), "first": big},
        "islands": {"count": len(found["islands"]), "first": found["islands"][:_NAMED]},
        "complete": bool(found["is_complete"]),
        "seconds": float(found["seconds"]),
        "fresh": job.asked.fresh,
        "newest": is_newest,
        "changes": changes,
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def find_changes(entry: Entry, job: Job) -> dict[str, str] | None:
    """The blocks that change grid, if one edit can say it: no grid new, none at an end."""
    plan = entry.plan
    now = plan.assignment
    then = now.copy()
    found = job.assignment
    then[found.index] = found.to_numpy()
    if set(then) != set(now) or job.asked.fresh:
        return None
    moved = then[then != now]
    return {str(block): str(grid) for block, grid in moved.items()}


# --- taking over ----------------------------------------------------------------------------------


def make_draft(store: Store, desk: Desk, job: Job, name: str, by: str, words: Words) -> str:
    """A new draft: the answer in its area, the draft that it came from elsewhere.

    Raises
    ------
    RequestError
        If there is no answer yet, or blocks were cut in the draft and grids come or go: a draft
        with cut blocks is made by a copy and one edit, which can only move blocks.
    """
    if job.answer is None or job.state != "done":
        raise RequestError(words("plandivide.bad.early"), "early", 409)
    with desk.open(job.asked.plan_id) as entry:
        base, plan = entry.open.base, entry.plan
        now = plan.assignment
        cut = now.index.difference(base.blocks.index)
        changes = find_changes(entry, job) if entry.seq == job.asked.seq else None
        rest = set(base.rest_grids(plan))
        joined = dict(base.joined)
        taken = set(plan.grid_rows) | set(base.grids.index)
    if len(cut):
        if changes is None:
            raise RequestError(words("plandivide.bad.cut", n=len(cut)), "cut", 409)
        return _copy(store, desk, job, name, by, changes)
    found = _new_names(job, taken)
    whole = now[~now.isin(rest)].astype(object)
    whole = pd.concat([whole[~whole.index.isin(found.index)], found])
    extra = {one: whole[two] for one, two in joined.items() if two in whole.index}
    whole = pd.concat([whole, pd.Series(extra, dtype=object)])
    key = f"{by}:{name}"
    with job.lock:
        if key in job.drafts:
            return job.drafts[key]
        made = desk.book.create(
            name, by, store.clock(), communities=base.communities, assignment=whole,
            began_as="division",
        )  # fmt: skip
        job.drafts[key] = made
    return made


def _copy(
    store: Store, desk: Desk, job: Job, name: str, by: str, changes: Mapping[str, str]
) -> str:
    """A copy of the draft with its cut blocks, and the answer as its newest edit."""
    key = f"{by}:{name}"
    with job.lock:
        if key in job.drafts:
            return job.drafts[key]
        made = desk.book.copy(job.asked.plan_id, name, by, store.clock())
        job.drafts[key] = made
    if changes:
        desk.book.append(
            made, edit_id=f"{job.id}~{made}", edit={"do": "assign", "blocks": dict(changes)},
            by=by, on_seq=desk.book.open(made).seq, at=store.clock(),
        )  # fmt: skip
    return made


def _new_names(job: Job, taken: set[str]) -> pd.Series:
    """The grids of a fresh division under ids that no grid had: nobody's duty moves by accident."""
    found = job.assignment
    if not job.asked.fresh:
        return found
    locked = set(job.asked.work["locked"])
    names: dict[str, str] = {}
    used = set(taken)
    for grid in pd.unique(found):
        name, number = str(grid), 1
        while name in used and name not in locked:
            name, number = f"{grid}-{number}", number + 1
        used.add(name)
        names[str(grid)] = name
    return found.map(names)
