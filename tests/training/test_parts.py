"""The small pieces of training: batches, schedule, parts, optimiser groups."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fer_tune.features.memory import MemoryFit, OutOfMemory, parts
from fer_tune.models.initial import draw
from fer_tune.models.network import build
from fer_tune.models.registry import backbone
from fer_tune.space import TrialConfig
from fer_tune.training.device.compute import Compute
from fer_tune.training.optimisation.epoch import batches
from fer_tune.training.optimisation.optimiser import (
    learning_rate,
    make_optimiser,
    schedule_factor,
    set_learning_rates,
)


@pytest.mark.parametrize(("count", "size"), [(65, 64), (64, 64), (1000, 48), (5, 8)])
def test_batches_divide_everything_equally(count: int, size: int) -> None:
    plan = batches(count, size, seed=1, epoch=1)
    sizes = [len(b) for b in plan]
    assert sorted(np.concatenate(plan)) == list(range(count))
    assert max(sizes) <= size and max(sizes) - min(sizes) <= 1
    assert (
        not all(np.array_equal(a, b) for a, b in zip(plan, batches(count, size, 1, 2), strict=True))
        or len(plan) == 1
    )


@pytest.mark.parametrize(("count", "limit"), [(64, 64), (64, 63), (7, 2), (1, 5)])
def test_parts_cover_and_keep_the_limit(count: int, limit: int) -> None:
    found = list(parts(count, limit))
    assert [i for p in found for i in range(count)[p]] == list(range(count))
    assert max(len(range(count)[p]) for p in found) <= limit


def factor(step: int, schedule: str, warmup: float = 0.0) -> float:
    return schedule_factor(
        step, steps_per_epoch=10, max_epochs=4, warmup_epochs=warmup, schedule=schedule
    )


def test_cosine_follows_torch_and_constant_stays() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=40)
    for step in range(40):
        assert factor(step, "cosine") == pytest.approx(reference.get_last_lr()[0])
        assert factor(step, "constant") == 1.0
        optimiser.step()
        reference.step()


def test_warm_up_rises_in_a_line_to_the_peak() -> None:
    rising = [factor(step, "constant", warmup=1.0) for step in range(11)]
    np.testing.assert_allclose(np.diff(rising), 1 / 11)
    assert rising[10] == 1.0
    falling = [factor(step, "cosine", warmup=1.0) for step in (10, 25, 39)]
    assert falling == pytest.approx([1.0, 0.5, np.sin(np.pi / 60) ** 2])


def test_head_and_backbone_have_their_own_rates_and_norms_are_not_decayed() -> None:
    entry = backbone("resnet18")
    state = draw(entry, 0)
    network = build(entry, state, unfreeze_depth=1, classes=6, dropout=0.0, seed=0)
    config = TrialConfig(backbone="resnet18", lr_head=1e-2, lr_backbone=1e-4, weight_decay=0.3)
    optimiser = make_optimiser(network, config)
    trained = sum(len(g["params"]) for g in optimiser.param_groups)
    assert trained == len(list(network.tail.parameters()))
    for group in optimiser.param_groups:
        decayed = {p.dim() > 1 for p in group["params"]}
        assert decayed == {group["weight_decay"] == 0.3}
    set_learning_rates(optimiser, 0.5)
    assert learning_rate(optimiser, "head") == pytest.approx(5e-3)
    assert learning_rate(optimiser, "backbone") == pytest.approx(5e-5)
    frozen = build(entry, state, unfreeze_depth=0, classes=6, dropout=0.0, seed=0)
    assert learning_rate(make_optimiser(frozen, config), "backbone") == 0.0


def test_memory_fit_halves_until_it_fits_and_remembers() -> None:
    tried: list[int] = []

    def work(limit: int) -> None:
        tried.append(limit)
        if limit > 3:
            raise torch.OutOfMemoryError("no")

    fit = MemoryFit(20)
    fit.run(work)
    fit.run(work)
    assert tried == [20, 10, 5, 3, 3]
    with pytest.raises(OutOfMemory):
        MemoryFit(1).run(lambda _: (_ for _ in ()).throw(MemoryError()))


def test_precision() -> None:
    assert Compute.choose("float32", "cpu").dtype == torch.float32
    chosen = Compute.choose("bfloat16", "cpu")
    with chosen.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    with Compute.choose("float32", "cpu").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_peak_memory_is_of_the_time_since_the_reset() -> None:
    compute = Compute.choose("float32", "cpu")
    large = torch.ones(250_000_000)  # 954 MiB: a long process may gain 100 meanwhile
    with_large = compute.peak_memory_mib()
    del large
    compute.reset_peak()
    assert compute.peak_memory_mib() < with_large - 500
