"""One Optuna study of one (arm, replicate), or of all arms when the arm itself is sampled."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from fer_tune.space import ChoiceDomain, Domain, FloatDomain, SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Cohort, EarlierTrial, derive_seed
from fer_tune.tuning.studies.samplers import Request, make_sampler

_ARM = "arm"

Baseline = tuple[str, TrialConfig]


def distribution(domain: Domain) -> BaseDistribution:
    """Optuna's form of a domain."""
    if isinstance(domain, ChoiceDomain):
        return CategoricalDistribution(list(domain.values))
    if isinstance(domain, FloatDomain):
        return FloatDistribution(domain.low, domain.high, log=domain.log)
    return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


class ArmStudy:
    """One in-memory study with Optuna's ask-and-tell; :meth:`restore` rebuilds it from records.

    Every proposal has its own sampler, seeded by the search, the study and the trial's number:
    proposals depend on the reported trials, not on how many proposals were made before.

    Args:
        arms: the arms this study may propose: one, or all with ``sampled`` allocation.
        trials: the cohort of each of its trials, in order; a baseline comes with its arm and
            configuration.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        arms: tuple[str, ...],
        replicate: int,
        trials: list[tuple[Cohort, Baseline | None]],
        name: str,
    ) -> None:
        self._space, self.arms, self.replicate, self.name = space, arms, replicate, name
        self._planned = list(trials)
        self._domains = {arm: space.domains(arm) for arm in arms}
        self._distributions = {
            (arm, name): distribution(domain)
            for arm, domains in self._domains.items()
            for name, domain in domains.items()
        }
        self._known = self._parameters()
        self.asked = 0
        self.study = optuna.create_study(
            study_name=name,
            direction="minimize" if space.metric == "loss" else "maximize",
            pruner=optuna.pruners.NopPruner(),
        )
        self._open: dict[int, optuna.Trial] = {}  # by own trial number
        self._reported: dict[int, set[int]] = {}
        self._ended: list[int] = []
        self._begun: Counter[Cohort] = Counter()  # trials that have used up one of a cohort

    @property
    def remaining(self) -> int:
        return len(self._planned)

    def next_cohort(self) -> tuple[Cohort, Baseline | None]:
        """The cohort of the next trial, and what a baseline is."""
        self.asked += 1
        planned = self._planned.pop(0)
        self._begun[planned[0]] += 1
        return planned

    def use_up(self, cohort: Cohort) -> None:
        """Uses up the first planned trial of ``cohort``, as in an earlier session."""
        self.asked += 1
        self._begun[cohort] += 1
        index = next((k for k, (left, _) in enumerate(self._planned) if left == cohort), None)
        if index is not None:
            self._planned.pop(index)

    @property
    def ended_trials(self) -> int:
        """How many of its trials have ended."""
        return len(self._ended)

    @property
    def open_trials(self) -> int:
        """How many of its trials have been asked for and have not ended."""
        return len(self._open)

    def ended(self) -> list[optuna.trial.FrozenTrial]:
        """Its ended trials, in the order in which they ended, without rejected proposals."""
        by_number = {
            t.user_attrs["trial"]: t
            for t in self.study.get_trials(deepcopy=False)
            if t.state.is_finished()
        }
        # A rejected proposal has the same number as the one that replaced it.
        return [by_number[number] for number in self._ended]

    def learn(self, earlier: Sequence[EarlierTrial]) -> None:
        """Adds the trials of earlier searches in its arms, before any of its own."""
        for number, trial in enumerate(t for t in earlier if t.arm in self.arms):
            domains, values = self._domains[trial.arm], trial.config.as_dict()
            given = {self._name(trial.arm, name): values[name] for name in domains}
            known = {self._name(trial.arm, name): distribution(d) for name, d in domains.items()}
            if len(self.arms) > 1:
                given[_ARM] = trial.arm
                known[_ARM] = CategoricalDistribution(list(self.arms))
            self.study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE if trial.is_complete else TrialState.PRUNED,
                    value=trial.value if trial.is_complete else None,
                    params=given,
                    distributions=known,
                    intermediate_values={trial.epochs: trial.value},
                    # Its own trials count from 0.
                    user_attrs={"trial": -1 - number, "cohort": "earlier"},
                )
            )

    # -- asking -----------------------------------------------------------------------------

    def ask(
        self, number: int, cohort: Cohort, baseline: Baseline | None = None, attempt: int = 0
    ) -> tuple[str, TrialConfig]:
        """Proposes the configuration of own trial ``number``: (arm, configuration).

        Args:
            attempt: number of rejected proposals for this trial.
        """
        if baseline is not None:
            return self._ask_fixed(number, "baseline", *baseline)
        self.study.sampler = self._sampler(cohort, number, attempt)
        trial = self.study.ask()
        arm = self._suggest_arm(trial)
        sampled = {
            name: self._suggest(trial, arm, name, domain)
            for name, domain in self._domains[arm].items()
        }
        return self._opened(number, trial, cohort, arm, self._space.config(arm, sampled))

    def _sampler(self, cohort: Cohort, number: int, attempt: int) -> optuna.samplers.BaseSampler:
        search = self._space.seeds.search
        request = Request(
            # TPE with conditions treats the arm like any of them.
            known=None if cohort == "tpe" and len(self.arms) > 1 else self._known,
            seed=derive_seed(search, cohort, self.name, number, attempt),
            sequence_seed=derive_seed(search, cohort, self.name),
            position=max(0, self._begun[cohort] - 1),
            attempt=attempt,
        )
        return make_sampler(cohort, request)

    def _parameters(self) -> dict[str, BaseDistribution] | None:
        """The parameters of its trials; None where they depend on the arm that is sampled."""
        known = {self._name(arm, name): d for (arm, name), d in self._distributions.items()}
        if len(self.arms) == 1:
            return known
        conditional = any(self._name(arm, name) != name for arm, name in self._distributions)
        if conditional:
            return None
        return {_ARM: CategoricalDistribution(list(self.arms)), **known}

    def restore(self, number: int, cohort: Cohort, arm: str, config: TrialConfig) -> None:
        """Reopens own trial ``number`` as it was proposed; its reports and end follow."""
        self.study.sampler = optuna.samplers.RandomSampler(seed=0)  # every value is given
        self._ask_fixed(number, cohort, arm, config)

    def _ask_fixed(
        self, number: int, cohort: Cohort, arm: str, config: TrialConfig
    ) -> tuple[str, TrialConfig]:
        if not self._space.covers(arm, config):
            # Outside the sampled space Optuna cannot represent it, so it is not reported.
            return arm, config
        domains, values = self._domains[arm], config.as_dict()
        fixed = {self._name(arm, name): values[name] for name in domains}
        if len(self.arms) > 1:
            fixed[_ARM] = arm
        self.study.enqueue_trial(fixed)
        trial = self.study.ask()
        self._suggest_arm(trial)
        for name, domain in domains.items():
            self._suggest(trial, arm, name, domain)
        return self._opened(number, trial, cohort, arm, config)

    def _opened(
        self, number: int, trial: optuna.Trial, cohort: Cohort, arm: str, config: TrialConfig
    ) -> tuple[str, TrialConfig]:
        trial.set_user_attr("trial", number)
        trial.set_user_attr("cohort", cohort)
        self._open[number] = trial
        self._reported[number] = set()
        return arm, config

    def _suggest_arm(self, trial: optuna.Trial) -> str:
        if len(self.arms) == 1:
            return self.arms[0]
        return str(trial.suggest_categorical(_ARM, list(self.arms)))

    def _name(self, arm: str, parameter: str) -> str:
        # Optuna refuses one name with different choices, so a parameter that differs between
        # arms gets a name per arm where arms share a study.
        if len(self.arms) == 1:
            return parameter
        domains = {repr(self._domains[a].get(parameter)) for a in self.arms}
        return parameter if len(domains) == 1 else f"{parameter}@{arm}"

    def _suggest(self, trial: optuna.Trial, arm: str, name: str, domain: Domain) -> Any:
        key = self._name(arm, name)
        if isinstance(domain, ChoiceDomain):
            return trial.suggest_categorical(key, list(domain.values))
        if isinstance(domain, FloatDomain):
            return trial.suggest_float(key, domain.low, domain.high, log=domain.log)
        return trial.suggest_int(key, domain.low, domain.high, log=domain.log, step=domain.step)

    # -- reporting --------------------------------------------------------------------------

    def report(self, number: int, epoch: int, value: float) -> None:
        """Adds an intermediate value, once per epoch; values that are not finite are skipped."""
        if number in self._open and math.isfinite(value) and epoch not in self._reported[number]:
            self._open[number].report(value, step=epoch)
            self._reported[number].add(epoch)

    def tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        """Ends own trial ``number`` as ``state``; ``value`` belongs to COMPLETE alone."""
        if self._close(number, state, value):
            self._ended.append(number)

    def reject(self, number: int) -> None:
        """Rejects the proposal for ``number``; another one will be requested."""
        self._close(number, TrialState.FAIL)

    def _close(self, number: int, state: TrialState, value: float | None = None) -> bool:
        known = number in self._open
        if known:
            self.study.tell(self._open.pop(number), value, state=state)
            del self._reported[number]
        return known
