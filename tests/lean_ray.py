"""A Ray of one machine without the processes that no search there needs.

It starts in half the time. Tests of Ray itself, of its dashboard, of what its processes leave and
of the real command in a process of its own have them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def lean_ray() -> Iterator[None]:
    """A Ray that starts inside has no autoscaler and no log monitor, nor, without a dashboard, the
    server of one."""
    from ray._private.node import Node

    start_api_server = Node.start_api_server

    def only_with_a_dashboard(self: Any, *, include_dashboard: bool | None, **how: Any) -> None:
        if include_dashboard:
            start_api_server(self, include_dashboard=include_dashboard, **how)
        else:
            self._webui_url = ""  # as Ray's own returns it

    with patch.multiple(
        Node,
        start_monitor=lambda self: None,
        start_log_monitor=lambda self: None,
        start_api_server=only_with_a_dashboard,
    ):
        yield
