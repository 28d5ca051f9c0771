"""The rows and facts of ``potok speech jobs`` and ``potok speech show``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from deployments.cli.status import span_text
from deployments.cli.store import on_screen, time_text
from lib.domain.speech_jobs import told
from lib.store.speech_jobs import JobView

COLOURS = {"queued": "dim", "running": "", "succeeded": "green", "failed": "red"}
ID_CHARS = 8  # enough to name one


def row_of(view: JobView) -> dict[str, Any]:
    """A job for a program, without what was said."""
    job = view.job
    return {
        "id": job.id,
        "tool": view.tool,
        "state": job.state,
        "client_ref": job.client_ref,
        "created_at": job.created_at,
        "ended_at": job.ended_at,
        "done_s": job.done_s,
        "duration_s": job.duration_s,
        "error": job.error,
        "callback": job.callback,
        "callback_tries": view.callback_tries,
        "callback_error": view.callback_error,
        "callback_due_at": view.callback_due_at,
    }


def whole_of(view: JobView) -> dict[str, Any]:
    """A job for a program, with all that its caller is told."""
    more = {"source_url": _plain(view.source_url), "callback_url": _plain(view.callback_url)}
    return row_of(view) | more | {"wishes": view.wishes.model_dump(), "told": told(view.job)}


def table(views: Sequence[JobView]) -> Table:
    """Jobs for people."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("job", "tool", "state"):
        shown.add_column(title, no_wrap=True)
    shown.add_column("heard", justify="right", no_wrap=True)
    shown.add_column("age", justify="right", no_wrap=True)
    shown.add_column("callback", overflow="ellipsis", no_wrap=True)
    shown.add_column("error", overflow="ellipsis", no_wrap=True)
    for view in views:
        job = view.job
        shown.add_row(
            job.id[:ID_CHARS],
            Text(on_screen(view.tool or "")),
            Text(job.state, COLOURS[job.state]),
            _heard(view),
            _age(view),
            Text(on_screen(_callback(view))),
            Text(on_screen(job.error or "")),
        )
    return shown


def facts(view: JobView) -> dict[str, object]:
    """All of a job but its text, for people."""
    job, wishes = view.job, view.wishes
    asked = {
        "language": wishes.language,
        "words": "yes" if wishes.words else None,
        "stereo": "yes" if wishes.stereo else None,
    }
    transcript = job.transcript
    return {
        "job": job.id,
        "tool": view.tool,
        "state": job.state,
        "error": job.error,
        "client_ref": job.client_ref,
        "heard": _heard(view),
        "asked for": ", ".join(f"{name} {value}" for name, value in asked.items() if value),
        "recording": _plain(view.source_url),
        "came": time_text(job.created_at),
        "ended": time_text(job.ended_at),
        "language": transcript.language if transcript else None,
        "model": transcript.model if transcript else None,
        "callback": _callback(view),
        "calls back": _plain(view.callback_url),
        "next try": time_text(view.callback_due_at),
    }


def _heard(view: JobView) -> str:
    """Seconds done of how many; "" where nobody knows them yet."""
    job = view.job
    return f"{job.done_s:.0f} of {job.duration_s:.0f} s" if job.duration_s is not None else ""


def _age(view: JobView) -> str:
    age = datetime.now(UTC) - view.job.created_at
    return span_text(max(age.total_seconds(), 0))


def _callback(view: JobView) -> str:
    """Whether the caller was told; "" when nobody is to be."""
    if view.job.callback is None:
        return "when it ends" if view.callback_url and view.job.ended_at is None else ""
    tries = view.callback_tries
    counted = f", {tries} {'try' if tries == 1 else 'tries'}" if tries else ""
    error = view.callback_error if view.job.callback != "sent" else None
    return f"{view.job.callback}{counted}{f': {error}' if error else ''}"


def _plain(url: str | None) -> str | None:
    """An address without its query and its user, where tokens are."""
    if url is None:
        return None
    scheme, _, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
