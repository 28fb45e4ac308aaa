"""Types of the section on the effect."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import ArmName, Count, First, Int, Known, Number, Part, Second, UnitText


class Optimism(Part):
    """How far the best validation score exceeds the test score; `total` is the sum of the rest."""

    total: Known | None = Field(description="validation of the choice minus its test score")
    luck: Known | None = Field(description="the same minus its validation after retraining")
    splits: Known | None = Field(description="validation after retraining minus test score")


class Checkpoint(Part):
    """The arm's confirmation run with the best validation score."""

    trial: Int = Field(description="number of the run")
    validation: Number = Field(description="its validation value of the search's metric")
    test_macro_f1: Known = Field(description="its macro-F1 on the test split")


class EffectArm(Part):
    """More on an arm."""

    arm: ArmName
    optimism: Optimism = Field(description="selection optimism")
    checkpoint: Checkpoint | None = Field(description="null without predictions")


class Opinion(Part):
    """An analysis of the difference; all but the verdict's own do not affect the verdict."""

    id: Literal["welch", "bca", "permutation", "clean", "accuracy"] = Field(
        description="the analysis; welch is the verdict's own"
    )
    name: str = Field(description="display name")
    estimate: Known | None = Field(description="first minus second, -1 to 1")
    p_value: Known | None = Field(description="two-sided, not corrected")
    p_holm: Known | None = Field(description="the same, adjusted by Holm over all pairs")
    least: Known | None = Field(description="the smallest possible p-value, of permutations")
    excludes_zero: bool | None = Field(description="whether zero is excluded; null: unknown")


class Duel(Part):
    """Two single checkpoints on the same test pictures; says nothing of configurations."""

    trials: tuple[Int, ...] = Field(description="numbers of the two runs, the first arm's first")
    pictures: Count = Field(description="test pictures that both predicted")
    only_first: Count = Field(description="pictures that only the first predicts correctly")
    only_second: Count = Field(description="pictures that only the second predicts correctly")
    both: Count = Field(description="pictures that both predict correctly")
    neither: Count = Field(description="pictures that neither predicts correctly")
    unit: UnitText
    accuracy_difference: Known = Field(description="first minus second")
    mcnemar: Known = Field(description="p-value of the exact McNemar test")
    difference: Known | None = Field(description="macro-F1, first minus second")


class EffectPair(Part):
    """More on a pair."""

    first: First
    second: Second
    because: str | None = Field(description="reason of the verdict; null without one")
    opinions: tuple[Opinion, ...] = Field(description="analyses, the verdict's own first")
    checkpoints: Duel | None = Field(description="null where they are not compared")


class Run(Part):
    """The score of a confirmation run."""

    arm: ArmName
    replicate: Int = Field(description="number of the study, from 0")
    seed: Int = Field(description="seed of the run")
    trial: Int = Field(description="number of the run")
    test_macro_f1: Number = Field(description="its test macro-F1")
    unit: UnitText


class EffectPart(Part):
    """Effect size: alternative analyses, selection optimism, single checkpoints, groups."""

    arms: tuple[EffectArm, ...] = Field(description="in the order of the report's `arms`")
    pairs: tuple[EffectPair, ...] = Field(description="in the order of the report's `pairs`")
    groups: tuple[tuple[str, ...], ...] = Field(
        description="of more than two arms: those without significant differences, best first"
    )
    runs: tuple[Run, ...] = Field(description="ordered by arm, study and run")
