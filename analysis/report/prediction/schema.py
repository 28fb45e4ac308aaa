"""Types of the section on the prediction that was saved with a search."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import Count, Number, Part, Share


class PredictedFigure(Part):
    """A figure over simulated searches, and what it came to."""

    name: str = Field(description="what it counts")
    arm: str | None = Field(description="name of the arm; null for the whole search")
    unit: str = Field(description="unit of the numbers")
    mean: Number = Field(description="mean over simulated searches")
    low: Number = Field(description="lower end of the interval over simulated searches")
    high: Number = Field(description="upper end of the interval over simulated searches")
    actual: Number | None = Field(description="of this search; null: unknown or not ended")
    inside: bool | None = Field(description="whether that is in the interval")


class PredictedVerdict(Part):
    """How many simulated searches ended with a verdict."""

    verdict: str = Field(description="the verdict")
    searches: Count = Field(description="simulated searches")


class PredictionPart(Part):
    """Prediction and outcome. Null where no prediction was saved, or folders are merged."""

    saved: bool = Field(description="whether a prediction was saved with the search")
    ended: bool = Field(description="whether the search has finished")
    enlarged: bool = Field(
        description="whether the search got a larger budget or more seeds than were predicted"
    )
    source: Literal["plan", "simulate"] | None = Field(description="command that predicted")
    curves: str | None = Field(description="where the curves of simulated trials came from")
    runs: Count | None = Field(description="simulated searches")
    level: Share = Field(description="share of simulated searches in an interval")
    figures: tuple[PredictedFigure, ...] = Field(description="figures, predicted and actual")
    verdicts: tuple[PredictedVerdict, ...] = Field(description="predicted verdicts")
    actual_verdict: str | None = Field(description="verdict of this search; null: not ended")
