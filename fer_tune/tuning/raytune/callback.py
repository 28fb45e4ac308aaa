"""The base of all callbacks of a search."""

from __future__ import annotations

from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

_Callback: Any = Callback


class DriverCallback(_Callback):  # type: ignore[misc]  # hooks name only what they need
    """A callback that runs only on the driver.

    Ray calls the hooks by keyword: ``iteration``, ``trials``, and where they exist ``trial`` and
    ``result``. Every hook names what it needs; ``**info`` takes the rest.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles callbacks; the copy is never used

    def finish(self) -> None:
        """Called once the processes of a phase that was not interrupted have ended."""

    def close(self) -> None:
        """Frees resources; Ray does not notify callbacks of an interruption."""


class ForgetEnded(DriverCallback):
    """Frees what Ray keeps of every ended trial: its last report, and statistics of all reports.

    Must be the last callback: the others read the last report.
    """

    def on_trial_complete(self, trial: Trial, **info: Any) -> None:
        self._forget(trial)

    def on_trial_error(self, trial: Trial, **info: Any) -> None:
        self._forget(trial)

    def _forget(self, trial: Trial) -> None:
        kept = trial.run_metadata
        kept.metric_analysis, kept.metric_n_steps, kept.last_result = {}, {}, {}
