"""Optional dependencies: imported when needed, with the pip command when missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from fer_tune.errors import EnvironmentFault


def needs(extra: str, module: str) -> ModuleType:
    """Imports ``module``, which the install extra ``extra`` brings.

    Raises:
        EnvironmentFault: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise EnvironmentFault(
            f"{module.partition('.')[0]} is not installed",
            remedy=f"Install it with: pip install 'fer-tune[{extra}]'",
        ) from None
