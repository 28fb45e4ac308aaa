"""A run's own checkpoints, in the results folder: one mechanism for every kind of failure.

The run writes one every so often at the end of an epoch (``worker/writer.py``), and when it ends,
before it reports its last epoch. The process that runs it next finds it: under the same driver
after its process died, or another after a resume. Ray's own checkpoints are not used: Ray only
knows those in its last snapshot.

``checkpoints/000012/0003/`` holds the run's state after epoch 3 and its report, ``result.json``.
A folder is written under a dot-name and renamed; at a URL ``result.json`` is written last, and a
folder without it is ignored.
"""

from __future__ import annotations

import errno
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_tune.schema import parse_json, read_at_most
from fer_tune.schema.limits import EVENT_BYTES
from fer_tune.storage import (
    AnyPath,
    UrlPath,
    any_path,
    is_number,
    put_folder,
    remove_tree,
    write_atomically,
)
from fer_tune.storage.links import folder_below, make_folder_below
from fer_tune.storage.paths import scratch_folder
from fer_tune.tuning.log.event_schema import Result

_RESULT = "result.json"
#: Keys of a report: those of its schema, and two more.
_REPORTED = {*Result.model_fields, "done", "node_id"}
#: The newest, and the one before, in case a power cut has truncated the newest.
_KEPT = 2


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state after one epoch, and the report of that epoch."""

    folder: AnyPath
    result: dict[str, Any]


class Checkpoints:
    """The checkpoints of run ``number`` of the search in ``results``."""

    def __init__(self, results: AnyPath | str, number: int) -> None:
        self._results = any_path(results)
        self.folder: AnyPath = self._results / "checkpoints" / f"{number:06d}"

    def make_folder(self) -> None:
        """Makes the folder of the checkpoints, unless it is there; a store needs none.

        Raises:
            OSError: from the disk.
        """
        if isinstance(self.folder, Path):
            assert isinstance(self._results, Path)
            make_folder_below(self._results, self.folder)

    def has_folder(self) -> bool:
        """Whether the folder is there, as :meth:`drop` removes it; a store needs none."""
        return isinstance(self.folder, UrlPath) or self.folder.is_dir()

    def save(self, epoch: int, result: dict[str, Any], write: Callable[[Path], None]) -> None:
        """Adds the checkpoint of ``epoch`` and removes what is no longer needed.

        The folder must be there (:meth:`make_folder`).

        Args:
            write: saves the run's state in the given folder.

        Raises:
            OSError: from the disk, or the store at the URL.
        """
        if isinstance(self.folder, UrlPath):
            _put(self.folder / f"{epoch:04d}", result, write)
        else:
            assert isinstance(self._results, Path)
            with folder_below(self._results, self.folder):
                pass
            _rename_into(self.folder, f"{epoch:04d}", result, write)
        for old in self._folders()[_KEPT:]:
            remove_tree(old, within=self._results)

    def newest_first(self) -> Iterator[Checkpoint]:
        """Complete checkpoints, newest first.

        Raises:
            OSError: the store at the URL is unavailable.
        """
        for folder in self._folders():
            try:
                result = _result_of(folder / _RESULT)
            except (OSError, ValueError) as error:
                if isinstance(folder, UrlPath) and not isinstance(
                    error, FileNotFoundError | ValueError
                ):
                    raise  # an unavailable store is no reason to start over
                continue  # truncated by a power cut; use the one before
            yield Checkpoint(folder=folder, result=result)

    def drop(self) -> None:
        """Removes all of them, after the run has ended."""
        remove_tree(self.folder, within=self._results)

    def _folders(self) -> list[AnyPath]:
        if isinstance(self.folder, Path) and not self.folder.is_dir():
            return []
        found: list[AnyPath] = [f for f in self.folder.iterdir() if is_number(f.name)]
        return sorted(found, key=lambda folder: folder.name, reverse=True)


def _result_of(file: AnyPath) -> dict[str, Any]:
    """The report in a checkpoint, without unknown keys.

    Raises:
        ValueError: it violates the schema of a report.
        OSError: it cannot be read.
    """
    result = parse_json(read_at_most(file, EVENT_BYTES))
    if not isinstance(result, dict):
        raise ValueError("not a mapping")
    result = {"ran": True, **result}
    Result.model_validate(result)
    return {name: value for name, value in result.items() if name in _REPORTED}


def checkpointed(results: AnyPath) -> set[int]:
    """Numbers of the runs that have checkpoints in the results folder."""
    folder = results / "checkpoints"
    if isinstance(folder, Path) and not folder.is_dir():
        return set()
    return {int(one.name) for one in folder.iterdir() if is_number(one.name)}


def _rename_into(
    folder: Path, name: str, result: dict[str, Any], write: Callable[[Path], None]
) -> None:
    scratch = folder / f".{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        write(scratch)
        (scratch / _RESULT).write_text(json.dumps(result), encoding="utf-8")
        target = folder / name
        # A run that continues from an older checkpoint reaches the same epoch again.
        remove_tree(target)
        try:
            scratch.rename(target)
        except OSError as error:
            # A process that has outlived its driver may have written the same epoch just now.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        remove_tree(scratch)


def _put(target: UrlPath, result: dict[str, Any], write: Callable[[Path], None]) -> None:
    (target / _RESULT).unlink(missing_ok=True)  # of the same epoch, reached again
    with scratch_folder() as scratch:
        write(scratch)
        put_folder(scratch, target)
    write_atomically(target / _RESULT, json.dumps(result))
