"""Codes of new grids: they go on where their community's stopped, and none is given twice.

Public names are handed on by `geo.publish`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from itertools import islice

from geo.codes import is_division_code
from geo.errors import CodeError

DIGITS = 3
"""Digits of a grid's number after its community's code, by GB/T 31000 (see `number_grids`)."""


class CodesFullError(CodeError):
    """A community has given every number that its digits can count."""

    def __init__(self, text: str, community: str) -> None:
        super().__init__(text)
        self.community = community


_NUMBERED = re.compile(r"(.*?)([0-9]+)")


def next_codes(
    community: str, count: int, *, like: Collection[str], taken: Collection[str]
) -> list[str]:
    """Give the next codes of a community, in order.

    They are written as most of its grids are (`like`): the community's code or another beginning,
    then a number of as many digits; else the community's code and three digits. They go on from the
    highest number that such a code ever had (`taken`). Codes of a city's own get a digit more once
    theirs are full; nationwide ones, whose length is fixed, take the lowest numbers that no grid
    ever had.

    Raises
    ------
    CodesFullError
        If no number is left.
    """
    head, width = _pattern(community, like)
    used = {
        int(code[len(head) :])
        for code in taken
        if code.startswith(head) and re.fullmatch("[0-9]+", code[len(head) :])
    }
    last = max(used, default=0)
    numbers = list(range(last + 1, last + count + 1))
    if is_division_code(head) and numbers and numbers[-1] >= 10**width:
        numbers = [number for number in numbers if number < 10**width]
        free = (n for n in range(1, 10**width) if n not in used and n not in set(numbers))
        numbers += list(islice(free, count - len(numbers)))
    if len(numbers) < count:
        raise CodesFullError(
            f"community {community} has no number left for {count} new grids: {width} digits count"
            f" to {10**width - 1}, and no code is given twice",
            community,
        )
    return [f"{head}{number:0{width}d}" for number in numbers]


def _pattern(community: str, like: Collection[str]) -> tuple[str, int]:
    """How the codes of a community are written: what they begin with, and the number's digits."""
    seen: Counter[tuple[str, int]] = Counter()
    for code in like:
        rest = code[len(community) :]
        if code.startswith(community) and re.fullmatch("[0-9]+", rest):
            seen[community, len(rest)] += 1
        elif not code.isdecimal() and (match := _NUMBERED.fullmatch(code)):
            seen[match[1], len(match[2])] += 1
    if not seen:
        return community, DIGITS
    return min(seen, key=lambda pattern: (-seen[pattern], pattern))
