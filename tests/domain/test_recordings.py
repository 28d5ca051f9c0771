"""Recordings of messages and files: what is to be heard, and what is written of it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.inbound import SPOKEN, InboundMessage, Media
from lib.domain.recordings import next_look, place_of, ref_of
from lib.domain.transcript_files import is_recording, markdown_from, notes_of, paragraphs
from lib.domain.transcripts import Segment, Transcript, Word, detailed, read_detailed
from tests.domain.making import T0, any_text, inbound

kinds = st.sampled_from(["voice", "audio", "photo", "document", "video", "video_note", "sticker"])
media = st.builds(
    Media,
    kind=kinds,
    file_id=st.none() | st.text("ab1", min_size=1, max_size=90),
    file_unique_id=st.none() | st.text("ab1", min_size=1, max_size=90),
)
texts = any_text.map(lambda text: " ".join(text.split()))
times = st.floats(0, 10_000).map(lambda s: round(s, 3))
sure = st.floats(0, 1).map(lambda p: round(p, 4))
words = st.builds(Word, start_s=times, end_s=times, text=texts, probability=sure)
segments = st.builds(
    Segment,
    start_s=times,
    end_s=times,
    text=texts,
    confidence=sure,
    no_speech=sure,
    words=st.lists(words, max_size=3).map(tuple),
    speaker=st.none() | st.sampled_from("AB"),
)
transcripts = st.builds(
    Transcript,
    language=st.sampled_from(["ru", "en", ""]),
    language_probability=sure,
    duration_s=times,
    segments=st.lists(segments, max_size=6).map(tuple),
    model=st.just("base"),
)


@given(
    st.lists(media, max_size=4), st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3)
)
def test_a_message_that_was_heard_is_the_same_message_with_more_words(
    files: list[Media], caption: str, said: list[str]
) -> None:
    message = inbound(caption, media=tuple(files))
    heard = message.heard(said)
    for part in (caption, *said):
        assert part in heard.message.text
    assert (heard.ref, heard.lane, heard.person) == (message.ref, message.lane, message.person)
    assert heard.event_id != message.event_id
    assert heard.recordings == (), "it is not heard again"
    assert InboundMessage.model_validate(heard.model_dump(mode="json")) == heard


@given(st.lists(media, max_size=4))
def test_what_is_to_be_heard_can_be_fetched_and_has_a_name_of_its_own(files: list[Media]) -> None:
    message = inbound(media=tuple(files))
    edited = inbound("иначе", media=tuple(files), kind="edited")
    for one in message.recordings:
        assert one.kind in SPOKEN
        assert place_of(message, one).file_id == one.file_id
        assert ref_of(message, one) == ref_of(edited, one), "an edit is no new recording"
        assert ref_of(message, one) != ref_of(inbound(message_id=2), one)
        assert len(ref_of(message, one)) < 120
    assert inbound(media=tuple(files), kind="deleted").recordings == ()


def test_a_reference_shows_no_secret_of_an_address() -> None:
    one = Media(kind="voice", url="https://a.ru/x.ogg?token=secret")
    message = inbound(media=(one,)).model_copy(update={"source": "forwarder"})
    other = one.model_copy(update={"url": "https://a.ru/y.ogg?token=secret"})
    assert "secret" not in ref_of(message, one)
    assert ref_of(message, one) != ref_of(message, other)


def test_a_forwarder_says_where_a_recording_is() -> None:
    voice = Media(kind="voice", file_id="1", url="https://example.ru/1.ogg", sha256="a" * 64)
    message = inbound(media=(voice,)).model_copy(update={"source": "forwarder"})
    place = place_of(message, *message.recordings)
    assert (place.url, place.sha256, place.file_id) == (voice.url, voice.sha256, None)
    unreachable = voice.model_copy(update={"url": None})
    assert message.model_copy(update={"media": (unreachable,)}).recordings == ()


@given(st.integers(0, 50))
def test_pauses_grow(tries: int) -> None:
    assert timedelta(seconds=15) <= next_look(tries) <= next_look(tries + 1) <= timedelta(hours=1)


@given(transcripts)
def test_what_the_service_tells_of_a_transcript_is_all_of_it(transcript: Transcript) -> None:
    assert read_detailed(detailed(transcript)) == transcript


@given(transcripts, any_text.filter(bool))
def test_a_note_has_its_properties_and_every_word(transcript: Transcript, name: str) -> None:
    note = markdown_from(transcript, name, 5, T0)
    head, _, body = note.removeprefix("---\n").partition("\n---\n")
    if not re.search("[\ud800-\udfff\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", name):
        known = yaml.safe_load(head)
        assert (known["recording"], known["bytes"]) == (name, 5)
    plain = re.sub(r"\\(.)", r"\1", body)
    at = 0
    for segment in transcript.segments:
        at = plain.index(segment.text, at) + len(segment.text)


@given(st.lists(segments, max_size=8))
def test_paragraphs_lose_no_segment_and_mix_no_speakers(given_segments: list[Segment]) -> None:
    found = paragraphs(given_segments)
    assert [s for each in found for s in each] == [s for s in given_segments if s.text.strip()]
    assert all(len({segment.speaker for segment in each}) == 1 for each in found)


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("встреча.ogg", True),
        ("2026/Звонок.MP3", True),
        ("film.mp4", True),
        ("note.md", False),
        (".hidden.ogg", False),
        (".stversions/a.ogg", False),
        ("~lock.wav", False),
        ("ogg", False),
    ],
)
def test_which_files_are_recordings(path: str, is_one: bool) -> None:
    assert is_recording(PurePosixPath(path)) is is_one


def test_notes_have_names_of_their_own() -> None:
    names = [str(name) for name in notes_of(PurePosixPath("a/b.ogg"))]
    assert names[:3] == ["a/b", "a/b.ogg", "a/b.ogg 2"]
    assert len(set(names)) == len(names)
