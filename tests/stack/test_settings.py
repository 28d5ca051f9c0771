from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.logging.configuration import DEFAULT_LOGGING_SETTINGS_PATH, load_logging_config
from prefect.settings import Settings as PrefectSettings
from prefect.settings.models.root import _get_settings_accessors
from pydantic import SecretStr

from deployments.settings import (
    ROOT,
    Settings,
    read_settings,
    unknown_variables,
    variable_of,
)
from deployments.stack import child_env
from lib.errors import Rejected, Unavailable

REAL = {"POTOK_SANDBOX": False, "DATABASE_URL": "postgresql://u:pass-word@db:5433/potok"}


def test_defaults_are_the_sandbox_on_this_machine() -> None:
    settings = read_settings()
    assert settings.is_sandbox
    assert settings.home == ROOT / ".potok"
    assert settings.telegram_api_base == "http://127.0.0.1:8090/telegram"
    assert settings.telegram_webhook_url == "http://127.0.0.1:8000/hooks/telegram/main"
    assert settings.prefect_api_url == "http://127.0.0.1:4200/api"


@pytest.mark.parametrize(
    "variable",
    [
        {"TELEGRAM_BOT_TOKEN": "1:a"},
        {"BITRIX24_WEBHOOK_URL": "https://p.bitrix24.ru/rest/1/code"},
        {"LLM_BASE_URL": "http://llm/v1"},
    ],
)
def test_a_credential_means_the_real_vendors(variable: dict[str, str]) -> None:
    settings = read_settings(**variable)
    assert not settings.is_sandbox
    assert settings.telegram_api_base == "https://api.telegram.org"


