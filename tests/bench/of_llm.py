"""The door to the models before an upstream that answers at once: what the door itself costs."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import orjson
import psutil

from deployments.settings import ROOT
from deployments.stack.processes import Supervisor
from deployments.stack.program import Program, http_ready
from lib.store.engine import Database
from lib.store.llm.keys import Keys, NewKey
from tests.bench.figures import Sample, percentile
from tests.bench.house import House
from tests.bench.llm_upstream import CHUNKS
from tests.bench.load import HOST, Client, request_from
from tests.bench.measures import Options
from tests.support import free_port

ONE_BY_ONE, CONNECTIONS, MANY, STREAMS, FOR_MEMORY = 1_000, 32, 20_000, 500, 100_000
TABLE = """
providers:
  bench: {{ kind: openai, base_url: "http://127.0.0.1:{port}/v1" }}
aliases:
  bench: {{ candidates: [{{ provider: bench, model: m, price: {{ input: 1, output: 2 }} }}] }}
"""
PATH = "/v1/chat/completions"


async def measure(house: House, options: Options) -> Sample:
    """Direct and through the door in turn, one run."""
    part = 10 if options.is_quick else 1
    upstream, door = free_port(), free_port()
    supervisor = Supervisor(house.settings.home / "llm-bench")
    table = house.settings.home / "llm-bench" / "llm.yaml"
    table.write_text(TABLE.format(port=upstream))
    database = Database(house.settings.database_url)
    name = f"bench-{time.time_ns()}"  # a session of several runs keeps its database
    secret = await Keys(database).create(NewKey(name, ("*",)))
    await database.close()
    try:
        await supervisor.start(_python(house, "upstream", upstream, str(upstream)))
        cold_s = await supervisor.start(_python(house, "door", door, str(door), str(table)))
        figures = await _figures(upstream, door, secret, part, options)
        pid = supervisor.pid("door")
        before = _mb(pid)
        await _many(door, secret, FOR_MEMORY // part)
        figures["llm.memory_growth"] = _mb(pid) / before
        figures["llm.memory_mb"] = before
        figures["llm.cold_start_s"] = cold_s
    finally:
        await supervisor.stop()
    return Sample(figures)


async def _figures(
    upstream: int, door: int, secret: str, part: int, options: Options
) -> dict[str, float]:
    count = ONE_BY_ONE // part
    await _many(door, secret, 2_000 // part)
    direct_ms, door_ms = await _in_turn(upstream, door, secret, count, stream=False)
    direct_first, door_first = await _in_turn(upstream, door, secret, count, stream=True)
    per_s = await _many(door, secret, MANY // part)
    options.say(f"{per_s:.0f} requests a second")
    direct_per_s = await _many(upstream, secret, MANY // part)
    lost = await _streams(door, secret, STREAMS // part)
    return {
        "llm.direct_p50_ms": percentile(direct_ms, 50),
        "llm.added_p50_ms": percentile(door_ms, 50) - percentile(direct_ms, 50),
        "llm.added_p99_ms": percentile(door_ms, 99) - percentile(direct_ms, 99),
        "llm.first_token_added_ms": statistics.median(door_first) - statistics.median(direct_first),
        "llm.requests_per_s": per_s,
        "llm.direct_per_s": direct_per_s,
        "llm.chunks_lost": lost,
    }


async def _in_turn(
    upstream: int, door: int, secret: str, count: int, *, stream: bool
) -> tuple[list[float], list[float]]:
    """Milliseconds to the whole answer, or to the first token, in pairs."""
    times: tuple[list[float], list[float]] = ([], [])
    clients = [_Streams(port, _request(secret, stream)) for port in (upstream, door)]
    for _ in range(count):
        for client, found in zip(clients, times, strict=True):
            found.append(await client.first_ms())
    for client in clients:
        client.close()
    return times


async def _many(port: int, secret: str, count: int) -> float:
    """Requests a second over some connections, without streaming."""
    client = Client(port)
    began = time.perf_counter()
    answers = await client.at_once([_request(secret, False)] * count, CONNECTIONS)
    took_s = time.perf_counter() - began
    await client.close()
    if bad := [answer.status for answer in answers if answer.status != 200]:
        raise RuntimeError(f"{len(bad)} of {count} were not answered 200: {bad[:3]}")
    return count / took_s


async def _streams(port: int, secret: str, count: int) -> float:
    """Chunks lost of so many streams at once."""
    clients = [_Streams(port, _request(secret, True)) for _ in range(count)]
    whole = await asyncio.gather(*(client.words() for client in clients))
    for client in clients:
        client.close()
    return float(sum(CHUNKS - words for words in whole))


class _Streams:
    """One connection for questions one after the other."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        if self._link:
            self._link[1].close()

    async def first_ms(self) -> float:
        """Until the first word is there; the rest is read too, and not timed."""
        took_ms, _ = await self._ask()
        return took_ms

    async def words(self) -> int:
        """How many words came."""
        _, body = await self._ask()
        return sum(f"w{number} " in body for number in range(CHUNKS))

    async def _ask(self) -> tuple[float, str]:
        if self._link is None:
            self._link = await asyncio.open_connection(HOST, self._port, limit=2**20)
        reader, writer = self._link
        began = time.perf_counter()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.split(b"\r\n", 1)[0].decode())
        if b"chunked" not in head:
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            return (time.perf_counter() - began) * 1000, body.decode()
        told, took_ms = bytearray(), 0.0
        while size := int((await reader.readline()).strip(), 16):
            told += (await reader.readexactly(size + 2))[:-2]
            if not took_ms and b"w0 " in told:
                took_ms = (time.perf_counter() - began) * 1000
        await reader.readline()
        return took_ms, told.decode()


def _request(secret: str, stream: bool) -> bytes:
    message = {"role": "user", "content": "ping"}
    body = orjson.dumps({"model": "bench", "messages": [message], "stream": stream})
    return request_from("POST", PATH, body, {"authorization": f"Bearer {secret}"})


def _python(house: House, name: str, port: int, *words: str) -> Program:
    module = f"tests.bench.llm_{name}"
    ready = f"http://{HOST}:{port}/healthz"
    env = house.settings.child_env() | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", module, *words]
    return Program(name, argv, env, ROOT, ready=http_ready(ready), port=port)


def _mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_full_info().pss / 1e6)
