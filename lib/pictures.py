"""Pictures of figures as PNG: what a person is sent, or shown beside a change.

Source: matplotlib.org/stable/api/figure_api.html, read 2026-11-26. Figures are made without pyplot:
that keeps every one of them for ever.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

WIDTH_IN, ROW_IN, DPI = 8.0, 2.6, 110
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2")
INK = "#555"

_Draw = Callable[[Axes], None]


class Picture:
    """Plots one under the other; add them, then take the bytes."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._plots: list[tuple[str, _Draw]] = []

    def bars(self, title: str, values: Mapping[str, float]) -> None:
        """A bar for each name, its value above it."""

        def draw(axes: Axes) -> None:
            drawn = axes.bar(list(values), list(values.values()), color=COLOURS[0], width=0.6)
            axes.bar_label(drawn, fmt="{:g}", color=INK)
            axes.margins(y=0.15)

        self._plots.append((title, draw))

    def stacked(
        self, title: str, days: Sequence[date], parts: Mapping[str, Sequence[float]]
    ) -> None:
        """A bar for each day, of several parts; ``parts``: a value for each day, by name."""

        def draw(axes: Axes) -> None:
            below = [0.0] * len(days)
            for number, (name, values) in enumerate(parts.items()):
                colour = COLOURS[number % len(COLOURS)]
                # matplotlib's stubs know no dates, its units do
                axes.bar(days, values, bottom=below, label=name, color=colour)  # type: ignore[arg-type]
                below = [low + value for low, value in zip(below, values, strict=True)]
            axes.xaxis.set_major_formatter(DateFormatter("%d.%m"))  # type: ignore[no-untyped-call]
            if parts:
                axes.legend(frameon=False, fontsize=8)

        self._plots.append((title, draw))

    def histogram(
        self, title: str, groups: Mapping[str, Sequence[float]], lines: Mapping[str, float]
    ) -> None:
        """How many of 0 to 100 lie in each ten, for each group; upright lines with names."""

        def draw(axes: Axes) -> None:
            data, tens = [list(values) for values in groups.values()], range(0, 101, 10)
            colours = list(COLOURS[: len(data)])
            axes.hist(data, bins=list(tens), label=list(groups), color=colours)
            for name, at in lines.items():
                axes.axvline(at, color=INK, linewidth=1, linestyle="--")
                axes.annotate(name, (at, 1.01), xycoords=("data", "axes fraction"), fontsize=8)
            axes.set_xticks(list(tens))
            axes.legend(frameon=False, fontsize=8)

        self._plots.append((title, draw))

    def png(self) -> bytes:
        """The picture."""
        rows = max(1, len(self._plots))
        figure = Figure(figsize=(WIDTH_IN, 0.6 + ROW_IN * rows), dpi=DPI, layout="constrained")
        figure.suptitle(self._title, fontsize=13)
        for axes, (title, draw) in zip(
            figure.subplots(rows, 1, squeeze=False)[:, 0], self._plots, strict=False
        ):
            draw(axes)
            axes.set_title(title, fontsize=10, loc="left")
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(colors=INK, labelsize=8)
            axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))  # they count things
        written = io.BytesIO()
        figure.savefig(written, format="png")
        return written.getvalue()
