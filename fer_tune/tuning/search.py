"""What both stages of a search work with, and the record of a sitting."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.errors import ResultsError
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.storage import without_secrets
from fer_tune.tuning.events import EventLog, History
from fer_tune.tuning.faults import NOT_OF_THE_DISK, disk_fault
from fer_tune.tuning.interruption import Interruption
from fer_tune.tuning.manifest import versions
from fer_tune.tuning.metrics import Metrics
from fer_tune.tuning.progress import Progress
from fer_tune.tuning.recorder import Recorder
from fer_tune.tuning.settings import WorkerSettings

logger = logging.getLogger(__name__)

State = Literal["finished", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search in the hands of this process.

    Attributes:
        working: folder of what only a file system can keep; the results folder, unless that is at
            a URL.
        history: of earlier sittings; the recorder adds what this one reports.
        asked: runs asked of Ray at the same time.
        shows_progress: whether the console shows trials as they go.
    """

    space: SearchSpace
    dataset: PackedDataset
    results: Results
    working: Path
    log: EventLog
    history: History
    settings: WorkerSettings
    console: Console
    interruption: Interruption
    asked: int
    shows_progress: bool

    def progress(self, **what: Any) -> list[Progress]:
        """The callback that shows trials as they go, if they are to be shown."""
        if not self.shows_progress:
            return []
        return [Progress(self.console, self.results, history=self.history, **what)]

    def metrics(self) -> Metrics:
        """The callback that tells Prometheus."""
        return Metrics(self.results.root.name, self.history)

    def recorder(self) -> Recorder:
        return Recorder(
            self.results,
            self.log,
            self.history,
            classes=self.dataset.classes,
            gpu=self.space.resources.gpu,
            cpu=self.space.resources.cpu,
        )


@contextmanager
def sitting(search: Search, began: float) -> Iterator[None]:
    """Notes that this process has the search, how its work ended and what all sittings took.

    Args:
        began: seconds since the Unix epoch.

    Raises:
        ResultsError: the disk under the results folder refused a write.
    """
    results, earlier = search.results, search.history.wall_seconds
    state: State = "interrupted"
    try:
        command = [without_secrets(word) for word in sys.argv]
        search.log.append("sitting", began=began, command=command, versions=versions())
        logger.info("%s", shlex.join(command))
        results.update_manifest(state="running", ended=None)
        try:
            yield
            state = "finished"
        except OSError:
            with suppress(OSError, ResultsError):  # what comes of it would hide it
                _note_end(search, state, began, earlier)
            raise
        except BaseException:
            _note_end(search, state, began, earlier)
            raise
        _note_end(search, state, began, earlier)
    except NOT_OF_THE_DISK:
        raise
    except OSError as error:
        raise disk_fault(error, results.root) from error


def _note_end(search: Search, state: State, began: float, earlier: float) -> None:
    if search.log.is_lost:
        return  # another process writes the manifest now
    now = time.time()
    logger.info("%s after %.0f s", state, now - began)
    search.results.update_manifest(
        state=state,
        ended=now,
        wall_seconds=earlier + now - began,
        sittings=len(search.history.sittings) + 1,
    )
