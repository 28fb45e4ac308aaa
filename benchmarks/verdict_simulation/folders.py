"""Level 2: the whole procedure into a results folder: search, choice, confirmation, floors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.verdict_simulation.manifest import BEGAN, EPOCH_SECONDS, manifest
from benchmarks.verdict_simulation.pictures import CLASSES, Labels, validation_counts
from benchmarks.verdict_simulation.real import Driver, Ended
from benchmarks.verdict_simulation.surface import Floats
from benchmarks.verdict_simulation.world import World
from fer_tune.curves import generalisation_gap
from fer_tune.records import Results
from fer_tune.scores import confusion
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.record_rows import confusion_rows
from fer_tune.tuning.monitor.recorder import state_of
from fer_tune.tuning.studies.confirmation import choose, missing_runs, number_runs

#: Pictures of which the validation confusion is counted.
_VALIDATION = 1000
#: Share of test pictures that the logistic regression gets right.
_REGRESSION = 0.34

Row = dict[str, Any]


def write_search(space: SearchSpace, folder: Path) -> Path:
    """Runs ``space`` in a world drawn from its search seed and writes a whole results folder."""
    folder.mkdir(parents=True, exist_ok=True)
    world, results = World.draw(space.seeds.search), Results(folder)
    driver = Driver(space, world, folder)
    searched = driver.search()
    _write_runs(results, "search", searched)
    trials = results.read("trials")
    choices = number_runs(choose(trials, space.metric), space.confirm.seeds, len(trials))
    runs = missing_runs(space, choices, space.confirm.seeds, trials)
    confirmed = [driver.confirm(run) for run in runs]
    _write_runs(results, "confirm", confirmed, _write_answers(results, world, choices, confirmed))
    _write_floors(results, world)
    results.write_manifest(manifest(space, world, choices, epochs=_epochs(searched)))
    return folder


def _epochs(ended: list[Ended]) -> int:
    return sum(one.curve.epoch for one in ended)


def _write_runs(
    results: Results, part: str, ended: list[Ended], scores: dict[int, Row] | None = None
) -> None:
    """Rows of ``trials``, ``epochs`` and validation ``confusion``; ``scores`` by run number."""
    rows = [{**_trial_row(one), **(scores or {}).get(one.assignment.number, {})} for one in ended]
    results.append("trials", rows, part=part)
    results.append("epochs", [row for one in ended for row in _epoch_rows(one)], part=part)
    counted = [row for one in ended for row in _validation_rows(one)]
    results.append("confusion", counted, part=part)


def _trial_row(one: Ended) -> Row:
    curve, assignment = one.curve, one.assignment
    seconds = EPOCH_SECONDS * curve.epoch
    row = {
        **assignment.id_columns(),
        **assignment.config.as_dict(),
        "seed": assignment.seed,
        "state": state_of(one.reason),
        "stop_reason": one.reason,
        "audit_epoch": one.audited_at,
        "epochs": curve.epoch,
        "max_epochs": curve.max_epochs,
        "onset_epoch": curve.onset,
        "best_epoch": curve.best_epoch,
        "last_val_macro_f1": curve.reports[-1].val_macro_f1,
        "last_val_loss": curve.reports[-1].val_loss,
        "last_train_loss": curve.reports[-1].train_loss,
        "started": BEGAN + EPOCH_SECONDS * assignment.number,
        "setup_seconds": 0.5,
        "seconds": seconds,
        "accelerator_seconds": 0.0,
        "cpu_seconds": seconds,
        "peak_memory_mib": 900.0,
        "node": "simulated",
    }
    best = curve.best
    if best is not None:
        row |= {
            "best_val_macro_f1": best.val_macro_f1,
            "best_val_accuracy": best.val_accuracy,
            "best_val_loss": best.val_loss,
            "generalisation_gap": generalisation_gap(*curve.losses(), best.epoch),
        }
    return row


def _epoch_rows(one: Ended) -> list[Row]:
    config = one.assignment.config
    rates = {"lr_head": config.lr_head, "lr_backbone": config.lr_backbone}
    return [
        {**one.assignment.id_columns(), **vars(report), **rates, "seconds": EPOCH_SECONDS}
        for report in one.curve.reports
    ]


def _validation_rows(one: Ended) -> list[Row]:
    best = one.curve.best
    if best is None:
        return []
    counts = validation_counts(best.val_macro_f1, _VALIDATION)
    id_columns = one.assignment.id_columns()
    return confusion_rows(id_columns, "validation", "all", best.epoch, counts, CLASSES)


def _write_answers(
    results: Results, world: World, choices: list[Row], confirmed: list[Ended]
) -> dict[int, Row]:
    """Test predictions and confusion of the confirmation runs; their scores by run number."""
    chosen = {(choice["arm"], choice["replicate"]): choice["trial"] for choice in choices}
    scores: dict[int, Row] = {}
    for one in confirmed:
        run, epoch = one.assignment, one.curve.best_epoch
        assert epoch is not None, "a trial that diverged is not chosen"
        taste = world.test.taste(world.rng(2, chosen[run.arm, run.replicate]))
        share = float(world.curve(run).test_share[epoch - 1])
        answers = world.test.probabilities(share, taste, world.rng(3, run.number))
        part = f"run-{run.number:06d}"
        rows = _prediction_rows(run.id_columns(), run.seed, world, answers)
        results.append("predictions", rows, part=part)
        results.append("confusion", _test_rows(run.id_columns(), world, answers, epoch), part=part)
        scores[run.number] = world.test.scores(answers.argmax(axis=1))
    return scores


def _prediction_rows(id_columns: Row, seed: int, world: World, answers: Floats) -> list[Row]:
    test = world.test
    return [
        {
            **id_columns,
            "seed": seed,
            "split": "test",
            "picture": f"{n:064x}",
            "position": n,
            "true_class": CLASSES[test.truth[n]],
            "predicted_class": CLASSES[row.argmax()],
            "probabilities": row.tolist(),
            "leaked": bool(test.leaked[n]),
            "conflicting": bool(test.conflicting[n]),
            "blank": False,
        }
        for n, row in enumerate(answers)
    ]


def _test_rows(id_columns: Row, world: World, answers: Floats, epoch: int) -> list[Row]:
    clean = ~(world.test.leaked | world.test.conflicting)
    predicted: Labels = answers.argmax(axis=1)
    everything = confusion(world.test.truth, predicted, len(CLASSES))
    cleaned = confusion(world.test.truth[clean], predicted[clean], len(CLASSES))
    return [
        *confusion_rows(id_columns, "test", "all", epoch, everything, CLASSES),
        *confusion_rows(id_columns, "test", "clean", epoch, cleaned, CLASSES),
    ]


def _write_floors(results: Results, world: World) -> None:
    test, n = world.test, world.test.truth.size
    counts = np.bincount(test.truth, minlength=len(CLASSES))
    taste = test.taste(world.rng(4))
    floors = {
        "majority": np.tile(counts / n, (n, 1)),
        "logistic_regression": test.probabilities(_REGRESSION, taste, world.rng(5)),
    }
    for trial, (name, answers) in enumerate(floors.items(), start=1):
        id_columns = {"trial": -trial, "arm": name, "replicate": 0, "cohort": "floor"}
        rows = _prediction_rows(id_columns, 0, world, answers)
        results.append("predictions", rows, part=f"floor-{name}")
