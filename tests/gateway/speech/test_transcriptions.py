"""OpenAI's door of the speech service, with OpenAI's own SDK as the client."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from openai import AsyncOpenAI

from deployments.settings import read_settings
from deployments.speech import manner_of
from lib.errors import Rejected
from lib.speech.listener import Manner
from tests.speech.conftest import DATA, SAID
from tests.speech.errors import character_errors

from .conftest import Service

NAME = "ru_0039.ogg"


async def transcribed(service: Service, **fields: str | bytes) -> httpx.Response:
    content = fields.pop("content", (DATA / NAME).read_bytes())
    data = {"model": "base", **fields}
    return await service.http.post(
        "/v1/audio/transcriptions", data=data, files={"file": (NAME, content)}
    )


async def test_the_sdk_gets_every_format(service: Service) -> None:
    key = service.http.headers["authorization"].removeprefix("Bearer ")
    base_url = f"{str(service.http.base_url).rstrip('/')}/v1"
    async with AsyncOpenAI(api_key=key, base_url=base_url, max_retries=0) as client:

        async def ask(shape: str, **more: object) -> object:
            return await client.audio.transcriptions.create(
                model="base",
                file=DATA / NAME,
                response_format=shape,  # type: ignore[call-overload]
                **more,
            )

        plain, text, srt, whole = await asyncio.gather(
            ask("json", language="ru"),
            ask("text"),
            ask("srt"),
            ask("verbose_json", timestamp_granularities=["word", "segment"]),
        )
    assert character_errors(SAID[NAME], plain.text) < 0.05  # type: ignore[attr-defined]
    assert character_errors(SAID[NAME], str(text)) < 0.05
    assert " --> " in str(srt)
    assert whole.language == "ru"  # type: ignore[attr-defined]
    assert whole.words[0].start >= 0  # type: ignore[attr-defined]
    assert not list((service.settings.home / "speech").iterdir())


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"response_format": "doc"}, 400, "`response_format` is one of json"),
        ({"language": "xx"}, 400, "knows no language 'xx'"),
        ({"language": "Russian!"}, 400, "`language` is a code of ISO 639-1"),
        ({"stream": "true"}, 400, "`stream` is not known here"),
        ({"timestamp_granularities[]": "letter"}, 400, "is word or segment"),
        ({"content": b""}, 400, "`file` is empty"),
        ({"content": b"a text"}, 400, "no sound that can be read"),
        ({"prompt": "x" * 2000}, 400, "`prompt` is a text of at most 1000"),
    ],
)
async def test_what_is_wrong_is_told(
    service: Service, fields: dict[str, str | bytes], status: int, told: str
) -> None:
    answer = await transcribed(service, **fields)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["error"]["message"]
    assert not list((service.settings.home / "speech").iterdir())


async def test_a_form_is_needed(service: Service) -> None:
    for body in (
        {"json": {"model": "base"}},
        {"data": {"model": "base"}},
        {"content": b"\xff" * 99},
    ):
        answer = await service.http.post("/v1/audio/transcriptions", **body)  # type: ignore[arg-type]
        assert answer.status_code == 400
        assert "send either `file`" in answer.json()["error"]["message"]
    broken = {"content-type": "multipart/form-data; boundary=x"}
    answer = await service.http.post("/v1/audio/transcriptions", content=b"--y", headers=broken)
    assert answer.status_code == 400


async def test_too_much_is_told_before_it_is_read(service: Service) -> None:
    url = service.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    key = service.http.headers["authorization"]
    head = f"POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n"
    form = "content-type: multipart/form-data; boundary=x\r\ncontent-length: 3000000000\r\n\r\n"
    writer.write((head + form).encode())
    async with asyncio.timeout(10):
        assert b" 413 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/jobs"])
async def test_who_is_let_in(service: Service, path: str) -> None:
    other = await service.new_key("main")
    for key, status in (("", 401), ("Bearer x", 401), (f"Bearer {other}", 403)):
        answer = await service.http.post(path, headers={"authorization": key})
        assert answer.status_code == status
        assert answer.json()["error"]["type"]


def test_how_it_listens_is_set() -> None:
    assert manner_of(read_settings()) == Manner()
    settings = read_settings(SPEECH_LANGUAGE="ru", SPEECH_BEAM=1, SPEECH_VAD=False)
    assert manner_of(settings) == Manner("ru", beam=1, skips_silence=False)
    assert manner_of(read_settings(SPEECH_BATCH=8)) == Manner(batch=8)
    with pytest.raises(Rejected, match="SPEECH_BATCH above 1 hears what SPEECH_VAD finds"):
        manner_of(read_settings(SPEECH_BATCH=8, SPEECH_VAD=False))
