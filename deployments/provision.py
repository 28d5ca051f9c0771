"""What a Prefect server must have: pools, limits, block types, blocks, deployments.

``python -m deployments.provision``; safe to repeat.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from prefect import get_client
from prefect.blocks.core import Block
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from pydantic import SecretStr

from blocks._load import load_if_any
from blocks.alerts import DENIED_LIMIT
from blocks.bitrix import BitrixPortal
from blocks.ingress import IngressSite
from blocks.inquiries import LanguageModel
from blocks.llm import EgressWay, ModelProvider, ModelRouter
from blocks.routing import RETIRING_LIMIT
from blocks.speech import SpeechService
from blocks.storage import Store
from blocks.telegram import Forwarder, TelegramBot
from deployments import llm_access, manifest, speech_access
from deployments.alarm import REFUSED_LIMIT
from deployments.settings import ROOT, Settings
from deployments.stack import sandbox_access
from deployments.version import version
from deployments.warm import POOL
from deployments.warm.type import WarmWorker
from lib.clients.telegram import Telegram
from lib.errors import Unavailable

log = logging.getLogger("potok.provision")

BLOCK_TYPES: tuple[type[Block], ...] = (
    *(Store, TelegramBot, Forwarder, BitrixPortal, LanguageModel),
    *(ModelRouter, ModelProvider, EgressWay, SpeechService, IngressSite),
)
# The server checks the variables' schema, and the variables by it, at every run that is created:
# with the worker's own, larger one, that took 30 of the 55 ms that a run's creation took.
JOB_TEMPLATE = {
    "job_configuration": {"env": "{{ env }}"},
    "variables": {"type": "object", "properties": {"env": {"type": "object"}}},
}
BITRIX_LIMIT = "bitrix24-main"
ALERT_EVERY_S = 900.0  # every message fails while a key is refused, and one alert says it
RETIRING_EVERY_S = 86_400.0
UPDATES = ("message", "edited_message", "channel_post", "edited_channel_post", "business_message")


async def provision(settings: Settings) -> None:
    """Bring the server to what this checkout says."""
    async with get_client() as client:
        await _ensure_pool(client)
        for limit in (DENIED_LIMIT, REFUSED_LIMIT):
            await _ensure_limit(client, limit, 1, 1 / ALERT_EVERY_S)
        await _ensure_limit(client, RETIRING_LIMIT, 1, 1 / RETIRING_EVERY_S)
        if settings.bitrix_limit is not None:
            await _ensure_limit(client, BITRIX_LIMIT, *settings.bitrix_limit)
    for kind in BLOCK_TYPES:
        await kind.register_type_and_schema()
    await write_blocks(settings)
    async with get_client() as client:
        paused = await _paused(client)
    await asyncio.to_thread(deploy_all)
    async with get_client() as client:
        for deployment_id in paused:  # `prefect deploy` lets them go on
            await client.pause_deployment(deployment_id)
        await _delete_stale(client, settings)


async def write_blocks(settings: Settings) -> list[str]:
    """Write a credential block for everything that the environment configures.

    A block that the sandbox left on the server is deleted when the vendors are real.

    Returns:
        The documents written, as ``type/name``.
    """
    if not settings.is_sandbox:
        async with get_client() as client:
            await _delete_sandbox_blocks(client)
    written = []
    for name, block in [*blocks_from(settings), *await _of_speech(settings)]:
        await block.asave(name, overwrite=True)
        written.append(f"{block.get_block_type_slug()}/{name}")
    return written


async def _of_speech(settings: Settings) -> list[tuple[str, Block]]:
    """The block of the speech service; one of a service here that is not any more is deleted."""
    name = speech_access.BLOCK
    known = await load_if_any(SpeechService, name)
    block = await speech_access.speech_block(settings, known)
    if block is not None:
        return [(name, block)]
    if known is not None and known.base_url == settings.speech_url:
        await SpeechService.adelete(name)
    return []


async def _delete_sandbox_blocks(client: PrefectClient) -> None:
    for kind in BLOCK_TYPES:
        try:
            documents = await client.read_block_documents_by_type(
                kind.get_block_type_slug(), include_secrets=True
            )
        except ObjectNotFound:  # a server that knows nothing of us yet
            continue
        for document in documents:
            if sandbox_access.is_sandbox(document.data):
                await client.delete_block_document(document.id)


async def register_webhook(settings: Settings) -> str | None:
    """Tell Telegram where the bot's updates go.

    Returns:
        The address; None when the environment names no public one.
    """
    url, token = settings.telegram_webhook_url, settings.telegram_bot_token
    secret = settings.telegram_webhook_secret
    if url is None or token is None or secret is None:
        return None
    async with Telegram(token.get_secret_value(), settings.telegram_api_base) as telegram:
        await telegram.ensure_webhook(url, secret.get_secret_value(), UPDATES)
    return url


def blocks_from(settings: Settings) -> list[tuple[str, Block]]:
    """The block documents that the environment describes; what it does not name is left alone."""
    blocks: list[tuple[str, Block]] = [("main", Store(dsn=SecretStr(settings.database_url)))]
    if settings.telegram_bot_token and settings.telegram_webhook_secret:
        bot = TelegramBot(
            token=settings.telegram_bot_token,
            api_base=settings.telegram_api_base,
            webhook_secret=settings.telegram_webhook_secret,
            alert_chat_id=settings.telegram_alert_chat,
            managers_chat_id=settings.telegram_managers_chat,
        )
        blocks.append((settings.telegram_bot_name, bot))
    if settings.forwarder_secret:
        blocks.append(("main", Forwarder(secret=settings.forwarder_secret)))
    if settings.bitrix24_webhook_url:
        is_limited = settings.bitrix24_limit != "off"
        portal = BitrixPortal(
            webhook_url=settings.bitrix24_webhook_url,
            limit_name=BITRIX_LIMIT if is_limited else None,
            event_token=settings.bitrix24_event_token,
        )
        blocks.append(("main", portal))
    if settings.llm_base_url and settings.llm_model:
        model = LanguageModel(
            base_url=settings.llm_base_url,
            api_key=settings.llm_api_key or SecretStr("none"),  # a local server asks for none
            model=settings.llm_model,
            timeout_s=settings.llm_timeout_s,
        )
        blocks.append(("main", model))
    return blocks + _of_models(settings) + _of_ingress(settings)


def _of_models(settings: Settings) -> list[tuple[str, Block]]:
    router = ModelRouter(
        table=str(llm_access.TABLE),
        addresses=llm_access.addresses(settings),
        redis_url=settings.redis_url,
    )
    keys = llm_access.provider_keys(settings)
    return [
        ("main", router),
        *((name, ModelProvider(api_key=SecretStr(key))) for name, key in keys.items()),
        *(
            (name, EgressWay(proxy=SecretStr(way.proxy) if way.proxy else None, dns=list(way.dns)))
            for name, way in llm_access.egresses(settings).items()
        ),
    ]


def _of_ingress(settings: Settings) -> list[tuple[str, Block]]:
    address, email = settings.ingress_public_address, settings.ingress_acme_email
    if settings.ingress_dir is None or address is None or email is None:
        return []
    site = IngressSite(
        file=str(ROOT / "deployments" / "ingress.yaml"),
        directory=settings.ingress_dir,
        public_address=address,
        vpn_address=settings.ingress_vpn_address,
        acme_email=email,
        acme_server=settings.ingress_acme_server,
        acme_challenge=settings.ingress_acme_challenge,
        acme_ca=settings.ingress_acme_ca,
    )
    return [("main", site)]


async def _ensure_pool(client: PrefectClient) -> None:
    pool = WorkPoolCreate(
        name=POOL,
        type=WarmWorker.type,
        description="Runs at once, in processes that stand ready.",
        base_job_template=JOB_TEMPLATE,
    )
    try:
        await client.create_work_pool(pool)
    except ObjectAlreadyExists:
        await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=JOB_TEMPLATE))


async def _ensure_limit(client: PrefectClient, name: str, burst: int, per_s: float) -> None:
    """A leaky bucket shared by every process: ``burst`` at once, ``per_s`` more a second."""
    try:
        await client.update_global_concurrency_limit(
            name, GlobalConcurrencyLimitUpdate(limit=burst, slot_decay_per_second=per_s)
        )
    except ObjectNotFound:
        await client.create_global_concurrency_limit(
            GlobalConcurrencyLimitCreate(name=name, limit=burst, slot_decay_per_second=per_s)
        )


async def _paused(client: PrefectClient) -> list[UUID]:
    """Our deployments that a person has paused: they stay so."""
    found = []
    for entry in manifest.entries():
        try:
            deployment = await client.read_deployment_by_name(entry.name)
        except ObjectNotFound:
            continue
        if deployment.paused:
            found.append(deployment.id)
    return found


async def _delete_stale(client: PrefectClient, settings: Settings) -> None:
    """Delete what was deployed from this home and ``prefect.yaml`` names no more; its runs stay.

    Others may deploy to the same server, so the home remembers what is its own.
    """
    path = settings.home / "deployed"
    named = {entry.name for entry in manifest.entries()}
    for name in sorted(set(path.read_text().split()) - named if path.exists() else ()):
        try:
            deployment = await client.read_deployment_by_name(name)
        except ObjectNotFound:
            continue
        await client.delete_deployment(deployment.id)
        log.info("deployment.deleted name=%s", name)
    path.write_text("\n".join(sorted(named)))


def deploy_all() -> None:
    """Deploy everything that ``prefect.yaml`` names, the way a person would.

    Raises:
        Unavailable: Prefect refused; its own words are in the message.
    """
    prefect = Path(sys.executable).with_name("prefect")
    done = subprocess.run(
        [str(prefect), "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=os.environ | {"POTOK_VERSION": version()},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"prefect deploy --all failed: {(done.stderr or done.stdout)[-2000:]}")


if __name__ == "__main__":
    asyncio.run(provision(Settings()))
