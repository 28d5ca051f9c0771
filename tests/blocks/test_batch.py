from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from blocks._batch import BatchItem, LeadBatch
from blocks.report import LeadReport
from lib.domain.inbound import Chat
from lib.domain.inquiry import rules_inquiry
from lib.domain.leads import grow
from lib.errors import Denied, RateLimited, Rejected, Unavailable
from tests.domain.making import T0, inbound


def item(number: int, chat: int = 0, text: str = "нужен кредит") -> BatchItem:
    """A message; without a chat it has its own."""
    message = inbound(text, message_id=number, at=timedelta(minutes=number))
    message = message.model_copy(update={"chat": Chat(id=chat or 1000 + number)})
    return BatchItem(number, f"telegram:main:{number}", T0, message)


def batch(*items: BatchItem) -> LeadBatch:
    return LeadBatch(uuid4(), items)


def ids(items: list[BatchItem]) -> list[int]:
    return [each.delivery_id for each in items]


@pytest.mark.parametrize(
    ("error", "is_worth_a_retry"),
    [
        (Unavailable("away"), True),
        (RateLimited("wait", 5), True),
        (Denied("no key"), True),
        (KeyError("a bug"), True),
        (Rejected("no"), False),
    ],
)
def test_what_follows_a_failure_in_its_chat_waits_only_while_it_may_be_retried(
    error: Exception, is_worth_a_retry: bool
) -> None:
    items = [item(1, chat=7), item(2, chat=8), item(3, chat=7), item(4, chat=8)]
    items[0].error = error
    assert items[0].is_worth_a_retry == is_worth_a_retry
    assert ids(batch(*items).going) == ([2, 4] if is_worth_a_retry else [2, 3, 4])


def test_what_came_before_a_failure_goes_on() -> None:
    items = [item(1, chat=7), item(2, chat=7), item(3, chat=7)]
    items[1].error = Unavailable("away")
    assert ids(batch(*items).going) == [1]


def test_an_outcome_is_one_word() -> None:
    each = item(1)
    assert each.outcome == "held back"
    each.inquiry = rules_inquiry(inbound("спасибо"))
    assert each.outcome == "small_talk"
    each.lead = grow(None, each.message, rules_inquiry(each.message))
    assert each.outcome == "lead"
    each.error = Rejected("no")
    assert each.outcome == "failed"


def test_a_run_in_which_nothing_came_through_is_no_good_run() -> None:
    items = [item(1, chat=7), item(2, chat=7), item(3, chat=8)]
    for each in items:
        each.inquiry = rules_inquiry(inbound("спасибо"))
    whole = batch(*items)
    items[0].error = Unavailable("away")
    items[2].error = Rejected("no")
    whole.dead = [3]
    assert whole.outcomes() == {1: "failed", 2: "held back", 3: "dead"}
    report = LeadReport(whole.batch_id, 3, dict(Counter(whole.outcomes().values())))
    with pytest.raises(Unavailable, match="2 will be tried again, 1 are dead letters"):
        report.check()
    LeadReport(whole.batch_id, 4, {**report.outcomes, "spam": 1}).check()


def test_a_stage_that_failed_fails_all_of_its_messages() -> None:
    items = [item(1), item(2)]
    items[0].error = first = Rejected("no")
    whole = batch(*items)
    whole.fail(whole.going, Unavailable("the CRM is away"))
    assert items[0].error is first
    assert isinstance(items[1].error, Unavailable)


async def test_each_error_stays_with_its_message_and_tells_no_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = [item(1), item(2, text="мой секрет"), item(3)]

    async def work(one: BatchItem) -> None:
        if one.delivery_id == 2:
            raise ValueError(one.message.message.text)
        one.ms["read"] = 1

    await batch(*items).each(work, items)
    assert [type(each.error).__name__ for each in items] == ["NoneType", "ValueError", "NoneType"]
    assert [each.ms for each in items] == [{"read": 1}, {}, {"read": 1}]
    assert "message.failed" in caplog.text
    assert "work:" in caplog.text  # where it arose
    assert "секрет" not in caplog.text


class Worker:
    """Bulk work that refuses what it is told to, and remembers what it did."""

    def __init__(self, **refusals: Exception) -> None:
        self.refusals = {int(name[1:]): error for name, error in refusals.items()}
        self.calls: list[list[int]] = []
        self.done: list[int] = []

    async def __call__(self, items: list[BatchItem]) -> None:
        self.calls.append(ids(items))
        for each in items:
            if error := self.refusals.get(each.delivery_id):
                raise error
        self.done += ids(items)


async def test_bulk_work_is_done_at_once() -> None:
    items, work = [item(1), item(2), item(3)], Worker()
    await batch(*items).bulk(work, items)
    assert work.calls == [[1, 2, 3]]


async def test_nothing_is_no_work() -> None:
    work = Worker()
    await batch().bulk(work, [])
    assert work.calls == []


@pytest.mark.parametrize("error", [Rejected("no"), ValueError("a bug")])
async def test_bulk_work_that_fails_is_done_one_by_one(error: Exception) -> None:
    items, work = [item(1), item(2), item(3)], Worker(_2=error)
    await batch(*items).bulk(work, items)
    assert work.calls == [[1, 2, 3], [1], [2], [3]]
    assert work.done == [1, 3]
    assert [each.error for each in items] == [None, error, None]


async def test_one_by_one_nothing_overtakes_a_failure_of_its_chat() -> None:
    items = [item(1, chat=7), item(2, chat=8), item(3, chat=7), item(4, chat=8)]
    work = Worker(_1=ValueError("a bug"))
    whole = batch(*items)
    await whole.bulk(work, whole.items)
    assert work.done == [2, 4]
    assert items[2].error is None  # it goes back to the inbox, uncounted
    assert ids(whole.going) == [2, 4]


async def test_one_by_one_a_refusal_for_good_holds_nothing_back() -> None:
    items = [item(1, chat=7), item(2, chat=7)]
    work = Worker(_1=Rejected("no"))
    await batch(*items).bulk(work, items)
    assert work.done == [2]


async def test_nobody_is_to_blame_for_a_far_side_that_is_away() -> None:
    items = [item(1), item(2)]
    with pytest.raises(Unavailable):
        await batch(*items).bulk(Worker(_1=Unavailable("away")), items)
    assert [each.error for each in items] == [None, None]


async def test_a_far_side_that_goes_away_one_by_one_ends_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    items = [item(1), item(2), item(3), item(4)]
    work = Worker(_1=Rejected("no"), _3=Unavailable("away"))
    with caplog.at_level(logging.CRITICAL), pytest.raises(Unavailable):
        await batch(*items).bulk(work, items)
    assert work.done == [2]
    assert [type(each.error).__name__ for each in items] == ["Rejected", *["NoneType"] * 3]
