from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.crm_events import CrmEvent, event_from, form_from
from lib.errors import Rejected
from tests.gateway.doors import EVENT_TOKEN, crm_event


def raw(name: str = "ONCRMLEADUPDATE", **fields: Any) -> bytes:
    form = {k: v for k, v in crm_event(name, **fields).items() if v is not None}
    return urlencode(form).encode()


def read(body: bytes) -> CrmEvent | None:
    return event_from(form_from(body))


@pytest.mark.parametrize("name", ["ONCRMLEADADD", "onCrmLeadUpdate", "ONCRMLEADDELETE"])
def test_a_lead_event_has_the_lead_and_when(name: str) -> None:
    event = read(raw(name))
    assert event is not None
    assert (event.name, event.kind, event.about) == (name.upper(), "lead", "1000983")
    assert event.at == "1742807175"


def test_plain_brackets_are_read_as_escaped_ones() -> None:
    body = b"event=ONCRMLEADADD&data[FIELDS][ID]=7&auth[application_token]=t&ts=1"
    form = form_from(body)
    assert form.token == "t"
    assert event_from(form) == CrmEvent("ONCRMLEADADD", "lead", "7", "1", form.digest)


@pytest.mark.parametrize("place", ["data[FIELDS][ID]", "data[ID]"])
def test_a_comment_is_named_in_either_way(place: str) -> None:
    body = raw("ONCRMTIMELINECOMMENTADD", **{"data[FIELDS][ID]": None, place: "999"})
    event = read(body)
    assert event is not None
    assert (event.kind, event.about) == ("comment", "999")


def test_a_call_has_its_own_id() -> None:
    event = read(raw("ONVOXIMPLANTCALLEND", **{"data[CALL_ID]": "externalCall.ab12.1"}))
    assert event is not None
    assert (event.kind, event.about) == ("call", "externalCall.ab12.1")


def test_two_bodies_have_two_digests() -> None:
    one, two = read(raw()), read(raw(ts="1742807176"))
    assert one is not None
    assert two is not None
    assert one.digest != two.digest


def test_a_kind_that_nobody_uses_is_none() -> None:
    assert read(raw("ONCRMDEALADD")) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no event"),
        (b"{}", "no event"),
        (b"event=", "no event"),
        (raw(**{"data[FIELDS][ID]": None}), "is missing or no id"),
        (raw(**{"data[FIELDS][ID]": "0"}), "is missing or no id"),
        (raw(**{"data[FIELDS][ID]": "-5"}), "is missing or no id"),
        (raw(**{"data[FIELDS][ID]": "9" * 40}), "is missing or no id"),
        (raw(**{"data[FIELDS][ID]": "²"}), "is missing or no id"),
        (raw("ONVOXIMPLANTCALLEND"), "CALL_ID"),
        (b"event=ONCRMLEADADD&" + b"a=1&" * 300, "more than 200 fields"),
    ],
)
def test_what_is_no_event_is_rejected_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        read(body)


def test_the_token_is_in_no_repr_and_no_reason() -> None:
    form = form_from(raw(**{"data[FIELDS][ID]": "x"}))
    assert EVENT_TOKEN not in repr(form)
    with pytest.raises(Rejected) as caught:
        event_from(form)
    assert EVENT_TOKEN not in str(caught.value)


names = st.sampled_from([*crm_event(), "data[CALL_ID]", "data[ID]", "data", "data[]", "ts[0]"])
values = st.text(max_size=30) | st.integers().map(str) | st.sampled_from(
    ["ONCRMLEADADD", "ONCRMTIMELINECOMMENTADD", "ONVOXIMPLANTCALLEND", "7"]
)  # fmt: skip
forms = st.lists(st.tuples(names, values), max_size=12).map(
    lambda pairs: urlencode(pairs, errors="surrogatepass").encode()
)


@given(st.binary(max_size=300) | forms | st.builds(lambda a, b: raw() + a + b, forms, st.binary()))
def test_any_bytes_are_an_event_none_or_rejected(body: bytes) -> None:
    try:
        event = read(body)
    except Rejected:
        return
    if event is not None:
        assert event.about
        assert "\x00" not in event.about
        event.about.encode()
        assert event.kind == "call" or 0 < int(event.about) < 2**63
