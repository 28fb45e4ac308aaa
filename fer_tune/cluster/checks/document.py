"""A YAML file as Ray and Kubernetes read it, which also knows its lines and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fer_tune.errors import Fault
from fer_tune.space.faults import Broken, brief

#: Largest file, in bytes; the shipped ones have about 7,000.
MAX_BYTES = 256 * 1024
#: Most values after aliases are expanded, and deepest nesting.
MAX_VALUES, MAX_DEPTH = 20_000, 40

#: Keys of mappings and positions in lists, from the top.
Place = tuple[str | int, ...]

_REASON = re.compile(r"#\s*open:\s*(\S.*)")


@dataclass(frozen=True, kw_only=True)
class Document:
    """One YAML document.

    Attributes:
        value: as PyYAML's safe loader gives it, which Ray uses (YAML 1.1).
        lines: of the whole file.
        spans: first and last line, from 1, of the value at each place.
        repeated: a fault for every key that stands twice in one mapping.
    """

    value: Any
    lines: tuple[str, ...]
    spans: dict[Place, tuple[int, int]]
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

    def scalars(self) -> Iterator[tuple[Place, Any]]:
        """Every value that is neither mapping nor list, with its place."""
        yield from _scalars(self.value, ())

    def line(self, place: Place) -> int | None:
        """Where the value at ``place`` begins, or what is nearest above it."""
        while place and place not in self.spans:
            place = place[:-1]
        return self.spans[place][0] if place else None

    def reason(self, place: Place) -> str | None:
        """What a comment ``# open: REASON`` on the value's lines or just above them says."""
        if place not in self.spans:
            return None
        first, last = self.spans[place]
        above = self.lines[first - 2].strip() if first > 1 else ""
        for line in (*self.lines[first - 1 : last], above if above.startswith("#") else ""):
            if found := _REASON.search(line):
                return found[1].strip()
        return None

    def fault(self, place: Place, rule: str, *, value: object = None, remedy: str = "") -> Fault:
        """A fault of the value at ``place``, or of its absence."""
        return Fault(
            key=dotted(place), rule=rule, value=brief(value), remedy=remedy, line=self.line(place)
        )


def dotted(place: Place) -> str:
    """``a.b[2].c``."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "file"


def read(path: Path) -> list[Document]:
    """The documents of a file; an empty one is left out.

    Raises:
        Broken: it cannot be read, is no YAML, or expands to too much.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Broken(f"cannot be read: {reason}", "Name a readable YAML file") from None
    if len(content) > MAX_BYTES:
        raise Broken(f"must have at most {MAX_BYTES} bytes", "A cluster file has some thousands")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Broken(f"is not UTF-8 text (byte {error.start})", "Save it as UTF-8") from None
    try:
        return list(_documents(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Broken(f"is not valid YAML: {error.problem or error.context}{where}") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, Broken):
            raise
        raise Broken(f"is not valid YAML: {(str(error) or 'nested too deeply')[:200]}") from None


def _documents(text: str) -> Iterator[Document]:
    lines = tuple(text.splitlines())
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None, "there is one, by check_node"
            seen = _Walk()
            seen.check(node, (), 0, ())
            value = loader.construct_document(node)
            seen.place(node, ())  # after construction, which expands merge keys in the nodes
            if value is not None:
                yield Document(
                    value=value, lines=lines, spans=seen.spans, repeated=tuple(seen.repeated)
                )
    finally:
        loader.dispose()


@dataclass
class _Walk:
    values: int = 0
    spans: dict[Place, tuple[int, int]] = field(default_factory=dict)
    repeated: list[Fault] = field(default_factory=list)

    def check(self, node: yaml.Node, place: Place, depth: int, above: tuple[int, ...]) -> None:
        """Refuses what would not end, and finds repeated keys."""
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH or id(node) in above:
            raise Broken(
                f"expands to more than {MAX_VALUES} values or {MAX_DEPTH} levels",
                "Write values out instead of aliases (&name, *name)",
            )
        above = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, inner in enumerate(node.value):
                self.check(inner, (*place, index), depth + 1, above)
        elif isinstance(node, yaml.MappingNode):
            met: set[str] = set()
            for name, inner in node.value:
                if not isinstance(name, yaml.ScalarNode):
                    raise Broken(f"has a key that is no single text, line {_first(name)}")
                if name.value in met:
                    self.repeated.append(
                        Fault(
                            key=dotted((*place, name.value)),
                            rule="stands twice",
                            remedy="Keep one of the two; Ray takes the last",
                            line=_first(name),
                        )
                    )
                met.add(name.value)
                self.check(inner, (*place, name.value), depth + 1, above)

    def place(self, node: yaml.Node, place: Place) -> None:
        """Notes where every value stands."""
        self.spans.setdefault(place, (_first(node), _last(node)))
        if isinstance(node, yaml.SequenceNode):
            for index, inner in enumerate(node.value):
                self.place(inner, (*place, index))
        elif isinstance(node, yaml.MappingNode):
            for name, inner in reversed(node.value):  # a value of one's own comes after merged ones
                here = (*place, name.value)
                # From the key on: that is the line which a reader looks for.
                first = _first(name) if isinstance(inner, yaml.ScalarNode) else _first(inner)
                self.spans.setdefault(here, (min(first, _first(name)), _last(inner)))
                self.place(inner, here)


def _first(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _last(node: yaml.Node) -> int:
    """A block ends where the next token begins, which is a line or more too late."""
    end = node.end_mark
    return max(_first(node), int(end.line) + (1 if end.column else 0))


def _scalars(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _scalars(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _scalars(inner, (*place, index))
    else:
        yield place, value
