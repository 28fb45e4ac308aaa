"""A YAML document: its value, and the position and comments of every value in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fer_tune.errors import Fault
from fer_tune.wording import brief
from fer_tune.yaml_reader.bounded import CLUSTER_FILE, broken, nodes, read_text, value_of

#: Keys of mappings and positions in lists, from the top.
KeyPath = tuple[str | int, ...]

_REASON = re.compile(r"#\s*open:\s*(\S.*)")


class Position(NamedTuple):
    """Where a value is in its file; all numbers count from 1.

    Attributes:
        line, column: where its key begins, or the value itself in a list or at the top.
        first, last: lines from the key to the end of the value. What an alias names has its own.
    """

    line: int
    column: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Document:
    """One YAML document.

    Attributes:
        value: None where there is no document.
        lines: of the whole file.
        positions: of the value at each place.
        repeated: a fault for every duplicate key; the last one counts.
    """

    value: Any
    lines: tuple[str, ...]
    positions: dict[KeyPath, Position]
    repeated: tuple[Fault, ...] = ()

    def get(self, *place: str | int) -> Any:
        """The value at ``place``; None where there is none."""
        value = self.value
        for step in place:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def mapping(self, *place: str | int) -> dict[str, Any]:
        """The mapping at ``place``; empty where there is none."""
        value = self.get(*place)
        return value if isinstance(value, dict) else {}

    def list(self, *place: str | int) -> list[Any]:
        """The list at ``place``; empty where there is none."""
        value = self.get(*place)
        return value if isinstance(value, list) else []

    def scalars(self) -> Iterator[tuple[KeyPath, Any]]:
        """Every value that is neither mapping nor list, with its place."""
        yield from _scalars(self.value, ())

    def line(self, place: KeyPath) -> int | None:
        """Where the value at ``place`` begins, or what is nearest above it."""
        while place and place not in self.positions:
            place = place[:-1]
        return self.positions[place].line if place in self.positions else None

    def line_of(self, key: str) -> int | None:
        """As :meth:`line`, of a dotted key; an item of a list may be named by its text, too."""
        place: KeyPath = ()
        # A key may hold a dot itself, so the longest that fits is taken. The dotted keys of all
        # places would be too large together: an alias repeats a long key at little cost.
        while fitting := [
            (name, step)
            for name, step in self._steps(place)
            if name and f"{key}.".startswith((f"{name}.", f"{name}["))
        ]:
            name, step = max(fitting, key=lambda one: len(one[0]))
            place, key = (*place, step), key[len(name) :].removeprefix(".")
        return self.line(place)

    def _steps(self, place: KeyPath) -> Iterator[tuple[str, str | int]]:
        value = self.get(*place)
        items = value if isinstance(value, list) else ()
        yield from ((name, name) for name in (value if isinstance(value, dict) else ()))
        yield from ((f"[{index}]", index) for index in range(len(items)))
        yield from (
            (str(one), i) for i, one in enumerate(items) if not isinstance(one, (dict, list))
        )

    def reason(self, place: KeyPath) -> str | None:
        """What a comment ``# open: REASON`` on the value's lines or just above them says."""
        if place not in self.positions:
            return None
        first, last = self.positions[place][2:]
        above = self.lines[first - 2].strip() if first > 1 else ""
        for line in (*self.lines[first - 1 : last], above if above.startswith("#") else ""):
            if found := _REASON.search(line):
                return found[1].strip()
        return None

    def fault(self, place: KeyPath, rule: str, *, value: object = None, remedy: str = "") -> Fault:
        """An error of the value at ``place``, or of its absence."""
        return Fault(
            key=dotted(place), rule=rule, value=brief(value), remedy=remedy, line=self.line(place)
        )


def dotted(place: KeyPath) -> str:
    """``a.b[2].c``."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "file"


def read(path: Path) -> list[Document]:
    """The documents of a cluster file, as Ray reads them (YAML 1.1); an empty one is left out.

    Raises:
        Broken: it cannot be read, is no YAML, or expands to too much.
    """
    text = read_text(path, CLUSTER_FILE, "A cluster file normally has some thousands")
    found = [document_of(node, text, value_of) for node in nodes(text, CLUSTER_FILE)]
    return [document for document in found if document.value is not None]


def document_of(
    node: yaml.Node | None, text: str, value_of: Callable[[yaml.Node], Any]
) -> Document:
    """The document of a node of ``text``.

    Args:
        value_of: makes the node's value; it may expand merge keys in the node.

    Raises:
        Broken: a key that is no single text, or as of ``value_of``.
    """
    lines = tuple(text.splitlines())
    positions: dict[KeyPath, Position] = {}
    if node is None:
        return Document(value=None, lines=lines, positions=positions)
    repeated = list(_repeated(node, ()))
    value = value_of(node)
    _enter(positions, node, (), node)  # after construction, which expands merge keys in the nodes
    document = Document(value=value, lines=lines, positions=positions)
    return replace(document, repeated=tuple(_duplicate(document, *one) for one in repeated))


def _duplicate(document: Document, place: KeyPath, name: yaml.Node) -> Fault:
    fault = document.fault(
        place,
        "is a duplicate key",
        value=document.get(*place),
        remedy="Keep one of the two; most readers of YAML take the last",
    )
    return replace(fault, line=_first(name), column=name.start_mark.column + 1)


def _inner(node: yaml.Node) -> list[tuple[Any, yaml.Node, yaml.Node]]:
    """What a node holds: key or number, the node that names it (in a list itself), the value."""
    if isinstance(node, yaml.MappingNode):
        return [(name.value, name, inner) for name, inner in node.value]
    found = enumerate(node.value if isinstance(node, yaml.SequenceNode) else ())
    return [(index, inner, inner) for index, inner in found]


def _repeated(node: yaml.Node, place: KeyPath) -> Iterator[tuple[KeyPath, yaml.Node]]:
    """Duplicate keys, each with its own node; refuses keys that are no single text."""
    met: set[str | int] = set()
    for step, name, inner in _inner(node):
        if isinstance(node, yaml.MappingNode) and not isinstance(name, yaml.ScalarNode):
            raise broken("has a key that is not a single text", name)
        if step in met:
            yield (*place, step), name
        met.add(step)
        yield from _repeated(inner, (*place, step))


def _enter(found: dict[KeyPath, Position], node: yaml.Node, place: KeyPath, key: yaml.Node) -> None:
    """Notes the position of every value; a later one of the same key, which counts, last."""
    line = _first(key)
    # A scalar behind an alias is elsewhere; a mapping or list there brings its comments.
    first = line if isinstance(node, yaml.ScalarNode) else min(line, _first(node))
    found[place] = Position(line, key.start_mark.column + 1, first, _last(node))
    for step, name, inner in _inner(node):
        _enter(found, inner, (*place, step), name)


def _first(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _last(node: yaml.Node) -> int:
    """A block ends where the next token begins, which is a line or more too late."""
    end = node.end_mark
    return max(_first(node), int(end.line) + (1 if end.column else 0))


def _scalars(value: Any, place: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _scalars(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _scalars(inner, (*place, index))
    else:
        yield place, value
