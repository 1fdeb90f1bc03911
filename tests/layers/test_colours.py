"""Colours: readable, ordered, and apart for every kind of colour vision."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from layers.colours import (
    MOODS,
    RAMPS,
    category,
    css_variables,
    diverging,
    sequential,
    states,
    tokens,
)
from layers.oklch import (
    contrast,
    difference,
    hex_to_rgb,
    linear_to_oklab,
    mix,
    oklch_to_hex,
    to_linear,
    with_alpha,
)

# Machado, Oliveira & Fernandes 2009, "A physiologically-based model for simulation of color
# vision deficiency", table 1, severity 1.0; for linear-light sRGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
JUST_SEEN = 0.02


def seen(colour: str, vision: str) -> np.ndarray:
    """The colour in OKLab as such an eye sees it."""
    return linear_to_oklab(np.clip(VISION[vision] @ to_linear(colour), 0, 1))


def apart(first: str, second: str, vision: str) -> float:
    return float(np.linalg.norm(seen(first, vision) - seen(second, vision)))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("name", RAMPS)
@pytest.mark.parametrize("count", [5, 6, 7])
def test_neighbouring_classes_differ_for_every_eye(name, mood, count, vision):
    ramp = sequential(mood, count, name)
    assert min(apart(a, b, vision) for a, b in pairwise(ramp)) >= 3 * JUST_SEEN


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("mood", MOODS)
def test_less_and_more_differ_for_every_eye(mood, vision):
    ramp = diverging(mood, 7)
    assert min(apart(a, b, vision) for a, b in pairwise(ramp)) >= 2.5 * JUST_SEEN
    for less, more in zip(ramp[:3], ramp[:3:-1], strict=True):
        assert apart(less, more, vision) >= 3 * JUST_SEEN


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("name", RAMPS)
def test_more_stands_out_more_from_the_ground(name, mood):
    against = [contrast(colour, tokens(mood).land) for colour in sequential(mood, 7, name)]
    assert against == sorted(against)
    assert against[-1] >= 4.5


@pytest.mark.parametrize("mood", MOODS)
def test_text_can_be_read(mood):
    colours = tokens(mood)
    for ground in (colours.ground, colours.panel):
        assert contrast(colours.text, ground) >= 7
        assert contrast(colours.quiet, ground) >= 4.5
        for state in states(mood).values():
            assert contrast(state.colour, ground) >= 4.4


@pytest.mark.parametrize("mood", MOODS)
def test_every_state_has_its_own_colour_shape_and_word(mood):
    found = states(mood).values()
    assert [state.key for state in found] == ["fine", "soon", "late", "unknown"]
    assert [state.shape for state in found] == ["disc", "triangle", "square", "hollow-diamond"]
    assert len({state.colour for state in found}) == 4
    assert len({state.word for state in found}) == 4


@pytest.mark.parametrize("mood", MOODS)
def test_no_data_is_no_class_of_any_ramp(mood):
    for name in RAMPS:
        for colour in sequential(mood, 6, name):
            assert difference(colour, tokens(mood).no_data) >= 2 * JUST_SEEN


@pytest.mark.parametrize("mood", MOODS)
def test_kinds_are_apart_from_each_other_and_from_alarm(mood):
    kinds = category(mood)
    assert len(set(kinds)) == len(kinds) == 6
    assert min(difference(kind, tokens(mood).late) for kind in kinds) >= 3 * JUST_SEEN


def test_css_has_the_colours_of_the_map():
    lines = css_variables("night").splitlines()
    assert "--ground: #0a1020;" in lines
    assert "--quiet: #9db0cd;" in lines
    assert f"--blue-6: {sequential('night', 6)[-1]};" in lines
    assert all(line.startswith("--") and line.endswith(";") for line in lines)


def test_colour_arithmetic_on_known_colours():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert hex_to_rgb("#0a1020") == (10, 16, 32)
    assert with_alpha("#0a1020", 0.5) == "rgba(10,16,32,0.5)"
    # Ottosson's table: sRGB red is L 0.628, a 0.225, b 0.126.
    assert linear_to_oklab(to_linear("#ff0000")) == pytest.approx([0.628, 0.225, 0.126], abs=1e-3)
    assert oklch_to_hex(0.0, 0.2, 100) == "#000000"
    assert oklch_to_hex(1.0, 0.0, 0) == "#ffffff"
    assert mix("#000000", "#ffffff", 0) == "#000000"
    assert mix("#112233", "#ffffff", 1) == "#ffffff"


def test_one_class_has_the_middle_of_the_ramp():
    ramp = sequential("night", 1)
    assert len(ramp) == 1
    assert contrast(ramp[0], tokens("night").land) > contrast(
        sequential("night", 6)[1], tokens("night").land
    )
