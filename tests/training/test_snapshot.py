"""A run's state is copied: what is written later is the epoch at which it was taken."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from fer_tune.training.checkpoint_file import CHECKPOINT_FILE, copied, write_state
from tests.training.test_trial import losses


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("lr", [1e-3, 0.1])
def test_a_copy_written_while_training_goes_on_continues_alike(
    make: Any, tmp_path: Path, optimizer: str, lr: float
) -> None:
    config = {"optimizer": optimizer, "dropout": 0.2, "lr_head": lr}
    run = make(config, keep_best=True)
    losses(run, 2)
    write = run.snapshot()
    writing = threading.Thread(target=write, args=(tmp_path,))
    writing.start()
    expected = losses(run, 2)
    writing.join()
    restored = make(config, keep_best=True)
    restored.restore(tmp_path)
    assert losses(restored, 2) == expected
    assert torch.equal(restored.test_logits(), run.test_logits())


def test_nothing_of_a_copy_shares_memory_with_the_run() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    optimiser = torch.optim.AdamW(module.parameters())
    module(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    state = {"tail": module.state_dict(), "optimiser": optimiser.state_dict(), "more": [(1, "x")]}
    copy = copied(state)
    before = [t.clone() for t in tensors(copy)]
    with torch.no_grad():
        for tensor in tensors(state):
            tensor.add_(1)
    assert len(before) == len(list(tensors(state))) > 8
    assert all(torch.equal(a, b) for a, b in zip(before, tensors(copy), strict=True))
    assert copy["more"] == [(1, "x")]


def tensors(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from tensors(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from tensors(inner)


def test_a_partial_write_is_an_error_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def partial_write(*_: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:626] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", partial_write)
    with pytest.raises(OSError, match="the disk is full") as raised:
        write_state({}, tmp_path)
    assert raised.value.filename == str(tmp_path / CHECKPOINT_FILE)
