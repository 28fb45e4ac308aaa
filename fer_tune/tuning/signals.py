"""Signals, taken for a while."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def taking(handler: Callable[[int, FrameType | None], None], *numbers: int) -> Iterator[None]:
    """Gives signals to ``handler`` while it is open.

    In the main thread alone, where they arrive; elsewhere it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in earlier.items():
            signal.signal(number, before)
