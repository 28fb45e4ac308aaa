"""YAML text to plain values: mappings, lists, text, numbers, booleans, null. Nothing else.

Scalars follow the core schema of YAML 1.2, not PyYAML's 1.1, in which ``1e-3`` is a text,
``010`` is eight and ``1:30`` is ninety. Keys of mappings are always text, as written.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from fer_tune.errors import Fault
from fer_tune.space.faults import Broken, brief

#: Largest text, in characters. The shipped files have about 2,000.
MAX_CHARACTERS = 64 * 1024
#: Most values after aliases are expanded; a bomb of nine lists of nine aliases has 10^8.
MAX_VALUES = 5_000
#: Deepest nesting; a search space needs 6.
MAX_DEPTH = 20


class _Loader(yaml.SafeLoader):
    """Resolves scalars by the core schema of YAML 1.2 (section 10.3.2)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first
    )


def parse(text: str) -> tuple[Any, list[Fault]]:
    """The value of one YAML document, and the duplicate keys met on the way (first one kept).

    Raises:
        Broken: the text is too long, no YAML, several documents, nested too deeply, refers to
            itself, or expands to too many values.
    """
    if len(text) > MAX_CHARACTERS:
        raise Broken(f"must have at most {MAX_CHARACTERS} characters, has {len(text)}")
    try:
        depth = 0
        # Composing recurses; the events do not, so depth is measured on them first.
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise Broken(f"must nest at most {MAX_DEPTH} levels deep")
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Broken(f"is not valid YAML: {error.problem or error.context}{place}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, Broken):
            raise
        # PyYAML lets chr() fail on escapes beyond Unicode.
        raise Broken(f"is not valid YAML: {str(error).splitlines()[0]}") from None
    if node is None:
        return None, []
    builder = _Builder()
    return builder.build(node, ""), builder.duplicates


class _Builder:
    """Turns composed nodes into values, counting every one, repeated aliases included."""

    def __init__(self) -> None:
        self.values = 0
        self.duplicates: list[Fault] = []

    def build(self, node: yaml.Node, key: str, depth: int = 0) -> Any:
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH:
            raise Broken(
                f"expands to more than {MAX_VALUES} values or {MAX_DEPTH} levels",
                "Write values out instead of aliases (&name, *name)",
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key, depth)
        if isinstance(node, yaml.SequenceNode):
            self._core_tag(node, "seq")
            return [self.build(n, f"{key}[{i}]", depth + 1) for i, n in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, key: str, depth: int) -> dict[str, Any]:
        self._core_tag(node, "map")
        built: dict[str, Any] = {}
        for name_node, value_node in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                raise Broken(f"has a key that is no single text{_place(name_node)}")
            name = _encodable(name_node)
            path = f"{key}.{name}" if key else name
            value = self.build(value_node, path, depth + 1)
            if name in built:
                self.duplicates.append(
                    Fault(
                        key=path,
                        rule=f"stands twice, the second time{_place(name_node)}",
                        value=brief(value),
                        remedy="Keep one of the two",
                    )
                )
            else:
                built[name] = value
        return built

    def _scalar(self, node: yaml.Node) -> Any:
        text = _encodable(node)
        kind = node.tag.rpartition(":")[2]
        self._core_tag(node, "null", "bool", "int", "float", "str")
        try:
            if kind == "int":
                return int(text)
            if kind == "float":
                return float(re.sub(r"\.(inf|nan)", r"\1", text.lower()))
        except ValueError:
            raise Broken(f"tags {text!r} as {kind}, which it is not{_place(node)}") from None
        if kind == "null":
            return None
        return text.lower() == "true" if kind == "bool" else text

    def _core_tag(self, node: yaml.Node, *kinds: str) -> None:
        if node.tag not in {f"tag:yaml.org,2002:{kind}" for kind in kinds}:
            raise Broken(f"uses the tag {node.tag!r}{_place(node)}", "Remove the tag")


def _encodable(node: yaml.Node) -> str:
    text: str = node.value
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Broken(f"holds half of a surrogate pair{_place(node)}") from None
    return text


def _place(node: yaml.Node) -> str:
    mark = node.start_mark
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
