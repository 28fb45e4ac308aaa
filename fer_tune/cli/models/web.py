"""`fer-tune camera` and `fer-tune export --format web`: the page that recognises expressions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fer_tune.cli.models.options import (
    Compare,
    Host,
    Model,
    Port,
    Runtime,
    Threshold,
    TokenFile,
    check_int8,
    finite,
)

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.serving.web.contents import Content, Display
    from fer_tune.serving.web.networks import PageModel


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(camera)


def camera(
    model: Model,
    compare: Compare = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit integers, calibrated on --data: a smaller page.")
    ] = False,
    data: Annotated[
        str | None, typer.Option("--data", help="Packed dataset of the search, or its URL.")
    ] = None,
    threshold: Threshold = 0.5,
    smooth: Annotated[
        float,
        typer.Option(
            "--smooth",
            min=0,
            max=10,
            callback=finite,
            help="Smooth over this many seconds; 0 for none.",
        ),
    ] = 0.5,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    token_file: TokenFile = None,
    runtime: Runtime = None,
) -> None:
    """Show the expressions of the faces before a camera, on a page in the browser."""
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.serving.extras import needs

    for library in ("fastapi", "uvicorn"):
        needs("camera", library)
    from fer_tune.serving.service.access import check_open, is_loopback, service_token
    from fer_tune.serving.service.server import listening_socket
    from fer_tune.serving.web.contents import Display
    from fer_tune.serving.web.server import HOW_TO_OPEN, page_app, serve_page

    check_int8(int8, data)
    token = service_token(token_file)
    check_open(host, token)
    notes = Console(stderr=True)
    with listening_socket(host, port) as listener:
        display = Display(threshold=threshold, smoothing=smooth)
        models, contents = page_of(model, compare, runtime, data, display, notes, int8=int8)
        address, number = listener.getsockname()[:2]
        name = "localhost" if is_loopback(address) else host
        say(notes, f"models: {', '.join(one.card.arm for one in models)}")
        say(notes, f"page: http://{f'[{name}]' if ':' in name else name}:{number}/; Ctrl-C ends it")
        if token is not None:
            say(notes, f"open it as http://…/{HOW_TO_OPEN}")
        if not is_loopback(address):
            say(
                notes,
                "note: browsers give cameras only to pages at https and localhost; elsewhere only "
                "pictures can be opened (see docs/camera.md)",
            )
        # With a token a server before it may use its own name.
        local = token is None and is_loopback(address)
        serve_page(page_app(contents, token=token, local=local), listener)
    say(notes, "ended")


def page_of(
    model: str,
    compare: str | None,
    runtime: Path | None,
    data: str | None,
    display: Display,
    notes: Console,
    *,
    int8: bool,
) -> tuple[list[PageModel], dict[str, Content]]:
    """The models of a page, and its files; says what takes long."""
    from fer_tune.console import say
    from fer_tune.models.kept import KeptModel
    from fer_tune.serving.extras import needs
    from fer_tune.serving.faces.networks import files as detector_files
    from fer_tune.serving.web.contents import page_contents
    from fer_tune.serving.web.networks import chosen_models, page_models
    from fer_tune.serving.web.runtime import PACKAGE, VERSION, is_tested, runtime_files
    from fer_tune.storage import any_path
    from fer_tune.tuning.files.dataset_cache import open_dataset

    def beginning(kept: KeptModel) -> None:
        say(notes, f"converting {kept.card.arm} for the browser, which takes up to minutes")

    # What may be missing is reported before the work that takes long.
    for library in ("onnx", "onnxscript", "onnxruntime"):
        needs("onnx", library)
    detector_files()
    kept = chosen_models(model, compare)
    found = runtime_files(runtime)
    if not is_tested(found):
        say(notes, f"warning: --runtime is not {PACKAGE} {VERSION}, which pages are tested with")
    dataset = None if data is None else open_dataset(any_path(data), notes)
    models = page_models(kept, dataset=dataset, int8=int8, beginning=beginning)
    return models, page_contents(models, found, display)
