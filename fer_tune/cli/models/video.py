"""`fer-tune predict` of a video: an annotated copy, a timeline, rows, or a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fer_tune.cli.models.video_options import Targets, VideoOptions, targets
from fer_tune.errors import DataError, UserError, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.serving.output import Format
    from fer_tune.serving.prediction import FaceReader
    from fer_tune.serving.video.following import SeenFrame
    from fer_tune.serving.video.history import History
    from fer_tune.serving.video.reading import Sound, Video
    from fer_tune.serving.video.writing import VideoWriter
    from fer_tune.storage import AnyPath


def video_among(paths: Sequence[str]) -> Path | None:
    """The video, if ``paths`` name one; None if they name pictures.

    Raises:
        DataError: a video among other paths, or at a URL.
    """
    from fer_tune.serving.video.files import is_video_file, is_video_name
    from fer_tune.storage import is_url

    for path in paths:
        if is_url(path) and is_video_name(path):
            raise DataError(
                "videos are read from files, not from a URL",
                where=path,
                remedy="Download it first",
            )
        if not is_url(path) and is_video_file(Path(path)):
            if len(paths) > 1:
                raise DataError(
                    "a video cannot be combined with other paths",
                    where=path,
                    remedy="Run the command once for each video",
                )
            return Path(path)
    return None


def run_on_video(
    path: Path,
    out: str | None,
    form: Format | None,
    as_json: bool,
    options: VideoOptions,
    opened: Callable[[], tuple[FaceReader, str]],
    notes: Console,
    *,
    strict: bool,
) -> None:
    """Predicts a video; options and the video are checked before the model is loaded.

    Args:
        opened: loads the model; returns it with a line that names it.
    """
    from fer_tune.serving.video.reading import open_video

    options.sampling()
    wanted = targets(path, out, form, as_json, options)
    with open_video(path) as video:
        reader, model = opened()
        predict_video(video, reader, wanted, options, notes, model=model, strict=strict)


def predict_video(
    video: Video,
    reader: FaceReader,
    wanted: Targets,
    options: VideoOptions,
    notes: Console,
    *,
    model: str,
    strict: bool,
) -> None:
    """Predicts an open video in one pass, and writes what is wanted.

    Raises:
        DataError: no frame can be decoded; with ``strict``, also if the file is damaged.
        typer.Exit: 1 if it is damaged.
    """
    from fer_tune.console import say
    from fer_tune.serving.video.following import follow
    from fer_tune.serving.video.history import History
    from fer_tune.serving.video.rows import rows_of
    from fer_tune.serving.video.tracking import Tracker
    from fer_tune.serving.video.writing import written

    classes = reader.predictor.classes
    history = History(classes=classes)
    rows: list[dict[str, object]] = []
    began = time.monotonic()
    with ExitStack() as stack:
        writer = None
        if wanted.annotated is not None:
            writer = stack.enter_context(written(wanted.annotated, video))
        parts = follow(video, reader, Tracker(smoothing=options.smoothing), options.sampling())
        advance = stack.enter_context(_progress(video, notes))
        for seen in _annotated_parts(parts, writer, classes):
            history.add(seen)
            if wanted.wants_rows and seen.is_predicted:
                rows += rows_of(seen, classes)
            advance(video.end)
        damage = video.damage()
        if damage is not None and strict:
            raise DataError(damage, where=video.name, remedy="Without --strict the rest is used")
    history.finish(video.end)
    remarks = [] if damage is None else [damage]
    _write(history, rows, wanted)
    if wanted.timeline is not None:
        _write_timeline(history, wanted.timeline, reader, options, video, model, remarks)
    for note in writer.notes if writer is not None else ():
        say(notes, f"note: {note}")
    if damage is not None:
        say(notes, f"warning: {video.name}: {damage}")
    _conclude(history, time.monotonic() - began, notes)
    if damage is not None:
        raise typer.Exit(1)


def _annotated_parts(
    parts: Iterator[SeenFrame | Sound], writer: VideoWriter | None, classes: Sequence[str]
) -> Iterator[SeenFrame]:
    """The frames; with a writer, each is written with its boxes, and the sound is copied."""
    from fer_tune.serving.video.annotating import Annotator
    from fer_tune.serving.video.following import SeenFrame

    annotator = Annotator(classes)
    for part in parts:
        if isinstance(part, SeenFrame):
            if writer is not None:
                writer.write(annotator.annotated(part.frame.pixels, part.faces), part.frame.time)
            yield part
        elif writer is not None:
            writer.copy(part)


def _write(history: History, rows: list[dict[str, object]], wanted: Targets) -> None:
    from rich.console import Console

    from fer_tune.console import say
    from fer_tune.escaping import lines
    from fer_tune.serving.video.rows import encoded, plain_text, table
    from fer_tune.storage import write_atomically

    console = Console()
    if wanted.form == "table" and wanted.rows is None and console.is_terminal:
        say(console, table(history))
        return
    content = (
        encoded(rows, history.classes, wanted.form)
        if wanted.wants_rows
        else plain_text(history).encode()
    )
    if wanted.rows is None:
        typer.echo(lines(content.decode()), nl=False)
        return
    with reporting("cannot be written", wanted.rows, "Check the path given as --out", UserError):
        write_atomically(wanted.rows, content)


def _write_timeline(
    history: History,
    target: AnyPath,
    reader: FaceReader,
    options: VideoOptions,
    video: Video,
    model: str,
    remarks: Sequence[str],
) -> None:
    from fer_tune.serving.video.timeline import Facts, timeline
    from fer_tune.storage import write_atomically

    facts = Facts(
        video=Path(video.name).name,
        model=model,
        threshold=reader.threshold,
        smoothing=options.smoothing,
        notes=remarks,
    )
    with reporting("cannot be written", target, "Check the path given as --timeline", UserError):
        write_atomically(target, timeline(history, facts))


@contextmanager
def _progress(video: Video, notes: Console) -> Iterator[Callable[[float], object]]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("predicting"), BarColumn(), TimeRemainingColumn())
    hidden = not notes.is_terminal
    with Progress(*columns, console=notes, transient=True, disable=hidden) as bar:
        task = bar.add_task("predicting", total=video.duration)
        yield lambda reached: bar.update(task, completed=reached)


def _conclude(history: History, seconds: float, notes: Console) -> None:
    from fer_tune.console import say, styled

    count = len(history.lanes)
    read = (
        f"{history.frames:,} frame{'s' * (history.frames != 1)}, {history.predicted:,} predicted, "
        f"{count} face{'s' * (count != 1)}"
    )
    pace = f"; {history.frames / seconds:,.1f} frames per second" if seconds else ""
    say(notes, styled(read, pace))
