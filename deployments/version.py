"""Which commit this is."""

from __future__ import annotations

import subprocess

from deployments.settings import ROOT


def version() -> str:
    """The commit that is deployed, ``-dirty`` with changes; ``unknown`` outside a checkout."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return described.stdout.strip() or "unknown"
