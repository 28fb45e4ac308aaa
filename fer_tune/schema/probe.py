"""The schema of ``probe.json``, which ``fer-tune probe`` writes and reports read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fer_tune.schema import limits
from fer_tune.schema.manifest import ArmName, Count, Finite, Line, Part, Seconds

#: Of probe.json in a results folder.
PROBE_FILE = "probe.json"
PROBE_VERSION = 1

Metric = Literal["macro_f1", "accuracy", "loss"]
METRICS: tuple[Metric, ...] = ("macro_f1", "accuracy", "loss")


class ProbeScore(Part):
    """An estimate with its interval."""

    value: Finite
    low: Finite
    high: Finite


class ProbeScores(Part):
    """Of the out-of-fold predictions."""

    macro_f1: ProbeScore
    accuracy: ProbeScore
    loss: ProbeScore


class ProbeRow(Part):
    """One arm at one crop size.

    Attributes:
        augment_policy: of the view that models are fitted to.
        features: how many a picture has.
        strengths: inverse regularisation strength chosen for each outer fold.
        from_bank: whether the features of both views were in the bank; None: not kept there.
    """

    arm: ArmName
    backbone: Line
    crop_size: Count
    augment_policy: Line
    features: Count
    scores: ProbeScores
    strengths: Annotated[list[Finite], Field(max_length=limits.KEYS)]
    from_bank: bool | None
    feature_seconds: Seconds
    fit_seconds: Seconds


class Probe(Part):
    """``probe.json``; keys that are not listed are ignored, as are those of later versions.

    Attributes:
        metric: that ranks trials in the search space.
        pictures, groups: of the training split.
        level: of the intervals.
    """

    version: int
    space: Line
    fingerprint: Line
    weights: Line
    metric: Metric
    pictures: Count
    groups: Count
    folds: Count
    level: Annotated[float, Field(gt=0, lt=1)]
    estimator: Line
    device: Line
    precision: Line
    seconds: Seconds
    rows: Annotated[list[ProbeRow], Field(max_length=limits.ARMS * limits.KEYS)]

    @model_validator(mode="after")
    def _known(self) -> Probe:
        if self.version != PROBE_VERSION:
            raise ValueError(f"version must be {PROBE_VERSION}, that of this fer_tune")
        return self
