"""What is asked of every route, and what the answers mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.domain.ingress_checks import site_from
from lib.domain.ingress_proof import Ask, Sight, asks_of, judged, news
from tests.domain.test_ingress import GOOD
from tests.traefik import documents, raw_of

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HSTS = {"strict-transport-security": "max-age=31536000"}
FINE = Sight("", 200, HSTS, "hello", NOW + timedelta(days=60))
ASKS = asks_of(site_from(GOOD.encode(), "f"), "m", "10.66.66.1")


def asked(key: str) -> Ask:
    return next(ask for ask in ASKS if ask.key == key)


def test_every_route_is_asked_from_both_sides() -> None:
    assert {ask.key: ask.wanted for ask in ASKS} == {
        "Traefik": "mark",
        "http://a.firma.ru": "redirect",
        "http://b.firma.ru": "redirect",
        "a.firma.ru/hooks (outside)": "service",
        "a.firma.ru/hooks (vpn)": "service",
        "a.firma.ru/ (outside)": "refusal",
        "a.firma.ru/ (vpn)": "service",
        "b.firma.ru/ (outside)": "refusal",
        "b.firma.ru/ (vpn)": "login",
    }


@settings(max_examples=25, deadline=None)
@given(documents())
def test_a_closed_route_is_never_wanted_from_outside(document: dict[str, Any]) -> None:
    site = site_from(raw_of(document), "f")
    found = asks_of(site, "m", None)
    assert len({ask.key for ask in found}) == len(found)
    proofs = [ask for ask in found if ask.route]
    assert len(proofs) == len(site.routes)
    for ask in proofs:
        assert ask.route is not None
        assert (ask.wanted == "refusal") == (not ask.route.access.is_open)


@pytest.mark.parametrize(
    ("key", "sight", "wrong"),
    [
        ("a.firma.ru/hooks (outside)", FINE, ""),
        ("a.firma.ru/hooks (outside)", replace(FINE, status=502), "`web` answers 502, not 200"),
        ("a.firma.ru/hooks (outside)", Sight("not reached"), "not reached"),
        ("a.firma.ru/ (outside)", replace(FINE, status=403), ""),
        ("a.firma.ru/ (outside)", FINE, "is answered 200, and should be refused"),
        ("a.firma.ru/ (vpn)", replace(FINE, status=403), "`web` answers 403, not 200"),
        ("b.firma.ru/ (vpn)", FINE, "is answered 200, and should ask for name and password"),
        ("b.firma.ru/ (vpn)", replace(FINE, status=401), "should ask for name and password"),
        (
            "b.firma.ru/ (vpn)",
            replace(FINE, status=401, headers=HSTS | {"www-authenticate": 'Basic realm="x"'}),
            "",
        ),
        ("a.firma.ru/hooks (vpn)", replace(FINE, headers={}), "no HSTS of a year"),
        (
            "a.firma.ru/hooks (vpn)",
            replace(FINE, headers={"strict-transport-security": "max-age=60"}),
            "no HSTS of a year",
        ),
        (
            "a.firma.ru/hooks (vpn)",
            replace(FINE, headers=HSTS | {"server": "x"}),
            "header `server`",
        ),
        ("a.firma.ru/hooks (vpn)", replace(FINE, certificate_ends=None), "there is no certificate"),
        ("Traefik", replace(FINE, status=404), "has not taken the newest configuration (HTTP 404)"),
        ("Traefik", replace(FINE, status=418), ""),
        ("http://a.firma.ru", Sight("", 301, {"location": "https://a.firma.ru/"}), ""),
        ("http://a.firma.ru", Sight("", 308, {"location": "https://a.firma.ru:8443/"}), ""),
        ("http://a.firma.ru", Sight("", 302, {"location": "https://a.firma.ru/"}), "lead to HTTPS"),
        ("http://a.firma.ru", Sight("", 301, {"location": "https://axfirma.ru/"}), "lead to HTTPS"),
        ("http://a.firma.ru", Sight("", 301, {"location": "http://a.firma.ru/"}), "lead to HTTPS"),
        ("http://a.firma.ru", Sight("", 200), "HTTP is answered 200"),
    ],
)
def test_what_an_answer_means(key: str, sight: Sight, wrong: str) -> None:
    found = judged(asked(key), sight, NOW).wrong
    assert wrong in found
    assert bool(wrong) == bool(found)


def test_a_service_is_known_by_its_words() -> None:
    text = GOOD.replace("path: /hooks/x", "path: /hooks/x, says: hello")
    ask = next(
        a for a in asks_of(site_from(text.encode(), "f"), "m", None) if a.wanted == "service"
    )
    assert judged(ask, FINE, NOW).wrong == ""
    assert "not that of `web`" in judged(ask, replace(FINE, text="bye"), NOW).wrong


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_a_certificate_is_good_for_more_than_20_days(left: timedelta) -> None:
    found = judged(asked("a.firma.ru/ (vpn)"), replace(FINE, certificate_ends=NOW + left), NOW)
    assert (found.wrong == "") == (left > timedelta(days=20))
    assert found.days_left == left.days


KEYS = st.sampled_from("abcde")
WRONGS = st.dictionaries(KEYS, st.just("why"))


@given(st.lists(st.tuples(WRONGS, st.sets(KEYS))))
def test_each_failure_is_told_once_and_once_when_it_is_over(
    runs: list[tuple[dict[str, str], set[str]]],
) -> None:
    told: dict[str, str] = {}
    for wrong, more in runs:
        asks = more | set(wrong)
        fell, healed = news(told, wrong, asks)
        assert not set(fell) & set(told)
        assert set(healed) == (set(told) & asks) - set(wrong)
        told = {k: v for k, v in (told | fell).items() if k not in healed}
        assert set(wrong) <= set(told)
        assert news(told, wrong, asks) == ({}, [])
