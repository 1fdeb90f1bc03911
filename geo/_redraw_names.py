"""Edits that move no ground: names and numbers of grids, locks on grids and on borders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from geo._check_rows import strip_invisible
from geo._plan_history import Swap
from geo._redraw_shapes import border_edges, grid_row, require_unlocked
from geo.errors import InputError
from geo.hierarchy import number_grids
from geo.plan import Plan, RedrawError

MOST_NAME = 100
"""Characters of the name of a grid (our assumption: two lines of a table)."""


def read_name(name: object, grid: str) -> str:
    """The name of a grid as it is kept: without invisible characters and blanks around it.

    Raises
    ------
    InputError
        If it is no text.
    RedrawError
        If nothing of it can be read, or it is longer than `MOST_NAME`.
    """
    if not isinstance(name, str):
        raise InputError(f"the name of grid {grid} is {name!r}: give text")
    found = strip_invisible(name)
    if not found:
        raise RedrawError(f"grid {grid} needs a name that can be read", code="no_name", grid=grid)
    if len(found) > MOST_NAME:
        raise RedrawError(
            f"the name of grid {grid} has {len(found)} characters: at most {MOST_NAME} fit",
            code="long_name",
            grid=grid,
            n=len(found),
            most=MOST_NAME,
        )
    return found


def rename(plan: Plan, grid: str, name: str) -> Plan:
    """Give a grid another name; its id stays.

    Parameters
    ----------
    name
        At most 100 characters; invisible ones are taken out.

    Raises
    ------
    InputError
        If the name is no text.
    RedrawError
        If it says nothing or is too long, or the grid is unknown or locked.
    """
    row = grid_row(plan, grid)
    require_unlocked(plan, np.array([row]))
    title = read_name(name, grid)
    grids = list(plan.grids)
    grids[row] = replace(grids[row], name=title)
    edit = {"do": "rename", "grid": grid, "name": title}
    return plan.changed(edit, Swap(parts={"grids": tuple(grids)}))


def renumber(plan: Plan, *, digits: int = 3) -> Plan:
    """Number the grids of each community anew, west to east, then north to south.

    The order of DB11 and of Xi'an's DB6101/T 3185-2024; see `geo.hierarchy.number_grids`.

    Parameters
    ----------
    digits
        Digits of the sequence behind the code of the community, 1 to 6.

    Raises
    ------
    CodeError, InputError
        If the digits cannot count the grids of a community, or are none.
    RedrawError
        If a grid is locked.
    """
    if plan.locked:
        raise RedrawError(
            f"{len(plan.locked)} grids are locked: unlock them before numbering anew",
            code="unlock_all",
            n=len(plan.locked),
        )
    frame = plan.to_frame()
    numbers = number_grids(frame, digits=digits)
    grids = list(plan.grids)
    for grid_id, number in numbers.items():
        row = plan.grid_rows[str(grid_id)]
        grids[row] = replace(grids[row], grid_id=str(number))
    return plan.changed({"do": "renumber", "digits": digits}, Swap(parts={"grids": tuple(grids)}))


def lock(plan: Plan, grids: Iterable[str], *, on: bool = True) -> Plan:
    """Lock grids so that no edit touches them, or let them go (`on=False`).

    Raises
    ------
    RedrawError
        If there is no such grid.
    """
    names = list(grids)
    for name in names:
        grid_row(plan, name)
    locked = plan.locked | set(names) if on else plan.locked - set(names)
    edit = {"do": "lock", "grids": names, "on": on}
    return plan.changed(edit, Swap(parts={"locked": frozenset(locked)}))


def lock_border(plan: Plan, one: str, two: str, *, on: bool = True) -> Plan:
    """Lock the border between two grids where it runs now, or let it go.

    A locked border stays a border: nothing is painted or merged over it, and its vertices do not
    move. Grids may still be split or change on its sides.

    Raises
    ------
    RedrawError
        If the two share no border.
    """
    edges = border_edges(plan, one, two)
    line = {(min(pair), max(pair)) for pair in edges.tolist()}
    locked = plan.locked_edges | line if on else plan.locked_edges - line
    edit = {"do": "lock_border", "one": one, "two": two, "on": on}
    return plan.changed(edit, Swap(parts={"locked_edges": locked}))


def new_grid_id(plan: Plan, like: str) -> str:
    """An id that no grid of this plan has or had: the next number of its kind."""
    taken = {row.grid_id for row in plan.grids}
    if like.isdecimal():
        # 12 digits of the community and a sequence; the next free one of that community.
        head, width = like[:12], len(like) - 12
        if width > 0:
            for number in range(1, 10**width):
                if (name := f"{head}{number:0{width}d}") not in taken:
                    return name
    number = 2
    while f"{like}-{number}" in taken:
        number += 1
    return f"{like}-{number}"
