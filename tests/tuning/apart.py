"""A function run in a process of its own: this one may hold another Ray already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.warm import warm_pool


def apart(function: Callable[..., Any], *arguments: Any, within_s: float = 240.0) -> Any:
    """What ``function`` returns or raises in a new process."""
    with warm_pool(1) as pool:
        return pool.submit(function, *arguments).result(within_s)
