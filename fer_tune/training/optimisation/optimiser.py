"""The optimiser over head and unfrozen backbone, and the learning-rate schedule."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import nn

from fer_tune.models.network import CutNetwork
from fer_tune.space import TrialConfig


class _WithoutCompiler(torch.optim.Optimizer):
    """Methods without the decorators that are for compiled training.

    Each of them imports PyTorch's compiler at its first call, which takes as long as importing
    PyTorch itself, in every process that trains.
    """

    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)


class _SGD(_WithoutCompiler, torch.optim.SGD):
    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


class _AdamW(_WithoutCompiler, torch.optim.AdamW):
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


def schedule_factor(
    step: int, *, steps_per_epoch: int, max_epochs: int, warmup_epochs: float, schedule: str
) -> float:
    """Factor on the peak learning rate at optimiser step ``step`` (from 0), in (0, 1].

    Linear warm-up over ``warmup_epochs``, then constant, or a half cosine that would reach zero
    one step after the last (SGDR without restarts, Loshchilov & Hutter 2017, eq. 5).
    """
    warmup = round(warmup_epochs * steps_per_epoch)
    total = max_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    assert schedule == "cosine", schedule
    progress = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def make_optimiser(network: CutNetwork, config: TrialConfig) -> torch.optim.Optimizer:
    """AdamW or SGD with a group per (head, backbone) × (decayed, not decayed).

    Weight decay spares biases and batch-norm's scales: decaying those only rescales what the
    next layer normalises again. Every group carries ``peak`` (its peak learning rate) and
    ``part`` ("head" or "backbone").

    Both are fused, which CUDA and the CPU support: one pass over every tensor instead of several.
    An optimiser that is restored from a checkpoint keeps what the checkpoint says.
    """
    groups = []
    for part, parameters, peak in (
        ("head", network.head_parameters(), config.lr_head),
        ("backbone", network.backbone_parameters(), config.lr_backbone),
    ):
        for decayed in (True, False):
            chosen: list[nn.Parameter] = [p for p in parameters if (p.dim() > 1) == decayed]
            if chosen:
                decay = config.weight_decay if decayed else 0.0
                groups.append(
                    {
                        "params": chosen,
                        "lr": peak,
                        "weight_decay": decay,
                        "peak": peak,
                        "part": part,
                    }
                )
    if config.optimizer == "sgd":
        nesterov = config.momentum > 0
        return _SGD(groups, momentum=config.momentum, nesterov=nesterov, fused=True)
    assert config.optimizer == "adamw", config.optimizer
    return _AdamW(groups, fused=True)


def set_learning_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    for group in optimiser.param_groups:
        rate = group["peak"] * factor
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def use_rate_tensors(optimiser: torch.optim.Optimizer, device: torch.device) -> None:
    """Makes learning rates tensors on ``device``, for steps that are recorded as CUDA graphs."""
    for group in optimiser.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
        if "capturable" in group:
            group["capturable"] = device.type == "cuda"
    for state in optimiser.state.values():
        if isinstance(state.get("step"), torch.Tensor):  # older checkpoints have it on the CPU
            state["step"] = state["step"].to(device)


def portable_state(optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimiser's state as every device and kind of step can load it."""
    state = optimiser.state_dict()
    for group in state["param_groups"]:  # copies
        group["lr"] = float(group["lr"])
        if "capturable" in group:
            group["capturable"] = False
    return state


def learning_rate(optimiser: torch.optim.Optimizer, part: str) -> float:
    """Current learning rate of ``part``; 0 when nothing of it is trained."""
    return next((float(g["lr"]) for g in optimiser.param_groups if g["part"] == part), 0.0)
