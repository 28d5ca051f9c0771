"""What a key may ask for: names of aliases, ``*`` for all of them, real models one by one or all.

``*`` is every alias of the table and no real model: what those cost the table may not know, and who
makes a key for ``*`` means the names that he wrote down. ``provider/*`` is every model of a
provider.
"""

from __future__ import annotations

from collections.abc import Iterable

from lib.domain.llm.table import Table, candidates_for
from lib.errors import Rejected

ALL = "*"
SPEECH = "speech"  # the speech service; in the table, who else hears recordings
_ALL_OF = "/*"
_LATEST = ":latest"


def plain_name(table: Table, name: str) -> str:
    """The alias that Ollama's clients call ``main:latest``; any other name as it is."""
    plain = name.removesuffix(_LATEST)
    return plain if name not in table.aliases and plain in table.aliases else name


def is_allowed(table: Table, names: Iterable[str], name: str) -> bool:
    """Whether a key with these names may ask for one.

    Raises:
        UnknownModel: neither an alias nor a real model has it.
    """
    may = set(names)
    if name == SPEECH:
        return bool(may & {SPEECH, ALL})
    candidates = candidates_for(table, name).candidates
    if name in may:
        return True
    if name in table.aliases:
        return ALL in may
    return any(each.name in may or each.provider + _ALL_OF in may for each in candidates)


def is_pattern(name: str) -> bool:
    """Whether it stands for many."""
    return name == ALL or name.endswith(_ALL_OF)


def check_names(table: Table, names: Iterable[str]) -> None:
    """Raise Rejected for what there is not to ask for."""
    for name in names:
        provider = name.removesuffix(_ALL_OF)
        if name.endswith(_ALL_OF) and provider not in table.models:
            told = ", ".join(f"{each}/*" for each in table.models) or "nothing"
            raise Rejected(f"{name}: `models` of the table has {told}")
        if not is_pattern(name) and name != SPEECH:
            candidates_for(table, name)
