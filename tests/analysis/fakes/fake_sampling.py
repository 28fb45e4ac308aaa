"""Configurations of one made-up study: the hand-made one, random ones, then ones near the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from fake_plan import Plan
from fake_space import BASELINE

from fer_tune.space import ChoiceDomain, FloatDomain, IntDomain, SearchSpace

Config = dict[str, Any]

#: Ended trials that the sampler wants to have seen before it looks near them.
_STARTUP = 3
#: Share of its proposals that are near what was good.
_NEAR = 0.8


class Sampler:
    """A crude likeness of TPE: mostly small steps from one of the study's best quarter."""

    def __init__(
        self, plan: Plan, space: SearchSpace, arm: str, trials: int, rng: np.random.Generator
    ) -> None:
        self._space, self._arm, self._rng = space, arm, rng
        self._domains = space.domains(arm)
        first = ["baseline"] if plan.baselines and trials else []
        left = trials - len(first)
        random = min(left, max(1, round(plan.random_share * left))) if plan.random_share else 0
        self._cohorts = [*first, *["random"] * random, *["tpe"] * (left - random)]
        self._seen: list[tuple[float, Config]] = []

    def ask(self) -> tuple[str, Config]:
        """Cohort and complete configuration of the next trial."""
        cohort = self._cohorts.pop(0)
        if cohort == "baseline":
            sampled: Mapping[str, Any] = BASELINE
        elif cohort == "tpe" and len(self._seen) >= _STARTUP and self._rng.random() < _NEAR:
            sampled = self._near()
        else:
            sampled = {name: self._draw(domain) for name, domain in self._domains.items()}
        return cohort, self._space.config(self._arm, sampled).as_dict()

    def tell(self, config: Config, score: float) -> None:
        """Takes the best score of an ended trial; one that is no number is not learned from."""
        if math.isfinite(score):
            self._seen.append((score, config))

    def _near(self) -> Config:
        ranked = sorted(self._seen, key=lambda seen: -seen[0])
        best = ranked[: max(1, len(ranked) // 4)]
        config = best[int(self._rng.integers(len(best)))][1]
        return {name: self._step(d, config[name]) for name, d in self._domains.items()}

    def _draw(self, domain: Any) -> Any:
        if isinstance(domain, ChoiceDomain):
            return domain.values[int(self._rng.integers(len(domain.values)))]
        if isinstance(domain, IntDomain):
            return int(self._rng.integers(domain.low, domain.high + 1))
        return self._at(domain, float(self._rng.random()))

    def _step(self, domain: Any, value: Any) -> Any:
        if isinstance(domain, ChoiceDomain):
            return self._draw(domain) if self._rng.random() < 0.2 else value
        if isinstance(domain, IntDomain):
            step = int(self._rng.choice([-1, 0, 1], p=[0.15, 0.7, 0.15]))
            return min(max(value + step, domain.low), domain.high)
        place = self._place(domain, value) + self._rng.normal(0, 0.12)
        # A model whose mass lies beyond an end proposes close to it, never quite at it.
        inside = self._rng.uniform(0, 0.01)
        return self._at(domain, float(np.clip(place, inside, 1 - inside)))

    @staticmethod
    def _place(domain: FloatDomain, value: float) -> float:
        low, high, value = _scaled(domain, domain.low, domain.high, value)
        return (value - low) / (high - low)

    @staticmethod
    def _at(domain: FloatDomain, place: float) -> float:
        low, high = _scaled(domain, domain.low, domain.high)
        value = low + place * (high - low)
        return float(np.clip(math.exp(value) if domain.log else value, domain.low, domain.high))


def _scaled(domain: FloatDomain, *values: float) -> list[float]:
    return [math.log(value) if domain.log else value for value in values]
