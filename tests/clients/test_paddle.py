"""The client of PaddleX against the stand-in, over real HTTP; and answers of any shape."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.sandbox.app import create_app
from lib.clients import paddle as paddle_client
from lib.clients.paddle import Paddle, lines_from
from lib.errors import Denied, RateLimited, Rejected, Unavailable
from tests.sandbox.model_box import PNG
from tests.sandbox_server import running
from tests.support import free_port

PICTURE = base64.b64decode(PNG)
SEEN = [
    {"text": "Счёт № 1", "box": [10, 20, 200, 50], "score": 0.97},
    {"text": "Всего\u202e 5", "box": [10, 60, 120, 90], "score": 0.5},
]


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[httpx.AsyncClient]:
    async with running(create_app()) as url, httpx.AsyncClient(base_url=url, timeout=10) as http:
        yield http


@pytest.fixture
async def control(server: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    await server.post("/control/paddle/sees", json={"lines": SEEN})
    yield server
    await server.post("/control/paddle/reset")


@pytest.fixture
async def paddle(control: httpx.AsyncClient) -> AsyncIterator[Paddle]:
    async with Paddle(f"{control.base_url}/paddle/", timeout_s=5) as client:
        yield client


async def fail(control: httpx.AsyncClient, kind: str, **more: Any) -> None:
    answer = await control.post("/control/paddle/failures", json={"kind": kind, "times": 1} | more)
    assert answer.status_code == 200


async def test_lines_have_boxes_and_scores(paddle: Paddle, control: httpx.AsyncClient) -> None:
    await paddle.check()
    reading = await paddle.read(PICTURE, "log-7")
    assert reading.engine == "paddle"
    assert [(line.text, line.confidence) for line in reading.lines] == [
        ("Счёт № 1", 0.97),
        ("Всего 5", 0.5),
    ]
    assert reading.lines[0].box.model_dump() == {"left": 10, "top": 20, "right": 200, "bottom": 50}
    state = (await control.get("/control/paddle/state")).json()
    assert state["bodies"] == [
        {
            "fileType": 1,
            "logId": "log-7",
            "visualize": False,
            "useDocOrientationClassify": False,
            "useDocUnwarping": False,
        }
    ]


async def test_what_it_refuses_is_rejected(paddle: Paddle, monkeypatch: pytest.MonkeyPatch) -> None:
    for none in (b"", b"this is no picture"):
        with pytest.raises(Rejected, match="HTTP 422: Invalid input file"):
            await paddle.read(none, "log")
    monkeypatch.setattr(paddle_client, "LIMIT_BYTES", 10)
    with pytest.raises(Rejected, match="the picture is above"):
        await paddle.read(PICTURE, "log")


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ({"kind": "status", "status": 500}, "HTTP 500: switched-on failure 500"),
        ({"kind": "status", "status": 503}, "HTTP 503"),
        ({"kind": "html"}, "no result of OCR"),
        ({"kind": "empty"}, "has no page"),
        ({"kind": "uneven"}, "do not fit each other"),
        ({"kind": "cut"}, "no answer"),
    ],
)
async def test_a_server_that_fails(
    paddle: Paddle, control: httpx.AsyncClient, failure: dict[str, Any], told: str
) -> None:
    await fail(control, **failure)
    with pytest.raises(Unavailable, match=told):
        await paddle.read(PICTURE, "log")
    assert len((await paddle.read(PICTURE, "log")).lines) == 2


async def test_a_server_that_does_not_answer(control: httpx.AsyncClient) -> None:
    await fail(control, "hang")
    async with Paddle(f"{control.base_url}/paddle", timeout_s=0.2) as hurried:
        with pytest.raises(Unavailable, match="no answer"):
            await hurried.read(PICTURE, "log")
    async with Paddle(f"http://127.0.0.1:{free_port()}") as nobody:
        with pytest.raises(Unavailable, match="not reached"):
            await nobody.read(PICTURE, "log")
        with pytest.raises(Unavailable, match="not reached"):
            await nobody.check()


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [(401, {}, Denied), (404, {}, Rejected), (503, {"retry-after": "7"}, RateLimited)],
)
async def test_a_proxy_before_it(
    status: int, headers: dict[str, str], error: type[Exception]
) -> None:
    async def answer(request: Request) -> Response:
        return Response("<html>", status, headers)

    proxy = Starlette(routes=[Route("/ocr", answer, methods=["POST"])])
    async with running(proxy) as url, Paddle(url) as client:
        with pytest.raises(error):
            await client.read(PICTURE, "log")


async def test_an_answer_without_end(paddle: Paddle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paddle_client, "ANSWER_LIMIT_BYTES", 100)
    with pytest.raises(Unavailable, match="above 100 bytes"):
        await paddle.read(PICTURE, "log")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON)
def test_an_answer_of_any_shape_is_refused_in_our_words(results: object) -> None:
    try:
        list(lines_from(results))
    except Unavailable:
        return


@settings(deadline=None)
@given(st.lists(st.tuples(JSON, JSON, JSON), max_size=4))
def test_lines_that_make_no_sense_are_left_out(rows: list[tuple[object, object, object]]) -> None:
    good = ("Счёт", 1.5, [[30, 20], [10, 22], [10, 40], [30, 42]])
    texts, scores, polygons = zip(*rows, good, strict=True)
    pruned = {"rec_texts": [*texts], "rec_scores": [*scores], "rec_polys": [*polygons]}
    found = list(lines_from([{"prunedResult": pruned}]))
    assert found[-1].text == "Счёт"
    assert found[-1].confidence == 1
    assert found[-1].box.model_dump() == {"left": 10, "top": 20, "right": 30, "bottom": 42}
