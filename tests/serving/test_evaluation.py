"""Evaluating a kept model: the search's own scores, splits, classes, test-time augmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from fer_tune.data import PackedDataset, cut, import_source
from fer_tune.errors import DataError, ModelError, UserError
from fer_tune.models.card import Card
from fer_tune.serving.evaluation import class_places, labelled, probabilities_on
from fer_tune.serving.finding import find_model
from fer_tune.serving.predictor import Predictor
from fer_tune.serving.test_time import check_room, crops
from tests.serving.picture_folders import picture_folder
from tests.serving.trained import SHARE, Trained


@pytest.fixture(scope="module")
def predictor(trained: Trained) -> Predictor:
    return Predictor(find_model(trained.folder), device="cpu", batch_size=7)


def softmax(trained: Trained, logits: np.ndarray) -> np.ndarray:
    return (torch.from_numpy(logits) / trained.card.temperature).softmax(dim=1).numpy()


def with_dataset(trained: Trained, **changes: object) -> Card:
    """The card of ``trained`` with another section ``dataset``."""
    dataset = trained.card.dataset.model_copy(update=changes)
    return trained.card.model_copy(update={"dataset": dataset})


def test_the_test_split_is_scored_as_by_the_search(
    faces: PackedDataset, trained: Trained, predictor: Predictor
) -> None:
    pictures = labelled(faces, "test", predictor.card)
    split = trained.run.split
    assert np.array_equal(pictures.positions, split.test)
    assert np.array_equal(pictures.clean, ~(split.leaked | split.conflicting)[split.test])
    seen: list[int] = []
    places = class_places(predictor.classes, faces, "model")
    found = probabilities_on(
        predictor, faces, pictures.positions, places=places, advance=seen.append
    )
    assert np.abs(found - softmax(trained, trained.test_logits)).max() < 1e-5
    assert sum(seen) == len(found) and max(seen) == 7


@pytest.mark.parametrize("name", ["train", "validation"])
def test_other_splits_are_those_of_the_models_search(
    faces: PackedDataset, trained: Trained, name: str
) -> None:
    found = labelled(faces, name, trained.card)  # type: ignore[arg-type]
    assert np.array_equal(found.positions, getattr(trained.run.split, name))
    rules = trained.card.dataset.splits.model_copy(update={"split_seed": 1})
    other = with_dataset(trained, splits=rules)
    again = cut(faces, validation_share=SHARE, seed=1)
    moved = labelled(faces, name, other).positions  # type: ignore[arg-type]
    assert np.array_equal(moved, getattr(again, name))
    assert not np.array_equal(moved, found.positions)


@pytest.mark.parametrize("name", ["train", "validation"])
def test_other_splits_of_another_dataset_are_refused(
    faces: PackedDataset, trained: Trained, name: str
) -> None:
    other = with_dataset(trained, fingerprint="0" * 64)
    with pytest.raises(UserError, match=rf"--data .*not have the {name} split .*\(got"):
        labelled(faces, name, other)  # type: ignore[arg-type]
    assert len(labelled(faces, "test", other).positions)


def test_a_split_without_pictures_is_refused(faces: PackedDataset) -> None:
    with pytest.raises(DataError, match="no validation pictures"):
        labelled(faces, "validation")


def test_clean_leaves_out_leaks_and_conflicts(tmp_path: Path) -> None:
    classes = ("fear", "happy", "surprise")
    folder = picture_folder(tmp_path / "source", classes)
    copies = {
        "test/fear/leak.png": "train/fear/tr-fear-0.png",
        "test/fear/conflict.png": "test/happy/te-happy-0.png",
    }
    for copy, original in copies.items():
        (folder / copy).write_bytes((folder / original).read_bytes())
    import_source(str(folder), tmp_path / "packed")
    dataset = PackedDataset.open(tmp_path / "packed")
    found = labelled(dataset, "test")
    names = dataset.origins[found.positions[~found.clean]]
    assert sorted(names) == [
        "test/fear/conflict.png",
        "test/fear/leak.png",
        "test/happy/te-happy-0.png",
    ]


def test_probabilities_follow_the_datasets_order_of_classes(
    faces: PackedDataset, predictor: Predictor
) -> None:
    turned = list(reversed(faces.classes))
    assert class_places(turned, faces, "model") == list(reversed(range(len(turned))))
    some = labelled(faces, "test").positions[:3]
    straight = probabilities_on(predictor, faces, some, places=range(len(turned)))
    other = probabilities_on(predictor, faces, some, places=class_places(turned, faces, "model"))
    assert np.array_equal(other, straight[:, ::-1]) and not np.allclose(other, straight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda names: names[1:], "lacks"),
        (lambda names: [*names, "contempt"], "also has contempt"),
        (lambda names: ["bored", *names[1:]], "lacks angry and also has bored"),
    ],
)
def test_other_classes_are_refused(faces: PackedDataset, change: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        class_places(change(list(faces.classes)), faces, "model")  # type: ignore[operator]


# -- test-time augmentation -------------------------------------------------------------------


def test_the_first_crop_is_the_evaluation_view(faces: PackedDataset, predictor: Predictor) -> None:
    pixels = [faces.picture(i) for i in range(4)]
    prepared = predictor.card.preprocessing
    for kind, number in (("none", 1), ("flip", 2), ("ten-crop", 10)):
        views = crops(kind, pixels, prepared)  # type: ignore[arg-type]
        assert len(views) == number
        assert torch.equal(views[0], predictor.inputs(pixels))
        assert all(v.shape == views[0].shape and v.dtype == torch.uint8 for v in views)


def test_ten_crops_are_corners_and_centre_each_mirrored(
    faces: PackedDataset, predictor: Predictor
) -> None:
    pixels, prepared = [faces.picture(0)], predictor.card.preprocessing
    crop, side = prepared.crop_size, round(prepared.crop_size * prepared.resize_ratio)
    assert side > crop
    raw = torch.from_numpy(pixels[0]).permute(2, 0, 1)[None].float()
    resized = functional.interpolate(raw, (side, side), mode="bilinear", antialias=True)
    whole = resized.round().clamp(0, 255).to(torch.uint8)
    views = crops("ten-crop", pixels, prepared)
    far = side - crop
    corners = [(0, 0), (0, far), (far, 0), (far, far)]
    for view, (top, left) in zip(views[1:5], corners, strict=True):
        assert torch.equal(view, whole[:, :, top : top + crop, left : left + crop])
    for view, mirrored in zip(views[:5], views[5:], strict=True):
        assert torch.equal(view.flip(3), mirrored)
    assert not any(torch.equal(views[0], view) for view in views[1:])


@pytest.mark.parametrize("kind", ["flip", "ten-crop"])
def test_probabilities_are_the_mean_over_crops(
    faces: PackedDataset, predictor: Predictor, kind: str
) -> None:
    some = np.arange(5)
    found = probabilities_on(
        predictor,
        faces,
        some,
        places=range(len(faces.classes)),
        tta=kind,  # type: ignore[arg-type]
    )
    pixels = [faces.picture(int(i)) for i in some]
    views = crops(kind, pixels, predictor.card.preprocessing)  # type: ignore[arg-type]
    each = np.stack([predictor.probabilities_of(view) for view in views])
    assert np.abs(found - each.mean(axis=0)).max() < 1e-6
    assert np.abs(found - each[0]).max() > 1e-4
    assert np.allclose(found.sum(axis=1), 1)


def test_ten_crops_without_room_are_refused(trained: Trained) -> None:
    tight = trained.card.preprocessing.model_copy(update={"resize_ratio": 1.01})
    with pytest.raises(UserError, match="--tta: pictures are resized to 32 pixels"):
        check_room("ten-crop", tight)
    check_room("flip", tight)
    check_room("ten-crop", tight.model_copy(update={"resize_ratio": 1.04}))
