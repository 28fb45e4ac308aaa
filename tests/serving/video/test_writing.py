"""The annotated copy, decoded again: same frames, same times, same sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fer_tune.errors import UserError
from fer_tune.serving.video import writing
from fer_tune.serving.video.reading import Frame, Sound, frames_of, open_video
from fer_tune.serving.video.writing import written
from tests.serving.video.clips import make, scene, turned

av = pytest.importorskip("av", reason="videos need the extra `video`")


def copied(source: Path, target: Path) -> list[str]:
    """Copies a video through the writer, pixels unchanged; the notes."""
    with open_video(source) as video, written(target, video) as writer:
        for part in video.parts():
            if isinstance(part, Frame):
                writer.write(part.pixels, part.time)
            else:
                writer.copy(part)
    return writer.notes


def frames(path: Path) -> list[tuple[float, np.ndarray]]:
    with open_video(path) as video:
        return [(one.time, one.pixels) for one in frames_of(video)]


def sounds(path: Path) -> list[tuple[float, bytes]]:
    with open_video(path) as video:
        return [
            (float(p.packet.pts * p.packet.time_base - p.start), bytes(p.packet))
            for p in video.parts()
            if isinstance(p, Sound)
        ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".M4V"])
def test_frames_times_and_sound_are_kept(tmp_path: Path, suffix: str) -> None:
    source = make(tmp_path / "clip.mp4", sound="aac")
    target = tmp_path / f"copy{suffix}"
    assert copied(source, target) == []
    before, after = frames(source), frames(target)
    assert [t for t, _ in after] == pytest.approx([t for t, _ in before], abs=1e-3)
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert old.shape == new.shape
        assert np.abs(old.astype(int) - new).mean() < 4
    heard, copies = sounds(source), sounds(target)
    assert [content for _, content in copies] == [content for _, content in heard]
    assert [t for t, _ in copies] == pytest.approx([t for t, _ in heard], abs=1e-3)
    with av.open(str(target)) as made:
        stream = made.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_colours_are_kept(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (240, 240, 240), (5, 5, 5)]
    flat = [np.full((64, 64, 3), colour, np.uint8) for colour in colours]
    target = tmp_path / "copy.mp4"
    copied(make(tmp_path / "clip.mp4", flat, options={"crf": "1"}), target)
    for (_, new), colour in zip(frames(target), colours, strict=True):
        assert np.abs(new.mean(axis=(0, 1)) - colour).max() < 6, colour


def test_a_variable_rate_is_kept(tmp_path: Path) -> None:
    stamps = [0, 40, 50, 300, 1000, 1010, 2500]
    path = make(
        tmp_path / "clip.mkv", [scene(n) for n in range(7)], stamps=stamps, base=Fraction(1, 1000)
    )
    copied(path, tmp_path / "copy.mp4")
    assert [t for t, _ in frames(tmp_path / "copy.mp4")] == pytest.approx(
        [stamp / 1000 for stamp in stamps], abs=1e-3
    )


def test_odd_sides_gain_a_pixel(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", [np.full((30, 40, 3), 9, np.uint8)] * 3)
    target = tmp_path / "copy.mp4"
    with open_video(source) as video, written(target, video) as writer:
        for number in range(3):
            writer.write(scene(number, 41, 31), number / 25)
    assert [pixels.shape for _, pixels in frames(target)] == [(32, 42, 3)] * 3


def test_a_turned_video_is_written_upright(tmp_path: Path) -> None:
    source = turned(make(tmp_path / "clip.mp4"), 90)
    target = tmp_path / "copy.mp4"
    copied(source, target)
    with av.open(str(target)) as made:
        frame = next(made.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (120, 160, 0)


def test_sound_that_the_container_cannot_hold_is_left_out_with_a_note(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mkv", sound="pcm_s16le")
    notes = copied(source, tmp_path / "copy.mp4")
    assert len(notes) == 1 and "pcm_s16le" in notes[0]
    assert len(frames(tmp_path / "copy.mp4")) == 32 and sounds(tmp_path / "copy.mp4") == []


def test_without_h264_mpeg4_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoders = (("no-such-encoder", {}), writing._ENCODERS[-1])
    monkeypatch.setattr(writing, "_ENCODERS", encoders)
    source = make(
        tmp_path / "clip.mp4", stamps=[n * 3000 for n in range(32)], base=Fraction(1, 90_000)
    )
    copied(source, tmp_path / "copy.mp4")
    assert [t for t, _ in frames(tmp_path / "copy.mp4")] == pytest.approx(
        [n / 30 for n in range(32)], abs=1e-3
    )
    with av.open(str(tmp_path / "copy.mp4")) as made:
        assert made.streams.video[0].codec_context.name == "mpeg4"


@pytest.mark.parametrize("fault", [ValueError("a bug"), KeyboardInterrupt()])
def test_nothing_is_left_after_an_error(tmp_path: Path, fault: BaseException) -> None:
    source = make(tmp_path / "clip.mp4")
    target = tmp_path / "new" / "copy.mp4"
    with pytest.raises(type(fault)), open_video(source) as video, written(target, video) as writer:
        writer.write(scene(0), 0.0)
        raise fault
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4"]


def test_an_earlier_file_stays_after_an_error_and_is_replaced_after_success(tmp_path: Path) -> None:
    source, target = make(tmp_path / "clip.mp4"), tmp_path / "copy.mp4"
    target.write_text("earlier")
    with (
        pytest.raises(KeyboardInterrupt),
        open_video(source) as video,
        written(target, video) as writer,
    ):
        writer.write(scene(0), 0.0)
        raise KeyboardInterrupt
    assert target.read_text() == "earlier"
    copied(source, target)
    assert len(frames(target)) == 32


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        copied(source, tmp_path / "file" / "copy.mp4")
