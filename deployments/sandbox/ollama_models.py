"""The models that the stand-in for Ollama has: those of the map.

Source: ollama fb30760 (api/types.go), facts of 2026-11-22.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from deployments.sandbox.model_talk import Json

MODIFIED_AT = "2026-11-01T10:00:00.000000+03:00"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model on disk.

    Attributes:
        name: with its tag.
        family: of its architecture.
        parameters: how many, as people write it.
        size: bytes.
        context: the longest, tokens.
        skills: ``completion``, ``tools``, ``thinking``, ``insert``, ``embedding``.
    """

    name: str
    family: str
    parameters: str
    size: int
    context: int
    skills: tuple[str, ...]

    @property
    def listed(self) -> Json:
        """As ``/api/tags`` has it."""
        digest = hashlib.sha256(self.name.encode()).hexdigest()
        found = {"name": self.name, "model": self.name, "modified_at": MODIFIED_AT}
        return found | {"size": self.size, "digest": digest, "details": self.details}

    @property
    def details(self) -> Json:
        """What kind of model it is."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameters,
            "quantization_level": "Q4_K_M",
        }

    @property
    def shown(self) -> Json:
        """As ``/api/show`` has it."""
        return {
            "modelfile": f"FROM {self.name}",
            "parameters": "temperature 0.6",
            "template": "{{ .Prompt }}",
            "details": self.details,
            "model_info": {
                "general.architecture": self.family,
                f"{self.family}.context_length": self.context,
            },
            "capabilities": list(self.skills),
            "modified_at": MODIFIED_AT,
        }


_THINKS = ("completion", "tools", "thinking")
_ALL = (
    LocalModel("qwen3:30b", "qwen3moe", "30.5B", 18_556_688_736, 262_144, _THINKS),
    LocalModel("qwen3-coder:30b", "qwen3moe", "30.5B", 18_556_701_140, 262_144, _THINKS[:2]),
    LocalModel("deepseek-r1:8b", "qwen3", "8.2B", 5_225_376_047, 131_072, _THINKS),
    LocalModel("llama3.1:8b", "llama", "8.0B", 4_920_753_328, 131_072, _THINKS[:2]),
    LocalModel(
        "qwen2.5-coder:1.5b", "qwen2", "1.5B", 986_062_089, 32_768, (*_THINKS[:2], "insert")
    ),
    LocalModel("nomic-embed-text:latest", "nomic-bert", "137M", 274_302_450, 2048, ("embedding",)),
)
MODELS = {model.name: model for model in _ALL}
