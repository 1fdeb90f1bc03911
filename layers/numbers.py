"""Numbers as people read them: 12,345 up to 99,999, then 12.3万 in Chinese and 123,000 in English.

Below one hundred thousand no figure is shortened. From there Chinese counts in 万 and 亿 with three
or four figures; pages show the exact one on hover (`exact_number`). A missing number is a dash,
never a zero.
"""

from __future__ import annotations

import math
from typing import SupportsFloat

from layers.words import Language

MISSING = "—"
_WAN = 10_000
_YI = 100_000_000
_THIN = "\u2009"


def format_number(
    value: SupportsFloat | None,
    language: Language = "zh",
    unit: str = "",
    *,
    decimals: int | None = None,
) -> str:
    """The number with thousands separators, shortened from 100,000 on, and its unit.

    `decimals` fixes the figures behind the point; without it whole numbers have none and others
    as many as give three significant figures. The unit follows a thin space, % follows none.
    """
    number = _number(value)
    if number is None:
        return MISSING
    if language == "zh" and abs(number) >= 10 * _WAN:
        text = _in_wan(number)
    else:
        text = _plain(number, decimals)
    return text + _with_space(unit)


def exact_number(value: SupportsFloat | None, unit: str = "") -> str:
    """All figures of the number with thousands separators, never shortened."""
    number = _number(value)
    if number is None:
        return MISSING
    text = f"{number:,.0f}" if number.is_integer() else f"{number:,.6g}"
    if not number.is_integer() and abs(number) >= 1000:
        text = f"{number:,.2f}"
    return text + _with_space(unit)


def _number(value: SupportsFloat | None) -> float | None:
    """A float, or nothing for None, NaN, NA and infinities."""
    if value is None:
        return None
    try:
        number = float(value)
    except TypeError:  # pandas.NA has no float
        return None
    return number if math.isfinite(number) else None


def _in_wan(number: float) -> str:
    for size, name in ((_YI, "亿"), (_WAN, "万")):
        # 99,999,600 must become 1亿 and not 10,000万.
        if abs(number) >= size * 0.99995 or size == _WAN:
            scaled = number / size
            decimals = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 999.95 else 0
            text = f"{scaled:,.{decimals}f}"
            return text.rstrip("0").rstrip(".") + name if "." in text else text + name
    raise AssertionError("unreachable: the last size always returns")


def _plain(number: float, decimals: int | None) -> str:
    if decimals is None:
        if number.is_integer() or abs(number) >= 1000:
            decimals = 0
        else:
            magnitude = math.floor(math.log10(abs(number)))
            decimals = min(6, max(0, 2 - magnitude))
            text = f"{number:,.{decimals}f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
    text = f"{number:,.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def _with_space(unit: str) -> str:
    if not unit:
        return ""
    return unit if unit.startswith("%") else _THIN + unit
