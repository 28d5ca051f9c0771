"""JSON schemas as models with structured output want them."""

from __future__ import annotations

from typing import Any


def strict(schema: dict[str, Any]) -> None:
    """Make a schema one of OpenAI's strict mode: every field required, no default, none besides.

    For ``json_schema_extra`` of a pydantic model; models inside it need it, too.

    Source: platform.openai.com/docs/guides/structured-outputs, read 2026-11-26.
    """
    properties = schema["properties"]
    for field in properties.values():
        field.pop("default", None)
    schema["required"] = list(properties)
    schema["additionalProperties"] = False
