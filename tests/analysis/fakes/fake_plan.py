"""What a made-up search is to look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CLASSES = ("angry", "fear", "happy", "neutral", "sad", "surprise")
EPOCHS = 16


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to fake. The defaults are a small finished search of two arms with one study each.

    Attributes:
        skill: test macro-F1 that an arm's chosen configurations have on average, by arm. The
            difference of two is the true difference, and exact but for the spreads below.
        study_spread, seed_spread: standard deviation of that score over studies and over seeds.
        compare: the compared parameter; ``values`` by arm, the arm's own name where absent.
        backbone: of every arm when another parameter is compared.
        trials: per arm (a number, or one by arm); dealt into ``replicates`` studies.
        asked: how many trials the search has asked for so far, all arms together; None: all.
        running: how many of them, the last ones, have not ended.
        baselines: whether each study begins with a hand-made configuration.
        random_share: of a study's other trials, drawn at random; the rest are ``tpe``.
        failures, oom: shares of trials that end as ``failed`` and as ``oom``.
        audit_share: of the trials that ASHA would stop, run to the end instead.
        grace, reduction: of ASHA.
        label_noise: share of an arm's training labels that are spoilt on purpose, by arm.
        at_limit: arms whose best head learning rate lies above its domain.
        confirmed: whether the confirmation has run.
        peeked: the first test score was read before the choice was frozen.
        logistic: test macro-F1 of the logistic regression.
        sharpness: 1 for confidences that are right on average, more for overconfidence, by arm or
            for all.
        leaks: what became of training pictures that also stand in test.
        leaked_share: of the test pictures that have a copy in training.
        weights: recipe by arm, where it is not the search's.
        accelerated: whether trials hold half a GPU.
        probe: whether the folder holds a ``probe.json``.
        search_seed: what the manifest names as the search's seed; searches with the same one count
            as copies of each other.
        seed: of everything drawn.
    """

    skill: dict[str, float] = field(
        default_factory=lambda: {"densenet161": 0.66, "resnet152": 0.62}
    )
    study_spread: float = 0.004
    seed_spread: float = 0.006
    compare: str = "backbone"
    values: dict[str, str] = field(default_factory=dict)
    backbone: str = "resnet50"
    trials: int | dict[str, int] = 12
    asked: int | None = None
    running: int = 0
    replicates: int = 1
    epochs: int = EPOCHS
    baselines: bool = False
    random_share: float = 0.0
    failures: float = 0.0
    oom: float = 0.0
    audit_share: float = 0.0
    grace: int = 2
    reduction: int = 2
    label_noise: dict[str, float] = field(default_factory=dict)
    at_limit: tuple[str, ...] = ()
    seeds: int = 5
    confirmed: bool = True
    peeked: bool = False
    state: str = "finished"
    floors: bool = True
    logistic: float = 0.36
    sharpness: float | dict[str, float] = 1.3
    pictures: int = 240
    leaks: Literal["drop", "keep"] = "drop"
    leaked_share: float = 1 / 75
    weights: dict[str, str] = field(default_factory=dict)
    allocation: str = "equal"
    accelerated: bool = True
    probe: bool = False
    name: str = "fake"
    purpose: str = "A made-up comparison."
    search_seed: int = 1
    seed: int = 7

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(self.skill)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Epochs at which ASHA compares, below the last epoch."""
        rungs, rung = [], self.grace
        while rung < self.epochs:
            rungs.append(rung)
            rung *= self.reduction
        return tuple(rungs)

    def count(self, arm: str) -> int:
        return self.trials if isinstance(self.trials, int) else self.trials[arm]

    def value(self, arm: str) -> str:
        """The compared parameter's value in ``arm``."""
        return self.values.get(arm, arm)

    def sharp(self, arm: str) -> float:
        return self.sharpness if isinstance(self.sharpness, float) else self.sharpness[arm]
