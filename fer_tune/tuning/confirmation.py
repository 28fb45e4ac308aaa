"""Choosing one configuration per study, and scoring its confirmation runs on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_tune import scores
from fer_tune.data import PackedDataset, Split
from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE, Results
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.training.latency import measure_latency
from fer_tune.training.trial import TrialRun
from fer_tune.tuning.assignment import Assignment, derive_seed


def choose(trials: pd.DataFrame, metric: str) -> list[dict[str, Any]]:
    """The best eligible trial of every study, by its best validation value.

    Args:
        trials: the ``trials`` table. Trials that ran to the end or ended as ``overfit`` are
            eligible; the earliest wins a tie.

    Returns:
        One mapping per (arm, replicate) with an eligible trial: arm, replicate, trial, epoch,
        value, config.
    """
    column = f"best_val_{metric}"
    searched = trials[(trials["cohort"] != "confirm") & trials["state"].isin(ELIGIBLE)]
    searched = searched.sort_values("trial").dropna(subset=[column])
    chosen = []
    for _, group in searched.groupby(["arm", "replicate"], sort=True):
        values = group[column].to_numpy()
        row = group.iloc[int(values.argmin() if metric == "loss" else values.argmax())]
        # A table written before there was a parameter has nothing there: its default held.
        config = {f.name: row[f.name] for f in CONFIG_COLUMNS if pd.notna(row[f.name])}
        chosen.append(
            {
                "arm": str(row["arm"]),
                "replicate": int(row["replicate"]),
                "trial": int(row["trial"]),
                "epoch": int(row["best_epoch"]),
                "value": float(row[column]),
                "config": {k: v.item() if hasattr(v, "item") else v for k, v in config.items()},
            }
        )
    return chosen


def known_runs(choices: list[dict[str, Any]], runs: Sequence[Assignment]) -> list[dict[str, Any]]:
    """The choices with the numbers that ``runs`` of the log bear, in order of their seeds.

    A kill may have come before the manifest was told of them.
    """
    return [
        {
            **choice,
            "runs": sorted(
                run.number
                for run in runs
                if run.cohort == "confirm"
                and (run.arm, run.replicate) == (choice["arm"], choice["replicate"])
                and run.config == TrialConfig.from_dict(choice["config"])
            ),
        }
        for choice in choices
    ]


def number_runs(choices: list[dict[str, Any]], seeds: int, first: int) -> list[dict[str, Any]]:
    """Gives the runs of seeds 0 .. ``seeds``-1 of every choice their numbers.

    A number, once given, stays with its choice and seed, so that a run begun again replaces in
    the records whatever an interrupted one left there.

    Args:
        first: the first number that is free.

    Returns:
        The choices with their ``runs``, numbers by seed.
    """
    numbered = [{**choice, "runs": list(choice.get("runs", []))} for choice in choices]
    for k in range(seeds):
        for choice in numbered:
            if len(choice["runs"]) <= k:
                choice["runs"].append(first)
                first += 1
    return numbered


def missing_runs(
    space: SearchSpace, choices: list[dict[str, Any]], seeds: int, trials: pd.DataFrame
) -> list[Assignment]:
    """The confirmation runs of seeds 0 .. ``seeds``-1 that have no test score yet.

    A seed varies head, shuffle, dropout and views, and the backbone's initial weights where
    none are pretrained. Seed k is the same for all arms of a replicate, so that seeds pair.

    Args:
        choices: with the numbers of their runs (:func:`number_runs`).
        trials: the ``trials`` table.
    """
    base = space.seeds.search
    scored = trials[(trials["cohort"] == "confirm") & trials["test_macro_f1"].notna()]
    ended = set(scored["trial"])
    return [
        Assignment(
            number=choice["runs"][k],
            arm=choice["arm"],
            replicate=choice["replicate"],
            cohort="confirm",
            seed=derive_seed(base, "confirm", choice["replicate"], k),
            weights_seed=derive_seed(base, "confirm-weights", choice["replicate"], k),
            view_seed=derive_seed(base, "confirm-views", choice["replicate"], k),
            config=TrialConfig.from_dict(choice["config"]),
        )
        for k in range(seeds)
        for choice in choices
        if choice["runs"][k] not in ended
    ]


def slowest_first(
    runs: list[Assignment], choices: list[dict[str, Any]], epochs: pd.DataFrame
) -> list[Assignment]:
    """``runs`` by falling seconds per epoch of their choice, so that long ones do not end alone.

    Args:
        epochs: the ``epochs`` table of the search.
    """
    by_trial = epochs.groupby("trial")["seconds"].median()
    pace = {(c["arm"], c["replicate"]): float(by_trial.get(c["trial"], 0.0)) for c in choices}
    return sorted(runs, key=lambda run: -pace[run.arm, run.replicate])


def score_on_test(run: TrialRun, assignment: Assignment, results: Results) -> dict[str, Any]:
    """Scores the best epoch on the test split, once, and writes predictions and confusion.

    The parts are named by the run, so that a restarted run replaces rather than repeats them.

    Returns:
        ``test_*`` columns of the ``trials`` table and the run's latency.
    """
    logits = run.test_logits()
    probabilities = logits.softmax(dim=1).numpy()
    test = run.split.test
    truth = run.dataset.labels[test]
    predicted = probabilities.argmax(axis=1)
    clean = ~(run.split.leaked[test] | run.split.conflicting[test])
    names = run.dataset.classes
    part = f"run-{assignment.number:06d}"
    rows = prediction_rows(assignment.who(), assignment.seed, run.dataset, run.split, probabilities)
    results.append("predictions", rows, part=part)
    everything = scores.confusion(truth, predicted, len(names))
    cleaned = scores.confusion(truth[clean], predicted[clean], len(names))
    epoch = run.course.best_epoch or 0
    results.append(
        "confusion",
        [
            *confusion_rows(assignment.who(), "test", "all", epoch, everything, names),
            *confusion_rows(assignment.who(), "test", "clean", epoch, cleaned, names),
        ],
        part=part,
    )
    return {
        "test_macro_f1": float(scores.macro_f1(everything)),
        "test_accuracy": float(scores.accuracy(everything)),
        "test_clean_macro_f1": float(scores.macro_f1(cleaned)),
        "test_clean_accuracy": float(scores.accuracy(cleaned)),
        "latency": measure_latency(run),
    }


def prediction_rows(
    who: dict[str, Any],
    seed: int,
    dataset: PackedDataset,
    split: Split,
    probabilities: NDArray[np.float32],
) -> list[dict[str, Any]]:
    """Rows of the ``predictions`` table for the test split.

    Args:
        probabilities: shape (n_test, classes), in the order of ``split.test``.
    """
    names = dataset.classes
    return [
        {
            **who,
            "seed": seed,
            "split": "test",
            "picture": str(dataset.hashes[position]),
            "position": int(position),
            "true_class": names[dataset.labels[position]],
            "predicted_class": names[int(row.argmax())],
            "probabilities": row.tolist(),
            "leaked": bool(split.leaked[position]),
            "conflicting": bool(split.conflicting[position]),
            "blank": bool(split.blank[position]),
        }
        for position, row in zip(split.test, probabilities, strict=True)
    ]


def confusion_rows(
    who: dict[str, Any],
    split: str,
    subset: str,
    epoch: int,
    counts: NDArray[np.int64],
    classes: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Rows of the ``confusion`` table for counts (classes, classes)."""
    return [
        {
            **who,
            "split": split,
            "subset": subset,
            "epoch": epoch,
            "true_class": true,
            "predicted_class": predicted,
            "count": int(counts[i, j]),
        }
        for i, true in enumerate(classes)
        for j, predicted in enumerate(classes)
    ]
