"""A service that lasts as long as its command: replicas on Ray, and the HTTP server in here."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayActorError, RayError
from ray.serve.config import ProxyLocation
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from fer_tune.errors import EnvironmentFault
from fer_tune.models.card import Card
from fer_tune.process.signals import signals_deferred
from fer_tune.serving.service.application import guarded
from fer_tune.serving.service.deployment import Replicas, Shared, model_application
from fer_tune.serving.service.recognition import ModelFiles
from fer_tune.serving.service.server import Server
from fer_tune.serving.service.settings import ServiceSettings

#: Seconds between two looks at replicas that are being started.
_LOOK_S = 5.0
#: Bytes that Ray's object store needs besides the model and the bodies of requests.
_STORE = 128 * 2**20


def store_bytes(settings: ServiceSettings, model: ModelFiles) -> int:
    """Size of the object store of a Ray that serves this model: nothing in it goes to the disk."""
    return len(model.weights) + settings.limits.all_bodies_bytes + _STORE


@contextmanager
def replicas(
    settings: ServiceSettings, model: ModelFiles, *, joined: bool, report: Callable[[str], None]
) -> Iterator[tuple[DeploymentHandle[Any], str]]:
    """Starts the replicas on the Ray that this process is connected to, and stops them at the end.

    Args:
        joined: whether that Ray stays when this process ends.
        report: prints why replicas do not start yet; called from a thread.

    Yields:
        The handle of the deployment, and the name of the Serve application.

    Raises:
        EnvironmentFault: they cannot be started.
    """
    logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
    app = f"fer_tune-{secrets.token_hex(4)}"
    quiet = LoggingConfig(enable_access_log=False)
    try:
        serve.start(proxy_location=ProxyLocation.Disabled, logging_config=quiet)
        shared = Shared(refs=[ray.put(model)])
        try:
            with _watched(app, settings, report):
                handle = serve.run(
                    model_application(settings, shared),
                    name=app,
                    route_prefix=None,
                    logging_config=quiet,
                )
        except RuntimeError as error:
            raise _not_started(app, settings, error) from None
        yield handle, app
    finally:
        _stop(app, joined=joined)


@contextmanager
def _watched(app: str, settings: ServiceSettings, report: Callable[[str], None]) -> Iterator[None]:
    """Reports that replicas wait for room: Serve waits silently, and without end."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_S):
            with suppress(RayError, RayServeException):
                if _waits(app):
                    each = f"{settings.cpus:g} CPUs and {settings.gpus:g} GPUs"
                    report(f"waiting for a machine with {each} that no other work occupies")
                    return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_LOOK_S)


def _waits(app: str) -> bool:
    """Whether no machine has had room for a replica for a while, by Serve's own words."""
    found = serve.status().applications.get(app)
    messages = [one.message for one in found.deployments.values()] if found else []
    return any("to be scheduled" in text for text in messages)


def _not_started(app: str, settings: ServiceSettings, error: RuntimeError) -> EnvironmentFault:
    """With what Serve says of a deployment: the error itself, below its traceback."""
    found = serve.status().applications.get(app)
    messages = [one.message for one in found.deployments.values()] if found else []
    lines = [line.strip() for text in [*messages, str(error)] for line in text.splitlines()]
    ours = [line.partition(": ")[2] for line in lines if re.match(r"fer_tune\.[\w.]+: ", line)]
    what = "the replicas cannot be started"
    if ours:  # which names its place and its remedy
        return EnvironmentFault(f"{what}: {ours[0]}")
    reason = next((line for line in reversed(lines) if line), type(error).__name__)
    return EnvironmentFault(
        f"{what}: {reason}",
        where="MODEL",
        value=settings.model,
        remedy="Check the model with `fer-tune predict`, and the options of the service",
    )


def _stop(app: str, *, joined: bool) -> None:
    """Ends the application; and Serve where it stays without another one, as its proxies are off
    for whatever comes next."""
    with signals_deferred():
        others = {name for name in serve.status().applications if name != app}
        if others or not joined:
            serve.delete(app)
        else:
            serve.shutdown()  # type: ignore[no-untyped-call]


def serve_requests(
    listener: socket.socket,
    handle: DeploymentHandle[Any],
    app: str,
    card: Card,
    settings: ServiceSettings,
    *,
    token: str | None,
    local: bool,
    stopping: Callable[[], None],
) -> None:
    """Answers requests until SIGINT, SIGTERM or SIGHUP; then those that were accepted.

    Args:
        stopping: called at the first signal.
    """
    limits = settings.limits
    gateway = guarded(
        Replicas(handle, app, limits.answer_seconds), card, limits, token, local=local
    )
    server = Server(gateway, limits)

    def stop() -> None:
        if not server.should_exit:
            stopping()
        server.stop()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                loop.add_signal_handler(number, stop)
        await server.serve([listener])

    # It stays: some of these tasks are collected when everything has ended.
    logging.getLogger("asyncio").addFilter(_is_no_lost_replica)
    asyncio.run(run())


def _is_no_lost_replica(record: logging.LogRecord) -> bool:
    """Keeps the traceback out with which Serve's own tasks end that asked a replica that died.

    Its requests are given to others, and Ray reports the death.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], RayActorError))
