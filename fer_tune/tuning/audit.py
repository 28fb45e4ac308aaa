"""The regret audit: some of the trials that ASHA would stop run on, to see what it costs.

A trial is audited from the first epoch at which ASHA would stop it, if a number drawn from the
search's seed and the trial's own number falls below the share. From then on it is a trial that
was stopped in all that others see: its study is told PRUNED then and there, and nothing that it
reports later enters a rung. It only runs on, to the end that it would have had without ASHA.
"""

from __future__ import annotations

import logging

from fer_tune.tuning.assignment import Assignment, derive_seed
from fer_tune.tuning.events import EventLog, History

logger = logging.getLogger(__name__)


def is_drawn(number: int, *, share: float, seed: int) -> bool:
    """Whether trial ``number`` is audited should ASHA stop it.

    Args:
        share: of the trials that are drawn, in [0, 1].
        seed: of the search.
    """
    return derive_seed(seed, "audit", number) / 2**31 < share


class Audit:
    """Takes trials into the audit: first into the log of events, then into the history.

    Args:
        history: of the search so far; whoever asks later which trials are audited asks there.
        share, seed: see :func:`is_drawn`.
    """

    def __init__(self, log: EventLog, history: History, *, share: float, seed: int) -> None:
        self._log, self._history = log, history
        self._share, self._seed = share, seed

    def since(self, number: int) -> int | None:
        """The epoch at which ASHA would have stopped a trial that is audited; else None."""
        return self._history.audited_at(number)

    def takes(self, assignment: Assignment, epoch: int) -> bool:
        """Whether a trial that ASHA would stop at ``epoch`` runs on; a trial that does is noted."""
        if not is_drawn(assignment.number, share=self._share, seed=self._seed):
            return False
        self._log.append("audited", trial=assignment.number, epoch=epoch)
        self._history.run(assignment).audited_at = epoch
        logger.info(
            "%s: ASHA would stop it at epoch %d; it is audited and runs on", assignment.name, epoch
        )
        return True
