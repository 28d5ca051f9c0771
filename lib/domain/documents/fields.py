"""The fields of documents, a form for each kind; as JSON schemas they are strict."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lib.domain.documents.pages import Box, Part


class Value(Part):
    """One field as it was read.

    Attributes:
        value: digits alone, ISO 8601 for a day, a sum with a point, E.164, or words.
        page: where it stands, from 1; ``box`` on it.
        confidence: of its least sure word or line.
        is_proven: its check digits fit, or, of sums, the arithmetic does.
        is_doubtful: engines disagree on it, or are not sure; it fails a check, or rivals another.
    """

    value: str
    page: int
    box: Box
    confidence: float = Field(ge=0, le=1)
    is_proven: bool
    is_doubtful: bool


class Sum(Value):
    """A sum of money in whole units with a point; ``currency``: ISO 4217."""

    currency: str


class Party(Part):
    """A company or a person in business; None: not found."""

    name: Value | None
    inn: Value | None
    kpp: Value | None
    ogrn: Value | None


class Bank(Part):
    """Where money is to go: the receiver's account, the bank's own at the Bank of Russia."""

    account: Value | None
    correspondent_account: Value | None
    bik: Value | None
    name: Value | None


class Invoice(Part):
    """A bill: who is to pay whom, and how much; ``vat_rate``: in percent."""

    kind: Literal["invoice"]
    number: Value | None
    date: Value | None
    seller: Party
    buyer: Party
    bank: Bank
    total: Sum | None
    vat: Sum | None
    vat_rate: Value | None


class Act(Part):
    """An act of work done or things handed over."""

    kind: Literal["act"]
    number: Value | None
    date: Value | None
    seller: Party
    buyer: Party
    total: Sum | None
    vat: Sum | None
    vat_rate: Value | None


class Passport(Part):
    """The main page of a Russian passport; ``number``: 10 digits, series first."""

    kind: Literal["passport"]
    number: Value | None
    surname: Value | None
    name: Value | None
    patronymic: Value | None
    born_at: Value | None
    birthplace: Value | None
    issued_at: Value | None
    issued_by: Value | None
    department: Value | None


class Card(Part):
    """A company's details, or a visiting card."""

    kind: Literal["card"]
    company: Party
    bank: Bank
    names: tuple[Value, ...]
    phones: tuple[Value, ...]
    emails: tuple[Value, ...]


class Item(Part):
    """A row of a price list."""

    name: Value
    price: Sum


class PriceList(Part):
    """Things and what they cost; of several prices in a row the last."""

    kind: Literal["price_list"]
    date: Value | None
    items: tuple[Item, ...]


class Chat(Part):
    """A screenshot of a chat."""

    kind: Literal["chat"]
    names: tuple[Value, ...]
    phones: tuple[Value, ...]
    emails: tuple[Value, ...]
    dates: tuple[Value, ...]
    sums: tuple[Sum, ...]


class Other(Part):
    """Any other document: what stands on it, each as often as it does."""

    kind: Literal["other"]
    names: tuple[Value, ...]
    phones: tuple[Value, ...]
    emails: tuple[Value, ...]
    inns: tuple[Value, ...]
    dates: tuple[Value, ...]
    sums: tuple[Sum, ...]


Fields = Invoice | Act | Passport | Card | PriceList | Chat | Other


class Form(Part):
    """A document's kind, how sure that is, and its fields."""

    kind_confidence: float = Field(ge=0, le=1)
    fields: Fields
