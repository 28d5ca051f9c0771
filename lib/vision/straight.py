"""Lines of a page made level, by the profile of its ink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST_SKEW_DEG = 10.0
LEAST_SKEW_DEG = 0.15
COARSE_DEG, FINE_DEG = 0.5, 0.05
LOOKS_AT_PX = 1000  # the longer side
POINTS = 60_000
CLEARER = 1.02  # a page whose ink shows no lines stays as it is

Grey = NDArray[np.uint8]
Places = NDArray[np.float32]
_TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Straight:
    """A page's picture, upright and level; both angles: how far it was turned clockwise."""

    picture: Image.Image
    turned_deg: int = 0
    skew_deg: float = 0.0


def straightened(picture: Image.Image, turn_deg: int) -> Straight:
    """Turn a page clockwise by a quarter, two or three, then make its lines level.

    Args:
        picture: RGB.
        turn_deg: 0, 90, 180 or 270.
    """
    upright = picture.transpose(_TURNS[turn_deg]) if turn_deg else picture
    skew = skew_of(upright)
    if abs(skew) < LEAST_SKEW_DEG:
        return Straight(upright, turn_deg)
    level = upright.rotate(
        -skew, resample=Image.Resampling.BICUBIC, expand=True, fillcolor=_paper(upright)
    )
    return Straight(level, turn_deg, round(skew, 2))


def skew_of(picture: Image.Image) -> float:
    """How far a page must be turned clockwise for its lines to be level: degrees; 0: it is."""
    small = picture.convert("L")
    small.thumbnail((LOOKS_AT_PX, LOOKS_AT_PX), Image.Resampling.BOX)
    is_ink = ink_of(np.asarray(small))
    rows, columns = np.nonzero(is_ink)
    if not len(rows):
        return 0.0
    step = max(1, len(rows) // POINTS)
    ys, xs = rows[::step].astype(np.float32), columns[::step].astype(np.float32)
    level = _sharpness(ys, xs, 0.0)
    coarse = _sharpest(ys, xs, np.arange(-MOST_SKEW_DEG, MOST_SKEW_DEG + 0.01, COARSE_DEG))
    fine = _sharpest(ys, xs, np.arange(coarse - COARSE_DEG, coarse + COARSE_DEG, FINE_DEG))
    return float(fine) if _sharpness(ys, xs, fine) > CLEARER * level else 0.0


def ink_of(grey: Grey) -> NDArray[np.bool_]:
    """Where writing is: what is further from the paper than half of the way to the ink (Otsu).

    Args:
        grey: uint8[height, width], 0: black.
    """
    counts = np.bincount(grey.ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    weight = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (weight[-1] * below - weight * below[-1]) ** 2 / (below * above)
    threshold = int(np.nanargmax(between)) if np.isfinite(between).any() else 0
    is_dark = grey <= threshold
    if not 0 < is_dark.mean() < 1:
        return np.zeros_like(is_dark)
    return is_dark if is_dark.mean() <= 0.5 else ~is_dark  # light letters on dark ground


def _sharpest(ys: Places, xs: Places, angles: NDArray[np.float64]) -> float:
    return float(max(angles, key=lambda angle: _sharpness(ys, xs, float(angle))))


def _sharpness(ys: Places, xs: Places, angle: float) -> float:
    """How much the ink of neighbouring rows differs once the page is turned: lines and gaps."""
    turn = np.deg2rad(angle)
    turned = ys * np.cos(turn) + xs * np.sin(turn)
    counts = np.bincount((turned - turned.min()).astype(np.int64)).astype(np.float64)
    return float(np.square(np.diff(counts)).sum())


def _paper(picture: Image.Image) -> tuple[int, ...]:
    """The colour of the ground, which fills the corners."""
    small = np.asarray(picture.resize((64, 64), Image.Resampling.BOX))
    return tuple(int(value) for value in np.median(small.reshape(-1, small.shape[-1]), axis=0))
