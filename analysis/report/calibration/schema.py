"""Types of the section on calibration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import (
    ArmName,
    Count,
    First,
    Known,
    Number,
    Part,
    Second,
    Share,
    UnitText,
)


class Measures(Part):
    """Measures of the predicted probabilities."""

    confidence: Known = Field(description="mean probability of the predicted class")
    accuracy: Known = Field(description="accuracy")
    excess: Known = Field(description="confidence minus accuracy; above 0: over-confident")
    calibration_error: Known = Field(description="expected calibration error")
    brier: Known = Field(description="Brier score over all classes, 0 to 2")
    log_likelihood: Known = Field(description="negative log-likelihood, nats")


class Reliability(Part):
    """Predictions of all runs by confidence: a place per bin, null in an empty bin."""

    unit: UnitText
    edges: tuple[Share, ...] = Field(description="edges of the bins, one more than bins")
    answers: tuple[Count, ...] = Field(description="predictions")
    confidence: tuple[Number | None, ...] = Field(description="mean confidence")
    accuracy: tuple[Share | None, ...] = Field(description="accuracy")


class CalibrationArm(Part):
    """Calibration of an arm: means over units."""

    arm: ArmName
    runs: Count = Field(description="confirmation runs with predictions")
    all: Measures = Field(description="on all test pictures")
    clean: Measures | None = Field(description="on clean ones; null where there are none")
    reliability: Reliability = Field(description="by bin of confidence")


class CalibrationFloor(Part):
    """Calibration of a floor: a single model, without intervals."""

    floor: Literal["majority", "logistic_regression"] = Field(description="which one")
    label: str = Field(description="display name")
    all: Measures = Field(description="on all test pictures")
    clean: Measures | None = Field(description="on clean ones; null where there are none")


class CalibrationPair(Part):
    """Differences of a pair, first minus second, not corrected for multiple comparisons."""

    first: First
    second: Second
    excess: Known = Field(description="of confidence minus accuracy")
    calibration_error: Known = Field(description="of the expected calibration error")
    brier: Known = Field(description="of the Brier score")
    log_likelihood: Known = Field(description="of the negative log-likelihood")


class CalibrationPart(Part):
    """Calibration of the predicted probabilities; empty lists before confirmation."""

    bins: Count = Field(description="bins of confidence")
    arms: tuple[CalibrationArm, ...] = Field(description="arms with predictions")
    floors: tuple[CalibrationFloor, ...] = Field(description="floors with predictions")
    pairs: tuple[CalibrationPair, ...] = Field(description="pairs that are compared")
