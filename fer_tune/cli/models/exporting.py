"""`fer-tune export`: a kept model as ONNX, as TorchScript, as a web page, or as a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fer_tune.cli.models.options import Compare, Model, Runtime, check_int8
from fer_tune.cli.models.web import page_of
from fer_tune.cli.option_groups import AsJson
from fer_tune.errors import UserError

if TYPE_CHECKING:
    from fer_tune.data import PackedDataset
    from fer_tune.models.kept import KeptModel
    from fer_tune.serving.export.whole import Made
    from fer_tune.storage import AnyPath

SCHEMA_VERSION = 1

Format = Literal["onnx", "torchscript", "safetensors", "web"]
Variant = Literal["inside", "outside"]


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(export)


def export(
    model: Model,
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            help="onnx, torchscript, safetensors: a model folder, or web: a page for a camera.",
        ),
    ],
    out: Annotated[
        str, typer.Option("--out", help="File, folder for safetensors and web, or URL.")
    ],
    preprocess: Annotated[
        Variant | None,
        typer.Option(
            "--preprocess",
            help="Where resizing and cropping happen: outside (your program, the default) or "
            "inside (the model).",
            show_default=False,
        ),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="8-bit integers, calibrated on --data; onnx and web."),
    ] = False,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Packed dataset of the search, or its URL, to check with."),
    ] = None,
    compare: Compare = None,
    runtime: Runtime = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is at --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Export a model; the result is compared with PyTorch before it is written."""
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.escaping import json_text
    from fer_tune.serving.export import target
    from fer_tune.serving.finding import find_model
    from fer_tune.storage import any_path

    _check_options(kind, preprocess, int8, data)
    there = any_path(out)
    if kind == "web":
        _export_page(model, there, compare, runtime, data, int8=int8, force=force, as_json=as_json)
        return
    _check_web_options(kind, compare, runtime)
    if kind != "safetensors":
        target.check_file(there, kind, force=force)
    kept = find_model(model)
    if kind == "safetensors":
        target.check_folder(there, kept.folder, force=force)
        size = target.copy_model(kept, there)
        found = _document(kept, kind, there, size)
    else:
        variant: Variant = preprocess or "outside"
        made = _made(kept, kind, variant, int8, data)
        target.write_file(there, made.content)
        found = _document(kept, kind, there, len(made.content))
        found |= _checked(made, variant, kept, data)
    if as_json:
        typer.echo(json_text(found, indent=2, allow_nan=False))
    else:
        say(Console(), *_shown(found))


def _check_options(kind: Format, preprocess: Variant | None, int8: bool, data: str | None) -> None:
    """Raises UserError for options that do not go together, before anything is read."""
    if kind == "safetensors":
        given = {"--preprocess": preprocess is not None, "--data": data is not None}
        for option, used in given.items():
            if used:
                raise UserError(
                    "cannot be used with --format safetensors, which copies the model as it is",
                    where=option,
                    remedy="Remove it",
                )
    if kind == "web" and preprocess is not None:
        raise UserError(
            "cannot be used with --format web, whose page resizes pictures itself",
            where="--preprocess",
            remedy="Remove it",
        )
    if int8 and kind not in ("onnx", "web"):
        raise UserError(
            "needs --format onnx", where="--int8", value=kind, remedy="Change one of them"
        )
    check_int8(int8, data)


def _check_web_options(kind: Format, compare: str | None, runtime: Path | None) -> None:
    for option, value in {"--compare": compare, "--runtime": runtime}.items():
        if value is not None:
            raise UserError(
                "needs --format web", where=option, value=kind, remedy="Change one of them"
            )


