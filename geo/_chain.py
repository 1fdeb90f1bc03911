"""What an answer about responsibility is made of: people, posts, the steps of a chain.

Public names are handed on by `geo.responsibility`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

CHAIN_LEVELS = ("grid", "community", "street", "district", "city")
"""Levels of a chain, from the bottom; a city without districts has four."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A person with an appointment; the dates are missing where it is open or not known."""

    worker_id: str
    name: str
    role: str
    unit_code: str
    rank: int
    phone: str
    """Masked unless the viewer may see it."""
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Post:
    """One role at one unit: who holds it, who stands in. No holder at all is a vacant post."""

    unit_code: str
    level: str
    role: str
    kind: str
    """line, fire, police, help, contact or other."""
    holders: tuple[Holder, ...]
    deputies: tuple[Holder, ...]
    is_double: bool
    """Two people hold what is for one."""
    former: Holder | None = None
    """Who held it last, while nobody holds it: vacant since `former.valid_to`."""
    coming: Holder | None = None
    """Who is appointed to it from a later day, while nobody holds it."""

    @property
    def acting(self) -> Holder | None:
        """Who answers now: the holder, else the first deputy, else nobody."""
        return next(iter((*self.holders, *self.deputies)), None)

    @property
    def is_vacant(self) -> bool:
        """Whether nobody holds it; a deputy who stands in does not fill it."""
        return not self.holders


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of a chain with its posts: those that answer for it first."""

    level: str
    code: str
    name: str
    posts: tuple[Post, ...]

    @property
    def person(self) -> Holder | None:
        """Who answers for the unit: of the posts in line the first that somebody fills."""
        acting = (post.acting for post in self.posts if post.kind == "line")
        return next((holder for holder in acting if holder is not None), None)


@dataclass(frozen=True, slots=True)
class Chain:
    """Who answers for a unit, from the unit itself up to the city."""

    unit_code: str
    at: datetime
    is_in_force: bool
    """False where the unit is known but not in force at that moment: the nearest version counts."""
    source: str
    """`duties`, or `workers` where there are no duties."""
    steps: tuple[Step, ...]

    def step(self, level: str) -> Step | None:
        """The unit of a level."""
        return next((step for step in self.steps if step.level == level), None)

    def person(self, level: str) -> Holder | None:
        """Who answers at a level, None where nobody does or the chain has no such level."""
        step = self.step(level)
        return None if step is None else step.person

    def posts(self, kind: str) -> tuple[Post, ...]:
        """The posts of a kind at all levels, from the bottom: fire has the three nested grids."""
        return tuple(post for step in self.steps for post in step.posts if post.kind == kind)


@dataclass(frozen=True, slots=True)
class Department:
    """A department that a case can be handed to, and whom to call there."""

    code: str
    name: str
    phone: str
    """Of its desk, never masked."""
    posts: tuple[Post, ...]


@dataclass(frozen=True, slots=True)
class AssetAnswer:
    """Who answers for a thing: by its place, and by its owner."""

    chain: Chain | None
    """Of the grid that it stands in; None outside of everything."""
    owner: str
    """As the table writes it, empty if it names none."""
    department: Department | None
    """The owner, where it is a department that the city knows; None if not, which is not nobody."""
