"""The stand-in for PaddleX answers as the real server was seen to answer."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.sandbox.telegram_box import Sandbox
from tests.vision.pages import RUSSIAN, bytes_of, drawn, png_of_size

SMALL = drawn("Счёт", 20)
SEEN = {"text": "Счёт № 1", "box": [10, 20, 200, 50], "score": 0.97}


def asked(file: bytes, kind: int | None = 1, **more: Any) -> dict[str, Any]:
    return {"file": base64.b64encode(file).decode(), "fileType": kind, "visualize": False} | more


@pytest.fixture
async def http(served: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    await served.http.post("/control/paddle/sees", json={"lines": [SEEN]})
    yield served.http
    await served.http.post("/control/paddle/reset")


async def post(http: httpx.AsyncClient, body: Any) -> tuple[int, dict[str, Any]]:
    answer = await http.post("/paddle/ocr", json=body)
    return answer.status_code, answer.json()


async def test_health(http: httpx.AsyncClient) -> None:
    answer = (await http.get("/paddle/health")).json()
    assert answer.pop("logId")
    assert answer == {"errorCode": 0, "errorMsg": "Healthy"}


async def test_the_shape_of_an_answer(http: httpx.AsyncClient) -> None:
    status, answer = await post(http, asked(bytes_of(SMALL), logId="abc"))
    corners = [[10, 20], [200, 20], [200, 50], [10, 50]]
    (page,) = answer["result"].pop("ocrResults")
    assert status == 200
    assert answer == {
        "logId": "abc",
        "errorCode": 0,
        "errorMsg": "Success",
        "result": {"dataInfo": {"type": "image", "width": SMALL.width, "height": SMALL.height}},
    }
    assert set(page) == {"prunedResult"}
    pruned = page["prunedResult"]
    assert pruned["rec_texts"] == ["Счёт № 1"]
    assert pruned["rec_scores"] == [0.97]
    assert pruned["rec_polys"] == pruned["dt_polys"] == [corners]
    assert pruned["rec_boxes"] == [[10, 20, 200, 50]]
    assert pruned["model_settings"]["use_doc_preprocessor"] is False


async def test_pictures_come_back_unless_they_are_not_wanted(http: httpx.AsyncClient) -> None:
    body = asked(bytes_of(SMALL))
    del body["visualize"]
    _, answer = await post(http, body)
    (page,) = answer["result"]["ocrResults"]
    picture = Image.open(io.BytesIO(base64.b64decode(page["ocrImage"])))
    assert (picture.format, picture.size) == ("JPEG", SMALL.size)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 422, [{"type": "missing", "loc": "body.file", "msg": "Field required"}]),
        ({"file": "eA=="}, 422, "File type cannot be determined"),
        ({"file": "zzz", "fileType": 1}, 422, "Invalid input file"),
        ({"file": "", "fileType": 1}, 422, "Invalid input file"),
        (asked(b"no picture"), 422, "Invalid input file"),
        (asked(bytes_of(SMALL), 0), 422, "Invalid input file"),
        (
            asked(b"x", 2),
            422,
            [{"type": "literal_error", "loc": "body.fileType", "msg": "Input should be 0 or 1"}],
        ),
        (
            asked(bytes_of(SMALL), useDocUnwarping=True),
            500,
            "the input params for model settings are invalid!",
        ),
        (asked(bytes_of(SMALL), textDetLimitType="foo"), 500, "Internal server error"),
    ],
)
async def test_what_it_refuses(
    http: httpx.AsyncClient, body: dict[str, Any], status: int, told: Any
) -> None:
    answered, answer = await post(http, body)
    said = answer["errorMsg"] if isinstance(told, str) else json.loads(answer["errorMsg"])
    assert (answered, answer["errorCode"], said) == (status, status, told)
    assert set(answer) == {"logId", "errorCode", "errorMsg"}


async def test_a_bomb_is_refused(http: httpx.AsyncClient) -> None:
    status, answer = await post(http, asked(png_of_size(100_000, 100_000)))
    assert (status, answer["errorMsg"]) == (
        422,
        "Image pixel count exceeds maximum allowed 178956970.",
    )


async def test_an_unknown_path(http: httpx.AsyncClient) -> None:
    answer = await http.post("/paddle/nothing", json={"logId": "mine"})
    assert answer.status_code == 404
    assert answer.json() == {"logId": "mine", "errorCode": 404, "errorMsg": "Not Found"}


async def test_ten_pages_are_read_and_nothing_said_of_the_rest(http: httpx.AsyncClient) -> None:
    file = bytes_of(SMALL, "PDF", save_all=True, append_images=[SMALL] * 11)
    _, answer = await post(http, asked(file, 0))
    info = answer["result"]["dataInfo"]
    assert (info["type"], info["numPages"], len(info["pages"])) == ("pdf", 10, 10)
    assert len(answer["result"]["ocrResults"]) == 10


async def test_lines_below_a_score_are_left_out(http: httpx.AsyncClient) -> None:
    _, answer = await post(http, asked(bytes_of(SMALL), textRecScoreThresh=0.98))
    pruned = answer["result"]["ocrResults"][0]["prunedResult"]
    assert (pruned["rec_texts"], len(pruned["dt_polys"])) == ([], 1)


async def test_it_reads_with_and_without_cyrillic(http: httpx.AsyncClient) -> None:
    await http.post("/control/paddle/sees", json={"lines": None})
    _, answer = await post(http, asked(bytes_of(drawn(RUSSIAN))))
    texts = answer["result"]["ocrResults"][0]["prunedResult"]["rec_texts"]
    assert texts[0] == "Счёт № 1234 от 15 марта 2026 г."
    await http.post("/control/paddle/alphabet", json={"alphabet": "latin"})
    _, answer = await post(http, asked(bytes_of(drawn(RUSSIAN))))
    texts = answer["result"]["ocrResults"][0]["prunedResult"]["rec_texts"]
    assert "7707083893" in texts[1]
    assert not any("а" <= char <= "я" for text in texts for char in text.lower())


async def test_a_wrong_control_says_what_is_wrong(http: httpx.AsyncClient) -> None:
    answer = await http.post("/control/paddle/sees", json={"lines": [{"text": "x"}]})
    assert (answer.status_code, answer.json()) == (422, {"error": "lines.0.box is missing"})
    answer = await http.post("/control/paddle/alphabet", json={"alphabet": "greek"})
    assert answer.status_code == 422
    answer = await http.post("/control/paddle/failures", json={"kind": "fire"})
    assert "kind is one of cut, empty, hang, html, slow, status, uneven" in answer.json()["error"]
