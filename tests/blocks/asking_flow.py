"""Flows that ask models, run by hand: ``python -m tests.blocks.asking_flow ALIAS [SOUND]``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from prefect import flow

from blocks.llm import complete, embed, transcribe
from lib.errors import PotokError


@flow
async def asks(alias: str) -> Any:
    """An answer and two vectors, or the error."""
    once = complete.with_options(retries=0)
    try:
        answer = await once(alias, [{"role": "user", "content": "ping"}], temperature=0.2)
    except PotokError as exc:
        return {"error": type(exc).__name__, "words": str(exc)}
    return {"answer": answer, "vectors": await embed(["раз", "два"])}


@flow
async def hears(alias: str, sound: str) -> Any:
    """A transcript, or the error."""
    once = transcribe.with_options(retries=0)
    try:
        found = await once(Path(sound), language="ru", words=True, alias=alias)
    except PotokError as exc:
        kinds = [kind.__name__ for kind in type(exc).__mro__]
        return {"error": kinds, "words": str(exc)}
    return {"text": found.text, "words": [w.text for s in found.segments for w in s.words]}


if __name__ == "__main__":
    alias, *sounds = sys.argv[1:]
    asked = hears(alias, *sounds) if sounds else asks(alias)
    sys.stdout.write("\n" + json.dumps(asyncio.run(asked)))
