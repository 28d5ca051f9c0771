"""``potok doctor``: what is configured, what answers, what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec

import httpx
from pydantic import SecretStr
from rich.table import Table

from deployments import llm_access, manifest
from deployments.cli import home
from deployments.settings import Settings, unknown_variables, variable_of
from deployments.stack import databases, pidfiles
from lib.errors import PotokError, Rejected
from lib.router.shelf import Shelf
from lib.speech.weights import BASE, ensure_weights

OK, MISSING, UNKNOWN, BROKEN, OFF = "ok", "missing", "unknown", "broken", "off"
COLOURS = {OK: "green", MISSING: "yellow", UNKNOWN: "yellow", BROKEN: "red", OFF: "dim"}
TIMEOUT_S = 10.0
SECRETS = (
    *("telegram_webhook_secret", "forwarder_secret", "bitrix24_event_token"),
    "prefect_api_auth_string",
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: ``ok``; ``missing``: not configured; ``unknown``: a variable that nobody reads;
            ``broken``: configured and does not work;
            ``off``: not running, which is no fault.
        words: for people; never a secret.
    """

    name: str
    state: str
    words: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything at once."""
    stack = _stack(settings)
    up = stack.state != OFF
    looks: list[Awaitable[Finding]] = [
        _database(settings, up),
        _door("Prefect", f"{settings.prefect_api_url}/health", up, settings.uses_embedded_prefect),
        _deployments(settings, up),
        _door("gateway", f"{settings.gateway_url}/readyz", up, True),
        _door("models", f"{settings.llm_url}/healthz", up, True),
        _speech(settings, up),
        _mcp(settings, up),
    ]
    if settings.is_sandbox:
        looks.append(_door("sandbox", f"{settings.sandbox_url}/healthz", up, True))
    else:
        looks += [_telegram(settings), _bitrix(settings), _llm(settings)]
    found = [stack, *await asyncio.gather(*looks), _table_of_models(), *_secrets(settings)]
    if trouble := home.trouble_with(settings.home):
        found.insert(0, Finding("home", BROKEN, trouble))
    if lacking := undelivered(settings):
        found.append(Finding("deliveries", MISSING, lacking))
    return [*found, *(Finding("settings", UNKNOWN, line) for line in unknown_variables())]


def undelivered(settings: Settings) -> str | None:
    """What is not set, so that Telegram does not deliver the bot's messages; ``None``: nothing."""
    if settings.telegram_bot_token is None:
        return None
    fields = ("telegram_webhook_url", "telegram_webhook_secret")
    lacking = " and ".join(variable_of(f) for f in fields if getattr(settings, f) is None)
    if not lacking:
        return None
    return f"Telegram is told of no hook and delivers nothing: set {lacking}, then `potok init`"


def _stack(settings: Settings) -> Finding:
    run_dir = pidfiles.run_dir(settings.home)
    if pidfiles.HomeLock(run_dir).owner() is not None:
        return Finding("stack", OK, "running")
    if left := [entry.name for entry in pidfiles.living(run_dir)]:
        words = (
            f"killed, and left {', '.join(left)}: `potok down` stops them, `potok up` takes over"
        )
        return Finding("stack", BROKEN, words)
    return Finding("stack", OFF, "`potok up` starts it")


async def _database(settings: Settings, up: bool) -> Finding:
    if settings.uses_embedded_postgres and not up:
        return Finding("database", OFF, "embedded, starts with the stack")
    try:
        await asyncio.to_thread(databases.check_answers, settings.database_url)
    except PotokError as exc:
        return Finding("database", BROKEN, str(exc))
    whose = "embedded" if settings.uses_embedded_postgres else "given by DATABASE_URL"
    return Finding("database", OK, whose)


async def _deployments(settings: Settings, up: bool) -> Finding:
    if settings.uses_embedded_prefect and not up:
        return Finding("deployments", OFF, "on the Prefect server, which starts with the stack")
    try:
        missing = await manifest.missing(settings)
    except PotokError as exc:
        return Finding("deployments", BROKEN, str(exc))
    if missing:
        words = f"{', '.join(missing)}: `potok down`, then `potok up` deploys"
        return Finding("deployments", BROKEN, words)
    return Finding("deployments", OK, "as prefect.yaml says")


async def _door(name: str, url: str, up: bool, ours: bool) -> Finding:
    if ours and not up:
        return Finding(name, OFF, "starts with the stack")
    return await _ask(name, lambda client: client.get(url), url)


