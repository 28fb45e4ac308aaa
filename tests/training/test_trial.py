from __future__ import annotations

import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_tune.errors import DataError
from fer_tune.features.memory import OutOfMemory
from fer_tune.training.device.compute import release_memory
from fer_tune.training.trial import TrialRun

TIMES = ("seconds", "images_per_s", "bank_hits", "bank_misses", "peak_memory_mib")


def losses(run: TrialRun, epochs: int) -> list[tuple[float, float]]:
    for _ in range(epochs):
        run.run_epoch()
    return list(zip(*run.curve.losses(), strict=True))


def test_the_same_seed_gives_the_same_curve_bit_for_bit(make: Any) -> None:
    config = {"dropout": 0.3, "augment_policy": "strong"}
    assert losses(make(config), 2) == losses(make(config), 2)
    assert losses(make(config, seed=2), 1) != losses(make(config), 1)


@pytest.mark.parametrize("depth", [0, 1, 5])
def test_training_learns_at_every_depth(make: Any, depth: int) -> None:
    run = make({"unfreeze_depth": depth, "lr_head": 3e-3, "lr_backbone": 1e-3})
    curve = losses(run, 4)
    assert curve[-1][0] < curve[0][0]
    assert run.curve.stop_reason() == "completed"
    assert run.best_counts.sum() == len(run.split.validation)


def test_the_prefix_stays_as_it_was_and_the_tail_moves(make: Any) -> None:
    run = make({"unfreeze_depth": 2})
    prefix = {n: t.clone() for n, t in run.prefix.state_dict().items()}
    tail = {n: t.clone() for n, t in run.tail.state_dict().items()}
    run.run_epoch()
    assert all(torch.equal(t, prefix[n]) for n, t in run.prefix.state_dict().items())
    assert not any(torch.equal(p, tail[n]) for n, p in run.tail.named_parameters() if p.dim() > 1)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_optimisers_are_fused_and_a_restored_one_stays_as_it_was(
    make: Any, tmp_path: Path, optimizer: str
) -> None:
    run = make({"optimizer": optimizer})
    assert all(group["fused"] for group in run.optimiser.param_groups)
    for group in run.optimiser.param_groups:  # as earlier versions trained with SGD
        group["fused"] = None
    run.run_epoch()
    run.save(tmp_path)
    restored = make({"optimizer": optimizer})
    restored.restore(tmp_path)
    assert not any(group["fused"] for group in restored.optimiser.param_groups)
    assert losses(restored, 1) == losses(run, 1)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_restored_run_continues_with_the_same_curve(
    make: Any, tmp_path: Path, optimizer: str
) -> None:
    config = {"optimizer": optimizer, "dropout": 0.2, "warmup_epochs": 0.5}
    straight = make(config, keep_best=True)
    expected = losses(straight, 3)
    first = make(config, keep_best=True)
    losses(first, 1)
    first.save(tmp_path)
    second = make(config, keep_best=True)
    second.restore(tmp_path)
    assert losses(second, 2) == expected
    assert torch.equal(second.test_logits(), straight.test_logits())


def test_bank_or_no_bank_the_curve_is_the_same(make: Any) -> None:
    config = {"unfreeze_depth": 1}
    assert losses(make(config), 2) == losses(make(config, bank=None), 2)


def test_views_are_recycled_and_found_in_the_bank(make: Any) -> None:
    run = make({"unfreeze_depth": 1}, views=2)
    found = [run.run_epoch() for _ in range(4)]
    assert [(r.bank_hits, r.bank_misses) for r in found] == [(0, 2), (1, 1), (2, 0), (2, 0)]
    other = make({"unfreeze_depth": 1, "lr_head": 1e-2}, views=2).run_epoch()
    assert other.bank_hits == 2, "trials with the same prefix share"
    assert make({}, views="fresh").context.view_of(7) == 6


def test_only_the_tail_is_saved(make: Any, tmp_path: Path) -> None:
    sizes = []
    for depth in (0, 1, 5):
        run = make({"unfreeze_depth": depth})
        run.run_epoch()
        run.save(tmp_path)
        sizes.append((tmp_path / "trial.pt").stat().st_size)
    assert sizes[0] < 100_000 < sizes[1] < sizes[2]


