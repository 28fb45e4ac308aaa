"""The human-readable log of a search; ``events.jsonl`` is the machine-readable one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from fer_tune.errors import reporting
from fer_tune.escaping import LineFormatter
from fer_tune.storage.links import open_file

LOG_FILE = "search.log"
#: Root of all loggers in ``fer_tune``.
LOGGER = "fer_tune"
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class _LogFile(logging.FileHandler):
    """Appends to a regular file, never through a link or to a named pipe."""

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        descriptor = open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return TextIOWrapper(open(descriptor, "ab"), encoding=self.encoding)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # on opening, which logging does not catch
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignores write errors: the event log reports them once."""


@contextmanager
def log_file(folder: Path) -> Iterator[None]:
    """Copies everything that is logged inside to ``search.log`` of the results folder.

    Raises:
        ResultsError: it is not a regular file, or not writable.
    """
    _check(folder / LOG_FILE)
    handler = _LogFile(folder / LOG_FILE, encoding="utf-8", delay=True)
    handler.setFormatter(LineFormatter(FORMAT))
    logger = logging.getLogger(LOGGER)
    before = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        handler.close()


def _check(path: Path) -> None:
    remedy = "Remove it, or check its permissions; no command reads it"
    with reporting("cannot be written", path, remedy), suppress(FileNotFoundError):
        os.close(open_file(path, os.O_WRONLY | os.O_APPEND))
