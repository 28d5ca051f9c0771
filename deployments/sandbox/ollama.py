"""Ollama's native API over real HTTP: one call at a time, as OLLAMA_NUM_PARALLEL=1 has it.

``GET /control/ollama/state`` has ``loaded`` too, and among the counts ``reload``: a model came with
another num_ctx than it was loaded with.

Source: ollama fb30760 (server/routes.go), facts of 2026-11-22.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from deployments.sandbox import model_vectors
from deployments.sandbox.model_stream import Reply, document
from deployments.sandbox.model_talk import Json, Said, tokens_of
from deployments.sandbox.model_vendor import KINDS, Call, Vendor
from deployments.sandbox.ollama_models import MODELS, LocalModel
from deployments.sandbox.ollama_reading import chat_asked, context_in, prompt_asked
from deployments.sandbox.refusals import Refused

NDJSON = "application/x-ndjson"
VERSION = "0.21.0"
KEPT_FOR = timedelta(minutes=5)
_NS_OF_TOKEN = 20_000_000


class Ollama(Vendor):
    """The vendor, mounted at ``/ollama``; it asks for no key and blocks nobody."""

    kinds: ClassVar = {name: fields for name, fields in KINDS.items() if name != "blocked"}
    broken: ClassVar = b'{"error":"an error was encountered while running the model"}\n'
    garbage: ClassVar = b"{it is no JSON\n"

    def __init__(self) -> None:
        super().__init__()
        self._slot = asyncio.Semaphore(1)
        self._loaded: dict[str, int] = {}

    def routes(self) -> list[Route]:
        """What a client needs of the API; nothing is pulled or made."""
        return [
            Route("/", _alive),
            self.shows("/api/version", lambda call: document({"version": VERSION})),
            self.shows("/api/tags", lambda call: document(_tags())),
            self.shows("/api/ps", lambda call: document({"models": self._running()})),
            self.shows("/api/show", lambda call: document(self._known(call).shown), "POST"),
            self.asks("/api/chat", self._chat),
            self.asks("/api/generate", self._generate),
            self.asks("/api/embed", self._embed),
        ]

    def check_caller(self, request: Request) -> None:
        """Anybody may call."""

    def error_body(self, refused: Refused) -> Json:
        """Just words."""
        return {"error": refused.message}

    def no_model(self, model: str) -> Refused:
        """A model that is not on disk."""
        return Refused(404, f"model '{model}' not found")

    def no_path(self, request: Request) -> Refused:
        """A wrong address."""
        return Refused(404, "404 page not found")

    @asynccontextmanager
    async def turn(self, call: Call) -> AsyncIterator[None]:
        """Those who come meanwhile wait."""
        async with super().turn(call), self._slot:
            name, context = self._known(call).name, context_in(call.body)
            self.counts["reload"] += self._loaded.get(name, context) != context
            self._loaded[name] = context
            yield
            if call.body.get("keep_alive") in (0, "0"):
                self._loaded.pop(name, None)

    def state(self) -> Json:
        """With the models in memory and their num_ctx."""
        return super().state() | {"loaded": dict(self._loaded)}

    def reset(self) -> None:
        """Nothing is loaded."""
        super().reset()
        self._loaded.clear()

    def _known(self, call: Call) -> LocalModel:
        name = call.model if ":" in call.model else f"{call.model}:latest"
        if name not in MODELS:
            raise self.no_model(call.model)
        return MODELS[name]

    def _running(self) -> list[Json]:
        expires_at = (datetime.now(UTC) + KEPT_FOR).isoformat()
        return [
            MODELS[name].listed
            | {"expires_at": expires_at, "size_vram": MODELS[name].size, "context_length": context}
            for name, context in self._loaded.items()
        ]

    def _chat(self, call: Call) -> Reply:
        asked = chat_asked(call.body, self._known(call))
        if not call.body.get("messages"):
            return _told(call, [{"message": _message("")}], Said(), _load_reason(call))
        said = call.said(asked)
        parts: list[Json] = [
            {"message": _message("", thinking=thought)} for thought in said.thoughts
        ]
        parts += [{"message": _message(piece)} for piece in said.pieces]
        parts += [{"message": _message("", tool_calls=_calls(said))}] if said.uses else []
        if call.body.get("stream") is not False:
            return _told(call, [*parts, {"message": _message("")}], said)
        more: Json = {"thinking": said.thought} if said.thoughts else {}
        more |= {"tool_calls": _calls(said)} if said.uses else {}
        return _told(call, [{"message": _message(said.text, **more)}], said)

    def _generate(self, call: Call) -> Reply:
        asked = prompt_asked(call.body, self._known(call))
        if not asked.text:
            return _told(call, [{"response": ""}], Said(), _load_reason(call))
        said = call.said(asked)
        if call.body.get("stream") is not False:
            parts: list[Json] = [{"response": "", "thinking": thought} for thought in said.thoughts]
            parts += [{"response": piece} for piece in said.pieces]
            return _told(call, [*parts, {"response": ""}], said)
        more = {"thinking": said.thought} if said.thoughts else {}
        return _told(call, [{"response": said.text} | more], said)

    def _embed(self, call: Call) -> Reply:
        if "embedding" not in self._known(call).skills:
            raise Refused(501, "this model does not support embeddings")
        texts, size = model_vectors.inputs_in(call.body)
        texts = [] if call.spoiled_by == "empty" else texts
        vectors = [list(model_vectors.vector_of(text, size)) for text in texts]
        count = tokens_of(sum(map(len, texts)))
        times = {"total_duration": count * _NS_OF_TOKEN, "load_duration": 1_000_000}
        answer = {"model": call.model, "embeddings": vectors, "prompt_eval_count": count}
        return document(answer | times)


async def _alive(request: Request) -> Response:
    return PlainTextResponse("Ollama is running")


def _tags() -> Json:
    return {"models": [model.listed for model in MODELS.values()]}


def _message(content: str, **more: Any) -> Json:
    return {"role": "assistant", "content": content} | more


def _calls(said: Said) -> list[Json]:
    return [{"function": {"name": use.name, "arguments": use.arguments}} for use in said.uses]


def _load_reason(call: Call) -> str:
    return "unload" if call.body.get("keep_alive") in (0, "0") else "load"


def _told(call: Call, parts: list[Json], said: Said, reason: str = "") -> Reply:
    """The parts, the last of which says that it is done; a stream unless that is declined."""
    around = {"model": call.model, "created_at": datetime.now(UTC).isoformat()}
    end = _end(said, reason or ("length" if said.is_cut_short else "stop"))
    lines: list[Json] = [around | part | {"done": False} for part in parts[:-1]]
    lines.append(around | parts[-1] | end)
    if call.body.get("stream") is False:
        return document(lines[-1])
    return Reply(list(_lines(lines)), NDJSON, True)


def _lines(lines: list[Json]) -> Iterator[bytes]:
    return (orjson.dumps(line) + b"\n" for line in lines)


def _end(said: Said, reason: str) -> Json:
    prompt, answer = (count * _NS_OF_TOKEN for count in (said.prompt_tokens, said.tokens))
    return {
        "done": True,
        "done_reason": reason,
        "total_duration": prompt + answer,
        "load_duration": 1_000_000,
        "prompt_eval_count": said.prompt_tokens,
        "prompt_eval_duration": prompt,
        "eval_count": said.tokens,
        "eval_duration": answer,
    }
