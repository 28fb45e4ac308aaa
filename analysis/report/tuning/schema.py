"""Types of the section on tuning curves."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import ArmName, Count, Int, Known, Number, Part, Share, UnitText


class RandomCounts(Part):
    """Random trials of an arm; each counts with its best value, without one with 0."""

    unit: UnitText
    total: Count = Field(description="ended random trials")
    to_their_end: Count = Field(description="trained to the end, audited ones included")
    audited: Count = Field(description="continued for the regret audit")
    cut_short: Count = Field(description="ended early, with a value")
    without_score: Count = Field(description="ended without a value")


class TuningCurve(Part):
    """Score of the best of n random trials; a place of each list per n."""

    unit: UnitText
    estimator: str = Field(description="how the median and its band were computed")
    level: Share = Field(description="coverage of the band, simultaneously for all n")
    trials: Count = Field(description="random trials")
    best_of: tuple[Int, ...] = Field(description="n")
    median: tuple[Number, ...] = Field(description="median best of n")
    low: tuple[Number, ...] = Field(description="lower edge of the band")
    high: tuple[Number, ...] = Field(description="upper edge of the band")
    expected_u: tuple[Number, ...] = Field(description="mean best of n, U-statistic")
    expected_v: tuple[Number, ...] = Field(description="mean best of n, V-statistic")


class Doubling(Part):
    """What the second half of the random trials gained."""

    from_: Count = Field(alias="from", description="half of the random trials")
    to: Count = Field(description="twice that")
    unit: UnitText
    gain: Known = Field(description="mean best of all minus that of half")
    median: Known = Field(description="median best of half, with its band")


class TpeStudy(Part):
    """The sampler against random search in one study."""

    replicate: Int = Field(description="number of the study, from 0")
    best_of: Count = Field(description="trials of the smaller cohort")
    random: Number = Field(description="mean best of so many random trials")
    tpe: Number = Field(description="mean best of so many trials of the sampler")


class Tpe(Part):
    """The sampler, TPE or another one, against random search."""

    samplers: tuple[str, ...] = Field(description="cohorts of the sampler's trials")
    unit: UnitText
    estimator: str = Field(description="how the numbers of the studies were computed")
    studies: tuple[TpeStudy, ...] = Field(description="studies with trials of both")
    over_random: Known | None = Field(description="sampler minus random; null without studies")


class TuningArm(Part):
    """Random search and the sampler in an arm."""

    arm: ArmName
    random: RandomCounts = Field(description="its random trials")
    curve: TuningCurve | None = Field(description="null with fewer than `needed` random trials")
    doubling: Doubling | None = Field(description="null with fewer than `needed` random trials")
    tpe: Tpe = Field(description="the sampler against random search")


class Course(Part):
    """Best validation score against cost: a place of each list per improvement."""

    cost: tuple[Number, ...] = Field(description="cost so far, in `cost_unit`")
    best: tuple[Number, ...] = Field(description="best score so far")


class StudyCourse(Course):
    """The anytime curve of a study."""

    replicate: Int = Field(description="number of the study, from 0")


class SpendingArm(Part):
    """Anytime performance of an arm."""

    arm: ArmName
    studies: tuple[StudyCourse, ...] = Field(description="one per study")
    median: Course = Field(description="median over studies, to the end of the cheapest one")
    spent: Known = Field(description="cost of all its ended trials")


class Spending(Part):
    """Anytime performance: the best validation score so far against the cost so far."""

    resource: Literal["accelerator", "CPU"] = Field(description="resource of the cost")
    cost_unit: str = Field(description="unit of costs")
    unit: UnitText
    arms: tuple[SpendingArm, ...] = Field(description="by arm")


class TuningPart(Part):
    """Tuning curves: best of n random trials, the sampler against them, anytime curves."""

    unit: UnitText
    needed: Count = Field(description="fewest random trials for a curve")
    arms: tuple[TuningArm, ...] = Field(description="by arm")
    spending: Spending = Field(description="anytime performance")
