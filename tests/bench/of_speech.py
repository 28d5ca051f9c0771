"""The speech service: what it adds to the bare model, its start, and ten recordings at once."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from tests.bench.figures import Sample
from tests.bench.house import House
from tests.bench.measures import Options
from tests.bench.speech_service import Bare, Service, bare_of, service_of
from tests.bench.speech_sounds import Sound, joined, russian

STARTS = 3
PAIRS = {4.0: 10, 10.0: 8, 40.0: 4, 180.0: 3}  # seconds of a recording: how often it is heard
QUICK = {4.0: 3, 10.0: 3, 40.0: 1}
JOBS = 10
LOOK_EVERY_S = 0.05


class Turn(NamedTuple):
    """What it took to hear a recording once, seconds of the clock and of CPU."""

    took_s: float
    cpu_s: float


async def measure(house: House, options: Options) -> Sample:
    """Start it some times; then hear each recording bare and through the service, in turn."""
    sounds = await asyncio.to_thread(russian)
    clip = min(sounds, key=lambda sound: sound.seconds)
    async with service_of(house) as service:
        for _ in range(1 if options.is_quick else STARTS):
            await service.supervisor.stop()
            await service.start(clip.path)
        async with bare_of(house) as bare:
            pairs = QUICK if options.is_quick else PAIRS
            figures, notes = await _overhead(service, bare, _recordings(house, sounds, pairs))
        more, lines = await _ten(service, min(sounds, key=lambda sound: abs(sound.seconds - 8)))
    figures |= more | {"speech.start_s": statistics.median(service.starts_s)}
    return Sample(figures, [*notes, *lines])


def _recordings(
    house: House, sounds: list[Sound], pairs: dict[float, int]
) -> list[tuple[Path, float, int]]:
    """Recordings of about so many seconds: their paths, lengths, and how often each is heard."""
    found = []
    for seconds, times in pairs.items():
        one = min(sounds, key=lambda sound: abs(sound.seconds - seconds))
        if one.seconds < 0.9 * seconds:
            one = joined(sounds, seconds, 1.0, house.settings.home / f"{seconds:.0f}.wav")
        found.append((one.path, one.seconds, times))
    return found


async def _overhead(
    service: Service, bare: Bare, recordings: list[tuple[Path, float, int]]
) -> tuple[dict[str, float], list[str]]:
    """The service's time over the bare model's, of each pair."""
    ratios, notes = [], []
    await bare.heard(recordings[0][0], "ru")
    for path, seconds, times in recordings:
        turns: tuple[list[Turn], list[Turn]] = ([], [])
        for number in range(times):
            pair: list[tuple[Service | Bare, list[Turn]]] = [(service, turns[0]), (bare, turns[1])]
            for model, found in pair[:: 1 if number % 2 else -1]:
                before_s = model.cpu_s()
                took_s, _ = await model.heard(path, "ru")
                found.append(Turn(took_s, model.cpu_s() - before_s))
        own, other = ([turn.took_s for turn in found] for found in turns)
        ratios.append(statistics.median(s / bare_s for s, bare_s in zip(own, other, strict=True)))
        cpu = sum(turn.cpu_s for turn in turns[0]) / sum(turn.cpu_s for turn in turns[1])
        notes.append(
            f"{seconds:6.1f} s: bare {statistics.median(other):6.2f} s,"
            f" service {statistics.median(own):6.2f} s,"
            f" {ratios[-1] - 1:+.1%} of {times} pairs, CPU {cpu - 1:+.1%}"
        )
    figures = {
        "speech.overhead_percent": (statistics.median(ratios) - 1) * 100,
        "speech.overhead_short_percent": (ratios[0] - 1) * 100,
        "speech.overhead_long_percent": (ratios[-1] - 1) * 100,
    }
    return figures, notes


async def _ten(service: Service, sound: Sound) -> tuple[dict[str, float], list[str]]:
    """Ten jobs at once: when each has ended, and what waited when the first had."""
    request = service.request("/v1/jobs", sound.path, "ru")
    began = time.monotonic()
    jobs = await asyncio.gather(*(service.ask(request) for _ in range(JOBS)))
    ended: dict[str, float] = {}
    queued_at_first = 0
    while len(ended) < JOBS:
        now = {job["job_id"]: await service.job(job["job_id"]) for job in jobs}
        states = {name: job["status"] for name, job in now.items()}
        if not ended and "succeeded" in states.values():
            queued_at_first = sum(state == "queued" for state in states.values())
        if failed := [job for job in now.values() if job["status"] == "failed"]:
            raise RuntimeError(f"a job failed: {failed[0]['error']}")
        for name in states.keys() - ended.keys():
            if states[name] == "succeeded":
                ended[name] = time.monotonic() - began
        await asyncio.sleep(LOOK_EVERY_S)
    accepted = sorted(now, key=lambda name: str(now[name]["created_at"]))
    times = [ended[name] for name in accepted]
    share_s = max(times) / JOBS
    figures = {
        "speech.ten_first_s": min(times),
        "speech.ten_last_s": max(times),
        "speech.ten_queued": float(queued_at_first),
        "speech.ten_wait": max(s / (share_s * place) for place, s in enumerate(times, 1)),
    }
    passed = sum(one > other for one, other in itertools.pairwise(times))
    ends = " ".join(f"{s:.1f}" for s in times)
    return figures, [
        f"ten of {sound.seconds:.1f} s at once, as they were accepted, ended after {ends} s",
        f"{passed} were passed by the next; when the first ended {queued_at_first} were queued",
    ]
