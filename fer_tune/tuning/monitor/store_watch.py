"""Reports that the store with the results is unavailable.

The driver writes to the store before it reports anything, so it is silent while it retries. The
live table, drawn by a thread of its own, and the plain output, by another, say why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fer_tune.storage import AnyPath, unavailable_since
from fer_tune.storage.retry import patience

#: Seconds between two checks.
POLL_INTERVAL_S = 1.0


def unavailable_line(root: AnyPath) -> str | None:
    """The message while the store with the results at ``root`` is unavailable; else None."""
    since = unavailable_since(str(root))
    if since is None:
        return None
    state = f"retrying until {_clock(since + patience())}; running epochs continue"
    if time.time() > since + patience():
        state = "last attempt"
    return f"results at {root} unavailable since {_clock(since)}, {state}"


class StoreWatch:
    """Reports once that the store is unavailable, and once that it is available again.

    Args:
        report: receives each line; called by another thread.
    """

    def __init__(self, root: AnyPath, report: Callable[[str], None]) -> None:
        self._root, self._report = root, report
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="store watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """May be called before ``start``, and more than once."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _poll(self) -> None:
        was_unavailable = False
        while not self._over.wait(POLL_INTERVAL_S):
            line = unavailable_line(self._root)
            if line is not None and not was_unavailable:
                self._report(line)
            elif line is None and was_unavailable:
                self._report(f"results at {self._root} available again")
            was_unavailable = line is not None


def _clock(stamp: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(stamp))
