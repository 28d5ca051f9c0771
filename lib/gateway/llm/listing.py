"""What there is to ask for, as each dialect lists it; and whether the door is open."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lib.domain.llm.asks import ANTHROPIC, OLLAMA, OPENAI, model_in
from lib.domain.llm.names import ALL, SPEECH, is_pattern, plain_name
from lib.domain.llm.ollama_client import show_from, tags_from
from lib.domain.llm.table import Alias, UnknownModel, candidates_for
from lib.errors import PotokError
from lib.gateway.body import json_object_from, read_body
from lib.gateway.llm.door import ErrorDialect, House, error_body, secret_in
from lib.gateway.llm.errors import answer_from
from lib.router.loaded import running_aliases
from lib.store.failures import StatementFailed
from lib.store.llm.keys import Key

VERSION = "0.12.0"  # of Ollama's API, which clients compare

Listing = Callable[[Key, Request], Awaitable[Any]]


def listing_routes(house: House) -> list[Route]:
    """The routes that ask no model."""

    async def healthz(request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    return [
        Route("/", healthz, methods=["GET", "HEAD"]),
        Route("/healthz", healthz),
        *_of_openai_and_anthropic(house),
        *_of_ollama(house),
    ]


def _of_openai_and_anthropic(house: House) -> list[Route]:
    async def openai_models(key: Key, request: Request) -> Any:
        if "anthropic-version" in request.headers:
            listed = [_of_anthropic(name) for name in _names(house, key)]
            ends = {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]} if listed else {}
            return {"data": listed, "has_more": False, **ends}
        return {"object": "list", "data": [_of_openai(name) for name in _names(house, key)]}

    async def one_model(key: Key, request: Request) -> Any:
        name = request.path_params["name"]
        _found(house, name)
        house.keyring.check_name(key, name)
        is_anthropic = "anthropic-version" in request.headers
        return _of_anthropic(name) if is_anthropic else _of_openai(name)

    return [
        Route("/v1/models", _listing(house, openai_models, OPENAI)),
        Route("/v1/models/{name:path}", _listing(house, one_model, OPENAI)),
    ]


def _of_ollama(house: House) -> list[Route]:
    async def tags(key: Key, request: Request) -> Any:
        return tags_from(_names(house, key), int(time.time()))

    async def running(key: Key, request: Request) -> Any:
        table = house.router.shelf.table
        names = [name for name in _names(house, key) if name in table.aliases]
        return {"models": await running_aliases(house.router, names)}

    async def show(key: Key, request: Request) -> Any:
        body = json_object_from(await read_body(request))
        named = model_in({"model": body.get("model") or body.get("name")})
        name = plain_name(house.router.shelf.table, named)
        found = _found(house, name)
        house.keyring.check_name(key, name)
        return show_from(name, embeds=found.embeds)

    async def version(key: Key, request: Request) -> Any:
        return {"version": VERSION}

    return [
        Route("/api/tags", _listing(house, tags, OLLAMA)),
        Route("/api/ps", _listing(house, running, OLLAMA)),
        Route("/api/version", _listing(house, version, OLLAMA)),
        Route("/api/show", _listing(house, show, OLLAMA), methods=["POST"]),
    ]


def _listing(
    house: House, listing: Listing, errors: ErrorDialect
) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        dialect = ANTHROPIC if "anthropic-version" in request.headers else errors
        try:
            key = await house.keyring.find(secret_in(request))
            body = orjson.dumps(await listing(key, request))
        except (PotokError, StatementFailed) as exc:
            told = answer_from(exc)
            body = error_body(dialect, told)
            return Response(body, told.status, told.headers, "application/json")
        return Response(body, media_type="application/json")

    return answered


def _names(house: House, key: Key) -> list[str]:
    """What a key may ask for here, the aliases in the table's order; recordings go elsewhere."""
    names, aliases = house.keyring.names(key), house.router.shelf.table.aliases
    may = [name for name in aliases if ALL in names or name in names]
    listed = [name for name in may if not aliases[name].hears]
    real = [name for name in names if name not in aliases and not is_pattern(name)]
    return listed + [name for name in real if name != SPEECH]


def _found(house: House, name: str) -> Alias:
    """Who answers here for a name; UnknownModel: nobody, or one who hears recordings."""
    found = candidates_for(house.router.shelf.table, name)
    if found.hears:
        raise UnknownModel(f"{name!r} hears recordings, and this door takes none")
    return found


def _of_openai(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "potok"}


def _of_anthropic(name: str) -> dict[str, Any]:
    at = "2026-01-01T00:00:00Z"
    return {"type": "model", "id": name, "display_name": name, "created_at": at}
