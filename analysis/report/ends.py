"""Final states of trials, audited ones included.

An audited trial has the state ``pruned``, because ASHA would have stopped it, but it continued. Its
stop reason has both: ``asha/completed``, ``asha/overfit``, ``asha/diverged``, ``asha/error``.
"""

from __future__ import annotations

import pandas as pd

from analysis.inputs.search import Search
from fer_tune.records import ELIGIBLE

#: States whose names differ from the stop reason's.
_STATE_OF = {"completed": "complete", "error": "failed"}


def own_ends(trials: pd.DataFrame) -> pd.Series[str]:
    """The state of each trial; of an audited one the state without ASHA."""
    own = trials["stop_reason"].fillna("").map(_own_end)
    ends: pd.Series[str] = trials["state"].astype(str).mask(audited(trials), own)
    return ends


def _own_end(stop_reason: str) -> str:
    last = stop_reason.rpartition("/")[2]
    return _STATE_OF.get(last, last)


def audited(trials: pd.DataFrame) -> pd.Series[bool]:
    """Which trials ASHA would have stopped but were continued for the regret audit."""
    return trials["audit_epoch"].notna()


def ran_on(trials: pd.DataFrame) -> pd.Series[bool]:
    """Which trials were trained to the end: to the last epoch or until they overfitted."""
    return own_ends(trials).isin(ELIGIBLE)


def allowed(search: Search, trials: pd.DataFrame) -> pd.Series[float]:
    """Epochs that the budget allows each trial."""
    longest = search.get("space", "budget", "max_epochs", default=0)
    return trials["max_epochs"].fillna(longest).astype(float)
