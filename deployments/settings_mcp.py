"""What the environment says about the MCP server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 — not bound here


class McpSettings(BaseSettings):
    """The part of ``Settings`` that is about the door for IDEs."""

    model_config = SettingsConfigDict(alias_generator=str.upper)

    mcp: bool = Field(default=False, validation_alias="POTOK_MCP")
    mcp_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=3900, validation_alias="POTOK_MCP_PORT"
    )
    mcp_host: str = "127.0.0.1"
    mcp_allowed_hosts: str | None = None

    @property
    def mcp_url(self) -> str:
        """The MCP server's address on this machine, without ``/mcp``."""
        host = "127.0.0.1" if self.mcp_host in ANYWHERE else self.mcp_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.mcp_port}"

    @property
    def mcp_hosts(self) -> list[str]:
        """Names that the MCP server may be called by, besides its address and localhost."""
        named = [part.strip() for part in (self.mcp_allowed_hosts or "").split(",")]
        own = [] if self.mcp_host in ANYWHERE else [self.mcp_host]
        return [*own, *filter(None, named)]
