"""A YAML document as plain values, in which no key stands twice."""

from __future__ import annotations

from typing import Any

import yaml

from lib.errors import Rejected


def document_from(raw: bytes, name: str) -> Any:
    """The values of a document.

    Args:
        name: of the file, for the error.

    Raises:
        Rejected: it is no YAML, has nothing in it, or a key twice in one place; with the lines.
    """
    try:
        found = yaml.load(raw, _Strict)  # noqa: S506 — a SafeLoader
    except _Twice as exc:
        raise Rejected(f"{name}: {exc}") from None
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Rejected(f"{name} is no YAML: {place}{exc.problem or exc.context}") from None
    except yaml.reader.ReaderError as exc:
        place = f"character {exc.position + 1}"
        raise Rejected(f"{name} is no YAML: {place}: {exc.reason}") from None
    except (yaml.YAMLError, ValueError) as exc:  # a date such as 2026-13-01 is a ValueError
        raise Rejected(f"{name} is no YAML: {' '.join(str(exc).split())}") from None
    except RecursionError:
        raise Rejected(f"{name} is no YAML: it is nested too deeply") from None
    if found is None:
        raise Rejected(f"{name} is empty")
    return found


def lines_of(raw: bytes) -> dict[tuple[str, ...], int]:
    """The line of each place of a document that `document_from` has read.

    Returns:
        By keys and indexes from the outside in, such as ``("hosts", "a.ru", "who", "0")``. What an
        alias repeats stands under its anchor only.
    """
    found: dict[tuple[str, ...], int] = {}
    root = yaml.compose(raw, yaml.SafeLoader)
    waiting: list[tuple[tuple[str, ...], yaml.Node]] = [((), root)] if root else []
    seen: set[int] = set()
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen:  # an alias, perhaps of what it is in
            continue
        seen.add(id(node))
        for name, where, inner in _parts(node):
            found.setdefault((*place, name), where.start_mark.line + 1)
            waiting.append(((*place, name), inner))
    return found


def _parts(node: yaml.Node) -> list[tuple[str, yaml.Node, yaml.Node]]:
    """What is in a node: its name there, what shows its line, and itself."""
    if isinstance(node, yaml.MappingNode):
        return [(str(key.value), key, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [(str(index), item, item) for index, item in enumerate(node.value)]
    return []


class _Twice(yaml.YAMLError):
    """A key that stands twice."""


class _Strict(yaml.SafeLoader):
    """YAML's own rule, which the library does not hold: a key stands once in a mapping.

    It looks before ``<<`` is carried out: what is merged may be written anew.
    """

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """The mapping; a second key would silently take the place of the first."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            named, line = (key.tag, key.value), key.start_mark.line + 1
            if named in lines:
                raise _Twice(f"`{key.value}` stands twice, in lines {lines[named]} and {line}")
            lines[named] = line
        return node
