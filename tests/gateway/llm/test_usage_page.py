"""The usage page: who sees it, what it says, and that no name on it does anything."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import httpx
import pytest

from lib.domain.plots import COLOURS
from lib.store.llm.calls import Call
from tests.gateway.llm.open_house import Open

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"
ADDRESS = re.compile(r"""(?:src|href|url|action)\s*[=(]\s*["']?([^"'\s>)]+)""")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}


def tags_in(page: str) -> _Tags:
    tags = _Tags()
    tags.feed(page)
    tags.close()
    return tags


def call(alias: str, minutes_ago: float = 5, caller: str = "continue", **fields: object) -> Call:
    given: dict[str, object] = {
        "at": datetime.now(UTC) - timedelta(minutes=minutes_ago),
        "key_id": None,
        "caller": caller,
        "door": "chat",
        "alias": alias,
        "provider": "ollama",
        "model": "qwen3:30b",
        "prompt_tokens": 1_200,
        "cached_tokens": 0,
        "completion_tokens": 300,
        "price_usd": Decimal("0.25"),
        "first_token_ms": 120.0,
        "total_ms": 900.0,
        "outcome": "ok",
        "status": 200,
        "reason": None,
        "tries": [],
        "texts": None,
    }
    return Call(**(given | fields))  # type: ignore[arg-type]


async def page(door: Open, path: str = "/usage", *, key: str | None = None) -> httpx.Response:
    secret = await door.new_key("boss", sees_usage=True) if key is None else key
    return await door.http.get(door.url + path, auth=("anybody", secret))


async def test_it_shows_sums_and_plots(door: Open) -> None:
    calls = [call("main", minutes) for minutes in (5, 200, 3_000)]
    calls.append(call("fast", caller="cursor", provider="groq", outcome="failed", status=502))
    await door.house.meter.calls.write(calls)
    answer = await page(door)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["cache-control"] == "no-store"
    for word in ("continue", "cursor", "main", "fast", "ollama", "groq", "$1.00", "$0.75", "120"):
        assert word in answer.text
    assert answer.text.count("<svg") == 3
    tags = tags_in(answer.text)
    assert not {"script", "link", "img", "iframe", "form"} & set(tags.names)
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert set(ADDRESS.findall(answer.text)) == {
        f"?since={span}" for span in ("1d", "7d", "30d", "90d")
    }


async def test_a_shorter_time_shows_less(door: Open) -> None:
    await door.house.meter.calls.write([call("main"), call("code", 3_000)])
    secret = await door.new_key("boss", sees_usage=True)
    week = (await page(door, "/usage?since=7d", key=secret)).text
    day = (await page(door, "/usage?since=1d", key=secret)).text
    assert ">code<" in week
    assert "code" not in day.replace("charset", "")
    assert 'href="?since=1d" aria-current="page"' in day


async def test_without_calls_it_says_so(door: Open) -> None:
    answer = await page(door)
    assert answer.status_code == 200
    assert "никто ни о чём не спрашивал" in answer.text
    assert "<svg" not in answer.text


async def test_hostile_names_do_nothing(door: Open) -> None:
    fields = {"provider": HOSTILE, "model": HOSTILE}
    await door.house.meter.calls.write([call(HOSTILE, caller=HOSTILE, **fields)])
    answer = await page(door)
    assert answer.status_code == 200
    tags = tags_in(answer.text)
    assert not {"script", "img"} & set(tags.names)
    assert "onerror" not in tags.attributes
    assert "{{ 7*7 }}" in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text


async def test_names_without_end_are_cut(door: Open) -> None:
    await door.house.meter.calls.write([call(f"name-{number}") for number in range(80)])
    text = (await page(door)).text
    assert "и ещё 30" in text
    assert text.count("■") == 3 * len(COLOURS)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic",
        "Basic ***",
        "Basic /////w==",
        "Basic Ym9zcw==",
        "Basic Ym9zczo=",
        "Basic Ym9zczpwb3Rvay1ub2JvZHk=",
        "Basic Ym9zczoAAA==",
        "Digest username=boss",
    ],
)
async def test_without_its_key_a_browser_asks_for_it(door: Open, header: str | None) -> None:
    headers = {"authorization": header} if header else {}
    answer = await door.http.get(f"{door.url}/usage", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert "<" not in answer.text


async def test_a_key_for_questions_does_not_open_it(door: Open) -> None:
    refused = await page(door, key=door.key)
    unknown = await page(door, key="potok-nobody")
    assert refused.status_code == unknown.status_code == 401
    assert refused.text == unknown.text
    bearer = {"authorization": f"Bearer {await door.new_key('boss', sees_usage=True)}"}
    answer = await door.http.get(f"{door.url}/usage", headers=bearer)
    assert answer.status_code == 401, "it is a browser's page"


@pytest.mark.parametrize("since", ["", "soon", "0d", "367d", "99999d", "7d%00", "<b>", "-1d"])
async def test_a_wrong_time_is_told(door: Open, since: str) -> None:
    answer = await page(door, f"/usage?since={since}")
    assert answer.status_code == 400
    assert "Срок" in answer.text