def test_the_sandbox_counts_over_credentials_when_asked_for() -> None:
    settings = read_settings(POTOK_SANDBOX=True, TELEGRAM_BOT_TOKEN="1:real", POTOK_SANDBOX_PORT=9)
    assert settings.telegram_bot_token is not None
    assert "real" not in settings.telegram_bot_token.get_secret_value()
    assert settings.llm_base_url == "http://127.0.0.1:9/llm/v1"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("POTOK_PORT", "web", "POTOK_PORT should be a port, 1 to 65535, and it is 'web'"),
        ("BITRIX24_LIMIT", "many", "BITRIX24_LIMIT should be requests/requests a second"),
        ("POTOK_SANDBOX", "perhaps", "POTOK_SANDBOX should be true or false"),
        ("LLM_BASE_URL", "llm", "LLM_BASE_URL should be an address"),
        ("DATABASE_URL", "mysql://u:hidden@h/d", "DATABASE_URL should be postgresql://"),
        ("DATABASE_URL", "postgresql://u:hidden@h", "DATABASE_URL should name a database"),
        ("BITRIX24_WEBHOOK_URL", "https://p/hidden", "BITRIX24_WEBHOOK_URL should be https://"),
        ("TELEGRAM_WEBHOOK_URL", "https://p/hooks/telegram", "/hooks/telegram/main: the gateway"),
        ("TELEGRAM_WEBHOOK_URL", "https://p/hooks/telegram/other", "/hooks/telegram/main: the"),
        ("TELEGRAM_WEBHOOK_URL", "https://p q/hooks/telegram/main", "/hooks/telegram/main: the"),
        ("TELEGRAM_WEBHOOK_SECRET", "hidden word", "TELEGRAM_WEBHOOK_SECRET should be 1 to 256"),
        ("TELEGRAM_WEBHOOK_SECRET", "x" * 257, "TELEGRAM_WEBHOOK_SECRET should be 1 to 256"),
        ("SPEECH_DEVICE", "gpu", "SPEECH_DEVICE should be cpu, cuda or auto, and it is 'gpu'"),
        ("SPEECH_LANGUAGE", "Russian", "SPEECH_LANGUAGE should be a code of ISO 639-1"),
        ("SPEECH_BEAM", "0", "SPEECH_BEAM should be candidates followed at once, 1 to 10"),
        ("SPEECH_BEAM", "11", "SPEECH_BEAM should be candidates followed at once, 1 to 10"),
        ("SPEECH_VAD", "silero", "SPEECH_VAD should be true or false, and it is 'silero'"),
        ("SPEECH_BATCH", "65", "SPEECH_BATCH should be pieces heard together, 1 to 64"),
        ("SPEECH_THREADS", "-1", "SPEECH_THREADS should be threads for a part, 1 to 256, or 0"),
        ("FORWARDER_SECRET", "whsec_hidden", "FORWARDER_SECRET should be whsec_ and 24 to 64"),
        ("FORWARDER_SECRET", "A" * 44, "FORWARDER_SECRET should be whsec_"),
        ("FORWARDER_SECRET", "whsec_" + "A" * 88, "FORWARDER_SECRET should be whsec_"),
        ("FORWARDER_SECRET", "whsec_" + "ж" * 44, "FORWARDER_SECRET should be whsec_"),
        ("INGRESS_DIR", "/etc/traefik/potok", "so INGRESS_PUBLIC_ADDRESS and INGRESS_ACME_EMAIL"),
        ("INGRESS_VPN_ADDRESS", "10.66.66.0/24", "INGRESS_VPN_ADDRESS should be an IP address"),
        (
            "INGRESS_ACME_SERVER",
            "http://ca",
            "INGRESS_ACME_SERVER should be an address that starts",
        ),
        ("INGRESS_ACME_CHALLENGE", "dns", "INGRESS_ACME_CHALLENGE should be tls or http"),
    ],
)
def test_a_wrong_value_is_one_line_without_secrets(variable: str, value: str, words: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_settings(**{variable: value})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_hook_is_that_of_the_bot() -> None:
    url = "https://potok.example/hooks/telegram/sales"
    settings = read_settings(TELEGRAM_BOT_NAME="sales", TELEGRAM_WEBHOOK_URL=url, **REAL)
    assert settings.telegram_webhook_url == url
    with pytest.raises(Rejected, match=r"^TELEGRAM_BOT_NAME should be letters[^;]*$"):
        read_settings(TELEGRAM_BOT_NAME="a b", TELEGRAM_WEBHOOK_URL=url)


@given(st.binary(min_size=24, max_size=64))
def test_a_forwarders_secret_is_any_of_24_to_64_bytes(key: bytes) -> None:
    secret = f"whsec_{base64.b64encode(key).decode()}"
    assert read_settings(FORWARDER_SECRET=secret, **REAL).forwarder_secret == SecretStr(secret)


def test_a_variable_that_nobody_reads_is_told_with_the_nearest(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("POTOK_PROT=1\nPOTOK_PORT=8001\nPORT=2\nexport POTOK_SANDBOKS=true\n")
    assert unknown_variables(env_file) == [
        "POTOK_PROT in .env is read by nobody: is POTOK_PORT meant?",
        "POTOK_SANDBOKS in .env is read by nobody: is POTOK_SANDBOX meant?",
    ]
    assert unknown_variables(tmp_path / "absent") == []
    assert unknown_variables(ROOT / ".env.example") == []


def test_variables_of_the_shell_that_only_look_alike_are_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("POTOK_PG_PORT", "")
    settings = read_settings()
    assert (settings.port, settings.home, settings.pg_port) == (8000, ROOT / ".potok", 5440)


def test_addresses_of_a_given_database() -> None:
    settings = read_settings(**REAL)
    assert settings.database_url == "postgresql://u:pass-word@db:5433/potok"
    assert settings.prefect_database_url == "postgresql+asyncpg://u:pass-word@db:5433/prefect"
    tls = read_settings(DATABASE_URL="postgres://u@db/potok?sslmode=require")
    assert tls.database_url == "postgresql://u@db/potok?sslmode=require"
    assert tls.prefect_database_url == "postgresql+asyncpg://u@db/prefect?ssl=require"


def test_an_embedded_database_that_was_never_started(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="potok up"):
        _ = read_settings(POTOK_HOME=tmp_path).database_url


def test_a_child_reads_the_very_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(POTOK_HOME="/srv/p", POTOK_PORT=8001, **REAL, LLM_API_KEY="k")
    for name, value in settings.child_env().items():
        monkeypatch.setenv(name, value)
    child = read_settings()
    assert child.model_dump(exclude={"given_prefect_api_url"}) == settings.model_dump(
        exclude={"given_prefect_api_url"}
    )
    assert child.prefect_api_url == settings.prefect_api_url


def test_only_the_server_is_given_prefects_database() -> None:
    settings = read_settings(**REAL, PREFECT_API_AUTH_STRING="admin:pass")
    name = "PREFECT_API_DATABASE_CONNECTION_URL"
    assert name not in settings.child_env()
    assert settings.server_env()[name] == settings.prefect_database_url
    assert settings.server_env()["PREFECT_SERVER_API_AUTH_STRING"] == "admin:pass"


def test_prefect_knows_every_variable_it_is_given() -> None:
    known = _get_settings_accessors(PrefectSettings)
    names = [name for name in read_settings(**REAL).server_env() if name.startswith("PREFECT_")]
    assert set(child_env.PREFECT) & set(known) <= set(names)
    assert [name for name in names if name not in {*known, *child_env.LOGGING}] == []


def test_prefect_logs_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in child_env.LOGGING.items():
        monkeypatch.setenv(name, value)
    said = load_logging_config(DEFAULT_LOGGING_SETTINGS_PATH)
    (handler,) = said["root"]["handlers"]
    assert "Console" not in said["handlers"][handler]["class"]
    assert said["handlers"][handler]["formatter"] == "standard"


def test_secrets_are_not_in_the_repr() -> None:
    settings = read_settings(**REAL, TELEGRAM_BOT_TOKEN="1:hidden", LLM_API_KEY="hidden")
    assert "hidden" not in repr(settings)
    assert "pass-word" not in repr(settings)


def test_every_variable_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    missing = [v for f in Settings.model_fields if f"{(v := variable_of(f))}=" not in example]
    assert missing == []


def test_a_copied_example_changes_nothing() -> None:
    assert read_settings(_env_file=ROOT / ".env.example") == read_settings()


@given(st.integers(1, 500), st.decimals(0, 100, places=1))
def test_the_limit_is_read_as_it_was_written(slots: int, per_s: object) -> None:
    assert read_settings(BITRIX24_LIMIT=f"{slots}/{per_s}").bitrix_limit == (
        slots,
        float(str(per_s)),
    )
    assert read_settings(BITRIX24_LIMIT="off").bitrix_limit is None
