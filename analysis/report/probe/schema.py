"""Types of the section on logistic regression on frozen features."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import ArmName, Count, Int, Known, Number, Part


class ProbeAbout(Part):
    """How the regressions were fitted."""

    metric: Literal["macro_f1", "accuracy", "loss"] = Field(
        description="the metric by which regularisers were chosen"
    )
    weights: str = Field(description="weights recipe of the backbones")
    same_weights: bool = Field(description="whether the search has that recipe")
    pictures: Count = Field(description="training pictures")
    groups: Count = Field(description="groups of them: persons, copies, near copies")
    folds: Count = Field(description="folds of the cross-validation")
    seconds: Number = Field(description="seconds of the whole command")


class ProbeCase(Part):
    """One arm at one crop size; scores are of out-of-fold predictions for training pictures."""

    arm: ArmName
    crop_size: Int = Field(description="side of the square crop, pixels")
    features: Count = Field(description="features of a picture")
    macro_f1: Known = Field(description="macro-F1 with an interval over groups of pictures")
    accuracy: Known = Field(description="accuracy, likewise")
    loss: Known = Field(description="mean cross-entropy in nats, likewise")


class ProbePart(Part):
    """Cross-validated logistic regression on frozen features: a description, not a check."""

    status: Literal["measured", "none", "other data"] = Field(
        description="whether there is a probe.json, and whether it is of this search's dataset"
    )
    about: ProbeAbout | None = Field(description="null unless it was measured")
    cases: tuple[ProbeCase, ...] = Field(description="by arm and crop size")
