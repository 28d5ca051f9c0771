"""Statuses and transport errors of ordinary HTTP APIs in our own tree."""

from __future__ import annotations

import logging
import time
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.clients._http import check_status, retry_after_s, translated
from lib.errors import AnswerLost, Denied, PotokError, RateLimited, Rejected, Unavailable


@pytest.mark.parametrize(
    ("status", "write", "expected"),
    [
        (301, False, Rejected),
        (400, True, Rejected),
        (401, True, Denied),
        (403, False, Denied),
        (404, False, Rejected),
        (408, True, Unavailable),
        (409, True, Rejected),
        (422, True, Rejected),
        (429, True, RateLimited),
        (500, False, Unavailable),
        (500, True, AnswerLost),
        (502, True, AnswerLost),
        (503, True, Unavailable),
        (504, True, AnswerLost),
    ],
)
def test_statuses(status: int, write: bool, expected: type[PotokError]) -> None:
    with pytest.raises(PotokError, match=f"Prefect flows: HTTP {status}") as caught:
        check_status(httpx.Response(status), "Prefect flows", write=write)
    assert type(caught.value) is expected


@given(st.integers(200, 299), st.booleans())
def test_success_is_silent(status: int, write: bool) -> None:
    check_status(httpx.Response(status), "x", write=write)


def test_a_complaint_is_told_without_the_input_it_repeats() -> None:
    complaint = {"loc": ["body", "name"], "msg": "Field required", "input": {"token": "s3cret"}}
    response = httpx.Response(422, json={"detail": [complaint]})
    with pytest.raises(Rejected) as caught:
        check_status(response, "x", write=True)
    assert "Field required" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=12))
def test_any_retry_after_is_a_pause(header: str) -> None:
    response = httpx.Response(503, headers=[(b"retry-after", header.encode())])
    assert retry_after_s(response) >= 0


def test_retry_after_in_seconds_and_as_a_date() -> None:
    assert retry_after_s(httpx.Response(429, headers={"retry-after": "17"})) == 17
    date = formatdate(time.time() + 100, usegmt=True)
    assert 90 < retry_after_s(httpx.Response(429, headers={"retry-after": date})) <= 100
    assert retry_after_s(httpx.Response(429), 3.0) == 3.0


@pytest.mark.parametrize(
    ("error", "of_write", "of_read"),
    [
        (httpx.ConnectError("x"), Unavailable, Unavailable),
        (httpx.ConnectTimeout("x"), Unavailable, Unavailable),
        (httpx.PoolTimeout("x"), Unavailable, Unavailable),
        (httpx.ProxyError("x"), Unavailable, Unavailable),
        (httpx.ReadTimeout("x"), AnswerLost, Unavailable),
        (httpx.WriteTimeout("x"), AnswerLost, Unavailable),
        (httpx.ReadError("x"), AnswerLost, Unavailable),
        (httpx.RemoteProtocolError("x"), AnswerLost, Unavailable),
        (httpx.DecodingError("x"), AnswerLost, Unavailable),
        (httpx.UnsupportedProtocol("x"), Rejected, Rejected),
        (httpx.InvalidURL("x"), Rejected, Rejected),
    ],
)
def test_transport_errors(
    error: Exception, of_write: type[PotokError], of_read: type[PotokError]
) -> None:
    for write, expected in ((True, of_write), (False, of_read)):
        with pytest.raises(PotokError) as caught, translated("x", write=write):
            raise error
        assert type(caught.value) is expected
        assert caught.value.__cause__ is error


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), translated("x", write=True):
        raise KeyError


def test_log_lines_of_httpx_show_no_path(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "httpx")
    url = httpx.URL("https://portal.example/rest/1/s3cret/?token=s3cret")
    logging.getLogger("httpx").info("HTTP Request: %s %s", "POST", url)
    assert caplog.messages == ["HTTP Request: POST https://portal.example/…"]
