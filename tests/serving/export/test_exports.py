"""Exported models compute what PyTorch computes, and the check sees when they do not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_tune.data import PackedDataset, cut
from fer_tune.errors import EnvironmentFault, ModelError, UserError
from fer_tune.models.kept import KeptModel
from fer_tune.scores import confusion, macro_f1
from fer_tune.serving.evaluation import labelled
from fer_tune.serving.export import onnx_file, torchscript, whole
from fer_tune.serving.export.checking import LIMIT, check, refuse_different
from fer_tune.serving.export.graph import (
    Exported,
    Variant,
    resized_by_products,
    resized_by_torch,
)
from fer_tune.serving.export.onnx_file import OnnxRunner, to_onnx
from fer_tune.serving.export.pictures import decoded, inputs_of, made_pictures, search_pictures
from fer_tune.serving.export.torchscript import TorchScriptRunner, to_torchscript
from fer_tune.serving.export.whole import Format, make
from fer_tune.serving.predictor import Predictor
from tests.models.smallest import SMALLEST
from tests.serving.export.tiny import tiny_model
from tests.serving.small_models import CLASSES, small_model

pytestmark = pytest.mark.slow

onnx = pytest.importorskip("onnx", reason="ONNX files need the extra onnx")
pytest.importorskip("onnxscript", reason="ONNX files need the extra onnx")
pytest.importorskip("onnxruntime", reason="ONNX files need the extra onnx")

Runner = OnnxRunner | TorchScriptRunner
VARIANTS: list[Variant] = ["outside", "inside"]


def runner(kind: str, kept: KeptModel, variant: Variant) -> Runner:
    if kind == "onnx":
        return OnnxRunner(to_onnx(kept, variant))
    return TorchScriptRunner(to_torchscript(kept, variant))


@pytest.fixture(scope="module")
def runners() -> Callable[[str, Variant, int], tuple[KeptModel, Runner]]:
    made: dict[tuple[str, Variant, int], tuple[KeptModel, Runner]] = {}

    def get(kind: str, variant: Variant, channels: int) -> tuple[KeptModel, Runner]:
        key = (kind, variant, channels)
        if key not in made:
            kept = tiny_model(channels)
            made[key] = kept, runner(kind, kept, variant)
        return made[key]

    return get


# -- the resize -------------------------------------------------------------------------------

SIZES = [(1, 1), (2, 3), (48, 48), (20, 200), (300, 256), (27, 27), (64, 40), (640, 480)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [27, 55, 73, 256])
def test_products_resize_as_training_does(size: tuple[int, int], side: int) -> None:
    pictures = torch.randint(0, 256, (2, 3, *size), generator=torch.Generator().manual_seed(1))
    wanted = resized_by_torch(pictures.float(), side)
    found = resized_by_products(pictures.float(), side)
    assert (found - wanted).abs().max() < 5e-4  # grey levels


def test_side_is_that_of_training() -> None:
    prepared = tiny_model().card.preprocessing
    assert prepared.resized_side == round(24 * 1.14)
    assert prepared.model_copy(update={"resize_ratio": 1.0}).resized_side == 24


# -- agreement --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_any_number_of_pictures(
    runners: Callable[[str, Variant, int], tuple[KeptModel, Runner]],
    kind: str,
    variant: Variant,
    channels: int,
    count: int,
) -> None:
    kept, run = runners(kind, variant, channels)
    rng = np.random.default_rng(count)
    pictures = list(rng.integers(0, 256, (count, 50, 37, channels), dtype=np.uint8))
    logits, probabilities = run(inputs_of(pictures, kept.card.preprocessing, variant))
    predictor = Predictor(kept, device="cpu")
    np.testing.assert_allclose(logits, predictor.logits(pictures), atol=1e-4)
    np.testing.assert_allclose(probabilities, predictor.probabilities(pictures), atol=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
@pytest.mark.parametrize("size", SIZES[:5])
def test_any_size_of_pictures(
    runners: Callable[[str, Variant, int], tuple[KeptModel, Runner]],
    kind: str,
    size: tuple[int, int],
) -> None:
    kept, run = runners(kind, "inside", 1)
    # Larger pictures than max_side are reduced by inputs_of, as the caller has to.
    picture = np.random.default_rng(0).integers(0, 256, (*size, 1), dtype=np.uint8)
    found = run(inputs_of([picture], kept.card.preprocessing, "inside"))[1]
    wanted = Predictor(kept, device="cpu").probabilities([picture])
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("name", SMALLEST)
def test_real_networks_as_torchscript(name: str) -> None:
    made = make(small_model(name), "torchscript", variant="inside", dataset=None)
    assert made.check.passed and made.check.equal_top == 1
    assert made.check.probability < 1e-5 and made.check.pictures == 64


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), [("resnet18", "outside"), ("densenet121", "inside")])
def test_real_networks_as_onnx(name: str, variant: Variant) -> None:
    made = make(small_model(name), "onnx", variant=variant, dataset=None)
    assert made.check.passed and made.check.probability < 1e-4
    # Room to spare: what remains is rounding, far below a wrong normalisation.
    assert made.check.logit < made.check.logit_limit / 3


# -- errors that the check must see ---------------------------------------------------------------


def spoilt(change: Callable[[nn.Module], object]) -> type[Exported]:
    """The exported module with an error in its normalisation, leaving the model as it is."""

    class Spoilt(Exported):
        def __init__(self, kept: KeptModel, resize: Callable[[Tensor, int], Tensor] | None) -> None:
            super().__init__(kept, resize)
            wrong = type(kept.network[0])()
            change(wrong)
            self.network = nn.Sequential(wrong, *list(kept.network)[1:])

    return Spoilt


WRONG = {
    "std 1 % too large": lambda m: m.std.mul_(1.01),
    "std 1 % too small": lambda m: m.std.mul_(0.99),
    "mean 1 % too large": lambda m: m.mean.mul_(1.01),
    "mean 1 % too small": lambda m: m.mean.mul_(0.99),
    "std of one channel": lambda m: m.std[:, 1].mul_(1.01),
    "mean of one channel": lambda m: m.mean[:, 2].mul_(1.01),
    "channels swapped": lambda m: m.mean.copy_(m.mean.flip(1)),
}


@pytest.mark.parametrize("error", WRONG)
@pytest.mark.parametrize("contrast", [1.0, 1e-3])
def test_a_wrong_normalisation_is_seen(error: str, contrast: float) -> None:
    """Also of a model that gives all pictures nearly the same probabilities."""
    kept = tiny_model(contrast=contrast)
    wrong = spoilt(WRONG[error])(kept, None)

    def run(pictures: Tensor) -> tuple[np.ndarray, np.ndarray]:
        logits, probabilities = wrong(pictures)
        return logits.numpy(), probabilities.numpy()

    pictures = made_pictures(kept.card.preprocessing)
    assert not check(kept, run, pictures, "outside").passed


@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_an_export_with_a_wrong_normalisation_is_refused(
    monkeypatch: pytest.MonkeyPatch, kind: Format
) -> None:
    kept = tiny_model(contrast=1e-3)
    for module in (onnx_file, torchscript):
        monkeypatch.setattr(module, "Exported", spoilt(WRONG["std 1 % too large"]))
    with pytest.raises(ModelError, match=r"differs from PyTorch: a logit .* Nothing was written"):
        make(kept, kind, variant="outside", dataset=None)


def test_probabilities_alone_would_not_have_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tiny_model(contrast=1e-3)
    monkeypatch.setattr(torchscript, "Exported", spoilt(WRONG["std 1 % too large"]))
    run = runner("torchscript", kept, "outside")
    found = check(kept, run, made_pictures(kept.card.preprocessing), "outside")
    assert found.probability < LIMIT and not found.passed


@pytest.mark.parametrize("network", ["resnet18", "densenet121"])
def test_a_wrong_normalisation_of_real_networks_is_refused(
    monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    monkeypatch.setattr(torchscript, "Exported", spoilt(WRONG["std 1 % too large"]))
    with pytest.raises(ModelError, match="differs from PyTorch"):
        make(small_model(network), "torchscript", variant="outside", dataset=None)


@pytest.mark.parametrize("wrong", ["temperature", "resize", "crop", "not a number", "no batches"])
def test_other_errors_are_refused(wrong: str) -> None:
    kept = tiny_model()
    right = Exported(kept, resized_by_torch)

    def run(pictures: Tensor) -> tuple[np.ndarray, np.ndarray]:
        if wrong == "no batches" and len(pictures) > 2:
            raise RuntimeError("expected 2 pictures")
        if wrong == "crop":
            pictures = pictures.roll(1, dims=3)
        module = Exported(kept, nearest) if wrong == "resize" else right
        logits, probabilities = (found.numpy() for found in module(pictures))
        if wrong == "temperature":
            probabilities = torch.from_numpy(logits).softmax(dim=1).numpy()
        return (logits * np.nan if wrong == "not a number" else logits), probabilities

    def nearest(pictures: Tensor, side: int) -> Tensor:
        return nn.functional.interpolate(pictures, (side, side), mode="bilinear")

    with pytest.raises(ModelError, match=r"differs from PyTorch|does not run on 7 pictures"):
        found = check(kept, run, made_pictures(kept.card.preprocessing), "inside")
        refuse_different(found, "made-up")


def test_made_pictures_are_the_same_every_time_and_differ_much() -> None:
    prepared = tiny_model(3).card.preprocessing
    first, second = made_pictures(prepared), made_pictures(prepared)
    assert all(map(np.array_equal, first, second)) and len(first) == 64
    assert {one.shape[2] for one in first} == {3}
    means = [float(one.mean()) for one in first]
    assert min(means) < 1 and max(means) > 190


# -- files ------------------------------------------------------------------------------------


def test_an_onnx_file_has_card_classes_and_no_paths() -> None:
    kept = tiny_model()
    content = to_onnx(kept, "inside")
    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto)
    props = {prop.key: prop.value for prop in proto.metadata_props}
    assert json.loads(props["fer_tune.card"]) == kept.card.model_dump(mode="json")
    assert json.loads(props["fer_tune.classes"]) == CLASSES
    assert props["fer_tune.preprocessing"] == "inside"
    assert [one.name for one in proto.graph.input] == ["pictures"]
    assert [one.name for one in proto.graph.output] == ["logits", "probabilities"]
    assert b"/fer_tune/" not in content and b".py" not in content
    assert to_onnx(kept, "inside") == content


def test_a_torchscript_file_has_card_and_classes() -> None:
    import io

    kept = tiny_model()
    extra = {"card.json": "", "classes.json": "", "preprocessing": ""}
    content = io.BytesIO(to_torchscript(kept, "outside"))
    with torchscript._deprecated():
        torch.jit.load(content, _extra_files=extra)
    assert json.loads(extra["card.json"]) == kept.card.model_dump(mode="json")
    assert json.loads(extra["classes.json"]) == CLASSES
    assert extra["preprocessing"] in ("outside", b"outside")


@pytest.mark.parametrize("module", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_library_is_reported_before_the_work(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(onnx_file, "Exported", None)  # would raise TypeError
    with pytest.raises(EnvironmentFault, match=f"{module} is not installed"):
        to_onnx(tiny_model(), "outside")


# -- the pictures of the search -----------------------------------------------------------------


def of_search(faces: PackedDataset) -> KeptModel:
    rules = {"validation_share": 0.2, "split_seed": 0, "leaks": "drop", "conflicts": "drop"}
    return tiny_model(
        dataset={"fingerprint": faces.fingerprint, "splits": rules}, classes=list(faces.classes)
    )


def test_pictures_are_those_of_the_search(faces: PackedDataset) -> None:
    card = of_search(faces).card
    split = cut(faces, validation_share=0.2, seed=0)
    every = search_pictures(faces, card, "validation", len(faces))
    assert len(every) == len(split.validation)
    wanted = [faces.picture(int(position)) for position in split.validation]
    assert all(map(np.array_equal, every, wanted))
    some = search_pictures(faces, card, "train", 5)
    assert len(some) == 5
    assert all(map(np.array_equal, some, search_pictures(faces, card, "train", 5)))
    with pytest.raises(UserError, match="not the dataset of the model's search"):
        search_pictures(faces, tiny_model().card, "validation", 5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_validation_pictures_are_decoded_in_batches(
    faces: PackedDataset, monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    """And every one counts: two models that differ on some pictures have the scores of those."""
    kept = of_search(faces)
    sizes: list[int] = []

    def noting(dataset: PackedDataset, positions: np.ndarray) -> list[np.ndarray]:
        sizes.append(len(positions))
        return decoded(dataset, positions)

    monkeypatch.setattr(whole, "_BATCH", 4)
    monkeypatch.setattr(whole, "decoded", noting)

    def run(pictures: Tensor) -> tuple[np.ndarray, np.ndarray]:
        module = Exported(kept, resized_by_torch if variant == "inside" else None)
        logits, probabilities = (found.numpy() for found in module(pictures))
        return logits, probabilities

    def other(pictures: Tensor) -> tuple[np.ndarray, np.ndarray]:
        return run(pictures.flip(3) // 2)

    found = whole._scored(run, other, faces, kept.card, variant, 7)
    positions = labelled(faces, "validation", kept.card).positions
    assert max(sizes) <= 4 and sum(sizes) == len(positions) == found.pictures

    def named(runner: Callable[[Tensor], tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        each = [inputs_of([p], kept.card.preprocessing, variant) for p in decoded(faces, positions)]
        return np.array([runner(one)[0].argmax() for one in each])

    labels, classes = faces.labels[positions], len(faces.classes)
    before, after = named(run), named(other)
    assert found.before == pytest.approx(macro_f1(confusion(labels, before, classes)))
    assert found.after == pytest.approx(macro_f1(confusion(labels, after, classes)))
    assert found.equal_top == pytest.approx(float((before == after).mean()))
