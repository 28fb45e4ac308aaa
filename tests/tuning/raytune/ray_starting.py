"""What a process runs that starts a Ray and is interrupted meanwhile."""

from __future__ import annotations

import atexit
import signal

from rich.console import Console

from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import ray_connection


def start() -> None:
    with ray_connection(SearchOptions(cpus=1, dashboard=False), Console(width=200)):
        print("Ray is up", flush=True)


def main() -> None:
    """Ends by SIGINT where Python would after a KeyboardInterrupt that nobody catches."""
    try:
        start()
    except KeyboardInterrupt:
        atexit._run_exitfuncs()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
