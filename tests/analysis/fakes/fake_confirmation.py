"""The made-up confirmation: chosen configurations retrained and scored, floors, latency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fake_answers
import numpy as np
from fake_answers import Split
from fake_cost import Machine, latency
from fake_plan import Plan
from fake_rows import Row, config_columns, confusion_rows, epoch_rows, result_columns
from fake_trials import Tables, curve_of
from numpy.typing import NDArray

from fer_tune.storage import write_atomically
from fer_tune.tuning.log.assignment import derive_seed

_FLOORS = {"majority": -1, "logistic_regression": -2}


class Confirmation:
    """Confirms ``choices``, whose ``runs`` it fills, and adds its rows to ``tables``."""

    def __init__(
        self, plan: Plan, split: Split, machine: Machine, tables: Tables, rng: np.random.Generator
    ) -> None:
        self.predictions: list[Row] = []
        self.latency: dict[str, list[dict[str, Any]]] = {}
        self._plan, self._split, self._machine = plan, split, machine
        self._tables, self._rng = tables, rng
        self._hard = {arm: fake_answers.arm_difficulty(split, rng) for arm in plan.arms}

    def confirm(self, choices: list[dict[str, Any]], first: int) -> None:
        """Retrains every choice with every seed; runs are numbered from ``first``."""
        plan, shape = self._plan, (len(choices), self._plan.seeds)
        luck = np.random.default_rng([plan.seed, 0x1CC])
        studies = plan.study_spread * luck.standard_normal((len(choices), 1))
        shifts = studies + plan.seed_spread * luck.standard_normal(shape)
        for seed in range(plan.seeds):
            for choice, shift in zip(choices, shifts[:, seed], strict=True):
                choice["runs"].append(first)
                self._run(choice, first, seed, plan.skill[choice["arm"]] + float(shift))
                first += 1

    def _run(self, choice: Mapping[str, Any], number: int, k: int, target: float) -> None:
        plan, arm, config = self._plan, choice["arm"], choice["config"]
        run = {
            "trial": number,
            "arm": arm,
            "replicate": choice["replicate"],
            "cohort": "confirm",
            "seed": derive_seed(plan.seed, "confirm", choice["replicate"], k),
        }
        curve = curve_of(plan, arm, config, self._rng)
        costs = self._machine.epochs(config, plan.epochs, own_views=number)
        probabilities = fake_answers.answer(
            self._split, self._hard[arm], float(np.clip(target, 0, 1)), plan.sharp(arm), self._rng
        )
        row = {
            **run,
            **config_columns(config),
            "state": "complete",
            "stop_reason": "completed",
            **result_columns(plan, curve, costs.peak_memory_mib),
            **fake_answers.score_columns(self._split, probabilities),
            **self._machine.place(float(costs.seconds.sum())),
        }
        tables, best = self._tables, row["best_epoch"]
        tables.trials.append(row)
        tables.epochs += epoch_rows(plan, run, config, curve, costs)
        tables.confusion += confusion_rows(run, "validation", "all", best, curve.counts[best - 1])
        self._tested(run, best, probabilities)
        measured = latency(config["backbone"], costs.peak_memory_mib, self._rng)
        self.latency.setdefault(arm, []).append(measured)

    def _tested(self, run: Row, epoch: int, probabilities: NDArray[np.float32]) -> None:
        split = self._split
        every = fake_answers.counts(split, probabilities)
        clean = fake_answers.counts(split, probabilities, split.clean)
        self._tables.confusion += confusion_rows(run, "test", "all", epoch, every)
        self._tables.confusion += confusion_rows(run, "test", "clean", epoch, clean)
        self.predictions += fake_answers.prediction_rows(run, split, probabilities)

    def floors(self, trained_on: NDArray[np.int64]) -> None:
        """Adds the two floors; ``trained_on`` are training pictures per class."""
        split, own = self._split, np.zeros(self._split.size)
        answers = {
            "majority": fake_answers.majority(split, trained_on),
            "logistic_regression": fake_answers.answer(
                split, own, self._plan.logistic, 1.0, self._rng
            ),
        }
        for name, probabilities in answers.items():
            run = {"trial": _FLOORS[name], "arm": name, "replicate": 0, "cohort": "floor"}
            self.predictions += fake_answers.prediction_rows(
                {**run, "seed": 0}, split, probabilities
            )
            cells = fake_answers.counts(split, probabilities)
            self._tables.confusion += confusion_rows(run, "test", "all", 0, cells)

    def write_latency(self, root: Path) -> None:
        summary = {
            arm: {
                **{
                    key: float(np.median([run[key] for run in runs]))
                    for key in ("p50_ms", "p95_ms", "peak_memory_mib")
                },
                "runs": runs,
            }
            for arm, runs in sorted(self.latency.items())
        }
        write_atomically(root / "latency.json", json.dumps(summary, indent=2) + "\n")
