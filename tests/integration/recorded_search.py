"""``fer-tune`` with recorded runs in place of trained ones: a process that tests can disturb."""

from __future__ import annotations

import functools
import os

import fer_tune.cli
from fer_tune.tuning import run
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.recorded import RecordedRun, Recording
from fer_tune.tuning.stages import confirm, explore

#: Environment variable: seconds that an epoch takes.
SECONDS = "RECORDED_SECONDS"


def play(assignment: Assignment) -> Recording:
    """Later numbers are better, every fourth overfits; an epoch takes a while."""
    top = 0.3 + 0.02 * assignment.number
    values = [top * (1 - 0.5**epoch) for epoch in range(1, 10)]
    losses = [1.0, 0.9, 1.3, 1.7, 2.1, 2.5, 2.9, 3.3, 3.7] if assignment.number % 4 == 3 else None
    seconds = float(os.environ.get(SECONDS, "0"))
    return Recording(values=values, val_loss=losses, seconds=seconds)


def main() -> None:
    replayed = functools.partial(RecordedRun, play)
    run.explore = functools.partial(explore, make_run=replayed)  # type: ignore[assignment]
    run.confirm = functools.partial(confirm, make_run=replayed)  # type: ignore[assignment]
    fer_tune.cli.main()


if __name__ == "__main__":
    main()
