"""Types of the section on the dataset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from analysis.report.values import (
    ArmName,
    ClassName,
    Count,
    First,
    Kind,
    Known,
    NameValue,
    Number,
    Part,
    Second,
    UnitText,
)


class SplitSizes(Part):
    """Pictures by split; null: not recorded yet."""

    train: Count | None = Field(description="training")
    validation: Count | None = Field(description="validation")
    test: Count | None = Field(description="test")
    test_clean: Count | None = Field(description="clean test pictures")


class Dropped(Part):
    """Pictures removed from training and validation, each counted once; null: not recorded."""

    leaked: Count | None = Field(description="copies of test pictures")
    conflicting: Count | None = Field(description="with a copy of another label")
    copy_of_validation: Count | None = Field(description="copies of validation pictures")
    other: Count | None = Field(description="for reasons that this version does not know")


class Handling(Part):
    """The search space's choices; null: not recorded."""

    leaks: str | None = Field(
        description="copies of test pictures: drop, keep, or exact: drop exact copies"
    )
    conflicts: str | None = Field(description="drop or keep pictures with conflicting labels")


class ClassSplits(Part):
    """Pictures of a class by split; null: not recorded."""

    class_: ClassName = Field(alias="class")
    train: Count | None = Field(description="training")
    validation: Count | None = Field(description="validation")
    test: Count | None = Field(description="test")


class AuditCounts(Part):
    """Findings of the audit on the whole dataset; null: not recorded."""

    pictures: Count | None = Field(description="pictures")
    imbalance: Number | None = Field(description="pictures of the largest class per smallest")
    copy_groups: Count | None = Field(description="groups of exact copies")
    copy_pictures: Count | None = Field(description="pictures in them")
    test_in_training: Count | None = Field(description="test pictures with a copy in training")
    test_in_validation: Count | None = Field(description="the same in validation")
    conflicting_groups: Count | None = Field(description="groups of copies with several labels")
    conflicting_pictures: Count | None = Field(description="pictures in them")
    blank_contents: Count | None = Field(description="different blank pictures")
    blank_pictures: Count | None = Field(description="blank pictures")
    near_groups: Count | None = Field(description="groups of near copies")
    near_pictures: Count | None = Field(description="pictures in them")
    near_in_training: Count | None = Field(
        description="test pictures with a near copy, and no exact one, in training"
    )
    near_in_validation: Count | None = Field(description="the same in validation")


class CleanChange(Part):
    """Change of an arm's score on clean pictures."""

    arm: ArmName
    change: Known = Field(description="macro-F1 on clean minus on all test pictures")


class Subset(Part):
    """An arm on a subset of the test pictures, the models fixed."""

    arm: ArmName
    subset: Literal["clean", "leaked", "conflicting"] = Field(description="the subset")
    pictures: Count = Field(description="its pictures")
    unit: UnitText
    accuracy: Known | None = Field(description="accuracy; null: too few pictures")
    against_clean: Known | None = Field(description="accuracy minus that on clean pictures")


class CleanVerdict(Part):
    """A pair on all and on clean test pictures."""

    first: First
    second: Second
    all: Kind = Field(description="the verdict on all pictures, which is the report's")
    clean: Kind | None = Field(description="the verdict on clean ones; null without an interval")
    clean_first: str = Field(description="the better arm on clean pictures")
    difference: Known = Field(description="first minus second on all pictures")
    clean_difference: Known = Field(description="first minus second on clean pictures")
    change: Known | None = Field(description="the latter minus the former")


class DataPart(Part):
    """Splits, pictures by class, the audit as recorded, and its effect on scores."""

    fingerprint: str | None = Field(description="of the packed dataset")
    unit: UnitText
    splits: SplitSizes = Field(description="pictures by split")
    dropped: Dropped = Field(description="pictures removed, by reason")
    handling: Handling = Field(description="what was done with leaks and conflicts")
    near_copies_count: bool = Field(description="whether near copies count as leaks")
    classes: tuple[ClassSplits, ...] = Field(description="pictures by class")
    counts: AuditCounts | None = Field(description="null without an audit")
    audit: tuple[NameValue, ...] = Field(description="all numbers of the audit")
    scores: tuple[CleanChange, ...] = Field(description="by arm; empty before confirmation")
    subsets: tuple[Subset, ...] = Field(description="by arm and subset")
    verdicts: tuple[CleanVerdict, ...] = Field(description="by pair with scores")
