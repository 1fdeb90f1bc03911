"""Class tables of assets and incidents: those that come with the product, and a city's own.

A `ClassBook` is a value: two of them, with other tables, answer side by side. Public names are
handed on by `geo.codes`, whose functions ask the book of the packaged tables.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from io import StringIO
from typing import Literal

import pandas as pd

from geo.errors import CodeError

Language = Literal["zh", "en"]

COMPONENT = "component"
"""The group of all faults of assets, classes `C0101` …"""
EXTENSION = "extension"
"""The group of a city's own classes, 21xx."""


class ClassBook:
    """The classes of assets and incidents, with names and symbols.

    Parameters
    ----------
    assets, events
        Indexed by `code` (4 digits): group, zh, en.
    asset_groups, event_groups
        Indexed by `group`: zh, en, symbol.
    """

    def __init__(
        self,
        assets: pd.DataFrame,
        asset_groups: pd.DataFrame,
        events: pd.DataFrame,
        event_groups: pd.DataFrame,
    ) -> None:
        self._asset_groups, self._incident_groups = asset_groups, event_groups
        self._assets = _with_symbols(assets, asset_groups)
        known = _with_symbols(events, event_groups)
        faults = self._assets.assign(group=COMPONENT)
        both = pd.concat([known.set_axis("E" + known.index), faults.set_axis("C" + faults.index)])
        self._incidents = both.rename_axis("code")
        self._rows: dict[str, dict[str, str]] = {}

    def asset_classes(self) -> pd.DataFrame:
        """The asset classes indexed by `code`: group, zh, en, symbol."""
        return self._assets.copy()

    def asset_groups(self) -> pd.DataFrame:
        """The groups of asset classes indexed by `group`: zh, en, symbol."""
        return self._asset_groups.copy()

    def incident_classes(self) -> pd.DataFrame:
        """The incident classes indexed by `code`: events `E0101` …, then faults `C0101` …"""
        return self._incidents.copy()

    def incident_groups(self) -> pd.DataFrame:
        """The groups of incident classes indexed by `group`: zh, en, symbol."""
        return self._incident_groups.copy()

    def name(self, code: str, language: Language = "zh") -> str:
        """The name of a class; CodeError if unknown, see `geo.codes.class_name`."""
        return self._row(code)[language]

    def symbol(self, code: str) -> str:
        """The word for the drawing of a class; CodeError if unknown."""
        return self._row(code)["symbol"]

    def group(self, code: str) -> str:
        """The group of an asset class or incident class; CodeError if unknown."""
        return self._row(code)["group"]

    def asset_codes(self, group: str) -> list[str]:
        """The asset classes of one group, in order; CodeError names the groups that there are."""
        return _codes_of(self._assets, self._asset_groups, group, "assets")

    def incident_codes(self, group: str) -> list[str]:
        """The incident classes of one group, in order; CodeError names the groups."""
        return _codes_of(self._incidents, self._incident_groups, group, "incidents")

    def is_asset_class(self, code: object) -> bool:
        """Tell whether an asset class is known: in the table or a local 21xx."""
        text = str(code)
        return text in self._assets.index or re.fullmatch(r"21\d\d", text) is not None

    def is_incident_class(self, code: object) -> bool:
        """Tell whether an incident class is known: in the table or a local E21xx, C21xx."""
        text = str(code)
        return text in self._incidents.index or re.fullmatch(r"[EC]21\d\d", text) is not None

    def _row(self, code: str) -> dict[str, str]:
        """The row of a class; lists of thousands of cases ask for the same few again and again."""
        text = str(code)
        if text not in self._rows:
            self._rows[text] = {str(key): str(word) for key, word in self._find(text).items()}
        return self._rows[text]

    def _find(self, text: str) -> pd.Series:
        incident = text[:1] in ("E", "C")
        table = self._incidents if incident else self._assets
        if text in table.index:
            return table.loc[text]
        if self.is_asset_class(text) or self.is_incident_class(text):
            groups = self._incident_groups if incident else self._asset_groups
            row = groups.loc[EXTENSION].copy()
            row["zh"], row["en"] = f"{row['zh']} {text}", f"{row['en']} {text}"
            row["group"] = COMPONENT if text[0] == "C" else EXTENSION
            return row
        raise CodeError(
            f"unknown class code {text!r}: asset classes have 4 digits (0118), incident classes E"
            " or C before them (E0102); add a city's own as 21xx to the class table"
        )


def _codes_of(table: pd.DataFrame, groups: pd.DataFrame, group: str, what: str) -> list[str]:
    found = table.index[table["group"] == group]
    if found.empty and group not in groups.index and group != COMPONENT:
        known = ", ".join(groups.index)
        raise CodeError(f"unknown group of {what} {group!r}: use one of {known}")
    return [str(code) for code in found]


def _with_symbols(classes: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    return classes.assign(symbol=groups["symbol"].reindex(classes["group"]).to_numpy())


@cache
def read_packaged(name: str) -> pd.DataFrame:
    """A table of `geo/data`, text only, indexed by its first column."""
    text = resources.files("geo").joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return pd.read_csv(StringIO(text), dtype="str", index_col=0)


@cache
def packaged_classes() -> ClassBook:
    """The classes that come with the product."""
    return ClassBook(
        read_packaged("asset_classes"),
        read_packaged("asset_groups"),
        read_packaged("event_classes"),
        read_packaged("event_groups"),
    )
