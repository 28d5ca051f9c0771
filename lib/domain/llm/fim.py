"""A text to go on with, or a middle to fill in: /v1/completions by Ollama's /api/generate.

Ollama's own /v1/completions wraps every prompt in the chat template, also one that has its
tokens already; so such a prompt goes to /api/generate, ``raw``. A suffix goes there as it is, and
the model's template makes the prompt of both.

The answers go by way of the chat shape, so ``CompletionsClient`` gives them to the client.

Source: facts of Continue and Ollama (openai.go ``FromCompleteRequest``), read 2026-11-22.
"""

from __future__ import annotations

import re

from lib.domain.llm.checked import optional, texts
from lib.domain.llm.dialects import Options, Stamp
from lib.domain.llm.ollama_answers import LineDecoder, chat_answer_from, message_of_generate
from lib.domain.llm.ollama_fields import request_of
from lib.domain.llm.refusals import NotForThisModel
from lib.domain.llm.wire import Json
from lib.errors import Rejected

_FIM = re.compile(
    r"<\|fim_(?:prefix|suffix|middle|begin|hole|end)\|>"  # Qwen, the first DeepSeek
    r"|<fim[_-](?:prefix|suffix|middle)>"  # StarCoder, Granite; SantaCoder with a dash
    r"|<｜fim▁(?:begin|hole|end)｜>"  # DeepSeek
    r"|<\|code_(?:prefix|suffix|middle)\|>"  # GLM, CodeGeeX
    r"|^<PRE> |<(?:SUF|MID)>"  # CodeLlama; elsewhere <PRE> is HTML
)
_CODESTRAL = ("[PREFIX]", "[SUFFIX]")  # it writes both; one alone may stand in any text
_CHAT = re.compile(
    r"<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|begin_of_text\|>|^(?:<s>)?\s*\[INST\]"
)


def has_fim_tokens(prompt: str) -> bool:
    """Whether a prompt was templated for a middle to be filled in, for whichever model."""
    return _FIM.search(prompt) is not None or all(token in prompt for token in _CODESTRAL)


def is_templated(prompt: str) -> bool:
    """Whether a prompt has a model's own tokens already, for a middle or for a chat."""
    return has_fim_tokens(prompt) or _CHAT.search(prompt) is not None


def prompt_in(body: Json) -> str:
    """The prompt of a body of /v1/completions, of which only one answer can be given.

    Raises:
        Rejected: there is none, or the body asks for more than a text.
    """
    for key in ("n", "best_of"):
        if (optional(body, key, int) or 1) != 1:
            raise NotForThisModel(f"`{key}`: one answer is given; leave it out")
    for key in ("echo", "logprobs"):
        if body.get(key) not in (None, False, 0):
            raise NotForThisModel(f"`{key}` is not given; leave it out")
    prompt = body.get("prompt")
    if isinstance(prompt, list) and any(not isinstance(each, str) for each in prompt):
        raise NotForThisModel("`prompt` must be a text: tokens are not taken")
    if len(prompts := texts(body, "prompt")) != 1:
        raise Rejected("`prompt` must be one text")
    return prompts[0]


def generate_from(body: Json, options: Options) -> Json:
    """The body of ``/api/generate`` for a body of /v1/completions.

    Thinking is off: a text has no place for thoughts, and a middle cannot wait for them.

    Raises:
        Rejected: the body is wrong, or asks for what Ollama does not have.
    """
    prompt, suffix = prompt_in(body), optional(body, "suffix", str)
    fields: Json = {"prompt": prompt, "think": False}
    if is_templated(prompt):
        if suffix:
            raise Rejected("`prompt` has a template's tokens: its suffix stands inside it")
        fields["raw"] = True
    elif suffix:
        fields["suffix"] = suffix
    return request_of(body, options, fields)


class GenerateProvider:
    """Ollama's /api/generate in the place of a ``ProviderDialect``, for /v1/completions."""

    def request_from(self, body: Json, options: Options) -> Json:
        """As ``generate_from``: ``body`` is of /v1/completions, not a chat request."""
        return generate_from(body, options)

    def chat_from(self, answer: Json, stamp: Stamp) -> Json:
        """The answer, as a chat answer.

        Raises:
            PotokError: it is an error, or not whole.
        """
        return chat_answer_from(answer, message_of_generate, stamp)

    def decoder(self, stamp: Stamp) -> LineDecoder:
        """What reads the lines of ``/api/generate``."""
        return LineDecoder(stamp, message_of_generate)
