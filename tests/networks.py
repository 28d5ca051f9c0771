"""A server with a public address and one in a VPN, as network namespaces of this machine.

```
the tests ──198.18.N.0──┐            ┌──198.19.N.0── the tests
                        ├── server ──┤
internet ──198.18.N.0───┘            └──198.19.N.0── vpn
```

Where namespaces are not allowed, addresses of the loopback take their places.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ETC = Path("/etc/netns")  # what is there for a namespace takes the place of /etc's own in it


@dataclass(frozen=True)
class Networks:
    """How to come to the server, and from where.

    Attributes:
        public, vpn: addresses of the server.
        sources: of the tests, by address of the server; None: the system chooses.
        home: where the tests listen for the server.
        vpn_network: of which the VPN is.
        server, internet, inside: what opens the command of a program there.
        why: why these are no namespaces; "" where they are.
    """

    public: str
    vpn: str
    sources: tuple[str | None, str | None]
    home: str
    vpn_network: str
    server: tuple[str, ...] = ()
    internet: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    why: str = ""


@contextmanager
def networks(*names: str) -> Iterator[Networks]:
    """Networks for as long as the block lasts.

    Args:
        names: hosts that the server knows as itself; on the loopback nobody knows them.

    Raises:
        PermissionError: neither namespaces are allowed, nor the ports 80 and 443 of the loopback.
    """
    made: list[str] = []
    try:
        try:
            found = _namespaces(os.getpid(), names, made)
        except (OSError, subprocess.CalledProcessError) as exc:
            found = _loopback(getattr(exc, "stderr", None) or str(exc))
        yield found
    finally:
        for name in made:
            _ip("netns", "delete", name)
            shutil.rmtree(ETC / name, ignore_errors=True)
        with suppress(OSError):  # others have something there
            ETC.rmdir()


def _namespaces(number: int, names: Sequence[str], made: list[str]) -> Networks:
    server, internet, vpn = (f"potok-{number}-{name}" for name in ("server", "internet", "vpn"))
    for name in (server, internet, vpn):
        _ip("netns", "add", name)
        made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
    public, private = (f"{net}.{number % 250 + 1}" for net in ("198.18", "198.19"))
    for index, (name, net, end) in enumerate(
        [("", public, 2), ("", private, 2), (internet, public, 3), (vpn, private, 3)]
    ):
        _link(f"p{number}-{index}", name, server, f"{net}.{end}", f"{net}.1")
    hosts = ETC / server / "hosts"
    hosts.parent.mkdir(parents=True)
    hosts.write_text(f"127.0.0.1 localhost\n{public}.1 {' '.join(names)}\n")
    inside = {name: ("ip", "netns", "exec", name) for name in made}
    return Networks(
        f"{public}.1",
        f"{private}.1",
        (None, None),
        f"{public}.2",
        f"{private}.0/24",
        *(inside[server], inside[internet], inside[vpn]),
    )


def _link(name: str, here: str, there: str, near: str, far: str) -> None:
    """A cable between two namespaces; "" is that of the tests."""
    ends = ((here, f"{name}a", near, far), (there, f"{name}b", far, near))
    _ip("link", "add", ends[0][1], "type", "veth", "peer", "name", ends[1][1])
    for namespace, end, own, other in ends:
        if namespace:
            _ip("link", "set", end, "netns", namespace)
        of = ("-n", namespace) if namespace else ()
        _ip(*of, "address", "add", own, "peer", other, "dev", end)
        _ip(*of, "link", "set", end, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _loopback(why: str) -> Networks:
    for port in (80, 443):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as exc:
                words = f"no namespaces ({why.strip()}), and port {port}: {exc.strerror}"
                raise PermissionError(words) from exc
    return Networks(
        *("127.0.0.3", "127.0.0.2", ("127.0.0.3", "127.0.0.2"), "127.0.0.1", "127.0.0.2/32"),
        why=why.strip(),
    )
