"""Weights files as people have them: wrapped, nested, or rejected with the reason."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fer_tune.errors import WeightsError
from fer_tune.models.registry import backbone
from fer_tune.models.weights import read_state

State = dict[str, Tensor]


def prefixed(prefix: str) -> Callable[[State], State]:
    return lambda state: {prefix + name: tensor for name, tensor in state.items()}


def without_head(state: State) -> State:
    return {n: t for n, t in state.items() if not n.startswith(("fc.", "classifier."))}


LOADED: dict[str, Callable[[State], Any]] = {
    "DataParallel": prefixed("module."),
    "torch.compile": prefixed("_orig_mod."),
    "both": prefixed("module._orig_mod."),
    "a wrapper without head": lambda state: prefixed("module.")(without_head(state)),
    "no head": without_head,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "arch": "resnet18"},
    "model": lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": []}},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": 0.5},
    "two levels": lambda state: {"model": {"state_dict": prefixed("module.")(state), "n": 1}},
    "state_dict first": lambda state: {"model": "resnet18", "state_dict": state},
    "Parameters": lambda state: {
        n: nn.Parameter(t) if t.is_floating_point() else t for n, t in state.items()
    },
}


#: A DenseNet without head has a prefix that all its names share, and that belongs to them.
DENSE = ["no head", "a wrapper without head", "two levels"]


@pytest.mark.parametrize(
    ("name", "layout"),
    [*(("resnet18", layout) for layout in LOADED), *(("densenet121", layout) for layout in DENSE)],
)
def test_is_loaded(tmp_path: Path, name: str, layout: str) -> None:
    entry = backbone(name)
    state = entry.module().state_dict()
    torch.save(LOADED[layout](state), tmp_path / "w.pth")
    read = read_state(tmp_path / "w.pth", entry)
    expected = without_head(state)
    assert read.keys() == expected.keys()
    assert all(torch.equal(read[n], t) for n, t in expected.items())
    assert {type(t) for t in read.values()} == {Tensor}
    assert not any(t.requires_grad for t in read.values())


def test_a_wrapped_safetensors_file_is_loaded(tmp_path: Path) -> None:
    entry = backbone("resnet18")
    save_file(prefixed("timm_model.")(entry.module().state_dict()), tmp_path / "w.safetensors")
    assert "conv1.weight" in read_state(tmp_path / "w.safetensors", entry)


REJECTED: dict[str, tuple[Callable[[State], Any], str]] = {
    "two networks": (
        lambda s: {**prefixed("encoder_q.")(s), **prefixed("encoder_k.")(s)},
        r"do not fit resnet18: 100 missing.*unknown \(encoder_q\.conv1\.weight",
    ),
    "another tensor in the wrapper": (
        lambda s: {**prefixed("model.")(s), "loss.weight": torch.zeros(1)},
        r"unknown \(model\.conv1\.weight",
    ),
    "timm's deep stem": (
        lambda s: {("conv1.0.weight" if n == "conv1.weight" else n): t for n, t in s.items()},
        r"do not fit resnet18: 1 missing \(conv1\.weight\); 1 unknown",
    ),
    "no tensors under the key": (lambda s: {"state_dict": {"epoch": 1}}, "'state_dict': dict"),
    "nothing": (lambda s: {"model": {}}, "'model': dict"),
    "itself for ever": (
        lambda s: {"model": {"model": {"model": {"model": s}}}},
        "holds none under",
    ),
    "sparse": (lambda s: {**s, "conv1.weight": s["conv1.weight"].to_sparse()}, "sparse_coo"),
    "quantised": (
        lambda s: {
            **s,
            "conv1.weight": torch.quantize_per_tensor(s["conv1.weight"], 0.1, 0, torch.qint8),
        },
        "qint8",
    ),
    "arguments": (
        lambda s: {"state_dict": s, "args": Namespace(lr=0.1)},
        r"could run code.*argparse\.Namespace",
    ),
}


@pytest.mark.filterwarnings("ignore:.*[Qq]uantiz:")
@pytest.mark.parametrize("layout", REJECTED)
def test_is_rejected_with_the_reason(tmp_path: Path, layout: str) -> None:
    made, reason = REJECTED[layout]
    torch.save(made(backbone("resnet18").module().state_dict()), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=reason) as caught:
        read_state(tmp_path / "w.pth", backbone("resnet18"))
    assert str(caught.value).startswith(str(tmp_path / "w.pth"))
