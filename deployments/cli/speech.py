"""``potok speech``: recordings become text on this machine, and the jobs of the service."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deployments.settings import Settings
    from lib.domain.transcripts import Format, Transcript
    from lib.store.speech_jobs import JobView

app = typer.Typer(help="Recordings become text on this machine.", no_args_is_help=True)


Job = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or the beginning of it.")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read.")]


@app.callback()
def speech() -> None:
    """Recordings become text on this machine."""


@app.command()
def transcribe(
    file: Annotated[Path, typer.Argument(help="Sound, or a film.")],
    form: Annotated[
        str, typer.Option("--format", help="text, srt, vtt, json or verbose_json.")
    ] = "text",
    language: Annotated[str, typer.Option("--language", help="Such as ru; else it is heard.")] = "",
    words: Annotated[bool, typer.Option("--words", help="With the times of each word.")] = False,
    stereo: Annotated[
        bool, typer.Option("--stereo", help="A call: each channel is one who speaks.")
    ] = False,
    model: Annotated[
        str, typer.Option("--model", help="base, or a folder with a model for CTranslate2.")
    ] = "base",
) -> None:
    """Write down what is said in a file."""
    from deployments.cli.show import plain_errors
    from lib.domain.transcripts import FORMATS, written
    from lib.errors import Rejected

    with plain_errors():
        if form not in FORMATS:
            raise Rejected(f"--format is one of {', '.join(FORMATS)}")
        transcript = _heard(file, model, language or None, words=words, stereo=stereo)
        shape: Format = form
        said = written(transcript, shape, words=words)
    if isinstance(said, str):
        typer.echo(said, nl=False)
    else:
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
    if not transcript.text:
        typer.echo("nobody speaks in it", err=True)


@app.command()
def jobs(
    state: Annotated[str, typer.Option(help="queued, running, succeeded or failed.")] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """List the newest jobs of the speech service, and whether their callers were told."""
    from deployments.cli import speech_jobs
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        views = asyncio.run(_newest(find_running().settings, state, limit))
    if as_json:
        typer.echo(cli_store.json_from([speech_jobs.row_of(view) for view in views]))
    elif views:
        cli_store.print_table(speech_jobs.table(views))
    else:
        out.print(f"no job is {state}" if state else "no jobs came in yet")


@app.command()
def show(job: Job, as_json: Json = False) -> None:
    """Show a job: where it stands, its callback, and what was said."""
    from deployments.cli import speech_jobs
    from deployments.cli import store as cli_store
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        view = asyncio.run(_found(find_running().settings, job))
    if as_json:
        typer.echo(cli_store.json_from(speech_jobs.whole_of(view)))
        return
    cli_store.print_facts(out, speech_jobs.facts(view))
    if view.job.transcript is not None:
        text = view.job.transcript.text or "nobody speaks in it"
        out.print(f"\n{cli_store.on_screen(text)}", markup=False, soft_wrap=True)


@app.command()
def again(job: Job) -> None:
    """Send a job's callback again, from the first try on, also one that was given up or heard."""
    from deployments.cli.running import find_running
    from deployments.cli.show import out, plain_errors

    with plain_errors():
        told = asyncio.run(_told_again(find_running().settings, job))
    out.print(f"the service calls back at once: `potok speech show {told[:8]}` says how it went")


async def _newest(settings: Settings, state: str, limit: int) -> list[JobView]:
    from deployments.cli.store import opened
    from lib.domain.speech_jobs import STATES
    from lib.errors import Rejected
    from lib.store.speech_jobs import SpeechJobs

    known = next((each for each in STATES if each == state), None)
    if state and known is None:
        raise Rejected(f"there is no state {state!r}: it is one of {', '.join(STATES)}")
    async with opened(settings) as database:
        return await SpeechJobs(database).newest(known, limit)


async def _found(settings: Settings, job: str) -> JobView:
    from deployments.cli.store import opened
    from lib.store.speech_jobs import SpeechJobs

    beginning = _beginning(job)
    async with opened(settings) as database:
        return await SpeechJobs(database).find(beginning)


async def _told_again(settings: Settings, job: str) -> str:
    """Have a job's callback sent anew; its id."""
    from uuid import UUID

    from deployments.cli.store import opened
    from lib.errors import Rejected
    from lib.store.speech_jobs import SpeechJobs

    beginning = _beginning(job)
    async with opened(settings) as database:
        jobs = SpeechJobs(database)
        view = await jobs.find(beginning)
        if view.callback_url is None:
            raise Rejected("nobody asked to be called back: the job has no `callback_url`")
        if not await jobs.tell_again(UUID(view.job.id)):
            raise Rejected(f"the job is {view.job.state}: its caller is told when it has ended")
        return view.job.id


def _beginning(job: str) -> str:
    import re

    from deployments.cli.store import on_screen
    from lib.errors import Rejected

    word = job.strip().lower()
    if not re.fullmatch(r"[0-9a-f-]{4,36}", word):
        shown = on_screen(job if len(job) <= 40 else f"{job[:40]}…")
        raise Rejected(f"'{shown}' is no job: its id is meant, or four characters of it or more")
    return word


def _heard(
    file: Path, model: str, language: str | None, *, words: bool, stereo: bool
) -> Transcript:
    import tempfile

    from deployments.cli.app import settings_for
    from deployments.cli.show import err
    from lib.errors import Rejected

    if not file.is_file():
        raise Rejected(f"there is no file {file}")
    try:
        from lib.speech.listener import Listener, Wishes
        from lib.speech.recording import decoded
        from lib.speech.weights import ensure_weights
    except ModuleNotFoundError as exc:
        raise Rejected("speech is not installed: pip install 'potok[speech]'") from exc
    wishes = Wishes(language, words=words)
    with tempfile.TemporaryDirectory() as folder:
        recording = decoded(file, Path(folder) / "sound.pcm", stereo=stereo)
        listener = Listener(ensure_weights(model, settings_for().home), model)
        whole_s = recording.duration_s * recording.channels
        with err.status("listening") as status:  # on a terminal only
            return listener.heard(
                recording, wishes, lambda done_s: status.update(f"{done_s:.0f} of {whole_s:.0f} s")
            )
