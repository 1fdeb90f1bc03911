"""The simple shapes that stand for points, as SVG and as one character each.

All fit the same circle and stay apart at 8 pixels. Filled disc, triangle, square and the hollow
diamond belong to the four states; kinds of assets use the others first. The characters are those
of GB 2312, row 1, which every Chinese font has.
"""

from __future__ import annotations

from collections.abc import Mapping

GLYPHS: Mapping[str, str] = {
    "disc": "●",
    "ring": "○",
    "target": "◎",
    "triangle": "▲",
    "hollow-triangle": "△",
    "square": "■",
    "hollow-square": "□",
    "diamond": "◆",
    "hollow-diamond": "◇",
    "star": "★",
    "hollow-star": "☆",
}

_POLYGONS: Mapping[str, str] = {
    "triangle": "0,-9 8.6,6.6 -8.6,6.6",
    "square": "-7,-7 7,-7 7,7 -7,7",
    "diamond": "0,-9.4 9.4,0 0,9.4 -9.4,0",
    "star": "0,-9.5 2.6,-3.2 9.1,-2.9 4,1.2 5.7,7.7 0,4 -5.7,7.7 -4,1.2 -9.1,-2.9 -2.6,-3.2",
}


def mark_svg(
    shape: str, colour: str, size: float = 12, casing: str = "none", *, width: float = 3
) -> str:
    """Draw a shape as an SVG element of `size` pixels with a casing around it.

    `line` (of `width` pixels), `fill` and `hatch` are the swatches of legends; an unknown shape
    is an error.
    """
    # The picture has 24 units, so a pixel has 24 / size of them.
    body = _body(shape, colour, casing, width * 24 / size)
    return (
        f'<svg class="mark" width="{size:g}" height="{size:g}" viewBox="-12 -12 24 24" '
        f'aria-hidden="true">{body}</svg>'
    )


def _body(shape: str, colour: str, casing: str, line: float) -> str:
    filled = f'fill="{colour}" stroke="{casing}" stroke-width="2" paint-order="stroke"'
    hollow = f'fill="none" stroke="{colour}" stroke-width="3.2" stroke-linejoin="round"'
    under = f'fill="none" stroke="{casing}" stroke-width="6.5" stroke-linejoin="round"'
    if shape == "disc":
        return f'<circle r="8.5" {filled}/>'
    if shape in ("ring", "target"):
        dot = f'<circle r="2.8" fill="{colour}"/>' if shape == "target" else ""
        return f'<circle r="7.6" {under}/><circle r="7.6" {hollow}/>{dot}'
    if shape in _POLYGONS:
        return f'<polygon points="{_POLYGONS[shape]}" {filled} stroke-linejoin="round"/>'
    if shape.startswith("hollow-"):
        points = _POLYGONS[shape.removeprefix("hollow-")]
        return f'<polygon points="{points}" {under}/><polygon points="{points}" {hollow}/>'
    if shape == "line":
        return f'<path d="M-12,0H12" stroke="{colour}" stroke-width="{line:.2f}"/>'
    if shape == "fill":
        return f'<rect x="-11" y="-9" width="22" height="18" rx="2" fill="{colour}"/>'
    if shape == "hatch":
        ruled = "M-11,-1L-3,-9M-11,9L7,-9M-3,9L11,-5M7,9L11,5"
        return (
            f'<rect x="-11" y="-9" width="22" height="18" rx="2" fill="{colour}"/>'
            f'<path d="{ruled}" stroke="{casing}" stroke-width="1.6"/>'
        )
    raise ValueError(
        f"no shape {shape!r}: there are {', '.join([*GLYPHS, 'line', 'fill', 'hatch'])}"
    )
