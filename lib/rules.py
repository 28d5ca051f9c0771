"""The rules that ship with potok as files, read."""

from __future__ import annotations

from pathlib import Path

import lib.domain
from lib.domain.scoring import Rules, rules_from

SCORING = Path(lib.domain.__path__[0]) / "scoring.yaml"


def scoring_rules() -> Rules:
    """The rules of scoring; raises Rejected when a person has made nonsense of the file."""
    return rules_from(SCORING.read_text())
