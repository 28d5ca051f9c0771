"""The JSON schema of an answer, both ways.

Source: ``JSONOutputFormatParam`` of anthropic 2.14.0, read 2026-11-25.
"""

from __future__ import annotations

from typing import Any

from lib.domain.llm.anthropic_shape import need
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

_NESTED_AT_MOST = 60


def response_format_from(body: Json) -> Json:
    """Chat's ``response_format`` of a Messages request; {} without one.

    Raises:
        Rejected: it is wrong.
    """
    wanted = need(body.get("output_config", {}), dict, "output_config").get("format")
    if wanted is None:
        return {}
    if need(wanted, dict, "output_config.format").get("type") != "json_schema":
        raise Rejected("output_config.format.type is not json_schema")
    schema = need(wanted.get("schema"), dict, "output_config.format.schema")
    named = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def schema_in(chat: Json) -> Json | None:
    """The schema that a chat request wants its answer in; None: it wants text.

    Raises:
        Rejected: it is wrong. NotForThisModel: it wants JSON without a schema.
    """
    wanted = need(chat.get("response_format", {"type": "text"}), dict, "response_format")
    kind = wanted.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        raise NotForThisModel(
            "response_format json_object: Anthropic gives JSON by a schema, send json_schema"
        )
    if kind != "json_schema":
        raise Rejected("response_format.type is none of text, json_object and json_schema")
    named = need(wanted.get("json_schema"), dict, "response_format.json_schema")
    schema = need(named.get("schema"), dict, "response_format.json_schema.schema")
    return need(_closed(schema), dict, "response_format.json_schema.schema")


def _closed(schema: Any, depth: int = 0) -> Any:
    """The schema with every object closed: Anthropic refuses one that does not say."""
    if depth > _NESTED_AT_MOST:
        raise Rejected("response_format.json_schema.schema is nested too deep")
    if isinstance(schema, list):
        return [_closed(item, depth + 1) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(value, depth + 1) for key, value in schema.items()}
    return ({"additionalProperties": False} if schema.get("type") == "object" else {}) | inner
