"""Runs that train a network; confirmation runs are scored on the test split."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune import scores
from fer_tune.records import Results
from fer_tune.training.latency import measure_latency
from fer_tune.training.trial import RunSeeds, TrialRun
from fer_tune.tuning.files.candidates import save_candidate
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.record_rows import confusion_rows, prediction_rows
from fer_tune.tuning.settings import WorkerSettings


class ScoredRun(TrialRun):
    """A training run that can be scored on the test split."""

    def __init__(self, settings: WorkerSettings, assignment: Assignment) -> None:
        confirming = assignment.cohort == "confirm"
        super().__init__(
            settings.context,
            assignment.config,
            RunSeeds(
                run=assignment.seed,
                weights=assignment.weights_seed,
                views=assignment.view_seed,
            ),
            keep_best=confirming,
            stop_early=not confirming,
        )
        self._settings, self._assignment = settings, assignment

    def score(self) -> dict[str, Any]:
        if not self.is_built:
            return {}  # ended as oom where its network was to be restored
        results = Results(self._settings.results)
        found = score_on_test(self, self._assignment, results)
        save_candidate(self, self._assignment, found, results.root)
        return {**found, "latency": measure_latency(self)}


class RetrainedRun(ScoredRun):
    """A run whose scores are recorded already, trained again to keep its model."""

    def score(self) -> dict[str, Any]:
        if not self.is_built:
            return {}
        root = Results(self._settings.results).root
        everything, cleaned = _counts(self, self.test_logits().numpy().argmax(axis=1))
        found = _test_scores(everything, cleaned)
        save_candidate(self, self._assignment, found, root, retrained=True)
        return found


def score_on_test(run: TrialRun, assignment: Assignment, results: Results) -> dict[str, float]:
    """Scores the best epoch on the test split, once, and writes predictions and confusion.

    The parts are named by the run, so that a restarted run replaces them.

    Returns:
        ``test_*`` columns of the ``trials`` table.
    """
    logits = run.test_logits()
    probabilities = logits.softmax(dim=1).numpy()
    everything, cleaned = _counts(run, probabilities.argmax(axis=1))
    names = run.dataset.classes
    part = f"run-{assignment.number:06d}"
    rows = prediction_rows(
        assignment.id_columns(), assignment.seed, run.dataset, run.split, probabilities
    )
    results.append("predictions", rows, part=part)
    epoch = run.curve.best_epoch or 0
    results.append(
        "confusion",
        [
            *confusion_rows(assignment.id_columns(), "test", "all", epoch, everything, names),
            *confusion_rows(assignment.id_columns(), "test", "clean", epoch, cleaned, names),
        ],
        part=part,
    )
    return _test_scores(everything, cleaned)


def _counts(run: TrialRun, predicted: NDArray[np.int64]) -> tuple[scores.Counts, scores.Counts]:
    """Confusion counts of the test split, of all pictures and of the clean ones."""
    test = run.split.test
    truth = run.dataset.labels[test]
    clean = ~(run.split.leaked[test] | run.split.conflicting[test])
    return (
        scores.confusion(truth, predicted, run.classes),
        scores.confusion(truth[clean], predicted[clean], run.classes),
    )


def _test_scores(everything: scores.Counts, cleaned: scores.Counts) -> dict[str, float]:
    return {
        "test_macro_f1": float(scores.macro_f1(everything)),
        "test_accuracy": float(scores.accuracy(everything)),
        "test_clean_macro_f1": float(scores.macro_f1(cleaned)),
        "test_clean_accuracy": float(scores.accuracy(cleaned)),
    }
