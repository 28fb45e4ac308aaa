"""A server in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from fer_tune.serving.service.limits import Limits
from fer_tune.serving.service.server import Server, listening_socket
from fer_tune.serving.web.server import CONNECTIONS


@contextmanager
def running(app: ASGIApp, connections: int = CONNECTIONS) -> Iterator[int]:
    """Serves ``app`` at a free port of the loopback; yields the port."""
    listener = listening_socket("127.0.0.1", 0)
    server = Server(app, Limits(connections=connections))
    server.config.timeout_graceful_shutdown = 1
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop()
        thread.join(20)
        listener.close()
    assert not thread.is_alive()
