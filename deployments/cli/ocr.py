"""``potok ocr``: pictures, scans and PDF become text on this machine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lib.domain.documents.pages import Page

app = typer.Typer(help="Pictures and scans become text on this machine.", no_args_is_help=True)

FORMATS = ("md", "json", "fields")


@app.callback()
def ocr() -> None:
    """Pictures and scans become text on this machine."""


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="A picture, or a PDF.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="md; json with boxes and what was found; fields: of an invoice and the like.",
        ),
    ] = "md",
) -> None:
    """Write down what stands in a file; PaddleX's server is asked too where PADDLE_URL is set."""
    from deployments.cli.show import err, plain_errors
    from lib.domain.documents.cleaning import cleaned
    from lib.domain.documents.forms import form_of
    from lib.domain.documents.markdown import document_from, markdown_from
    from lib.errors import Rejected

    with plain_errors():
        if form not in FORMATS:
            raise Rejected(f"--format is one of {', '.join(FORMATS)}")
        if not file.is_file():
            raise Rejected(f"there is no file {file}")
        pages = asyncio.run(_pages(file))
    if form == "json":
        typer.echo(json.dumps(document_from(pages), ensure_ascii=False, indent=2))
    elif form == "fields":
        typer.echo(form_of([cleaned(page) for page in pages]).model_dump_json(indent=2))
    else:
        typer.echo(markdown_from(pages), nl=False)
    for engine, reason in {
        each: why for page in pages for each, why in page.missing.items()
    }.items():
        err.print(f"without {engine}: {reason}", markup=False, soft_wrap=True)
    if not any(page.lines for page in pages):
        err.print("nothing is written on it")


async def _pages(file: Path) -> list[Page]:
    from deployments.cli.app import settings_for
    from deployments.cli.show import err
    from lib.clients.paddle import Paddle
    from lib.errors import Rejected

    try:
        from lib.vision.reader import Reader
        from lib.vision.tesseract import Tesseract
    except ModuleNotFoundError as exc:
        raise Rejected("reading pictures is not installed: pip install 'potok[ocr]'") from exc
    url = settings_for().paddle_url
    pages: list[Page] = []
    async with Reader(Tesseract(), Paddle(url) if url else None) as reader:
        with err.status("reading") as status:  # on a terminal only
            async for page in reader.pages(file):
                pages.append(page)
                status.update(f"{page.number} pages read")
    return pages
