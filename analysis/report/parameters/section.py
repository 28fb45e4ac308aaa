"""Hyperparameters: domains, importance, and the table of trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.estimators.tuning.importance import NEEDED, SHUFFLES, importance
from analysis.inputs.search import Search
from analysis.inputs.studies import rebuild
from analysis.report.evidence import Evidence
from analysis.report.parameters.trial_table import trial_section
from analysis.report.quantities import SHARE, Json, quantity
from analysis.validity.limits import domains

_SEED = 20240607
#: A parameter before any of its domains is known.
_UNKNOWN: Json = {
    **dict.fromkeys(("parameter", "log", "arms", "low", "high", "whole", "values")),
    "log": True,
}


def section(evidence: Evidence) -> Json:
    """Sampled parameters, their importance per arm, and the table of trials."""
    search = evidence.search
    return {
        "unit": f"validation {search.metric_name}",
        "lower_is_better": search.metric == "loss",
        "sampled": _sampled(search),
        "needed": NEEDED,
        "importance": [_importance(search, arm) for arm in search.arms],
        "trials": trial_section(search),
    }


def _sampled(search: Search) -> list[Json]:
    """Each sampled parameter with the union of its domains over all studies."""
    found: dict[str, Json] = {}
    studies = search.trials[["arm", "replicate"]].drop_duplicates()
    for arm, replicate in studies.itertuples(index=False, name=None):
        for name, domain in domains(search, str(arm), int(replicate)).items():
            entry = found.setdefault(name, {**_UNKNOWN, "parameter": name, "arms": []})
            _widen(entry, domain)
            if arm not in entry["arms"]:
                entry["arms"].append(str(arm))
    return list(found.values())


def _widen(entry: Json, domain: Mapping[str, Any]) -> None:
    entry["log"] = entry["log"] and bool(domain.get("log"))
    if domain["type"] == "choice":
        known = entry["values"] or []
        entry["values"] = [*known, *(value for value in domain["values"] if value not in known)]
        return
    whole = domain["type"] == "int"
    if entry["low"] is None:
        entry.update(low=domain["low"], high=domain["high"], whole=whole)
    else:
        entry["low"] = min(entry["low"], domain["low"])
        entry["high"] = max(entry["high"], domain["high"])
        entry["whole"] = entry["whole"] and whole


def _one_space(search: Search, arm: str) -> bool:
    """Whether all studies of ``arm`` have the same domains; merged searches may differ."""
    trials = search.trials[search.trials["arm"] == arm]
    studies = trials["replicate"].unique()
    first = domains(search, arm)
    return all(domains(search, arm, int(number)) == first for number in studies)


def _importance(search: Search, arm: str) -> Json:
    rebuilt = rebuild(search, arm)
    found = importance(rebuilt, np.random.default_rng(_SEED))
    common: dict[str, Any] = {"unit": SHARE, "of": "trials with a final value"}
    final = sum(trial.value is not None for trial in rebuilt.study.get_trials(deepcopy=False))
    return {
        "arm": arm,
        "unit": "trials",
        "final": final,
        "outside": rebuilt.outside,
        "one_space": _one_space(search, arm),
        "best": None if found is None else found.best,
        "parameters": []
        if found is None
        else [
            {
                "parameter": name,
                "share": quantity(
                    share,
                    n=found.trials,
                    estimator="PED-ANOVA, share of the sum; descriptive, "
                    "as trials are selected by the sampler and ASHA",
                    **common,
                ),
                "noise": quantity(
                    found.noise[name],
                    n=found.trials,
                    estimator=f"largest share over {SHUFFLES} random permutations of the scores",
                    **common,
                ),
            }
            for name, share in found.shares.items()
        ],
    }