async def _speech(settings: Settings, up: bool) -> Finding:
    model, url = settings.speech_model, f"{settings.speech_url}/healthz"
    if not settings.has_speech:
        words = "neither SPEECH_MODEL nor SPEECH_URL is set: recordings are not heard"
        return Finding("speech", OFF, words)
    if not model:
        return await _door("speech", url, up, ours=False)
    if find_spec("faster_whisper") is None:
        words = "its extra is not installed: pip install 'potok[speech]'"
        return Finding("speech", BROKEN, words)
    if model != BASE:  # which is put together where it is missing
        try:
            ensure_weights(model, settings.home)
        except Rejected as exc:
            return Finding("speech", BROKEN, f"SPEECH_MODEL: {exc}")
    found = await _door("speech", url, up, ours=True)
    return replace(found, words=f"{found.words}, model {model}")


async def _mcp(settings: Settings, up: bool) -> Finding:
    if not settings.mcp:
        return Finding("MCP", OFF, "POTOK_MCP is not set: IDEs are served by `potok mcp` only")
    if find_spec("fastmcp") is None:
        return Finding("MCP", BROKEN, "its extra is not installed: pip install 'potok[mcp]'")
    return await _door("MCP", f"{settings.mcp_url}/healthz", up, ours=True)


async def _telegram(settings: Settings) -> Finding:
    token = settings.telegram_bot_token
    if token is None:
        return Finding("Telegram", MISSING, "TELEGRAM_BOT_TOKEN: @BotFather gives one")
    url = f"{settings.telegram_api_base}/bot{token.get_secret_value()}/getMe"
    return await _ask("Telegram", lambda client: client.get(url), settings.telegram_api_base)


async def _bitrix(settings: Settings) -> Finding:
    webhook = settings.bitrix24_webhook_url
    if webhook is None:
        return Finding("Bitrix24", MISSING, "BITRIX24_WEBHOOK_URL: an incoming webhook (crm)")
    url = webhook.get_secret_value()
    shown = url.split("/rest/")[0]
    return await _ask("Bitrix24", lambda client: client.post(f"{url}profile.json"), shown)


async def _llm(settings: Settings) -> Finding:
    url, key = settings.llm_base_url, settings.llm_api_key
    if url is None:
        return Finding("LLM", MISSING, "LLM_BASE_URL: without it rules alone read the messages")
    if settings.llm_model is None:
        return Finding("LLM", BROKEN, "LLM_MODEL is not set")
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    return await _ask("LLM", lambda client: client.get(f"{url}/models", headers=headers), url)


async def _ask(
    name: str, request: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], shown: str
) -> Finding:
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            status = (await request(client)).status_code
    except httpx.HTTPError as exc:
        return Finding(name, BROKEN, f"{shown} does not answer ({type(exc).__name__})")
    if status in (401, 403):
        return Finding(name, BROKEN, f"{shown} refuses the credentials (HTTP {status})")
    if status >= 400:
        return Finding(name, BROKEN, f"{shown} answers HTTP {status}")
    return Finding(name, OK, shown)


def _secrets(settings: Settings) -> list[Finding]:
    found = []
    for field in SECRETS:
        value: SecretStr | None = getattr(settings, field)
        if value is not None:
            found.append(Finding(variable_of(field), OK, masked(value)))
        elif field != "prefect_api_auth_string":
            found.append(Finding(variable_of(field), MISSING, "its hook refuses every delivery"))
    return found if settings.is_sandbox else found + _keys_of_providers(settings)


def _table_of_models() -> Finding:
    try:
        table = Shelf(llm_access.TABLE).table
    except Rejected as exc:
        return Finding("llm.yaml", BROKEN, str(exc))
    words = f"{len(table.aliases)} aliases, {len(table.providers)} providers"
    return Finding("llm.yaml", OK, words)


def _keys_of_providers(settings: Settings) -> list[Finding]:
    """What the environment has; a block of the provider's name on the Prefect server does too."""
    lacking = {
        "openrouter_api_key": "OpenRouter is not asked, unless a block has its key",
        "groq_api_key": "Groq is not asked, unless a block has its key",
        "anthropic_api_key": "Anthropic is not asked, unless a block has its key",
        "egress_proxy_url": "who goes by the way `us` is not asked, unless EGRESS_DNS or a block"
        " makes it",
    }
    found = []
    for field, words in lacking.items():
        value: SecretStr | None = getattr(settings, field)
        state, told = (MISSING, words) if value is None else (OK, masked(value))
        found.append(Finding(variable_of(field), state, told))
    return found


def masked(secret: SecretStr) -> str:
    """A secret as it may be shown: that it is there, and how long it is."""
    return f"set, {len(secret.get_secret_value())} characters"


def table(findings: list[Finding]) -> Table:
    """The findings for people."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        state = f"[{COLOURS[finding.state]}]{finding.state}[/]"
        shown.add_row(finding.name, state, finding.words)
    return shown
