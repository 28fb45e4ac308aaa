"""Opening the results folder: empty for a new search, with an event log for a resume."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from fer_tune.errors import ResultsError, reading, reporting
from fer_tune.escaping import shell_word
from fer_tune.storage import (
    AnyPath,
    refuse_links,
    remove_file,
    remove_partial_files,
    write_atomically,
)
from fer_tune.tuning.log.disk_faults import reporting_disk
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History, has_log
from fer_tune.tuning.log.lease import Lease
from fer_tune.tuning.log.log_file import LOG_FILE


class BegunError(ResultsError):
    """The results folder already holds a search."""


def make_folder(folder: AnyPath) -> None:
    """Makes an empty results folder; at a URL, checks that it is empty and writable.

    Raises:
        BegunError: it holds a search.
        ResultsError: it is not empty, or cannot be written to.
    """
    with _writing_to(folder):
        _refuse_used(folder)
        probe = folder / ".writable"
        write_atomically(probe, b"")
        remove_file(probe)


def check_unused(folder: AnyPath) -> None:
    """Raises what :func:`make_folder` would raise for existing content; creates nothing."""
    with _writing_to(folder):
        _refuse_used(folder)


def _writing_to(folder: AnyPath) -> AbstractContextManager[None]:
    return reporting("cannot write here", folder, "Choose another folder with --results")


def _refuse_used(folder: AnyPath) -> None:
    if folder.is_dir() and has_log(folder):
        raise BegunError(
            "the results folder already holds a search",
            where=str(folder),
            remedy=f"Resume it: fer-tune resume {shell_word(folder)}. Or choose a new one with "
            "--results",
        )
    if folder.exists() and not (folder.is_dir() and all(map(_is_remnant, folder.iterdir()))):
        raise ResultsError(
            "the results folder is not empty"
            if folder.is_dir()
            else "this is a file, not a folder",
            where=str(folder),
            remedy="Choose a new one with --results",
        )
    if isinstance(folder, Path):
        refuse_links(folder)


def _is_remnant(path: AnyPath) -> bool:
    """Whether it was left by a search that ended before its event log was created."""
    return path.name.startswith(".") or path.name in ("manifest.json", LOG_FILE)


def check_log(folder: AnyPath) -> None:
    """Raises ResultsError unless the folder holds an event log to resume from."""
    with reading(folder):
        there = has_log(folder)
    if not there:
        raise ResultsError(
            f"no {EVENTS_FILE} here, so there is nothing to resume",
            where=str(folder),
            remedy="Use the results folder of a search that this version started",
        )


def open_log(folder: AnyPath, history: History, lease: Lease | None) -> EventLog:
    """The event log of a search that is resumed; removes what kills left half-written.

    Raises:
        ResultsError: the disk, or the store at the URL, reports an error.
    """
    with reporting_disk(folder):
        if isinstance(folder, Path):
            # Processes of the killed search may still write to these, which end with the search.
            remove_partial_files(folder, besides=("checkpoints", "ray"))
        return EventLog(folder, spent=history.spent, lease=lease)
