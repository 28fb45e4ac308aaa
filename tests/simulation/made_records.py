"""Simulated searches as the tables of a results folder."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fer_tune.simulation.recorded.surrogate import fit_arm
from fer_tune.simulation.recorded.world import RecordedWorld
from fer_tune.simulation.runs import SimulatedRun, SimulatedSearch
from fer_tune.space import SearchSpace

SPACE: dict[str, Any] = {
    "name": "simulated",
    "purpose": "Simulated.",
    "compare": {"arms": ["densenet121", "resnet50"]},
    "parameters": {
        "unfreeze_depth": {"type": "int", "low": 0, "high": 4},
        "crop_size": {"type": "choice", "values": [32, 48, 64]},
        "lr_head": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    },
    "budget": {"trials": 24, "max_epochs": 9},
    "scheduler": {"kind": "asha", "grace_epochs": 1, "reduction_factor": 3},
    "stopper": {"patience": 2},
    "confirm": {"seeds": 2},
    "weights": "none",
}


def make_space(**changes: Any) -> SearchSpace:
    return SearchSpace.from_dict({**SPACE, **changes})


def tables(search: SimulatedSearch) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ``trials`` table, with confirmation runs, and the ``epochs`` table."""
    trials = pd.DataFrame(_row(run) for run in search.runs)
    epochs = pd.DataFrame(
        {
            "trial": run.assignment.number,
            "epoch": report.epoch,
            "val_macro_f1": report.val_macro_f1,
            "val_accuracy": report.val_macro_f1,
            "val_loss": report.val_loss,
            "train_loss": report.train_loss,
            "seconds": report.seconds,
        }
        for run in search.runs
        for report in run.curve.reports
    )
    return trials, epochs


def _row(run: SimulatedRun) -> dict[str, Any]:
    return {
        **run.assignment.config.as_dict(),
        **run.assignment.id_columns(),
        "state": run.state,
        "best_val_macro_f1": run.best,
        "test_macro_f1": run.test if _is_scored(run) else float("nan"),
        "started": run.began,
        "setup_seconds": run.course.setup_s,
        "seconds": run.held_s - run.course.setup_s,
    }


def fitted(
    space: SearchSpace, recorded: SearchSpace, records: tuple[pd.DataFrame, pd.DataFrame]
) -> RecordedWorld:
    """The world of ``space`` after the records of ``recorded``."""
    arms = {arm: fit_arm(recorded, arm, *records, "val_macro_f1") for arm in space.compare.arms}
    return RecordedWorld(space, recorded, arms, classes=6)


def _is_scored(run: SimulatedRun) -> bool:
    return run.assignment.cohort == "confirm" and run.state == "complete"
