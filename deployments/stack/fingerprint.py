"""What provisioning depends on, as one hash: it is repeated only when something changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from deployments.settings import ROOT, Settings

SOURCES = ("prefect.yaml", "flows", "blocks", "deployments/provision.py")
# These change nothing on the Prefect server.
NOT_PROVISIONED = {
    *("home", "port", "pg_port", "spares", "runs_at_once", "batch_size", "stop_grace_s")
}


def fingerprint(settings: Settings, root: Path = ROOT) -> str:
    """A hash of the deployments, their code, Prefect's version and the settings that matter."""
    digest = hashlib.sha256(version("prefect").encode())
    for path in _sources(root):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    env = settings.child_env()
    for field, info in sorted(type(settings).model_fields.items()):
        if field not in NOT_PROVISIONED:
            variable = str(info.validation_alias)
            digest.update(f"{variable}={env.get(variable)}\0".encode())
    return digest.hexdigest()


def is_provisioned(settings: Settings) -> bool:
    """Whether the embedded Prefect server was provisioned from exactly this state.

    A server that is given may have been emptied behind our back, so it never counts as provisioned.
    """
    path = _path(settings)
    if not settings.uses_embedded_prefect or not path.exists():
        return False
    return path.read_text() == fingerprint(settings)


def mark_provisioned(settings: Settings) -> None:
    """Remember that provisioning of this state succeeded."""
    _path(settings).write_text(fingerprint(settings))


def forget(settings: Settings) -> None:
    """Provision again at the next start."""
    _path(settings).unlink(missing_ok=True)


def _path(settings: Settings) -> Path:
    return settings.home / "provisioned"


def _sources(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        path = root / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in found if one.is_file() and "__pycache__" not in one.parts)
