"""Frames as they are meant to be shown, with their times; what is broken is reported."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="videos need the extra `video`")

from fer_tune.errors import DataError
from fer_tune.serving.video import reading
from fer_tune.serving.video.files import is_video_file
from fer_tune.serving.video.reading import Frame, Sound, frames_of, open_video
from tests.serving.video.clips import cut, make, only_sound, scene, turned


def times(path: Path) -> list[float]:
    with open_video(path) as video:
        return [frame.time for frame in frames_of(video)]


def test_frames_of_a_constant_rate(tmp_path: Path) -> None:
    with open_video(make(tmp_path / "clip.mp4")) as video:
        frames = [(one.number, one.time, one.pixels) for one in frames_of(video)]
        assert video.damage() is None
        assert video.duration == pytest.approx(1.28)
        assert video.end == pytest.approx(1.28)
    assert [number for number, _, _ in frames] == list(range(32))
    assert [time for _, time, _ in frames] == pytest.approx([n / 25 for n in range(32)])
    for number, _, pixels in frames:
        assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
        assert np.abs(pixels.astype(int) - scene(number)).mean() < 4


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_a_variable_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    stamps = [0, 40, 50, 300, 1000, 1010, 2500]
    frames = [scene(number) for number in range(len(stamps))]
    path = make(tmp_path / f"clip{suffix}", frames, stamps=stamps, base=Fraction(1, 1000))
    assert times(path) == pytest.approx([stamp / 1000 for stamp in stamps], abs=1e-3)


@pytest.mark.parametrize(("codec", "name"), [("mpeg4", "clip.avi"), ("libvpx-vp9", "clip.webm")])
def test_other_containers_and_codecs(tmp_path: Path, codec: str, name: str) -> None:
    path = make(tmp_path / name, [scene(n) for n in range(8)], codec=codec, options={})
    assert times(path) == pytest.approx([number / 25 for number in range(8)], abs=2e-3)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_frames_are_turned_upright(tmp_path: Path, degrees: int, turns: int) -> None:
    path = turned(make(tmp_path / "clip.mp4", [scene(3)] * 3), degrees)
    with open_video(path) as video:
        pixels = next(frames_of(video)).pixels
    expected = np.rot90(scene(3), turns)  # counted counterclockwise
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < 4


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", [scene(0)] * 3, aspect=Fraction(3, 2))
    with open_video(path) as video:
        assert next(frames_of(video)).pixels.shape == (120, 240, 3)


def test_sound_comes_with_the_frames(tmp_path: Path) -> None:
    with open_video(make(tmp_path / "clip.mp4", sound="aac")) as video:
        parts = list(video.parts())
    assert sum(isinstance(part, Frame) for part in parts) == 32
    assert sum(isinstance(part, Sound) for part in parts) > 10


@pytest.mark.parametrize(
    ("name", "container"),
    [("clip.mp4", {"movflags": "faststart"}), ("clip.mkv", {}), ("clip.ts", {})],
)
def test_a_file_that_is_cut_off_is_used_up_to_there(
    tmp_path: Path, name: str, container: dict[str, str]
) -> None:
    noisy = [np.random.default_rng(n).integers(0, 255, (120, 160, 3), np.uint8) for n in range(50)]
    path = cut(make(tmp_path / name, noisy, options={"g": "5"}, container=container), 0.5)
    with open_video(path) as video:
        count = sum(1 for _ in frames_of(video))
        damage = video.damage()
    assert 15 < count < 35
    if name == "clip.ts":  # says nowhere how long it should be
        return
    assert damage is not None and "the file ends at" in damage and "of 2.0 s" in damage


def test_damage_in_the_middle_is_reported_and_the_rest_read(tmp_path: Path) -> None:
    noisy = [np.random.default_rng(n).integers(0, 255, (120, 160, 3), np.uint8) for n in range(50)]
    path = make(tmp_path / "clip.mp4", noisy, options={"g": "5"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 10] = bytes(len(content) // 10)
    path.write_bytes(content)
    with open_video(path) as video:
        frames = list(frames_of(video))
        damage = video.damage()
    assert frames[-1].time == pytest.approx(1.96)
    assert damage is not None and "damaged packet" in damage


def empty(path: Path) -> Path:
    path.touch()
    return path


def text(path: Path) -> Path:
    path.write_text("Not a video.\n" * 100)
    return path


def random_bytes(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(10_000))
    return path


def picture(path: Path) -> Path:
    from PIL import Image

    Image.fromarray(scene(0)).save(path, "PNG")
    return path


def playlist(path: Path) -> Path:
    """Would make libavformat open other files and addresses."""
    other = make(path.with_name("other.mp4"))
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.28,\n{other}\n#EXT-X-ENDLIST\n")
    return path


def without_index(path: Path) -> Path:
    return cut(make(path), 0.5)


def unknown_codec(path: Path) -> Path:
    path.write_bytes(make(path).read_bytes().replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"))
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def missing(path: Path) -> Path:
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


BROKEN: list[tuple[Callable[[Path], Path], str]] = [
    (empty, "the file is empty"),
    (text, "not a video"),
    (random_bytes, "not a video"),
    (picture, "not a video"),
    (playlist, "not a video"),
    (without_index, "cut off"),
    (only_sound, "only sound"),
    (unknown_codec, "codec is unknown"),
    (folder, "cannot be read"),
    (missing, "cannot be read"),
    (pipe, "cannot be read"),
]


@pytest.mark.parametrize(("broken", "what"), BROKEN, ids=[make.__name__ for make, _ in BROKEN])
def test_what_cannot_be_read_is_a_clear_error(
    tmp_path: Path,
    broken: Callable[[Path], Path],
    what: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = broken(tmp_path / "clip.mp4")
    with pytest.raises(DataError) as caught, open_video(path) as video:
        list(frames_of(video))
    message = str(caught.value)
    assert what in message and str(path) in message
    assert "\n" not in message and "AVERROR" not in message and "Errno" not in message
    assert capfd.readouterr() == ("", "")  # libavformat prints nothing either


def test_frames_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "clip.mp4")
    monkeypatch.setattr(reading, "MOST_PIXELS", 10_000)
    with pytest.raises(DataError, match=r"at most 10,000 pixels \(got '160 × 120'\)"):
        times(path)


def test_frames_are_not_kept(tmp_path: Path) -> None:
    import tracemalloc

    frames = [scene(0, 640, 480)] * 60
    path = make(tmp_path / "clip.mp4", frames, options={"preset": "ultrafast"})
    del frames
    with open_video(path) as video:
        tracemalloc.start()
        for frame in frames_of(video):
            assert frame.pixels.shape == (480, 640, 3)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 6 * 640 * 480 * 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".mov"])
def test_videos_are_recognised_by_content(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = make(tmp_path / f"clip{suffix}", codec=codec, options={})
    assert is_video_file(path.rename(tmp_path / "upload"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_pictures_are_not_taken_for_videos(tmp_path: Path, form: str) -> None:
    from PIL import Image, features

    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    path = tmp_path / "upload"
    Image.fromarray(scene(0)).save(path, form)
    assert not is_video_file(path)
