"""What a run does when memory runs out, with the lack injected into its tail."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fer_tune.features.memory import MemoryFit, OutOfMemory, parts
from fer_tune.space import TrialConfig
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.training.device.compute import Compute
from fer_tune.training.device.gpu_share import GpuShare
from fer_tune.training.optimisation.objective import make_objective
from fer_tune.training.optimisation.steps import EagerSteps
from fer_tune.training.run_memory import LEAST_FOR_BATCH_NORM, batch_fit, smallest_limit
from fer_tune.training.trial import TrialRun

DEEP = {"unfreeze_depth": 1, "batch_size": 32}
HEAD = {"unfreeze_depth": 0, "batch_size": 32}


class Lack:
    """Lets at most ``fits`` pictures through the tail at once while it is trained."""

    def __init__(self, run: TrialRun, fits: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fits, self.sizes = fits, list[int]()
        forward = run.tail.forward

        def limited(features: torch.Tensor) -> torch.Tensor:
            if run.tail.training and len(features) > self.fits:
                raise torch.OutOfMemoryError("out of memory (injected)")
            if run.tail.training:
                self.sizes.append(len(features))
            return forward(features)

        monkeypatch.setattr(run.tail, "forward", limited)


def fewest(size: int, limit: int) -> int:
    return min(len(range(size)[part]) for part in parts(size, limit))


def test_the_smallest_limit_leaves_no_part_too_small() -> None:
    for size in range(2, 130):
        sizes = {size, size + 1}
        limit = smallest_limit(sizes, 8)
        for larger in range(limit, 140):
            assert all(fewest(n, larger) >= min(n, 8) for n in sizes), (size, larger)
        smaller = [fewest(n, limit - 1) < min(n, 8) for n in sizes]
        assert any(smaller), f"{size} could be split further"


def test_only_batch_norm_limits_how_far_a_batch_is_split() -> None:
    def least(tail: nn.Module) -> int:
        fit = batch_fit(tail, pictures=300, batch_size=32)
        tried: list[int] = []

        def never(limit: int) -> None:
            tried.append(limit)
            raise torch.OutOfMemoryError("no")

        with pytest.raises(OutOfMemory):
            fit.run(never)
        return tried[-1]

    assert least(nn.Linear(2, 2)) == 1
    for norm in (nn.BatchNorm1d(2), nn.BatchNorm2d(2)):
        assert LEAST_FOR_BATCH_NORM <= least(nn.Sequential(nn.ReLU(), nn.Sequential(norm))) < 12


def test_halving_stops_at_the_least_and_tries_it_once() -> None:
    tried: list[int] = []

    def work(limit: int) -> None:
        tried.append(limit)
        if limit > 11:
            raise torch.OutOfMemoryError("no")

    fit = MemoryFit(32, least=11)
    fit.run(work)
    assert tried == [32, 16, 11]
    fit.restart()
    fit.run(work)
    assert tried == [32, 16, 11] * 2


def test_a_whole_batch_is_tried_again_in_every_epoch(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(HEAD)
    lack = Lack(run, 8, monkeypatch)
    reports = [run.run_epoch()]
    lack.fits = 1000  # the neighbour has ended
    reports.append(run.run_epoch())
    lack.fits = 4
    reports.append(run.run_epoch())
    assert [r.micro_batch for r in reports] == [8, 32, 4]
    assert [r.peak_reserved_mib for r in reports] == [None] * 3


def test_a_restored_run_tries_whole_batches_as_an_undisturbed_one_does(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    straight, first, second = make(HEAD), make(HEAD), make(HEAD)
    for run in (straight, first):
        lack = Lack(run, 8, monkeypatch)
        run.run_epoch()
        lack.fits = 1000
    first.save(tmp_path)
    second.restore(tmp_path)
    for run in (straight, second):
        run.run_epoch()
    assert second.curve.losses() == straight.curve.losses()
    assert [r.micro_batch for r in second.curve.reports] == [8, 32]


@pytest.mark.parametrize(("fits", "ends"), [(16, False), (8, False), (7, True)])
def test_statistics_of_fewer_than_eight_pictures_end_the_trial(
    make: Any, monkeypatch: pytest.MonkeyPatch, fits: int, ends: bool
) -> None:
    run = make(DEEP)
    lack = Lack(run, fits, monkeypatch)
    report = run.run_epoch()
    assert (report is None) is ends and run.curve.stop_reason() == ("oom" if ends else None)
    assert min(lack.sizes, default=LEAST_FOR_BATCH_NORM) >= LEAST_FOR_BATCH_NORM
    assert report is None or report.micro_batch == fits


def test_an_older_checkpoint_with_a_limit_is_restored(make: Any, tmp_path: Path) -> None:
    run, later = make(HEAD), make(HEAD)
    run.run_epoch()
    run.save(tmp_path)
    file = tmp_path / "trial.pt"
    saved = torch.load(file, weights_only=True)
    for row in saved["curve"]:
        del row["micro_batch"], row["peak_reserved_mib"]
    torch.save({**saved, "micro_batch": 4}, file)
    later.restore(tmp_path)
    assert later.curve.reports[0].micro_batch is None
    later.run_epoch()
    assert later.curve.reports[1].micro_batch == 32


# -- restoring without memory -----------------------------------------------------------------


@pytest.mark.parametrize("where", ["network", "tail", "optimiser"])
def test_no_memory_in_a_restore_ends_the_run_with_its_curve_so_far(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    first, second = make(HEAD, keep_best=True), make(HEAD, keep_best=True)
    expected = [first.run_epoch(), first.run_epoch()]
    first.save(tmp_path)

    def refused(*_: Any, **more: Any) -> None:
        raise torch.OutOfMemoryError("out of memory (injected)")

    if where == "network":
        del second.tail, second.features
        monkeypatch.setattr(second, "_build", refused)
    else:
        monkeypatch.setattr(getattr(second, where), "load_state_dict", refused)
    second.restore(tmp_path)
    assert second.curve.reports == expected and second.curve.stop_reason() == "oom"
    assert second.run_epoch() is None and second.curve.reports == expected
    assert (second.best_counts == first.best_counts).all()
    assert second.is_built is (where != "network")


def test_a_checkpoint_that_does_not_fit_the_network_leaves_the_curve(
    make: Any, tmp_path: Path
) -> None:
    deep, run = make(DEEP), make(HEAD)
    deep.run_epoch()
    deep.save(tmp_path)
    with pytest.raises(RuntimeError, match="state_dict"):
        run.restore(tmp_path)
    assert run.curve.epoch == 0 and run.curve.stop_reason() is None


def test_a_checkpoint_is_read_on_the_cpu(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = make(HEAD), make(HEAD)
    first.run_epoch()
    first.save(tmp_path)
    seen: list[Any] = []
    load = torch.load

    def noted(*args: Any, **more: Any) -> Any:
        seen.append(more["map_location"])
        return load(*args, **more)

    monkeypatch.setattr(torch, "load", noted)
    second.restore(tmp_path)
    assert seen == ["cpu"]


# -- the share ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "had"), [(4, True), (0, False)])
def test_the_end_says_whether_the_share_was_there(
    make: Any, monkeypatch: pytest.MonkeyPatch, free: int, had: bool
) -> None:
    run = make(HEAD)
    share = GpuShare(gpu=0.5, total=8 * 2**30)
    object.__setattr__(run.compute, "share", share)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free * 2**30, share.total))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2**20)
    Lack(run, 0, monkeypatch)
    assert run.run_epoch() is None and run.curve.oom_had_share is had


def test_on_the_cpu_nothing_is_known_of_a_share(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(HEAD)
    Lack(run, 0, monkeypatch)
    assert run.run_epoch() is None
    assert run.curve.stop_reason() == "oom" and run.curve.oom_had_share is None


def test_a_repeated_step_counts_its_pictures_once_in_batch_norm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trained(lacks: bool) -> nn.Sequential:
        torch.manual_seed(0)
        tail = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
        forward = tail[1].forward

        def limited(features: torch.Tensor) -> torch.Tensor:
            if lacks and len(features) > 8:
                raise torch.OutOfMemoryError("out of memory (injected)")
            return forward(features)

        monkeypatch.setattr(tail[1], "forward", limited)
        optimiser = torch.optim.SGD(tail.parameters(), lr=0.1)
        objective = make_objective(
            TrialConfig(backbone="resnet18", unfreeze_depth=1, crop_size=32),
            np.zeros(16, dtype=np.int64),
            3,
            version=TRAINING_VERSION,
            device=torch.device("cpu"),
        )
        compute = Compute.choose("float32", "cpu")
        steps = EagerSteps(tail, optimiser, objective, compute, MemoryFit(16 if lacks else 8))
        rows = torch.rand(16, 4, generator=torch.Generator().manual_seed(1))
        source: Any = SimpleNamespace(rows=lambda places: rows[places])
        for _ in range(2):
            steps(source, np.arange(16), torch.zeros(16, dtype=torch.int64))
        return tail

    repeated, plain = trained(lacks=True), trained(lacks=False)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(repeated.state_dict()[name], value, rtol=0, atol=0, msg=name)
