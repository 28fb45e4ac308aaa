"""The HTTP application: FastAPI behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

import fer_tune
from fer_tune.escaping import one_line
from fer_tune.models.card import Card
from fer_tune.serving.service.answers import (
    ErrorAnswer,
    HealthAnswer,
    ModelAnswer,
    PredictAnswer,
    RefusedError,
    busy,
)
from fer_tune.serving.service.backend import Backend, BusyError, UnavailableError
from fer_tune.serving.service.bodies import uploads_of
from fer_tune.serving.service.gateway import HEALTH, METRICS, MODEL, PREDICT, Load
from fer_tune.serving.service.limits import Limits

_PICTURE = {"schema": {"type": "string", "format": "binary"}}
#: The body of /predict, which is read without FastAPI so that it stays in bounds.
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **{f"image/{kind}": _PICTURE for kind in ("jpeg", "png", "webp", "*")},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "pictures": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            },
        },
    }
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "No picture, or not a valid multipart body",
        401: "Missing or wrong token",
        408: "The body arrived too slowly",
        413: "The body is too large, or holds too many pictures",
        415: "The body is of another type",
        422: "None of the pictures can be read",
        503: "Overloaded, see Retry-After; or no replica runs",
    }.items()
}


def about(card: Card) -> dict[str, Any]:
    """What /model says of a model."""
    return ModelAnswer(
        sha256=card.sha256,
        arm=card.arm,
        backbone=card.backbone,
        classes=list(card.classes),
        temperature=card.temperature,
        crop_size=card.preprocessing.crop_size,
        validation_macro_f1=card.scores.validation_macro_f1,
        test_macro_f1=card.scores.test_macro_f1,
        intended_use=card.intended_use,
        limits=list(card.limits),
    ).model_dump()


def make_app(backend: Backend, model: Mapping[str, Any], limits: Limits, load: Load) -> FastAPI:
    """The application; it must be behind a :class:`fer_tune.serving.service.gateway.Gateway`.

    Args:
        model: of :func:`about`.
        load: shared with the gateway.
    """
    # No page of documentation: FastAPI's would load scripts from outside.
    app = FastAPI(
        title="fer-tune serve", version=fer_tune.__version__, docs_url=None, redoc_url=None
    )
    _add_predict(app, backend, model["sha256"], limits, load)
    _add_others(app, backend, model)
    _add_refusals(app)
    return app


def _add_predict(app: FastAPI, backend: Backend, sha256: str, limits: Limits, load: Load) -> None:
    @app.post(PREDICT, response_model=PredictAnswer, responses=_REFUSALS, openapi_extra=_BODY)
    async def predict(request: Request) -> Response:
        """The faces of one or more pictures, and the probability of each expression."""
        pictures = await uploads_of(request, limits)
        if not load.waiting.take():
            raise busy("the service has as many requests as it may have")
        try:
            found = await backend.predict(pictures)
        except BusyError:
            raise busy("the replicas have as much work as they may have") from None
        except UnavailableError as error:
            raise _unavailable(error) from None
        finally:
            load.waiting.give()
        if all(one["error"] is not None for one in found):
            first = f"{found[0]['picture']}: {found[0]['error']}"
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise RefusedError(422, f"cannot be read: {first}{more}", "picture")
        return JSONResponse({"model": sha256, "pictures": found})


def _add_others(app: FastAPI, backend: Backend, model: Mapping[str, Any]) -> None:
    @app.get(MODEL, response_model=ModelAnswer)
    async def which() -> Response:
        """The model that predicts, what it is for, and what it must not be used for."""
        return JSONResponse(dict(model))

    @app.get(HEALTH, response_model=HealthAnswer, responses={503: {"model": HealthAnswer}})
    async def health() -> Response:
        """Whether a replica runs."""
        replicas = await backend.replicas()
        status = "ok" if replicas else "no replica is running"
        return JSONResponse(
            {"status": status, "replicas": replicas}, status_code=200 if replicas else 503
        )

    @app.get(METRICS, response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Metrics of the service and of Ray Serve on this machine, in Prometheus's format."""
        try:
            text = await backend.metrics()
        except UnavailableError as error:
            raise _unavailable(error) from None
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _unavailable(error: UnavailableError) -> RefusedError:
    return RefusedError(503, one_line(error), "unavailable", retry_after=5)


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        words = {404: f"no such address. There are {PREDICT}, {MODEL}, {HEALTH}, {METRICS}"}
        message = words.get(error.status_code, str(error.detail))
        return JSONResponse({"error": message}, error.status_code, error.headers)

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> Response:
        return JSONResponse({"error": error.message}, error.status, error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "an error of the service, which its log describes"}, 500)
