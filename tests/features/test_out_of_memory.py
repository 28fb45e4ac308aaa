"""Which errors count as a lack of memory: kinds of libraries, and messages that may mean either."""

from __future__ import annotations

import errno
import math

import numpy as np
import pytest
import torch

from fer_tune.features.out_of_memory import LITTLE, free_memory, is_out_of_memory

CERTAIN: list[BaseException] = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    MemoryError(),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("HIP error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)"),
    RuntimeError("CUDA driver error: CUDA_ERROR_OUT_OF_MEMORY"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
    RuntimeError("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `x`"),
    RuntimeError("CUDA error: CUSPARSE_STATUS_ALLOC_FAILED when calling `x`"),
    RuntimeError("CUDA error: insufficient resources: CUSPARSE_STATUS_INSUFFICIENT_RESOURCES"),
    RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried ..."),
    RuntimeError("unable to mmap 9 bytes from file <x>: Cannot allocate memory (12)"),
    RuntimeError("std::bad_alloc"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]

AMBIGUOUS = [
    "GET was unable to find an engine to execute this computation",
    "FIND was unable to find an engine to execute this computation",
    "cuDNN Frontend error: [cudnn_frontend] Error: No valid execution plans built.",
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(...)`",
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
    "cusolver error: CUSOLVER_STATUS_NOT_INITIALIZED, when calling `x`",
    "cuFFT error: CUFFT_INTERNAL_ERROR",
]

OTHERS: list[BaseException] = [
    RuntimeError("shape mismatch"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("cuDNN error: CUDNN_STATUS_BAD_PARAM"),
    RuntimeError("CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling `cublasSgemm(...)`"),
    ValueError("can't allocate memory"),
    OSError(errno.ENOSPC, "No space left on device"),
    KeyError("out of memory"),
]


def never_asked() -> float:
    raise AssertionError("the message alone decides")


@pytest.mark.parametrize("error", CERTAIN, ids=str)
def test_a_failed_allocation_is_recognised_by_its_message(error: BaseException) -> None:
    assert is_out_of_memory(error, never_asked)


@pytest.mark.parametrize("message", AMBIGUOUS)
@pytest.mark.parametrize(
    ("free", "expected"),
    [(0.0, True), (LITTLE - 1, True), (LITTLE, False), (math.inf, False)],
)
def test_an_ambiguous_message_counts_where_little_memory_is_free(
    message: str, free: float, expected: bool
) -> None:
    assert is_out_of_memory(RuntimeError(message), lambda: free) is expected
    assert not is_out_of_memory(ValueError(message), never_asked)


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_other_errors_are_no_lack_of_memory(error: BaseException) -> None:
    assert not is_out_of_memory(error, never_asked)


def test_real_allocations_that_fail_are_recognised() -> None:
    for allocate in (lambda: torch.empty(2**58), lambda: np.empty(2**58)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            allocate()
        assert is_out_of_memory(caught.value)


class Card:
    """A card of 10 GiB of which this process may have ``fraction``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, free: int, fraction: float) -> None:
        def share() -> float:
            return fraction

        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 10 * LITTLE))
        monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", share)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 4 * LITTLE)


@pytest.mark.parametrize(
    ("free", "fraction", "expected"),
    [(2, 1.0, 2), (5, 0.5, 1), (0, 0.5, 0), (5, 0.4, 0)],
    ids=["neighbours", "own limit", "full card", "at the limit"],
)
def test_free_is_what_neighbours_and_the_own_limit_leave(
    monkeypatch: pytest.MonkeyPatch, free: int, fraction: float, expected: int
) -> None:
    Card(monkeypatch, free=free * LITTLE, fraction=fraction)
    assert free_memory() == expected * LITTLE


def test_a_device_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torch.cuda.is_initialized() or free_memory() == math.inf
    Card(monkeypatch, free=0, fraction=1.0)
    for message, expected in (("out of memory", 0.0), ("an illegal memory access", math.inf)):

        def broken(text: str = message) -> None:
            raise RuntimeError(f"CUDA error: {text}")

        monkeypatch.setattr(torch.cuda, "mem_get_info", broken)
        assert free_memory() == expected
