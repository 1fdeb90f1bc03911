"""The departments of an invented city: who looks after which assets, who handles which events.

A department has the name that stands as `owner` of its assets, so an asset leads to its desk. Every
owner that `geo.synth.assets` writes is a department here; owners of private cameras are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from geo.synth.assets import OWNERS


@dataclass(frozen=True)
class Office:
    """A department: its code, its name, and the beginnings of the event classes it handles."""

    code: str
    name: str
    events: tuple[str, ...] = ()


OFFICES = (
    Office("D01", "城管局", ("E01", "E02", "E05", "E06", "E2")),
    Office("D02", "环卫处", ("E0102", "E0103", "E0104", "E0108", "E0112", "E0117")),
    Office("D03", "园林局", ("E0106", "E0109")),
    Office("D04", "市政工程处", ("E0110", "E0111", "E0401")),
    Office("D05", "住建局", ("E03",)),
    Office("D06", "生态环境局", ("E0105", "E0116", "E0301", "E0302", "E0508")),
    Office("D07", "公安局", ("E0409", "E0502", "E0509")),
    Office("D08", "公安交警", ("E0505",)),
    Office("D09", "消防救援大队"),
    Office("D10", "供水公司", ("E0402",)),
    Office("D11", "排水管理处", ("E0404", "E0406")),
    Office("D12", "供电公司", ("E0408",)),
    Office("D13", "路灯管理所"),
    Office("D14", "燃气公司", ("E0403",)),
    Office("D15", "热力公司", ("E0405",)),
    Office("D16", "通信公司"),
    Office("D17", "广电公司"),
    Office("D18", "公交公司"),
    Office("D19", "城投停车公司"),
    Office("D20", "民政局"),
    Office("D21", "文体局"),
)
"""In the order of the table `departments`; the longest beginning of a class decides."""


COUNTY_OFFICES = tuple(office.code for office in OFFICES[:5])
"""Departments of a district; the others are the city's."""


def department_level(code: str) -> str:
    """The level at which a department handles its cases."""
    return "district" if code in COUNTY_OFFICES else "city"


def list_departments() -> pd.DataFrame:
    """The table `departments`, indexed by `department_code`; desk telephones begin with 0009."""
    return pd.DataFrame(
        {
            "name": [office.name for office in OFFICES],
            "phone": [f"0009{k:07d}" for k in range(1, len(OFFICES) + 1)],
        },
        index=pd.Index([office.code for office in OFFICES], name="department_code", dtype="str"),
        dtype="str",
    )


def find_department(class_code: str, owner: str | None = None) -> str:
    """The code of the department that a case goes to: of the asset's owner, else by its class."""
    for office in OFFICES:
        if owner == office.name:
            return office.code
    length, code = max(
        (len(start), office.code)
        for office in OFFICES
        for start in (*office.events, "")
        if class_code.startswith(start)
    )
    return code if length else OFFICES[0].code


def list_class_owners() -> pd.DataFrame:
    """Which department handles which class: `class_code` (or its beginning), `owner`, `note`."""
    rows = [(start, office.code, office.name) for office in OFFICES for start in office.events]
    codes = {office.name: office.code for office in OFFICES}
    rows += [(f"C{code}", codes[name], name) for code, name in OWNERS.items()]
    table = pd.DataFrame(rows, columns=["class_code", "owner", "note"])
    return table.sort_values("class_code", ignore_index=True)
