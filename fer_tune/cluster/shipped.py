"""The cluster files that are installed with fer_tune."""

from __future__ import annotations

from pathlib import Path

import fer_tune


def shipped() -> dict[str, Path]:
    """Name to file, sorted by name: files of `ray up`, manifests, tasks and batch scripts.

    The folder is beside the package in a checkout, an editable install and a wheel, like that of
    the search spaces (see :func:`fer_tune.space.shipped`).
    """
    assert fer_tune.__file__ is not None
    folder = Path(fer_tune.__file__).resolve().parent.parent / "cluster"
    files = [*folder.rglob("*.yaml"), *folder.rglob("*.sh")]
    return {path.stem: path for path in sorted(files, key=lambda p: p.stem)}


def find(name_or_path: str) -> Path:
    """The shipped file of that name, or else the file at that path."""
    return shipped().get(name_or_path, Path(name_or_path))


def purpose(path: Path) -> str:
    """The purpose of a shipped file: the first paragraph of its opening comment, as one line."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").removeprefix("#!/bin/bash\n").splitlines():
        text = line.removeprefix("#").strip()
        label, found, rest = text.partition(":")
        if not line.startswith("#") or (words and found and label.isalpha() and label.istitle()):
            break
        words.append(rest.strip() if not words and found else text)
    return " ".join(words)
