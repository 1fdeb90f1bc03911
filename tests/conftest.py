"""What all tests share: where the real data lies, and small cities that can be drawn.

Laws (hypothesis) have two profiles. `repeat`, the usual one, tries the same examples each time, so
that a run tells of the code and not of luck. `draw` tries new ones, each law `LAW_ROUNDS` times
over; what it finds is kept in `.hypothesis` and tried first from then on. No law has a deadline or
minds a slow machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from geopandas import GeoDataFrame
from hypothesis import HealthCheck, is_hypothesis_test, settings

from geo.io.workspace import Workspace, create_workspace

SHARED = Path(__file__).resolve().parents[2] / "shared"
LAW_ROUNDS = int(os.environ.get("LAW_ROUNDS", "5"))
"""How often the profile `draw` runs a law, each time with examples of its own."""

for _name, _repeats in (("repeat", True), ("draw", False)):
    settings.register_profile(
        _name,
        derandomize=_repeats,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


@pytest.fixture
def law_round() -> int:
    """Which of the rounds of a law this is; nobody asks."""
    return 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Under the profile `draw`, run every law in several rounds."""
    drawn = settings.get_current_profile_name() == "draw"
    if drawn and is_hypothesis_test(metafunc.function):
        metafunc.fixturenames.append("law_round")
        metafunc.parametrize("law_round", range(LAW_ROUNDS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that take long: slow ones, then those with a browser, then the others.

    Workers take whole files in this order (`--no-loadscope-reorder`), so none is left alone with a
    long one at the end.
    """
    rank: dict[Path, int] = {}
    for item in items:
        found = (
            0 if item.get_closest_marker("slow") else 1 if item.get_closest_marker("browser") else 2
        )
        rank[item.path] = min(found, rank.get(item.path, 2))
    items.sort(key=lambda item: rank[item.path])


def _shared_folder(name: str) -> Path:
    folder = SHARED / name
    if folder.is_dir():
        return folder
    if os.environ.get("WANGGE_REQUIRE_REAL_DATA") == "1":
        pytest.fail(f"{folder} is absent, and WANGGE_REQUIRE_REAL_DATA=1 asks for it")
    pytest.skip(f"real data absent: put the folder shared beside the repository ({folder})")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository."""
    return _shared_folder("data")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty city."""
    with create_workspace(tmp_path / "city") as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium (`browsers.Chromium`)."""
    from browsers import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def four_grids() -> GeoDataFrame:
    """Four 100 m grids in metres (EPSG:4547), indexed by grid_id, numbered so:

    C D
    A B
    """
    corners = {"A": (0, 0), "B": (100, 0), "C": (0, 100), "D": (100, 100)}
    return gpd.GeoDataFrame(
        {"grid_id": list(corners)},
        geometry=[shapely.box(x, y, x + 100, y + 100) for x, y in corners.values()],
        crs="EPSG:4547",
    ).set_index("grid_id")
