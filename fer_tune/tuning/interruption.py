"""Ctrl-C: the first lets running epochs finish, the second ends at once."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from ray.tune.experiment import Trial
from rich.console import Console

from fer_tune.tuning.callback import DriverCallback
from fer_tune.tuning.signals import taking


class DrainedError(KeyboardInterrupt):
    """Every epoch that ran when the search was interrupted has been reported.

    A KeyboardInterrupt, as Ray lets nothing else pass unchanged.
    """


class Interruption(DriverCallback):
    """Ends a stage when it is asked to, at the next moment at which no epoch would be lost.

    SIGTERM is taken like Ctrl-C, as schedulers and clouds give notice with it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._requested = False
        self._awaited: set[str] | None = None  # Ray's ids of trials with an epoch on the way

    def listening(self) -> AbstractContextManager[None]:
        """Takes the signals while it is open."""
        return taking(self._signalled, signal.SIGINT, signal.SIGTERM)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True

    # -- Ray's hooks ------------------------------------------------------------------------

    def on_trial_result(self, trial: Trial, result: dict[str, Any], **info: Any) -> None:
        if self._awaited is not None:
            self._awaited.discard(trial.trial_id)

    def on_step_end(self, trials: list[Trial], **info: Any) -> None:
        if not self._requested:
            return
        running = {t.trial_id for t in trials if t.status == Trial.RUNNING}
        if self._awaited is None:
            self._console.print(
                "\ninterrupted: running epochs are finished first; Ctrl-C again ends at once"
            )
            self._awaited = running
        self._awaited &= running
        if not self._awaited:
            raise DrainedError
