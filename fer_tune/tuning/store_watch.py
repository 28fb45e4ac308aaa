"""Says that the store with the results does not answer, as nothing else is told meanwhile.

The driver waits for the store before it tells anything: it writes first. So the live table, which
is drawn by a thread of its own, and plain lines, by another, say why they stand still.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fer_tune.storage import Place, away_since
from fer_tune.storage.trying import patience

#: Seconds between two looks.
LOOK_S = 1.0


def away_line(root: Place) -> str | None:
    """What to say of the store with the results at ``root``; nothing while it answers."""
    since = away_since(str(root))
    if since is None:
        return None
    goes_on = f"asked again until {_clock(since + patience())}; epochs that run go on"
    if time.time() > since + patience():
        goes_on = "asked for the last time"
    return f"results at {root} not reachable since {_clock(since)}, {goes_on}"


class StoreWatch:
    """Tells once that the store does not answer, and once that it does again.

    Args:
        tell: takes a line; called by another thread.
    """

    def __init__(self, root: Place, tell: Callable[[str], None]) -> None:
        self._root, self._tell = root, tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="store watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Harmless when it was not started, or called again."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _look(self) -> None:
        was_away = False
        while not self._over.wait(LOOK_S):
            line = away_line(self._root)
            if line is not None and not was_away:
                self._tell(line)
            elif line is None and was_away:
                self._tell(f"results at {self._root} reachable again")
            was_away = line is not None


def _clock(stamp: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(stamp))
