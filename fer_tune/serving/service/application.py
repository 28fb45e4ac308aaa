"""The service as an application for Serve's own config files, as of a RayService::

    applications:
      - name: fer_tune
        import_path: fer_tune.serving.service.application:build
        args: {model: s3://BUCKET/models/densenet161, replicas: 2, gpus: 1}

Its token is in the environment variable ``FER_TUNE_TOKEN`` of every container. Serve's proxies take
the requests; in front of the replicas are processes with the same gateway as a local service has.
"""

from __future__ import annotations

import os
from typing import Any

from ray import serve
from starlette.types import ASGIApp

from fer_tune.errors import EnvironmentFault
from fer_tune.models.card import Card
from fer_tune.models.card_file import read_card
from fer_tune.serving.finding import model_folder
from fer_tune.serving.service.access import TOKEN_VARIABLE, service_token
from fer_tune.serving.service.app import about, make_app
from fer_tune.serving.service.backend import Backend
from fer_tune.serving.service.deployment import MODEL, Located, Replicas, model_application
from fer_tune.serving.service.gateway import Gateway, Load
from fer_tune.serving.service.limits import Limits
from fer_tune.serving.service.settings import ServiceSettings
from fer_tune.serving.service.telemetry import RequestMetrics
from fer_tune.storage import any_path

#: CPUs of a gateway's process, which only passes requests on.
_GATEWAY_CPUS = 0.2


def build(args: dict[str, Any]) -> serve.Application:
    """The application, for ``import_path``.

    Args:
        args: of the config file, the fields of :class:`ServiceSettings`.

    Raises:
        EnvironmentFault: ``FER_TUNE_TOKEN`` is not set: proxies listen on all addresses.
        ModelError: no model there.
        UserError: unknown settings, or values outside their range.
    """
    required_token()
    settings = ServiceSettings.of(args, "args of the Serve config")
    card = read_card(model_folder(any_path(settings.model)))

    def gateway() -> ASGIApp:
        app = serve.get_replica_context().app_name
        handle = serve.get_deployment_handle(MODEL, app)
        backend = Replicas(handle, app, settings.limits.answer_seconds)
        return guarded(backend, card, settings.limits, required_token())

    gateways = serve.deployment(
        name="Gateway",
        num_replicas=settings.gateways,
        # Bodies that arrive slowly occupy it as well; the gateway itself refuses what is too much.
        max_ongoing_requests=settings.limits.connections,
        max_queued_requests=settings.limits.waiting,
        ray_actor_options={"num_cpus": _GATEWAY_CPUS},
        health_check_period_s=2.0,
    )(serve.ingress(gateway)())
    return gateways.bind(model_application(settings, Located(where=settings.model)))


def guarded(
    backend: Backend, card: Card, limits: Limits, token: str | None, *, local: bool = False
) -> Gateway:
    """The HTTP application behind its gateway, with metrics.

    Args:
        local: see :class:`Gateway`.
    """
    load = Load.within(limits)
    app = make_app(backend, about(card), limits, load)
    observe = RequestMetrics(load)
    return Gateway(app=app, limits=limits, load=load, token=token, local=local, observe=observe)


def required_token() -> str:
    token = service_token(None, os.environ)
    if token is None:
        raise EnvironmentFault(
            "the service needs a token, as its proxies are reached from other machines",
            where=TOKEN_VARIABLE,
            remedy="Set it in every container, from a secret",
        )
    return token
