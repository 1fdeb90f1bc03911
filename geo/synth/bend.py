"""Bend a plan drawn with straight lines, so that its streets run like streets.

A city is drawn on a flat sheet in metres and then bent by one smooth map: a conformal
polynomial, which turns families of lines into fans and keeps right angles, plus waves of several
lengths. The slope of every part is bounded, so the map never folds; and since each vertex is
bent once and shared by all that touch it, no gap can open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bend:
    """The map from the sheet (metres) to the ground (metres about the city's middle)."""

    reach_m: float
    turn: complex
    square: complex
    cube: complex
    waves: Reals
    """One wave a row: kx, ky (1/m), phase, shift in x, shift in y (m)."""

    def apply(self, u: Reals, v: Reals) -> tuple[Reals, Reals]:
        """Ground coordinates of points of the sheet."""
        z = (u + 1j * v) / self.reach_m
        w = (z + self.square * z**2 + self.cube * z**3) * self.reach_m * self.turn
        x, y = w.real.copy(), w.imag.copy()
        for kx, ky, phase, dx, dy in self.waves:
            swing = np.sin(kx * u + ky * v + phase)
            x += dx * swing
            y += dy * swing
        return x, y


def make_bend(rng: np.random.Generator, *, reach_m: float) -> Bend:
    """Draw a bend for a city of that radius. It never folds.

    The polynomial stretches by 0.7 at least, and the slopes of the waves add up to less.
    A wave of length L and height h has slope 2πh/L; heights are chosen from the slopes.
    """
    waves = []
    longest = max(reach_m, 600.0)
    for length, slope in (
        (longest * 1.6, 0.13),
        (longest * 0.9, 0.12),
        (1100.0, 0.10),
        (600.0, 0.08),
        (330.0, 0.06),
    ):
        length = length * rng.uniform(0.8, 1.25)
        heading, push = rng.uniform(0, 2 * np.pi, 2)
        height = slope * length / (2 * np.pi)
        k = 2 * np.pi / length
        waves.append(
            (
                k * np.cos(heading),
                k * np.sin(heading),
                rng.uniform(0, 2 * np.pi),
                height * np.cos(push),
                height * np.sin(push),
            )
        )
    return Bend(
        reach_m=reach_m * 1.6,
        turn=complex(np.exp(1j * rng.uniform(-0.45, 0.45))),
        square=complex(0.08 * np.exp(1j * rng.uniform(0, 2 * np.pi))),
        cube=complex(0.035 * np.exp(1j * rng.uniform(0, 2 * np.pi))),
        waves=np.array(waves),
    )
