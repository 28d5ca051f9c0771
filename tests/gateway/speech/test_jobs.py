"""Jobs: accepted at once, done once, their callers told until they hear."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, Process
from uuid import uuid4

import httpx
import pytest

from deployments.settings import ROOT, Settings
from tests.speech.conftest import SAID
from tests.speech.errors import character_errors
from tests.support import free_port

from .conftest import Service

NAME = "ru_0039.ogg"


async def heard(service: Service, count: int) -> None:
    """Wait until so many callbacks were heard, and the service knows it: else it tells again."""
    async with asyncio.timeout(60):
        while len(service.caller.heard) < count:
            await asyncio.sleep(0.05)
        for told in service.caller.heard:
            address = f"/v1/jobs/{told['data']['job_id']}"
            while (await service.http.get(address)).json()["callback"] != "sent":
                await asyncio.sleep(0.05)


async def test_a_job_is_done_and_its_caller_is_told(service: Service) -> None:
    hook = f"{service.caller.url}/hook"
    answer = await service.submit(NAME, callback_url=hook, client_ref="мой-1", language="ru")
    assert answer.status_code == 202
    job = answer.json()
    assert (job["status"], job["client_ref"]) == ("queued", "мой-1")
    assert answer.headers["location"] == f"/v1/jobs/{job['job_id']}"
    done = await service.ended(job["job_id"])
    assert (done["status"], done["language"]) == ("succeeded", "ru")
    assert character_errors(SAID[NAME], done["text"]) < 0.05
    assert done["progress"]["done_s"] == pytest.approx(done["progress"]["of_s"], abs=0.1)
    await heard(service, 1)
    [told] = service.caller.heard
    assert told["type"] == "asr.completed"
    assert {key: told["data"][key] for key in ("job_id", "client_ref", "text")} == {
        "job_id": job["job_id"],
        "client_ref": "мой-1",
        "text": done["text"],
    }
    assert not list((service.settings.home / "speech").iterdir())


async def test_a_caller_that_fails_is_told_again_with_the_same_id(service: Service) -> None:
    service.caller.statuses = [500]
    job = (await service.submit(NAME, callback_url=f"{service.caller.url}/hook")).json()
    await service.ended(job["job_id"])
    await heard(service, 1)
    first, second = service.caller.tried
    assert first["webhook-id"] == second["webhook-id"]


async def test_a_recording_by_address(service: Service) -> None:
    job = (await service.submit(None, url=f"{service.caller.url}/recording.ogg")).json()
    assert character_errors(SAID[NAME], (await service.ended(job["job_id"]))["text"]) < 0.05
    gone = (await service.submit(None, url=f"{service.caller.url}/none.ogg")).json()
    failed = await service.ended(gone["job_id"])
    assert (failed["status"], failed["error"]) == ("failed", "the address answers 404")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": "http://127.0.0.1:1/a.ogg"}, "private network"),
        ({"url": "http://169.254.169.254/"}, "private network"),
        ({"url": "file:///etc/passwd"}, "begin with https"),
        ({}, "send either `file`"),
    ],
)
async def test_a_wrong_address_is_told_at_once(
    service: Service, fields: dict[str, str], told: str
) -> None:
    answer = await service.submit(None, **fields)
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]


async def test_a_private_callback_is_told_at_once(service: Service) -> None:
    answer = await service.submit(NAME, callback_url="http://10.0.0.1/hook")
    assert answer.status_code == 400
    assert "private network" in answer.json()["error"]["message"]
    assert not list((service.settings.home / "speech").iterdir())


async def test_what_is_no_sound_fails_with_the_reason(service: Service) -> None:
    answer = await service.http.post("/v1/jobs", files={"file": ("a.ogg", b"a text")})
    failed = await service.ended(answer.json()["job_id"])
    assert failed["status"] == "failed"
    assert "no sound that can be read" in failed["error"]


async def test_the_same_key_is_the_same_job(service: Service) -> None:
    headers = {"idempotency-key": "once"}
    first = (await service.submit(NAME, headers=headers)).json()
    again = (await service.submit(NAME, headers=headers)).json()
    other = (await service.submit(NAME, headers={"idempotency-key": "twice"})).json()
    assert first["job_id"] == again["job_id"] != other["job_id"]
    for job in (first, other):
        await service.ended(job["job_id"])


async def test_jobs_of_others_are_not_shown(service: Service) -> None:
    for job_id in ("x", "00000000-0000-0000-0000-000000000000"):
        answer = await service.http.get(f"/v1/jobs/{job_id}")
        assert answer.status_code == 404


async def test_ten_at_once_are_all_done_and_none_waits_for_all(service: Service) -> None:
    answers = await asyncio.gather(*(service.submit(NAME, language="ru") for _ in range(10)))
    ids = [answer.json()["job_id"] for answer in answers]
    async with asyncio.timeout(240):
        waiting = [asyncio.create_task(service.ended(each)) for each in ids]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        states = [(await service.http.get(f"/v1/jobs/{each}")).json()["status"] for each in ids]
        assert "queued" in states
        done = [await each for each in waiting]
    assert {each["status"] for each in done} == {"succeeded"}


async def started(settings: Settings) -> tuple[Process, httpx.AsyncClient]:
    """The service in a process of its own, when it answers."""
    argv = (sys.executable, "-m", "deployments.speech")
    process = await asyncio.create_subprocess_exec(
        *argv, env=settings.child_env(), cwd=ROOT, stdout=DEVNULL, stderr=DEVNULL
    )
    http = httpx.AsyncClient(base_url=settings.speech_url, timeout=30)
    async with asyncio.timeout(60):
        while True:
            try:
                await http.get("/healthz")
                return process, http
            except httpx.TransportError:
                assert process.returncode is None
                await asyncio.sleep(0.05)


async def test_a_service_that_is_killed_does_its_jobs_after_it_comes_back(
    service: Service,
) -> None:
    await service.rest()  # the processes here do it
    settings = service.settings.model_copy(update={"speech_port": free_port()})
    key = {"authorization": service.http.headers["authorization"]}
    hook = f"{service.caller.url}/hook"
    process, http = await started(settings)
    job = (await service.submit("ru_0032.ogg", callback_url=hook)).json()
    async with asyncio.timeout(60):
        while (await service.http.get(f"/v1/jobs/{job['job_id']}")).json()["status"] == "queued":
            await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    await http.aclose()
    left = [settings.home / "speech" / f"{uuid4()}.{kind}" for kind in ("sound", "pcm", "part")]
    for path in left:
        path.write_bytes(b"somebody's voice")
    process, http = await started(settings)
    assert not any(path.exists() for path in left), "whom nobody waits for any more"
    done = await service.ended(job["job_id"])
    assert done["status"] == "succeeded"
    await heard(service, 1)
    assert len(service.caller.heard) == 1
    assert (await http.get("/v1/jobs/x", headers=key)).status_code == 404
    process.terminate()
    await process.wait()
    await http.aclose()
