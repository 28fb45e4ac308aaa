"""Finds a search space by name or path, reads it, applies overrides and checks everything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import fer_tune
from fer_tune.errors import Fault, SpaceError
from fer_tune.space.faults import Broken, did_you_mean
from fer_tune.space.model import SearchSpace
from fer_tune.space.overrides import apply
from fer_tune.space.yamltext import MAX_CHARACTERS, parse


def shipped() -> dict[str, Path]:
    """Name to file of the search spaces that come with the install, sorted by name.

    The folder stands beside the package in a checkout, an editable install and a wheel.
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
        SpaceError: with every fault of the file and of the overrides at once.
    """
    path = shipped().get(name_or_path, Path(name_or_path))
    where = str(path)
    faults: list[Fault] = []
    try:
        values, faults = parse(_text(path, name_or_path))
        if not isinstance(values, dict):
            kind = "a list" if isinstance(values, list) else "a single value"
            found = "is empty" if values is None else f"holds {kind}"
            raise Broken(f"{found}; a search space is a mapping of keys to values")
    except Broken as broken:
        remedy = broken.remedy or "`fer-tune spaces show quickstart` prints one that works"
        fault = Fault(key="file", rule=broken.rule, remedy=remedy)
        raise SpaceError(where, [fault]) from None
    values, refused = apply(values, overrides)
    faults += refused
    try:
        space = SearchSpace.from_dict(values, where=where)
    except SpaceError as error:
        raise SpaceError(where, [*faults, *error.faults]) from None
    if faults:
        raise SpaceError(where, faults)
    return space


def _text(path: Path, asked: str) -> str:
    try:
        with path.open("rb") as file:
            # One byte more than any permitted text has, so that nothing huge is ever read.
            content = file.read(4 * MAX_CHARACTERS + 1)
    except (FileNotFoundError, NotADirectoryError):
        names = shipped()
        raise Broken(
            f"{asked!r} is neither a shipped search space nor a file", did_you_mean(asked, names)
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Broken(f"cannot be read: {reason}", "Name a readable YAML file") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Broken(f"is not UTF-8 text (byte {error.start})", "Save it as UTF-8") from None
