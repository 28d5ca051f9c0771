"""``potok llm``: what the list of keys says, settings of tools, warnings of a table, kept texts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from deployments.cli.status import trouble_with_models
from deployments.cli.up import links
from deployments.llm_access import TABLE
from deployments.settings import read_settings
from lib.store.engine import Database
from lib.store.llm.calls import Calls
from lib.store.llm.health import Health, Healths
from tests.gateway.llm.test_usage_page import call
from tests.stack.conftest import Potok
from tests.stack.test_cli_llm import create
from tests.stack.test_cli_llm import db as db
from tests.support import free_port


async def test_the_list_says_what_was_spent_what_counts_and_until_when(
    potok: Potok, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(potok, db, "--tool", "dify", "--budget", "0.001usd/day", "--expires", "12h")
    await create(potok, db, "--tool", "cursor", "--budget", "5usd")
    spent = "insert into llm_spend select id, current_date, %s, 1 from llm_keys where name = %s"
    async with db.autocommit() as connection:
        await connection.execute(spent, ("0.0012", "dify"))
        await connection.execute(spent, ("0.000012", "cursor"))
    said = yaml.safe_load(TABLE.read_text()) | {"permissions": {"dify": ["main", "fast"]}}
    path = tmp_path / "llm.yaml"
    path.write_text(yaml.safe_dump(said))
    monkeypatch.setattr("deployments.llm_access.TABLE", path)
    _, shown, wrong = await potok("llm", "key", "list", DATABASE_URL=db.dsn)
    assert wrong == ""
    _, cursor, dify = shown.splitlines()
    assert "living" in cursor
    assert "0.000012 of 5usd" in cursor
    for words in ("used up", "main,fast (llm.yaml)", "0.0012 of 0.001usd/day"):
        assert words in dify
    end = datetime.now() + timedelta(hours=12)
    assert f"{end:%Y-%m-%d %H:}" in dify
    path.write_text("aliases: {}")
    code, shown, wrong = await potok("llm", "key", "list", DATABASE_URL=db.dsn)
    assert (code, len(shown.splitlines())) == (0, 3)
    assert wrong.startswith("llm.yaml: ")


@pytest.mark.parametrize(
    ("names", "has", "lacks"),
    [
        ("embed", ("Continue, embeddings", "model embed", "Ollama clients"), ("Claude", "WebUI")),
        ("*", ("ANTHROPIC_DEFAULT_HAIKU_MODEL=fast", "task model fast", "Dify, embeddings"), ()),
        ("main", ("add the model main", "function calling Tool Call"), ("autocomplete", "embed")),
        ("groq/*", ("model groq/<model id>",), ("embed", "Speech to text")),
        ("speech", ("Speech to text", "set SPEECH_MODEL"), ("OpenAI clients", "Claude")),
        (
            "main,qwen2.5-coder-autocomplete",
            ("model: qwen2.5-coder-autocomplete, apiBase", "roles: [autocomplete]"),
            ("embed", "add the model qwen2.5"),
        ),
    ],
)
async def test_the_settings_are_those_of_what_the_key_may(
    potok: Potok, db: Database, names: str, has: tuple[str, ...], lacks: tuple[str, ...]
) -> None:
    _, said = await create(potok, db, "--tool", "tool", "--aliases", names)
    for words in has:
        assert words in said
    for words in lacks:
        assert words not in said


async def test_a_key_for_recordings_says_where_they_go(
    potok: Potok, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECH_MODEL", "base")
    for names in ("speech", "*"):
        _, said = await create(potok, db, "--tool", f"tool-{names}", "--aliases", names)
        line = "Speech to text             base_url=http://127.0.0.1:8200/v1, the key as api_key"
        assert " ".join(line.split()) in " ".join(said.split())


async def test_what_will_be_missed_is_a_warning(potok: Potok, db: Database, tmp_path: Path) -> None:
    await create(potok, db, "--tool", "cursor")
    priced = Decimal(1)
    found = Health("grok", "probed", True, "ok", "", None, priced, priced, None, datetime.now(UTC))
    await Healths(db).write([found])
    said = yaml.safe_load(TABLE.read_text())
    said["providers"]["grok"] = {
        "kind": "openai",
        "base_url": "https://api.x.ai/v1",
        "credential": "grok",
        "egress": "mars",
    }
    grok = [{"provider": "grok", "model": name} for name in ("one", "probed")]
    local = {"provider": "ollama", "model": "qwen3:30b"}
    said["aliases"] |= {
        "cheap": {"order": "price", "candidates": [*grok, local]},
        "far": {"candidates": grok},
    }
    said["permissions"] = {"cursor": ["main"], "nobody": ["main"]}
    path = tmp_path / "new.yaml"
    path.write_text(yaml.safe_dump(said))
    code, out, wrong = await potok("llm", "check", str(path), DATABASE_URL=db.dsn)
    assert (code, out.startswith("OK: ")) == (0, True)
    lines = [line for line in wrong.splitlines() if " retires on " not in line]
    for line, beginning in zip(
        lines,
        (
            "providers.grok: nobody has configured `credential: grok`: make a block",
            "providers.grok: there is no way `egress: mars`: make a block",
            "cheap: grok/one has no `price`, and counts as the cheapest",
            "far: grok/one has no `price`: no budget counts it",
            "permissions.nobody: no living key has this name: `potok llm key create --tool nobody`",
        ),
        strict=True,
    ):
        assert line.startswith(beginning)
    down = f"postgresql://potok:hidden@127.0.0.1:{free_port()}/potok"
    code, _, wrong = await potok("llm", "check", str(path), DATABASE_URL=down)
    assert (code, "permissions" in wrong) == (0, False)


async def test_questions_that_were_kept_are_shown(potok: Potok, db: Database) -> None:
    code, said, _ = await potok("llm", "texts", DATABASE_URL=db.dsn)
    assert (code, "no question was kept" in said) == (0, True)
    messages = [
        {"role": "system", "content": "коротко"},
        {"role": "user", "content": [{"type": "text", "text": "Сколько\x1b[2J будет 2+2?"}]},
    ]
    await Calls(db).write(
        [
            call("main", 9, texts={"model": "main", "messages": messages}),
            call("main", 8),
            call("fast", 7, caller="dify", texts={"prompt": "привет"}),
        ]
    )
    code, said, wrong = await potok("llm", "texts", DATABASE_URL=db.dsn)
    assert (code, wrong) == (0, "")
    lines = said.splitlines()
    assert "continue → main  ok" in lines[0]
    assert lines[1:3] == ["  system: коротко", "  user: Сколько\ufffd[2J будет 2+2?"]
    assert lines[4] == "  привет"
    words = ("llm", "texts", "--tool", "dify", "--limit", "1", "--json")
    [row] = json.loads((await potok(*words, DATABASE_URL=db.dsn))[1])
    assert (row["caller"], row["texts"]) == ("dify", {"prompt": "привет"})


def test_up_says_where_the_door_and_its_page_are(tmp_path: Path) -> None:
    found = links(read_settings(POTOK_HOME=tmp_path, POTOK_LLM_PORT=8101))
    assert found["models"] == "http://127.0.0.1:8101/v1"
    assert found["usage"] == "http://127.0.0.1:8101/usage"


def test_status_says_what_is_wrong_with_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trouble_with_models() is None
    path = tmp_path / "llm.yaml"
    path.write_text("aliases: [")
    monkeypatch.setattr("deployments.llm_access.TABLE", path)
    told = trouble_with_models() or ""
    assert told.startswith("llm.yaml is no YAML: line 1")
    assert told.endswith("the door goes on with the table before it")
