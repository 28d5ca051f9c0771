"""The door to the models as an ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from lib.domain.llm import asks
from lib.gateway.headers import BoundedHeaders
from lib.gateway.llm.door import Door, House
from lib.gateway.llm.listing import listing_routes
from lib.gateway.llm.no_door import no_door
from lib.gateway.llm.usage_page import usage_route


def create_llm_app(house: House) -> Starlette:
    """Every path that a tool may ask, in OpenAI's, Anthropic's and Ollama's dialects."""
    doors = {
        "/v1/chat/completions": Door(house, "chat", asks.chat, asks.OPENAI),
        "/v1/completions": Door(house, "completions", asks.completions, asks.OPENAI),
        "/v1/embeddings": Door(house, "embeddings", asks.embeddings, asks.OPENAI),
        "/v1/responses": Door(house, "responses", asks.responses, asks.OPENAI),
        "/v1/messages": Door(house, "messages", asks.messages, asks.ANTHROPIC),
        "/v1/messages/count_tokens": Door(house, "count_tokens", asks.tokens, asks.ANTHROPIC),
        "/api/chat": Door(house, "api/chat", asks.ollama_chat, asks.OLLAMA),
        "/api/generate": Door(house, "api/generate", asks.ollama_generate, asks.OLLAMA),
        "/api/embed": Door(house, "api/embed", asks.ollama_embed, asks.OLLAMA),
        "/api/embeddings": Door(house, "api/embeddings", asks.ollama_embed, asks.OLLAMA),
    }
    app = Starlette(
        routes=[
            *(Route(path, door, methods=["POST"]) for path, door in doors.items()),
            *listing_routes(house),
            usage_route(house),
        ],
        exception_handlers={404: no_door, 405: no_door},
    )
    app.add_middleware(BoundedHeaders)
    return app
