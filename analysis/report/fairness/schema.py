"""Types of the section on the fairness of the search."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from analysis.report.values import (
    ArmName,
    Count,
    Int,
    Known,
    Number,
    Part,
    Scalar,
    StateCounts,
    UnitText,
)


class CohortCounts(Part):
    """Ended trials by allocation rule."""

    tpe: Count = Field(description="proposed by TPE")
    qmc: Count = Field(description="Sobol points")
    gp: Count = Field(description="proposed by a Gaussian process")
    cmaes: Count = Field(description="proposed by CMA-ES")
    cqr: Count = Field(description="proposed by conformalised quantile regression")
    random: Count = Field(description="drawn at random")
    baseline: Count = Field(description="given by hand")


class Budget(Part):
    """Counts and cost of ended trials."""

    total: Count = Field(description="ended trials")
    states: StateCounts = Field(description="by state")
    cohorts: CohortCounts = Field(description="by allocation rule")
    micro_batches: Count | None = Field(
        description="trials with micro-batches, as memory was short; null: not recorded"
    )
    to_the_end: Count = Field(description="trials that are complete or overfit")
    epochs_run: Count = Field(description="epochs that they ran")
    epochs_allowed: Count = Field(description="epochs that the budget allowed them")
    unit: UnitText
    accelerator_hours: Known = Field(description="hours of accelerators that they held")
    cpu_hours: Known = Field(description="hours of CPUs that they held")


class ArmBudget(Budget):
    """Budget of an arm."""

    arm: ArmName
    running: Count = Field(description="trials that have not ended")


class StudyBudget(Budget):
    """Budget of a study."""

    arm: ArmName
    replicate: Int = Field(description="number of the study, from 0")


class Place(Part):
    """The most frequent crop size and unfreeze depth of some trials."""

    crop_size: Int = Field(description="pixels")
    unfreeze_depth: Int = Field(description="trained stages, counted from the head")
    trials: Count = Field(description="trials with both")


class Failure(Part):
    """Failed and diverged trials of one state and reason."""

    arm: ArmName
    state: Literal["failed", "oom", "diverged"] = Field(description="state of the trials")
    reason: str | None = Field(description="as recorded")
    trials: Count = Field(description="their number")
    unit: UnitText
    share: Known = Field(description="share of the arm's ended trials")
    mostly: Place | None = Field(description="where most of them were; null: not recorded")


class Condition(Part):
    """A condition of the search by arm."""

    name: str = Field(description="the condition")
    values: dict[str, str] = Field(description="by arm; empty where it was not recorded")
    same: bool = Field(description="whether all arms have the same")


class ParameterRow(Part):
    """A hyperparameter of the search space by arm."""

    parameter: str = Field(description="name of the hyperparameter")
    sampled: bool = Field(description="whether any arm samples it")
    conditional: bool = Field(description="whether the search space sets it arm by arm")
    same: bool = Field(description="whether all arms have the same domain or value")
    values: dict[str, str] = Field(description="by arm: the domain or the fixed value in words")


class ChosenValue(Part):
    """A chosen value in its domain."""

    parameter: str = Field(description="name of the hyperparameter")
    value: Scalar = Field(description="the chosen value")
    position: Number | None = Field(
        description="0 at the lower limit, 1 at the upper one; null for categories. A baseline's "
        "may lie outside"
    )
    unit: UnitText
    end: Literal["low", "high"] | None = Field(description="the limit that it is at")
    natural: bool = Field(description="whether that limit is natural, such as 0")
    idle: bool = Field(description="whether the value has no effect in this configuration")


class ChosenStudy(Part):
    """The choice of a study; before a choice, its best trial so far."""

    replicate: Int = Field(description="number of the study, from 0")
    trial: Int = Field(description="number of the trial")
    cohort: str = Field(description="its allocation rule")
    epoch: Int | None = Field(description="best epoch, from 1")
    value: Number | None = Field(description="its best validation value")
    unit: UnitText
    parameters: tuple[ChosenValue, ...] = Field(description="sampled hyperparameters")


class ArmChoices(Part):
    """Choices of an arm."""

    arm: ArmName
    studies: tuple[ChosenStudy, ...] = Field(description="one per study with a choice")


class FairnessPart(Part):
    """Fairness of the search: budget, conditions, failures and choices of each arm and study."""

    arms: tuple[ArmBudget, ...] = Field(description="budget by arm")
    studies: tuple[StudyBudget, ...] = Field(description="budget by study")
    failures: tuple[Failure, ...] = Field(description="by arm, state and reason")
    conditions: tuple[Condition, ...] = Field(description="conditions by arm")
    parameters: tuple[ParameterRow, ...] = Field(description="hyperparameters by arm")
    choices: tuple[ArmChoices, ...] = Field(description="chosen configurations by arm")

    @model_validator(mode="after")
    def _every_arm_has_a_value(self) -> Self:
        arms = {arm.arm for arm in self.arms}
        for values in (
            *(row.values for row in self.conditions),
            *(row.values for row in self.parameters),
        ):
            if values.keys() != arms:
                raise ValueError(f"values of {sorted(values)}, but the arms are {sorted(arms)}")
        return self
