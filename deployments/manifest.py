"""What ``prefect.yaml`` says about the deployments."""

from __future__ import annotations

import yaml

from deployments.settings import ROOT

INBOX = "inbox"  # the tag of a deployment that takes batches of the inbox


def inbox_deployments() -> list[str]:
    """The deployments that take their work from the inbox, as ``flow/deployment``."""
    said = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    return [
        f"{each['entrypoint'].rpartition('.')[2]}/{each['name']}"
        for each in said["deployments"]
        if INBOX in each.get("tags", ())
    ]
