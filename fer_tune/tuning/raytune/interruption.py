"""Ctrl-C: the first lets running epochs finish, the second ends the search immediately."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from ray.tune.experiment import Trial
from rich.console import Console

from fer_tune.console import say
from fer_tune.process.signals import acknowledge, handling
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.worker.notices import announce_interruption


class DrainedError(KeyboardInterrupt):
    """Every epoch that ran when the search was interrupted has been reported, and can be resumed.

    A KeyboardInterrupt, as Ray wraps every other exception.
    """


class Interruption(DriverCallback):
    """Ends a phase on request, as soon as no running epoch would be lost.

    SIGTERM is handled like Ctrl-C, as schedulers and clouds send it before they end a process; so
    is SIGHUP of a closed terminal, unless `nohup` ignores it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._requested = self._announced = False
        self._awaited: set[str] | None = None  # Ray's ids of trials in the middle of an epoch

    def listening(self) -> AbstractContextManager[None]:
        """Handles the signals inside the block."""
        return handling(self._signalled, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        # A closed terminal sends SIGHUP twice, systemd SIGHUP after SIGTERM: no second request.
        if self._requested and number != signal.SIGHUP:
            raise KeyboardInterrupt
        self._requested = True
        acknowledge()

    # -- Ray's hooks ------------------------------------------------------------------------

    def setup(self, *args: Any, **info: Any) -> None:
        if self._announced:  # in an earlier phase
            announce_interruption(False)
            self._announced = False

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        # An epoch that ended just before the announcement may not be on the disk: the next one is.
        if self._awaited is not None and result.get("checkpointed", True):
            self._awaited.discard(trial.trial_id)

    def on_step_end(self, trials: list[Trial], **info: Any) -> None:
        if not self._requested:
            return
        running = {t.trial_id for t in trials if t.status == Trial.RUNNING}
        if self._awaited is None:
            announce_interruption()
            self._announced = True
            say(
                self._console,
                "",
                "interrupted: waiting for running epochs to finish; press Ctrl-C again to stop "
                "immediately",
            )
            self._awaited = running
        self._awaited &= running
        if not self._awaited:
            acknowledge()
            raise DrainedError
