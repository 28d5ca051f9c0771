from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings

from lib.domain.inbound import Media, Sender, SharedContact
from lib.domain.inquiry import rules_inquiry
from lib.domain.wishes import intent_in, language_of, urgency_in

from .making import any_text, inbound


def test_all_that_a_message_says() -> None:
    read = rules_inquiry(
        inbound(
            "Здравствуйте! Меня зовут Анна Петрова, ООО «Ромашка». Срочно нужен кредит 5 млн руб, "
            "доход 300 тыс. Тел. 8 916 123-45-67, anna@mail.ru"
        )
    )
    assert read.is_lead
    assert read.why == "lead"
    assert read.name == "Анна Петрова"
    assert read.phone == "+79161234567"
    assert read.email == "anna@mail.ru"
    assert read.company == "ООО «Ромашка»"
    assert read.intent == "кредит"
    assert (read.amount, read.currency) == (Decimal(5_000_000), "RUB")
    assert read.urgency == "high"
    assert read.language == "ru"
    assert read.read_by == "rules"


@pytest.mark.parametrize(
    "text",
    [
        "нужен кредит",
        "Здравствуйте, интересует ипотека",
        "хочу рефинансировать ипотеку",
        "Сколько стоит ваша консультация?",
        "Какие условия по лизингу?",
        "Оставляю заявку",
        "банковская гарантия по 44-ФЗ",
        "Перезвоните мне",
        "+7 916 123-45-67",
        "пишите на anna@mail.ru",
        "Спасибо! Мой номер 8 916 123-45-67",
        "Не хочу переплачивать, нужен кредит под малый процент",
        "I need a loan",
    ],
)
def test_leads(text: str) -> None:
    assert rules_inquiry(inbound(text)).why == "lead"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Здравствуйте",
        "Добрый день!",
        "Спасибо большое 🙏",
        "ок",
        "👍",
        "/start",
        "Hello",
        "С Новым годом!",
    ],
)
def test_small_talk(text: str) -> None:
    assert rules_inquiry(inbound(text)).why == "small_talk"


@pytest.mark.parametrize(
    "text",
    [
        "Кредит не нужен, спасибо",
        "не интересует",
        "Завтра буду в офисе",
        "Хочу сказать спасибо вашему менеджеру",
        "Погода хорошая",
        "12345",
    ],
)
def test_no_request(text: str) -> None:
    assert rules_inquiry(inbound(text)).why == "no_request"


@pytest.mark.parametrize(
    "text",
    [
        "Казино Вулкан! 100 фриспинов каждому, жми bit.ly/xxx",
        "Заработок от 500$ в день, пиши +, переходи t.me/joinchat/xyz",
        "Набираем людей в команду, арбитраж крипты, 8 916 123-45-67",
        "Удалённая работа, доход от 100 000, подробности https://t.me/rabota_bot",
        "Продам базы клиентов, рассылка по чатам",
        "Предлагаем услуги продвижения сайтов, скидка 50%! https://clck.ru/abc",
        "Кредит всем без отказа! Переходи t.me/credit_all",
        "Пассивный доход на крипте, t.me/x100signals",
    ],
)
def test_spam(text: str) -> None:
    read = rules_inquiry(inbound(text))
    assert (read.is_lead, read.why, read.phone) == (False, "spam", None)


@pytest.mark.parametrize(
    "text",
    [
        "Нужен кредит на бизнес, прибыль 300 тыс, пришлите условия",
        "Хочу кредит, доход 150 тыс, есть ли акция?",
        "Мой телеграм t.me/+79161234567, нужен займ",
        "Интересует ипотека, вот объект: https://cian.ru/sale/1",
    ],
)
def test_what_is_not_spam(text: str) -> None:
    assert rules_inquiry(inbound(text)).why == "lead"


def test_own_contact_card_makes_a_lead() -> None:
    card = SharedContact(phone="79161234567", name="Анна", user_id=7)
    read = rules_inquiry(inbound(contact=card))
    assert (read.why, read.phone, read.name) == ("lead", "+79161234567", "Анна")


def test_foreign_contact_card_makes_none() -> None:
    card = SharedContact(phone="79161234567", name="Иван", user_id=8)
    read = rules_inquiry(inbound(contact=card))
    assert (read.is_lead, read.phone, read.name) == (False, None, None)


def test_what_telegram_knows_is_taken_along() -> None:
    sender = Sender(id=7, phone="79161234567")
    assert rules_inquiry(inbound("Привет", sender=sender)).is_lead is False
    assert rules_inquiry(inbound("нужен кредит", sender=sender)).phone == "+79161234567"
    typed = rules_inquiry(inbound("кредит, 8 916 123-45-68", sender=sender))
    assert typed.phone == "+79161234568"


def test_a_voice_message_is_no_small_talk_and_a_sticker_is() -> None:
    assert rules_inquiry(inbound(media=(Media(kind="voice"),))).why == "no_request"
    assert rules_inquiry(inbound(media=(Media(kind="sticker"),))).why == "small_talk"


def test_a_deletion_is_no_lead() -> None:
    assert rules_inquiry(inbound("нужен кредит", kind="deleted")).is_lead is False


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("рефинансировать ипотеку", "рефинансирование"),
        ("ипотечный кредит", "ипотека"),
        ("нужен заём", "займ"),
        ("автокредит или лизинг", "лизинг"),
        ("факторинг", "факторинг"),
        ("гарантия на тендер", "банковская гарантия"),
        ("привет", None),
    ],
)
def test_intents(text: str, intent: str | None) -> None:
    assert intent_in(text) == intent


@pytest.mark.parametrize(
    ("text", "urgency"),
    [
        ("Срочно!", "high"),
        ("нужно сегодня", "high"),
        ("не срочно", "low"),
        ("не горит", "low"),
        ("кредит", None),
    ],
)
def test_urgency(text: str, urgency: str | None) -> None:
    assert urgency_in(text) == urgency


@pytest.mark.parametrize(
    ("text", "language"), [("Привет, Tom", "ru"), ("Hello", "en"), ("+7 👍", None)]
)
def test_language(text: str, language: str | None) -> None:
    assert language_of(text) == language


@given(any_text)
@settings(max_examples=100)
def test_any_text_is_read(text: str) -> None:
    read = rules_inquiry(inbound(text))
    assert read.is_lead == (read.why == "lead")
    assert len(read.summary or "") <= 300
