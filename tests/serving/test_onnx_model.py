"""ONNX files as models: the same probabilities, and what is said of files that are not ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from fer_tune.data import PackedDataset
from fer_tune.errors import EnvironmentFault, ModelError, UserError
from fer_tune.models.network import Normalise
from fer_tune.serving.onnx_model import OnnxModel
from fer_tune.serving.predictor import evaluation_view
from tests.serving.onnx_files import FLOAT, linear_model, linear_weights
from tests.serving.trained import Trained

pytest.importorskip("onnx", reason="makes ONNX files with onnx")
pytest.importorskip("onnxruntime", reason="runs ONNX files with onnxruntime")

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def wanted(trained: Trained, pictures: torch.Tensor, output: str = "logits") -> np.ndarray:
    """What a file of :func:`linear_model` must give for uint8 ``pictures`` (n, c, h, w)."""
    weights = torch.from_numpy(linear_weights(3, len(trained.card.classes)))
    logits = Normalise()(pictures).mean(dim=(2, 3)) @ weights
    temperature = trained.card.temperature if output == "logits" else 1.0
    return (logits / temperature).softmax(dim=1).numpy()


@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_probabilities_are_those_of_the_network(
    faces: PackedDataset, trained: Trained, tmp_path: Path, output: str
) -> None:
    model = OnnxModel(linear_model(tmp_path / "m.onnx", trained.card, output=output), batch_size=3)
    pixels = [faces.picture(i) for i in range(7)]
    inputs = model.inputs(pixels)
    assert torch.equal(inputs, evaluation_view(pixels, trained.card.preprocessing))
    assert np.abs(model.probabilities(pixels) - wanted(trained, inputs, output)).max() < 1e-5
    assert np.array_equal(model.probabilities_of(inputs), model.probabilities(pixels))
    assert model.classes == tuple(trained.card.classes) and model.device == "cpu"
    assert model.probabilities([]).shape == (0, len(model.classes))


def test_pictures_of_any_size_are_given_as_they_are(
    faces: PackedDataset, trained: Trained, tmp_path: Path
) -> None:
    model = OnnxModel(linear_model(tmp_path / "m.onnx", trained.card, inside=True), batch_size=2)
    rng = np.random.default_rng(0)
    sizes = [(40, 30), (20, 20), (40, 30), (9, 50), (40, 30)]
    pixels = [rng.integers(0, 256, (*size, faces.channels), dtype=np.uint8) for size in sizes]
    found = model.probabilities(pixels)
    for one, row in zip(pixels, found, strict=True):
        tensor = torch.from_numpy(one).permute(2, 0, 1)[None]
        assert np.abs(row - wanted(trained, tensor)[0]).max() < 1e-5
    assert model.probabilities([]).shape == (0, len(model.classes))
    with pytest.raises(UserError, match="crops pictures itself"):
        model.probabilities_of(model.inputs(pixels))


def refused(file: Path) -> str:
    with pytest.raises(ModelError) as error:
        OnnxModel(file)
    message = str(error.value)
    assert str(file) in message and "\n" not in message
    return message


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\x89PNG\r\n", b"\x08\x09" * 50])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    assert "not an ONNX file exported by fer-tune" in refused(tmp_path / "m.onnx")


def test_a_truncated_file_is_refused(trained: Trained, tmp_path: Path) -> None:
    file = linear_model(tmp_path / "m.onnx", trained.card)
    file.write_bytes(file.read_bytes()[:-200])
    assert "not an ONNX file exported by fer-tune" in refused(file)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        assert "cannot be read" in refused(path)


CARDS: dict[str, tuple[Any, str]] = {
    "none": ({}, "not an ONNX file exported by fer-tune"),
    "no_json": ({"fer_tune.card": "{"}, "fer_tune.card: truncated or not valid JSON"),
    "a_list": ({"fer_tune.card": "[]"}, "schema version None"),
    "newer": ({"fer_tune.card": '{"schema_version": 99}'}, "schema version 99"),
    "true": ({"fer_tune.card": '{"schema_version": true}'}, "schema version True"),
    "lacking": ({"fer_tune.card": '{"schema_version": 1}'}, "is missing"),
}


@pytest.mark.parametrize("case", CARDS)
def test_files_with_other_metadata_are_refused(trained: Trained, tmp_path: Path, case: str) -> None:
    metadata, message = CARDS[case]
    assert message in refused(linear_model(tmp_path / "m.onnx", trained.card, metadata=metadata))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "input"}, "its input must be pictures"),
        ({"output": "scores"}, "its output probabilities or logits"),
        ({"crop": 48}, "its input must be tensor(uint8) (n, "),
        ({"kind": FLOAT}, "its input must be tensor(uint8) (n, "),
    ],
)
def test_files_that_contradict_their_card_are_refused(
    trained: Trained, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    assert message in refused(linear_model(tmp_path / "m.onnx", trained.card, **changes))


@pytest.mark.parametrize("inside", [True, False])
def test_metadata_that_contradicts_the_input_is_refused(
    trained: Trained, tmp_path: Path, inside: bool
) -> None:
    metadata = {
        "fer_tune.card": trained.card.model_dump_json(),
        "fer_tune.preprocessing": "outside" if inside else "inside",
    }
    file = linear_model(tmp_path / "m.onnx", trained.card, inside=inside, metadata=metadata)
    assert "as its card says" in refused(file)


def test_another_number_of_outputs_is_refused(
    faces: PackedDataset, trained: Trained, tmp_path: Path
) -> None:
    model = OnnxModel(linear_model(tmp_path / "m.onnx", trained.card, classes=2))
    with pytest.raises(ModelError, match="one per class"):
        model.probabilities([faces.picture(0)])


def test_the_card_may_hold_any_letters(trained: Trained, tmp_path: Path) -> None:
    card = trained.card.model_copy(update={"intended_use": "Gesichter – 顔"})
    metadata = {
        "fer_tune.card": json.dumps(card.model_dump(mode="json"), ensure_ascii=False),
    }
    model = OnnxModel(linear_model(tmp_path / "m.onnx", card, metadata=metadata))
    assert model.card == card


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "cuda:", "cuda:x", "cpu:7", "abacus", "CPU"])
def test_a_device_that_is_not_here_is_refused(
    trained: Trained, tmp_path: Path, device: str
) -> None:
    import onnxruntime

    if device in ("cuda", "cuda:1") and CUDA in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    file = linear_model(tmp_path / "m.onnx", trained.card)
    with pytest.raises(EnvironmentFault, match="--device: onnxruntime has no such device here"):
        OnnxModel(file, device=device)


class FakeRuntime(ModuleType):
    """onnxruntime with ``gpus`` GPUs; one without CUDA's libraries quietly uses the CPU.

    Its sessions are those of the CPU.
    """

    def __init__(self, gpus: int, *, libraries: bool = True) -> None:
        import onnxruntime

        super().__init__("onnxruntime")
        self._real, self._gpus, self._libraries = onnxruntime, gpus, libraries
        self.SessionOptions = onnxruntime.SessionOptions
        #: Provider and its settings of every session.
        self.opened: list[Any] = []

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]

    def InferenceSession(
        self, content: bytes, options: Any, *, providers: list[Any], enable_fallback: int
    ) -> Any:
        assert enable_fallback == 0
        self.opened += providers
        (name, settings), session = (
            providers[0],
            self._real.InferenceSession(content, options, providers=[CPU]),
        )
        if name == CUDA and settings["device_id"] >= self._gpus:
            raise RuntimeError("CUDA failure 101: invalid device ordinal")
        names = [name] if self._libraries else [CPU]
        session.get_providers = lambda: names
        return session


@pytest.mark.parametrize(("device", "number"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_the_gpu_of_that_number_is_used(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, number: int
) -> None:
    runtime = FakeRuntime(gpus=2)
    file = linear_model(tmp_path / "m.onnx", trained.card)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    assert OnnxModel(file, device=device).device == device
    assert runtime.opened == [(CUDA, {"device_id": number})]


@pytest.mark.parametrize("runtime", ["one GPU", "no libraries"])
def test_a_gpu_that_is_not_here_is_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    file = linear_model(tmp_path / "m.onnx", trained.card)
    fake = FakeRuntime(gpus=1 if runtime == "one GPU" else 2, libraries=runtime == "one GPU")
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    with pytest.raises(EnvironmentFault, match="--device: onnxruntime has no such device here"):
        OnnxModel(file, device="cuda:1")
    file.write_bytes(b"not onnx")
    with pytest.raises(ModelError, match="not an ONNX file exported by fer-tune"):
        OnnxModel(file, device="cuda:1")
