"""Columns, tables, headings, paragraphs; and how they are written."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given

from lib.domain.documents.layout import Heading, Paragraph, Table, laid_out
from lib.domain.documents.markdown import markdown_from, page_markdown
from lib.domain.documents.pages import Line, Page, rows_of
from tests.domain.documents.making import EASY, PAGES, as_joined, line

LEFT = ["Договор вступает в силу со", "дня подписания и действует", "до полного исполнения его"]
RIGHT = ["Споры разрешаются путём пе-", "реговоров, иначе они идут", "в суд по месту нахождения"]


def page(lines: list[Line], number: int = 1) -> Page:
    return Page(number=number, width_px=1000, height_px=1000, lines=tuple(as_joined(lines)))


def letters(text: str) -> Counter[str]:
    return Counter(char for char in text if char.isalnum())


@EASY
@given(PAGES)
def test_every_letter_is_laid_out_once(lines: list[Line]) -> None:
    """Hyphens at ends of lines, bullets and Markdown's own marks are all that differs."""
    written = page_markdown(page(lines))
    assert letters(written) == letters("".join(one.text for one in lines))
    assert laid_out(list(reversed(lines))) == laid_out(lines)
    assert sum(map(len, rows_of(lines))) == len(lines)


@EASY
@given(PAGES)
def test_a_picture_makes_no_markup(lines: list[Line]) -> None:
    for block in laid_out(lines):
        if isinstance(block, Table):
            assert len({len(row) for row in block.rows}) == 1
    written = page_markdown(page(lines))
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>`\[\]*]", written)


def test_two_columns_are_read_one_after_the_other() -> None:
    lines = [line("Договор поставки, заключён сторонами нынешнего года", 200, 0)]
    for number, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
        # The right column's rows lie half a row lower than the left one's.
        lines += [line(left, 0, 40 + 36 * number), line(right, 420, 50 + 36 * number)]
    blocks = [block for block in laid_out(lines) if isinstance(block, Paragraph)]
    assert [" ".join(block.lines) for block in blocks[-2:]] == [
        "Договор вступает в силу со дня подписания и действует до полного исполнения его",
        "Споры разрешаются путём переговоров, иначе они идут в суд по месту нахождения",
    ]


def cells(*rows: list[str]) -> list[Line]:
    return [
        line(text, left, 48.0 * number)
        for number, row in enumerate(rows)
        for left, text in zip((0, 60, 400, 560), row, strict=True)
        if text
    ]


def test_a_table() -> None:
    rows = [
        ["№", "Наименование", "Кол-во", "Сумма"],
        ["1", "Бумага офисная А4", "10", "3 500,00"],
        ["2", "Доставка | склад", "", "445,67"],
    ]
    below = line("Всего к оплате за товар и доставку его покупателю: 3 945,67", 0, 260)
    assert page_markdown(page([*cells(*rows), below])) == (
        "| № | Наименование | Кол-во | Сумма |\n"
        "| --- | --- | --- | --- |\n"
        "| 1 | Бумага офисная А4 | 10 | 3 500,00 |\n"
        "| 2 | Доставка \\| склад |  | 445,67 |\n"
        "\n"
        "Всего к оплате за товар и доставку его покупателю: 3 945,67\n"
    )


def test_a_cell_goes_on_below_itself() -> None:
    rows = cells(["№", "Товар", "Кол-во", "Сумма"], ["1", "Бумага", "10", "3 500,00"])
    wrapped = line("офисная", 60, 48 + 26)
    (table,) = laid_out([*rows, wrapped])
    assert isinstance(table, Table)
    assert table.rows[1] == ("1", "Бумага офисная", "10", "3 500,00")


def test_headings_are_larger() -> None:
    big, small = line("Счёт на оплату", 0, 0, height=48), line("Обычная строка текста", 0, 100)
    heading, paragraph = laid_out([big, small, line("Ещё одна строка текста", 0, 130)])
    assert isinstance(heading, Heading)
    assert (heading.text, heading.level) == ("Счёт на оплату", 1)
    assert isinstance(paragraph, Paragraph)


def test_lines_that_were_broken_on_purpose_stay_broken() -> None:
    texts = [
        "Поставщик: ООО «Ромашка»",
        "Тула",
        "Товар отпускается по факту прихода денег на",
        "счёт",
    ]
    (paragraph,) = laid_out([line(text, 0, 32.0 * n) for n, text in enumerate(texts)])
    assert isinstance(paragraph, Paragraph)
    assert paragraph.lines == (*texts[:2], f"{texts[2]} {texts[3]}")


def test_a_gap_begins_a_paragraph() -> None:
    lines = [line("Первая строка", 0, 0), line("и вторая", 0, 32), line("Новая мысль", 0, 120)]
    assert len(laid_out(lines)) == 2


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("# не заголовок", "\\# не заголовок"),
        ("[ссылка](javascript:alert(1))", "\\[ссылка\\](javascript:alert(1))"),
        ("<script>x</script>", "\\<script\\>x\\</script\\>"),
        ("snake_case и _так_", "snake_case и \\_так\\_"),
        ("---", "\\---"),
        ("• пункт", "- пункт"),
        ("1. пункт", "1. пункт"),
        ("Рога & копыта &amp; сыновья", "Рога & копыта \\&amp; сыновья"),
        ("a@b.com +7 916 123-45-67", "a@b.com +7 916 123-45-67"),
    ],
)
def test_what_stands_in_a_picture_is_text(text: str, written: str) -> None:
    assert page_markdown(page([line(text)])) == f"{written}\n"


def test_pages_are_parted_and_blank_ones_left_out() -> None:
    pages = [page([line("Раз")]), page([], 2), page([line("Два")], 3)]
    assert markdown_from(pages) == "Раз\n\n---\n\nДва\n"
    assert markdown_from([page([])]) == ""
