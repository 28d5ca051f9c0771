"""Groq's transcriptions in the sandbox, as Groq's and OpenAI's own SDKs see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import groq
import openai
import pytest
from groq import AsyncGroq
from openai import AsyncOpenAI

from deployments.sandbox.groq_speech import SENTENCE
from tests.sandbox.model_box import ModelBox, box_of, says
from tests.sandbox.sounds import CLIP, large, wav
from tests.sandbox.telegram_box import Sandbox

MODEL = "whisper-large-v3-turbo"
VERBOSE: Any = {"response_format": "verbose_json"}


@pytest.fixture
async def box(served: Sandbox) -> AsyncIterator[ModelBox]:
    async with box_of(served.http, "groq") as box:
        yield box


@pytest.fixture
async def client(box: ModelBox) -> AsyncIterator[AsyncGroq]:
    async with AsyncGroq(api_key="any", base_url=box.url, max_retries=0) as client:
        yield client


async def hear(client: AsyncGroq, file: Any = CLIP, model: str = MODEL, **more: Any) -> Any:
    return await client.audio.transcriptions.create(file=file, model=model, **more)


async def test_the_text_comes_in_each_form(client: AsyncGroq) -> None:
    assert (await hear(client)).text.strip() == SENTENCE
    plain = await hear(client, response_format="text")
    assert str(plain).strip() == SENTENCE
    verbose = await hear(client, ("a.wav", wav(2.5)), **VERBOSE)
    assert (verbose.language, verbose.duration) == ("Russian", 2.5)
    [segment] = verbose.segments
    assert (segment["start"], segment["end"], segment["text"].strip()) == (0, 2.5, SENTENCE)
    assert not hasattr(verbose, "words")
    both = await hear(client, **VERBOSE, timestamp_granularities=["word", "segment"])
    assert [word["word"] for word in both.words] == SENTENCE.split()
    assert both.segments
    words = await hear(client, **VERBOSE, timestamp_granularities=["word"])
    assert not hasattr(words, "segments")


async def test_openai_s_sdk_is_answered_too(box: ModelBox) -> None:
    url = f"{box.url}/openai/v1"
    async with AsyncOpenAI(api_key="any", base_url=url, max_retries=0) as client:
        heard = await client.audio.transcriptions.create(file=CLIP, model=MODEL, **VERBOSE)
        assert heard.segments[0].avg_logprob < 0
        with pytest.raises(openai.BadRequestError, match="multipart/form-data"):
            await client.post("/audio/transcriptions", cast_to=object, body={"model": MODEL})


async def test_what_is_heard_is_settable_until_the_reset(client: AsyncGroq, box: ModelBox) -> None:
    said = {"text": "Hello there.", "language": "English", "limit_mb": 1}
    assert await box.control("POST", "speech", said) == said
    heard = await hear(client, **VERBOSE)
    assert (heard.text.strip(), heard.language) == ("Hello there.", "English")
    await box.control("POST", "speech", {"text": ""})
    assert (await hear(client, **VERBOSE)).segments == []
    wrong = await box.http.post("/control/groq/speech", json={"texts": "x"})
    assert wrong.status_code == 422
    await box.control("POST", "reset")
    assert (await hear(client)).text.strip() == SENTENCE


@pytest.mark.parametrize(
    ("file", "more", "complaint"),
    [
        (("a.oga", CLIP.read_bytes()), {}, "must be one of the following types"),
        (("Makefile", b"OggS"), {}, "must be one of the following types"),
        (("a.ogg", b"no sound at all"), {}, "could not process file"),
        (("a.wav", b"RIFF and no more"), {}, "could not process file"),
        (("a.wav", wav(0.001)), {}, "too short"),
        (CLIP, {"response_format": "srt"}, "response_format must be one of"),
        (CLIP, {"timestamp_granularities": ["word"]}, "only supported with"),
        (CLIP, {**VERBOSE, "timestamp_granularities": ["hour"]}, "must be one of"),
        (CLIP, {"language": "russian"}, "language must be one of"),
        (CLIP, {"prompt": "ё" * 897}, "prompt length must be 896 characters or fewer"),
    ],
)
async def test_what_it_does_not_take_is_refused(
    client: AsyncGroq, file: Any, more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(groq.BadRequestError, match=complaint):
        await hear(client, file, **more)


async def test_a_file_a_model_and_a_key_are_needed(client: AsyncGroq, box: ModelBox) -> None:
    url, key = f"{box.url}/openai/v1/audio/transcriptions", {"authorization": "Bearer any"}
    form: Any = {"data": {"model": MODEL}, "files": {"other": b"x"}, "headers": key}
    answer = await box.http.post(url, **form)
    assert answer.status_code == 400
    assert "one of file or url must be provided" in answer.text
    with pytest.raises(groq.NotFoundError, match="does not exist"):
        await hear(client, model="whisper-1")
    with pytest.raises(groq.AuthenticationError):
        await hear(client.with_options(api_key="wrong"))
    with pytest.raises(groq.BadRequestError, match="does not support chat completions"):
        await client.chat.completions.create(messages=says("x"), model=MODEL)  # type: ignore[arg-type]
    assert MODEL in [model.id for model in (await client.models.list()).data]


async def test_a_file_above_the_limit_is_413_and_not_kept(
    client: AsyncGroq, box: ModelBox, tmp_path: Path
) -> None:
    with pytest.raises(groq.APIStatusError) as refused:
        await hear(client, large(tmp_path / "a.ogg", 25))
    assert refused.value.status_code == 413
    assert len((await box.journal())[-1]["body"]) < 5_000_000  # escaped, but not the whole of it
    await box.control("POST", "speech", {"limit_mb": 100})
    assert (await hear(client, large(tmp_path / "a.ogg", 25))).text


async def test_failures_strike_it_as_any_other_call(client: AsyncGroq, box: ModelBox) -> None:
    await box.fail("status", status=429, retry_after_s=3, method="transcriptions")
    with pytest.raises(groq.RateLimitError):
        await hear(client)
    await box.fail("blocked", model=MODEL)
    assert (await hear(client, model="whisper-large-v3")).text
    with pytest.raises(groq.PermissionDeniedError):
        await hear(client)
    await box.fail("empty")
    assert (await hear(client)).text is None
    await box.fail("cut")
    with pytest.raises(groq.APIConnectionError):
        await hear(client)
