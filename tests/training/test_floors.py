"""The floors: honest about test, chosen on validation, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_tune.data import PackedDataset, Split, cut, import_source
from fer_tune.training.floors import Floor, fit_floors


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder: Path = tmp_path_factory.mktemp("floors") / "faces"
    import_source("synthetic:700", folder, seed=0)
    return PackedDataset.open(folder)


@pytest.fixture(scope="module")
def split(faces: PackedDataset) -> Split:
    return cut(faces, validation_share=0.2, seed=0)


@pytest.fixture(scope="module")
def floors(faces: PackedDataset, split: Split) -> list[Floor]:
    return fit_floors(faces, split, seed=0)


def accuracy(floor: Floor, faces: PackedDataset, split: Split) -> float:
    return float((floor.probabilities.argmax(1) == faces.labels[split.test]).mean())


def test_both_floors_answer_for_every_test_picture(
    floors: list[Floor], faces: PackedDataset, split: Split
) -> None:
    assert [floor.name for floor in floors] == ["majority", "logistic_regression"]
    for floor in floors:
        assert floor.probabilities.shape == (len(split.test), len(faces.classes))
        assert floor.probabilities.dtype == np.float32
        np.testing.assert_allclose(floor.probabilities.sum(axis=1), 1, atol=1e-5)
        assert 0 <= floor.validation_macro_f1 <= 1


def test_the_majority_floor_names_the_commonest_training_class(
    floors: list[Floor], faces: PackedDataset, split: Split
) -> None:
    counts = np.bincount(faces.labels[split.train], minlength=len(faces.classes))
    assert set(floors[0].probabilities.argmax(axis=1)) == {int(counts.argmax())}
    np.testing.assert_allclose(floors[0].probabilities[0], counts / counts.sum(), rtol=1e-6)


def test_the_linear_floor_learns_something_but_does_not_solve_the_faces(
    floors: list[Floor], faces: PackedDataset, split: Split
) -> None:
    majority, linear = (accuracy(floor, faces, split) for floor in floors)
    assert majority < 0.25
    assert majority + 0.05 < linear < 0.55
    assert floors[1].validation_macro_f1 > floors[0].validation_macro_f1 + 0.1


def test_the_same_seed_gives_the_same_bits(
    floors: list[Floor], faces: PackedDataset, split: Split
) -> None:
    again = fit_floors(faces, split, seed=0)
    for one, other in zip(floors, again, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert one.validation_macro_f1 == other.validation_macro_f1


def test_test_labels_are_never_looked_at(
    floors: list[Floor], faces: PackedDataset, split: Split
) -> None:
    spoilt = PackedDataset.open(faces.root)
    spoilt.labels[split.test] = (spoilt.labels[split.test] + 1) % len(spoilt.classes)
    for one, other in zip(floors, fit_floors(spoilt, split, seed=0), strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_a_class_absent_from_training_keeps_probability_zero(
    faces: PackedDataset, split: Split
) -> None:
    kept = split.train[faces.labels[split.train] != 2]
    short = Split(
        train=kept,
        validation=split.validation,
        test=split.test,
        leaked=split.leaked,
        conflicting=split.conflicting,
        blank=split.blank,
        dropped=split.dropped,
    )
    for floor in fit_floors(faces, short, side=32, seed=0):
        assert floor.probabilities[:, 2].max() == 0
