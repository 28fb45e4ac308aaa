"""Names of splits, and a test split where the source has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from noise_pictures import noise, save, zip_up
from split_writing import classes, counts, folder

from fer_tune.data import PackedDataset, cut, import_source
from fer_tune.data.checks.split_names import given_splits
from fer_tune.data.names import split_name
from fer_tune.errors import DataError

# -- names of splits ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("training_set", "train"), ("Train Set", "train"), ("train_data", "train"),
        ("trainset", "train"), ("TrainImages", "train"), ("FER2013Train", "train"),
        ("images_train", "train"), ("trn", "train"), ("training-faces", "train"),
        ("dev", "validation"), ("devset", "validation"), ("Dev_Set", "validation"),
        ("val_images", "validation"), ("validation_set", "validation"),
        ("FER2013Valid", "validation"),
        ("test_data", "test"), ("testset", "test"), ("Test Images", "test"), ("eval", "test"),
        ("evaluation_set", "test"), ("held_out", "test"), ("FER2013Test", "test"),
        ("test_tube", None), ("latest", None), ("data", None), ("images", None), ("valley", None),
        ("trainer", None), ("development kit", None), ("device", None), ("contest", None),
    ],
)  # fmt: skip
def test_usual_names_are_splits(name: str, split: str | None) -> None:
    assert split_name(name) == split


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["training_set", "test_set", "dev"], {"train": 8, "validation": 8, "test": 8}),
        (["train", "eval"], {"train": 8, "test": 8}),
        (["train", "eval", "test"], {"train": 8, "validation": 8, "test": 8}),
        (["train_images", "Eval Set", "test_images"], {"train": 8, "validation": 8, "test": 8}),
        (["test_data/train", "test_data/test"], {"train": 8, "test": 8}),
    ],
)
def test_split_folders_by_other_names(
    folders: list[str], expected: dict[str, int], tmp_path: Path
) -> None:
    report = import_source(str(folder(tmp_path / "in", classes(folders))), tmp_path / "out")
    assert report.classes == ("happy", "sad")
    assert counts(PackedDataset.open(tmp_path / "out")) == expected


def test_splits_in_other_languages_are_named_by_the_user(tmp_path: Path) -> None:
    source = str(folder(tmp_path / "in", classes(["entrenamiento", "Prueba"])))
    with pytest.raises(
        DataError,
        match=r"look like splits.*--split-names '?Prueba=test,entrenamiento=train'?",
    ):
        import_source(source, tmp_path / "out")
    import_source(source, tmp_path / "out", split_names=["entrenamiento=train", "prueba=test"])
    assert counts(PackedDataset.open(tmp_path / "out")) == {"train": 8, "test": 8}
    for wrong in ("entrenamiento", "=train", "a=b", "train"):
        with pytest.raises(DataError, match=r"--split-names.*NAME=SPLIT"):
            given_splits([wrong])


# -- no test split --------------------------------------------------------------------------------


def test_a_missing_test_split_is_reported_with_the_way_out(tmp_path: Path) -> None:
    for name, splits, ways in (
        ("none", [""], "import again with --test-share 0.2"),
        ("two", ["train", "val"], "--test-share 0.2 or --test-from validation"),
    ):
        source = folder(tmp_path / name, classes(splits))
        report = import_source(str(source), tmp_path / f"{name}.out")
        (note,) = [note for note in report.found.notes if "no test split" in note]
        assert note.endswith(ways)
    source = folder(tmp_path / "three", classes(["train", "test"]))
    assert import_source(str(source), tmp_path / "three.out").found.notes == ()


def test_pictures_outside_split_folders_are_named(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", [*classes(["train", "test"]), "extra/happy/9"])
    (note,) = import_source(str(source), tmp_path / "out").found.notes
    assert note == "1 picture names no split and is for training (extra/happy)"


def test_validation_becomes_test(tmp_path: Path) -> None:
    source = str(folder(tmp_path / "in", classes(["train", "val"])))
    report = import_source(source, tmp_path / "out", test_from="validation")
    assert report.counts["test"] == {"happy": 4, "sad": 4} and report.counts["validation"] == {}
    assert report.found.notes == ()


@pytest.mark.parametrize(
    ("splits", "options", "message"),
    [
        (["train", "test"], {"test_share": 0.2}, "the source has a test split"),
        (["train", "test"], {"test_from": "validation"}, "the source has a test split"),
        (["train"], {"test_from": "validation"}, "no such split.*--test-share"),
        (["train"], {"test_share": 0.0}, "above 0 and below 1"),
        (["train"], {"test_share": 1.0}, "above 0 and below 1"),
        (["train", "val"], {"test_share": 0.2, "test_from": "validation"}, "cannot be combined"),
    ],
)
def test_options_for_the_test_split_that_do_not_fit_are_refused(
    splits: list[str], options: dict[str, object], message: str, tmp_path: Path
) -> None:
    source = str(folder(tmp_path / "in", classes(splits)))
    with pytest.raises(DataError, match=message):
        import_source(source, tmp_path / "out", **options)  # type: ignore[arg-type]


def test_a_share_of_every_class_is_for_testing_by_seed(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", classes([""], pictures=20))
    zipped = zip_up(source, tmp_path / "in.zip", sorted(source.rglob("*.png"), reverse=True))
    prints = {}
    for name, path, seed in (("a", source, 1), ("b", zipped, 1), ("c", source, 2)):
        report = import_source(str(path), tmp_path / name, test_share=0.2, seed=seed)
        assert report.counts["test"] == {"happy": 4, "sad": 4}
        assert report.counts["train"] == {"happy": 16, "sad": 16}
        prints[name] = report.fingerprint
    assert prints["a"] == prints["b"] != prints["c"]


def test_copies_stay_together_and_validation_is_left(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", classes(["train", "val"], pictures=10))
    for k in range(10):
        for copy in range(k % 3):
            save(source / f"train/happy/copy{copy}_{k}.png", noise(k))
    save(source / "val/happy/also.png", noise(0))
    import_source(str(source), tmp_path / "out", test_share=0.3, seed=3)
    found = PackedDataset.open(tmp_path / "out")
    assert (found.splits == "validation").sum() == 21
    for group in np.unique(found.groups):
        splits = set(found.splits[found.groups == group])
        assert splits <= {"train", "validation"} or splits == {"test"}
    assert cut(found, validation_share=0.2, seed=0).dropped["leaked"] == 0


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("validation/happy/1", "validation/sad/1", "validation/sad/2"), "no training pictures"),
        (("happy/1", "sad/1"), "a single training picture"),
    ],
)
def test_a_share_of_nothing_names_the_reason(
    names: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    for seed, name in enumerate(names):
        save(tmp_path / "in" / f"{name}.png", noise(seed))
    with pytest.raises(DataError, match=reason):
        import_source(str(tmp_path / "in"), tmp_path / "out", test_share=0.2)
