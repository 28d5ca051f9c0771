"""Which commit this is."""

from __future__ import annotations

import subprocess

from deployments.settings import ROOT


def version() -> str:
    """The commit that is deployed, ``-dirty`` with changes; ``unknown`` outside a checkout."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        described = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()
