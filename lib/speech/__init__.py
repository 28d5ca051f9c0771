"""Listening to recordings: decoding, silences, Whisper. Needs the extra ``speech``."""
