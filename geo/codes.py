"""Class codes of assets and incidents, and the 12-digit codes of divisions.

Class tables are files that a city may edit (`geo/data/*.csv`), compatible with GB/T 30428.2 and
CJ/T 214 and not certified to them. An asset's class is four digits, `0118`; an incident's has a
letter before them: `E0102` for an event, `C0118` for a fault of an asset of class 0118. Classes
that start with 21 are a city's own, so every `21xx` is known, named or not. The functions here
answer from the tables that come with the product; a city's own are a `ClassBook` of
`geo.io.rules`, which answers the same questions.

A division code is text of 12 digits: 2 province, 2 city, 2 district, 3 street, 3 community, the
rest zeros. A city without districts has its streets right below it (442000001000 under
442000000000), so a level is read from the last part that is not zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from geo._classes import ClassBook as ClassBook
from geo._classes import Language as Language
from geo._classes import packaged_classes as packaged_classes
from geo._classes import read_packaged
from geo.errors import CodeError

_PARTS = {"province": 2, "city": 4, "district": 6, "street": 9, "community": 12}
_SHORT = {length: level for level, length in _PARTS.items()}
_PLACEHOLDERS = ("市辖区", "县", "省直辖县级行政区划", "自治区直辖县级行政区划")


def asset_classes() -> pd.DataFrame:
    """The table of asset classes indexed by `code`: group, zh, en, symbol.

    85 classes of the standard and some local ones (21xx).
    """
    return packaged_classes().asset_classes()


def asset_groups() -> pd.DataFrame:
    """The groups of asset classes indexed by `group`: zh, en, symbol (manhole, streetlight …)."""
    return packaged_classes().asset_groups()


def incident_classes() -> pd.DataFrame:
    """The table of incident classes indexed by `code`: group, zh, en, symbol.

    Events first (`E0101` …), then a fault of each class of asset (`C0101` …).
    """
    return packaged_classes().incident_classes()


def incident_groups() -> pd.DataFrame:
    """The groups of incident classes indexed by `group`: zh, en, symbol."""
    return packaged_classes().incident_groups()


def class_name(code: str, language: Language = "zh") -> str:
    """The name of an asset class or incident class.

    Raises
    ------
    CodeError
        If no table knows the code. A local code (21xx) that is not in the table has the
        name of its group and the code.
    """
    return packaged_classes().name(code, language)


def class_symbol(code: str) -> str:
    """The word for the drawing that stands for a class on a map; CodeError if unknown."""
    return packaged_classes().symbol(code)


def asset_group(code: str) -> str:
    """The group of an asset class (manhole, streetlight, camera, pole, hydrant, bin …).

    Raises
    ------
    CodeError
        If the table does not know the code.
    """
    if code[:1] in ("E", "C"):
        raise CodeError(f"{code!r} is an incident class: give the 4 digits of an asset class")
    return packaged_classes().group(code)


def asset_codes(group: str) -> list[str]:
    """The class codes of one group, in order; CodeError names the groups that there are."""
    return packaged_classes().asset_codes(group)


def is_asset_class(code: object) -> bool:
    """Tell whether a class code of an asset is known: in the table or a local 21xx."""
    return packaged_classes().is_asset_class(code)


def is_incident_class(code: object) -> bool:
    """Tell whether a class code of an incident is known: in the table or a local E21xx, C21xx."""
    return packaged_classes().is_incident_class(code)


def complete_code(short: str) -> str:
    """Pad a division code of 2, 4, 6 or 9 digits to 12; 12 digits stay.

    Raises
    ------
    CodeError
        If it is no such number of digits.
    """
    text = str(short).strip()
    if not text.isascii() or not text.isdigit() or len(text) not in _SHORT:
        raise CodeError(
            f"{short!r} is no division code: it has 2, 4, 6, 9 or 12 digits, kept as text"
        )
    return text.ljust(12, "0")


def is_division_code(code: object) -> bool:
    """Tell whether it is a 12-digit division code."""
    return re.fullmatch(r"[1-9][0-9]{11}", str(code)) is not None


def division_level(code: str) -> str:
    """The level that a 12-digit code names: province, city, district, street or community.

    Raises
    ------
    CodeError
        If the code has not 12 digits (complete a short one first).
    """
    text = _require_code(code)
    for level in ("community", "street", "district", "city"):
        length = _PARTS[level]
        start = {"community": 9, "street": 6, "district": 4, "city": 2}[level]
        if set(text[start:length]) != {"0"}:
            return level
    return "province"


def parent_code(code: str) -> str | None:
    """The 12-digit code of the division above, None above a province.

    A level that a city does not have is skipped: the parent of 442000001000 is 442000000000.
    """
    text = _require_code(code)
    level = division_level(text)
    order = list(_PARTS)
    while (at := order.index(level)) > 0:
        level = order[at - 1]
        above = text[: _PARTS[level]].ljust(12, "0")
        if division_level(above) == level or level == "province":
            return above
    return None


def ancestor_code(code: str, level: str) -> str | None:
    """The code cut to a level, itself included; None where the city has no such level."""
    text = _require_code(code)
    if level not in _PARTS:
        raise CodeError(f"unknown level {level!r}: use one of {', '.join(_PARTS)}")
    above = text[: _PARTS[level]].ljust(12, "0")
    return above if division_level(above) == level else None


def town_kind(code: str) -> str:
    """What digits 7 to 9 say: street, town, township, zone, or other.

    001-099 street office, 100-199 town, 200-399 township, 400-599 development zone, farm and
    the like. CodeError where a code names nothing below the district.
    """
    number = int(_require_code(code)[6:9])
    if number == 0:
        raise CodeError(f"{code} is a {division_level(code)}, not a street or town")
    for limit, kind in ((99, "street"), (199, "town"), (399, "township"), (599, "zone")):
        if number <= limit:
            return kind
    return "other"


def community_kind(code: str) -> str:
    """What digits 10 to 12 say.

    One of residents, villagers, residents_like, villagers_like, virtual, other:
    001-199 residents' committee, 200-399 villagers' committee, 400-499 and 500-599 bodies like
    them, of which 498 and 598 are virtual. CodeError where a code names no community.
    """
    number = int(_require_code(code)[9:12])
    if number == 0:
        raise CodeError(f"{code} is a {division_level(code)}, not a community")
    if number in (498, 598):
        return "virtual"
    kinds = (
        (199, "residents"),
        (399, "villagers"),
        (499, "residents_like"),
        (599, "villagers_like"),
    )
    for limit, kind in kinds:
        if number <= limit:
            return kind
    return "other"


def full_name(code: str, names: Mapping[str, str]) -> str:
    """Write out a division from the province down: 广东省深圳市南山区粤海街道.

    `names` maps 12-digit codes to names; codes without a name and placeholders such as
    市辖区 are left out.
    """
    words: list[str] = []
    at: str | None = _require_code(code)
    while at is not None:
        name = str(names.get(at, "")).strip()
        if name and name not in _PLACEHOLDERS:
            words.append(name)
        at = parent_code(at)
    return "".join(reversed(words))


def divisions_from_codes(codes: Iterable[str], names: Iterable[str]) -> pd.DataFrame:
    """Make the table of divisions from a list of codes (2 to 12 digits) and their names.

    Returns
    -------
    DataFrame
        Indexed by `code` (12 digits), in order of codes: level, name, parent_code. The parent is
        the nearest one in the list, missing where none is. A pseudo district that stands for its
        city (442000 beside 4420) is one row and keeps the first name.

    Raises
    ------
    CodeError
        If a code is not one; the message names the first.
    """
    whole = [complete_code(code) for code in codes]
    table = pd.DataFrame({"code": whole, "name": [str(name).strip() for name in names]})
    table = table.drop_duplicates("code").sort_values("code", kind="stable").set_index("code")
    known = set(table.index)
    parents: list[str | None] = []
    for code in table.index:
        above = parent_code(code)
        while above is not None and above not in known:
            above = parent_code(above)
        parents.append(above)
    table.insert(0, "level", [division_level(code) for code in table.index])
    table["parent_code"] = pd.Series(parents, index=table.index, dtype="str")
    return table


def _require_code(code: str) -> str:
    text = str(code)
    if not is_division_code(text):
        raise CodeError(f"{code!r} is no division code of 12 digits: call complete_code(...) first")
    return text


def headers(language: Language) -> dict[str, str]:
    """Column names of all tables and of exports, to the words people read above a column.

    `wangge export --headers zh` writes these words and the import gate knows them
    (`geo/data/headers.csv`).
    """
    words: dict[str, str] = read_packaged("headers")[language].to_dict()
    return words
