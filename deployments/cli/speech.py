"""``potok speech``: recordings become text on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lib.domain.transcripts import Format, Transcript

app = typer.Typer(help="Recordings become text on this machine.", no_args_is_help=True)


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