class TestMemory:
    """What a lack of memory does, with the lack injected into the tail."""

    @staticmethod
    def lacking(run: TrialRun, fits: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        sizes: list[int] = []
        forward = run.tail.forward

        def limited(features: torch.Tensor) -> torch.Tensor:
            sizes.append(len(features))
            if len(features) > fits:
                raise torch.OutOfMemoryError("out of memory (injected)")
            return forward(features)

        monkeypatch.setattr(run.tail, "forward", limited)
        return sizes

    def test_micro_batches_give_the_gradients_of_the_whole_batch(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Depth 0 has no batch norm in the tail, so the sums must agree.
        config = {"unfreeze_depth": 0, "batch_size": 32, "optimizer": "sgd", "lr_head": 0.1}
        whole, parted = make(config), make(config)
        sizes = self.lacking(parted, 5, monkeypatch)
        for mine, theirs in zip(losses(parted, 2), losses(whole, 2), strict=True):
            assert mine == pytest.approx(theirs, rel=1e-5)
        torch.testing.assert_close(parted.tail.state_dict(), whole.tail.state_dict())
        assert parted.curve.stop_reason() is None and parted.micro_batch <= 5
        refused = [size for size in sizes if size > 5]
        assert len(refused) <= 12 * 2, "found once per epoch, then remembered"

    @pytest.mark.parametrize("frozen_statistics", [True, False])
    def test_only_batch_norm_distinguishes_micro_batches_from_a_full_batch(
        self, make: Any, monkeypatch: pytest.MonkeyPatch, frozen_statistics: bool
    ) -> None:
        config = {"unfreeze_depth": 1, "batch_size": 32, "optimizer": "sgd", "dropout": 0.0}
        whole, parted = make(config), make(config)
        for run in (whole, parted):
            run.prepare()
            for module in run.tail.modules():
                if frozen_statistics and isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()
                    monkeypatch.setattr(module, "train", lambda mode=True, m=module: m)
        sizes = self.lacking(parted, 8, monkeypatch)
        pairs = list(zip(losses(parted, 1), losses(whole, 1), strict=True))
        near = all(mine == pytest.approx(theirs, rel=1e-4) for mine, theirs in pairs)
        assert max(sizes) > 8 and 8 <= parted.micro_batch < 12
        assert near is frozen_statistics

    def test_a_prefix_that_does_not_fit_works_in_smaller_chunks(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        straight, tight = make({"unfreeze_depth": 0}, bank=None), make({"unfreeze_depth": 0})
        forward = tight.prefix[0].forward

        def limited(pictures: torch.Tensor) -> torch.Tensor:
            if len(pictures) > 10:
                raise torch.OutOfMemoryError("out of memory (injected)")
            return forward(pictures)

        monkeypatch.setattr(tight.prefix[0], "forward", limited)
        assert tight.run_epoch().val_loss == pytest.approx(straight.run_epoch().val_loss, rel=1e-4)

    def test_a_picture_that_does_not_fit_ends_the_trial(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = make()
        self.lacking(run, 0, monkeypatch)
        assert run.run_epoch() is None
        assert run.curve.stop_reason() == "oom" and run.curve.epoch == 0

    def test_other_faults_are_not_taken_for_a_lack_of_memory(
        self, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = make()

        def broken(_: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("shape mismatch")

        monkeypatch.setattr(run.tail, "forward", broken)
        with pytest.raises(RuntimeError, match="shape mismatch"):
            run.run_epoch()
        assert not issubclass(OutOfMemory, RuntimeError)


def test_a_diverging_run_ends_as_such(make: Any) -> None:
    run = make({"optimizer": "sgd", "lr_head": 10.0, "lr_backbone": 10.0, "unfreeze_depth": 5})
    while run.curve.stop_reason() is None:
        run.run_epoch()
    assert run.curve.stop_reason() == "diverged"
    last = run.curve.reports[-1]
    assert math.isfinite(last.val_loss) or math.isnan(last.val_macro_f1)


def test_overfitting_is_stopped_on_a_real_curve(make: Any) -> None:
    config = {"unfreeze_depth": 1, "lr_head": 3e-3, "lr_backbone": 3e-3, "schedule": "constant"}
    run = make(config, views=1, patience=2, max_epochs=30)
    while run.curve.stop_reason() is None:
        run.run_epoch()
    assert run.curve.stop_reason() == "overfit" and run.curve.epoch < 30
    train, val = run.curve.losses()
    assert run.curve.onset is not None and run.curve.onset <= run.curve.epoch - 2
    assert min(val[-2:]) > val[run.curve.onset - 1] and train[-1] < train[run.curve.onset - 1]
    confirming = make(config, views=1, patience=2, max_epochs=30, stop_early=False)
    losses(confirming, run.curve.epoch)
    assert confirming.curve.stop_reason() is None, "confirmation runs to its budget"


def test_another_dataset_is_refused(make: Any) -> None:
    with pytest.raises(DataError, match="not the dataset that the search began with"):
        make(fingerprint="0" * 64)


def test_class_weights_and_smoothing_change_training_not_the_reported_loss(make: Any) -> None:
    plain, weighted = make(), make({"class_weights": "balanced", "label_smoothing": 0.1})
    weights = weighted._objective.class_weights
    labels = weighted.dataset.labels[weighted.split.train]
    assert float(weights[torch.from_numpy(labels)].mean()) == pytest.approx(1.0)
    a, b = plain.run_epoch(), weighted.run_epoch()
    assert a.train_loss != b.train_loss
    # Both are plain cross-entropy, so an untrained six-class network starts near ln 6.
    assert abs(a.train_loss - math.log(6)) < 1 and abs(b.train_loss - math.log(6)) < 1


@pytest.mark.parametrize("config", [{}, {"label_smoothing": 0.2}])
def test_without_class_weights_both_versions_train_the_same(make: Any, config: Any) -> None:
    runs = [make({**config, "unfreeze_depth": 1}, training_version=version) for version in (1, 2)]
    assert losses(runs[0], 2) == losses(runs[1], 2)


@pytest.mark.parametrize(
    ("config", "differs"),
    [
        ({"label_smoothing": 0.2, "class_weights": "balanced"}, True),
        ({"label_smoothing": 0.0, "class_weights": "balanced"}, False),
    ],
)
def test_versions_differ_in_class_weights_with_smoothing(
    make: Any, config: Any, differs: bool
) -> None:
    # The faces are balanced; label noise makes weights unequal.
    runs = [make({**config, "label_noise": 0.4}, training_version=v) for v in (1, 2)]
    older, newer = (losses(run, 2) for run in runs)
    near = np.allclose(older, newer, rtol=1e-4, atol=0)
    assert near is not differs


def test_a_run_that_was_let_go_of_gives_its_memory_back(make: Any) -> None:
    run = make()
    run.run_epoch()
    tail = weakref.ref(run.tail)
    del run
    release_memory()
    assert tail() is None
