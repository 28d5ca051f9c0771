"""The map of the flows: the headers of their files, and what ``prefect.yaml`` says of each."""

from __future__ import annotations

import ast
from pathlib import Path

from deployments.manifest import Entry, entries
from deployments.settings import ROOT
from lib.domain.flow_map import FlowOnMap, header_from


def flow_map(root: Path = ROOT) -> list[FlowOnMap]:
    """Every deployment of ``prefect.yaml``; no flow is imported.

    Raises:
        Rejected: ``prefect.yaml`` is wrong.
    """
    return [_on_map(entry, root) for entry in entries(root / "prefect.yaml")]


def _on_map(entry: Entry, root: Path) -> FlowOnMap:
    file = root.joinpath(*entry.entrypoint.split(".")[:-1]).with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text())) if file.is_file() else None
    said = header_from(docstring or "")
    return FlowOnMap(
        name=entry.name,
        summary=said["summary"],
        description=entry.description,
        trigger=said.get("trigger", ""),
        takes=said.get("in", ""),
        gives=said.get("out", ""),
        pool=entry.pool,
        tags=entry.tags,
        schedules=entry.schedules,
    )
