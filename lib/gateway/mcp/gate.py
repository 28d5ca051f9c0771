"""Who may pass to the MCP server over HTTP: bearers of a token, with a short body, at its rate.

The rate is told inside the protocol: a client of SSE whose message is answered 429 waits for ever.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from fastmcp.exceptions import ToolError
from fastmcp.server.auth import AccessToken
from fastmcp.server.dependencies import get_http_request
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from mcp import MCPError
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.domain.mcp_scopes import PREFIX, scopes_in
from lib.errors import BadSignature, PotokError
from lib.gateway.body import read_body
from lib.gateway.llm.door import secret_in
from lib.gateway.llm.errors import answer_from
from lib.router.keyring import Keyring
from lib.router.outcomes import KeyForbids
from lib.store.failures import StatementFailed
from lib.store.llm.keys import Key, Keys
from lib.store.llm.patience import Patience

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 4_000_000  # of one message; the protocol's own library takes 4 MiB
BODY_WITHIN_S = 15.0
NOTED_EVERY_S = 60.0
NOTED_WITHIN_S = 3.0
FREE = frozenset({"initialize", "ping", "server/discover"})  # a client comes in at any rate
OVER_LIMIT = -32000  # a code of JSON-RPC that is a server's own
_KEY = "potok.key"


class Gate:
    """Lets requests with a good token through, and says in the scope whose they are.

    A token is looked up by its hash: no comparison here takes longer for a better guess.

    Args:
        app: what is behind it.
        keyring: the living tokens.
        keys: where it is noted that a token was used, once a minute.
    """

    def __init__(self, app: ASGIApp, keyring: Keyring, keys: Keys) -> None:
        self._app = app
        self._keyring = keyring
        self._keys = keys
        self._noted: dict[int, float] = {}
        self._patience = Patience(NOTED_WITHIN_S, NOTED_EVERY_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        request = Request(scope, receive)
        try:
            key = await self._admitted(request)
            if request.method == "POST":
                receive = _again(await read_body(request, BODY_LIMIT_BYTES, BODY_WITHIN_S), receive)
        except (PotokError, StatementFailed) as exc:
            await _refused(exc)(scope, receive, send)
        else:
            await self._app({**scope, "user": _user(key), _KEY: key}, receive, send)

    async def _admitted(self, request: Request) -> Key:
        secret = secret_in(request)
        if secret is None:
            raise BadSignature("no token: send it as Authorization: Bearer …")
        key = await self._keyring.find(secret)
        if not scopes_in(key.names):
            raise KeyForbids("this key opens another door: `potok mcp token create` makes a token")
        await self._note(key.id)
        return key

    async def _note(self, key_id: int) -> None:
        now = time.monotonic()
        if now - self._noted.get(key_id, float("-inf")) > NOTED_EVERY_S:
            self._noted[key_id] = now
            try:
                await self._patience.ask(lambda: self._keys.used(key_id))
            except (PotokError, StatementFailed) as exc:  # nobody waits for that
                log.warning("mcp.use_not_noted reason=%s", exc)


class Rated(Middleware):
    """Counts the requests of a token against its rate."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def on_request(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Any:
        """Answer a request, if the rate allows it."""
        if context.method not in FREE:
            try:
                await self._keyring.admit(get_http_request().scope[_KEY])
            except PotokError as exc:
                log.info("mcp.not_admitted kind=%s", type(exc).__name__)
                if context.method == "tools/call":
                    raise ToolError(str(exc), log_level=logging.INFO) from None
                raise MCPError(OVER_LIMIT, str(exc)) from None
        return await call_next(context)


def _user(key: Key) -> AuthenticatedUser:
    """The bearer, as the protocol's library knows one; a session is open to its owner alone."""
    name = key.name.removeprefix(PREFIX)
    scopes = sorted(scopes_in(key.names))
    token = AccessToken(token="", client_id=str(key.id), scopes=scopes, claims={"name": name})
    return AuthenticatedUser(token)


def _refused(error: PotokError | StatementFailed) -> JSONResponse:
    answer = answer_from(error)
    log.info("mcp.refused status=%d kind=%s", answer.status, type(error).__name__)
    headers = dict(answer.headers)
    if answer.status == 401:
        headers["www-authenticate"] = 'Bearer realm="potok"'
    body = {"error": answer.code, "error_description": answer.words}
    return JSONResponse(body, answer.status, headers)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, to be read once more; after it what the client does next."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
