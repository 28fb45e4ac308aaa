"""Types of the section on disagreements between arms."""

from __future__ import annotations

from pydantic import Field

from analysis.report.values import ArmName, Count, Int, Known, Number, Part, Share, UnitText


class ShownArm(Part):
    """An arm whose predictions are shown."""

    arm: ArmName
    runs: Count = Field(description="confirmation runs with predictions")


class AgreementCounts(Part):
    """Pictures by who is correct."""

    both: Count = Field(description="both correct")
    first: Count = Field(description="only the first correct")
    second: Count = Field(description="only the second correct")
    neither: Count = Field(description="neither correct")
    same_error: Count = Field(description="of these: the same wrong class")
    either: Count = Field(description="at least one correct")


class AgreementShares(Part):
    """The same as shares of the pictures, with intervals over pictures."""

    both: Known = Field(description="both correct")
    first: Known = Field(description="only the first correct")
    second: Known = Field(description="only the second correct")
    neither: Known = Field(description="neither correct")
    same_error: Known = Field(description="the same wrong class")
    either: Known = Field(description="at least one correct")


class Agreed(Part):
    """How often the two best arms are correct."""

    unit: UnitText
    n: Count = Field(description="test pictures that both predicted")
    pictures: AgreementCounts = Field(description="pictures")
    shares: AgreementShares = Field(description="shares of the pictures")


class Agreement(Part):
    """Agreement on all and on clean test pictures; null where there are none."""

    all: Agreed | None = Field(description="on all test pictures")
    clean: Agreed | None = Field(description="on clean test pictures")


class PictureAnswer(Part):
    """An arm's prediction for a picture: the class of highest mean probability over its runs."""

    arm: ArmName
    class_: str = Field(alias="class", description="the predicted class")
    right: bool = Field(description="whether it is the true one")
    probability: Number = Field(description="its mean probability, 0 to 1")


class PictureEntry(Part):
    """A test picture."""

    position: Int = Field(description="row in the packed dataset")
    true: str = Field(description="the labelled class")
    unit: UnitText
    answers: tuple[PictureAnswer, ...] = Field(description="predictions of the arms")
    leaked: bool = Field(description="has a copy in training or validation")
    conflicting: bool = Field(description="has a copy with another label")
    blank: bool = Field(description="is a single shade")
    png: str | None = Field(description="small copy as base64; null without, or by the settings")


class Found(Part):
    """Pictures found, and a selection of them."""

    found: Count = Field(description="different pictures")
    pictures: tuple[PictureEntry, ...] = Field(description="a selection")


class Suspects(Found):
    """Pictures on which every run of every arm is wrong: their labels are doubtful."""

    confident_from: Share = Field(description="least confidence of every arm")
    wrong_in_every_run: Count = Field(description="pictures wrong in every run of every arm")
    conflicting: Count = Field(description="found pictures with a copy of another label")


class Errors(Found):
    """The only arm's errors, most confident first."""

    right: Known = Field(description="share of correct predictions")


class DisagreementsPart(Part):
    """Disagreements of the two best arms; of a single arm with predictions its errors."""

    unit: UnitText
    arms: tuple[ShownArm, ...] = Field(description="the arms shown, the better one first")
    others: tuple[str, ...] = Field(description="arms with predictions that are not shown")
    agreement: Agreement | None = Field(description="null with fewer than two arms")
    apart: Found | None = Field(description="pictures on which only one is correct")
    suspects: Suspects | None = Field(description="pictures with doubtful labels")
    errors: Errors | None = Field(description="null with more than one arm")
