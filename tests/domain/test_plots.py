"""Plots are XML for any names and numbers, and have no line where nothing was measured."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.plots import HEIGHT_PX, WIDTH_PX, line_plot

T0 = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"
NAMES = st.text() | st.sampled_from(
    ['"><script>alert(1)</script>', "a & b", "]]>", "\x00\x0b\x1f", "\ud800", "\uffff", "<!--"]
)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
VALUES = st.none() | st.floats() | st.integers(-(10**18), 10**18).map(float)
LINES = st.lists(st.tuples(TIMES, VALUES), max_size=8)


def drawn(plot: str) -> ElementTree.Element:
    """The plot and its legend, inside one element."""
    return ElementTree.fromstring(f"<page>{plot}</page>")


@given(title=NAMES, unit=NAMES, series=st.dictionaries(NAMES, LINES, max_size=10))
def test_it_is_xml_of_finite_numbers(
    title: str, unit: str, series: dict[str, list[tuple[datetime, float | None]]]
) -> None:
    page = drawn(line_plot(title, unit, series))
    assert [child.tag for child in page][:1] == [f"{SVG}svg"]
    assert "script" not in {element.tag.rpartition("}")[2] for element in page.iter()}
    for element in page.iter():
        for name in ("d", "x", "y"):
            assert not re.search("nan|inf", element.get(name, ""))
    for path in page.iter(f"{SVG}path"):
        if path.get("fill") == "none":
            for x, y in re.findall(r"[ML](\S+) ([^MLH]+)", path.get("d", "")):
                assert 0 <= float(x) <= WIDTH_PX
                assert 0 <= float(y) <= HEIGHT_PX


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [(T0, None), (T0, float("nan"))]}])
def test_nothing_measured_is_said(series: dict[str, list[tuple[datetime, float | None]]]) -> None:
    assert "nothing was measured yet" in "".join(drawn(line_plot("t", "ms", series)).itertext())


@pytest.mark.parametrize(
    ("most", "top"),
    [(0.0, "1"), (0.013, "0.02"), (1.0, "1"), (3.0, "5"), (99.6, "100"), (742.0, "1000")],
)
def test_the_axis_ends_at_a_round_number(most: float, top: str) -> None:
    texts = [element.text for element in drawn(line_plot("t", "ms", {"a": [(T0, most)]})).iter()]
    assert f"{top} ms" in texts


def test_a_gap_cuts_the_line() -> None:
    points = [(T0 + timedelta(minutes=n), v) for n, v in enumerate([1.0, 2.0, None, 3.0])]
    page = drawn(line_plot("t", "ms", {"a": points}))
    [line] = [path.get("d", "") for path in page.iter(f"{SVG}path") if path.get("fill") == "none"]
    assert line.count("M") == 2


def test_days_are_named_on_a_long_axis_and_hours_on_a_short_one() -> None:
    short = line_plot("t", "", {"a": [(T0, 1.0), (T0 + timedelta(hours=5), 1.0)]})
    long = line_plot("t", "", {"a": [(T0, 1.0), (T0 + timedelta(days=5), 1.0)]})
    assert "10:00" in short
    assert "15:00 UTC" in short
    assert "26.11" in long
    assert "01.12 UTC" in long
