"""Run the sandbox: ``python -m deployments.sandbox --host 127.0.0.1 --port 8090``."""

from __future__ import annotations

import argparse
import socket
import sys

import uvicorn

from deployments.sandbox.app import create_app


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            sys.stdout.write(f"sandbox.ready url=http://{host}:{port}\n")
            sys.stdout.flush()


def main() -> None:
    """Serve until a signal; a hanging answer holds nothing up for more than a second."""
    parser = argparse.ArgumentParser(prog="sandbox", description="Stand-ins for the vendors")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    args = parser.parse_args()
    config = uvicorn.Config(
        create_app(),
        host=args.host,
        port=args.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    _Server(config).run()


if __name__ == "__main__":
    main()
