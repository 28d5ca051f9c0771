"""A flow that asks models, run by hand: ``python -m tests.blocks.asking_flow ALIAS``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from prefect import flow

from blocks.llm import complete, embed
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


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(asyncio.run(asks(sys.argv[1]))))
