"""Scoring: what rules give, and what rules are refused."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.score_news import commented_band, is_news, score_comment
from lib.domain.scoring import BANDS, Reason, Rules, rules_from, score_of
from lib.domain.scoring_features import FEATURES, LeadFacts, features_of
from lib.errors import Rejected
from lib.rules import SCORING

SHIPPED = SCORING.read_text()
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NOBODY = LeadFacts(1, "telegram", NOW - timedelta(days=2))
ANNA = replace(
    NOBODY,
    last_message_at=NOW - timedelta(hours=3),
    name="Анна",
    phone="+79161234567",
    intent="ипотека",
    amount=Decimal(7_000_000),
    urgency="high",
)

facts = st.builds(
    LeadFacts,
    st.just(1),
    st.sampled_from(["telegram", "forwarder"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    *[st.none() | st.text(max_size=5)] * 4,
    st.none() | st.sampled_from(["кредит", "ипотека", "вклад", "что-то"]),
    st.none() | st.decimals(0, 10**12, places=2),
    st.none() | st.sampled_from(["RUB", "USD", "ZZZ"]),
    st.none() | st.sampled_from(["low", "normal", "high"]),
    *[st.integers(0, 1000)] * 7,
)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return rules_from(SHIPPED)


def test_a_score_is_the_sum_of_its_reasons(rules: Rules) -> None:
    scored = score_of(features_of(ANNA, NOW), rules)
    assert (scored.score, scored.band) == (77, "hot")
    assert [str(reason) for reason in scored.reasons] == [
        "+15 оставил телефон",
        "+3 назвал имя",
        "+14 хочет: ипотека",
        "+15 назвал сумму 7 000 000 ₽",
        "+12 срочно",
        "+8 писал за последние сутки",
    ]
    assert rules.start + sum(reason.points for reason in scored.reasons) == 77


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ({"amount": Decimal(1_500_000)}, -5),
        ({"amount": Decimal(100_000), "currency": "USD"}, 0),  # eight million roubles
        ({"amount": Decimal(5), "currency": "ZZZ"}, -15),  # nobody knows how much that is
        ({"calls_out_answered": 1}, 7),
        ({"calls_in_answered": 1, "calls_out_answered": 1}, 16),
        ({"calls_out_failed": 3}, -10),
        ({"last_message_at": NOW - timedelta(days=6)}, -18),
        ({"last_message_at": NOW - timedelta(days=20)}, -33),
        ({"last_message_at": NOW + timedelta(hours=1)}, 0),  # a clock that was put back
        ({"open_twins": 1}, -6),
    ],
)
def test_what_changes_a_score(rules: Rules, change: dict[str, object], points: int) -> None:
    changed = score_of(features_of(replace(ANNA, **change), NOW), rules)  # type: ignore[arg-type]
    assert changed.score == 77 + points


@given(facts, st.integers(-100, 100))
def test_every_lead_has_a_score_and_its_band(known: LeadFacts, start: int) -> None:
    rules = rules_from(SHIPPED)
    features = features_of(known, NOW)
    assert set(features) == set(FEATURES)
    for name, value in features.items():
        assert value is None or type(value) is FEATURES[name]
    scored = score_of(features, rules)
    assert 0 <= scored.score <= 100
    assert scored.band == rules.bands.of(scored.score)
    assert len({reason.why for reason in scored.reasons}) == len(scored.reasons)


@given(st.integers(0, 99), st.integers(1, 100), st.integers(1, 100))
def test_bands_cover_all_scores_in_order(score: int, hot: int, warm: int) -> None:
    said = f"start: 0\nrules: []\nbands: {{hot: {hot}, warm: {warm}}}"
    if warm >= hot:
        with pytest.raises(Rejected, match="warm must be below hot"):
            rules_from(said)
        return
    bands = rules_from(said).bands
    lower, upper = bands.of(score), bands.of(score + 1)
    assert BANDS.index(upper) <= BANDS.index(lower)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{feature: has_fone, is: true, weight: 1, reason: a}", "1: .*is has_phone meant?"),
        ("{feature: xyz, is: true, weight: 1, reason: a}", "no feature 'xyz'; there are has_phone"),
        ("{feature: has_phone, at_least: 1, weight: 1, reason: a}", "needs is: true or false"),
        ("{feature: intent, is: true, weight: 1, reason: a}", r"needs is: \[words\]"),
        ("{feature: messages, is: [a], weight: 1, reason: a}", "needs at_least or at_most"),
        ("{feature: messages, weight: 1, reason: a}", "needs at_least or at_most"),
        ("{feature: messages, at_least: 3, at_most: 2, weight: 1, reason: a}", "above at_most"),
        ("{feature: messages, at_least: .nan, weight: 1, reason: a}", "rules.1.at_least"),
        ("{feature: messages, at_least: 3, weight: 101, reason: a}", "rules.1.weight"),
        ("{feature: messages, at_least: 3, reason: a}", "rules.1.weight: Field required"),
        ("{feature: messages, at_least: 3, wait: 1, reason: a}", "wait"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_line(rule: str, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        rules_from(f"start: 1\nbands: {{hot: 9, warm: 3}}\nrules:\n  - {rule}\n")


@given(st.text())
def test_any_text_is_rules_or_refused(text: str) -> None:
    with contextlib.suppress(Rejected):
        assert rules_from(text).rules is not None


@pytest.mark.parametrize("value", ["!!bool x", "!!int ''", "!!timestamp x", "!!float x", "["])
def test_what_pyyaml_stumbles_over_is_refused(value: str) -> None:
    with pytest.raises(Rejected, match="the rules are no YAML"):
        rules_from(f"start: {value}")


def test_the_version_is_of_the_text() -> None:
    assert rules_from(SHIPPED).version == rules_from(SHIPPED).version
    assert rules_from(SHIPPED + "\n# more").version != rules_from(SHIPPED).version


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, "hot", True),
        (None, "warm", False),
        (None, "cold", False),
        ("warm", "warm", False),
        ("hot", "cold", True),
        ("cold", "warm", True),
    ],
)
def test_which_bands_are_told(before: str | None, after: str, told: bool) -> None:
    assert is_news(before, after) is told


@given(
    st.integers(0, 100),
    st.sampled_from(BANDS),
    st.lists(st.builds(Reason, st.integers(), st.text())),
)
def test_a_comment_tells_its_band_and_no_markup(
    score: int, band: str, reasons: list[Reason]
) -> None:
    comment = score_comment(score, band, reasons)
    assert commented_band(comment) == band
    assert comment.count("[") == comment.count("]") == 1
    assert "<" not in comment
    assert all(commented_band(line) is None for line in comment.splitlines()[:-1])
