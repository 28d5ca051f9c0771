"""``potok llm``: keys, models and usage in a real database; questions through a real door."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from deployments.cli.doctor import BROKEN, MISSING, OFF, OK, examine
from deployments.llm_access import TABLE
from deployments.settings import read_settings
from lib.domain.llm.keys import key_hash
from lib.store.engine import Database
from lib.store.llm.calls import Calls
from lib.store.llm.health import Health, Healths
from lib.store.llm.keys import Keys
from tests.gateway.llm.open_house import Open, opened
from tests.gateway.llm.test_usage_page import call
from tests.stack.conftest import Potok
from tests.support import free_port


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    found = Database(database, pool_size=1)
    async with found.autocommit() as connection:
        await connection.execute("truncate llm_keys, llm_calls, llm_spend, llm_health cascade")
    yield found
    await found.close()


async def create(potok: Potok, db: Database, *words: str) -> tuple[str, str]:
    """A new key and all that is said of it."""
    code, said, wrong = await potok("llm", "key", "create", *words, DATABASE_URL=db.dsn)
    assert (code, wrong) == (0, "")
    return said.split()[1], said


async def test_a_key_is_made_and_shown_once(potok: Potok, db: Database) -> None:
    words = "--budget 10usd/month --rpm 60 --expires 30d --keep-texts --usage-page"
    names = "claude-sonnet,fast,fast"
    secret, said = await create(potok, db, "--tool", "continue", "--aliases", names, *words.split())
    assert secret.startswith("potok-")
    assert said.count(secret) == 1
    for word in ("Continue", "Cursor", "Claude Code", "Open WebUI"):
        assert f"\n{word} " in said
    assert "ANTHROPIC_MODEL=claude-sonnet ANTHROPIC_DEFAULT_HAIKU_MODEL=fast" in said
    assert "/v1, apiKey: the key" in said
    assert "/usage" in said
    [key] = await Keys(db).living()
    assert key.hash == key_hash(secret)
    assert (key.names, str(key.budget), key.rpm) == (("claude-sonnet", "fast"), "10usd/month", 60)
    assert key.keeps_texts
    assert key.sees_usage
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - datetime.now(UTC) <= timedelta(days=30)


async def test_a_key_without_limits_may_ask_for_all(potok: Potok, db: Database) -> None:
    await create(potok, db, "--tool", "Дифай")
    [key] = await Keys(db).living()
    assert (key.name, key.names, key.budget, key.rpm) == ("Дифай", ("*",), None, None)
    assert not key.keeps_texts
    assert not key.sees_usage


async def test_keys_are_listed_and_revoked(potok: Potok, db: Database) -> None:
    first, _ = await create(potok, db, "--tool", "cursor", "--budget", "1usd/day")
    second, _ = await create(potok, db, "--tool", "dify", "--aliases", "main")
    code, said, _ = await potok("llm", "key", "list", DATABASE_URL=db.dsn)
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == ["tool", "dify", "cursor"]
    assert "0.00 of 1usd/day" in said
    code, said, _ = await potok("llm", "key", "revoke", "cursor", DATABASE_URL=db.dsn)
    assert (code, said) == (0, f"cursor ({first[:12]}…) opens nothing more\n")
    code, said, _ = await potok("llm", "key", "revoke", second[:12], DATABASE_URL=db.dsn)
    assert (code, said.split()[0]) == (0, "dify")
    code, said, _ = await potok("llm", "key", "list", "--json", DATABASE_URL=db.dsn)
    rows = json.loads(said)
    assert {row["name"]: row["state"] for row in rows} == {"cursor": "revoked", "dify": "revoked"}
    assert (rows[1]["budget"], rows[1]["spent_usd"]) == ("1usd/day", 0)
    assert (rows[0]["may_ask_for"], rows[1]["may_ask_for"]) == (["main"], ["*"])
    assert key_hash(first) not in said
    assert first not in said


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("key create --tool a --aliases man", "no model 'man': is main meant?"),
        ("key create --tool a --aliases main,nonesuch", "no model 'nonesuch': there are chimera"),
        ("key create --tool a --aliases ,", "--aliases names nothing"),
        ("key create --tool a --aliases grok/*", "grok/*: `models` of the table has ollama/*"),
        (
            "key create --tool a --budget ten",
            "a budget is such as 10usd/month, 1usd/day or 100usd, without a space, and 0.0001usd",
        ),
        (
            "key create --tool a --expires soon",
            "a span of time is such as 30d or 12h (days or hours), not 'soon'",
        ),
        (f"key create --tool {'a' * 65}", "--tool should be a name"),
        ("key create --tool \x1b[2J", "--tool should be a name"),
        ("key create --tool cursor", "there is a key named 'cursor'"),
        ("key revoke cursr", "no living key named 'cursr': is cursor meant?"),
        ("key revoke nobody", "no living key named 'nobody': `potok llm key list` shows them"),
        ("usage --by colour", "usage is by key, alias, provider, model, day"),
        ("usage --since yesterday", "a span of time is such as 30d"),
        ("ask main ping", "give --key or set POTOK_LLM_KEY"),
    ],
)
async def test_what_is_wrong_is_one_line_and_changes_nothing(
    potok: Potok, db: Database, words: str, line: str
) -> None:
    await create(potok, db, "--tool", "cursor")
    code, said, wrong = await potok("llm", *words.split(), DATABASE_URL=db.dsn)
    assert (code, said) == (1, "")
    assert wrong.startswith(line)
    assert wrong.count("\n") == 1
    assert [key.name for key in await Keys(db).living()] == ["cursor"]


@pytest.mark.parametrize("words", ["key list", "key revoke a", "usage", "models"])
async def test_a_database_that_is_down_is_one_line(potok: Potok, words: str) -> None:
    down = f"postgresql://potok:hidden@127.0.0.1:{free_port()}/potok"
    code, said, wrong = await potok("llm", *words.split(), DATABASE_URL=down)
    assert (code, said) == (1, "")
    assert wrong == "the database does not answer: check DATABASE_URL\n"


async def test_usage_is_summed(potok: Potok, db: Database) -> None:
    assert (
        "nothing was called in the last 1d"
        in (await potok("llm", "usage", "--since", "1d", DATABASE_URL=db.dsn))[1]
    )
    hostile = call("[red]\x1b[2J", price_usd=None, first_token_ms=None)
    await Calls(db).write([call("main"), call("main", 3_000), call("fast"), hostile])
    code, said, wrong = await potok("llm", "usage", "--by", "alias", DATABASE_URL=db.dsn)
    assert (code, wrong) == (0, "")
    head, first, *_ = said.splitlines()
    assert head.split()[:5] == ["alias", "calls", "failed", "refused", "cached"]
    assert " ".join(first.split()) == "main 2 0 0 0 2400 600 0.5000 120 / 120 900 / 900"
    assert "[red]\ufffd[2J" in said
    words = ("llm", "usage", "--since", "12h", "--by", "key", "--json")
    [row] = json.loads((await potok(*words, DATABASE_URL=db.dsn))[1])
    assert (row["name"], row["calls"], row["usd"]) == ("continue", 3, 0.5)


async def test_models_are_listed_with_the_last_probe(potok: Potok, db: Database) -> None:
    now = datetime.now(UTC)
    well = Health("ollama", "qwen3:30b", True, "ok", "", 81.4, None, None, None, now)
    priced = Decimal("0.6"), Decimal("2.2"), date(2027, 1, 1)
    ill = Health(
        "openrouter", "deepseek/deepseek-r1-0528", False, "blocked", "451", None, *priced, now
    )
    await Healths(db).write([well, ill])
    code, said, wrong = await potok("llm", "models", DATABASE_URL=db.dsn)
    assert (code, wrong) == (0, "")
    lines = [line.split() for line in said.splitlines()]
    assert ["main", "ollama/qwen3:30b", "ok", "81", "ms"] in lines
    assert ["openrouter/deepseek/deepseek-r1-0528", "blocked", "0.6", "/", "2.2"] in lines
    hears = ["groq/whisper-large-v3", "not", "probed", "yet", "0.111", "/", "hour"]
    assert hears in lines
    rows = json.loads((await potok("llm", "models", "--json", DATABASE_URL=db.dsn))[1])
    assert {row["alias"] for row in rows} == set(yaml.safe_load(TABLE.read_text())["aliases"])
    [sonnet] = [row for row in rows if row["model"] == "claude-sonnet-4-5"]
    assert (sonnet["state"], sonnet["price_in_usd"], sonnet["retires"]) == (None, 3, "2026-11-30")


async def test_the_table_is_checked(potok: Potok, tmp_path: Path) -> None:
    code, said, _ = await potok("llm", "check")
    assert code == 0
    assert said.startswith("OK: ")
    wrong_table = yaml.safe_load(TABLE.read_text())
    wrong_table["aliases"]["main"]["candidates"][0]["num_ctx"] = 3
    path = tmp_path / "new.yaml"
    path.write_text(yaml.safe_dump(wrong_table))
    code, said, wrong = await potok("llm", "check", str(path))
    assert (code, said) == (1, "")
    assert wrong.startswith("new.yaml: aliases.main.candidates.0.num_ctx: ")
    code, _, wrong = await potok("llm", "check", str(tmp_path / "none.yaml"))
    assert (code, wrong) == (1, "none.yaml cannot be read: No such file or directory\n")


@pytest.fixture
async def door(db: Database, tmp_path: Path) -> AsyncIterator[Open]:
    async with opened(db.dsn, tmp_path) as found:
        yield found


async def test_a_question_is_answered(potok: Potok, door: Open) -> None:
    port = door.url.rpartition(":")[2]
    words = ("llm", "ask", "main", "repeat 30")
    code, said, wrong = await potok(*words, "--key", door.key, POTOK_LLM_PORT=port)
    assert (code, wrong) == (0, "")
    assert len(said.split()) >= 30
    assert said.endswith("\n")
    code, said, _ = await potok(*words, POTOK_LLM_KEY=door.key, POTOK_LLM_PORT=port)
    assert code == 0
    assert len(said.split()) >= 30


async def test_a_question_that_is_not_answered_is_one_line(potok: Potok, door: Open) -> None:
    port = {"POTOK_LLM_PORT": door.url.rpartition(":")[2]}
    code, said, wrong = await potok("llm", "ask", "main", "ping", "--key", "potok-no", **port)
    assert (code, said, wrong.count("\n")) == (1, "", 1)
    assert wrong.startswith("this key is not known")
    code, said, wrong = await potok("llm", "ask", "man", "ping", "--key", door.key, **port)
    assert (code, said) == (1, "")
    assert wrong.startswith("no model 'man': is main meant?")
    await door.fail("ollama", "error_midstream", after_chunks=20)
    code, said, wrong = await potok("llm", "ask", "main", "repeat 30", "--key", door.key, **port)
    assert code == 1
    assert said.endswith("\n"), wrong
    assert wrong.startswith("ollama/qwen3:30b broke off")
    code, _, wrong = await potok("llm", "ask", "main", "ping", "--key", "k", POTOK_LLM_PORT="1")
    assert code == 1
    assert wrong == "nobody answers at http://127.0.0.1:1: `potok up` starts the door\n"


async def test_the_doctor_looks_at_the_door_and_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"POTOK_HOME": tmp_path, "LLM_BASE_URL": f"http://127.0.0.1:{free_port()}/v1"}
    given |= {"GROQ_API_KEY": "hidden-key", "EGRESS_PROXY_URL": "http://hidden:hidden@[::1]:1"}
    found = {each.name: each for each in await examine(read_settings(**given))}
    assert found["models"].state == OFF
    assert found["llm.yaml"].state == OK
    assert found["GROQ_API_KEY"].state == found["EGRESS_PROXY_URL"].state == OK
    assert found["OPENROUTER_API_KEY"].state == found["ANTHROPIC_API_KEY"].state == MISSING
    assert not [each for each in found.values() if "hidden" in each.words]

    wrong = tmp_path / "llm.yaml"
    wrong.write_text("aliases: {}")
    monkeypatch.setattr("deployments.llm_access.TABLE", wrong)
    settings = read_settings(POTOK_HOME=tmp_path, POTOK_SANDBOX=True)
    found = {each.name: each for each in await examine(settings)}
    assert found["llm.yaml"].state == BROKEN
    assert found["llm.yaml"].words.startswith("llm.yaml: ")
    assert "models" in found
    assert "GROQ_API_KEY" not in found
