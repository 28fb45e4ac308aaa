"""What both phases of a search need, and the record of a session."""

from __future__ import annotations

import logging
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
from fer_tune.escaping import shell_word
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.storage import without_secrets
from fer_tune.tuning.log.disk_faults import NETWORK_ERRORS, reporting_disk
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.manifest import versions
from fer_tune.tuning.monitor.metrics import Metrics
from fer_tune.tuning.monitor.progress import Progress
from fer_tune.tuning.monitor.recorder import Recorder
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.settings import WorkerSettings

logger = logging.getLogger(__name__)

State = Literal["finished", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search in this process.

    Attributes:
        local_folder: for files that need a file system; the results folder, unless that is at a
            URL.
        history: of earlier sessions; the recorder adds the reports of this one.
        asked: runs that are running or pending at the same time. slots: those that run.
        can_grow: whether an autoscaler may add machines that can run a trial.
        shows_progress: whether the console shows the progress of trials.
    """

    space: SearchSpace
    dataset: PackedDataset
    results: Results
    local_folder: Path
    log: EventLog
    history: History
    settings: WorkerSettings
    console: Console
    interruption: Interruption
    asked: int
    shows_progress: bool
    slots: int = 1
    can_grow: bool = False

    def progress(self, **what: Any) -> list[Progress]:
        """The callback that shows the progress of trials, if enabled."""
        if not self.shows_progress:
            return []
        return [Progress(self.console, self.results, history=self.history, **what)]

    def metrics(self) -> Metrics:
        """The callback that exports metrics to Prometheus."""
        return Metrics(self.results.root.name, self.history)

    def recorder(self) -> Recorder:
        return Recorder(
            self.results,
            self.log,
            self.history,
            classes=self.dataset.classes,
            gpu=self.space.resources.gpu,
            cpu=self.space.resources.cpu,
            console=self.console,
        )


@contextmanager
def recorded_session(search: Search, began: float) -> Iterator[None]:
    """Records the start, end and total time of this process's session.

    Args:
        began: seconds since the Unix epoch.

    Raises:
        ResultsError: the results folder cannot be written.
    """
    results, earlier = search.results, search.history.wall_seconds
    state: State = "interrupted"
    with reporting_disk(results.root, passing=NETWORK_ERRORS):
        command = [without_secrets(word) for word in sys.argv]
        search.log.append(
            "sitting",
            began=began,
            command=command,
            versions=versions(),
            bank=search.settings.bank_limits,
        )
        logger.info("%s", " ".join(map(shell_word, command)))
        results.update_manifest(state="running", ended=None)
        try:
            yield
            state = "finished"
        except OSError:
            with suppress(OSError, ResultsError):  # an error here would hide the first one
                _record_end(search, state, began, earlier)
            raise
        except BaseException:
            _record_end(search, state, began, earlier)
            raise
        _record_end(search, state, began, earlier)


def _record_end(search: Search, state: State, began: float, earlier: float) -> None:
    if search.log.is_lost:
        return  # another process writes the manifest now
    now = time.time()
    logger.info("%s after %.0f s", state, now - began)
    search.results.update_manifest(
        state=state,
        ended=now,
        wall_seconds=earlier + max(0.0, now - began),  # the clock may have been set back
        sittings=len(search.history.sessions) + 1,
    )
