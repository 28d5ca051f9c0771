"""Every cell of the table has its test, and the documents show that table."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.gateway.llm import cells

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def test_every_cell_has_a_test_and_every_test_a_cell() -> None:
    for path in HERE.glob("test_matrix_*.py"):
        import_module(f"tests.gateway.llm.{path.stem}")
    expected = {(door.name, feature) for door in cells.DOORS for feature in door.can}
    expected |= {(door.name, cells.REFUSED) for door in cells.DOORS if door.lacks}
    assert expected == cells.COVERED


@pytest.mark.parametrize("document", ["docs/llm-dialects.md", "README.md"])
def test_the_documents_show_the_table_that_is_tested(document: str) -> None:
    shown = (ROOT / document).read_text()
    assert cells.markdown() in shown, f"{document} is stale: put this in\n\n{cells.markdown()}"
    assert shown.count(cells.BEGIN) == shown.count(cells.END) == 1
