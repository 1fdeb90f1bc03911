"""Colour arithmetic: build colours from lightness, chroma and hue, and measure how they differ.

OKLab is used because equal steps of its lightness look equal, so a ramp that is even in it reads
as even. Formulas: Björn Ottosson, "A perceptual color space for image processing" (2020);
contrast: WCAG 2.2, "relative luminance" and "contrast ratio".
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def hex_to_rgb(colour: str) -> tuple[int, int, int]:
    """The three bytes of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def with_alpha(colour: str, alpha: float) -> str:
    """`#rrggbb` as `rgba(r,g,b,alpha)`, which CSS, MapLibre and plotly all read."""
    red, green, blue = hex_to_rgb(colour)
    return f"rgba({red},{green},{blue},{alpha:g})"


def to_linear(colour: str) -> NDArray[np.float64]:
    """Linear-light sRGB, three numbers in 0..1."""
    share = np.array(hex_to_rgb(colour)) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def linear_to_oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """OKLab lightness, a and b of a linear-light sRGB colour."""
    return np.asarray(_TO_LAB @ np.cbrt(_TO_LMS @ linear))


def difference(first: str, second: str) -> float:
    """Distance of two colours in OKLab; 0.02 is about what one just sees side by side."""
    return float(
        np.linalg.norm(linear_to_oklab(to_linear(first)) - linear_to_oklab(to_linear(second)))
    )


def contrast(first: str, second: str) -> float:
    """WCAG contrast ratio of two colours, 1 to 21."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(weights @ to_linear(colour)) + 0.05 for colour in (first, second))
    return high / low


def mix(first: str, second: str, share: float) -> str:
    """The colour `share` of the way from `first` to `second`, straight through OKLab."""
    start, end = linear_to_oklab(to_linear(first)), linear_to_oklab(to_linear(second))
    lab = start + (end - start) * share
    return _lab_to_hex(lab)


def oklch_to_hex(lightness: float, chroma: float, hue_deg: float) -> str:
    """`#rrggbb` of that lightness (0..1), chroma and hue; chroma shrinks until sRGB holds it."""
    angle = math.radians(hue_deg)
    direction = np.array([math.cos(angle), math.sin(angle)])
    for _ in range(60):
        lab = np.array([lightness, *(chroma * direction)])
        linear = _lab_to_linear(lab)
        if linear.min() >= -1e-4 and linear.max() <= 1 + 1e-4:
            break
        chroma *= 0.96
    return _lab_to_hex(lab)


def _lab_to_linear(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.solve(_TO_LMS, np.linalg.solve(_TO_LAB, lab) ** 3))


def _lab_to_hex(lab: NDArray[np.float64]) -> str:
    linear = np.clip(_lab_to_linear(lab), 0, 1)
    share = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (round(float(value) * 255) for value in share)
    return f"#{red:02x}{green:02x}{blue:02x}"
