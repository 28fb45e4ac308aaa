"""`fer-tune predict`: the expressions of the faces in pictures or a video."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fer_tune.cli.models.options import Faces, Model, Threshold, finite
from fer_tune.cli.models.targets import check_target
from fer_tune.cli.option_groups import AsJson
from fer_tune.errors import UserError, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.serving.output import Format
    from fer_tune.serving.pictures import Picture
    from fer_tune.serving.prediction import FaceReader, PicturePrediction
    from fer_tune.serving.predictor import Predictor
    from fer_tune.storage import AnyPath


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(predict)


def predict(
    model: Model,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS...",
            help="Pictures, folders, patterns, a packed dataset (its test pictures), - for one "
            "picture on standard input; or one video.",
            show_default=False,
        ),
    ],
    faces: Faces = "auto",
    detector: Annotated[
        str, typer.Option("--detector", help="mtcnn, or yunet:FILE.onnx with OpenCV.")
    ] = "mtcnn",
    threshold: Threshold = 0.5,
    calibrated: Annotated[
        bool,
        typer.Option(
            "--calibrated/--uncalibrated", help="Calibrated probabilities, or the network's own."
        ),
    ] = True,
    form: Annotated[
        Literal["table", "jsonl", "csv", "parquet"] | None,
        typer.Option("--format", help="By default that of --out's suffix, else a table."),
    ] = None,
    as_json: AsJson = False,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            help="File or URL to write instead of standard output; of a video named like one, "
            "such as out.mp4, a copy with boxes and labels.",
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", help="Folder for class-activation maps: a picture per face."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first picture that cannot be read.")
    ] = False,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Faces at once.")] = 64,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda or cuda:1; by default the best.")
    ] = None,
    timeline: Annotated[
        str | None,
        typer.Option("--timeline", help="Videos only: HTML page of each face's expressions."),
    ] = None,
    every: Annotated[
        int | None, typer.Option("--every", min=1, help="Videos only: predict every N-th frame.")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps",
            min=0.01,
            callback=finite,
            help="Videos only: predict at most this many frames per second.  [default: 10]",
        ),
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(
            "--smooth",
            min=0,
            callback=finite,
            help="Videos only: smooth over this many seconds; 0 for none.  [default: 0.5]",
        ),
    ] = None,
) -> None:
    """Name the expressions of the faces in pictures or in a video."""
    from rich.console import Console

    from fer_tune.cli.models.video import run_on_video, video_among
    from fer_tune.cli.models.video_options import VideoOptions
    from fer_tune.console import say
    from fer_tune.escaping import lines
    from fer_tune.serving.extras import needs
    from fer_tune.serving.faces import Deferred, load_detector
    from fer_tune.serving.finding import find_model
    from fer_tune.serving.output import json_line
    from fer_tune.serving.pictures import named_pictures
    from fer_tune.serving.prediction import FaceReader, without_pixels
    from fer_tune.serving.predictor import Predictor
    from fer_tune.storage import any_path

    notes = Console(stderr=True)

    def opened() -> tuple[FaceReader, str]:
        kept = find_model(model)
        reader = FaceReader(
            predictor=Predictor(kept, device=device, batch_size=batch_size),
            # One that is asked for is loaded now, so that its errors come before any work.
            detector=Deferred() if detector == "mtcnn" else load_detector(detector),
            mode=faces,
            threshold=threshold,
            calibrated=calibrated,
        )
        return reader, _introduce(reader, str(kept.folder), notes)

    options = VideoOptions(timeline=timeline, every=every, fps=fps, smooth=smooth)
    video = video_among(paths)
    if video is not None:
        if explain is not None:
            raise UserError(
                "--explain is for pictures, not for a video", value=video, remedy="Remove it"
            )
        run_on_video(video, out, form, as_json, options, opened, notes, strict=strict)
        return
    options.refuse_for_pictures()
    target = None if out is None else any_path(out)
    chosen = chosen_format(form, out, as_json)
    if explain is not None:
        needs("explain", "captum")
    if target is not None:
        check_target(target, "--out")
    pictures = named_pictures(paths)
    reader, _ = opened()
    began = time.monotonic()
    maps = None if explain is None else Maps(reader.predictor, any_path(explain))
    streamed = chosen == "jsonl" and target is None
    found = []
    with _progress(len(pictures), notes) as advance:
        for one in _read(reader, pictures, strict, notes, advance):
            if maps is not None:
                maps.add(one)
            if streamed:
                typer.echo(lines(json_line(one, reader.predictor.classes)))
            found.append(without_pixels(one))
    if not streamed:
        _write(found, reader, chosen, target)
    if maps is not None:
        say(notes, maps.summary())
    _conclude(found, time.monotonic() - began, notes)
    if any(one.error is not None for one in found):
        raise typer.Exit(1)


def chosen_format(form: Format | None, out: str | None, as_json: bool) -> Format:
    """The format of a table.

    Raises:
        UserError: the options contradict each other, or ``out`` has another suffix.
    """
    from fer_tune.serving.output import format_of

    if as_json:
        if form not in (None, "jsonl"):
            raise UserError(
                "--json and --format cannot be combined", value=form, remedy="Use one of them"
            )
        return "jsonl"
    chosen = form or (format_of(out) if out else None)
    if chosen is None and out is not None:
        raise UserError(
            "unknown file suffix",
            where="--out",
            value=out,
            remedy="Use .csv, .jsonl, .parquet or .txt, or add --format",
        )
    if chosen == "parquet" and out is None:
        raise UserError("--format parquet requires --out", remedy="Add --out FILE.parquet")
    return chosen or "table"


def _introduce(reader: FaceReader, folder: str, notes: Console) -> str:
    """Prints which model is used, and how faces are found; the first of them is returned."""
    from fer_tune.console import say
    from fer_tune.serving.faces import rule

    card = reader.predictor.card
    score = card.scores.validation_macro_f1
    used = f"{folder} ({card.arm}, validation macro-F1 {score:.3f})"
    say(notes, f"model: {used}")
    rules = {
        "auto": f"auto: {rule(reader.side)}",
        "always": "always detected",
        "never": "each picture is taken as a whole",
    }
    say(notes, f"faces: {rules[reader.mode]}", wrap=True)
    return used


def _read(
    reader: FaceReader,
    pictures: list[Picture],
    strict: bool,
    notes: Console,
    advance: Callable[[], object],
) -> Iterator[PicturePrediction]:
    from fer_tune.console import say
    from fer_tune.errors import DataError

    for one in reader.read(pictures):
        if one.error is not None:
            if strict:
                raise DataError(
                    one.error, where=one.name, remedy="Without --strict it would be skipped"
                )
            say(notes, f"skipped {one.name}: {one.error}")
        advance()
        yield one


@contextmanager
def _progress(total: int, notes: Console) -> Iterator[Callable[[], object]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("predicting"), BarColumn(), MofNCompleteColumn())
    hidden = not notes.is_terminal or total < 2
    with Progress(*columns, console=notes, transient=True, disable=hidden) as bar:
        task = bar.add_task("predicting", total=total)
        yield lambda: bar.advance(task)


def _write(
    found: list[PicturePrediction], reader: FaceReader, form: Format, target: AnyPath | None
) -> None:
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.escaping import lines
    from fer_tune.serving.output import encoded, table
    from fer_tune.storage import write_atomically

    classes, console = reader.predictor.classes, Console()
    if target is not None:
        with reporting("cannot be written", target, "Check the path given as --out", UserError):
            write_atomically(target, encoded(found, classes, form))
    elif form == "table" and console.is_terminal:
        say(console, table(found))
    else:
        # A file name may hold control characters; --out writes them as they are.
        typer.echo(lines(encoded(found, classes, form).decode()), nl=False)


class Maps:
    """Writes a class-activation map for each face, named by its picture."""

    def __init__(self, predictor: Predictor, folder: AnyPath) -> None:
        self._predictor, self._folder = predictor, folder
        self._stages: set[str] = set()
        self._count = 0
        if isinstance(folder, Path):
            with reporting("cannot be written", folder, "Check the path given as --explain"):
                folder.mkdir(parents=True, exist_ok=True)

    def add(self, picture: PicturePrediction) -> None:
        from fer_tune.serving.explain import explain, write_explanation

        for face in picture.faces:
            assert face.pixels is not None
            explanation = explain(self._predictor, face.pixels, face.expression)
            write_explanation(self._folder, picture.name, explanation)
            self._stages.add(explanation.stage)
            self._count += 1

    def summary(self) -> str:
        where = f", from the output of {' and '.join(sorted(self._stages))}" if self._stages else ""
        plural = "s" * (self._count != 1)
        return f"{self._count} class-activation map{plural} in {self._folder}{where}"


def _conclude(found: list[PicturePrediction], seconds: float, notes: Console) -> None:
    from fer_tune.console import say
    from fer_tune.serving.output import counted

    readable = [one for one in found if one.error is None]
    faces = sum(len(one.faces) for one in readable)
    without = sum(not one.faces for one in readable)
    say(notes, counted(len(found), faces, without, len(found) - len(readable), seconds))
