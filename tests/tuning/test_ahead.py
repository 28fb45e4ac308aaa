"""What is imported when: Ray starts before torch and Ray Tune are imported."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fer_tune.data import PackedDataset
from fer_tune.errors import UserError
from fer_tune.training.device.precision import PrecisionChoice
from fer_tune.tuning import precision
from fer_tune.tuning.ahead import prepare_ahead
from fer_tune.tuning.options import SearchOptions
from tests.tuning.conftest import make_space


def modules_after(code: str, *asked: str) -> list[str]:
    """Which of the modules ``asked`` a new process has imported after ``code``."""
    shown = f"{code}\nimport sys\nprint([name for name in {asked!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", shown], check=True, capture_output=True, text=True, timeout=120
    )
    return list(eval(done.stdout.splitlines()[-1]))


def test_a_search_starts_ray_before_what_takes_seconds_to_import() -> None:
    slow = ("torch", "ray.tune", "optuna", "scipy", "sklearn", "matplotlib", "tensorboardX")
    assert modules_after("import fer_tune.tuning.run", *slow) == []


#: Trains a run with each optimiser on a packed dataset, saves it, and continues from that.
TRAINING = """
from fer_tune.data import PackedDataset
from fer_tune.space import TrialConfig
from fer_tune.training.context import TrialContext
from fer_tune.training.trial import RunSeeds, TrialRun
from pathlib import Path
data, folder = PackedDataset.open(Path({data!r})), Path({folder!r})
context = TrialContext(
    dataset={data!r}, fingerprint=data.fingerprint, validation_share=0.25, split_seed=0,
    leaks="drop", conflicts="drop", weights="none", weights_seed=0, view_seed=0, views=1,
    resize_ratio=1.14, precision="float32", max_epochs=2, metric="macro_f1", patience=None,
    window=3, bank=str(folder / "bank"), bank_bytes=None, threads=1,
)
for optimizer in ("adamw", "sgd"):
    config = TrialConfig(
        backbone="resnet18", crop_size=32, batch_size=32, unfreeze_depth=1, optimizer=optimizer
    )
    run, other = (TrialRun(context, config, RunSeeds(run=1, weights=0, views=0)) for _ in "ab")
    run.prepare()
    run.run_epoch()
    (folder / optimizer).mkdir()
    run.save(folder / optimizer)
    other.restore(folder / optimizer)
    other.prepare()
    other.run_epoch()
"""


def test_processes_of_trials_import_neither_statistics_nor_the_compiler(
    faces: PackedDataset, tmp_path: Path
) -> None:
    code = "import fer_tune.tuning.raytune.trainable, fer_tune.tuning.raytune.scored_run"
    code += "\nfrom fer_tune.models.registry import BACKBONES, backbone\n"
    code += "for name in BACKBONES:\n    backbone(name)\n"
    code += TRAINING.format(data=str(faces.root), folder=str(tmp_path))
    slow = ("scipy", "sklearn", "optuna", "matplotlib", "torch._dynamo", "torchvision")
    assert modules_after(code, *slow) == ["torchvision"]


def test_torchvision_is_whole_without_the_compiler() -> None:
    code = """
from fer_tune.models.torchvision_import import models
import torch
from torchvision.ops import roi_align
boxes = [torch.tensor([[0.0, 0.0, 4.0, 4.0]])]
assert roi_align(torch.rand(1, 3, 8, 8), boxes, 2).shape == (1, 3, 2, 2)
import sys
assert "torch._dynamo" not in sys.modules
parameter = torch.nn.Parameter(torch.ones(1))
optimiser = torch.optim.SGD([parameter], lr=0.5)  # imports the real one
parameter.sum().backward()
optimiser.step()
assert parameter.item() == 0.5
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
"""
    assert modules_after(code, "torch._dynamo") == ["torch._dynamo"]


def test_the_precision_is_measured_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()
    choice = PrecisionChoice(precision="float32", reason="it is faster")

    def measure(space: object) -> PrecisionChoice:
        assert going_on.wait(30), "the block goes on while it is measured"
        return choice

    monkeypatch.setattr(precision, "choice_here", measure)
    with prepare_ahead(make_space(precision="auto"), SearchOptions(), begins=True) as measured:
        going_on.set()
        assert measured is not None and measured() is choice


def test_an_error_of_the_measurement_is_raised_where_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measure(space: object) -> PrecisionChoice:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(precision, "choice_here", measure)
    with prepare_ahead(make_space(precision="auto"), SearchOptions(), begins=True) as measured:
        assert measured is not None
        with pytest.raises(RuntimeError, match="no such kernel"):
            measured()


@pytest.mark.parametrize(
    ("precision", "address", "begins"),
    [("float32", None, True), ("auto", "10.0.0.1:6379", True), ("auto", None, False)],
)
def test_it_is_measured_here_only_if_it_is_wanted_here(
    precision: str, address: str | None, begins: bool
) -> None:
    space = make_space(precision=precision)
    with prepare_ahead(space, SearchOptions(address=address), begins=begins) as measured:
        assert measured is None


def test_the_first_error_of_an_import_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def broken(name: str) -> None:
        tried.set()
        raise ImportError(f"libcudart.so is missing, for {name}")

    monkeypatch.setattr("importlib.import_module", broken)
    space = make_space(precision="float32")
    with pytest.raises(ImportError, match="libcudart"), prepare_ahead(space, SearchOptions()):
        assert tried.wait(30)
        time.sleep(0.2)
        raise RuntimeError("function '_has_torch_function' already has a docstring")
    with pytest.raises(UserError, match="no CPU"), prepare_ahead(space, SearchOptions()):
        raise UserError("no CPU")
