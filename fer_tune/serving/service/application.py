"""The service as an application for Serve's own config files, as of a RayService::

    applications:
      - name: fer_tune
        import_path: fer_tune.serving.service.application:build
        args: {model: s3://BUCKET/models/densenet161, replicas: 2, gpus: 1}

Its token is in the environment variable ``FER_TUNE_TOKEN`` of every container. Serve's proxies take
the requests; in front of the replicas are processes with the same door as a local service has.
"""

from __future__ import annotations

import os

from ray import serve
from starlette.types import ASGIApp

from fer_tune.errors import EnvironmentFault
from fer_tune.models.card import Card
from fer_tune.serving.service.access import TOKEN_VARIABLE, service_token
from fer_tune.serving.service.app import about, make_app
from fer_tune.serving.service.backend import Backend
from fer_tune.serving.service.deployment import MODEL, Located, Replicas, model_application
from fer_tune.serving.service.door import Door, Load
from fer_tune.serving.service.limits import Limits
from fer_tune.serving.service.recognition import read_model
from fer_tune.serving.service.settings import ServiceSettings
from fer_tune.serving.service.telemetry import RequestMetrics

#: CPUs of a door's process, which only passes requests on.
_DOOR_CPUS = 0.2


def build(args: ServiceSettings) -> serve.Application:
    """The application, for ``import_path``.

    Raises:
        EnvironmentFault: ``FER_TUNE_TOKEN`` is not set: proxies listen on all addresses.
        ModelError: no model there.
    """
    required_token()
    card, _ = read_model(args.model)

    def door() -> ASGIApp:
        app = serve.get_replica_context().app_name
        handle = serve.get_deployment_handle(MODEL, app)
        backend = Replicas(handle, app, args.limits.answer_seconds)
        return guarded(backend, card, args.limits, required_token())

    doors = serve.deployment(
        name="Door",
        num_replicas=args.doors,
        # Bodies that arrive slowly occupy it as well; the door itself refuses what is too much.
        max_ongoing_requests=args.limits.connections,
        max_queued_requests=args.limits.waiting,
        ray_actor_options={"num_cpus": _DOOR_CPUS},
        health_check_period_s=2.0,
    )(serve.ingress(door)())
    return doors.bind(model_application(args, Located(where=args.model)))


def guarded(
    backend: Backend, card: Card, limits: Limits, token: str | None, *, local: bool = False
) -> Door:
    """The HTTP application behind its door, with metrics.

    Args:
        local: see :class:`Door`.
    """
    load = Load.within(limits)
    app = make_app(backend, about(card), limits, load)
    observe = RequestMetrics(load)
    return Door(app=app, limits=limits, load=load, token=token, local=local, observe=observe)


def required_token() -> str:
    token = service_token(None, os.environ)
    if token is None:
        raise EnvironmentFault(
            "the service needs a token, as its proxies are reached from other machines",
            where=TOKEN_VARIABLE,
            remedy="Set it in every container, from a secret",
        )
    return token
