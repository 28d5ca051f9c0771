"""Which aliases have a model in an Ollama's memory, for clients that ask what runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from lib.clients.providers import key_for, translated
from lib.domain.llm.loose import objects_among
from lib.domain.llm.wire import Json
from lib.errors import PotokError
from lib.router.router import Router

log = logging.getLogger(__name__)

WITHIN_S = 3.0
LATEST = ":latest"


async def running_aliases(router: Router, names: Sequence[str]) -> list[Json]:
    """Ollama's own words of each alias whose model it has loaded, under the alias' name.

    An Ollama that does not answer has nothing loaded.

    Args:
        names: of aliases of the table.
    """
    table = router.shelf.table
    providers = [name for name, found in table.providers.items() if found.kind == "ollama"]
    listed = await asyncio.gather(*(_loaded(router, name) for name in providers))
    loaded = {name: entry for group in listed for name, entry in group.items()}
    found = []
    for name in names:
        models = [each.name for each in table.aliases[name].candidates]
        entries = [loaded[model] for model in models if model in loaded]
        found += [entry | {"name": name, "model": name} for entry in entries[:1]]
    return found


async def _loaded(router: Router, name: str) -> dict[str, Json]:
    """What a provider has in memory, by ``provider/model`` with and without ``:latest``."""
    provider = router.shelf.table.providers[name]
    try:
        key = key_for(provider, router.credential)
        with translated():
            async with asyncio.timeout(WITHIN_S):
                said = await router.providers.fetch(provider, key, "/api/ps")
    except PotokError as exc:
        log.warning("loaded.not_read provider=%s kind=%s", name, type(exc).__name__)
        return {}
    entries = objects_among(said.get("models")) if isinstance(said, dict) else []
    named = {f"{name}/{entry.get('model') or entry.get('name')}": entry for entry in entries}
    return {model.removesuffix(LATEST): entry for model, entry in named.items()} | named
