"""The precision that `precision: auto` comes to."""

from __future__ import annotations

import pytest
import torch

from fer_tune.training.device.precision import Step, choose_precision, training_step

NAMES = ["resnet18", "densenet121"]


def chosen(float32: float, bfloat16: float, *, claims: bool = True) -> tuple[str, list[str]]:
    prepared = []

    def step_of(name: str) -> Step:
        prepared.append(name)
        return lambda dtype: float32 if dtype == torch.float32 else bfloat16

    choice = choose_precision(NAMES, device="cpu", claims=lambda device: claims, step_of=step_of)
    assert (choice.seconds is not None) == bool(prepared)
    return choice.precision, prepared


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
    assert chosen(float32, bfloat16) == (expected, NAMES)


def test_other_work_on_the_machine_does_not_decide() -> None:
    clock = iter([1.0, 1.0, 9.0, 5.0])  # the second round is slow, and even so bfloat16 is faster

    choice = choose_precision(
        NAMES[:1],
        device="cpu",
        claims=lambda device: True,
        step_of=lambda name: lambda dtype: next(clock),
    )
    assert choice.seconds == {"float32": 1.0, "bfloat16": 1.0}


def test_a_processor_that_does_not_claim_it_is_not_measured() -> None:
    assert chosen(3.0, 1.0, claims=False) == ("float32", [])


def test_threads_are_as_before_and_a_step_is_timed() -> None:
    torch.set_num_threads(2)
    choice = choose_precision(["resnet18"], device="cpu", claims=lambda device: True)
    assert torch.get_num_threads() == 2
    assert choice.seconds is not None and set(choice.seconds) == {"float32", "bfloat16"}
    assert 0 < training_step("resnet18")(torch.float32) < 60
