"""Types of the section on the cost of the search."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import ArmName, Count, Int, Known, Number, Part, Quantity


class Phases(Part):
    """Hours that runs held of the resource, and their price."""

    search: Known = Field(description="hours of the search's trials")
    confirmation: Known = Field(description="hours of the confirmation runs")
    both: Known = Field(description="hours of both")
    price: Known | None = Field(description="price of both; null without a price per hour")


class StudyCost(Phases):
    """Cost of a study."""

    replicate: Int = Field(description="number of the study, from 0")


class OneMore(Part):
    """Cost of more seeds or studies, by the mean so far."""

    seed: Quantity = Field(description="hours of one more confirmation seed")
    study: Quantity = Field(description="hours of one more study, its confirmation included")


class Latency(Part):
    """Medians over confirmation runs of the time per picture (batches of one) and memory."""

    p50_ms: Quantity = Field(description="median ms per picture")
    p95_ms: Quantity = Field(description="95th percentile of ms per picture")
    peak_memory_mib: Quantity = Field(description="peak memory in training, MiB")


class CostArm(Phases):
    """Cost, speed and size of an arm."""

    arm: ArmName
    studies: tuple[StudyCost, ...] = Field(description="by study")
    one_more: OneMore = Field(description="cost of one more study or seed")
    epochs_per_hour: Quantity = Field(description="epochs per hour of a trial's own time")
    seconds_per_epoch: Quantity | None = Field(description="of the median trial")
    latency: Latency | None = Field(description="null before confirmation has ended")
    measured_beside_others: Quantity | None = Field(
        description="runs whose latency was measured while others ran on the machine"
    )
    parameters: Count | None = Field(description="number of parameters of the network")


class Fronts(Part):
    """Arms on the Pareto front of test macro-F1 against each cost."""

    search: tuple[str, ...] = Field(description="against hours of search")
    latency: tuple[str, ...] = Field(description="against ms per picture")
    memory: tuple[str, ...] = Field(description="against peak memory")
    parameters: tuple[str, ...] = Field(description="against the number of parameters")


class TrialUnits(Part):
    """Units of the costs of trials."""

    seconds_per_epoch: str = Field(description="unit of `seconds_per_epoch`")
    peak_memory_mib: str = Field(description="unit of `peak_memory_mib`")


class TrialPoint(Part):
    """A fully trained trial."""

    trial: Int = Field(description="number of the trial")
    arm: ArmName
    depth: Int | None = Field(description="trained stages, counted from the head")
    crop: Int | None = Field(description="side of the square crop, pixels")
    score: Number = Field(description="its best validation value, in `score_unit`")
    seconds_per_epoch: Number = Field(description="median seconds of its epochs")
    peak_memory_mib: Number = Field(description="peak memory, MiB")
    on_front: tuple[Literal["seconds_per_epoch", "peak_memory_mib"], ...] = Field(
        description="costs on whose Pareto front it is"
    )


class TrialFronts(Part):
    """Validation score of fully trained trials against their cost."""

    score_unit: str = Field(description="unit of scores")
    units: TrialUnits = Field(description="units of costs")
    trials: Count = Field(description="fully trained trials")
    points: tuple[TrialPoint, ...] = Field(description="all on a front, and a selection of others")


class CostPart(Part):
    """Cost of the search: hours by arm, phase and study, speed, memory, Pareto fronts."""

    resource: Literal["accelerator", "CPU"] = Field(description="resource of the hours")
    currency: str = Field(description="currency of prices")
    price_per_hour: Number | None = Field(description="price of an hour of the resource")
    running: Count = Field(description="trials that have not ended, which are excluded")
    arms: tuple[CostArm, ...] = Field(description="by arm")
    total: Phases = Field(description="of all arms")
    fronts: Fronts = Field(description="Pareto fronts of the arms")
    trials: TrialFronts = Field(description="Pareto fronts of the trials")
