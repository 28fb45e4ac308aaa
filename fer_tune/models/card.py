"""The card of a kept model: where it comes from, how to use it, and what it can do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fer_tune.schema import limits
from fer_tune.schema.manifest import (
    ArmName,
    Channels,
    ClassNames,
    Count,
    DatasetAudit,
    Epoch,
    Finite,
    Line,
    Part,
    Replicate,
    RunNumber,
    Seconds,
    Setting,
    Text,
    Version,
)

SCHEMA_VERSION = 1

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Texts = Annotated[list[Text], Field(max_length=100)]

INTENDED_USE = (
    "Research on facial expression recognition, on pictures like those it was trained on: one "
    "face, seen from the front."
)
LIMITS = [
    "It names the expression that people would ascribe to a face. It does not know what a person "
    "feels.",
    "It always names one of its classes, even for a picture without a face.",
    "Its errors differ between groups of people, and have not been measured by group.",
    "Do not use it for decisions about people, for example on work, education, credit or policing.",
]


class Preprocessing(Part):
    """From a decoded picture to the network's input.

    Attributes:
        max_side: larger pictures are first reduced to this longer side, in pixels.
        channels: 1 if the training pictures were grey, so that colour is removed; else 3.
        resize_ratio: side that a picture is resized to, over the crop size; then the centre is
            taken.
        crop_size: side of the square that the network sees, in pixels.
    """

    max_side: Annotated[int, Field(ge=1, le=limits.PICTURE_SIDE)]
    channels: Channels
    resize_ratio: Annotated[float, Field(ge=1, le=16, allow_inf_nan=False)]
    crop_size: Annotated[int, Field(ge=1, le=4_096)]

    @property
    def resized_side(self) -> int:
        """Side of the square that a picture is resized to before the crop, in pixels."""
        return max(self.crop_size, round(self.crop_size * self.resize_ratio))


class Weights(Part):
    """The weights that training began with: recipe or path, and SHA-256 of the file."""

    recipe: Line
    sha256: Sha256 | None = None


class Splits(Part):
    """How the search cut its training pictures; see ``fer_tune.data.cut``.

    Attributes:
        audit_version: what counted as a copy (``fer_tune.data.audit.AUDIT_VERSION``).
    """

    validation_share: Share
    split_seed: Count
    leaks: Literal["drop", "keep", "exact"]
    conflicts: Literal["drop", "keep"]
    audit_version: Version = 1


class Dataset(Part):
    fingerprint: Sha256
    splits: Splits
    audit: DatasetAudit | None = None


class Scores(Part):
    """Scores of one model, each in 0 to 1: its best epoch on validation, and on test."""

    validation_macro_f1: Share
    validation_accuracy: Share
    validation_loss: Finite
    test_macro_f1: Share
    test_accuracy: Share
    test_clean_macro_f1: Share
    test_clean_accuracy: Share


class ArmScores(Part):
    """Mean test macro-F1 of the arm: the number that the verdict is about.

    Attributes:
        unit: what the mean is over: the studies of the arm, or the runs of its only study.
        n: how many units.
        low, high: Student's 95 % interval of the mean; null where there is no spread.
    """

    unit: Literal["studies", "confirmation runs"]
    n: Annotated[int, Field(ge=1, le=limits.RUN_NUMBERS)]
    mean: Share
    low: Finite | None = None
    high: Finite | None = None


class Search(Part):
    """The search that chose the configuration."""

    name: Line
    results: Line
    started: Seconds | None = None


class Card(Part):
    """``card.json``.

    Attributes:
        sha256: of ``model.safetensors``.
        arm: the compared value that the model belongs to.
        backbone: torchvision's name of the network.
        unfreeze_depth: how many stages were trained, 0 to 5.
        precision: of the arithmetic in training and scoring.
        classes: in the order of the network's outputs.
        temperature: divides the logits, so that probabilities are calibrated; fitted on validation.
        trial: number of the trial whose configuration was confirmed.
        run: number of the confirmation run that trained the model; ``seed`` is its seed.
        retrained: the run was trained a second time to keep its model.
    """

    schema_version: Literal[1]
    sha256: Sha256
    arm: ArmName
    backbone: Line
    unfreeze_depth: Annotated[int, Field(ge=0, le=5)]
    precision: Literal["float32", "bfloat16"]
    classes: Annotated[ClassNames, Field(min_length=2)]
    preprocessing: Preprocessing
    temperature: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]
    weights: Weights
    dataset: Dataset
    scores: Scores
    arm_scores: ArmScores | None = None
    search: Search | None = None
    trial: RunNumber | None = None
    run: RunNumber
    replicate: Replicate
    seed: Count
    epoch: Epoch
    retrained: bool = False
    config: Annotated[dict[Line, Setting | None], Field(max_length=100)]
    versions: Annotated[dict[Line, Line], Field(max_length=100)]
    created: Seconds
    intended_use: Text = INTENDED_USE
    limits: Texts = LIMITS
