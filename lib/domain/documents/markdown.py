"""A page as Markdown. What stands in a picture is text and nothing else: no markup, no link.

Source: spec.commonmark.org/0.31.2, github.github.com/gfm (tables), read 2026-11-26.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lib.domain.documents.finds import found_on
from lib.domain.documents.layout import Block, Heading, Paragraph, laid_out
from lib.domain.documents.pages import Page

_MARKS = re.compile(r"[\\`*\[\]<>~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#|\w)")
_OPENS = re.compile(r"^(?:#{1,6}(?=\s|$)|[=\-+]+(?=\s*$)|\+(?=\s)|[-=_](?:\s*[-=_]){2,}\s*$)")
_BULLET = re.compile(r"^[–—•●▪](?=\s)")


def markdown_from(pages: Sequence[Page]) -> str:
    """Pages in Markdown, a rule between them; "" when nothing is written on them."""
    written = [text for page in pages if (text := page_markdown(page))]
    return "\n---\n\n".join(written)


def page_markdown(page: Page) -> str:
    """One page in Markdown, ending with a newline; "" for a blank one."""
    written = "\n\n".join(_block(block) for block in laid_out(page.lines))
    return f"{written}\n" if written else ""


def document_from(pages: Sequence[Page]) -> dict[str, Any]:
    """Pages as JSON: Markdown, each page with its lines and boxes, and what its text proves."""
    return {
        "markdown": markdown_from(pages),
        "pages": [
            page.model_dump(mode="json")
            | {"found": [asdict(each) | {"box": box.model_dump()} for each, box in found]}
            for page in pages
            for found in [found_on(page.lines)]
        ],
    }


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_escaped(block.text)}"
    if isinstance(block, Paragraph):
        return "  \n".join(_opening(_escaped(line)) for line in block.lines)
    head, *rows = ([_escaped(cell).replace("|", "\\|") for cell in row] for row in block.rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _escaped(text: str) -> str:
    return _MARKS.sub(lambda found: "\\" + found.group(), text)


def _opening(line: str) -> str:
    """A line whose beginning makes no heading and no rule; a bullet becomes one of Markdown's."""
    return _BULLET.sub("-", _OPENS.sub(lambda found: "\\" + found.group(), line))
