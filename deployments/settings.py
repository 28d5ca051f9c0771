"""The environment, read once and typed: what runs where, and with whose credentials.

Without vendor credentials, or with ``POTOK_SANDBOX=true``, every vendor's address is the
sandbox's. A value that is set but empty counts as not set, so a copied ``.env.example`` is valid.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from deployments import credentials
from deployments.credentials import Address
from deployments.settings_advice import advice
from deployments.settings_ingress import IngressSettings
from deployments.settings_mcp import McpSettings
from deployments.settings_speech import SpeechSettings
from deployments.stack import child_env, sandbox_access
from lib.errors import Rejected, Unavailable

ROOT = Path(__file__).resolve().parent.parent
LOOPBACK = "127.0.0.1"

Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(SpeechSettings, IngressSettings, McpSettings):
    """Everything the environment says; made as ``Settings(POTOK_PORT=8001)``, by variable."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        extra="ignore",
        # By variable only: a field named `home` must never be filled from HOME.
        alias_generator=str.upper,
    )

    home: Path = Field(default=Path(".potok"), validation_alias="POTOK_HOME")
    host: str = Field(default=LOOPBACK, validation_alias="POTOK_HOST")
    port: Port = Field(default=8000, validation_alias="POTOK_PORT")
    llm_port: Port = Field(default=8100, validation_alias="POTOK_LLM_PORT")
    speech_port: Port = Field(default=8200, validation_alias="POTOK_SPEECH_PORT")
    sandbox_port: Port = Field(default=8090, validation_alias="POTOK_SANDBOX_PORT")
    prefect_port: Port = Field(default=4200, validation_alias="POTOK_PREFECT_PORT")
    pg_port: Port = Field(default=5440, validation_alias="POTOK_PG_PORT")
    sandbox: bool | None = Field(default=None, validation_alias="POTOK_SANDBOX")
    spares: int = Field(default=2, ge=1, le=16, validation_alias="POTOK_SPARES")
    runs_at_once: int = Field(default=2, ge=1, le=100, validation_alias="POTOK_RUNS_AT_ONCE")
    batch_size: int = Field(default=200, ge=1, le=1000, validation_alias="POTOK_BATCH_SIZE")
    follow_up_s: float = Field(default=15.0, ge=0, le=600, validation_alias="POTOK_FOLLOW_UP_S")
    stop_grace_s: float = Field(default=10.0, ge=0, le=600, validation_alias="POTOK_STOP_GRACE_S")

    given_database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    given_prefect_api_url: Address | None = Field(default=None, validation_alias="PREFECT_API_URL")
    prefect_api_auth_string: SecretStr | None = None

    telegram_bot_name: str = Field(default="main", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    telegram_bot_token: SecretStr | None = None
    telegram_api_base: Address = "https://api.telegram.org"
    telegram_webhook_secret: Annotated[
        SecretStr | None, AfterValidator(credentials.check_telegram_webhook_secret)
    ] = None
    telegram_webhook_url: Address | None = None
    telegram_alert_chat: int | None = None
    telegram_managers_chat: int | None = None
    forwarder_secret: Annotated[
        SecretStr | None, AfterValidator(credentials.check_forwarder_secret)
    ] = None
    bitrix24_webhook_url: Annotated[
        SecretStr | None, AfterValidator(credentials.check_bitrix24_webhook_url)
    ] = None
    bitrix24_event_token: SecretStr | None = None
    bitrix24_limit: str = Field(default="50/2", pattern=r"^(off|[1-9]\d*/\d+(\.\d+)?)$")
    llm_base_url: Address | None = None
    llm_api_key: SecretStr | None = None
    llm_model: str | None = None
    llm_timeout_s: float = Field(default=15.0, gt=0, le=600)

    ollama_url: Address | None = None
    openrouter_api_key: SecretStr | None = None
    groq_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None
    egress_proxy_url: Annotated[SecretStr | None, AfterValidator(credentials.check_proxy_url)] = (
        None
    )
    egress_dns: str | None = None
    redis_url: SecretStr | None = None

    paddle_url: Address | None = None

    @field_validator("home")
    @classmethod
    def _from_the_root(cls, home: Path) -> Path:
        return (ROOT / home.expanduser()).resolve()

    @field_validator("given_database_url")
    @classmethod
    def _postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        scheme, _, rest = url.get_secret_value().partition("://")
        if scheme not in ("postgresql", "postgres", "postgresql+psycopg") or not rest:
            raise ValueError("should be postgresql://user:password@host:port/database")
        if not urlsplit(f"//{rest}").path.strip("/"):
            raise ValueError(
                "should name a database: postgresql://user:password@host:port/database"
            )
        return SecretStr(f"postgresql://{rest}")

    @field_validator("telegram_webhook_url")
    @classmethod
    def _the_hook_of_the_bot(cls, url: str | None, known: ValidationInfo) -> str | None:
        bot = known.data.get("telegram_bot_name")  # absent when it is itself wrong
        return (
            url if url is None or bot is None else credentials.check_telegram_webhook_url(url, bot)
        )

    @model_validator(mode="after")
    def _sandbox_stands_in(self) -> Settings:
        vendors = (self.telegram_bot_token, self.bitrix24_webhook_url, self.llm_base_url)
        if self.sandbox is None:
            self.sandbox = not any((*vendors, self.forwarder_secret))
        if self.sandbox:
            stand_ins = sandbox_access.vendors(
                f"http://{LOOPBACK}:{self.sandbox_port}", self.gateway_url, self.telegram_bot_name
            )
            for field, value in stand_ins.items():
                setattr(self, field, value)
        return self

    @property
    def is_sandbox(self) -> bool:
        """Whether the sandbox stands in for every vendor."""
        return bool(self.sandbox)

    @property
    def prefect_auth(self) -> str | None:
        """``user:password`` of the Prefect server's API, where it asks for it."""
        auth = self.prefect_api_auth_string
        return auth.get_secret_value() if auth else None

    @property
    def gateway_url(self) -> str:
        """The gateway's address on this machine, without a slash at its end."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def llm_url(self) -> str:
        """The address of the door to the models on this machine, without ``/v1``."""
        return f"http://{LOOPBACK}:{self.llm_port}"

    @property
    def speech_url(self) -> str:
        """The address of the speech service, without ``/v1``."""
        return self.given_speech_url or f"http://{LOOPBACK}:{self.speech_port}"

    @property
    def sandbox_url(self) -> str:
        """The sandbox's address; its vendors are ``/telegram``, ``/bitrix`` and ``/llm``."""
        return f"http://{LOOPBACK}:{self.sandbox_port}"

    @property
    def uses_embedded_postgres(self) -> bool:
        """Whether this stack runs its own PostgreSQL."""
        return self.given_database_url is None

    @property
    def uses_embedded_prefect(self) -> bool:
        """Whether this stack runs its own Prefect server."""
        return self.given_prefect_api_url is None

    @property
    def prefect_api_url(self) -> str:
        """Prefect's API, for example ``http://127.0.0.1:4200/api``."""
        return self.given_prefect_api_url or f"http://{LOOPBACK}:{self.prefect_port}/api"

    @property
    def prefect_ui_url(self) -> str:
        """Prefect's UI."""
        return self.prefect_api_url.removesuffix("/api")

    @property
    def pg_password_path(self) -> Path:
        """The file with the embedded server's password."""
        return self.home / "postgres.password"

    @property
    def database_url(self) -> str:
        """The address of our database, with its password: a secret.

        Raises:
            Unavailable: the embedded server was never started, so it has no password yet.
        """
        if self.given_database_url is not None:
            return self.given_database_url.get_secret_value()
        try:
            password = self.pg_password_path.read_text().strip()
        except FileNotFoundError:
            raise Unavailable("there is no database yet: run `potok up` first") from None
        return f"postgresql://potok:{password}@{LOOPBACK}:{self.pg_port}/potok"

    @property
    def prefect_database_url(self) -> str:
        """The address of Prefect's database on the same server, for asyncpg: a secret."""
        parts = urlsplit(self.database_url)
        query = parts.query.replace("sslmode=", "ssl=")
        url = urlunsplit(("postgresql", parts.netloc, "/prefect", query, ""))
        return url.replace("postgresql://", "postgresql+asyncpg://", 1)

    @property
    def bitrix_limit(self) -> tuple[int, float] | None:
        """The portal's leaky bucket: requests it holds, requests a second; ``None``: no limit."""
        if self.bitrix24_limit == "off":
            return None
        slots, _, per_s = self.bitrix24_limit.partition("/")
        return int(slots), float(per_s)

    def child_env(self) -> dict[str, str]:
        """The environment of a process of the stack: this one's, made complete and certain.

        A child that reads ``Settings()`` sees the same addresses and credentials as we do.
        """
        return child_env.environment(self)

    def server_env(self) -> dict[str, str]:
        """The environment of the Prefect server: ``child_env`` and its database."""
        return child_env.server_environment(self)


def read_settings(**given: Any) -> Settings:
    """The settings of this environment and ``.env``.

    Args:
        given: variables that count instead of the environment's: ``POTOK_PORT=8001``.

    Raises:
        Rejected: a variable is wrong; one line names it and says what it should be.
    """
    try:
        return Settings(**given)
    except ValidationError as exc:
        raise Rejected("; ".join(advice(error) for error in exc.errors())) from None


def unknown_variables(env_file: Path | None = None) -> list[str]:
    """What is in ``.env``, begins with ``POTOK_`` and is read by nobody; one line each.

    Args:
        env_file: instead of the checkout's.
    """
    path = env_file or Settings.model_config.get("env_file")
    known = [variable_of(field) for field in Settings.model_fields]
    lines = []
    for name in dotenv_values(path) if isinstance(path, Path) and path.is_file() else ():
        if name.upper().startswith("POTOK_") and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, 1, 0)
            lines.append(f"{name} in .env is read by nobody: is {near[0]} meant?")
    return lines


def variable_of(field: str) -> str:
    """The environment variable of a field of ``Settings``."""
    return str(Settings.model_fields[field].validation_alias)
