"""What the variables of the environment should be, in words for who set one wrong."""

from __future__ import annotations

from typing import Any

SHOULD_BE = {
    "PORT": "a port, 1 to 65535",
    "POTOK_SANDBOX": "true or false",
    "POTOK_SPARES": "a number of processes, 1 to 16",
    "POTOK_RUNS_AT_ONCE": "a number of runs, 1 to 100",
    "POTOK_BATCH_SIZE": "a number of messages, 1 to 1000",
    "POTOK_FOLLOW_UP_S": "seconds, 0 to 600",
    "POTOK_STOP_GRACE_S": "seconds, 0 to 600",
    "SPEECH_DEVICE": "cpu, cuda or auto",
    "SPEECH_WORKERS": "parts of recordings heard at once, 1 to 32",
    "SPEECH_THREADS": "threads for a part, 1 to 256, or 0: the arithmetic's own choice",
    "SPEECH_LANGUAGE": "a code of ISO 639-1, such as ru",
    "SPEECH_BEAM": "candidates followed at once, 1 to 10",
    "SPEECH_VAD": "true or false",
    "SPEECH_BATCH": "pieces heard together, 1 to 64",
    "TELEGRAM_BOT_NAME": "letters, digits, - and _, at most 64",
    "BITRIX24_LIMIT": "requests/requests a second such as 50/2, or off",
    "INGRESS_ACME_CHALLENGE": "tls or http",
    "LLM_TIMEOUT_S": "seconds, more than 0 and at most 600",
}


def advice(error: Any) -> str:
    """One line on a variable that is wrong: what it should be, and what it is."""
    variable = str(error["loc"][0])
    wanted = SHOULD_BE.get("PORT" if variable.endswith("_PORT") else variable)
    if wanted:
        return f"{variable} should be {wanted}, and it is {error['input']!r}"
    return f"{variable} {error['msg'].removeprefix('Value error, ')}"
