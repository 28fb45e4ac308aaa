"""Types of the first screen: search, verdict, pairs, arms, floors, validity."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import (
    STATES,
    ArmName,
    Count,
    First,
    Int,
    Kind,
    Known,
    Number,
    Part,
    Quantity,
    Second,
    Share,
    StateCounts,
    Status,
    UnitKind,
    UnitText,
)


class SearchPart(Part):
    """The search: name, state, time, command, design. Null: not recorded yet."""

    name: str = Field(description="name of the search")
    purpose: str | None = Field(description="the search space's own words")
    state: str = Field(description="running, interrupted or finished")
    command: str = Field(description="the command line; empty where it was not recorded")
    started: Number | None = Field(description="seconds since the Unix epoch")
    ended: Number | None = Field(description="seconds since the Unix epoch")
    wall_seconds: Number | None = Field(description="seconds of all sessions together")
    startup_seconds: Number | None = Field(description="seconds to the first training step")
    metric: str = Field(description="display name of the validation metric that ranks trials")
    compared_parameter: str | None = Field(description="the parameter whose values are the arms")
    allocation: str | None = Field(description="how trials are shared between arms")
    replicates: Count = Field(description="independent studies per arm, as planned")
    max_epochs: Count | None = Field(description="epochs of a trial at most")
    confirm_seeds: tuple[Int, ...] = Field(description="seeds of the confirmation")
    choice_frozen: bool = Field(description="whether the choice is frozen")
    unit: UnitKind = Field(description="the unit of analysis")
    arms: tuple[str, ...] = Field(description="names of the arms, in their order everywhere")
    classes: tuple[str, ...] = Field(description="names of the classes, in their order everywhere")


class VerdictPart(Part):
    """The verdict in one sentence, its scope, and the findings of failed checks and warnings."""

    kind: Kind | Literal["pairwise", "none"] = Field(
        description="of the only pair; pairwise: one for each of several pairs; none: no verdict"
    )
    chip: str = Field(description="`kind` as displayed")
    sentence: str = Field(description="the verdict in one sentence")
    notes: tuple[str, ...] = Field(description="scope, reason and required sample size")
    smallest_effect: Known = Field(description="smallest effect of interest, as set")
    broken: tuple[str, ...] = Field(description="findings of the failed checks")
    cautions: tuple[str, ...] = Field(description="findings of the checks with a warning")


class DecisionRow(Part):
    """A row of the decision table as applied to a pair."""

    condition: str = Field(description="the condition")
    verdict: Kind = Field(description="the verdict if it decides")
    fits: bool = Field(description="whether it decided: the first condition that is met")


class RemedyStep(Part):
    """The sample size that one effect requires."""

    effect: Number = Field(description="difference of macro-F1, 0 to 1")
    units_per_arm: Count | None = Field(description="units per arm; null: more than 1,000")
    more_hours: Number | None = Field(description="hours of the missing units of both arms")


class Remedy(Part):
    """Sample sizes that would decide an inconclusive pair."""

    units_now: Count = Field(description="units of the arm with fewest")
    of: str = Field(description="the units: seeds or studies")
    power: Share = Field(description="probability of detecting the effect")
    resource: str = Field(description="resource of the hours: accelerator or CPU")
    estimator: str = Field(description="how they were computed")
    steps: tuple[RemedyStep, ...] = Field(
        description="for the observed effect if it is larger, and for the smallest of interest"
    )


class Pair(Part):
    """One comparison; the first arm has the higher mean."""

    first: First
    second: Second
    verdict: Kind = Field(description="the verdict")
    sentence: str = Field(description="the verdict in one sentence")
    scope: Literal["families", "configurations"] = Field(description="what the verdict is about")
    difference: Known | None = Field(
        description="first minus second, test macro-F1, with Welch's interval; null without scores"
    )
    superiority: Known | None = Field(
        description="P(A > B): probability that a unit of first scores above one of second"
    )
    p_value: Quantity = Field(description="Welch's t test, two-sided, not corrected")
    p_holm: Quantity = Field(description="the same, adjusted by Holm over all pairs")
    broken: tuple[str, ...] = Field(description="names of the failed checks")
    table: tuple[DecisionRow, ...] = Field(
        description="the decision table as applied; empty without scores"
    )
    remedy: Remedy | None = Field(description="of an inconclusive pair")


class TrialCounts(StateCounts):
    """Trials of an arm: ended ones by state, and running ones."""

    total: Count = Field(description="ended trials")
    running: Count = Field(description="trials that have not ended")

    @property
    def by_state(self) -> dict[str, Int]:
        """Running ones, then ended ones by state."""
        return {"running": self.running, **{state: of(self) for state, of in STATES.items()}}


class EpochCounts(Part):
    """Epochs of an arm's trials."""

    allowed: Count = Field(description="epochs that the budget allows its ended trials")
    run: Count = Field(description="epochs that they ran")
    unit: UnitText


