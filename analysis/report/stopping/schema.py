"""Types of the section on early stopping."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import (
    ArmName,
    Count,
    Int,
    Known,
    Number,
    Part,
    Quantity,
    Share,
    StateCounts,
    UnitText,
)


class SavedEpochs(Part):
    """Epochs saved, by cause."""

    asha: Count = Field(description="by ASHA")
    overfit_stopper: Count = Field(description="by the overfit stopper")
    divergence: Count = Field(description="by stopping diverged trials")


class StoppingArm(Part):
    """Trials and epochs of an arm; the budget's epochs were run, saved or lost."""

    arm: ArmName
    states: StateCounts = Field(description="ended trials by state")
    audited: Count = Field(description="trials that continued for the regret audit")
    trials: Count = Field(description="ended trials")
    unit: UnitText
    allowed: Count = Field(description="epochs that the budget allowed")
    run: Count = Field(description="epochs run")
    saved: SavedEpochs = Field(description="epochs saved")
    lost_to_failure: Count = Field(description="epochs lost to failures")
    spent_on_audit: Int = Field(description="epochs run for the audit")
    saved_hours: Known = Field(description="estimate of the hours saved")


class RungArm(Part):
    """Fidelity of a rung in an arm."""

    arm: ArmName
    correlation: Quantity | None = Field(
        description="Spearman's, of ranks at the rung and final ranks; null: too few trials"
    )


class Rung(Part):
    """Fidelity of a rung: over trials that continued past it to the end."""

    epoch: Int = Field(description="epoch of the rung")
    arms: tuple[RungArm, ...] = Field(description="by arm")


class Regret(Part):
    """The regret audit of an arm: what stopped trials would have reached. Null: none known."""

    arm: ArmName
    audited: Count = Field(description="trials that continued")
    compared: Count = Field(description="those with a known result and choice")
    above: Count = Field(description="those that ended above their study's choice")
    stopped: Count = Field(description="trials that ASHA stopped, without audited ones")
    stopped_per_study: Count = Field(description="the same per study, rounded")
    unit: UnitText
    chance: Known | None = Field(description="chance that a stopped trial was the best")
    chance_in_study: Known | None = Field(description="chance that one in a study was")
    margin: Known | None = Field(description="median of audited trial minus choice")
    regret: Known | None = Field(description="median of what stopping lost, 0 or more")
    largest_regret: Known | None = Field(description="largest of what stopping lost")


class ArmGain(Part):
    """What more trials of an arm were expected to gain, and what confirmation can resolve."""

    arm: ArmName
    gain: Number = Field(description="expected improvement of the best value, mean over studies")
    noise: Number = Field(
        description="standard error of the mean over the confirmation runs, estimated beforehand"
    )


class EndedWithoutGain(Part):
    """A search that ended because more trials were not expected to pay."""

    trials: Count = Field(description="trials of each study")
    left: Count = Field(description="trials that each study did without")
    unit: UnitText
    arms: tuple[ArmGain, ...] = Field(description="by arm")


class ExceededBudget(Part):
    """A budget that a further round of trials would have exceeded."""

    key: str = Field(description="wall_time in seconds, accelerator_hours or money")
    limit: Number = Field(description="its value")
    needed: Number = Field(description="the value that the round needed, with confirmation")


class EndedByBudget(Part):
    """A search that ended because another budget than that of trials was used up."""

    not_started: Count = Field(description="planned trials that were not started")
    planned: Count = Field(description="trials of the whole search")
    round: Count = Field(description="trials of a round, one for each study")
    limits: tuple[ExceededBudget, ...] = Field(description="what was too small for a round")


class StoppingPart(Part):
    """Early stopping: epochs and time saved, rung fidelity, the regret audit."""

    scheduler: str = Field(description="asha or none")
    stopper: bool = Field(description="whether the overfit stopper is on")
    audit_share: Share = Field(description="share of trials to stop that continue instead")
    rungs: tuple[Int, ...] = Field(description="epochs at which ASHA compares; empty without")
    reduction_factor: Int | None = Field(description="ASHA keeps the top 1 / factor at a rung")
    resource: Literal["accelerator", "CPU"] = Field(description="resource of the hours")
    arms: tuple[StoppingArm, ...] = Field(description="by arm")
    fidelity: tuple[Rung, ...] = Field(description="by rung")
    regret: tuple[Regret, ...] = Field(description="by arm")
    without_gain: tuple[EndedWithoutGain, ...] = Field(
        description="searches that `stop_when: no_gain` ended"
    )
    by_budget: tuple[EndedByBudget, ...] = Field(
        description="searches that time, accelerator hours or money ended"
    )
