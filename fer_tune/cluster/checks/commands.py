"""Shell commands of a cluster file, parsed far enough to know what they start and how."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePosixPath

from fer_tune.yaml_reader.document import Document, KeyPath

#: Lists of commands, in the order in which Ray runs them.
SETUP = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
)
STARTS = ("head_start_ray_commands", "worker_start_ray_commands")

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, kw_only=True)
class Simple:
    """One simple command: what is set for it, and its words."""

    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def starts_ray(self) -> bool:
        return bool(self._ray_start())

    def _ray_start(self) -> int:
        """Place of the first word after ``ray start``; 0 for none."""
        for index, pair in enumerate(zip(self.words, self.words[1:], strict=False)):
            if PurePosixPath(pair[0]).name == "ray" and pair[1] == "start":
                return index + 2
        return 0

    def options(self) -> dict[str, str]:
        """Options, of ``ray start`` if it is one, without dashes; a flag's value is empty."""
        words, found = self.words[self._ray_start() :], {}
        for word, after in zip(words, (*words[1:], ""), strict=False):
            if word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                follows = "" if after.startswith("--") else after
                found[name] = value if equals else follows
        return found


@lru_cache(maxsize=256)  # several rules read the same commands
def parse(command: str) -> tuple[Simple, ...]:
    """The simple commands of a line, with variables that the line itself sets put in.

    Raises:
        ValueError: a quotation does not end.
    """
    command = command.replace("\\\n", " ")  # a line that continues on the next one
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    known: dict[str, str] = {}
    exported: dict[str, str] = {}
    found: list[Simple] = []
    for words in _split(list(lexer)):
        words = [_with_values(word, known) for word in words]
        own: dict[str, str] = {}
        exports = words[0] in {"export", "env"}
        rest = words[1:] if exports else words
        while rest and (assignment := _ASSIGNMENT.fullmatch(rest[0])):
            own[assignment[1]] = assignment[2]
            rest = rest[1:]
        if not rest:
            known |= own
            exported |= own if words[0] == "export" else {}
            continue
        environment = {**exported, **own}
        if (script := _script(rest)) is None:
            found.append(Simple(words=tuple(rest), environment=environment))
        else:
            found += [
                replace(inner, environment=environment | inner.environment)
                for inner in parse(script)
            ]
    return tuple(found)


def _script(words: list[str]) -> str | None:
    """What a shell is to run, as in ``bash -lc 'ray start --head'``."""
    if PurePosixPath(words[0]).name in ("bash", "sh"):
        for option, after in pairwise(words[1:]):
            if re.fullmatch(r"-[a-z]*c", option):
                return after
    return None


def _with_values(word: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], found[0]), word)


def _split(tokens: list[str]) -> Iterator[list[str]]:
    words: list[str] = []
    for token in [*tokens, ";"]:
        if token and not token.strip(";&|()\n"):
            if words:
                yield words
            words = []
        else:
            words.append(token)


def commands(document: Document, *keys: str) -> Iterator[tuple[KeyPath, str]]:
    """Every command under ``keys`` that is a text, with its place."""
    for key in keys:
        for index, command in enumerate(document.list(key)):
            if isinstance(command, str):
                yield (key, index), command


def simple_commands(document: Document, *keys: str) -> Iterator[tuple[KeyPath, Simple]]:
    """The simple commands under ``keys``; those of a line that cannot be read are left out."""
    for place, command in commands(document, *keys):
        try:
            for simple in parse(command):
                yield place, simple
        except ValueError:
            continue


def node_setup(document: Document) -> Iterator[KeyPath]:
    """Places of the setup commands that single node types have."""
    for name, node in document.mapping("available_node_types").items():
        for key in ("initialization_commands", "worker_setup_commands"):
            if isinstance(node, dict) and key in node:
                yield ("available_node_types", name, key)
