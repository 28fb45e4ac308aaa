"""What a search space will cost and how its trials are allocated, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fer_tune.space.evidence import NO_GAIN_UP_TO, automatic
from fer_tune.space.model import SearchSpace
from fer_tune.space.sections import Resolved

#: From this many replicates the verdict may be about the families, not the configurations found
#: (Bouthillier et al. 2021).
REPLICATES_FOR_FAMILIES = 5


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """One study's trials by cohort, run in this order: ``baseline``, ``random``, the sampler's.

    ``arm`` is None for the single study of ``allocation: sampled``.
    """

    arm: str | None
    replicate: int
    baseline: int
    random: int
    proposed: int

    @property
    def trials(self) -> int:
        return self.baseline + self.random + self.proposed


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole search.

    Attributes:
        sampler: that proposes the trials after the random ones.
        rungs: epochs at which ASHA compares; empty without a scheduler.
        worst_epochs: if no trial were stopped.
        expected_stopped: trials that synchronous halving in every study would stop.
        expected_audited: of these, the trials that continue for the audit.
        expected_epochs: with synchronous halving and the audit; a rough guide, since ASHA lets
            early arrivals pass and the overfit stopper, not counted here, ends more.
        confirm_runs, confirm_epochs: retraining of the chosen configurations, never stopped.
        budgets: what limits the whole search besides its trials, in words.
        notes: what is permitted but worth knowing.
    """

    studies: tuple[StudyPlan, ...]
    sampler: str
    rungs: tuple[int, ...]
    max_epochs: int
    worst_epochs: int
    expected_stopped: int
    expected_audited: float
    expected_epochs: int
    confirm_runs: int
    confirm_epochs: int
    budgets: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def trials(self) -> int:
        return sum(study.trials for study in self.studies)

    @property
    def confirm_share(self) -> float:
        """Share of confirmation among the epochs that are expected, in [0, 1)."""
        return self.confirm_epochs / (self.confirm_epochs + self.expected_epochs)

    def rows(self) -> list[tuple[str, str]]:
        """(label, text) pairs in the order of reading."""
        each = sorted({study.trials for study in self.studies})
        cohorts = {
            cohort: sum(getattr(study, name) for study in self.studies)
            for cohort, name in (
                ("baseline", "baseline"),
                ("random", "random"),
                (self.sampler, "proposed"),
            )
            if (cohort, name) != ("random", "proposed")  # all of them are random already
        }
        rows = [
            ("studies", f"{len(self.studies)} of {' or '.join(map(str, each))} trials"),
            ("trials", f"{self.trials} ({', '.join(f'{n} {c}' for c, n in cohorts.items())})"),
            ("epochs per trial", f"at most {self.max_epochs}"),
            ("rungs", ", ".join(map(str, self.rungs)) or "none"),
            ("audit", self._audit()),
            ("search epochs", f"at most {self.worst_epochs}, roughly {self.expected_epochs}"),
            ("confirmation", f"{self.confirm_runs} runs, at most {self.confirm_epochs} epochs"),
        ]
        rows += [("budget", self._budget(limit)) for limit in self.budgets]
        return rows + [("note", note) for note in self.notes]

    def _budget(self, limit: str) -> str:
        if not self.confirm_runs:
            return limit
        return (
            f"{limit}, of which {self.confirm_share:.0%} is reserved for confirmation until "
            "epochs have been recorded, and then what these show"
        )

    def _audit(self) -> str:
        if not self.expected_audited:
            return "none"
        return (
            f"roughly {self.expected_audited:.1f} of {self.expected_stopped} trials that ASHA "
            "would stop continue to their end"
        )


def plan(space: SearchSpace) -> Plan:
    """The plan of a checked search space."""
    studies = _studies(space)
    epochs = space.budget.max_epochs
    rungs = _rungs(space)
    halved = [
        halving(study.trials, rungs, space.scheduler.reduction_factor, epochs) for study in studies
    ]
    stopped, expected, spared = (sum(counts) for counts in zip(*halved, strict=True))
    # A study of all arms still confirms one configuration of each arm, to compare them.
    chosen = len(studies) if space.compare.allocation == "equal" else len(space.compare.arms)
    runs = chosen * space.confirm.seeds
    return Plan(
        studies=studies,
        sampler=resolved_sampler(space),
        rungs=rungs,
        max_epochs=epochs,
        worst_epochs=space.budget.trials * epochs,
        expected_stopped=stopped,
        expected_audited=space.audit.share * stopped,
        expected_epochs=expected + round(space.audit.share * spared),
        confirm_runs=runs,
        confirm_epochs=runs * epochs,
        budgets=tuple(_budgets(space)),
        notes=tuple(_notes(space)),
    )


