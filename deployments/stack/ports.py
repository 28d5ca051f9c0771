"""Ports: found taken before anything starts, with the variable to change."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

import psutil

from lib.errors import Rejected

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def owner_of(port: int) -> str | None:
    """Who listens on a port, as ``name (pid 123)``; ``None`` when it cannot be told."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or tuple(connection.laddr)[1:] != (port,):
            continue
        if connection.pid is None:
            return None
        try:
            return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
        except psutil.NoSuchProcess:
            return None
    return None


def check_free(ports: Mapping[str, int]) -> None:
    """Check the ports, by the variable that sets each.

    Raises:
        Rejected: a line for every port that is taken or asked for twice.
    """
    lines = []
    seen: dict[int, str] = {}
    for variable, port in ports.items():
        if port in seen:
            lines.append(f"port {port} is given twice: change {seen[port]} or {variable}")
        elif not is_free(port):
            who = owner_of(port) or "another process"
            lines.append(f"port {port} is taken by {who}: stop it or set {variable}")
        seen[port] = variable
    if lines:
        raise Rejected("\n".join(lines))
