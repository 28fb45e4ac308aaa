"""A Ray of one machine without the processes that no search there needs.

It starts in half the time. Tests of Ray itself, of its dashboard and of what its processes
leave have them all; of the real command in a process of its own, some do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

_AGENT = Path(__file__).with_name("lean_agent.sh")


@contextmanager
def lean_ray() -> Iterator[None]:
    """A Ray that starts inside has no autoscaler and no log monitor, nor, without a dashboard, the
    server and the agents of one."""
    from ray._private import ray_constants, services
    from ray._private.node import Node

    start_api_server = Node.start_api_server
    python_for = services._build_python_executable_command_memory_profileable
    agents = (
        ray_constants.PROCESS_TYPE_DASHBOARD_AGENT,
        ray_constants.PROCESS_TYPE_RUNTIME_ENV_AGENT,
    )
    has_dashboard = False

    def only_with_a_dashboard(self: Any, *, include_dashboard: bool | None, **how: Any) -> None:
        nonlocal has_dashboard
        has_dashboard = bool(include_dashboard)
        if has_dashboard:
            start_api_server(self, include_dashboard=include_dashboard, **how)
        else:
            self._webui_url = ""  # as Ray's own returns it

    def agents_only_with_a_dashboard(component: str, *how: Any, **more: Any) -> list[str]:
        if component in agents and not has_dashboard:
            return [str(_AGENT)]
        return python_for(component, *how, **more)

    with (
        patch.multiple(
            Node,
            start_monitor=lambda self: None,
            start_log_monitor=lambda self: None,
            start_api_server=only_with_a_dashboard,
        ),
        patch.multiple(
            services,
            _build_python_executable_command_memory_profileable=agents_only_with_a_dashboard,
        ),
    ):
        yield
