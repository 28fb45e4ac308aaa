"""What the actor runs: the interface of a run, and the factory of those that train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from fer_tune.scores import Counts
from fer_tune.training.learning_curve import EpochReport, LearningCurve
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.settings import WorkerSettings


class Run(Protocol):
    """The interface of a run; ``TrialRun`` trains, ``replay.ReplayedRun`` replays."""

    curve: LearningCurve
    best_counts: Counts  # confusion counts of the best epoch on validation

    def prepare(self) -> None:
        """Builds the network."""
        ...

    def run_epoch(self) -> EpochReport | None: ...

    def score(self) -> dict[str, Any]:
        """Scores a confirmation run that has ended; ``test_*`` columns and more."""
        ...

    def snapshot(self) -> Callable[[Path], None]:
        """Copies the run's state, as training goes on; returns what saves the copy in a folder."""
        ...

    def restore(self, folder: Path) -> None: ...


RunFactory = Callable[[WorkerSettings, Assignment], Run]


def trained() -> RunFactory:
    """The factory of runs that train a network."""
    # torch takes seconds to import, and neither the driver nor replayed runs need it.
    from fer_tune.tuning.raytune.scored_run import ScoredRun

    return ScoredRun
