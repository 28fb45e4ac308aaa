"""Optional dependencies: imported when needed, with the pip command when missing."""

from __future__ import annotations

import importlib
import importlib.util
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
        raise _missing(extra, module) from None


def has(extra: str, package: str) -> None:
    """Checks that ``package``, of the install extra ``extra``, is installed; imports nothing.

    Raises:
        EnvironmentFault: it is not.
    """
    if importlib.util.find_spec(package) is None:
        raise _missing(extra, package)


def _missing(extra: str, module: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{module.partition('.')[0]} is not installed",
        remedy=f"Install it with: pip install 'fer-tune[{extra}]'",
    )
