"""Skew and ink of a page, without any engine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lib.vision.straight import ink_of, skew_of, straightened
from tests.vision.pages import ENGLISH, drawn, skewed

PAGE = drawn(ENGLISH)


@settings(max_examples=15, deadline=None)
@given(st.floats(-9, 9))
def test_skew_is_measured(deg: float) -> None:
    assert skew_of(skewed(PAGE, deg)) == pytest.approx(deg, abs=0.4)


@pytest.mark.parametrize("level", [PAGE, Image.new("RGB", (400, 300), "white")])
def test_what_is_level_or_blank_stays_as_it_is(level: Image.Image) -> None:
    straight = straightened(level, 0)
    assert straight.picture is level
    assert (straight.turned_deg, straight.skew_deg) == (0, 0)


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_a_turn_is_clockwise(turn_deg: int) -> None:
    lying = PAGE.rotate(turn_deg, expand=True)  # Pillow turns the other way
    assert straightened(lying, turn_deg).picture.tobytes() == PAGE.tobytes()


def test_corners_have_the_colour_of_the_paper() -> None:
    yellow = Image.new("RGB", (600, 300), (250, 240, 180))
    yellow.paste(PAGE.resize((500, 200)), (50, 50))
    level = straightened(skewed_on(yellow, 5), 0).picture
    assert level.getpixel((0, 0)) == pytest.approx((250, 240, 180), abs=6)


def skewed_on(image: Image.Image, deg: float) -> Image.Image:
    return image.rotate(deg, Image.Resampling.BICUBIC, expand=True, fillcolor=(250, 240, 180))


def test_ink_is_what_there_is_less_of() -> None:
    grey = np.full((100, 100), 240, np.uint8)
    grey[10:20, 10:60] = 30
    assert ink_of(grey).sum() == 500
    assert ink_of(255 - grey).sum() == 500
    assert ink_of(np.full((9, 9), 128, np.uint8)).sum() == 0
