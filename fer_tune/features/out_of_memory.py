"""Which errors say that memory ran out, on the accelerator or on the host."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable

import torch

#: Messages of libraries that raise a plain RuntimeError when an allocation fails, in lower case.
_ALLOCATION_FAILED = (
    "out of memory",  # CUDA's runtime and driver, HIP, MPS, pinned host memory
    "cuda_error_out_of_memory",
    "cudaerrormemoryallocation",
    "can't allocate memory",  # PyTorch's CPU allocator
    "cannot allocate memory",  # ENOMEM, in the system's words
    "not enough memory",
    "failed to allocate memory",
    "bad_alloc",
    "bad allocation",
    "alloc_failed",  # CUBLAS_STATUS_…, CUDNN_…, CUSOLVER_…, CUSPARSE_…, CUFFT_…, HIPBLAS_…
    # CUDNN_STATUS_INTERNAL_ERROR_HOST_… and …_DEVICE_ALLOCATION_FAILED
    "allocation_failed",
    "insufficient_resources",  # CUSPARSE_STATUS_…
)
#: Messages that a lack of memory causes among other things: a handle or a workspace that could not
#: be made, of which the library does not give the reason.
_AMBIGUOUS = (
    "unable to find an engine",  # cuDNN: "GET was …", "FIND was …"
    "no valid execution plans",  # cuDNN's front end
    *(
        f"{library}_status_{status}"
        for library in ("cublas", "cudnn", "cusolver", "cusparse", "hipblas")
        for status in ("not_initialized", "execution_failed", "internal_error")
    ),
    "cufft_internal_error",
    "cufft_exec_failed",
)
#: Free bytes below which an ambiguous error is taken for a lack of memory. Handles take some tens
#: of MiB; workspaces of convolutions are mostly smaller.
LITTLE = 2**30


def is_out_of_memory(error: BaseException, free: Callable[[], float] | None = None) -> bool:
    """Whether ``error`` says that memory ran out.

    Args:
        free: bytes that this process may still allocate on the accelerator; asked only where the
            message does not say enough. By default :func:`free_memory`.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM  # a memory map that was refused
    if not isinstance(error, RuntimeError):
        return False
    message = str(error).lower()
    if any(words in message for words in _ALLOCATION_FAILED):
        return True
    return any(words in message for words in _AMBIGUOUS) and (free or free_memory)() < LITTLE


def free_memory() -> float:
    """Bytes that this process may still allocate on the accelerator, by its limit and the others.

    Infinite without an accelerator, or where it cannot be asked: the error then was a different
    one.
    """
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return math.inf
    try:
        free, total = torch.cuda.mem_get_info()
        limit = total * torch.cuda.get_per_process_memory_fraction()
    except RuntimeError as error:
        return 0.0 if is_out_of_memory(error, lambda: math.inf) else math.inf
    return min(free, limit - torch.cuda.memory_reserved())
