"""What the chapter on the data says of near copies."""

from __future__ import annotations

import pytest

from analysis.report.data.schema import AuditCounts, DataPart, Dropped, Handling, SplitSizes
from analysis.report.data.words import findings, left_out


def data(*, near: bool = True, leaks: str = "drop", **counts: int) -> DataPart:
    return DataPart.model_construct(
        counts=AuditCounts.model_construct(**{**dict.fromkeys(AuditCounts.model_fields), **counts}),
        handling=Handling.model_construct(leaks=leaks, conflicts="drop"),
        near_copies_count=near,
        dropped=Dropped.model_construct(leaked=3, conflicting=0, copy_of_validation=0, other=0),
        splits=SplitSizes.model_construct(train=80, validation=20, test=12, test_clean=10),
    )


def words(**given: object) -> str:
    return " ".join(findings(data(**given)))  # type: ignore[arg-type]


def test_near_copies_are_explained_and_counted() -> None:
    text = words(near_groups=2, near_pictures=5, near_in_training=1, near_in_validation=0)
    assert "5 pictures in 2 groups are near copies" in text and "one photograph mirrored" in text
    assert "1 further test picture has near copies" in text
    assert "removed from training and validation" in text
    assert words(near_groups=0, near_pictures=0).startswith("No picture is a near copy")


@pytest.mark.parametrize(
    ("near", "leaks", "expected"),
    [(False, "exact", "only exact copies count as leaks"), (True, "keep", "They stayed in")],
)
def test_what_became_of_them(near: bool, leaks: str, expected: str) -> None:
    text = words(near=near, leaks=leaks, near_groups=2, near_pictures=5, near_in_training=1)
    assert expected in text


def test_a_search_before_near_copies_says_nothing_of_them() -> None:
    assert "near" not in words()
    assert "3 copies of test pictures" in left_out(data(near=False))
    assert "3 copies and near copies of test pictures" in left_out(data())
