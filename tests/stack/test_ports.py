from __future__ import annotations

import os
import socket

import pytest

from deployments.stack import ports
from lib.errors import Rejected
from tests.support import free_port


def test_every_taken_port_is_named_with_its_variable_and_its_owner() -> None:
    free = free_port()
    with socket.socket() as one, socket.socket() as two:
        for other in (one, two):
            other.bind(("127.0.0.1", 0))
            other.listen()
        first, second = one.getsockname()[1], two.getsockname()[1]
        with pytest.raises(Rejected) as caught:
            ports.check_free({"POTOK_PORT": first, "POTOK_PG_PORT": free, "POTOK_X_PORT": second})
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"port {first} is taken by ")
    assert f"(pid {os.getpid()}): stop it or set POTOK_PORT" in lines[0]
    assert "POTOK_X_PORT" in lines[1]


def test_one_port_for_two() -> None:
    free = free_port()
    with pytest.raises(Rejected, match="given twice: change POTOK_PORT or POTOK_PG_PORT"):
        ports.check_free({"POTOK_PORT": free, "POTOK_PG_PORT": free})


def test_free_ports_are_fine() -> None:
    ports.check_free({"POTOK_PORT": free_port()})
