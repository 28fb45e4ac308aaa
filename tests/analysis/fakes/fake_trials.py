"""The made-up search proper: studies served in turn, ASHA, the stopper, the audit, failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from fake_cost import Machine
from fake_curves import Curve, draw_curve, exploding, quality
from fake_halving import Rungs
from fake_plan import Plan
from fake_rows import Row, config_columns, confusion_rows, epoch_rows, result_columns
from fake_sampling import Sampler

from fer_tune import curves
from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE, SCHEMAS
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import derive_seed

PATIENCE, WINDOW = 3, 3


@dataclass(kw_only=True)
class Tables:
    """Rows gathered so far."""

    trials: list[Row] = field(default_factory=list)
    epochs: list[Row] = field(default_factory=list)
    confusion: list[Row] = field(default_factory=list)


@dataclass(kw_only=True)
class _Study:
    arm: str
    replicate: int
    sampler: Sampler
    rungs: Rungs
    trials: int
    asked: int = 0


@dataclass(frozen=True, kw_only=True)
class _End:
    """How a trial ends: after ``length`` epochs, for ``reason``; ``audited`` since an epoch."""

    curve: Curve
    reason: str
    audited: int | None = None

    @property
    def state(self) -> str:
        if self.audited is not None:
            return "pruned"
        return {"completed": "complete", "asha": "pruned", "error": "failed"}.get(
            self.reason, self.reason
        )

    @property
    def stop_reason(self) -> str:
        return self.reason if self.audited is None else f"asha/{self.reason}"


class FakeSearch:
    """Runs the trials of a plan, in the order in which the platform would ask for them."""

    def __init__(
        self, plan: Plan, space: SearchSpace, machine: Machine, rng: np.random.Generator
    ) -> None:
        self.plan, self.tables = plan, Tables()
        self._machine, self._rng = machine, rng
        self._studies = [
            _Study(
                arm=arm,
                replicate=replicate,
                sampler=Sampler(plan, space, arm, trials, rng),
                rungs=Rungs(plan.rungs, plan.reduction),
                trials=trials,
            )
            for replicate in range(plan.replicates)
            for arm in plan.arms
            for trials in [len(range(replicate, plan.count(arm), plan.replicates))]
        ]

    def run(self) -> Tables:
        asked = sum(study.trials for study in self._studies)
        asked = asked if self.plan.asked is None else min(asked, self.plan.asked)
        for number, study in zip(range(asked), self._turns(), strict=False):
            self._trial(study, number, ended=number < asked - self.plan.running)
            study.asked += 1
        return self.tables

    def _turns(self) -> Iterator[_Study]:
        """The study that has asked least comes next, the first of them on ties."""
        while left := [s for s in self._studies if s.asked < s.trials]:
            yield min(left, key=lambda s: s.asked)

    def _trial(self, study: _Study, number: int, *, ended: bool) -> None:
        cohort, config = study.sampler.ask()
        run = {
            "trial": number,
            "arm": study.arm,
            "replicate": study.replicate,
            "cohort": cohort,
            "seed": derive_seed(self.plan.seed, "trial", number),
        }
        config["label_noise"] = self.plan.label_noise.get(study.arm, 0.0)
        full = curve_of(self.plan, study.arm, config, self._rng)
        end = self._end(study, config, full)
        if not ended:
            end = replace(end, curve=end.curve.cut(max(1, end.curve.val_loss.size // 2)))
        costs = self._machine.epochs(config, end.curve.val_loss.size)
        self.tables.epochs += epoch_rows(self.plan, run, config, end.curve, costs)
        if ended:
            row = {
                **run,
                **config_columns(config),
                "state": end.state,
                "stop_reason": end.stop_reason,
                **result_columns(self.plan, end.curve, costs.peak_memory_mib),
                **self._machine.place(float(costs.seconds.sum())),
            }
            if "audit_epoch" in SCHEMAS["trials"].names:
                row["audit_epoch"] = end.audited
            self._write(row, end.curve)
            reported = end.curve.val_macro_f1[: end.audited]
            study.sampler.tell(config, max(reported[np.isfinite(reported)], default=np.nan))

    def _write(self, row: Row, curve: Curve) -> None:
        self.tables.trials.append(row)
        best = row.get("best_epoch")
        if best is not None:
            self.tables.confusion += confusion_rows(
                row, "validation", "all", best, curve.counts[best - 1]
            )

    def _end(self, study: _Study, config: Mapping[str, Any], full: Curve) -> _End:
        """What comes first: a fault, an explosion, ASHA, the stopper or the budget."""
        own = self._own_end(study, config, full)
        stopped = study.rungs.stopped_at(own.curve.val_macro_f1, own.curve.val_loss.size)
        # An end of the trial's own comes before ASHA's.
        if stopped is None or stopped == own.curve.val_loss.size:
            return own
        if self._rng.random() < self.plan.audit_share:
            return replace(own, audited=stopped)
        return _End(curve=own.curve.cut(stopped), reason="asha")

    def _own_end(self, study: _Study, config: Mapping[str, Any], full: Curve) -> _End:
        # The first trial of a study is spared, so that there is something to choose.
        spared = study.asked == 0 and self.plan.failures < 1
        fault = None if spared else self._fault()
        if fault is not None:
            # Before the first rung, so that as many fail as the plan says.
            return _End(curve=full.cut(int(self._rng.integers(self.plan.grace))), reason=fault)
        calm = study.arm in self.plan.at_limit
        if not spared and self._rng.random() < _risk(config, calm=calm):
            at = int(self._rng.integers(1, 5))
            return _End(curve=exploding(full, at, self._rng), reason="diverged")
        overfitted = overfitted_at(full)
        if overfitted is not None and overfitted < self.plan.epochs:
            return _End(curve=full.cut(overfitted), reason="overfit")
        return _End(curve=full, reason="completed")

    def _fault(self) -> str | None:
        draw = self._rng.random()
        if draw < self.plan.failures:
            return "error"
        return "oom" if draw < self.plan.failures + self.plan.oom else None


def curve_of(plan: Plan, arm: str, config: Mapping[str, Any], rng: np.random.Generator) -> Curve:
    """The curve of ``config`` in ``arm``, over all epochs of the budget."""
    lost = quality(config, at_limit=arm in plan.at_limit)
    # Longer studies come nearer to the best configuration, whose score is therefore set lower:
    # what is chosen has about the same validation score, a little above its test score.
    trials = max(1.0, plan.count(arm) / plan.replicates)
    best = plan.skill[arm] - 0.013 + 0.21 / trials**0.5
    height = min(best, plan.skill[arm] + 0.06) + lost + rng.normal(0, 0.004)
    return draw_curve(config, float(np.clip(height, 0.05, 0.95)), plan.epochs, rng)


def overfitted_at(curve: Curve) -> int | None:
    """The first epoch after which the stopper would end the trial."""
    train, val = curve.train_loss, curve.val_loss
    return next(
        (
            length
            for length in range(PATIENCE + 1, val.size + 1)
            if curves.overfit_onset(train[:length], val[:length], patience=PATIENCE, window=WINDOW)
            is not None
        ),
        None,
    )


def _risk(config: Mapping[str, Any], *, calm: bool) -> float:
    """Chance of an explosion: high learning rates, more so in deep tails, but in calm arms."""
    hot = config["lr_head"] > 5e-3 and not calm
    return 0.01 + (0.12 if hot else 0.0) + (0.1 if hot and config["unfreeze_depth"] > 2 else 0.0)


def choose(plan: Plan, trials: list[Row]) -> list[Row]:
    """The best eligible trial of every study, with an empty list of runs."""
    chosen = []
    for arm in plan.arms:
        for replicate in range(plan.replicates):
            able = [
                row
                for row in trials
                if (row["arm"], row["replicate"]) == (arm, replicate)
                and row["state"] in ELIGIBLE
                and row.get("best_val_macro_f1") is not None
            ]
            if able:
                best = max(able, key=lambda row: row["best_val_macro_f1"])
                chosen.append(
                    {
                        "arm": arm,
                        "replicate": replicate,
                        "trial": best["trial"],
                        "epoch": best["best_epoch"],
                        "value": best["best_val_macro_f1"],
                        "config": {f.name: best[f.name] for f in CONFIG_COLUMNS},
                        "runs": [],
                    }
                )
    return chosen
