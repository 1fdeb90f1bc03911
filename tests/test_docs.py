"""Nothing public without a place in the docs, and nothing in the docs that is not there."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from dashboards.cli import COMMANDS, wangge
from dashboards.settings import Settings
from geo.schema import TABLES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def words_of(folder: Path) -> set[str]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in sorted(folder.rglob("*.md")))
    return set(re.findall(r"\w+", text))


def public_functions() -> list[str]:
    """`module.name` of every function and class at the top of a public module of `geo`."""
    found = []
    for file in sorted((ROOT / "geo").rglob("*.py")):
        if file.name.startswith("_") and file.name != "__init__.py":
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            is_public = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if is_public and not node.name.startswith("_"):
                module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                found.append(f"{module}.{node.name}")
    return found


def test_every_public_function_of_geo_has_a_place_in_the_docs():
    known = words_of(DOCS)
    missing = [
        name
        for name in public_functions()
        if name.rpartition(".")[2] not in known and not name.startswith("geo.errors.")
    ]
    assert not missing, f"not in docs/: {missing}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_page_that_names_each_of_its_options(name):
    page = DOCS / "commands" / f"{name}.md"
    assert page.is_file(), f"{page} is missing"
    text = page.read_text(encoding="utf-8")
    command = wangge.get_command(None, name)
    assert command is not None
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in text, f"{page.name} does not name {option}"


def test_every_setting_is_explained():
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    missing = [item.name for item in fields(Settings) if f"`{item.name}`" not in text]
    assert not missing


def test_every_room_of_geo_stands_in_the_picture_of_the_architecture():
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = {p.name for p in (ROOT / "geo").iterdir() if p.suffix == ".py" and p.name[0] != "_"} | {
        f"io/{p.name}" for p in (ROOT / "geo" / "io").glob("*.py") if p.name[0] != "_"
    }
    assert not sorted(room for room in rooms if f"`{room}`" not in text)


def test_every_table_is_in_the_glossary_or_the_workspace_page():
    known = words_of(DOCS)
    assert not [name for name in TABLES if name not in known]


def test_relative_links_in_the_docs_lead_somewhere():
    broken = []
    for page in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert not broken


def test_the_changelog_knows_every_command():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert not [name for name in COMMANDS if f"wangge {name}" not in text]
