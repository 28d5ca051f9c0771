"""Whisper without the service: ``python -m tests.bench.speech_bare WEIGHTS``.

A line ``{"path", "language"}`` in, a line ``{"took_s", "text"}`` out; it is idle in between.
"""

from __future__ import annotations

import sys
import time

import orjson
from faster_whisper import WhisperModel


def main(weights: str) -> None:
    """Answer until the input ends."""
    model = WhisperModel(weights, device="cpu", compute_type="int8", local_files_only=True)
    for line in sys.stdin:
        asked = orjson.loads(line)
        began = time.perf_counter()
        found, _ = model.transcribe(asked["path"], language=asked["language"], beam_size=5)
        text = " ".join(segment.text.strip() for segment in found)
        took_s = time.perf_counter() - began
        print(orjson.dumps({"took_s": took_s, "text": text}).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
