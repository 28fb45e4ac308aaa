"""``fer-tune`` with recorded runs in place of trained ones: a process that tests can disturb."""

from __future__ import annotations

import functools
import os
import sys
from contextlib import nullcontext
from unittest.mock import patch

from ray import cloudpickle

import fer_tune.cli
from fer_tune.tuning import execution
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.phases import confirm, explore
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun
from tests.lean_ray import lean_ray

#: Environment variable: seconds that an epoch takes.
SECONDS = "RECORDED_SECONDS"
#: Environment variable: if it is set, the search starts a lean Ray.
LEAN = "RECORDED_LEAN"
#: Environment variable: the message with which trial 1 fails; by default it does not.
ERROR = "RECORDED_ERROR"


def play(assignment: Assignment) -> Recording:
    """Later numbers are better, every fourth overfits; an epoch takes a while."""
    if assignment.number == 1 and (message := os.environ.get("RECORDED_ERROR")):
        raise RuntimeError(message)
    top = 0.3 + 0.02 * assignment.number
    values = [top * (1 - 0.5**epoch) for epoch in range(1, 10)]
    losses = None
    if assignment.number % 4 == 3:
        losses = [1.0, 0.9, 1.3, 1.7, 2.1, 2.5, 2.9, 3.3, 3.7]
        values[2:] = values[1:2] * 7  # a trial that improves would not be ended
    seconds = float(os.environ.get(SECONDS, "0"))
    return Recording(values=values, val_loss=losses, seconds=seconds)


def main() -> None:
    replayed = functools.partial(ReplayedRun, play)
    # By name, `play` would have every worker import this module and all that the driver needs.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with (
        lean_ray() if LEAN in os.environ else nullcontext(),
        patch.multiple(
            execution,
            explore=functools.partial(explore, make_run=replayed),
            confirm=functools.partial(confirm, make_run=replayed),
        ),
    ):
        fer_tune.cli.main()


if __name__ == "__main__":
    main()
