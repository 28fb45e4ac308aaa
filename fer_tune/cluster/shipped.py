"""The cluster files that come with the install."""

from __future__ import annotations

from pathlib import Path

import fer_tune


def shipped() -> dict[str, Path]:
    """Name to file, sorted by name, of `ray up` files and Kubernetes manifests.

    The folder stands beside the package in a checkout, an editable install and a wheel, as that
    of the search spaces does (:func:`fer_tune.space.shipped` says why it is found this way).
    """
    assert fer_tune.__file__ is not None
    folder = Path(fer_tune.__file__).resolve().parent.parent / "cluster"
    return {path.stem: path for path in sorted(folder.rglob("*.yaml"), key=lambda p: p.stem)}


def find(name_or_path: str) -> Path:
    """The file of a shipped name, which wins over a file of the same name, or of a path."""
    return shipped().get(name_or_path, Path(name_or_path))


def purpose(path: Path) -> str:
    """What a shipped file makes: the first paragraph of its opening comment, as one line."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        label, found, rest = text.partition(":")
        if not line.startswith("#") or (words and found and label.isalpha() and label.istitle()):
            break
        words.append(rest.strip() if not words and found else text)
    return " ".join(words)
