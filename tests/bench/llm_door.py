"""The door to the models with a table of its own: ``python -m tests.bench.llm_door PORT TABLE``."""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop

from deployments.llm import serve
from deployments.settings import Settings

if __name__ == "__main__":
    settings = Settings(POTOK_LLM_PORT=int(sys.argv[1]))
    uvloop.run(serve(settings, Path(sys.argv[2])))
