"""Tesseract's TSV becomes lines, whatever is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lib.domain.documents.tesseract_tsv import lines_from
from tests.domain.documents.making import EASY

HEAD = (
    "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"
)


def row(line: int, left: int, width: int, sure: object, text: str) -> str:
    return f"5\t1\t1\t1\t{line}\t1\t{left}\t10\t{width}\t20\t{sure}\t{text}"


def test_words_become_lines_and_a_wide_gap_cuts_them() -> None:
    rows = [HEAD, "1\t1\t0\t0\t0\t0\t0\t0\t800\t600\t-1\t", row(1, 0, 60, 96.5, "Бумага")]
    rows += [row(1, 70, 30, 90, "А4"), row(1, 400, 20, 80, "10"), row(2, 0, 9, -1, "x")]
    found = lines_from("\n".join(rows))
    assert [(line.text, round(line.confidence, 2)) for line in found] == [
        ("Бумага А4", 0.93),
        ("10", 0.8),
        ("x", 0.0),
    ]
    assert found[0].box.model_dump() == {"left": 0, "top": 10, "right": 100, "bottom": 30}
    assert [word.text for word in found[0].words] == ["Бумага", "А4"]


def test_rows_that_make_no_sense_are_left_out() -> None:
    rows = [row(1, 0, -5, 90, "a"), row(1, 0, 5, "nan", "b"), row(1, 0, 5, "inf", "c")]
    rows += [row(1, 0, 5, "x", "d"), row(1, 0, 5, 90, " "), "5\t1", row(1, 0, 5, 90, '"')]
    assert [line.text for line in lines_from("\r\n".join(rows))] == ['"']


CELLS = st.lists(
    st.one_of(st.sampled_from(["5", "1", "0", "-1", "96.5", "слово"]), st.text(max_size=6)),
    min_size=10,
    max_size=13,
)


@EASY
@given(st.lists(CELLS.map("\t".join)).map("\n".join))
def test_no_text_breaks_it(tsv: str) -> None:
    for line in lines_from(tsv):
        assert line.text == " ".join(word.text for word in line.words)
