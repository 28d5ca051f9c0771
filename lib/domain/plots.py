"""Line plots as SVG: no script, no font, no address; readable in the light and the dark."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from xml.sax import saxutils

WIDTH_PX, HEIGHT_PX = 720, 240
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 56, 12, 28, 24
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5")
INK = "#888"
LEGEND_PX = 15
LOWEST_TOP = 1e-6
HIGHEST = 1e15  # what is above it, or no number, was not measured
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Point = tuple[datetime, float | None]  # None: nothing was measured, the line has a gap


def line_plot(title: str, unit: str, series: Mapping[str, Sequence[Point]]) -> str:
    """A plot of values over time, one line for each name.

    Args:
        title: above it.
        unit: of the values, such as ``ms``.
        series: points in the order of time, by the name of their line.

    Returns:
        An ``<svg>`` element; one that says so when there is nothing to show.
    """
    drawn = _drawn(unit, series)
    return _svg(title, drawn) + _legend(list(series)) if drawn else _svg(title, [_NOTHING])


def line_image(title: str, unit: str, series: Mapping[str, Sequence[Point]]) -> str:
    """The same as an image in Markdown, the names inside it: Prefect's UI draws no ``<svg>``.

    Lines of which nothing was measured are left out.
    """
    shown = {
        name: line
        for name, line in series.items()
        if any(_measured(value) is not None for _, value in line)
    }
    names = [
        _text(
            LEFT_PX,
            HEIGHT_PX + LEGEND_PX * (number + 1),
            f"\N{BLACK SQUARE} {name}",
            "start",
            colour=COLOURS[number % len(COLOURS)],
        )
        for number, name in enumerate(shown)
    ]
    drawn = [*_drawn(unit, shown), *names] if shown else [_NOTHING]
    image = _svg(title, drawn, HEIGHT_PX + LEGEND_PX * (len(names) + 1), str(WIDTH_PX))
    return f"![{title}](data:image/svg+xml;base64,{b64encode(image.encode()).decode()})"


def _drawn(unit: str, series: Mapping[str, Sequence[Point]]) -> list[str]:
    """The grid and the lines; nothing when nothing was measured."""
    series = {name: [(at, _measured(v)) for at, v in line] for name, line in series.items()}
    points = [point for line in series.values() for point in line if point[1] is not None]
    if not points:
        return []
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    top = _round_up(max(value for _, value in points if value is not None))
    span_s = max((last - first).total_seconds(), 1.0)

    def place(at: datetime, value: float) -> tuple[float, float]:
        width, height = WIDTH_PX - LEFT_PX - RIGHT_PX, HEIGHT_PX - TOP_PX - BOTTOM_PX
        x = LEFT_PX + width * (at - first).total_seconds() / span_s
        return x, TOP_PX + height * (1 - max(min(value / top, 1.0), 0.0))

    drawn = [*_grid(top, unit), *_times(first, last)]
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = _path([(place(at, v) if v is not None else None) for at, v in line])
        drawn.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8" '
            f'stroke-linecap="round"><title>{_escaped(name)}</title></path>'
        )
    return drawn


def _escaped(words: str) -> str:
    """Words inside an element or an attribute; what XML cannot hold is shown as such."""
    return saxutils.escape(_NO_XML.sub("\ufffd", words), {'"': "&quot;"})


def _measured(value: float | None) -> float | None:
    is_number = value is not None and math.isfinite(value) and abs(value) <= HIGHEST
    return value if is_number else None


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    words, is_down = [], False
    for point in points:
        if point is None:
            is_down = False
            continue
        words.append(f"{'L' if is_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        if not is_down:  # a point without neighbours is a dot
            words.append(f"L{point[0]:.1f} {point[1]:.1f}")
        is_down = True
    return "".join(words)


def _grid(top: float, unit: str) -> list[str]:
    drawn = []
    for part in (0.0, 0.5, 1.0):
        y = TOP_PX + (HEIGHT_PX - TOP_PX - BOTTOM_PX) * (1 - part)
        line = f"M{LEFT_PX} {y:.1f}H{WIDTH_PX - RIGHT_PX}"
        drawn.append(f'<path d="{line}" stroke="{INK}" stroke-opacity="0.3"/>')
        drawn.append(_text(LEFT_PX - 6, y + 4, f"{top * part:g} {unit}".strip(), "end"))
    return drawn


def _times(first: datetime, last: datetime) -> list[str]:
    shape = "%H:%M" if (last - first).total_seconds() < 2 * 86_400 else "%d.%m"
    y = HEIGHT_PX - 6
    return [
        _text(LEFT_PX, y, first.astimezone(UTC).strftime(shape), "start"),
        _text(WIDTH_PX - RIGHT_PX, y, f"{last.astimezone(UTC).strftime(shape)} UTC", "end"),
    ]


def _legend(names: Sequence[str]) -> str:
    marks = "".join(
        f'<span style="white-space:nowrap;margin-right:1em">'
        f'<span style="color:{COLOURS[number % len(COLOURS)]}">■</span> {_escaped(name)}</span>'
        for number, name in enumerate(names)
    )
    return f'<div style="font:12px sans-serif">{marks}</div>'


def _svg(title: str, drawn: Sequence[str], height_px: int = HEIGHT_PX, width: str = "100%") -> str:
    head = _text(LEFT_PX, 16, title, "start", size=13)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height_px}" '
        f'width="{width}" role="img" aria-label="{_escaped(title)}">'
        f"{head}{''.join(drawn)}</svg>"
    )


def _text(x: float, y: float, words: str, anchor: str, size: int = 11, colour: str = INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-family="sans-serif" font-size="{size}">{_escaped(words)}</text>'
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    if value <= LOWEST_TOP:
        return LOWEST_TOP if value > 0 else 1.0
    step = 10.0 ** math.floor(math.log10(value))
    return next((step * each for each in (1, 2, 5) if step * each >= value), step * 10)


_NOTHING = _text(WIDTH_PX / 2, HEIGHT_PX / 2, "nothing was measured yet", "middle")
