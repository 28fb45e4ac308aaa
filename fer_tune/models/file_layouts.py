"""The layouts in which weights files hold a backbone's tensors, brought to torchvision's names.

timm names the tensors of these backbones as torchvision does. Other files hold them in a training
checkpoint, or with the names of a module that wraps the network.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor

from fer_tune.errors import WeightsError

#: Keys under which checkpoints keep the tensors of the network; the first that is there is taken.
NESTED = ("state_dict", "model_state_dict", "model", "net", "network")
#: Checkpoints within checkpoints that are looked into.
_DEPTH = 3

#: torchvision's DenseNet files date from before dots were forbidden in module names.
_OLD_DENSENET = re.compile(
    r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.(?:weight|bias|running_mean|running_var))$"
)

#: What to do instead of saving anything but tensors.
SAVE_TENSORS = "Save model.state_dict() alone, not the model or a training checkpoint"


def named_tensors(loaded: object, wanted: Collection[str], path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by current names, classifier included.

    Args:
        loaded: the file's content; a mapping of names to tensors, or a checkpoint with one under a
            key of ``NESTED``.
        wanted: names of the backbone's tensors. A prefix that all names share (``module.`` of
            DataParallel, ``_orig_mod.`` of ``torch.compile``, ``model.``) is removed if none of
            them is wanted.

    Raises:
        WeightsError: it holds no such mapping, or tensors that are not plain.
    """
    found = {_OLD_DENSENET.sub(r"\1\2", n): t for n, t in _mapping(loaded, path).items()}
    return {name: _plain(name, tensor, path) for name, tensor in _unwrapped(found, wanted).items()}


def _mapping(loaded: object, path: Path) -> Mapping[str, Tensor]:
    """``loaded``, or what a checkpoint holds, if it is a mapping of names to tensors."""
    content, reason = loaded, ""
    for _ in range(_DEPTH):
        wrong = _not_tensors(content)
        if not wrong and isinstance(content, dict):
            return content
        reason = reason or wrong
        nested = content if isinstance(content, dict) else {}
        key = next((key for key in NESTED if isinstance(nested.get(key), dict)), None)
        if key is None:
            break
        content = nested[key]
    raise WeightsError(
        "is not a mapping of names to tensors, and holds none under "
        f"{', '.join(map(repr, NESTED[:-1]))} or {NESTED[-1]!r}",
        where=str(path),
        value=reason[:80],
        remedy=SAVE_TENSORS,
    )


def _not_tensors(content: object) -> str:
    """What is wrong with a mapping of names to tensors; empty if nothing is."""
    if not isinstance(content, dict):
        return type(content).__name__
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            return f"{name!r}: {type(value).__name__}"
    return "" if content else "an empty mapping"


def _unwrapped(state: dict[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """``state`` without the names of modules that wrap the network."""
    while not any(name in wanted for name in state):
        first = {name.partition(".")[0] for name in state}
        if len(first) != 1 or not all("." in name for name in state):
            break
        state = {name.partition(".")[2]: tensor for name, tensor in state.items()}
    return state


def _plain(name: str, tensor: Tensor, path: Path) -> Tensor:
    """The values of a tensor, which may be a ``Parameter``, without gradient."""
    kind = ""
    if tensor.layout is not torch.strided:
        kind = f"{tensor.layout}"
    elif tensor.is_quantized or tensor.is_complex() or tensor.device.type != "cpu":
        kind = f"{tensor.dtype} on {tensor.device}"
    if kind:
        raise WeightsError(
            "holds a tensor that is not of plain numbers",
            where=str(path),
            value=f"{name!r}: {kind}"[:80],
            remedy="Save the weights of the network in floating point",
        )
    return tensor.detach()
