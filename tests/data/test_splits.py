from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_pictures import noise, save

from fer_tune.data import PackedDataset, Split, cut, import_source
from fer_tune.errors import DataError


@dataclass
class Index:
    """The part of a packed dataset that the cut looks at."""

    groups: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    classes: tuple[str, ...] = ("angry", "happy")
    root: Path = Path("made/by/hand")
    subjects: np.ndarray | None = None

    @property
    def related(self) -> np.ndarray:
        return self.groups

    @property
    def deviations(self) -> np.ndarray:
        return np.where(np.arange(len(self.labels)) == 0, 0.5, 40.0)


def made(*rows: tuple[int, int, str]) -> PackedDataset:
    """A dataset of (group, label, split) rows."""
    groups, labels, splits = zip(*rows, strict=True)
    return cast(PackedDataset, Index(np.array(groups), np.array(labels), np.array(splits)))


def plain(groups_per_class: int = 20) -> list[tuple[int, int, str]]:
    rows = [(g, g % 2, "train") for g in range(2 * groups_per_class)]
    return [*rows, (900, 0, "test"), (901, 1, "test")]


def check(dataset: PackedDataset, split: Split) -> None:
    """What holds of every cut."""
    parts = [split.train, split.validation, split.test]
    for part in parts:
        assert part.dtype == np.int64 and np.array_equal(part, np.unique(part))
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    assert len(together) + sum(split.dropped.values()) == len(dataset.labels)
    assert np.array_equal(split.test, np.flatnonzero(dataset.splits == "test"))
    groups = dataset.groups
    assert not np.isin(groups[split.train], groups[split.validation]).any()


def test_the_share_is_met_in_every_class() -> None:
    dataset = made(*plain(40))
    split = cut(dataset, validation_share=0.25, seed=1)
    check(dataset, split)
    assert np.bincount(dataset.labels[split.validation]).tolist() == [10, 10]
    assert split.dropped == {"leaked": 0, "conflicting": 0}
    assert split.blank.tolist() == [True] + [False] * 81


def test_the_seed_decides() -> None:
    dataset = made(*plain())
    first, again, other = (
        cut(dataset, validation_share=0.2, seed=s).validation.tolist() for s in (5, 5, 6)
    )
    assert first == again != other


def test_leaks_are_dropped_from_training_alone() -> None:
    dataset = made(*plain(), (0, 0, "test"), (1, 1, "test"), (1, 1, "train"))
    split = cut(dataset, validation_share=0.2, seed=0)
    check(dataset, split)
    assert split.dropped == {"leaked": 3, "conflicting": 0}
    assert np.flatnonzero(split.leaked).tolist() == [0, 1, 42, 43, 44]
    assert not np.isin([0, 1], dataset.groups[np.r_[split.train, split.validation]]).any()
    kept = cut(dataset, validation_share=0.2, seed=0, leaks="keep")
    check(dataset, kept)
    assert kept.dropped == {"leaked": 0, "conflicting": 0}
    assert np.array_equal(kept.leaked, split.leaked)


def test_conflicts_are_dropped_from_training_and_flagged_in_test() -> None:
    dataset = made(*plain(), (2, 1, "train"), (950, 0, "test"), (950, 1, "test"))
    split = cut(dataset, validation_share=0.2, seed=0)
    check(dataset, split)
    assert split.dropped == {"leaked": 0, "conflicting": 2}
    assert np.flatnonzero(split.conflicting).tolist() == [2, 42, 43, 44]
    assert 43 in split.test and 44 in split.test
    kept = cut(dataset, validation_share=0.2, seed=0, conflicts="keep")
    check(dataset, kept)
    assert kept.dropped["conflicting"] == 0


def test_a_leak_with_another_label_counts_once_as_leak() -> None:
    dataset = made(*plain(), (3, 0, "test"))
    split = cut(dataset, validation_share=0.2, seed=0)
    check(dataset, split)
    assert split.dropped == {"leaked": 1, "conflicting": 0}
    assert split.conflicting[[3, 42]].all() and split.leaked[[3, 42]].all()
    kept = cut(dataset, validation_share=0.2, seed=0, leaks="keep")
    assert kept.dropped == {"leaked": 0, "conflicting": 1}


def test_an_own_validation_split_is_used_and_kept_clean() -> None:
    own = [(100, 0, "validation"), (101, 1, "validation"), (0, 0, "validation")]
    dataset = made(*plain(), *own, (101, 1, "test"), (102, 1, "validation"))
    split = cut(dataset, validation_share=0.5, seed=0)
    check(dataset, split)
    assert dataset.groups[split.validation].tolist() == [100, 0, 102]
    assert split.dropped == {"leaked": 1, "conflicting": 0, "copy_of_validation": 1}
    kept = cut(dataset, validation_share=0.5, seed=0, leaks="keep")
    check(dataset, kept)
    assert dataset.groups[kept.validation].tolist() == [100, 101, 0, 102]


