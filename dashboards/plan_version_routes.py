"""Boundary versions over HTTP: what each changed, where grids come from, the grids of any day.

A day is shown as it was from the dated rows of `grids`, not from plans.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import flask
import geopandas as gpd
import pandas as pd
import shapely

from dashboards.components.case_moves import RequestError
from dashboards.language import page_words
from dashboards.plan_desk import Desk
from dashboards.plan_fields import day_of, text_of
from dashboards.plan_routes import answer, answered, band_of
from dashboards.server import pack, send
from dashboards.store import Store
from geo.io.publish import settle_begun
from geo.io.versions import list_versions

Answer = flask.typing.ResponseReturnValue
MOST_VERSIONS = 10**6
"""No city has had more; a larger number is not found."""


def add_versions(routes: flask.Blueprint, store: Store, desk: Desk) -> None:
    """Add the routes of versions to those of plans."""

    @routes.get("/versions")
    @answered(store)
    def versions() -> Answer:
        settle_begun(store.workspace, desk.book, at=store.clock())
        table = list_versions(store.workspace, at=store.clock())
        return answer(
            store, {"versions": [_version_json(store, n, r) for n, r in table.iterrows()]}
        )

    @routes.get(f"/versions/<int(max={MOST_VERSIONS}):version>/parents")
    @answered(store)
    def parents(version: int) -> Answer:
        table = store.workspace.table("grid_parents")
        rows = store.workspace.read("grid_parents", where=table.c.version == version).reset_index()
        names = _names(store)
        return answer(
            store,
            {
                "parents": [
                    {
                        "grid": row.grid_id,
                        "name": names.get((row.grid_id, version), row.grid_id),
                        "from": row.from_grid_id,
                        "from_name": names.get(
                            (row.from_grid_id, int(row.from_version)), row.from_grid_id
                        ),
                        "change": row.change,
                        "households": int(row.households),
                        "share": None if pd.isna(row.share) else float(row.share),
                    }
                    for row in rows.itertuples(index=False)
                ]
            },
        )

    @routes.get("/shown")
    @answered(store)
    def shown() -> Answer:
        words = page_words(store.settings.language)
        at = day_of(flask.request.args.get("at"), store, words, end=True)
        if at is None:
            raise RequestError(words("planversions.bad.day"), "day", 400)
        frame = store.workspace.grids(at=at)
        if frame.empty:
            raise RequestError(words("planversions.bad.early"), "early", 404)
        return send(pack(_outlines(store, frame, at)), "application/json", "no-cache")


def _outlines(store: Store, frame: gpd.GeoDataFrame, at: datetime) -> bytes:
    """Grids as GeoJSON with seven decimals (a centimetre), each with the figures that it had.

    `lon` and `lat` are a place inside the grid, `area` is in square metres.
    """
    shapes = shapely.to_geojson(
        shapely.set_precision(frame.geometry.to_numpy(), 1e-7, mode="pointwise")
    )
    ground = frame.geometry.to_crs(store.workspace.metric_crs())
    points = frame.geometry.representative_point()
    figures = pd.DataFrame(
        {
            "id": frame.index.astype(str),
            "name": frame["name"].fillna(pd.Series(frame.index, frame.index)).astype(str),
            "kind": frame["kind"].astype(str),
            "version": frame["version"].astype(int),
            "lon": points.x.round(7),
            "lat": points.y.round(7),
            "area": ground.area.round(0),
        }
    )
    for name, column in (("households", "households"), ("people", "population")):
        known = frame[column].astype(object)
        figures[name] = known.where(frame[column].notna(), None)
    features = ",".join(
        '{"type":"Feature","properties":'
        + json.dumps(row, ensure_ascii=False, default=int)
        + f',"geometry":{shape}}}'
        for row, shape in zip(figures.to_dict("records"), shapes, strict=True)
    )
    head = {
        "n": len(frame), "version": int(frame["version"].max()), "at": at.isoformat(),
        "households": int(frame["households"].sum()), "people": int(frame["population"].sum()),
        "band": list(band_of(store)),
    }  # fmt: skip
    text = json.dumps(head)[:-1] + ',"type":"FeatureCollection","features":[' + features + "]}"
    return text.encode()


def _version_json(store: Store, version: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    def day(value: Any) -> str | None:
        return None if pd.isna(value) else f"{value.astimezone(store.zone):%Y-%m-%d %H:%M}"

    counts = (
        "grids",
        "total",
        "ended",
        "kept",
        "changed",
        "split_from",
        "merged_from",
        "made_from",
    )
    return {
        "version": int(version),
        "begins": day(row["begins"]),
        "state": row["state"],
        "plan": text_of(row["plan_id"]),
        "name": text_of(row["name"]),
        "by": text_of(row["by"]),
        "published": day(row["published_at"]),
        **{name: int(row[name]) for name in counts},
    }


def _names(store: Store) -> dict[tuple[str, int], str]:
    table = store.workspace.read("grids", columns=["name"]).reset_index()
    named = table.dropna(subset="name")
    return {
        (str(row.grid_id), int(row.version)): str(row.name)
        for row in named.itertuples(index=False, name="Row")
    }
