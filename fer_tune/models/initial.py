"""The initial tensors of a trial: read from a file, or drawn by seed and calibrated.

The batch-norm statistics of a randomly drawn backbone are arbitrary: in eval mode its frozen prefix
would output noise. So with ``weights: none`` the statistics are estimated once on
training pictures, before anything is frozen.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from fer_tune.models.network import Normalise
from fer_tune.models.registry import Backbone


def draw(backbone: Backbone, seed: int) -> dict[str, Tensor]:
    """Freshly drawn tensors of ``backbone`` without classifier, the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = backbone.module().state_dict()
    return {n: t for n, t in state.items() if not n.startswith(backbone.head_prefix)}


def calibrate(
    backbone: Backbone,
    state: dict[str, Tensor],
    chunks: Iterable[Tensor],
    *,
    autocast: torch.autocast,
    device: torch.device,
) -> dict[str, Tensor]:
    """``state`` with batch-norm statistics averaged over ``chunks`` of uint8 pictures.

    Args:
        chunks: uint8 tensors (n, c, crop, crop), each of at least 2 pictures; every chunk counts
            the same. The outcome depends on how pictures are dealt into chunks, so callers deal
            canonically.
    """
    model = backbone.empty_module()
    model.to_empty(device=device)
    model.load_state_dict(state, strict=False)
    stages = nn.Sequential(Normalise().to(device), *backbone.stages(model))
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the chunks
    stages.to(memory_format=torch.channels_last).train()
    with torch.no_grad(), autocast:
        for chunk in chunks:
            stages(chunk.to(device))
    assert norms and norms[0].num_batches_tracked, "no pictures to calibrate on"
    calibrated = model.state_dict()
    return {name: calibrated[name].cpu() for name in state}
