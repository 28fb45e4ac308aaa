"""Features of real networks: the same bits however they were made, kept as the search decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fer_tune.training.prefix_features import RunFeatures
from fer_tune.training.trial import TrialRun
from tests.models.smallest import SMALLEST


def features(run: TrialRun, view: int | None = 0) -> torch.Tensor:
    source = run.features.train.view(view)
    return source.rows(np.arange(len(source)))


def files(folder: Path) -> list[str]:
    return sorted(path.name.split(".")[0] for path in folder.glob("[!.]*.npy"))


def cycle(run: TrialRun, views: int) -> int:
    features = run.features
    depth, split = run.config.unfreeze_depth, run.split
    return views * features._entry_bytes(depth, len(split.train)) + features._entry_bytes(
        depth, len(split.validation)
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", SMALLEST)
def test_features_are_the_same_bits_however_they_were_made(
    make: Any, tmp_path: Path, name: str, precision: str
) -> None:
    depths = ((name, (0, 1, 2, 3, 4)),)

    def run(depth: int, bank: str, sampled: Any = depths) -> TrialRun:
        config = {"backbone": name, "unfreeze_depth": depth}
        made: TrialRun = make(
            config, bank=str(tmp_path / bank), precision=precision, depths=sampled
        )
        return made

    from_pixels = {depth: features(run(depth, f"own{depth}", ())) for depth in range(5)}
    assert all(f.dtype is getattr(torch, precision) for f in from_pixels.values())
    features(run(0, "one pass"))
    assert len(files(tmp_path / "one pass")) == 5
    for depth in (1, 2, 3, 4):
        kept = run(depth, "one pass")
        assert kept.features.train.view(0).hit is True
        assert torch.equal(features(kept), from_pixels[depth]), depth
    for depth in (4, 2, 0):  # each from the one before
        assert torch.equal(features(run(depth, "chain", ())), from_pixels[depth]), depth
    assert len(files(tmp_path / "chain")) == 3


def test_the_curve_is_the_same_wherever_the_features_come_from(make: Any, tmp_path: Path) -> None:
    def curve(bank: str | None, depth: int = 1, **changes: Any) -> list[float]:
        folder = None if bank is None else str(tmp_path / bank)
        run = make({"unfreeze_depth": depth}, bank=folder, **changes)
        return [run.run_epoch().val_loss for _ in range(2)]

    alone = curve(None)
    curve("shared", 0, depths=(("resnet18", (0, 1)),))
    curve("deeper", 2)
    assert curve("shared") == curve("deeper") == alone


@pytest.mark.parametrize("depth", [0, 2, 5])
def test_a_cycle_that_fits_hits_from_its_second_round_and_another_writes_nothing(
    make: Any, tmp_path: Path, depth: int
) -> None:
    config = {"unfreeze_depth": depth, "batch_size": 32}
    room = cycle(make(config, views=6), 6)
    for bank, size, hits in (("all", room, True), ("five", room - 1, None)):
        run = make(config, views=6, bank=str(tmp_path / bank), bank_bytes=size, max_epochs=12)
        rounds = [[run.features.train.view(v).hit for v in range(6)] for _ in range(2)]
        rounds[1].append(run.features.validation.view(None).hit)
        assert set(rounds[0]) == {None if hits is None else False}
        assert rounds[1][:6] == [hits] * 6
        assert len(files(tmp_path / bank)) == (7 if hits else 0)


def test_runs_at_the_same_time_share_the_room(make: Any) -> None:
    room = cycle(make(views=2), 2)
    for slots, kept in ((1, True), (2, False)):
        assert make(views=2, bank_bytes=room, bank_slots=slots).features.decision.train is kept
        assert make(views=2, bank_bytes=room * slots, bank_slots=slots).features.decision.train


def test_only_what_is_read_again_is_kept(make: Any) -> None:
    """Trials of a search share their views; a confirmation run has its own."""

    def decided(view_seed: int, **changes: Any) -> tuple[bool, bool, int]:
        run = make(**changes)
        own = RunFeatures(**{**vars_of(run.features), "view_seed": view_seed})
        return own.decision.train, own.decision.validation, own._reads.views

    assert decided(0, views="fresh", max_epochs=4) == (True, True, 4), "the next trial's, too"
    assert decided(7, views="fresh", max_epochs=4) == (False, True, 4)
    assert decided(7, views=4, max_epochs=4) == (False, True, 4)
    assert decided(7, views=3, max_epochs=4) == (True, True, 3)
    assert decided(0, views=9, max_epochs=4) == (True, True, 4)


def vars_of(features: RunFeatures) -> dict[str, Any]:
    return {name: getattr(features, name) for name in RunFeatures.__dataclass_fields__}


def test_test_features_are_kept_beside_the_cycle_or_not_at_all(make: Any, tmp_path: Path) -> None:
    run = make(views=2)
    test = run.features._entry_bytes(1, len(run.split.test))
    for more, hit in ((test, False), (test - 1, None)):
        bank = str(tmp_path / f"bank{more}")
        scored = make(views=2, bank=bank, bank_bytes=cycle(run, 2) + more)
        assert scored.features.test().hit is hit


def test_the_decision_is_logged_once(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    from fer_tune.training.prefix_features import _log_once

    _log_once.cache_clear()
    with caplog.at_level("INFO"):
        for _ in range(2):
            make({"unfreeze_depth": 0}, depths=(("resnet18", (0, 2)),)).features.train.view(0)
    lines = [record.getMessage() for record in caplog.records if "bank:" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith("bank: resnet18 at 32 px, depth 0: kept, ")
    assert lines[0].endswith(" MiB, with depths 2")


def test_a_model_in_bfloat16_keeps_the_weights_that_it_began_with(make: Any) -> None:
    run = make({"unfreeze_depth": 2}, precision="bfloat16", keep_best=True)
    run.run_epoch()
    state = run.whole_state()
    prefix = [name for name in state if name.startswith(("conv1.", "bn1.", "layer1.", "layer2."))]
    assert prefix and {state[name].dtype for name in prefix} == {torch.float32, torch.int64}
    for name in prefix:
        assert torch.equal(state[name], run._initial[name]), name
    convolution = run.prefix[1][0]
    assert convolution.weight.dtype is torch.bfloat16
    assert run.prefix[1][1].running_var.dtype is torch.float32
