"""`fer-tune evaluate`: scores of a model, an ONNX file or a predictions file on a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fer_tune.cli.models.targets import check_target
from fer_tune.cli.option_groups import AsJson
from fer_tune.errors import UserError, reporting

if TYPE_CHECKING:
    from fer_tune.storage import AnyPath


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(evaluate)


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Model folder, results folder, their URL, onnx:FILE, or predictions:FILE.csv.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str, typer.Option("--data", help="Packed dataset (from `data import`), or its URL.")
    ],
    split: Annotated[
        Literal["test", "validation", "train"], typer.Option("--split", help="Which pictures.")
    ] = "test",
    tta: Annotated[
        Literal["none", "flip", "ten-crop"] | None,
        typer.Option(
            "--tta",
            help="Average over crops of each picture; by default none.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", min=1, help="Pictures at once; by default 64."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="cpu, cuda or cuda:1; by default an accelerator where there is one (ONNX files: "
            "the CPU).",
        ),
    ] = None,
    as_json: AsJson = False,
    out: Annotated[
        str | None, typer.Option("--out", help="Also write the JSON to this file or URL.")
    ] = None,
) -> None:
    """Score a model on a packed dataset, on all pictures and on the clean ones."""
    from rich.console import Console

    from fer_tune.cli.models.evaluated import Request
    from fer_tune.cli.models.evaluated import evaluate as evaluated
    from fer_tune.console import say
    from fer_tune.escaping import json_text, lines
    from fer_tune.storage import any_path, write_atomically

    target = None if out is None else any_path(out)
    if target is not None:
        check_target(target, "--out")
        _refuse_input(target, what)
    request = Request(
        what=what, data=data, split=split, tta=tta, batch_size=batch_size, device=device
    )
    found = evaluated(request, Console(stderr=True))
    text = json_text(found, indent=2, allow_nan=False)
    if target is not None:
        with reporting("cannot be written", target, "Check the path given as --out", UserError):
            write_atomically(target, f"{text}\n")
    if as_json:
        typer.echo(lines(text))
    else:
        say(Console(), *_shown(found))


def _refuse_input(target: AnyPath, what: str) -> None:
    """Raises UserError if the file to write is the one to evaluate."""
    from pathlib import Path

    named = what.partition(":")[2] if what.startswith(("onnx:", "predictions:")) else what
    if isinstance(target, Path) and target.exists() and target.resolve() == Path(named).resolve():
        raise UserError(
            "is the file to evaluate",
            where="--out",
            value=str(target),
            remedy="Use another file name",
        )


def _shown(found: dict[str, Any]) -> Iterator[str]:
    from analysis.formats import score
    from analysis.outputs.evaluation_text import evaluation_text
    from analysis.outputs.terminal import paragraph
    from fer_tune.data.audit_text import readings_line

    yield _title(found)
    for kind, name in (("warnings", "warning"), ("notes", "note")):
        for text in found[kind]:
            yield from paragraph(text, f"{name}: ").split("\n")
    yield ""
    yield from evaluation_text(found, found["classes"]).split("\n")
    if recorded := found.get("recorded"):
        yield ""
        yield f"the card records: macro-F1 {score(recorded['macro_f1'])}"
    if readings := found.get("test_readings"):
        yield readings_line(readings["searches"], readings["evaluations"])
    if (time := found["milliseconds_per_picture"]) is not None:
        yield f"{time:.3g} ms per picture"


def _title(found: dict[str, Any]) -> str:
    """What was evaluated on what; test-time augmentation is always named."""
    tta = "" if found["tta"] is None else f", test-time augmentation: {found['tta']}"
    model = found.get("model")
    name = f"{found['evaluated']} ({model['arm']})" if model else found["evaluated"]
    return f"{name} on the {found['split']} split of {found['data']}{tta}"
