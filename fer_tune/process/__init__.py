"""The environment of a command: standard streams, signals, a home folder, its command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fer_tune.process import streams
from fer_tune.process.credentials import hide_credentials
from fer_tune.process.home import ensure_home, home_folder
from fer_tune.process.signals import ending
from fer_tune.process.streams import keep_going

__all__ = ["ensure_home", "entered", "home_folder", "keep_going"]


@contextmanager
def entered() -> Iterator[None]:
    """Wraps a command: safe standard streams, no credentials for others to read, and signals that
    let it clean up.

    Raises:
        SystemExit: standard output was lost, and the command was otherwise successful.
    """
    streams.prepare()
    hide_credentials()
    with ending():
        try:
            yield
        except SystemExit as ended:
            code = streams.finish()
            if code and not ended.code:
                raise SystemExit(code) from None
            raise
        except BaseException:
            streams.finish()
            raise
        if code := streams.finish():
            raise SystemExit(code)
