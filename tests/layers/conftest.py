"""Small cities for the layers, and a loopback server for pages that a real browser opens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas import GeoDataFrame

WEST, SOUTH = 120.0, 36.0
STEP = 0.01


@pytest.fixture
def six_grids() -> GeoDataFrame:
    """Six grids of 0.01 degrees each, 120°E 36°N at the lower left, numbered so:

    D E F
    A B C
    """
    names = iter("ABCDEF")
    return GeoDataFrame(
        {"name": [f"{name}格" for name in "ABCDEF"]},
        index=pd.Index(list(names), name="grid_id"),
        geometry=[
            shapely.box(
                WEST + i * STEP, SOUTH + j * STEP, WEST + (i + 1) * STEP, SOUTH + (j + 1) * STEP
            )
            for j in range(2)
            for i in range(3)
        ],
        crs="EPSG:4326",
    )


class WavyCity:
    """A made-up city of 24 x 16 bent grids with roads, a river and parks; no randomness."""

    def __init__(self, columns: int = 24, rows: int = 16) -> None:
        self.columns, self.rows = columns, rows
        cells = [(i, j) for j in range(rows) for i in range(columns)]
        self.grids = GeoDataFrame(
            {"name": [f"网格{i:02d}{j:02d}" for i, j in cells]},
            index=pd.Index([f"g{i:02d}{j:02d}" for i, j in cells], name="grid_id"),
            geometry=[shapely.Polygon([*self._side(i, j)]) for i, j in cells],
            crs="EPSG:4326",
        )
        self.divisions = self._divisions(cells)
        self.roads = self._roads()
        self.areas = GeoDataFrame(
            {"kind": ["park", "water", "square"], "name": ["翠湖公园", "镜湖", "市民广场"]},
            index=pd.Index(["p1", "w1", "s1"], name="area_id"),
            geometry=[
                shapely.Point(self._xy(5.5, 11.5)).buffer(0.006),
                shapely.Point(self._xy(17.5, 4.5)).buffer(0.005),
                shapely.Point(self._xy(12.5, 8.5)).buffer(0.003),
            ],
            crs="EPSG:4326",
        )

    def _xy(self, u: float, v: float) -> tuple[float, float]:
        bend = 0.25 * np.sin(u * 0.7 + v * 0.4)
        return 120.0 + 0.005 * (u + bend), 36.0 + 0.004 * (v + 0.3 * np.sin(u * 0.45 - v * 0.8))

    def _side(self, i: int, j: int) -> list[tuple[float, float]]:
        around = [(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5)]
        return [self._xy(i + u, j + v) for u, v in around]

    def _divisions(self, cells: list[tuple[int, int]]) -> GeoDataFrame:
        parts = []
        for level, width, height in (("district", 12, 16), ("street", 6, 8), ("community", 3, 4)):
            keys = pd.Series([(i // width, j // height) for i, j in cells], index=self.grids.index)
            for n, (_, members) in enumerate(keys.groupby(keys)):
                shape = shapely.union_all(self.grids.geometry[members.index].to_numpy())
                parts.append((f"{level}{n}", level, f"{level} {n}", shape))
        codes, levels, names, shapes = zip(*parts, strict=True)
        return GeoDataFrame(
            {"level": levels, "name": names},
            index=pd.Index(codes, name="code"),
            geometry=list(shapes),
            crs="EPSG:4326",
        )

    def _roads(self) -> GeoDataFrame:
        rows = []
        for i in range(self.columns + 1):
            kind = "arterial" if i % 12 == 6 else "main" if i % 4 == 0 else "minor"
            line = [self._xy(i, v / 2) for v in range(2 * self.rows + 1)]
            rows.append((kind, f"经{i}路", shapely.LineString(line)))
        for j in range(self.rows + 1):
            kind = "arterial" if j % 8 == 4 else "main" if j % 4 == 0 else "minor"
            line = [self._xy(u / 2, j) for u in range(2 * self.columns + 1)]
            rows.append((kind, f"纬{j}路", shapely.LineString(line)))
        river = [self._xy(u, 6 + 3 * np.sin(u / 5)) for u in np.arange(-1, self.columns + 1, 0.25)]
        rail = [self._xy(u, 13 - u / 4) for u in np.arange(0, self.columns, 0.5)]
        path = [self._xy(5 + np.cos(a), 11.5 + np.sin(a)) for a in np.arange(0, 6.3, 0.3)]
        rows += [
            ("river", "清水河", shapely.LineString(river)),
            ("rail", "东西铁路", shapely.LineString(rail)),
            ("path", None, shapely.LineString(path)),
        ]
        kinds, names, lines = zip(*rows, strict=True)
        return GeoDataFrame(
            {"road_class": kinds, "name": names},
            index=pd.Index([f"r{n}" for n in range(len(rows))], name="road_id"),
            geometry=list(lines),
            crs="EPSG:4326",
        )

    def households(self) -> pd.Series:
        """Households of each grid; three grids have no figure."""
        j, i = np.divmod(np.arange(len(self.grids)), self.columns)
        hills = ((6, 10, 4.0), (16, 6, 5.0), (19, 13, 2.5))
        values = (
            180
            + sum(150 * np.exp(-((i - u) ** 2 + (j - v) ** 2) / r**2) for u, v, r in hills)
            + 25 * np.sin(i * 1.7 + j * 2.9)
        )
        series = pd.Series(np.round(values), index=self.grids.index)
        series.iloc[[40, 41, 200]] = np.nan
        return series


@pytest.fixture(scope="session")
def wavy_city() -> WavyCity:
    return WavyCity()


Serve = Callable[[dict[str, tuple[str, bytes]]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give it pages {path: (content type, bytes)}; it serves them at the address it returns."""
    servers: list[ThreadingHTTPServer] = []

    def start(pages: dict[str, tuple[str, bytes]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = pages.get(self.path.split("?")[0], ("text/plain", b""))
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Stay quiet: a test's output is for failures."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
