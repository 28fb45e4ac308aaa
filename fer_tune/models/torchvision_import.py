"""torchvision, imported without PyTorch's compiler; import it from here.

``torchvision.ops`` takes one function from ``torch._dynamo.utils``, which takes over a second to
import in the driver and in every process that runs trials; only its detection networks call it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Replaces the compiler by the one function inside the block, unless it is there already."""
    if _COMPILER in sys.modules or "torchvision" in sys.modules:
        yield
        return
    assert torch.nn  # imported before: it may import the compiler itself
    package, utils = ModuleType(_COMPILER), ModuleType(_UTILS)
    package.__path__ = []
    vars(utils)["is_compile_supported"] = _is_compile_supported
    sys.modules |= {_COMPILER: package, _UTILS: utils}
    try:
        yield
    finally:
        for name, module in ((_COMPILER, package), (_UTILS, utils)):
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _is_compile_supported(device_type: str) -> Any:
    """The compiler's own answer; imports it."""
    return importlib.import_module(_UTILS).is_compile_supported(device_type)


with _without_compiler():
    from torchvision import __version__, models

__all__ = ["__version__", "models"]
