"""A stand-in for understanding: what simple patterns see in a customer's message."""

from __future__ import annotations

import json
import re
from typing import Any

from deployments.sandbox.llm_schema import filled

_PHONE = re.compile(r"(?<!\d)(?:\+?7|8)[\s(\-]*\d{3}[\s)\-]*\d{3}[\s\-]*\d{2}[\s\-]*\d{2}(?!\d)")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NAME = re.compile(
    r"(?:[Мм]еня зовут|[Мм]о[её] имя|[Ии]мя[:\s]|[Ээ]то|\b[Яя][\s,–—-]+)\s*"
    r"([А-ЯЁ][а-яё]+(?:\s+[А-ЯЁ][а-яё]+){0,2})"
)
_COMPANY = re.compile(r"\b(?:ООО|ОАО|ЗАО|ПАО|АО|ИП)\s+(?:[«\"][^»\"]{2,60}[»\"]|[А-ЯЁA-Z][\w-]+)")
_SUM = re.compile(
    r"(?<![\d+])(\d{1,3}(?:[ \u00a0]\d{3})+|\d+(?:[.,]\d+)?)\s*"
    r"(млрд|миллиард\w*|млн|миллион\w*|лям\w*|тыс\w*|к\b)?\.?\s*"
    r"(₽|руб\w*|р\.|\$|долл\w*|usd|€|евро|eur)?",
    re.IGNORECASE,
)
_SCALE = {"млр": 10**9, "мил": 10**6, "млн": 10**6, "лям": 10**6, "тыс": 1000, "к": 1000}
_CURRENCY = {"₽": "RUB", "р": "RUB", "$": "USD", "д": "USD", "u": "USD", "€": "EUR", "e": "EUR"}
_WISH = re.compile(
    r"кредит|займ|за[её]м|ипотек|лизинг|рефинанс|страхов|вклад|консультац|заявк|"
    r"куп(?:ить|лю)|заказ|нуж(?:ен|на|но|ны)|хо(?:чу|тел)|интересу|"
    r"стоимост|цен[аыу]\b|сколько стоит|оформ|перезвон|свяжитесь|loan|credit|price|buy|need",
    re.IGNORECASE,
)
_SPAM = re.compile(
    r"казино|заработ(?:ок|ай)|доход от|крипт|ставк[аи] на|выигра|подпи(?:шись|сывайтесь)|18\+|"
    r"бесплатн\w+ бонус|продвижени|раскрут|рассылк|casino|crypto|airdrop",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"^\W*(?:здравствуй\w*|привет\w*|добр\w+ (?:день|утро|вечер)|спасибо\w*|хорошо|ок(?:ей)?|"
    r"как дела|до свидания|пока|понял\w*|да|нет|hi|hello|thanks|thank you|bye)\b",
    re.IGNORECASE,
)
_CALM = re.compile(r"не\s+(?:срочн|спеш|тороп)|не к спеху|когда будет удобно", re.IGNORECASE)
_HASTE = re.compile(r"срочн|сегодня|прямо сейчас|немедленн|как можно скорее|asap|urgent", re.I)
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")
_JSON = re.compile(r"\{.*\}", re.DOTALL)


def customer_text(messages: list[Any]) -> str:
    """The customer's text out of the last user message: plain, or JSON with ``text``."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                parts = (part.get("text") or "" for part in content if isinstance(part, dict))
                content = "\n".join(parts)
            return _unwrapped(str(content or ""))
    return ""


def inquiry_in(text: str) -> dict[str, Any]:
    """What the text says, by the field names of a lead; None where it says nothing."""
    phone, email = _PHONE.search(text), _EMAIL.search(text)
    name, company = _NAME.search(text), _COMPANY.search(text)
    amount, currency = _sum_in(_PHONE.sub(" ", text))
    why = _why(text, bool(phone or email))
    wish = _WISH.search(text)
    return {
        "is_lead": why == "lead",
        "why": why,
        "name": name[1] if name else None,
        "phone": "+7" + re.sub(r"\D", "", phone[0])[-10:] if phone else None,
        "email": email[0].lower() if email else None,
        "company": company[0] if company else None,
        "intent": _sentence(text, wish.start()) if wish and why == "lead" else None,
        "amount": amount,
        "currency": currency,
        "urgency": _urgency(text),
        "summary": _summary(why, name[1] if name else None, text),
        "language": "ru" if _CYRILLIC.search(text) else "en",
    }


def read_as(schema: dict[str, Any] | None, text: str) -> Any:
    """What a text says in the shape that is asked for.

    Args:
        schema: of a lead: what the text says of one; any other: the least that fits. None or
            empty: as ``inquiry_in``.
        text: a customer's.
    """
    read = inquiry_in(text)
    if not schema:
        return read
    return filled(schema, read if "is_lead" in (schema.get("properties") or {}) else {})


def _unwrapped(content: str) -> str:
    found = _JSON.search(content)
    if found:
        try:
            body = json.loads(found[0])
        except ValueError:
            return content
        if isinstance(body, dict) and isinstance(body.get("text"), str):
            return str(body["text"])
    return content


def _why(text: str, reachable: bool) -> str:
    if _SPAM.search(text):
        return "spam"
    if reachable or _WISH.search(text):
        return "lead"
    return "small_talk" if _TALK.search(text) else "no_request"


def _urgency(text: str) -> str:
    if _CALM.search(text):
        return "low"
    return "high" if _HASTE.search(text) else "normal"


def _sum_in(text: str) -> tuple[float | None, str | None]:
    for match in _SUM.finditer(text):
        number, scale, mark = match.groups()
        if not scale and not mark and not re.search(r"[ \u00a0]", number):
            continue
        amount = float(re.sub(r"[ \u00a0]", "", number).replace(",", "."))
        if scale:
            amount *= next(v for key, v in _SCALE.items() if scale.lower().startswith(key))
        code = _CURRENCY.get(mark[0].lower()) if mark else "RUB"
        if mark and mark.lower() == "евро":
            code = "EUR"
        return amount, code
    return None, None


def _sentence(text: str, position: int) -> str:
    start = max(text.rfind(mark, 0, position) for mark in ".!?\n") + 1
    ends = [end for mark in ".!?\n" if (end := text.find(mark, position)) >= 0]
    return text[start : min(ends, default=len(text))].strip()[:120]


def _summary(why: str, name: str | None, text: str) -> str:
    if why != "lead":
        said = {"spam": "Реклама", "small_talk": "Приветствие или вежливость"}
        return said.get(why, "Сообщение без запроса")
    return f"{name or 'Клиент'} пишет: {text.strip()[:160]}"
