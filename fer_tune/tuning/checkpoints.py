"""A run's own checkpoints, in the results folder: one path for every kind of fault.

Written by the run itself at the end of an epoch, before the epoch is reported, and found by
whoever runs it next: the same driver after its process died, or another after a resume. Ray's own
checkpoints are not used: it goes back to the ones that its last snapshot knew of.

``checkpoints/000012/0003/`` holds the run's state after epoch 3 and ``result.json``, what it
reported then. A folder is written under a dot-name and renamed; at a URL ``result.json`` is
written last, and a folder without it is none.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_tune.storage import Place, UrlPath, place, put_folder, remove_tree, write_atomically
from fer_tune.storage.places import scratch_folder

_RESULT = "result.json"
#: The last, and one before it should the disk have lost the last one's end.
_KEPT = 2


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state after one epoch, and what was reported of it."""

    folder: Place
    result: dict[str, Any]


class Checkpoints:
    """The checkpoints of run ``number`` of the search in ``results``."""

    def __init__(self, results: Place | str, number: int) -> None:
        self.folder: Place = place(results) / "checkpoints" / f"{number:06d}"

    def save(self, epoch: int, result: dict[str, Any], write: Callable[[Path], None]) -> None:
        """Adds the checkpoint of ``epoch`` and removes what is no longer needed.

        Args:
            write: puts the run's state into the folder it is given.

        Raises:
            OSError: the disk, or the store at the URL, refuses.
        """
        if isinstance(self.folder, UrlPath):
            _put(self.folder / f"{epoch:04d}", result, write)
        else:
            _rename_into(self.folder, f"{epoch:04d}", result, write)
        for old in self._folders()[_KEPT:]:
            remove_tree(old)

    def newest_first(self) -> Iterator[Checkpoint]:
        """Whole checkpoints, by falling epoch.

        Raises:
            OSError: the store at the URL does not answer.
        """
        for folder in self._folders():
            try:
                result = json.loads((folder / _RESULT).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                if isinstance(folder, UrlPath) and not isinstance(
                    error, FileNotFoundError | ValueError
                ):
                    raise  # the store does not answer: that is no reason to begin anew
                continue  # its end was lost with the machine; the one before it serves
            yield Checkpoint(folder=folder, result=result)

    def drop(self) -> None:
        """Removes all of them: the run has ended."""
        remove_tree(self.folder)

    def _folders(self) -> list[Place]:
        if isinstance(self.folder, Path) and not self.folder.is_dir():
            return []
        found: list[Place] = [f for f in self.folder.iterdir() if f.name.isdigit()]
        return sorted(found, key=lambda folder: folder.name, reverse=True)


def checkpointed(results: Place) -> set[int]:
    """Numbers of the runs that have left checkpoints in the results folder."""
    folder = results / "checkpoints"
    if isinstance(folder, Path) and not folder.is_dir():
        return set()
    return {int(one.name) for one in folder.iterdir() if one.name.isdigit()}


def _rename_into(
    folder: Path, name: str, result: dict[str, Any], write: Callable[[Path], None]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        write(scratch)
        (scratch / _RESULT).write_text(json.dumps(result), encoding="utf-8")
        target = folder / name
        # A run that goes on from an older checkpoint comes to the same epoch again.
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put(target: UrlPath, result: dict[str, Any], write: Callable[[Path], None]) -> None:
    (target / _RESULT).unlink(missing_ok=True)  # of the same epoch, come to once more
    with scratch_folder() as scratch:
        write(scratch)
        put_folder(scratch, target)
    write_atomically(target / _RESULT, json.dumps(result))
