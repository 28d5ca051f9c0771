"""How much a model is to think, both ways.

Claude 4.6 and later take ``adaptive`` thinking and an effort, and refuse a budget from 4.7 on;
those before take a budget of tokens only. The model's name tells them apart.

Source: ThinkingConfigParam and OutputConfigParam of anthropic 2.14.0;
github.com/docker/docker-agent/pull/3415 of ``display``; read 2026-11-25.
"""

from __future__ import annotations

import re

from lib.domain.llm.anthropic_shape import need
from lib.domain.llm.dialects import Options
from lib.domain.llm.wire import Json
from lib.errors import Rejected

LEAST_BUDGET = 1024
_LOW_BUDGET, _MEDIUM_BUDGET = 4096, 16384  # at most; above: high

_BY_BUDGET = re.compile(r"claude-(?:3-7-.*|(?:opus|sonnet|haiku)-4(?:-[015])?(?:-\d{8})?)")
_WITHOUT = re.compile(r"claude-3-(?!7-).*")
_BUDGETS = {"low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 24576}
_CHAT_EFFORTS = {e: e if e in ("low", "medium") else "high" for e in _BUDGETS}
_EFFORTS = {"minimal": "low"} | {effort: effort for effort in ("none", *_BUDGETS)}


def thinking_for(
    chat: Json, options: Options, max_tokens: int | None, *, is_forced: bool, is_unsigned: bool
) -> tuple[Json, int]:
    """The fields ``thinking`` and ``output_config``, and the tokens that thoughts need besides.

    Args:
        chat: with ``reasoning_effort``, which comes before the table's ``think``.
        options: ``think`` of the table.
        max_tokens: of thoughts and answer together; None when nobody said.
        is_forced: a tool has to be called; Anthropic refuses to think then.
        is_unsigned: results answer calls whose thoughts did not come back, as OpenAI's clients keep
            none; models with a budget refuse to think on then.

    Raises:
        Rejected: there is no such effort.
    """
    wanted = chat.get("reasoning_effort", options.think)
    if wanted is None:
        return {}, 0
    wanted = {True: "medium", False: "none"}[wanted] if isinstance(wanted, bool) else wanted
    if not isinstance(wanted, str) or wanted not in _EFFORTS:
        raise Rejected(f"reasoning_effort is none of {', '.join(_EFFORTS)}")
    effort = _EFFORTS[wanted]
    model = str(chat.get("model"))
    if effort == "none" and not _WITHOUT.fullmatch(model):
        return {"thinking": {"type": "disabled"}}, 0
    if effort == "none" or is_forced or _WITHOUT.fullmatch(model):
        return {}, 0
    if not _BY_BUDGET.fullmatch(model):
        thinking = {"type": "adaptive", "display": "summarized"}  # from 4.7 on: hidden unless asked
        return {"thinking": thinking, "output_config": {"effort": effort}}, _BUDGETS[effort]
    budget = _BUDGETS[effort] if max_tokens is None else min(_BUDGETS[effort], max_tokens * 4 // 5)
    if budget < LEAST_BUDGET or is_unsigned:
        return {}, 0
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}, budget


def effort_from(body: Json) -> Json:
    """Chat's ``reasoning_effort`` of a Messages request; {} when it says nothing of it.

    Off is off; else the effort that is named, else what the budget amounts to. ``xhigh`` and
    ``max`` become ``high``, which every provider knows.

    Raises:
        Rejected: there is no such effort, or no such way to think.
    """
    thinking = need(body.get("thinking", {}), dict, "thinking")
    effort = need(body.get("output_config", {}), dict, "output_config").get("effort")
    if effort is not None and effort not in list(_CHAT_EFFORTS):
        raise Rejected(f"output_config.effort is none of {', '.join(_CHAT_EFFORTS)}")
    kind = thinking.get("type")
    if kind == "disabled":
        return {"reasoning_effort": "none"}
    if effort is not None:
        return {"reasoning_effort": _CHAT_EFFORTS[effort]}
    if kind == "enabled":
        budget = need(thinking.get("budget_tokens"), int, "thinking.budget_tokens")
        high = "high" if budget > _MEDIUM_BUDGET else "medium"
        return {"reasoning_effort": "low" if budget <= _LOW_BUDGET else high}
    if kind == "adaptive":
        return {"reasoning_effort": "medium"}
    if thinking and kind != "between_tools":
        raise Rejected("thinking.type is none of adaptive, enabled, between_tools and disabled")
    return {}
