"""Predictions are those of the search: the same preprocessing, the same probabilities."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import fer_tune
from fer_tune.data.pixels import Pixels, canonical, decode
from fer_tune.errors import DataError, EnvironmentFault
from fer_tune.models.card import Preprocessing
from fer_tune.models.kept import open_model
from fer_tune.serving.predictor import Predictor, evaluation_view
from tests.models.kept_files import make_model

RNG = np.random.default_rng(0)


def picture(height: int, width: int, channels: int = 1) -> Pixels:
    return RNG.integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("kept") / "resnet18")


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return Predictor(open_model(folder))


def test_inputs_are_the_pictures_that_training_sees(make: Any) -> None:
    """Tensor by tensor, from the files on: what a run's validation and ours are given."""
    run = make()
    positions = run.split.validation
    prepared = Preprocessing(
        max_side=256, channels=1, resize_ratio=run.context.resize_ratio, crop_size=32
    )
    ours = evaluation_view([run.dataset.picture(int(p)) for p in positions], prepared)
    assert torch.equal(ours, run.pictures(positions, None))


def test_a_file_becomes_what_an_import_makes_of_it(tmp_path: Path) -> None:
    """Large, grey stored as colour, and colour: reduced, made grey, resized, cropped."""
    colour = Image.fromarray(picture(300, 400, 3))
    prepared = Preprocessing(max_side=64, channels=1, resize_ratio=1.0, crop_size=32)
    for mode in ("L", "RGB"):
        path = tmp_path / f"{mode}.png"
        colour.convert("L").convert(mode).save(path)
        decoded = decode(io.BytesIO(path.read_bytes()))
        packed = canonical(decoded, 64)
        assert packed.shape == (48, 64, 1)
        wanted = evaluation_view([packed], prepared)
        assert torch.equal(evaluation_view([decoded], prepared), wanted)
    seen = evaluation_view([np.asarray(colour)], prepared)
    assert seen.shape == (1, 1, 32, 32)
    assert torch.equal(
        evaluation_view([np.asarray(colour)], prepared.model_copy(update={"max_side": 400})),
        evaluation_view(
            [np.asarray(colour.convert("L"))[:, :, None]],
            prepared.model_copy(update={"max_side": 400}),
        ),
    )


def test_pictures_of_any_size_and_colour_in_any_batch_give_the_same(folder: Path) -> None:
    faces = [picture(48, 48), picture(20, 31), picture(300, 10, 3), picture(1, 1), picture(48, 48)]
    one_by_one = Predictor(open_model(folder), batch_size=1)
    together = Predictor(open_model(folder), batch_size=4).probabilities(faces)
    alone = np.concatenate([one_by_one.probabilities([face]) for face in faces])
    assert together.shape == (5, 6) and together.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(together - alone).max() < 1e-5
    assert one_by_one.probabilities([]).shape == (0, 6)


def test_calibration_divides_the_logits_by_the_temperature(predictor: Predictor) -> None:
    faces = [picture(48, 48) for _ in range(4)]
    logits = torch.from_numpy(predictor.logits(faces))
    calibrated, own = (predictor.probabilities(faces, calibrated=on) for on in (True, False))
    assert np.allclose(own, logits.softmax(1).numpy())
    assert np.allclose(calibrated, (logits / 1.5).softmax(1).numpy())
    assert (own.argmax(1) == calibrated.argmax(1)).all()
    assert (own.max(1) > calibrated.max(1)).all()


def test_from_python_paths_arrays_and_images_are_alike(folder: Path, tmp_path: Path) -> None:
    face = picture(48, 48)
    image = Image.fromarray(face[:, :, 0])
    image.save(tmp_path / "face.png")
    model = fer_tune.load_model(str(folder))
    given = [tmp_path / "face.png", str(tmp_path / "face.png"), face, face[:, :, 0], image]
    found = model.predict(given, faces="never")
    assert list(found.columns[:2]) == ["picture", "face"] and len(found) == 5
    assert list(found.columns[-6:]) == list(model.classes)
    assert found[list(model.classes)].to_numpy() == pytest.approx(
        np.repeat(model.probabilities([face]), 5, axis=0), abs=1e-6
    )
    assert (found["expression"] == found["expression"][0]).all()
    assert (found["uncertain"] == (found["probability"] < 0.5)).all()
    assert model.predict([], faces="never").dtypes.equals(found.dtypes)


def test_from_python_one_picture_is_as_good_as_a_list_of_one(folder: Path, tmp_path: Path) -> None:
    face = picture(48, 48)
    Image.fromarray(face[:, :, 0]).save(tmp_path / "face.png")
    model = fer_tune.load_model(str(folder))
    for one in (
        face,
        str(tmp_path / "face.png"),
        tmp_path / "face.png",
        Image.open(tmp_path / "face.png"),
    ):
        assert len(model.predict(one, faces="never")) == 1
    with pytest.raises(DataError, match="must be one of auto, always, never"):
        model.predict(face, faces="Never")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        "nowhere.png",
        "a\0b",
        [[1], [2, 3]],
        3,
        np.zeros((4, 4)),
        np.zeros((4, 4, 2), np.uint8),
        None,
        b"x",
    ],
)
def test_from_python_anything_else_is_an_error(predictor: Predictor, given: object) -> None:
    with pytest.raises(DataError):
        predictor.predict([given], faces="never")


@pytest.mark.parametrize("device", ["cuda:9", "tpu", "cpu:x", "meta"])
def test_a_device_that_is_not_there(folder: Path, device: str) -> None:
    with pytest.raises(EnvironmentFault, match="no such device here"):
        Predictor(open_model(folder), device=device)


def test_a_model_trained_in_bfloat16_predicts_where_there_is_none(tmp_path: Path) -> None:
    faces = [picture(48, 48) for _ in range(3)]
    single = Predictor(open_model(make_model(tmp_path / "a"))).probabilities(faces)
    half = Predictor(open_model(make_model(tmp_path / "b", precision="bfloat16")))
    assert np.abs(half.probabilities(faces) - single).max() < 0.05
