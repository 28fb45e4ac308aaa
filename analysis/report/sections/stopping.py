"""What early stopping cost and saved: epochs, time, the order it went by, what it may have lost."""

from __future__ import annotations

import pandas as pd

from analysis.loading import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, quantity
from analysis.report.sections.ends import allowed, audited, own_ends
from analysis.report.sections.regret import regret_sections
from analysis.report.sections.resource import Resource, resource_name, resource_of
from analysis.report.sections.rungs import fidelity_section, rungs
from fer_tune.records import TRIAL_STATES

#: What each way of ending early is put down to.
CAUSES = {"pruned": "asha", "overfit": "overfit_stopper", "diverged": "divergence"}
_FAULTS = ("oom", "failed")


def section(evidence: Evidence) -> Json:
    """Per arm what ended its trials, what that saved, and what it may have cost."""
    search = evidence.search
    seconds, resource = _seconds_per_epoch(search), resource_of(search)
    return {
        "scheduler": search.get("space", "scheduler", "kind", default="none"),
        "stopper": bool(search.get("space", "stopper", "enabled", default=False)),
        "audit_share": search.get("space", "audit", "share", default=0.0),
        "rungs": list(rungs(search)),
        "reduction_factor": search.get("space", "scheduler", "reduction_factor"),
        "resource": resource_name(resource),
        "arms": [_arm(search, arm, seconds, resource) for arm in search.arms],
        "fidelity": fidelity_section(search),
        "regret": regret_sections(search),
    }


def _arm(search: Search, arm: str, seconds: pd.Series[float], resource: Resource) -> Json:
    trials = search.trials[search.trials["arm"] == arm]
    counts = trials["state"].value_counts()
    given = allowed(search, trials)
    spared = (given - trials["epochs"].fillna(0)).clip(lower=0)
    # An audited trial ran on to an end of its own: ASHA spared nothing of it.
    ends = own_ends(trials)
    by_end = spared.groupby(ends).sum()
    extra = (trials["epochs"] - trials["audit_epoch"])[audited(trials)]
    return {
        "arm": arm,
        "states": {state: int(counts.get(state, 0)) for state in TRIAL_STATES},
        "audited": int(audited(trials).sum()),
        "trials": len(trials),
        "unit": "epochs",
        "allowed": int(given.sum()),
        "run": int(trials["epochs"].sum()),
        "saved": {cause: int(by_end.get(end, 0)) for end, cause in CAUSES.items()},
        "lost_to_failure": int(sum(by_end.get(end, 0) for end in _FAULTS)),
        "spent_on_audit": int(extra.sum()),
        "saved_hours": _hours(trials, spared[ends.isin(CAUSES)], seconds, resource),
    }


def _seconds_per_epoch(search: Search) -> pd.Series[float]:
    """Median seconds of an epoch by trial."""
    rows = search.epochs[search.epochs["cohort"] != "confirm"]
    medians: pd.Series[float] = rows.groupby("trial")["seconds"].median()
    return medians


def _hours(
    trials: pd.DataFrame, spared: pd.Series[float], seconds: pd.Series[float], resource: Resource
) -> Json:
    """What the spared epochs would have taken of ``resource``."""
    mine = trials.loc[spared.index]
    # Of the time a trial took it held a share of the resource, so of the time it was spared too.
    share = mine[f"{resource}_seconds"] / mine["seconds"].where(mine["seconds"] > 0)
    worth = spared * mine["trial"].map(seconds) * share
    return quantity(
        float(worth.sum()) / 3600,
        unit="hours",
        n=int((spared > 0).sum()),
        of="trials that ended early",
        estimator="estimate: epochs spared times the median seconds of that trial's own epochs "
        "times the share it held",
    )
