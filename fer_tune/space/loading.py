"""Finds a search space by name or path, reads it, applies overrides and checks everything."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import fer_tune
from fer_tune.errors import Fault, SpaceError
from fer_tune.space.model import SearchSpace
from fer_tune.space.overrides import apply
from fer_tune.wording import Broken, did_you_mean
from fer_tune.yaml_reader.bounded import read_text
from fer_tune.yaml_reader.core_schema import LIMITS, parse
from fer_tune.yaml_reader.document import Document

#: Where the shell puts files that it has opened for a command.
_HANDED_OVER = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")


def shipped() -> dict[str, Path]:
    """Name to file of the search spaces that come with the install, sorted by name.

    The folder is beside the package in a checkout, an editable install and a wheel.
    ``importlib.resources`` fails on Python 3.11 for a folder without ``__init__.py`` that is
    installed editable, and would let such a folder in the working directory shadow ours.
    """
    assert fer_tune.__file__ is not None
    folder = Path(fer_tune.__file__).resolve().parent.parent / "search_spaces"
    return {path.stem: path for path in sorted(folder.rglob("*.yaml"))}


def load(name_or_path: str, overrides: Sequence[str] = ()) -> SearchSpace:
    """The checked search space of a shipped name or a YAML file.

    Args:
        name_or_path: a shipped name wins over a file of the same name; ``./NAME`` is a file.
        overrides: ``key=value`` each, the key dotted, the value YAML; later ones win.

    Raises:
        SpaceError: with all errors of the file and of the overrides.
    """
    path = shipped().get(name_or_path, Path(name_or_path))
    where = str(path)
    try:
        document = parse(_text(path, name_or_path))
        if not isinstance(document.value, dict):
            kinds = {type(None): "is empty", list: "holds a list"}
            found = kinds.get(type(document.value), "holds a single value")
            line, column = document.positions.get((), (None, None))[:2]
            rule = f"{found}; a search space is a mapping of keys to values"
            raise Broken(rule, line=line, column=column)
    except Broken as broken:
        remedy = "`fer-tune spaces show quickstart` prints a valid one"
        raise SpaceError(where, [broken.fault(remedy)]) from None
    values, refused = apply(document.value, overrides)
    faults = [*document.repeated, *refused]
    try:
        space = SearchSpace.from_dict(values, where=where)
    except SpaceError as error:
        faults += [_located(fault, document, overrides) for fault in error.faults]
    if faults:
        raise SpaceError(where, faults)
    return space


def _located(fault: Fault, document: Document, overrides: Sequence[str]) -> Fault:
    """The error with its line in the file, or with the option that set its key."""
    for override in overrides:
        key = override.partition("=")[0].strip() if "=" in override else "--set"
        if fault.key == key or fault.key.startswith((f"{key}.", f"{key}[")):
            return replace(fault, key=f"--set {fault.key}")
    return replace(fault, line=document.line_of(fault.key))


def _text(path: Path, asked: str) -> str:
    with contextlib.suppress(OSError):  # read_text reports it
        # A named pipe could block forever. One that the shell has opened, as in <(...), is allowed.
        if path.exists() and not (
            path.is_file() or path.is_dir() or str(path).startswith(_HANDED_OVER)
        ):
            rule = "cannot be read: it is a pipe, socket or device, not a regular file"
            raise Broken(rule, "Use a readable YAML file")
        if not path.exists() and "\0" not in asked:
            names = did_you_mean(asked, shipped())
            raise Broken(f"{asked!r} is neither a shipped search space nor a file", names)
    return read_text(path, LIMITS, "")
