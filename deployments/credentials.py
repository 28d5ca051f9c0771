"""What a vendor's credential or address has to look like; each check says what it should be.

A check raises ValueError, and its words never have the value: it is a secret, or has one in it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def _without_slash(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("should be an address that starts with http:// or https://")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_without_slash)]


def check_telegram_webhook_secret(secret: SecretStr | None) -> SecretStr | None:
    """A ``secret_token`` as Telegram takes it.

    Source:
        core.telegram.org/bots/api#setwebhook, read 2026-11.
    """
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret.get_secret_value()):
        raise ValueError("should be 1 to 256 of A-Z a-z 0-9 _ -: Telegram takes no other")
    return secret


def check_telegram_webhook_url(url: str, bot: str) -> str:
    """Where Telegram reaches the hook of a bot."""
    path = f"/hooks/telegram/{bot}"
    if not urlsplit(url).path.endswith(path) or re.search(r"\s", url):
        raise ValueError(f"should be https://<public name>{path}: the gateway knows no other path")
    return url


def check_forwarder_secret(secret: SecretStr | None) -> SecretStr | None:
    """A secret of Standard Webhooks."""
    if secret is None:
        return None
    prefix, key = secret.get_secret_value()[:6], secret.get_secret_value()[6:]
    try:
        size = len(base64.b64decode(key, validate=True)) if prefix == "whsec_" else 0
    except (binascii.Error, ValueError):
        size = 0
    if not 24 <= size <= 64:
        raise ValueError(
            "should be whsec_ and 24 to 64 bytes in base64: the output of `openssl rand -base64 32`"
        )
    return secret


def check_bitrix24_webhook_url(url: SecretStr | None) -> SecretStr | None:
    """An incoming webhook of a portal, with a slash at its end."""
    if url is None:
        return None
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("http", "https") or "/rest/" not in parts.path:
        raise ValueError("should be https://<portal>/rest/<user id>/<code>/")
    return SecretStr(url.get_secret_value().rstrip("/") + "/")


def check_proxy_url(url: SecretStr | None) -> SecretStr | None:
    """An HTTP or SOCKS proxy, with or without a user and a password."""
    if url is None:
        return None
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("http", "socks4", "socks5") or not parts.hostname:
        raise ValueError("should be http://, socks5:// or socks4://, then user:password@host:port")
    return url
