"""The ``time`` module as one module under test sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def replace_time(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, **functions: Callable[..., Any]
) -> None:
    """Replaces ``functions`` of ``time`` in ``module`` alone, such as ``monotonic`` or ``sleep``.

    Other threads keep the real clock: an event loop of this process that reckoned a deadline by a
    replaced one would wait for it for hours.
    """
    assert functions.keys() <= vars(time).keys()
    monkeypatch.setattr(module, "time", SimpleNamespace(**{**vars(time), **functions}))
