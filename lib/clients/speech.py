"""Our speech service, as those who submit recordings see it.

Source: lib/gateway/speech (its doors).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from lib.clients._closing import Closing
from lib.clients._http import USER_AGENT, check_status, translated
from lib.domain.speech_jobs import JobWishes
from lib.domain.transcripts import Transcript, read_detailed
from lib.errors import Unavailable

TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job as it stands.

    Attributes:
        done_s, of_s: seconds that were heard, of how many; 0 of 0: nothing is known yet.
        result: what is said, or why nobody knows; None: it goes on.
    """

    done_s: float
    of_s: float
    result: Transcript | str | None


class Speech(Closing):
    """A connection to a service. Made inside a running event loop.

    Args:
        base_url: as in ``http://127.0.0.1:8200``.
        api_key: a key that may ask for ``speech``.
    """

    def __init__(self, base_url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"authorization": f"Bearer {api_key}", "user-agent": USER_AGENT},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(
        self, sound: Path, wishes: JobWishes, *, key: str, ref: str, callback_url: str | None
    ) -> UUID:
        """Send a recording to be heard; the same key twice is one job.

        Args:
            sound: the file.
            wishes: how to listen.
            key: ``Idempotency-Key``.
            ref: ours, given back with the job.
            callback_url: who is told when it has ended.

        Raises:
            Rejected: the service does not take it.
            Denied: the key is wrong.
            Unavailable: the service is away; send it again.
        """
        with sound.open("rb") as file:
            given = {"file": (sound.name, file, "application/octet-stream")}
            return await self._submit(_form(wishes, ref, callback_url), key, given)

    async def submit_url(self, url: str, wishes: JobWishes, *, key: str, ref: str) -> UUID:
        """Have the service fetch a recording and hear it; as ``submit``, and nobody is told."""
        return await self._submit(_form(wishes, ref, None) | {"url": url}, key, None)

    async def _submit(
        self, form: Mapping[str, str], key: str, files: Mapping[str, Any] | None
    ) -> UUID:
        with translated("speech: submit", write=False):
            response = await self._http.post(
                "/v1/jobs",
                data=form,
                files=files,
                headers={"idempotency-key": key},
                timeout=httpx.Timeout(TIMEOUT_S, write=UPLOAD_TIMEOUT_S),
            )
        body = _body_of(response, "speech: submit")
        try:
            return UUID(str(body.get("job_id")))
        except ValueError as exc:
            raise Unavailable("speech: submit: the answer names no job") from exc

    async def fetch(self, job_id: UUID) -> JobSeen | None:
        """A job as it stands; None: the service has no such job.

        Raises:
            Denied: the key is wrong.
            Unavailable: the service is away.
        """
        with translated("speech: job", write=False):
            response = await self._http.get(f"/v1/jobs/{job_id}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        body = _body_of(response, "speech: job")
        progress = body.get("progress") or {}
        status = body.get("status")
        result: Transcript | str | None = None
        if status == "succeeded":
            result = _transcript_in(body)
        elif status == "failed":
            result = str(body.get("error") or "it gives no reason")
        return JobSeen(float(progress.get("done_s") or 0), float(progress.get("of_s") or 0), result)


def _form(wishes: JobWishes, ref: str, callback_url: str | None) -> dict[str, str]:
    form = {
        "client_ref": ref,
        "callback_url": callback_url,
        "language": wishes.language,
        "prompt": wishes.prompt,
        "stereo": "true" if wishes.stereo else None,
        "timestamp_granularities[]": "word" if wishes.words else "segment",
    }
    return {name: value for name, value in form.items() if value}


def _body_of(response: httpx.Response, what: str) -> dict[str, Any]:
    check_status(response, what, write=False)
    with suppress(ValueError):
        body = response.json()
        if isinstance(body, dict):
            return body
    raise Unavailable(f"{what}: the answer cannot be read")


def _transcript_in(body: Mapping[str, Any]) -> Transcript:
    try:
        return read_detailed(body)
    except (KeyError, TypeError, ValueError) as exc:
        raise Unavailable(f"speech: job: the answer cannot be read ({type(exc).__name__})") from exc
