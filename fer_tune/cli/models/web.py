"""`fer-tune camera` and `fer-tune export --format web`: the page that recognises expressions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fer_tune.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.serving.web.contents import Content, Display
    from fer_tune.serving.web.networks import PageModel

Compare = Annotated[
    str | None,
    typer.Option(
        "--compare",
        help="Also show the models of this results folder, or this model, side by side.",
    ),
]
Runtime = Annotated[
    Path | None,
    typer.Option(
        "--runtime", help="Folder with onnxruntime-web; by default npm downloads it once."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(camera)


def camera(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Model folder, results folder (the arm better on validation), or their URL.",
            show_default=False,
        ),
    ],
    compare: Compare = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit integers, calibrated on --data: a smaller page.")
    ] = False,
    data: Annotated[
        str | None, typer.Option("--data", help="Packed dataset of the search, or its URL.")
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", min=0, max=1, help="Name no expression below this probability."
        ),
    ] = 0.5,
    smooth: Annotated[
        float,
        typer.Option("--smooth", min=0, max=10, help="Smooth over this many seconds; 0 for none."),
    ] = 0.5,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; all but loopback need a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Port; 0 for a free one.")
    ] = 8080,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            help="File with the token that requests need; by default FER_TUNE_TOKEN, else none.",
        ),
    ] = None,
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

    if int8 and data is None:
        raise UserError(
            "needs pictures to calibrate with",
            where="--int8",
            remedy="Add --data with the packed dataset of the search",
        )
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
        serve_page(page_app(contents, token=token, local=is_loopback(address)), listener)
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
