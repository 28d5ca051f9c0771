from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.names import load_names, person_name

from .making import any_text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("меня зовут анна", "Анна"),
        ("МЕНЯ ЗОВУТ АННА", "Анна"),
        ("Меня зовут Анна Петрова, нужен кредит", "Анна Петрова"),
        ("меня зовут Анна Петрова хочу кредит", "Анна Петрова"),
        ("меня зовут анна петрова хочу кредит", "Анна Петрова"),
        ("Моё имя — Пётр", "Пётр"),
        ("имя моё анна", "Анна"),
        ("Имя: иван", "Иван"),
        ("ФИО: Петрова Анна Сергеевна", "Петрова Анна Сергеевна"),
        ("Меня зовут Анна-Мария Иванова-Петрова", "Анна-Мария Иванова-Петрова"),
        ("Добрый день, меня зовут Жаргал, интересует лизинг", "Жаргал"),
        ("это Анна", "Анна"),
        ("Добрый день! Это Анна Петрова из ООО Ромашка", "Анна Петрова"),
        ("я Мария, хочу ипотеку", "Мария"),
        ("Нужен кредит 5 млн.\nС уважением,\nИван Сидоров", "Иван Сидоров"),
        ("анна 8 916 123-45-67", "Анна"),
        ("Иванов Пётр Сергеевич +79161234567", "Иванов Пётр Сергеевич"),
        ("Анна", "Анна"),
        ("Нужна ипотека. Марина 8-903-555-12-34", "Марина"),
        ("Перезвони мне вечером, дима", "Дима"),
        ("My name is John Smith", "John Smith"),
        # From here on natasha finds them.
        ("Алия Нурланова, ипотека на 3 млн", "Алия Нурланова"),
        ("Нужен кредит 5 млн, Анна", "Анна"),
        ("Здравствуйте! Анна Петрова. Нужен кредит 5 млн рублей", "Анна Петрова"),
        ("Мне посоветовал вас Сергей Кузнецов. Анна", "Анна"),
        ("Здравствуйте, Ольга! Нужен кредит. Иван", "Иван"),
    ],
)
def test_how_people_introduce_themselves(text: str, name: str) -> None:
    assert person_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Привет",
        "Нужен кредит",
        "Я хочу кредит",
        "Это Москва",
        "Здравствуйте, Ольга! Нужен кредит",
        "Спасибо, Иван!",
        "Спасибо, Иван",
        "Добрый день, Ольга\nНужен кредит",
        "Кредит от Сбербанка в Москве",
        "Нужен кредит на улице Ленина",
        "имя пользователя забыл",
        "меня зовут на работу",
        "+79161234567",
    ],
)
def test_who_does_not(text: str) -> None:
    assert person_name(text) is None


def test_the_model_is_loaded_once() -> None:
    assert load_names() is load_names()


WORDS = "меня зовут Анна анна Петрова это Я , . ! \n ИВАН Москва +79161234567 имя:"
words = st.sampled_from(WORDS.split(" "))


@given(st.lists(words, max_size=12).map(" ".join) | any_text)
@settings(max_examples=150)
def test_a_name_is_made_of_words_of_the_text(text: str) -> None:
    name = person_name(text)
    if name is not None:
        assert 2 <= len(name) <= 60
        assert all(word.lower() in text.lower() for word in name.split())
