"""Types of the section on learning curves."""

from __future__ import annotations

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
    UnitText,
)


class CurveUnits(Part):
    """Units of the series."""

    train_loss: str = Field(description="unit of `train_loss`")
    val_loss: str = Field(description="unit of `val_loss`")
    val_macro_f1: str = Field(description="unit of `val_macro_f1`")


class Curve(Part):
    """A trial's learning curve: a place of each list per epoch, null where not finite."""

    trial: Int = Field(description="number of the trial")
    state: str = Field(description="its state; running before it ended")
    chosen: bool = Field(description="whether it is a study's choice")
    onset_epoch: Int | None = Field(description="onset of overfitting, from 1")
    epochs: tuple[Int, ...] = Field(description="epochs, from 1")
    train_loss: tuple[Number | None, ...] = Field(description="training loss")
    val_loss: tuple[Number | None, ...] = Field(description="validation loss")
    val_macro_f1: tuple[Number | None, ...] = Field(description="validation macro-F1")


class Bands(Part):
    """Quantiles over the trials that reached an epoch: a row per epoch, a place per quantile."""

    quantiles: tuple[Share, ...] = Field(description="the quantiles")
    epochs: tuple[Int, ...] = Field(description="epochs, from 1, that enough trials reached")
    trials: tuple[Int, ...] = Field(description="trials that reached each epoch")
    train_loss: tuple[tuple[Number | None, ...], ...] = Field(description="training loss")
    val_loss: tuple[tuple[Number | None, ...], ...] = Field(description="validation loss")
    val_macro_f1: tuple[tuple[Number | None, ...], ...] = Field(description="validation macro-F1")


class CurveArm(Part):
    """Learning curves of an arm."""

    arm: ArmName
    trials: Count = Field(description="trials that have reported an epoch")
    curves: tuple[Curve, ...] = Field(description="of every trial, or of the chosen ones")
    bands: Bands | None = Field(description="of all trials, where not every one has a curve")


class Onset(Part):
    """When trials start to overfit. Medians treat trials as independent, so are descriptive."""

    median: Quantity | None = Field(
        description="median onset; its value is null where no more than half overfitted, and it "
        "is null where no trial counts"
    )
    overfitted: Count = Field(description="trials with an onset")
    not_reached: Count = Field(description="trials that completed all epochs without one")
    left_out: Count = Field(description="trials that ended before either")
    unit: UnitText


class DepthOnset(Onset):
    """The same of one unfreeze depth."""

    depth: Int = Field(description="trained stages, counted from the head")


class LateBest(Part):
    """Whether macro-F1 still rose after the onset; null where no trial overfitted."""

    share: Known | None = Field(description="share of trials with the best after the onset")
    epochs: Known | None = Field(description="median epochs from the onset to the best")


class OnsetArm(Part):
    """Onset of overfitting in an arm."""

    arm: ArmName
    by_hand: Int | None = Field(description="onset of its backbone in manual fine-tuning")
    all: Onset = Field(description="over all depths")
    depths: tuple[DepthOnset, ...] = Field(description="by unfreeze depth")
    gap: Known | None = Field(description="median generalisation gap")
    late_best: LateBest = Field(description="macro-F1 after the onset")


class CurvesPart(Part):
    """Learning curves: each trial's if there are few, quantiles if there are many; onsets."""

    units: CurveUnits = Field(description="units of the series")
    max_epochs: Count | None = Field(description="epochs of a trial at most")
    stopper: bool = Field(description="whether the overfit stopper is on")
    stopper_spares: str | None = Field(
        description="the metric whose improvement lets a trial continue despite an onset"
    )
    patience: Count | None = Field(description="epochs of risen loss that make an onset")
    latest_visible: Count | None = Field(description="last epoch at which an onset can show")
    each_trial: bool = Field(description="whether `curves` has every trial")
    arms: tuple[CurveArm, ...] = Field(description="by arm")
    onsets: tuple[OnsetArm, ...] = Field(description="by arm")
