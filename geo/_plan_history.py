"""What an edit replaces in a plan, and what leads back: only what differs is kept.

So ten thousand edits of a large city fit into memory, and undo costs what the edit did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from geo._plan_ground import Ground, Patch
from geo._plan_rings import MOST_CHANGES, Floats, Ints

if TYPE_CHECKING:
    from geo.plan import Plan


class Rows(Mapping[str, int]):
    """Row by id: a table that is made once, and beside it what edits changed since."""

    def __init__(self, base: dict[str, int], changed: dict[str, int]) -> None:
        self._base, self._changed = base, changed
        """In `changed` a row of -1 says that the id is no more."""

    def __getitem__(self, block_id: str) -> int:
        row = self._changed.get(block_id)
        if row is None:
            return self._base[block_id]
        if row < 0:
            raise KeyError(block_id)
        return row

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in self._base if name not in self._changed)
        yield from (name for name, row in self._changed.items() if row >= 0)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def amended(self, gone: Iterable[str], more: Mapping[str, int]) -> Rows:
        """The same without some ids, and with others."""
        changed = {**self._changed, **dict.fromkeys(gone, -1), **more}
        return Rows(self._base, changed) if len(changed) <= MOST_CHANGES else Rows(dict(self), {})


@dataclass(frozen=True, eq=False)
class Blocks:
    """What is known of the blocks; new ones come last, and only undo takes them away."""

    ids: tuple[str, ...]
    households: Ints
    people: Ints
    origin: Ints
    """Row of the block of the first plan that it is, or was cut from."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def rows(self) -> Rows:
        """Row of each block by its id."""
        return Rows({label: row for row, label in enumerate(self.ids)}, {})

    def replaced(self, swap: People) -> tuple[Blocks, People]:
        """The blocks after a swap, and the swap that leads back."""
        count, row = len(self) - swap.fewer, swap.row
        back = People(
            row, self.ids[row], int(self.households[row]), int(self.people[row]),
            more=Blocks(
                self.ids[count:], self.households[count:].copy(), self.people[count:].copy(),
                self.origin[count:].copy(),
            ),
            fewer=len(swap.more),
        )  # fmt: skip
        ids = [*self.ids[:count], *swap.more.ids]
        households = np.append(self.households[:count], swap.more.households)
        people = np.append(self.people[:count], swap.more.people)
        ids[row], households[row], people[row] = swap.block_id, swap.households, swap.people
        origin = np.append(self.origin[:count], swap.more.origin)
        after = Blocks(tuple(ids), households, people, origin)
        more = {swap.block_id: row, **dict(zip(swap.more.ids, range(count, len(ids)), strict=True))}
        after.__dict__["rows"] = self.rows.amended((self.ids[row], *self.ids[count:]), more)
        return after, back


@dataclass(frozen=True, eq=False)
class People:
    """Another name and other people for one block, blocks added behind or gone from there."""

    row: int
    block_id: str
    households: int
    people: int
    more: Blocks
    fewer: int = 0


@dataclass(frozen=True, eq=False)
class Swap:
    """What an edit replaces: grids of blocks, places of vertices, rings, blocks, other parts."""

    blocks: Ints | None = None
    label: Ints | None = None
    vertices: Ints | None = None
    xy: Floats | None = None
    ground: Patch | None = None
    people: People | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    known: tuple[Ground, Ground, Patch] | None = field(default=None, repr=False)
    """What its rings or vertices make of one ground, and the way back, where that was worked out
    when the edit was tried: the ground before, the one after, the patch that leads back."""

    def apply(self, plan: Plan) -> tuple[dict[str, Any], Swap]:
        """The parts of the plan after it, and the swap that leads back."""
        parts = dict(self.parts)
        back = Swap(parts={name: getattr(plan, name) for name in parts})
        if self.ground is not None:
            known = self._known_of(plan.ground)
            parts["ground"], patch = known or plan.ground.patched(self.ground)
            back = replace(back, ground=patch)
        if self.people is not None:
            parts["blocks"], people = plan.blocks.replaced(self.people)
            back = replace(back, people=people)
        if self.vertices is not None:
            assert self.xy is not None
            back = replace(back, vertices=self.vertices, xy=plan.ground.xy[self.vertices])
            known = self._known_of(plan.ground)
            parts["ground"] = known[0] if known else plan.ground.moved(self.vertices, self.xy)
        count = len(parts["blocks"]) if "blocks" in parts else len(plan.label)
        if self.blocks is not None or count != len(plan.label):
            label = np.zeros(count, dtype=np.int64)
            kept = min(count, len(plan.label))
            label[:kept] = plan.label[:kept]
            # Rows that go with this swap come back with the labels they had.
            gone = np.arange(count, len(plan.label))
            wanted = np.empty(0, np.int64) if self.blocks is None else self.blocks
            old = np.append(wanted[wanted < len(plan.label)], gone)
            back = replace(back, blocks=old, label=plan.label[old])
            if self.blocks is not None and self.label is not None:
                label[self.blocks] = self.label
            parts["label"] = label
        return parts, back

    def _known_of(self, ground: Ground) -> tuple[Ground, Patch] | None:
        if self.known is None or self.known[0] is not ground:
            return None
        return self.known[1:]


@dataclass(frozen=True, eq=False)
class Change:
    """One edit: as words that can be run again, and the swaps that take it back, in order."""

    edit: Mapping[str, Any]
    back: tuple[Swap, ...]


@dataclass(frozen=True, eq=False)
class Past:
    """Changes behind one another, the newest first."""

    change: Change
    older: Past | None
