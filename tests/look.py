"""Asks a server as another machine: run inside a network namespace, with one JSON argument."""

from __future__ import annotations

import json
import ssl
import sys
from typing import Any

import httpx

TIMEOUT_S = 10.0


def look(client: httpx.Client, ask: dict[str, Any]) -> dict[str, Any]:
    """The answer to one ask; ``address``, ``host``, ``path``, and what else differs."""
    scheme = ask.get("scheme", "https")
    url = f"{scheme}://{ask['address']}{ask.get('path', '/')}"
    headers = {"host": ask["host"], **ask.get("headers", {})}
    body = b"x" * ask["bytes"] if "bytes" in ask else None
    try:
        answer = client.request(
            "POST" if body else "GET",
            url,
            headers=headers,
            content=body,
            extensions={"sni_hostname": ask["host"]},
        )
    except httpx.HTTPError as exc:
        return {"error": str(exc)}
    return {"status": answer.status_code, "headers": dict(answer.headers), "text": answer.text}


def main(said: dict[str, Any]) -> None:
    """Ask everything, with ``old`` by TLS 1.1 at the best, and print the answers as JSON."""
    trust = ssl.create_default_context(cafile=said["ca"])
    if said["old"]:
        trust.set_ciphers("DEFAULT:@SECLEVEL=0")  # or it would not even say the old versions
        trust.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        trust.maximum_version = ssl.TLSVersion.TLSv1_1
    one_each = httpx.Limits(max_keepalive_connections=0)  # a host's TLS is not another's
    wire = httpx.HTTPTransport(verify=trust, local_address=said["source"], limits=one_each)
    with httpx.Client(transport=wire, timeout=TIMEOUT_S) as client:
        print(json.dumps([look(client, ask) for ask in said["asks"]]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
