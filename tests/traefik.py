"""A real Traefik as a child process, and sites for it to serve."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

BIN = Path(sys.executable).parent

# Of a Caddy that is nothing but a server with a CA of its own.
CADDY_OPTIONS = """\
{{
  admin off
  persist_config off
  auto_https disable_redirects
  http_port {http}
  https_port {https}
  skip_install_trust
  storage file_system {storage}
  pki {{
    ca local {{
      intermediate_lifetime 60d
    }}
  }}
}}
"""


@contextmanager
def child(log: Path, *command: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program for as long as the block lasts; what it says goes to a file."""
    with log.open("ab") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | env)
    try:
        yield started
    finally:
        started.kill()  # Traefik would wait for open connections, and nothing of it is kept
        started.wait()


def traefik(static: Path, log: Path, inside: Sequence[str] = ()) -> Any:
    """Traefik with a static document; ``inside`` opens its command, as ``ip netns exec NAME``."""
    return child(log, *inside, str(BIN / "traefik"), f"--configFile={static}")


def caddy(caddyfile: Path, log: Path, inside: Sequence[str] = (), **env: str) -> Any:
    """Caddy with a Caddyfile; ``env`` counts over the environment."""
    command = (str(BIN / "caddy"), "run", "--adapter", "caddyfile", "--config", str(caddyfile))
    return child(log, *inside, *command, **env)


NAMES = st.sampled_from(("a", "b", "z9", "a-b", "headers", "potok", "whole", "web-1"))
LABELS = st.sampled_from(("a", "0", "n8n", "x-y", "xn--80ak", "a9"))
HOSTS = st.builds(lambda a, b: f"{a}.{b}.test", LABELS, LABELS)
SEGMENTS = st.sampled_from(("a", "A", "hooks", "v1", ".well-known", "a.b", "_x~-", "0"))
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
NETWORKS = st.sampled_from(
    ("10.66.66.0/24", "149.154.160.0/20", "2001:db8::/32", "10.0.0.1", "::1", "128.0.0.0/1")
)
LIMITS = st.fixed_dictionaries(
    {"burst": st.integers(1, 1000)},
    optional={"rate_per_s": st.integers(1, 1000), "body_bytes": st.integers(1, 10**9)},
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Sites as their files say them, all of them in order."""
    networks = draw(st.dictionaries(NAMES, st.lists(NETWORKS, min_size=1, max_size=3), max_size=3))
    networks = {"vpn": ["10.66.66.0/24"], **{k: v for k, v in networks.items() if k != "internet"}}
    limits = draw(st.dictionaries(NAMES, LIMITS, max_size=2))
    services = draw(
        st.dictionaries(
            NAMES,
            st.builds(lambda port: {"url": f"http://127.0.0.1:{port}"}, st.integers(1, 65_535)),
            min_size=1,
            max_size=3,
        )
    )
    for name in services:
        services[name]["streams"] = draw(st.booleans())

    def access(service: str) -> dict[str, Any]:
        named = st.lists(st.sampled_from(sorted(networks)), min_size=1, max_size=2)
        found: dict[str, Any] = {"who": draw(st.one_of(st.just("internet"), named))}
        fit = [
            n for n in limits if not (services[service]["streams"] and "body_bytes" in limits[n])
        ]
        if fit and draw(st.booleans()):
            found["limits"] = draw(st.sampled_from(fit))
        if draw(st.booleans()):
            found["users"] = "office"
        return found

    hosts: dict[str, Any] = {}
    for name in draw(st.lists(HOSTS, min_size=1, max_size=4, unique=True)):
        service = draw(st.sampled_from(sorted(services)))
        paths = draw(st.lists(PATHS, max_size=3, unique=True))
        hosts[name] = {"service": service, **access(service)} if draw(st.booleans()) else {}
        hosts[name] |= {"service": service, "paths": {}}
        for path in paths if paths or "who" in hosts[name] else ["/"]:
            hosts[name]["paths"][path] = access(service) | {"proof": {"path": path}}
        below = {path for path in hosts[name]["paths"] if path == "/"}
        assert "who" not in hosts[name] or not below
    return {
        "networks": networks,
        "users": ["office"],
        "limits": limits,
        "services": services,
        "hosts": hosts,
    }


def raw_of(document: dict[str, Any]) -> bytes:
    """A document as a person would write it."""
    return yaml.safe_dump(document, sort_keys=False).encode()
