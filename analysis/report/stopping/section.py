"""Early stopping: epochs and time saved, rung fidelity, the regret audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.inputs.search import Search
from analysis.report.ends import allowed, audited, own_ends
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, quantity
from analysis.report.resource import Resource, resource_name, resource_of
from analysis.report.stopping.regret_estimates import regret_section
from analysis.report.stopping.rungs import fidelity_section, rungs
from fer_tune.records import TRIAL_STATES

#: Cause of the epochs saved, by state of the trial.
CAUSES = {"pruned": "asha", "overfit": "overfit_stopper", "diverged": "divergence"}
_FAILED = ("oom", "failed")


def section(evidence: Evidence) -> Json:
    """Per arm its trials by state, the epochs saved, rung fidelity and regret."""
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
        "regret": [regret_section(search, arm) for arm in search.arms],
        "without_gain": [
            _without_gain(search, decision)
            for manifest in search.manifests
            if (decision := manifest.get("no_gain")) is not None
        ],
        "by_budget": [
            _by_budget(found)
            for manifest in search.manifests
            if (found := manifest.get("used_up")) is not None
        ],
    }


def _by_budget(found: Mapping[str, Any]) -> Json:
    """What ended a search before its trials were used up, as the manifest has it."""
    limits = [
        {"key": key, **{name: of[name] for name in ("limit", "needed")}}
        for key, of in found["limits"].items()
    ]
    return {**{key: found[key] for key in ("not_started", "planned", "round")}, "limits": limits}


def _without_gain(search: Search, decision: Mapping[str, Any]) -> Json:
    """The decision of ``stop_when: no_gain``, as the manifest has it."""
    return {
        "trials": decision["trials"],
        "left": decision["left"],
        "unit": f"validation {search.metric_name}",
        "arms": [
            {"arm": arm, **{key: figures[key] for key in ("gain", "noise")}}
            for arm, figures in decision["arms"].items()
        ],
    }


def _arm(search: Search, arm: str, seconds: pd.Series[float], resource: Resource) -> Json:
    trials = search.trials[search.trials["arm"] == arm]
    counts = trials["state"].value_counts()
    given = allowed(search, trials)
    saved = (given - trials["epochs"].fillna(0)).clip(lower=0)
    # An audited trial continued to the end: ASHA saved none of its epochs.
    ends = own_ends(trials)
    by_end = saved.groupby(ends).sum()
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
        "lost_to_failure": int(sum(by_end.get(end, 0) for end in _FAILED)),
        "spent_on_audit": int(extra.sum()),
        "saved_hours": _hours(trials, saved[ends.isin(CAUSES)], seconds, resource),
    }


def _seconds_per_epoch(search: Search) -> pd.Series[float]:
    """Median seconds of an epoch by trial."""
    rows = search.epochs[search.epochs["cohort"] != "confirm"]
    medians: pd.Series[float] = rows.groupby("trial")["seconds"].median()
    return medians


def _hours(
    trials: pd.DataFrame, saved: pd.Series[float], seconds: pd.Series[float], resource: Resource
) -> Json:
    """Hours of ``resource`` that the saved epochs would have taken."""
    mine = trials.loc[saved.index]
    # A trial held a share of the resource during its time, so also of the time saved.
    share = mine[f"{resource}_seconds"] / mine["seconds"].where(mine["seconds"] > 0)
    worth = saved * mine["trial"].map(seconds) * share
    return quantity(
        float(worth.sum()) / 3600,
        unit="hours",
        n=int((saved > 0).sum()),
        of="trials that ended early",
        estimator="estimate: epochs saved times the median seconds of that trial's epochs "
        "times the share it held",
    )
