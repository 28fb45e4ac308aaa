"""Types of the section on results by class."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import (
    ArmName,
    ClassName,
    Count,
    First,
    Known,
    Number,
    Part,
    Quantity,
    Second,
    Share,
    UnitText,
)


class CountedClass(Part):
    """A class of the test split."""

    class_: ClassName = Field(alias="class")
    test_pictures: Count | None = Field(description="null before confirmation")


class ClassScores(Part):
    """Scores of an arm on a class: means over units with Student's t interval."""

    class_: ClassName = Field(alias="class")
    f1: Known = Field(description="F1, 0 to 1")
    recall: Known = Field(description="recall, 0 to 1; 0 for an absent class")
    precision: Known = Field(description="precision, 0 to 1; 0 for a class never predicted")


class Confusion(Part):
    """Confusion matrix: a row per true class, a column per prediction."""

    unit: UnitText
    counts: tuple[tuple[Count, ...], ...] = Field(description="summed over runs")
    shares: tuple[tuple[Share, ...], ...] = Field(description="shares of the row")


class Confused(Part):
    """A frequent confusion."""

    true: str = Field(description="the true class")
    answered: str = Field(description="the predicted class")
    unit: UnitText
    answers: Count = Field(description="such predictions")
    of: Count = Field(description="predictions on the true class")
    share: Share = Field(description="the ratio of both")


class ClassArm(Part):
    """Results of an arm."""

    arm: ArmName
    runs: Count = Field(description="confirmation runs with predictions")
    classes: tuple[ClassScores, ...] = Field(description="in the classes' order")
    confusion: Confusion = Field(description="confusion matrix")
    confusions: tuple[Confused, ...] = Field(description="the most frequent ones, largest first")


class ClassDifference(Part):
    """Differences of a pair on a class, first minus second; intervals cover jointly."""

    class_: ClassName = Field(alias="class")
    f1: Known = Field(description="difference of F1")
    f1_p_holm: Quantity = Field(description="its p-value, by Holm over classes and pairs shown")
    recall: Known = Field(description="difference of recall")
    recall_p_holm: Quantity = Field(description="its p-value, by Holm likewise")
    found: tuple[Literal["f1", "recall"], ...] = Field(description="significant differences")


class ShareDifferences(Part):
    """Difference of two confusion matrices."""

    unit: UnitText
    values: tuple[tuple[Number, ...], ...] = Field(description="rows true, columns predicted")


class ClassPair(Part):
    """Results of a pair."""

    first: First
    second: Second
    classes: tuple[ClassDifference, ...] = Field(description="in the classes' order")
    share_differences: ShareDifferences = Field(description="of the confusion matrices")


class ClassesPart(Part):
    """Results by class; empty lists before confirmation."""

    unit: UnitText
    classes: tuple[CountedClass, ...] = Field(description="the classes")
    arms: tuple[ClassArm, ...] = Field(description="arms with predictions")
    pairs: tuple[ClassPair, ...] = Field(description="pairs that are compared")
