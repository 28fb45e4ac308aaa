"""Sections of arms and floors: trials, choices, scores, cost, size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import formats
from analysis.estimators.estimate import Estimate
from analysis.estimators.welch import mean_interval
from analysis.inputs.pictures import FLOORS, PictureScores
from analysis.inputs.search import Search
from analysis.inputs.units import arm_units
from analysis.report.answered import cut
from analysis.report.ends import allowed
from analysis.report.evidence import Evidence
from analysis.report.quantities import F1, SHARE, Json, estimated, plain, quantity, whole
from analysis.report.resource import held_hours
from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE, TRIAL_STATES

_TEST_COLUMNS = {
    "test_macro_f1": F1,
    "test_accuracy": SHARE,
    "test_clean_macro_f1": F1,
    "test_clean_accuracy": SHARE,
}
_CONFIG = tuple(field.name for field in CONFIG_COLUMNS)


def arm_sections(evidence: Evidence) -> list[Json]:
    """Every arm, in the arms' order."""
    search, scores = evidence.search, evidence.scores
    return [_arm(search, arm, scores) for arm in search.arms]


def floor_sections(evidence: Evidence) -> list[Json]:
    """The floors that were measured, majority class first."""
    scores = evidence.scores
    return [_floor(name, label, scores[name]) for name, label in FLOORS.items() if name in scores]


def _arm(search: Search, arm: str, scores: Mapping[str, PictureScores]) -> Json:
    trials = search.trials[search.trials["arm"] == arm]
    confirmations = search.confirmations[search.confirmations["arm"] == arm]
    units = arm_units(search, arm)
    of = formats.units(units.kind)
    pictures = scores[arm].macro_f1 if arm in scores else None
    section: Json = {
        "arm": arm,
        "backbone": search.get("arms", arm, "backbone"),
        "weights": search.get("arms", arm, "weights"),
        "parameters": search.get("arms", arm, "parameters"),
        "trials": _states(search, arm, trials),
        "epochs": _epochs(search, trials),
        "choices": _choices(search, arm),
        "confirmation_runs": units.runs.size,
        "unit": units.kind,
        "units": [
            {"label": label, "test_macro_f1": value}
            for label, value in zip(units.labels, units.values.tolist(), strict=True)
        ],
        "spread": quantity(
            float(units.runs.std(ddof=1)) if units.runs.size > 1 else None,
            unit=F1,
            n=units.runs.size,
            of="confirmation runs",
            estimator="standard deviation over confirmation runs",
        ),
        "test_macro_f1_over_pictures": estimated(pictures, unit=F1, of="test pictures"),
        "best_validation": _best_validation(search, arm, trials),
        "cost": {"search": _cost(trials), "confirmation": _cost(confirmations)},
    }
    for column, unit in _TEST_COLUMNS.items():
        section[column] = estimated(_mean(search, arm, column), unit=unit, of=of)
    return section


def _floor(name: str, label: str, score: PictureScores) -> Json:
    n = score.macro_f1.n

    def single(value: float | None, unit: str, estimator: str) -> Json:
        return quantity(value, unit=unit, n=n, of="test pictures", estimator=estimator)

    return {
        "floor": name,
        "label": label,
        "test_macro_f1": estimated(score.macro_f1, unit=F1, of="test pictures"),
        "test_accuracy": single(score.accuracy, SHARE, "share of correct test predictions"),
        "test_clean_macro_f1": single(score.clean_macro_f1, F1, "macro-F1 on clean pictures"),
        "test_clean_accuracy": single(
            score.clean_accuracy, SHARE, "share of correct predictions on clean pictures"
        ),
    }


def _mean(search: Search, arm: str, column: str) -> Estimate | None:
    units = arm_units(search, arm, column)
    return cut(mean_interval(units.values), 0.0, 1.0) if units.n else None


def _states(search: Search, arm: str, trials: pd.DataFrame) -> Json:
    counts = trials["state"].value_counts()
    running = search.running
    return {
        "total": len(trials),
        "running": int((running["arm"] == arm).sum()),
        **{state: int(counts.get(state, 0)) for state in TRIAL_STATES},
    }


def _epochs(search: Search, trials: pd.DataFrame) -> Json:
    given, run = int(allowed(search, trials).sum()), int(trials["epochs"].sum())
    return {"allowed": given, "run": run, "unit": "epochs"}


def _choices(search: Search, arm: str) -> list[Json]:
    """The chosen trial of each study with its configuration; before a choice, the best so far."""
    table = search.trials.set_index("trial", drop=False)
    numbers = [number for number in search.chosen[arm] if number in table.index]
    rows: list[Any] = [table.loc[number] for number in numbers]
    return [
        {
            "trial": int(row["trial"]),
            "replicate": int(row["replicate"]),
            "epoch": whole(row["best_epoch"]),
            "value": plain(row[search.metric_column]),
            "config": {name: _tidy(row[name]) for name in _CONFIG},
        }
        for row in rows
    ]


def _best_validation(search: Search, arm: str, trials: pd.DataFrame) -> Json:
    values = [c["value"] for c in _choices(search, arm) if c["value"] is not None]
    pick, word = (min, "lowest") if search.metric == "loss" else (max, "highest")
    return quantity(
        pick(values) if values else None,
        unit=f"validation {search.metric_name}",
        n=int((trials["state"].isin(ELIGIBLE) & trials[search.metric_column].notna()).sum()),
        of="trials eligible for choice",
        estimator=f"{word} best value among the trials eligible for choice; optimistic",
    )


def _cost(runs: pd.DataFrame) -> Json:
    return {
        "accelerator_hours": held_hours("accelerator", runs, of="runs"),
        "cpu_hours": held_hours("cpu", runs, of="runs"),
    }


def _tidy(value: object) -> object:
    """Converts integers back that a frame's row turned into floats."""
    clean = plain(value)
    if isinstance(clean, float) and clean.is_integer():
        return int(clean)
    return clean