class Config(Part):
    """A sampled or fixed configuration; null: not recorded, or without meaning for the trial."""

    backbone: str | None = Field(description="torchvision's name")
    unfreeze_depth: Number | None = Field(description="trained stages, counted from the head")
    crop_size: Number | None = Field(description="side of the square crop, pixels")
    augment_policy: str | None = Field(description="augmentation of the training views")
    optimizer: str | None = Field(description="optimiser")
    lr_head: Number | None = Field(description="learning rate of the head")
    lr_backbone: Number | None = Field(description="learning rate of the trained stages")
    weight_decay: Number | None = Field(description="weight decay")
    momentum: Number | None = Field(description="momentum of SGD, 0 to 1")
    schedule: str | None = Field(description="schedule of the learning rate")
    warmup_epochs: Number | None = Field(description="epochs of warm-up")
    label_smoothing: Number | None = Field(description="label smoothing, 0 to 1")
    class_weights: str | None = Field(description="weights of the classes in the loss")
    dropout: Number | None = Field(description="dropout before the head, 0 to 1")
    batch_size: Number | None = Field(description="pictures per step")
    label_noise: Number | None = Field(
        description="share of training labels that are made wrong on purpose, 0 to 1"
    )


class Choice(Part):
    """The chosen trial of a study; before a choice, the best so far."""

    trial: Int = Field(description="number of the trial")
    replicate: Int = Field(description="number of the study, from 0")
    epoch: Int | None = Field(description="best epoch, from 1")
    value: Number | None = Field(description="its best validation value of the search's metric")
    config: Config = Field(description="its configuration")


class UnitScore(Part):
    """The score of one unit of analysis."""

    label: Int = Field(description="number of the study, or the seed")
    test_macro_f1: Number = Field(description="test macro-F1, 0 to 1; of a study the mean")


class Spent(Part):
    """Hours that runs held, each times the share it held."""

    accelerator_hours: Known = Field(description="hours of accelerators")
    cpu_hours: Known = Field(description="hours of CPUs")


class ArmCost(Part):
    """Hours of an arm."""

    search: Spent = Field(description="of its trials")
    confirmation: Spent = Field(description="of its confirmation runs")


class Arm(Part):
    """One value of the compared parameter; scores are null before confirmation."""

    arm: ArmName
    backbone: str | None = Field(description="torchvision's name of its backbone")
    weights: str | None = Field(description="recipe of the pretrained weights")
    parameters: Count | None = Field(description="number of parameters of the network")
    trials: TrialCounts = Field(description="trials by state")
    epochs: EpochCounts = Field(description="epochs of its trials")
    choices: tuple[Choice, ...] = Field(description="one per study")
    confirmation_runs: Count = Field(description="confirmation runs with a test score")
    unit: UnitKind = Field(description="the unit of analysis")
    units: tuple[UnitScore, ...] = Field(description="the score of each unit")
    spread: Quantity = Field(description="standard deviation over confirmation runs")
    test_macro_f1_over_pictures: Known | None = Field(
        description="test macro-F1 with an interval over test pictures, the models fixed"
    )
    best_validation: Quantity = Field(description="best validation value; optimistic")
    cost: ArmCost = Field(description="hours of search and confirmation")
    test_macro_f1: Known | None = Field(description="mean over units, Student's t interval")
    test_accuracy: Known | None = Field(description="mean over units, Student's t interval")
    test_clean_macro_f1: Known | None = Field(description="the same on clean test pictures")
    test_clean_accuracy: Known | None = Field(description="the same on clean test pictures")


class FloorPart(Part):
    """A simple model that every network must exceed; intervals are over test pictures."""

    floor: Literal["majority", "logistic_regression"] = Field(description="which one")
    label: str = Field(description="display name")
    test_macro_f1: Known = Field(description="macro-F1 on the test split")
    test_accuracy: Known = Field(description="accuracy on the test split")
    test_clean_macro_f1: Quantity = Field(description="macro-F1 on clean test pictures")
    test_clean_accuracy: Quantity = Field(description="accuracy on clean test pictures")


class CheckPart(Part):
    """A line of the validity checklist, failed checks first."""

    id: str = Field(description="identifier of the check")
    name: str = Field(description="the requirement")
    status: Status = Field(description="pass, warn, or broken: the arms are not compared")
    detail: str = Field(description="the finding")


class SettingsPart(Part):
    """Thresholds and choices of the reader."""

    smallest_effect: Number = Field(description="smallest difference of macro-F1 that matters")
    failed_share: Share = Field(description="share of an arm's trials that may fail")
    price_per_hour: Number | None = Field(description="price of an hour of the resource")
    currency: str = Field(description="currency of the price")
    gallery: bool = Field(description="whether test pictures are shown")