def test_a_class_without_enough_pictures_is_an_error() -> None:
    one = [(0, 0, "train"), (1, 0, "train"), (2, 1, "train"), (2, 1, "train")]
    test = [(8, 0, "test"), (9, 1, "test")]
    with pytest.raises(DataError, match=r"validation split has no picture.*'happy'.*at least 2"):
        cut(made(*one, *test), validation_share=0.5, seed=0)
    with pytest.raises(DataError, match=r"train split has no picture.*'angry, happy'"):
        cut(made(*test), validation_share=0.5, seed=0)
    copies = [*one, (3, 1, "train"), (2, 1, "test")]
    with pytest.raises(DataError, match=r"copies were dropped: 2 also in the test split.*'happy'"):
        cut(made(*copies, *test), validation_share=0.5, seed=0)
    own = [*one, (3, 1, "train"), (4, 0, "validation")]
    with pytest.raises(DataError, match=r"'happy'.*Add validation pictures"):
        cut(made(*own, *test), validation_share=0.5, seed=0)
    with pytest.raises(DataError, match=r"test split has no picture.*'happy'.*test folder"):
        cut(made(*plain()[:-1]), validation_share=0.5, seed=0)
    two = [*one, (3, 1, "train")]
    split = cut(made(*two, *test), validation_share=0.01, seed=0)
    assert np.bincount(made(*two, *test).labels[split.validation]).tolist() == [1, 1]


def test_groups_too_large_for_the_share_are_used_only_at_need() -> None:
    rows = [(g, label, "train") for g, label in ((0, 0), (1, 0), (2, 1), (3, 1))] * 5
    dataset = made(*rows, (8, 0, "test"), (9, 1, "test"))
    split = cut(dataset, validation_share=0.1, seed=0)
    check(dataset, split)
    assert len(split.validation) == 10


def test_training_keeps_a_picture_of_every_class_however_large_the_share() -> None:
    dataset = made(*plain(3))
    split = cut(dataset, validation_share=0.99, seed=0)
    check(dataset, split)
    assert np.bincount(dataset.labels[split.train]).tolist() == [1, 1]


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="validation_share"):
        cut(made(*plain()), validation_share=share, seed=0)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(DataError, match=r"data\.leaks"):
        cut(made(*plain()), validation_share=0.2, seed=0, leaks="mend")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"data\.conflicts"):
        cut(made(*plain()), validation_share=0.2, seed=0, conflicts="")  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 30),
            st.integers(0, 1),
            st.sampled_from(["train", "train", "train", "validation", "test"]),
        ),
        max_size=60,
    ),
    share=st.floats(0.01, 0.9),
    seed=st.integers(0, 5),
    leaks=st.sampled_from(["drop", "keep"]),
    conflicts=st.sampled_from(["drop", "keep"]),
    own=st.booleans(),
)
def test_any_cut_keeps_copies_together(
    rows: list[tuple[int, int, str]],
    share: float,
    seed: int,
    leaks: str,
    conflicts: str,
    own: bool,
) -> None:
    rows = [(g, label, s if own or s != "validation" else "train") for g, label, s in rows]
    extra = [(960, 0, "validation"), (961, 1, "validation")] if own else []
    dataset = made(*plain(), *rows, *extra)
    try:
        split = cut(dataset, validation_share=share, seed=seed, leaks=leaks, conflicts=conflicts)  # type: ignore[arg-type]
    except DataError as error:
        assert "split has no picture" in str(error)
        return
    check(dataset, split)
    used = np.r_[split.train, split.validation]
    if leaks == "drop":
        assert not np.isin(dataset.groups[used], dataset.groups[split.test]).any()
    if conflicts == "drop":
        assert not split.conflicting[used].any()


def test_the_cut_is_the_same_wherever_the_pictures_come_from(faces: Path, tmp_path: Path) -> None:
    save(faces / "Training/Training/Sad/second_copy.png", noise(8))
    import_source(str(faces), tmp_path / "a")
    (faces / "Training/Training/Sad/train_1.png").rename(faces / "Training/Training/Sad/zz.png")
    import_source(str(faces), tmp_path / "b")
    a, b = (PackedDataset.open(tmp_path / name) for name in "ab")
    one, two = (cut(d, validation_share=0.3, seed=4) for d in (a, b))
    assert np.array_equal(one.validation, two.validation)
    assert a.hashes[one.validation].tolist() == b.hashes[two.validation].tolist()
    assert len(one.validation) >= 3
