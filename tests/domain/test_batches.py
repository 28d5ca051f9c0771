from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lib.domain.batches import MAX_ATTEMPTS, backoff_s, choose_batch, hold_back, is_dead


def test_pauses_grow_to_an_hour() -> None:
    pauses = [backoff_s(attempt, 0.0) for attempt in range(1, 9)]
    assert pauses == [2, 8, 30, 120, 600, 1800, 3600, 3600]


@given(st.integers(1, 10**9), st.floats(0, 1))
def test_pauses_stay_in_bounds(attempt: int, jitter: float) -> None:
    assert 2 <= backoff_s(attempt, jitter) <= 3600
    assert backoff_s(attempt, jitter) <= backoff_s(attempt + 1, 0.0) or attempt >= 6


def test_eight_attempts_are_enough() -> None:
    assert [is_dead(n) for n in (0, MAX_ATTEMPTS - 1, MAX_ATTEMPTS, 99)] == [
        False,
        False,
        True,
        True,
    ]


def test_a_suspect_rides_in_a_small_batch() -> None:
    assert choose_batch([(1, None), (2, None), (3, None)], 2) == [1, 2]
    assert choose_batch([(1, 1), (2, None)], 50) == [1]
    assert choose_batch([(1, None), (2, None), (3, 1), (4, None)], 50) == [1, 2]
    assert choose_batch([(1, 0)], 0) == [1]
    assert choose_batch([], 50) == []


waiting = st.lists(st.none() | st.integers(0, 60), max_size=60).map(
    lambda own: list(enumerate(own))
)


@given(waiting, st.integers(0, 60))
def test_a_batch_is_a_beginning_that_suits_all_in_it(
    rows: list[tuple[int, int | None]], limit: int
) -> None:
    chosen = choose_batch(rows, limit)
    assert chosen == [row[0] for row in rows][: len(chosen)]
    assert bool(chosen) == bool(rows)
    assert len(chosen) <= max(limit, 1)
    assert all(len(chosen) <= max(own, 1) for _, own in rows[: len(chosen)] if own is not None)


def test_the_rest_of_a_chat_waits_for_what_failed() -> None:
    rows = [(1, "a"), (2, "b"), (3, "a"), (4, "a"), (5, "b")]
    assert hold_back(rows, {1}) == {3, 4}
    assert hold_back(rows, {3, 4}) == set()
    assert hold_back(rows, set()) == set()


@given(st.lists(st.sampled_from("abc"), max_size=30), st.sets(st.integers(0, 29)))
def test_nothing_overtakes_what_failed(lanes: list[str], failed: set[int]) -> None:
    rows = list(enumerate(lanes))
    done = [row for row in rows if row[0] not in failed | hold_back(rows, failed)]
    for delivery_id, lane in done:
        assert not any(
            earlier < delivery_id for earlier, other in rows if other == lane and earlier in failed
        )
