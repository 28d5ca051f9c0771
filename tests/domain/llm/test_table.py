"""The table: what ships with potok, what is refused, and who answers for a name."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from deployments.settings import ROOT
from lib.domain.llm.choice import Health, ordered
from lib.domain.llm.circuit import FAILURES, LONGEST_PAUSE_S, PAUSE_S, Circuit
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.table import (
    Alias,
    Candidate,
    Gives,
    Price,
    Provider,
    Table,
    Timeouts,
    UnknownModel,
    candidates_for,
    check_gives,
    table_from,
)
from lib.errors import Rejected

SHIPPED = yaml.safe_load((ROOT / "deployments" / "llm.yaml").read_text())
OF_THE_MAP = {
    "main": "qwen3:30b",
    "code": "qwen3-coder:30b",
    "reasoning": "deepseek-r1:8b",
    "fast": "llama3.1:8b",
    "qwen2.5-coder-autocomplete": "qwen2.5-coder:1.5b",
    "embed": "nomic-embed-text",
    "speech": "whisper-large-v3-turbo",
    "chimera": "tngtech/deepseek-r1t2-chimera",
    "groq-fast": "openai/gpt-oss-20b",
    "claude-sonnet": "claude-sonnet-4-5",
    "claude-opus": "claude-opus-4-6",
}
LONG_AGO = date(2026, 1, 1)


def said(**changes: Any) -> dict[str, Any]:
    return {
        "providers": {"here": {"kind": "ollama", "base_url": "http://127.0.0.1:11434"}},
        "aliases": {"main": {"candidates": [{"provider": "here", "model": "m:1b"}]}},
    } | changes


def test_the_shipped_table_has_the_aliases_of_the_map() -> None:
    table = table_from(SHIPPED)
    assert {name: alias.candidates[0].model for name, alias in table.aliases.items()} == OF_THE_MAP


@pytest.mark.parametrize("name", ["claude-sonnet", "claude-opus"])
def test_a_model_that_retires_has_a_successor(name: str) -> None:
    alias = table_from(SHIPPED).aliases[name]
    retired = alias.candidates[0].retires
    assert retired is not None
    after = ordered(alias, {}, lambda _: 0.0, retired)
    assert after == list(alias.candidates[1:])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aliases": {"a": {"candidates": [{"provider": "hare", "model": "m"}]}}}, "is here meant"),
        ({"aliases": {"a": {"candidates": []}}}, "aliases.a.candidates: is empty: name one"),
        ({"models": ["there"]}, "no provider 'there'"),
        ({"permissions": {"cursor": ["mein"]}}, "is main meant"),
        ({"permissions": {"cursor": ["here/*"]}}, "`models` has no 'here'"),
        ({"typo": 1}, "typo: there is no such field"),
        ({"modells": []}, "modells: there is no such field: is models meant?"),
        ({"providers": {"x": {"kind": "ollama"}}}, "providers.x.base_url: is missing"),
        ({"providers": {"x": {"base_url": "http://x"}}}, "providers.x.kind: is missing"),
        ({"providers": {}}, "providers: is empty"),
        ({"aliases": {"a": None}}, "aliases.a: should have fields, such as `name: value`"),
        ({"aliases": {"a": {"candidates": "x"}}}, "aliases.a.candidates: should be a list"),
        ({"providers": {"x": {"kind": "ollama", "base_url": "ftp://x"}}}, "such as http://127"),
        ({"cache_s": -1}, "cache_s"),
        (
            {"aliases": {"s": {"hears": True, "candidates": [{"provider": "here", "model": "w"}]}}},
            "alias 's' hears, and 'here' is of kind ollama, which takes no recordings: name a"
            " provider of kind groq, openai, openrouter",
        ),
        (
            {
                "aliases": {
                    "s": {
                        **{"hears": True, "embeds": True},
                        "candidates": [{"provider": "here", "model": "w"}],
                    }
                }
            },
            "make two aliases",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_the_place(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected) as refused:
        table_from(said(**changes))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("said_", ["30m", "1h30m", "1.5h", "-1m", "0", 0, -1, 600, None])
def test_ollama_is_told_how_long_to_keep_a_model(said_: object) -> None:
    candidate = {"provider": "here", "model": "m:1b", "keep_alive": said_}
    table = table_from(said(aliases={"main": {"candidates": [candidate]}}))
    assert table.aliases["main"].candidates[0].keep_alive == said_


@pytest.mark.parametrize("said_", ["30", "-1", "half an hour", "30 m", "30min", "", True, 1.5, []])
def test_what_ollama_would_refuse_is_refused_here(said_: object) -> None:
    candidate = {"provider": "here", "model": "m:1b", "keep_alive": said_}
    with pytest.raises(Rejected, match=r"candidates\.0\.keep_alive: should be a time such as 30m"):
        table_from(said(aliases={"main": {"candidates": [candidate]}}))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_document_breaks_the_table(document: object) -> None:
    with pytest.raises(Rejected):
        table_from(document)


def test_an_unknown_name_gets_the_near_ones() -> None:
    with pytest.raises(UnknownModel, match="is code meant"):
        candidates_for(table_from(SHIPPED), "cod")
    for far in ("zzz", "nope"):
        with pytest.raises(UnknownModel, match=f"no model '{far}': there are chimera"):
            candidates_for(table_from(SHIPPED), far)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("qwen3:30b", "ollama/qwen3:30b"),
        ("deepseek/deepseek-r1-0528", "openrouter/deepseek/deepseek-r1-0528"),
        ("claude-opus-4-8", "anthropic/claude-opus-4-8"),
        ("openrouter/some/model:free", "openrouter/some/model:free"),
        ("ollama/mistral:7b", "ollama/mistral:7b"),
    ],
)
def test_a_real_model_may_be_named(name: str, found: str) -> None:
    assert candidates_for(table_from(SHIPPED), name).candidates[0].name == found


def test_a_real_model_may_not_be_named_where_the_table_does_not_say_so() -> None:
    for name in ("m:1b", "here/m:1b", "here/other"):
        with pytest.raises(UnknownModel):
            candidates_for(table_from(said()), name)


def test_a_price_counts_cached_tokens_apart() -> None:
    price = Price(input=Decimal(3), output=Decimal(15), cached=Decimal("0.3"))
    assert price.of(1_000_000, 0, 1_000_000) == Decimal(18)
    assert price.of(1_000_000, 1_000_000, 0) == Decimal("0.3")
    assert price.of(10, 20, 0) >= 0


def test_a_recording_is_priced_by_the_hour() -> None:
    price = Price(hour=Decimal("0.04"))
    assert price.of(0, 0, 0, 3600.0) == Decimal("0.04")
    assert price.of(0, 0, 0, 90.5) == Decimal("0.001005555556")


@pytest.mark.parametrize(
    ("name", "wanted", "words"),
    [
        ("main", "transcripts", "`main` hears no recordings: ask `speech`"),
        ("embed", "transcripts", "`embed` makes vectors only: ask `speech`"),
        ("speech", "words", "`speech` hears recordings only: ask `main` or `code` or `reasoning`"),
        ("speech", "vectors", "`speech` hears recordings only: ask `embed`"),
    ],
)
def test_what_an_alias_does_not_give_is_refused(name: str, wanted: Gives, words: str) -> None:
    table = table_from(SHIPPED)
    with pytest.raises(NotForThisModel) as refused:
        check_gives(table, name, wanted)
    assert str(refused.value) == words
    check_gives(table, name, table.aliases[name].gives)
    check_gives(table, "groq/whatever", wanted)  # its provider says


def test_where_no_alias_hears_that_is_said() -> None:
    with pytest.raises(NotForThisModel, match="hears no recordings, and no alias of the table"):
        check_gives(table_from(said()), "main", "transcripts")


def alias(order: str = "listed") -> Alias:
    def one(name: str, cost: int) -> Candidate:
        price = Price(input=Decimal(cost))
        return Candidate(provider=name, model="m", price=price)

    return Alias(order=order, candidates=(one("a", 3), one("b", 1), one("c", 2)))


def chosen(of: Alias, health: dict[str, Health], waits: dict[str, float] | None = None) -> str:
    found = ordered(of, health, lambda name: (waits or {}).get(name, 0.0), LONG_AGO)
    return "".join(candidate.provider for candidate in found)


def test_candidates_are_ordered_as_the_alias_says() -> None:
    slow, quick = Health(first_token_ms=900.0), Health(first_token_ms=40.0)
    assert chosen(alias(), {}) == "abc"
    assert chosen(alias("price"), {}) == "bca"
    assert chosen(alias("price"), {"a/m": Health(price=Decimal("0.5"))}) == "abc"
    assert chosen(alias("latency"), {"a/m": slow, "c/m": quick}) == "cab"


def test_the_ill_come_last_and_open_circuits_not_at_all() -> None:
    assert chosen(alias(), {"a/m": Health(ok=False)}) == "bca"
    assert chosen(alias(), {}, {"a/m": 3.0}) == "bc"
    assert chosen(alias(), {}, dict.fromkeys(("a/m", "b/m", "c/m"), 3.0)) == ""


@given(st.lists(st.sampled_from(["ok", "fail", "gone"]), max_size=60), st.data())
def test_a_circuit_lets_one_try_through_when_its_pause_is_over(
    steps: list[str], data: st.DataObject
) -> None:
    circuit, now, in_a_row = Circuit(), 0.0, 0
    for step in steps:
        now += data.draw(st.floats(0, 200))
        wait_s = circuit.wait_s(now)
        assert 0 <= wait_s <= LONGEST_PAUSE_S
        assert (wait_s == 0) or in_a_row >= FAILURES
        now += wait_s
        circuit.began(now)
        if circuit.open_until is not None:
            assert circuit.wait_s(now) > 0  # it is half-open: no other try
        if step == "ok":
            circuit.went_well()
            in_a_row = 0
            assert circuit.wait_s(now) == 0
        elif step == "fail":
            circuit.failed(now)
            in_a_row += 1
            is_open = circuit.wait_s(now) > PAUSE_S - 1e-6  # floats: now + 5 - now is not 5
            assert is_open == (in_a_row >= FAILURES)
        else:
            circuit.given_up()
            assert circuit.wait_s(now) == 0


def test_a_provider_that_says_when_to_come_back_is_believed() -> None:
    circuit = Circuit()
    circuit.failed(100.0, retry_after_s=7)
    assert circuit.wait_s(100.0) == 7
    assert circuit.wait_s(107.0) == 0


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("The whole", Table),
        ("`providers.<name>`", Provider),
        ("`providers.<name>.timeouts`", Timeouts),
        ("`aliases.<name>`", Alias),
        ("`aliases.<name>.candidates`", Candidate),
        ("`aliases.<name>.candidates.price`", Price),
    ],
)
def test_every_field_has_its_line_in_the_docs(heading: str, model: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "llm-table.md").read_text()
    section = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| \S", section, re.M)
    assert rows == list(model.model_fields)
