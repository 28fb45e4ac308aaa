"""A trial's share of a GPU: its limit, what counts as having had it, and a GPU that is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fer_tune.errors import EnvironmentFault
from fer_tune.training.device.compute import Compute, hold_share
from fer_tune.training.device.gpu_share import CONTEXT_BYTES, GpuShare, use_expandable_segments

GIB = 2**30
NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.mark.parametrize("shares", [2, 4, 8])
def test_trials_and_their_contexts_fit_on_the_card_together(shares: int) -> None:
    total = 24 * GIB
    share = GpuShare(gpu=1 / shares, total=total)
    assert share.limit > 0 and shares * (share.limit + CONTEXT_BYTES) <= total
    assert share.fraction == share.limit / total < 1 / shares


def test_a_whole_card_is_not_limited() -> None:
    assert GpuShare(gpu=1, total=24 * GIB).fraction == 1.0
    assert GpuShare(gpu=2, total=24 * GIB).fraction == 1.0


@pytest.mark.parametrize(
    ("gpu", "free", "reserved", "expected"),
    [
        (0.5, 12, 0, True),
        (0.5, 0, 12, True),  # it holds all of it
        (0.5, 1, 11, True),
        (0.5, 2, 3, False),  # a neighbour has more than its share
        (0.5, 0, 0, False),
        (1, 2, 21, True),  # its own context and a display are there, too
        (1, 2, 11, False),  # a process of somebody else
    ],
)
def test_the_share_was_available_if_it_was_free_or_its_own(
    gpu: float, free: int, reserved: int, expected: bool
) -> None:
    share = GpuShare(gpu=gpu, total=24 * GIB)
    assert share.is_available(free=free * GIB, reserved=reserved * GIB) is expected


@NO_GPU
@pytest.mark.parametrize("gpu", [0.125, 0.5, 1.0])
def test_a_share_without_a_gpu_is_an_error_with_its_reason(gpu: float) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        Compute.choose("float32", None, gpu)
    message = str(caught.value)
    assert "no GPU that torch can use: " in message and f"(got {gpu})" in message
    assert "fer-tune doctor" in message and "resources.gpu=0" in message
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as reason:
        assert str(reason).splitlines()[0] in message


def test_without_a_share_the_cpu_is_used_and_no_share_is_reported() -> None:
    compute = Compute.choose("float32", "cpu")
    assert compute.share is None and compute.has_share() is None
    assert compute.peak_reserved_mib() is None


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A card of 8 GiB; returns the limits that were set."""
    fractions: list[float] = []
    properties = SimpleNamespace(total_memory=8 * GIB)
    zeros = torch.zeros

    def on_cpu(*size: int, **more: Any) -> torch.Tensor:
        return zeros(*size)

    monkeypatch.setattr(torch, "zeros", on_cpu)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", fractions.append)
    return fractions


def test_the_process_is_limited_to_its_share_less_a_context(card: list[float]) -> None:
    for gpu in (0.25, 0.5, 1.0):
        hold_share(gpu)
    limits = [fraction * 8 * GIB for fraction in card]
    # The last one lifts the limit of the one before: a profile measures on the whole card.
    assert limits == pytest.approx([2 * GIB - CONTEXT_BYTES, 4 * GIB - CONTEXT_BYTES, 8 * GIB])


def test_a_card_that_is_full_is_not_taken_for_none(
    card: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **more: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "zeros", full)
    with pytest.raises(torch.OutOfMemoryError):
        hold_share(0.25)


def test_a_share_that_a_context_fills_is_an_error(card: list[float]) -> None:
    with pytest.raises(EnvironmentFault, match=r"8\.0 GiB must be larger than a CUDA context"):
        hold_share(1 / 16)
    assert card == []


def test_a_device_that_fails_shows_nothing_about_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    share = GpuShare(gpu=0.5, total=8 * GIB)
    compute = Compute(device=torch.device("cuda"), dtype=torch.float32, share=share)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: GIB)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * GIB, 8 * GIB))
    assert compute.has_share() is True
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * GIB, 8 * GIB))
    assert compute.has_share() is False

    def broken(device: torch.device) -> None:
        raise RuntimeError("CUDA error: unknown error")

    monkeypatch.setattr(torch.cuda, "mem_get_info", broken)
    assert compute.has_share() is False


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"PYTORCH_ALLOC_CONF": "max_split_size_mb:128"},
        {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:False"},
        {"PYTORCH_HIP_ALLOC_CONF": "expandable_segments:False"},
    ],
)
def test_segments_are_expandable_unless_the_user_has_settings(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, str]
) -> None:
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    use_expandable_segments()
    found = {name: value for name, value in os.environ.items() if name.endswith("ALLOC_CONF")}
    assert (list(found.values()) == ["expandable_segments:True"]) if not own else found == own


def test_the_settings_need_no_torch() -> None:
    """Else they would come after its import, which may already have read them."""
    code = "import sys, fer_tune.training.device.gpu_share as g; g.use_expandable_segments();"
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
