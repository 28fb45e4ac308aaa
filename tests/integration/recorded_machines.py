"""``fer-tune`` with recorded runs on a cluster of machines, each of which a test can hold."""

from __future__ import annotations

import functools
import socket
import time
from pathlib import Path

import fer_tune.cli
from fer_tune.training.learning_curve import EpochReport
from fer_tune.tuning import execution
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.phases import confirm, explore
from fer_tune.tuning.raytune.replay import ReplayedRun
from fer_tune.tuning.settings import WorkerSettings
from tests.integration.machines import SHARED
from tests.integration.recorded_search import play

#: Folder that every machine sees; a file with the name of a machine in it holds the runs there.
HELD = "held"
#: Epochs that a run trains on a machine that is held.
EPOCHS = 2


class HeldRun(ReplayedRun):
    """A recorded run that trains ``EPOCHS`` epochs, and then waits while its machine is held."""

    def __init__(self, settings: WorkerSettings, assignment: Assignment) -> None:
        super().__init__(play, settings, assignment)

    def run_epoch(self) -> EpochReport | None:
        file = Path(SHARED) / HELD / socket.gethostname()
        deadline = time.monotonic() + 900
        while self.curve.epoch == EPOCHS and file.exists():
            assert time.monotonic() < deadline, f"nobody has removed {file}"
            time.sleep(0.05)
        return super().run_epoch()


def main() -> None:
    execution.explore = functools.partial(explore, make_run=HeldRun)  # type: ignore[assignment]
    execution.confirm = functools.partial(confirm, make_run=HeldRun)  # type: ignore[assignment]
    fer_tune.cli.main()


if __name__ == "__main__":
    main()
