"""A lead in words, for the CRM: its title, and what the person wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta, timezone
from decimal import Decimal

from lib.domain.inbound import InboundMessage
from lib.domain.leads import LeadState
from lib.domain.lines import one_line, plain
from lib.domain.placement import Words

TITLE_LIMIT = 200
WORDS_LIMIT = 4500  # one Telegram message and its labels
COMMENT_LIMIT = 12_000
_REF_AT_END = re.compile(r"\[[a-z]+:[^\[\]]*\]\s*\Z")

MOSCOW = timezone(timedelta(hours=3), "МСК")  # no daylight saving there since 2014

_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "CNY": "¥", "GBP": "£"}
_MEDIA = {
    "voice": "голосовое сообщение",
    "audio": "аудиозапись",
    "photo": "фото",
    "document": "документ",
    "video": "видео",
    "video_note": "видеосообщение",
    "sticker": "стикер",
}


def lead_title(lead: LeadState) -> str:
    """One line that tells leads apart: «Telegram: Анна Петрова — кредит, 5 000 000 ₽»."""
    who = lead.name or lead.phone or lead.email or "без имени"
    wish = lead.intent or "заявка"
    if lead.amount is not None:
        wish += f", {money_text(lead.amount, lead.currency)}"
    return one_line(plain(f"Telegram: {who} — {wish}"), TITLE_LIMIT)


def money_text(amount: Decimal, currency: str | None) -> str:
    """A sum as people write it: «5 000 000 ₽», «12,50 $»."""
    is_whole = amount == amount.to_integral_value()
    written = f"{amount:,.0f}" if is_whole else f"{amount:,.2f}"
    sign = _SIGNS.get(currency or "RUB", currency or "₽")
    return f"{written.replace(',', ' ').replace('.', ',')} {sign}"


def words_of(message: InboundMessage) -> str:
    """What a person sent, in words: the text, and a note for each file and contact card."""
    notes = [f"({_MEDIA[media.kind]}{_size(media.duration_s)})" for media in message.media]
    if message.contact:
        card = (message.contact.name, message.contact.phone)
        notes.append(f"(контакт: {', '.join(part for part in card if part)})")
    return "\n".join(part for part in (message.message.text, *notes) if part)


def comment_text(words: Words) -> str:
    """One message for the CRM: when (Moscow time), the person's own words, and ``[mark]``.

    The words cannot hold markup, nor a ref: square brackets in them are replaced.
    """
    at = words.at.astimezone(MOSCOW)
    text = plain(words.text).strip()
    if len(text) > WORDS_LIMIT:
        text = text[:WORDS_LIMIT].rstrip() + "…"
    return f"{at:%d.%m.%Y %H:%M} МСК\n{text or '(без текста)'}\n[{words.mark}]"


def lead_comment(words: Sequence[Words]) -> str:
    """A new lead's own comment: every message in the order they were written.

    Of a message that is there more than once (it was edited) the last version counts. When all
    is longer than ``COMMENT_LIMIT`` characters, the oldest messages are left out and it says so.
    """
    latest = {each.ref: each for each in words}
    texts = [comment_text(each) for each in sorted(latest.values(), key=lambda each: each.at)]
    kept: list[str] = []
    room = COMMENT_LIMIT
    for text in reversed(texts):
        room -= len(text) + 2
        if kept and room < 0:
            break
        kept.append(text)
    left_out = len(texts) - len(kept)
    head = [f"(более ранних сообщений: {left_out})"] if left_out else []
    return "\n\n".join([*head, *reversed(kept)])


def _size(duration_s: int | None) -> str:
    return f", {duration_s} с" if duration_s else ""


def is_ours(comment: str) -> bool:
    """Whether a comment in the CRM was written by us: it ends with the ref of a message."""
    return bool(_REF_AT_END.search(comment))
