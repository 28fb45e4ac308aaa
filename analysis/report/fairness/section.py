"""Fairness of the search: budget, conditions, failures and choices of each arm and study."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.inputs.search import Search
from analysis.report.ends import allowed
from analysis.report.evidence import Evidence
from analysis.report.fairness.conditions import condition_rows, parameter_rows
from analysis.report.fairness.picks import choice_rows
from analysis.report.quantities import SHARE, Json, quantity
from analysis.report.resource import held_hours
from fer_tune.records import COHORTS, ELIGIBLE, TRIAL_STATES

#: States of trials without a usable result.
LOST = ("failed", "oom", "diverged")


def section(evidence: Evidence) -> Json:
    """Budgets per arm and study, conditions, failures, and the chosen configurations."""
    search, running = evidence.search, evidence.search.running
    return {
        "arms": [
            {
                "arm": arm,
                **_share(search, _of(search, arm)),
                "running": int((running["arm"] == arm).sum()),
            }
            for arm in search.arms
        ],
        "studies": [study for arm in search.arms for study in _studies(search, arm)],
        "failures": [row for arm in search.arms for row in _failures(_of(search, arm), arm)],
        "conditions": condition_rows(search),
        "parameters": parameter_rows(search),
        "choices": [{"arm": arm, "studies": choice_rows(search, arm)} for arm in search.arms],
    }


def _studies(search: Search, arm: str) -> list[Json]:
    mine = _of(search, arm)
    replicates = sorted({int(number) for number in mine["replicate"]})
    return [
        {"arm": arm, "replicate": number, **_share(search, mine[mine["replicate"] == number])}
        for number in replicates
    ]


def _share(search: Search, trials: pd.DataFrame) -> Json:
    """Counts and cost of the ended trials of one arm or study."""
    states, cohorts = trials["state"].value_counts(), trials["cohort"].value_counts()
    return {
        "total": len(trials),
        "states": {state: int(states.get(state, 0)) for state in TRIAL_STATES},
        "cohorts": {c: int(cohorts.get(c, 0)) for c in COHORTS if c not in ("confirm", "floor")},
        "micro_batches": _micro_batches(search, trials),
        "to_the_end": int(trials["state"].isin(ELIGIBLE).sum()),
        "epochs_run": int(trials["epochs"].sum()),
        "epochs_allowed": int(allowed(search, trials).sum()),
        "unit": "trials, epochs",
        "accelerator_hours": held_hours("accelerator", trials, of="ended trials"),
        "cpu_hours": held_hours("cpu", trials, of="ended trials"),
    }


def _micro_batches(search: Search, trials: pd.DataFrame) -> int | None:
    """Trials of which batches were split; records of earlier versions do not say."""
    if search.trials["micro_batch"].isna().all():
        return None
    return int((trials["micro_batch"] < trials["batch_size"]).sum())


def _failures(trials: pd.DataFrame, arm: str) -> list[Json]:
    """Failed and diverged trials by state and reason, and where most of them were."""
    lost = trials[trials["state"].isin(LOST)]
    rows = []
    for state in LOST:
        for reason, mine in lost[lost["state"] == state].groupby("stop_reason", dropna=False):
            rows.append(
                {
                    "arm": arm,
                    "state": state,
                    "reason": None if pd.isna(reason) else str(reason),
                    "trials": len(mine),
                    "unit": "trials",
                    "share": quantity(
                        len(mine) / len(trials),
                        unit=SHARE,
                        n=len(trials),
                        of="ended trials of the arm",
                        estimator="share of the arm's ended trials",
                    ),
                    "mostly": _mostly(mine),
                }
            )
    return rows


def _mostly(trials: pd.DataFrame) -> Json | None:
    """The most frequent crop size and unfreeze depth among ``trials``."""
    counts = trials.groupby(["crop_size", "unfreeze_depth"]).size()
    if counts.empty:
        return None
    place: Any = counts.idxmax()
    return {
        "crop_size": int(place[0]),
        "unfreeze_depth": int(place[1]),
        "trials": int(counts.max()),
    }


def _of(search: Search, arm: str) -> pd.DataFrame:
    return search.trials[search.trials["arm"] == arm]
