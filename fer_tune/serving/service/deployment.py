"""The replicas that predict, as a deployment of Ray Serve, and the way to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayActorError, TaskCancelledError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RayServeException,
)
from ray.serve.handle import DeploymentHandle

from fer_tune.serving.service.backend import BusyError, UnavailableError, Upload
from fer_tune.serving.service.recognition import (
    ModelFiles,
    Recogniser,
    Recognising,
    apart,
    read_model,
)
from fer_tune.serving.service.settings import ServiceSettings
from fer_tune.serving.service.telemetry import BatchMetrics, exported

#: The deployment's name.
MODEL = "Model"
#: How often a request is given to a replica: together with others, and then alone. A picture that
#: ends every process which reads it must not end all of them.
_ATTEMPTS = 4
_PAUSE_S = 0.1
#: Seconds between two health checks of a replica, and without an answer until it is replaced.
_HEALTH_S, _HANGING_S = 2.0, 60.0
#: Attempts to start the first replicas: what fails twice is not the machine's load.
_STARTS = 2
#: Seconds for which the number of replicas is remembered.
_REMEMBERED_S = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """A model that every replica reads from where it is."""

    where: str

    def files(self) -> ModelFiles:
        return read_model(self.where)[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """A model that was read once and is in Ray's object store, whatever becomes of its folder.

    Attributes:
        refs: the object, in a list so that Ray does not replace it by its value.
    """

    refs: list[ray.ObjectRef[ModelFiles]]

    def files(self) -> ModelFiles:
        return ray.get(self.refs[0])


class ModelReplica:
    """A process that predicts."""

    def __init__(
        self, model: Located | Shared, recognising: Recognising, batch: int, batch_wait: float
    ) -> None:
        self._recogniser = Recogniser(model.files(), recognising)
        self._metrics = BatchMetrics()
        self._working = asyncio.Lock()
        self._together.set_max_batch_size(batch)  # type: ignore[attr-defined]
        self._together.set_batch_wait_timeout_s(batch_wait)  # type: ignore[attr-defined]

    async def predict(self, pictures: list[Upload]) -> list[dict[str, Any]]:
        """The documents of one request's pictures."""
        found: list[dict[str, Any]] | Exception = await self._together(pictures)
        return _or_raise(found)

    async def predict_alone(self, pictures: list[Upload]) -> list[dict[str, Any]]:
        """The same without other requests, which its pictures may take along if they end the
        process."""
        (found,) = await self._recognised([pictures])
        return _or_raise(found)

    @serve.batch
    async def _together(
        self, requests: list[list[Upload]]
    ) -> list[list[dict[str, Any]] | Exception]:
        return await self._recognised(requests)

    async def _recognised(
        self, requests: list[list[Upload]]
    ) -> list[list[dict[str, Any]] | Exception]:
        await self._working.acquire()
        # A request may be cancelled, at its time limit; its thread runs on, and holds the lock.
        return await asyncio.shield(asyncio.ensure_future(self._in_thread(requests)))

    async def _in_thread(
        self, requests: list[list[Upload]]
    ) -> list[list[dict[str, Any]] | Exception]:
        """Predicts in a thread, so that requests are collected for the next batch meanwhile."""
        try:
            began = time.monotonic()
            found = await asyncio.to_thread(apart, self._recogniser.recognise, requests)
            self._metrics.observe(sum(map(len, requests)), time.monotonic() - began)
        finally:
            self._working.release()
        return found


def _or_raise(found: list[dict[str, Any]] | Exception) -> list[dict[str, Any]]:
    if isinstance(found, Exception):
        raise found
    return found


def model_application(settings: ServiceSettings, model: Located | Shared) -> serve.Application:
    """The deployment with its replicas."""
    deployment = serve.deployment(
        name=MODEL,
        num_replicas=settings.replicas,
        max_ongoing_requests=settings.ongoing,
        # The gateway counts exactly; this bounds what several gateways can send.
        max_queued_requests=settings.limits.waiting,
        ray_actor_options={"num_cpus": settings.cpus, "num_gpus": settings.gpus},
        health_check_period_s=_HEALTH_S,
        health_check_timeout_s=_HANGING_S,
        graceful_shutdown_wait_loop_s=0.2,
        max_constructor_retry_count=_STARTS,
    )(ModelReplica)
    return deployment.bind(model, settings.recognising, settings.batch, settings.batch_wait)


class Replicas:
    """The replicas as the HTTP application's backend.

    Args:
        app: name of the Serve application.
        answer_seconds: see :class:`fer_tune.serving.service.limits.Limits`.
    """

    def __init__(self, handle: DeploymentHandle[Any], app: str, answer_seconds: float) -> None:
        self._handle, self._app, self._seconds = handle, app, answer_seconds
        self._counted = (-_REMEMBERED_S, 0)
        self._alone, self._counting = asyncio.Lock(), asyncio.Lock()

    async def predict(self, pictures: Sequence[Upload]) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._surviving(list(pictures))
        except TimeoutError:
            raise UnavailableError(
                f"no replica answered within {self._seconds:g} seconds"
            ) from None

    async def _surviving(self, pictures: list[Upload]) -> list[dict[str, Any]]:
        """Predicts again, elsewhere, if a replica dies: a prediction changes nothing.

        Any request of that replica may have ended it. So each is then predicted alone, one after
        the other: only the one to blame loses its further replicas.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return await (self._sent_alone(pictures) if attempt else self._sent(pictures))
            except BackPressureError:
                raise BusyError from None
            except DeploymentUnavailableError:
                raise UnavailableError("the replicas cannot be started; see their log") from None
            except (RayActorError, RayServeException, TaskCancelledError):
                await asyncio.sleep(_PAUSE_S)
        raise UnavailableError(f"{_ATTEMPTS} replicas ended while they predicted this request")

    async def _sent(self, pictures: list[Upload]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._handle.predict.remote(pictures)
        return found

    async def _sent_alone(self, pictures: list[Upload]) -> list[dict[str, Any]]:
        async with self._alone:
            found: list[dict[str, Any]] = await self._handle.predict_alone.remote(pictures)
            return found

    async def replicas(self) -> int:
        async with self._counting:  # however many ask at once, Serve is asked once
            at, count = self._counted
            if time.monotonic() - at >= _REMEMBERED_S:
                try:
                    count = await asyncio.to_thread(running, self._app)
                except (RayActorError, RayServeException):  # Serve's controller is being replaced
                    count = 0
                self._counted = (time.monotonic(), count)
            return count

    async def metrics(self) -> bytes:
        return await exported()


def running(app: str) -> int:
    """How many replicas of a Serve application's model are running."""
    found = serve.status().applications.get(app)
    model = found.deployments.get(MODEL) if found else None
    states = model.replica_states if model else {}
    return sum(count for state, count in states.items() if state == "RUNNING")
