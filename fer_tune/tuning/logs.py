"""The log file of a search, for people; ``events.jsonl`` is the one for machines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG_FILE = "search.log"
#: What everything in ``fer_tune`` logs to.
LOGGER = "fer_tune"
FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


@contextmanager
def log_file(folder: Path) -> Iterator[None]:
    """Adds everything that is logged inside to ``search.log`` of the results folder."""
    handler = logging.FileHandler(folder / LOG_FILE, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(FORMAT))
    # A disk that refuses a line is told by the log of events, once and plainly.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
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
