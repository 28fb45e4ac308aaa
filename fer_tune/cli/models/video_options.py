"""Options of `fer-tune predict` for videos, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_tune.errors import UserError
from fer_tune.escaping import one_line

if TYPE_CHECKING:
    from fer_tune.serving.output import Format
    from fer_tune.serving.video.following import Sampling
    from fer_tune.storage import AnyPath


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """The options of `predict` that are for videos alone.

    Attributes:
        timeline: file or URL of the HTML page.
        every: predict every so many frames.
        fps: predict at most so many frames per second of video.
        smooth: time constant of the smoothing in seconds; None for the default.
    """

    timeline: str | None = None
    every: int | None = None
    fps: float | None = None
    smooth: float | None = None

    def refuse_for_pictures(self) -> None:
        """Raises UserError if one is given."""
        given = {
            "--timeline": self.timeline,
            "--every": self.every,
            "--fps": self.fps,
            "--smooth": self.smooth,
        }
        for name, value in given.items():
            if value is not None:
                raise UserError(f"{name} applies to videos only", value=value, remedy="Remove it")

    @property
    def smoothing(self) -> float:
        from fer_tune.serving.video.tracking import SMOOTHING_S

        return SMOOTHING_S if self.smooth is None else self.smooth

    def sampling(self) -> Sampling:
        """Which frames are predicted.

        Raises:
            UserError: both ways are given.
        """
        from fer_tune.serving.video.following import DEFAULT_FPS, Sampling

        if self.every is not None and self.fps is not None:
            raise UserError("--every and --fps cannot be combined", remedy="Use one of them")
        return Sampling(every=self.every, fps=self.fps or DEFAULT_FPS)


@dataclass(kw_only=True, eq=False)
class Targets:
    """Where the predictions of a video go.

    Attributes:
        annotated: the video with boxes; None for none.
        timeline: the page; None for none.
        rows: file of the table; None for standard output.
        form: of the table.
    """

    annotated: Path | None
    timeline: AnyPath | None
    rows: AnyPath | None
    form: Format

    @property
    def wants_rows(self) -> bool:
        """Whether there is a row per face, not one per expression."""
        return self.form != "table"


def targets(
    video: Path, out: str | None, form: Format | None, as_json: bool, options: VideoOptions
) -> Targets:
    """What ``--out`` and the others mean, checked before anything is read.

    Raises:
        UserError: they contradict each other, or cannot be written.
    """
    from fer_tune.cli.models.predicting import chosen_format
    from fer_tune.serving.video.files import is_video_name
    from fer_tune.storage import any_path

    page = None if options.timeline is None else any_path(options.timeline)
    if isinstance(page, Path):
        _refuse_folder(page, "--timeline")
        _refuse_source(page, video, "--timeline")
    if out is None or not is_video_name(out):
        chosen = chosen_format(form, out, as_json)
        rows = None if out is None else any_path(out)
        if isinstance(rows, Path):
            _refuse_source(rows, video, "--out")
        return Targets(annotated=None, timeline=page, rows=rows, form=chosen)
    annotated = _annotated(out, video)
    if isinstance(page, Path) and page.resolve() == annotated.resolve():
        raise UserError("--out and --timeline are the same file", value=out)
    chosen = chosen_format(form, None, as_json)
    return Targets(annotated=annotated, timeline=page, rows=None, form=chosen)


def _annotated(out: str, video: Path) -> Path:
    from fer_tune.serving.video.writing import WRITABLE
    from fer_tune.storage import is_url

    if is_url(out):
        raise UserError(
            "the annotated video is written to a file, not to a URL",
            where="--out",
            value=out,
            remedy="Upload it afterwards",
        )
    target = Path(out)
    if target.suffix.casefold() not in WRITABLE:
        raise UserError(
            f"the annotated video must be one of {', '.join(WRITABLE)}", where="--out", value=out
        )
    _refuse_folder(target, "--out")
    _refuse_source(target, video, "--out")
    return target


def _refuse_folder(target: Path, option: str) -> None:
    if target.is_dir():
        raise UserError("is a folder", where=option, value=one_line(target), remedy="Name a file")


def _refuse_source(target: Path, video: Path, option: str) -> None:
    if target.exists() and video.exists() and target.samefile(video):
        raise UserError(
            "would replace the video that is read",
            where=option,
            value=one_line(target),
            remedy="Choose another name",
        )
