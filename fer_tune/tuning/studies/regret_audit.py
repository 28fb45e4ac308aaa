"""The regret audit: some of the trials that ASHA would stop continue, to measure the cost.

A trial is audited from the first epoch at which ASHA would stop it, if a number drawn from the
search's seed and the trial's number falls below the share. For the rest of the search it then
counts as stopped: PRUNED is reported to its study at once, and later reports enter no rung. It
merely continues to the end that it would have had without ASHA.
"""

from __future__ import annotations

import logging

from fer_tune.tuning.log.assignment import Assignment, derive_seed
from fer_tune.tuning.log.events import EventLog, History

logger = logging.getLogger(__name__)


def is_drawn(number: int, *, share: float, seed: int) -> bool:
    """Whether trial ``number`` is audited should ASHA stop it.

    Args:
        share: of the trials that are drawn, in [0, 1].
        seed: of the search.
    """
    return derive_seed(seed, "audit", number) / 2**31 < share


class RegretAudit:
    """Selects trials for the audit; records them in the event log, then in the history.

    Args:
        history: of the search so far; it holds which trials are audited.
        share, seed: see :func:`is_drawn`.
    """

    def __init__(self, log: EventLog, history: History, *, share: float, seed: int) -> None:
        self._log, self._history = log, history
        self._share, self._seed = share, seed

    def since(self, number: int) -> int | None:
        """The epoch at which ASHA would have stopped a trial that is audited; else None."""
        return self._history.audited_at(number)

    def admits(self, assignment: Assignment, epoch: int) -> bool:
        """Whether a trial that ASHA would stop at ``epoch`` continues; if so, records it."""
        if not is_drawn(assignment.number, share=self._share, seed=self._seed):
            return False
        self._log.append("audited", trial=assignment.number, epoch=epoch)
        self._history.run(assignment).audited_at = epoch
        logger.info(
            "%s: ASHA would stop it at epoch %d; it is audited, so it continues",
            assignment.name,
            epoch,
        )
        return True
