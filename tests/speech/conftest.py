"""Whisper's base model, loaded once for all tests here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib.speech.listener import Listener
from lib.speech.weights import ensure_weights

DATA = Path(__file__).parents[1] / "data" / "speech"
SAID: dict[str, str] = json.loads((DATA / "said.json").read_text())


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_weights("base", tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="session")
def listener(weights: Path) -> Listener:
    return Listener(weights, "base")
