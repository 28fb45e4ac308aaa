"""What the command line left behind, run in the process of a test (fixture ``run``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Outcome(NamedTuple):
    """Exit code, and what was printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]
