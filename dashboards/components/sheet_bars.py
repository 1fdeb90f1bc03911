"""The timeline of a day sheet as SVG: rounds above, what the phone says below, hours between.

Where nothing is known there is hatching, never an empty place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pandas as pd
from markupsafe import Markup

from dashboards.components.sheet_html import h
from geo.worker_day import WorkerDay

WIDTH, HEIGHT = 1860.0, 208.0
LEFT, RIGHT = 8.0, 8.0
ROUND_Y, ROUND_H = 12.0, 62.0
SPAN_Y, SPAN_H = 92.0, 50.0
Where = Callable[[pd.Timestamp], float]
"""From a moment to its place on the paper."""

FILLS = {"stay": "#3b4a5f", "move": "#7fb3d3", "gap": "url(#sheet-hatch)"}


@dataclass(frozen=True)
class RoundBlock:
    """A round on the timeline."""

    start: pd.Timestamp
    end: pd.Timestamp
    word: str
    """Its shift and what became of it."""
    status: str


def draw_bars(
    day: WorkerDay, rounds: Sequence[RoundBlock], *, end: pd.Timestamp, zone: ZoneInfo, label: str
) -> Markup:
    """The timeline from the begin of duty to `end` (of duty, even if that has not come)."""
    begin = day.since
    length = max((end - begin).total_seconds(), 1.0)

    def x(moment: pd.Timestamp) -> float:
        share: float = (moment - begin).total_seconds() / length
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0)

    spans = [
        h(
            "rect", x=x(row.start), y=SPAN_Y, width=max(x(row.end) - x(row.start), 1.5),
            height=SPAN_H, fill=FILLS[str(row.kind)], class_=f"sheet-{row.kind}",
        )
        for row in day.spans.itertuples()
    ]  # fmt: skip
    return h(
        "svg",
        _hatch(),
        [_block(block, x) for block in rounds],
        spans,
        h(
            "rect", x=LEFT, y=SPAN_Y, width=WIDTH - LEFT - RIGHT, height=SPAN_H, fill="none",
            stroke="#333", stroke_width=2,
        ),
        _hours(begin, end, zone, x),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_="sheet-bars",
        role="img",
        aria_label=label,
    )  # fmt: skip


def _hatch() -> Markup:
    return h(
        "defs",
        h(
            "pattern",
            h("rect", x=0, y=0, width=14, height=14, fill="#fff"),
            h("path", d="M-4,4L4,-4M0,14L14,0M10,18L18,10", stroke="#6b7686", stroke_width=2.4),
            id="sheet-hatch", width=14, height=14, patternUnits="userSpaceOnUse",
        ),
    )  # fmt: skip


def _block(block: RoundBlock, x: Where) -> Markup:
    left, right = x(block.start), x(block.end)
    unknown = block.status in ("unknown", "running", "ahead")
    wide = {"done": 3, "partly": 5, "missed": 8}.get(block.status, 3)
    middle = (left + right) / 2
    return h(
        "g",
        h(
            "rect", x=left, y=ROUND_Y + 34, width=right - left, height=ROUND_H - 34, fill="#fff",
            stroke="#111", stroke_width=wide, stroke_dasharray="10 8" if unknown else None,
        ),
        h(
            "text", block.word, x=min(max(middle, 150.0), WIDTH - 150), y=ROUND_Y + 22,
            font_size=25, text_anchor="middle", fill="#111",
        ),
    )  # fmt: skip


def _hours(begin: pd.Timestamp, end: pd.Timestamp, zone: ZoneInfo, x: Where) -> list[Markup]:
    local = begin.tz_convert(zone)
    hour = local.floor("h")
    drawn = []
    step = 1 if (end - begin) <= pd.Timedelta(hours=16) else 2
    while hour <= end:
        if hour >= begin and hour.hour % step == 0:
            at = x(hour)
            anchor = "start" if at < 30 else "end" if at > WIDTH - 40 else "middle"
            drawn.append(
                h(
                    "path",
                    d=f"M{at:.1f},{SPAN_Y + SPAN_H:.1f}v12",
                    stroke="#333",
                    stroke_width=2,
                )
            )
            drawn.append(
                h(
                    "text",
                    f"{hour:%H:%M}",
                    x=at,
                    y=SPAN_Y + SPAN_H + 42,
                    font_size=25,
                    text_anchor=anchor,
                    fill="#333",
                )
            )
        hour += pd.Timedelta(hours=1)
    return drawn  # fmt: skip
