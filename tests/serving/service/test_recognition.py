"""What a replica does with pictures, without Ray."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zlib
from pathlib import Path

import pytest
import torch

from fer_tune.data.pixels import decode
from fer_tune.errors import EnvironmentFault, ModelError
from fer_tune.models.card_file import WEIGHTS
from fer_tune.serving.faces import Deferred
from fer_tune.serving.finding import find_model
from fer_tune.serving.output import json_line
from fer_tune.serving.pictures import Picture
from fer_tune.serving.prediction import FaceReader
from fer_tune.serving.predictor import Predictor
from fer_tune.serving.service.answers import PictureAnswer
from fer_tune.serving.service.backend import Upload
from fer_tune.serving.service.recognition import Recogniser, Recognising, read_model
from tests.models.kept_files import make_model
from tests.serving.service.fakes import png


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("kept") / "resnet18")


def test_a_replica_answers_what_predict_prints(folder: Path) -> None:
    contents = {f"picture {n}": png(seed=n) for n in range(5)}
    recogniser = Recogniser(read_model(folder)[1], Recognising(faces="never", batch=2))
    uploads = [Upload(name=name, content=content) for name, content in contents.items()]
    requests = [uploads[:1], uploads[1:4], [], uploads[4:]]
    found = recogniser.recognise(requests)
    assert [len(one) for one in found] == [1, 3, 0, 1]

    def picture(name: str) -> Picture:
        return Picture(name=name, read=lambda: decode(io.BytesIO(contents[name])))

    predictor = Predictor(find_model(folder), batch_size=2)
    reader = FaceReader(predictor=predictor, detector=Deferred(), mode="never")
    expected = [
        json.loads(json_line(one, predictor.classes)) for one in reader.read(map(picture, contents))
    ]
    for document, wanted in zip([one for row in found for one in row], expected, strict=True):
        PictureAnswer.model_validate(document, extra="forbid")
        own, theirs = (
            document["faces"][0].pop("probabilities"),
            wanted["faces"][0].pop("probabilities"),
        )
        assert own == pytest.approx(theirs, abs=1e-5)
        assert document["faces"][0].pop("probability") == pytest.approx(
            wanted["faces"][0].pop("probability"), abs=1e-5
        )
        assert document == wanted


def bomb(side: int) -> bytes:
    """A PNG of some hundred bytes that declares ``side`` × ``side`` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (bomb(30_000), "declares more than 1,000,000 pixels"),
        (bomb(1_001), "declares more than 1,000,000 pixels"),
        (b"GIF89a", "not an image"),
        (png()[:200], "damaged"),
        (b"", "empty"),
    ],
)
def test_a_bad_picture_is_an_error_beside_good_ones(
    folder: Path, content: bytes, error: str
) -> None:
    settings = Recognising(faces="never", pixels=1_000_000)
    recogniser = Recogniser(read_model(folder)[1], settings)
    good, bad = Upload(name="good", content=png()), Upload(name="bad", content=content)
    (first,), (second, third) = recogniser.recognise([[bad], [good, bad]])
    assert error in first["error"] and first["faces"] == [] and third["error"] == first["error"]
    assert second["error"] is None and len(second["faces"]) == 1


def test_a_model_that_was_read_needs_its_folder_no_more(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    _, files = read_model(copy)
    shutil.rmtree(copy)
    recogniser = Recogniser(files, Recognising(faces="never"))
    assert recogniser.recognise([[Upload(name="a", content=png())]])[0][0]["faces"]


def test_a_model_without_weights_or_with_others_is_one_message(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        read_model(tmp_path / "none")
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    (copy / WEIGHTS).write_bytes(b"other")
    with pytest.raises(ModelError, match="is damaged"):
        Recogniser(read_model(copy)[1], Recognising(faces="never"))
    (copy / WEIGHTS).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(copy)


def test_a_gpu_that_torch_cannot_use_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init() -> None:
        raise RuntimeError("Found no NVIDIA driver on your system.\nPlease check")

    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(EnvironmentFault) as raised:
        Recogniser(read_model(folder)[1], Recognising(faces="never", gpus=0.5))
    text = str(raised.value)
    assert text.startswith("--gpus on ") and "Found no NVIDIA driver" in text
    assert "(got 0.5)" in text and "fer-tune doctor" in text and "resources.gpu" not in text
