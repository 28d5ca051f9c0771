"""What the environment says about speech."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployments.credentials import Address


class SpeechSettings(BaseSettings):
    """The part of ``Settings`` that is about recordings."""

    model_config = SettingsConfigDict(alias_generator=str.upper)

    given_speech_url: Address | None = Field(default=None, validation_alias="SPEECH_URL")
    speech_api_key: SecretStr | None = None
    speech_gateway_url: Address | None = None
    speech_folder: Path | None = None
    speech_model: str | None = None
    speech_language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}$")
    speech_device: str = Field(default="cpu", pattern=r"^(cpu|cuda|auto)$")
    speech_compute_type: str = "int8"
    speech_workers: int = Field(default=1, ge=1, le=32)
    speech_threads: int = Field(default=0, ge=0, le=256)
    speech_beam: int = Field(default=5, ge=1, le=10)
    speech_vad: bool = True
    speech_batch: int = Field(default=1, ge=1, le=64)
    speech_callback_secret: SecretStr | None = None
    speech_allowed_hosts: str | None = None

    @field_validator("speech_folder")
    @classmethod
    def _whole(cls, folder: Path | None) -> Path | None:
        return folder.expanduser().resolve() if folder else None

    @property
    def has_speech(self) -> bool:
        """Whether there is a speech service, here or elsewhere."""
        return bool(self.speech_model or self.given_speech_url)
