"""YAML text to plain values: mappings, lists, text, numbers, booleans, null. Nothing else.

Scalars follow the core schema of YAML 1.2, not PyYAML's 1.1, in which ``1e-3`` is a text,
``010`` is eight and ``1:30`` is ninety. Keys of mappings are always text, as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import Limits, Loader, broken, only_node
from fer_tune.yaml_reader.document import Document, document_of

#: Largest text, in characters. The shipped files have about 2,000.
MAX_CHARACTERS = 64 * 1024
#: A bomb of nine lists of nine aliases has 10^8 values; a search space needs 6 levels.
LIMITS = Limits(size=4 * MAX_CHARACTERS, values=5_000, depth=20)


class _Loader(Loader):
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


def parse(text: str) -> Document:
    """The one document of ``text``; its value is None where the text is empty.

    Raises:
        Broken: the text is too long, no YAML, several documents, nested too deeply, refers to
            itself, expands to too many values, or has a tag of its own.
    """
    if len(text) > MAX_CHARACTERS:
        raise Broken(f"must have at most {MAX_CHARACTERS} characters, has {len(text)}")
    return document_of(only_node(text, LIMITS, _Loader), text, _value)


def _value(node: yaml.Node) -> Any:
    """The value of a node; aliased values are built again, so that no two keys share one."""
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return {_encodable(key): _value(inner) for key, inner in node.value}
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_value(inner) for inner in node.value]
    if not isinstance(node, yaml.ScalarNode) or kind not in _SCALARS:
        raise broken(f"uses the tag {node.tag!r}", node, "Remove the tag")
    text = _encodable(node)
    try:
        return _SCALARS[kind](text)
    except ValueError:
        raise broken(f"tags {text!r} as {kind}, which it is not", node) from None


#: Kind of scalar to what makes its value of its text.
_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(re.sub(r"\.(inf|nan)", r"\1", text.lower())),
    "str": str,
}


def _encodable(node: yaml.Node) -> str:
    text: str = node.value
    try:
        text.encode()
    except UnicodeEncodeError:
        raise broken("contains an unpaired surrogate", node) from None
    return text
