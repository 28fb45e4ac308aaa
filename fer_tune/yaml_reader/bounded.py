"""Untrusted YAML text to nodes and values in bounded time and memory.

Every reader of YAML goes through :func:`nodes`: PyYAML itself follows any nesting until Python's
stack ends, and shares aliased values, so that a file of a few lines fills the memory as soon as
its values are copied or shown. libyaml's parser is used where PyYAML has it, which is ten times
as fast and gives the same positions.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

from fer_tune.errors import because
from fer_tune.wording import Broken


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large YAML may be.

    Attributes:
        size: of the text, in bytes.
        values: in all documents, after aliases are expanded.
        depth: of nesting.
    """

    size: int
    values: int
    depth: int


#: Characters of a number, and the tags of numbers.
_DIGITS = 100
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

#: Ends of lines in YAML.
_BREAK = re.compile("\r\n?|[\n\x85\u2028\u2029]")

#: Of a cluster file or manifest; the shipped ones have about 7,000 bytes.
CLUSTER_FILE = Limits(size=256 * 1024, values=20_000, depth=40)


def read_bytes(
    path: Path, limits: Limits, remedy: str, opener: Callable[[Path, str], Any] = open
) -> bytes:
    """The content of a file; no more of it is read than ``limits`` allow.

    Args:
        remedy: what to do when it is larger.
        opener: opens it for reading; it may unpack.

    Raises:
        Broken: it cannot be read, or is larger.
    """
    try:
        with opener(path, "rb") as file:
            content: bytes = file.read(limits.size + 1)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise Broken(f"cannot be read: {because(error)}", "Use a readable YAML file") from None
    if len(content) > limits.size:
        raise Broken(f"must have at most {limits.size} bytes", remedy)
    return content


def read_text(path: Path, limits: Limits, remedy: str) -> str:
    """The text of a file, as :func:`read_bytes`; Broken also where it is not UTF-8."""
    content = read_bytes(path, limits, remedy)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _end(content[: error.start].decode(errors="replace"))
        rule = f"is not UTF-8 text (byte {error.start})"
        raise Broken(rule, "Save it as UTF-8", line=line, column=column) from None


class Loader(SafeLoader):
    """PyYAML's safe loader, which nests no deeper than ``most`` levels."""

    def __init__(self, text: str | bytes, most: int) -> None:
        super().__init__(text)
        self._level, self._most = 0, most

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        """Called before a node is composed, which recurses."""
        self._level += 1
        if self._level > self._most + 1:
            assert current_node is not None
            raise broken(f"must nest at most {self._most} levels deep", current_node)

    def ascend_resolver(self) -> None:
        """Called after a node is composed."""
        self._level -= 1


def nodes(text: str | bytes, limits: Limits, loader: type[Loader] = Loader) -> list[yaml.Node]:
    """The documents of ``text`` as composed nodes, each with its aliases.

    Args:
        loader: resolves the tags of scalars.

    Raises:
        Broken: no YAML, nested too deeply, refers to itself, expands to too many values, or holds
            a number of too many digits.
    """
    content = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    found: list[yaml.Node] = []
    with reported(content):
        reader: Any = loader(content, limits.depth)
        while reader.check_node():
            found.append(reader.get_node())
    sizes: dict[int, tuple[int, int] | None] = {}
    if sum(_size(node, limits, sizes)[0] for node in found) > limits.values:
        raise _expands(f"{limits.values} values", found[-1])
    return found


def only_node(text: str | bytes, limits: Limits, loader: type[Loader] = Loader) -> yaml.Node | None:
    """The one document of ``text``; None where it is empty. Raises as :func:`nodes` does."""
    found = nodes(text, limits, loader)
    if len(found) > 1:
        raise broken("is not valid YAML: it contains several documents instead of one", found[1])
    return found[0] if found else None


def plain(text: str | bytes, limits: Limits) -> Any:
    """The value of the one document of ``text`` by YAML 1.1, as PyYAML's safe loaders give it.

    Raises:
        Broken: as of :func:`only_node` and :func:`value_of`.
    """
    node = only_node(text, limits)
    return None if node is None else value_of(node)


def value_of(node: yaml.Node) -> Any:
    """The plain value of a node that :func:`nodes` gave; merge keys are expanded in the node.

    Raises:
        Broken: a tag or a scalar that has no value, as a date with a 13th month.
    """
    with reported():
        return yaml.constructor.SafeConstructor().construct_document(node)


def broken(rule: str, node: yaml.Node, remedy: str = "") -> Broken:
    """A broken rule at the beginning of a node."""
    return Broken(rule, remedy, line=node.start_mark.line + 1, column=node.start_mark.column + 1)


@contextmanager
def reported(content: bytes = b"") -> Iterator[None]:
    """Whatever PyYAML raises about ``content``, as Broken with its position."""
    try:
        yield
    # PyYAML does not catch errors of chr(), int() and date().
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as error:
        if isinstance(error, Broken):
            raise
        reason, line, column = str(error) or type(error).__name__, None, None
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
            reason = ", ".join(filter(None, (error.context, error.problem)))
            line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
            if content:  # libyaml's end of a text may be one line further
                line, column = min((line, column), _end(content.decode(errors="replace")))
        elif isinstance(error, yaml.reader.ReaderError):
            line, column = _end(_before(content, error))
        rule = f"is not valid YAML: {reason.splitlines()[0][:200]}"
        raise Broken(rule, line=line, column=column) from None


def _before(content: bytes, error: yaml.reader.ReaderError) -> str:
    """What precedes an error of reading: PyYAML counts bytes or, once decoded, characters."""
    if error.encoding == "unicode":
        return content.decode(errors="replace")[: error.position]
    return content[: error.position].decode(errors="replace")


def _end(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows a text."""
    lines = _BREAK.split(f"{before}.")
    return len(lines), len(lines[-1])


def _size(
    node: yaml.Node, limits: Limits, known: dict[int, tuple[int, int] | None]
) -> tuple[int, int]:
    """Values and levels of a node, those behind aliases counted as often as they are named.

    Each node is measured once, before the aliases that name it, so the recursion is as deep as
    the text. None in ``known`` is a node that is still being measured.
    """
    if id(node) not in known:
        known[id(node)] = None
        inner = [_size(one, limits, known) for one in _below(node)]
        known[id(node)] = (
            1 + sum(size for size, _ in inner),
            max((d + 1 for _, d in inner), default=0),
        )
    values, levels = known[id(node)] or (0, limits.depth + 1)
    if levels > limits.depth:
        raise _expands(f"{limits.depth} levels", node)
    if values > limits.values:
        raise _expands(f"{limits.values} values", node)
    return values, levels


def _below(node: yaml.Node) -> list[yaml.Node]:
    """The nodes right below one: items, values, and keys that are more than a scalar."""
    if isinstance(node, yaml.MappingNode):
        for key, _ in node.value:
            _check_number(key)
        keys = [key for key, _ in node.value if not isinstance(key, yaml.ScalarNode)]
        return [*keys, *(value for _, value in node.value)]
    _check_number(node)
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _check_number(node: yaml.Node) -> None:
    # Numbers to the base of 60 take a time that is quadratic in their length.
    if node.tag in _NUMBERS and len(node.value) > _DIGITS:
        raise broken(f"must not contain a number of more than {_DIGITS} characters", node)


def _expands(most: str, node: yaml.Node) -> Broken:
    return broken(
        f"expands to more than {most}", node, "Write values out instead of aliases (&name, *name)"
    )
