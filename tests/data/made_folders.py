"""Folders as a source may have them, with pictures in each, for tests of what they are."""

from __future__ import annotations

from collections.abc import Sequence

from fer_tune.data.checks.suspicion import ClassFolder


def folders(
    names: Sequence[str],
    *,
    pictures: int = 6,
    splits: Sequence[str] = (),
    file: str = "{k}.png",
) -> list[ClassFolder]:
    """Folders of these names with as many pictures in each split."""
    return [
        ClassFolder(
            name=name,
            paths=tuple(
                "/".join(part for part in (split, name, file.format(k=k, name=name)) if part)
                for split in splits or ("",)
                for k in range(pictures)
            ),
            splits=frozenset(splits),
        )
        for name in names
    ]
