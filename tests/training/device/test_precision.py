"""The precision that `precision: auto` comes to."""

from __future__ import annotations

import pytest
import torch

from fer_tune.training.device.precision import choose_precision, step_seconds

NAMES = ["resnet18", "densenet121"]


def chosen(float32: float, bfloat16: float, *, claims: bool = True) -> tuple[str, list[str]]:
    asked = []

    def measure(name: str, dtype: torch.dtype) -> float:
        asked.append(name)
        return float32 if dtype == torch.float32 else bfloat16

    choice = choose_precision(
        NAMES, threads=1, device="cpu", claims=lambda device: claims, measure=measure
    )
    assert (choice.seconds is not None) == bool(asked)
    return choice.precision, asked


@pytest.mark.parametrize(
    ("float32", "bfloat16", "expected"),
    [
        (3.0, 1.0, "bfloat16"),
        (1.0, 2.5, "float32"),  # claims it, and emulates it
        (1.0, 1.0, "float32"),
        (1.05, 1.0, "float32"),  # too little for the digits that it costs
        (1.2, 1.0, "bfloat16"),
    ],
)
def test_the_measured_speed_decides(float32: float, bfloat16: float, expected: str) -> None:
    precision, asked = chosen(float32, bfloat16)
    assert precision == expected
    assert asked == NAMES * 2


def test_a_processor_that_does_not_claim_it_is_not_measured() -> None:
    assert chosen(3.0, 1.0, claims=False) == ("float32", [])


def test_threads_are_as_before_and_a_step_is_timed() -> None:
    torch.set_num_threads(2)
    choice = choose_precision(["resnet18"], threads=1, device="cpu", claims=lambda device: True)
    assert torch.get_num_threads() == 2
    assert choice.seconds is not None and set(choice.seconds) == {"float32", "bfloat16"}
    assert 0 < step_seconds("resnet18", torch.float32) < 60
