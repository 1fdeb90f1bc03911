"""The code in docs/layers.md runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from geo.io.demo import write_city
from geo.io.workspace import create_workspace
from geo.synth import build_city

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the small invented city of Shuanghu Road in `demo-city`."""
    made = tmp_path_factory.mktemp("five")
    city = build_city("shuanghu", seed=1, at=datetime(2026, 11, 21, 6, tzinfo=UTC))
    with create_workspace(made / "demo-city") as workspace:
        write_city(city, workspace)
    return made


def test_five_lines_are_five():
    assert len(BLOCKS[0].strip().splitlines()) == 5
    assert len(BLOCKS) == 2


@pytest.mark.parametrize(("number", "file"), [(0, "map.html"), (1, "assets.html")])
def test_the_code_of_the_docs_makes_a_map(folder, number, file):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[number]],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count('"type":"Feature"') >= 12
    assert '<aside class="card legend"' in text