def halving(
    trials: int, rungs: tuple[int, ...], factor: int, max_epochs: int
) -> tuple[int, int, int]:
    """One study under synchronous halving: a rung passes its best 1/factor, rounded up.

    Successive halving as in Li et al. 2020 (A System for Massively Parallel Hyperparameter
    Tuning), section 3, eta = ``factor``.

    Returns:
        Trials that are stopped, epochs that are run, and epochs that the stopped ones are spared.
    """
    total, running, reached = 0, trials, 0
    for rung in rungs:
        total += running * (rung - reached)
        running, reached = math.ceil(running / factor), rung
    total += running * (max_epochs - reached)
    return trials - running, total, trials * max_epochs - total


def resolved_sampler(space: SearchSpace) -> Resolved:
    """The sampler of a space, ``auto`` as chosen by evidence: a cohort's name."""
    if space.sampler != "auto":
        return space.sampler
    if space.compare.allocation == "sampled":
        return "tpe"  # it takes parameters that depend on a sampled arm
    return automatic(_each(space))


def _rungs(space: SearchSpace) -> tuple[int, ...]:
    if space.scheduler.kind == "none":
        return ()
    rungs, rung = [], space.scheduler.grace_epochs
    while rung < space.budget.max_epochs:
        rungs.append(rung)
        rung *= space.scheduler.reduction_factor
    return tuple(rungs)


def _studies(space: SearchSpace) -> tuple[StudyPlan, ...]:
    arms, trials = space.compare.arms, space.budget.trials
    baselines = {arm: len(space.baselines(arm)) for arm in arms}
    share = 1.0 if resolved_sampler(space) == "random" else space.cohorts.random
    if space.compare.allocation == "sampled":
        return (_study(None, 0, trials, sum(baselines.values()), share),)
    each = _each(space)
    return tuple(
        _study(arm, replicate, each, baselines[arm], share)
        for arm in arms
        for replicate in range(space.compare.replicates)
    )


def _each(space: SearchSpace) -> int:
    """Trials of every study, where each arm has its own."""
    return space.budget.trials // (len(space.compare.arms) * space.compare.replicates)


def _study(arm: str | None, replicate: int, trials: int, baseline: int, share: float) -> StudyPlan:
    """Random trials are the share of those after the baselines, halves up, at least one."""
    left = trials - baseline
    random = min(left, max(1, math.floor(share * left + 0.5))) if share > 0 else 0
    return StudyPlan(
        arm=arm, replicate=replicate, baseline=baseline, random=random, proposed=left - random
    )


def _has_choice(space: SearchSpace) -> bool:
    """Whether the sampler proposes anything."""
    return any(study.proposed for study in _studies(space))


def _budgets(space: SearchSpace) -> Iterator[str]:
    budget = space.budget
    if budget.wall_time is not None:
        yield f"wall_time {budget.wall_time / 3600:.3g} h"
    if budget.accelerator_hours is not None:
        yield f"accelerator_hours {budget.accelerator_hours:g}"
    if budget.money is not None:
        yield f"money {budget.money:g}, {budget.hours:.3g} accelerator-hours"


def _notes(space: SearchSpace) -> list[str]:
    notes = []
    views, epochs = space.augment.views, space.budget.max_epochs
    if space.compare.allocation == "sampled":
        notes.append(
            "allocation sampled: arms get unequal budgets, so the comparison is unbalanced"
        )
    elif space.compare.replicates < REPLICATES_FOR_FAMILIES and len(space.compare.arms) > 1:
        notes.append(
            f"{space.compare.replicates} of {REPLICATES_FOR_FAMILIES} replicates: the verdict is "
            "about the configurations found, not about the families"
        )
    each = max(study.trials for study in _studies(space))
    if resolved_sampler(space) != "random" and each <= NO_GAIN_UP_TO and _has_choice(space):
        notes.append(
            f"{each} trials per study: no gain over random search is to be expected "
            f"(up to {NO_GAIN_UP_TO}, docs/samplers.md)"
        )
    if isinstance(views, int) and views > epochs:
        notes.append(f"augment.views {views} exceeds max_epochs {epochs}: same as fresh views")
    if space.confirm.seeds == 0:
        notes.append("confirm.seeds 0: no test score, hence no verdict")
    outside = sum(
        not space.covers(arm, config)
        for arm in space.compare.arms
        if space.domains(arm)
        for config in space.baselines(arm)
    )
    if outside:
        notes.append(f"baselines outside the sampled domains: {outside}; they are still run")
    return notes
