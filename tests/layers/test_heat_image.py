"""Pictures of heat: what is drawn, in which colour, and where it is striped."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from layers.colours import MOODS, diverging, sequential
from layers.heat_image import RATIO_STARTS, STRIPE, draw_heat, heat_scale, write_png


def pixels(body: bytes) -> np.ndarray:
    """Red, green, blue and opacity of each pixel, as another program reads them."""
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def test_classes_end_below_the_top_and_double_about() -> None:
    assert heat_scale(23_827.0, "day").starts == (500, 1000, 2000, 5000, 10_000, 20_000)
    assert heat_scale(1.0, "day").starts == (0.02, 0.05, 0.1, 0.2, 0.5, 1)
    assert heat_scale(0.3, "night").starts[-1] == 0.2


@pytest.mark.parametrize("top", [0.0, -1.0, float("nan"), float("inf")])
def test_without_a_top_there_are_no_classes_and_an_empty_picture(top: float) -> None:
    scale = heat_scale(top, "day")
    assert scale.starts == ()
    assert (pixels(draw_heat(np.ones((8, 8)), np.zeros((8, 8), bool), scale))[..., 3] == 0).all()


@pytest.mark.parametrize("mood", MOODS)
def test_each_value_has_the_colour_of_its_class(mood) -> None:  # type: ignore[no-untyped-def]
    scale = heat_scale(60.0, mood)
    assert scale.starts == (1, 2, 5, 10, 20, 50)
    value = np.array([[0.9, 1.0, 1.9, 2.0, 49.9, 50.0, 900.0, np.nan]])
    seen = pixels(draw_heat(value, np.zeros(value.shape, bool), scale))[0]
    colours = sequential(mood, 6, "violet")
    assert seen[[0, 7], 3].tolist() == [0, 0]
    wanted = [0, 0, 1, 4, 5, 5]
    assert [tuple(p[:3]) for p in seen[1:7]] == [rgb(colours[k]) for k in wanted]
    assert (np.diff(seen[1:7, 3].astype(int)) >= 0).all()


def test_a_ratio_is_coloured_both_ways_and_pale_around_one() -> None:
    scale = heat_scale(9.0, "day", is_ratio=True)
    assert scale.starts == RATIO_STARTS
    value = np.array([[0.0, 0.6, 1.0, 1.3, 9.0]])
    seen = pixels(draw_heat(value, np.zeros(value.shape, bool), scale))[0]
    colours = diverging("day", 7)
    assert [tuple(p[:3]) for p in seen] == [rgb(colours[k]) for k in (0, 1, 3, 4, 6)]
    assert seen[2, 3] < 0.3 * seen[0, 3]


def test_what_is_uncertain_is_striped_in_step_from_tile_to_tile() -> None:
    scale = heat_scale(60.0, "day")
    value = np.full((256, 256), 30.0)
    unsure = np.ones(value.shape, dtype=bool)
    unsure[:, :40] = False
    seen = pixels(draw_heat(value, unsure, scale))[..., 3]
    assert len(np.unique(seen[:, :40])) == 1
    assert len(np.unique(seen[:, 40:])) == 2
    # The pattern repeats after so many pixels, of which 256 and 512 are multiples.
    assert 256 % STRIPE == 0
    np.testing.assert_array_equal(seen[:-STRIPE, 40:], seen[STRIPE:, 40:])


def test_a_png_is_read_back_as_it_was_written() -> None:
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    palette = [(k * 40, 255 - k * 40, 7, k * 50) for k in range(6)]
    seen = pixels(write_png(codes, palette))
    assert seen.reshape(-1, 4).tolist() == [list(entry) for entry in palette]
