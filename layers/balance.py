"""The balance of grids as a drawing: households of every grid in order, against the band.

Grids stand side by side from the fewest households to the most: a flat line is an even city. The
grey line is the present, the marks are the plan; those out of the band have a shape of their own
and the farthest of them a name. An SVG as text, without any script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 18, 30
NAMED = 5
"""Grids above and below the band that are named, on each side."""


@dataclass(frozen=True)
class Bar:
    """A grid of the plan: its name and households."""

    name: str
    households: float


def balance_chart(
    bars: Sequence[Bar],
    before: Sequence[float],
    band: tuple[float, float],
    words: Mapping[str, str],
) -> str:
    """Draw the households of grids against the band.

    Parameters
    ----------
    bars
        Grids of the plan that have a band, in any order.
    before
        Households of the grids of the present, in any order.
    band
        Least and most households.
    words
        `title`, `band`, `before`, `now`, `households`, `empty`.

    Returns
    -------
    str
        An `<svg>` with classes `bc-…` that a style sheet colours.
    """
    ranked = sorted(bars, key=lambda bar: (bar.households, bar.name))
    if not ranked:
        return f'<p class="bc-empty">{escape(words["empty"])}</p>'
    old = sorted(before)
    low, high = band
    top = max([bar.households for bar in ranked] + list(old) + [high]) * 1.06 or 1.0
    frame = _Frame(len(ranked), top)
    parts = [frame.band(low, high, words), *frame.ticks(), frame.line(old)]
    parts += [frame.mark(k, bar.households, low, high) for k, bar in enumerate(ranked)]
    parts += frame.names(ranked, low, high)
    title = escape(words["title"])
    return (
        f'<svg class="bc" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )


class _Frame:
    def __init__(self, count: int, top: float) -> None:
        self.count, self.top = count, top

    def x(self, rank: float, count: int | None = None) -> float:
        many = max((self.count if count is None else count) - 1, 1)
        return LEFT + (WIDTH - LEFT - RIGHT) * rank / many

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / self.top)

    def band(self, low: float, high: float, words: Mapping[str, str]) -> str:
        up, down = self.y(min(high, self.top)), self.y(low)
        return (
            f'<rect class="bc-band" x="{LEFT}" y="{up:.1f}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{down - up:.1f}"/><text class="bc-note" x="{WIDTH - RIGHT - 4}" '
            f'y="{up + 14:.1f}" text-anchor="end">{escape(words["band"])}</text>'
        )

    def ticks(self) -> list[str]:
        steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
        step = next(size for size in steps if self.top / size <= 5)
        found = []
        value = 0
        while value <= self.top:
            y = self.y(value)
            found.append(
                f'<line class="bc-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                f'y2="{y:.1f}"/><text class="bc-tick" x="{LEFT - 8}" y="{y + 4:.1f}" '
                f'text-anchor="end">{value:,}</text>'
            )
            value += step
        return found

    def line(self, values: Sequence[float]) -> str:
        points = " ".join(
            f"{self.x(k, len(values)):.1f},{self.y(v):.1f}" for k, v in enumerate(values)
        )
        return f'<polyline class="bc-before" points="{points}"/>'

    def mark(self, rank: int, value: float, low: float, high: float) -> str:
        x, y = self.x(rank), self.y(value)
        if value < low:
            shape = f"M{x - 4:.1f} {y - 3:.1f}h8l-4 7z"
            return f'<path class="bc-low" d="{shape}"/>'
        if value > high:
            return f'<path class="bc-high" d="M{x - 4:.1f} {y + 3:.1f}h8l-4 -7z"/>'
        return f'<circle class="bc-in" cx="{x:.1f}" cy="{y:.1f}" r="{self.radius:.1f}"/>'

    @property
    def radius(self) -> float:
        return 2.6 if self.count <= 300 else 1.6

    def names(self, ranked: Sequence[Bar], low: float, high: float) -> list[str]:
        """Names of the grids farthest from the band, apart from each other."""
        below = [(k, bar) for k, bar in enumerate(ranked) if bar.households < low][:NAMED]
        above = [(k, bar) for k, bar in enumerate(ranked) if bar.households > high][-NAMED:]
        found = []
        for group, anchor, shift in ((below, "start", 8), (above[::-1], "end", -8)):
            at = -1e9 if anchor == "end" else 1e9
            for rank, bar in group:
                y = self.y(bar.households) + 4
                y = max(y, at + 14) if anchor == "end" else min(y, at - 14)
                at = y
                text = escape(f"{bar.name} {bar.households:,.0f}")
                found.append(
                    f'<text class="bc-name" x="{self.x(rank) + shift:.1f}" y="{y:.1f}" '
                    f'text-anchor="{anchor}">{text}</text>'
                )
        return found
