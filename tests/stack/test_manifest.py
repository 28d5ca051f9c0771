from __future__ import annotations

from pathlib import Path

import pytest

from deployments import manifest
from lib.errors import Rejected

ENTRY = "deployments:\n  - name: main\n    entrypoint: flows.leads.leads\n"
WHOLE = f"{ENTRY}    work_pool: {{name: live}}\n"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (f"{ENTRY}    tags: [inbox\n", r"prefect\.yaml is no YAML: line 5: expected ',' or '\]'"),
        (f"{ENTRY}    a: b: c\n", r"prefect\.yaml is no YAML: line 4: mapping values"),
        ("\tname: x\n", r"prefect\.yaml is no YAML: line 1: found character"),
        ("name: \x07\n", r"prefect\.yaml is no YAML: "),
        ("", r"prefect\.yaml has no list of deployments"),
        ("deployments: {main: 1}\n", r"prefect\.yaml has no list of deployments"),
        ("deployments: [main]\n", r"deployment 1 in prefect\.yaml has no name"),
        (ENTRY, r"deployment 1 in prefect\.yaml has no work_pool\.name"),
        (f"{WHOLE}  - name: x\n", r"deployment 2 in prefect\.yaml has no entrypoint"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line(tmp_path: Path, written: str, words: str) -> None:
    path = tmp_path / "prefect.yaml"
    path.write_text(written)
    with pytest.raises(Rejected, match=words) as caught:
        manifest.entries(path)
    assert "\n" not in str(caught.value)


def test_the_file_of_this_checkout_is_right() -> None:
    assert manifest.inbox_deployments() == [
        *("leads/main", "scoring/main", "transcripts/main", "calls/main", "upkeep/main"),
    ]