def _export_page(
    model: str,
    out: AnyPath,
    compare: str | None,
    runtime: Path | None,
    data: str | None,
    *,
    int8: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Writes the page to a folder, and prints what it holds."""
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.escaping import json_text, shell_word
    from fer_tune.serving.web.contents import Display
    from fer_tune.serving.web.folder import check_page_folder, write_page

    check_page_folder(out, force=force)
    notes = Console(stderr=True)
    models, contents = page_of(model, compare, runtime, data, Display(), notes, int8=int8)
    size = write_page(contents, out)
    if as_json:
        arms = [
            {"arm": one.card.arm, "sha256": one.card.sha256, "precision": one.precision}
            for one in models
        ]
        found = {
            "schema_version": SCHEMA_VERSION,
            "format": "web",
            "out": str(out),
            "bytes": size,
            "files": len(contents),
            "models": arms,
        }
        typer.echo(json_text(found, indent=2, allow_nan=False))
        return
    arms_text = ", ".join(one.card.arm for one in models)
    say(Console(), f"{arms_text} as a page: {out} ({_mib(size)}, {len(contents)} files)")
    say(Console(), f"serve it with: python -m http.server --directory {shell_word(out)}")


def _made(
    kept: KeptModel,
    kind: Literal["onnx", "torchscript"],
    variant: Variant,
    int8: bool,
    data: str | None,
) -> Made:
    from fer_tune.serving.export.whole import make

    dataset = None if data is None else _dataset(data)
    return make(kept, kind, variant=variant, dataset=dataset, int8=int8)


def _dataset(data: str) -> PackedDataset:
    from rich.console import Console

    from fer_tune.storage import any_path
    from fer_tune.tuning.files.dataset_cache import open_dataset

    return open_dataset(any_path(data), Console(stderr=True))


def _document(kept: KeptModel, kind: Format, out: AnyPath, size: int) -> dict[str, Any]:
    """The beginning of what `export --json` prints."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model": str(kept.folder),
        "arm": kept.card.arm,
        "sha256": kept.card.sha256,
        "format": kind,
        "out": str(out),
        "bytes": size,
    }


def _checked(made: Made, variant: Variant, kept: KeptModel, data: str | None) -> dict[str, Any]:
    """The rest, for a format that is compared with PyTorch."""
    from fer_tune.serving.export.checking import BATCH_SIZES, LIMIT

    check, int8 = made.check, made.int8
    return {
        "preprocessing": variant,
        "precision": "float32" if int8 is None else "int8",
        "trained_in": kept.card.precision,
        "max_side": kept.card.preprocessing.max_side,
        "check": {
            "pictures": check.pictures,
            "kind": "generated" if data is None else "validation",
            "batch_sizes": list(BATCH_SIZES),
            "largest_probability_difference": check.probability,
            "probability_limit": LIMIT,
            "largest_logit_difference": check.logit,
            "logit_limit": check.logit_limit,
            "equal_top": check.equal_top,
        },
        "int8": None
        if int8 is None
        else {
            "calibration_pictures": int8.calibrated,
            "validation_pictures": int8.pictures,
            "macro_f1_before": int8.before,
            "macro_f1_after": int8.after,
            "equal_top": int8.equal_top,
            "bytes_before": made.float_bytes,
        },
    }


def _shown(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['arm']} as {found['format']}: {found['out']} ({_mib(found['bytes'])})"
    if (check := found.get("check")) is None:
        return
    if found["preprocessing"] == "inside":
        yield (
            f"input: uint8 pictures, longer side at most {found['max_side']} px; reduce larger "
            "ones first (Lanczos)"
        )
    else:
        yield "input: uint8 pictures, resized and cropped as docs/export.md says"
    if found["trained_in"] == "bfloat16":
        yield "note: trained and scored in bfloat16, exported in float32"
    of = "float32 model" if found["int8"] else "model"
    yield (
        f"the {of} against PyTorch on {check['pictures']} {check['kind']} pictures: largest "
        f"difference of a probability {check['largest_probability_difference']:.2g} (limit "
        f"{check['probability_limit']:g}), of a logit {check['largest_logit_difference']:.2g} "
        f"(limit {check['logit_limit']:.2g})"
    )
    if (int8 := found["int8"]) is not None:
        yield (
            f"int8: macro-F1 {int8['macro_f1_before']:.4f} before, {int8['macro_f1_after']:.4f} "
            f"after, on {int8['validation_pictures']} validation pictures; "
            f"{_mib(int8['bytes_before'])} before, {_mib(found['bytes'])} after"
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
