"""Notices that a process may end soon: its machine is drained, SIGTERM, Ctrl-C at the driver."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import ray

from fer_tune import ray_private

logger = logging.getLogger(__name__)

#: Seconds between two looks at whether the machine is drained; the shortest notice of a cloud is
#: 30 s.
POLL_INTERVAL_S = 3.0
#: Seconds that a SIGTERM waits for the newest state to be written.
SIGTERM_WAIT_S = 20.0
_STOP_KEY = "fer_tune:interrupted:"


# -- Ctrl-C at the driver ---------------------------------------------------------------------


def announce_interruption(announced: bool = True) -> None:
    """Tells all processes of this driver's trials to save every epoch from now on, or not to."""
    if not ray.is_initialized():
        return
    try:
        if announced:
            ray_private.put_value(_stop_key(), b"1")
        else:
            ray_private.remove_value(_stop_key())
    except Exception as error:  # Ray documents none; a checkpoint then comes with the interval
        logger.warning("processes do not know whether the search is interrupted: %s", error)


def interruption_announced() -> bool:
    """Whether the driver has been interrupted; without Ray, or if Ray does not respond, False."""
    if not ray.is_initialized():
        return False
    try:
        return bool(ray_private.has_value(_stop_key()))
    except Exception as error:  # Ray documents none; the driver waits for a saved epoch
        logger.warning("unknown whether the search was interrupted: %s", error)
        return False


def _stop_key() -> str:
    """A job of Ray is one connection of a driver."""
    return _STOP_KEY + ray.get_runtime_context().get_job_id()


# -- the machine ------------------------------------------------------------------------------


def on_this_node_draining() -> bool:
    """Whether Ray drains this node, as after a notice of a spot machine."""
    return ray.get_runtime_context().get_node_id() in ray_private.draining_nodes()


class DrainWatch:
    """Calls ``act`` once in a thread, as soon as this machine is drained.

    Args:
        is_draining: asks Ray; what it raises is logged, and it is asked again.
    """

    def __init__(
        self,
        act: Callable[[], None],
        *,
        is_draining: Callable[[], bool] = on_this_node_draining,
        interval_s: float = POLL_INTERVAL_S,
    ) -> None:
        self._act, self._is_draining, self._interval_s = act, is_draining, interval_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="drain-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, unless it is in ``act``."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self._interval_s):
            try:
                if not self._is_draining():
                    continue
            except Exception as error:  # Ray documents none
                logger.warning("unknown whether this machine is drained: %s", error)
                continue
            logger.warning("this machine is drained: every epoch is saved from now on")
            self._act()
            return


# -- SIGTERM ----------------------------------------------------------------------------------


def act_on_sigterm(act: Callable[[], None]) -> None:
    """Calls ``act`` at SIGTERM, before the handler that was there.

    The handler runs between any two instructions of the main thread, which may hold a lock that
    ``act`` needs: such a lock must be reentrant.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # as in a threaded actor; Python allows handlers in the main thread alone
    before: Any = signal.getsignal(signal.SIGTERM)
    if before in (None, signal.SIG_IGN):
        return  # that of a host program, or ignored

    def handle(number: int, frame: FrameType | None) -> None:
        act()
        if callable(before):
            before(number, frame)
        else:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, handle)
