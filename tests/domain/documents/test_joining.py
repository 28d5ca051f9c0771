"""Two engines' lines become one page's."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.documents.aligning import grouped, is_same_place, similarity
from lib.domain.documents.joining import blind_in, joined
from lib.domain.documents.pages import Box, Line, Reading
from lib.domain.documents.scripts import folded, is_mixed, knows_cyrillic
from tests.domain.documents.making import (
    EASY,
    PAGES,
    in_words,
    line,
    lines_anywhere,
    paddle,
    tesseract,
)

RUSSIAN = ["Счёт № 1234 от 15 марта", "Покупатель: Общество", "Оплата означает согласие"]
LOOKALIKES = [
    "Cët N 1234 ot 15 mapta",
    "Nokynatenb: O6wectBo",
    "Onnata o3ha4aet",
]


def said(*readings: Reading) -> list[str]:
    return [one.text for one in joined(readings)]


def page(texts: list[str], sure: float = 0.9) -> list[Line]:
    return [line(text, top=40.0 * number, sure=sure) for number, text in enumerate(texts)]


@EASY
@given(PAGES)
def test_a_page_of_one_engine_says_what_it_read(lines: list[Line]) -> None:
    found = joined([tesseract(*lines)])
    assert Counter(one.text for one in found) == Counter(one.text for one in lines)
    assert Counter(one.text for one in joined([tesseract(*lines), paddle()])) == Counter(
        one.text for one in lines
    )


@EASY
@given(PAGES, PAGES)
def test_no_line_is_lost_or_doubled(ours: list[Line], theirs: list[Line]) -> None:
    groups = grouped([tesseract(*ours), paddle(*theirs)])
    for engine, lines in (("tesseract", ours), ("paddle", theirs)):
        found = [one for group in groups for one in group.get(engine, ())]
        assert sorted(map(repr, found)) == sorted(map(repr, lines))
    # Each place is read: whatever stands alone stays, whatever both read is there once.
    assert len(joined([tesseract(*ours), paddle(*theirs)])) >= len(groups)


@EASY
@given(PAGES, PAGES, st.randoms(use_true_random=False))
def test_the_order_of_what_comes_does_not_count(
    ours: list[Line], theirs: list[Line], chance: object
) -> None:
    expected = joined([tesseract(*ours), paddle(*theirs)])
    chance.shuffle(ours)  # type: ignore[attr-defined]
    chance.shuffle(theirs)  # type: ignore[attr-defined]
    assert joined([paddle(*theirs), tesseract(*ours)]) == expected


@EASY
@given(lines_anywhere(), lines_anywhere())
def test_alignment_is_symmetric(one: Line, other: Line) -> None:
    assert is_same_place(one, other) == is_same_place(other, one)
    assert similarity(one.text, other.text) == similarity(other.text, one.text)
    assert similarity(one.text, one.text) == 1


@EASY
@given(PAGES)
def test_two_engines_that_agree_say_the_same_once(lines: list[Line]) -> None:
    apart = [line(one.text, top=50.0 * number) for number, one in enumerate(lines)]
    found = joined([tesseract(*apart), paddle(*apart)])
    assert [one.text for one in found] == [one.text for one in apart]
    assert not any(one.is_doubtful for one in found)


@EASY
@given(PAGES, PAGES)
def test_a_joined_word_was_read_by_somebody(ours: list[Line], theirs: list[Line]) -> None:
    read = {word for one in (*ours, *theirs) for word in one.text.split()}
    for one in joined([tesseract(*ours), paddle(*theirs)]):
        assert set(one.text.split()) <= read
        assert 0 <= one.confidence <= 1


def test_an_engine_without_cyrillic_loses_however_sure_it_is() -> None:
    ours, theirs = tesseract(*page(RUSSIAN, 0.5)), paddle(*page(LOOKALIKES, 0.99))
    assert blind_in([ours, theirs]) == {"paddle"}
    assert said(ours, theirs) == RUSSIAN


def test_an_engine_without_cyrillic_still_reads_numbers_and_latin() -> None:
    unsure = {"12Z4": 0.3, "acc0unts@examp1e.com": 0.5}
    last = in_words("Почта acc0unts@examp1e.com 12Z4 DAP", unsure, top=400)
    ours = tesseract(*page(RUSSIAN), last)
    theirs = paddle(
        *page(LOOKALIKES), line("No4ta accounts@example.com 1234 DA", top=400, sure=0.95)
    )
    assert said(ours, theirs)[-1] == "Почта accounts@example.com 1234 DAP"


def test_english_is_not_taken_for_blindness() -> None:
    ours = tesseract(line("Тоtal due: 1,234.56", sure=0.7), line("in full", top=40))
    theirs = paddle(line("Total due: 1,234.56", sure=0.9), line("in full", top=40))
    assert blind_in([ours, theirs]) == set()
    assert said(ours, theirs) == ["Total due: 1,234.56", "in full"]


def test_the_words_around_it_say_what_script_a_word_is_of() -> None:
    for latin_sure, sure in ((0.9, 0.85), (0.85, 0.9)):
        ours = tesseract(line("товар в упаковке от OOO Ромашка", sure=latin_sure))
        theirs = paddle(line("товар в упаковке от ООО Ромашка", sure=sure))
        assert said(ours, theirs) == ["товар в упаковке от ООО Ромашка"]


def test_a_word_of_two_scripts_loses() -> None:
    ours, theirs = (
        tesseract(line("Cчёт оплачен", sure=0.95)),
        paddle(line("Счёт оплачен", sure=0.6)),
    )
    assert said(ours, theirs) == ["Счёт оплачен"]
    assert is_mixed("Cчёт")
    assert not is_mixed("Счёт invoice А4")
    assert folded("Cчёт") == folded("Счёт")


def test_the_surer_word_wins_and_the_line_is_doubtful() -> None:
    ours = tesseract(in_words("ИНН 7707083893 сумма 100", {"7707083893": 0.95, "100": 0.2}))
    theirs = paddle(line("ИНН 7707083898 сумма 700", sure=0.8))
    (found,) = joined([ours, theirs])
    assert found.text == "ИНН 7707083893 сумма 700"
    assert found.is_doubtful
    assert found.raw == {
        "tesseract": "ИНН 7707083893 сумма 100",
        "paddle": "ИНН 7707083898 сумма 700",
    }


def test_spaces_are_lost_more_than_invented() -> None:
    ours, theirs = line("Please remit payment", sure=0.7), line("Pleaseremit payment", sure=0.99)
    assert said(tesseract(ours), paddle(theirs)) == ["Please remit payment"]
    assert said(tesseract(theirs), paddle(ours)) == ["Please remit payment"]


def test_a_row_that_one_engine_cuts_stays_cut() -> None:
    cells = [line("Бумага А4"), line("10", left=400), line("350,00", left=600)]
    whole = Line(
        box=Box(left=0, top=0, right=672, bottom=24), text="Бумага А4 10 350,00", confidence=0.9
    )
    assert said(tesseract(*cells), paddle(whole)) == ["Бумага А4", "10", "350,00"]
    assert said(tesseract(whole), paddle(*cells)) == ["Бумага А4", "10", "350,00"]


def test_noise_that_one_engine_sees_is_left_out() -> None:
    ours = tesseract(in_words("‚ Счёт № 1 ’", {"‚": 0.3, "’": 0.2}))
    assert said(ours, paddle(line("Счёт № 1"))) == ["Счёт № 1"]


def test_a_full_stop_is_lost_more_than_invented() -> None:
    for sure, said_last in ((0.9, "invoice."), (0.4, "invoice")):
        ours = tesseract(in_words("of this invoice.", {"invoice.": sure}))
        assert said(ours, paddle(line("of this invoice", sure=0.99))) == [f"of this {said_last}"]


def test_a_line_that_one_engine_missed_is_kept() -> None:
    ours, theirs = tesseract(*page(RUSSIAN)), paddle(*page(RUSSIAN)[:1])
    assert said(ours, theirs) == RUSSIAN


def test_boxes_of_a_page_that_is_not_level_meet_by_their_text() -> None:
    ours, theirs = line("Расчётный счёт", top=0), line("Расчётный счет", top=18)
    assert is_same_place(ours, theirs)
    assert not is_same_place(ours, line("Всего к оплате", top=18))


def test_a_box_as_large_as_the_page_swallows_nothing() -> None:
    spot = Line(box=Box(left=0, top=0, right=2000, bottom=3000), text="~", confidence=0.3)
    assert sorted(said(tesseract(*page(RUSSIAN)), paddle(spot))) == sorted([*RUSSIAN, "~"])


def test_words_without_end_are_joined_all_the_same() -> None:
    long = line(" ".join(["а"] * 5000), sure=0.8)
    (found,) = joined([tesseract(long), paddle(long.model_copy(update={"confidence": 0.9}))])
    assert found.text == long.text


def test_readings_that_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="one reading or of two"):
        joined([tesseract(), tesseract()])
    with pytest.raises(ValueError, match="one reading or of two"):
        joined([tesseract(), paddle(), Reading(engine="third")])


def test_look_alikes_prove_no_cyrillic() -> None:
    assert knows_cyrillic(["Счёт выставлен"])
    assert not knows_cyrillic(["ТОТ АНТ РОСТ" * 3, "марта"])
