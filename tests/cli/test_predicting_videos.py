"""`fer-tune predict` of videos: what is written where, and what is refused."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import fer_tune.serving.finding
import fer_tune.serving.prediction
import fer_tune.serving.predictor
from fer_tune.serving.video.reading import frames_of, open_video
from tests.command_line import Outcome, Run
from tests.serving.video.clips import cut, make, only_sound, scene
from tests.serving.video.fakes import SquareReader

av = pytest.importorskip("av", reason="videos need the extra `video`")

Predict = Callable[..., Outcome]


@pytest.fixture
def predict(run: Run, monkeypatch: pytest.MonkeyPatch) -> Predict:
    """The command with a reader that finds the square of a scene, whatever the model."""
    kept = SimpleNamespace(folder="models/fake")
    monkeypatch.setattr(fer_tune.serving.finding, "find_model", lambda where: kept)
    monkeypatch.setattr(fer_tune.serving.predictor, "Predictor", lambda *_, **__: None)
    monkeypatch.setattr(fer_tune.serving.prediction, "FaceReader", SquareReader)
    return lambda *words: run("predict", "MODEL", *words)


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    with open_video(path) as video:
        return [(one.time, one.pixels) for one in frames_of(video)]


def noisy(path: Path) -> Path:
    """Two seconds whose second half is easily cut off."""
    rng = np.random.default_rng(0)
    frames = [scene(number // 4) // 2 * 2 for number in range(50)]
    for frame in frames:
        frame[60:] = rng.integers(0, 100, (60, 160, 3))
    return make(path, frames, options={"g": "5"}, container={"movflags": "faststart"})


def test_a_table_by_default(predict: Predict, tmp_path: Path) -> None:
    code, out, err = predict(make(tmp_path / "clip.mp4"))
    assert code == 0
    assert out.splitlines()[0].split() == ["face", "from", "to", "expression", "probability"]
    assert "happy" in out
    assert "32 frames, 13 predicted, " in err and "frames per second" in err
    assert "models/fake" in err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_an_annotated_copy_and_a_timeline_in_one_pass(predict: Predict, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4", sound="aac")
    code, _, _ = predict(
        source, "--out", tmp_path / "new/o.mp4", "--timeline", tmp_path / "new/t.html"
    )
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["o.mp4", "t.html"]
    before, after = decoded(source), decoded(tmp_path / "new/o.mp4")
    assert [t for t, _ in after] == pytest.approx([t for t, _ in before], abs=1e-3)
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert np.abs(new[80:].astype(int) - old[80:]).mean() < 6  # far from the box
        assert np.abs(new[30:52].astype(int) - old[30:52]).mean() > 6  # the label
    page = (tmp_path / "new/t.html").read_text()
    assert "Expressions in clip.mp4" in page and "Face 1" in page
    with av.open(str(tmp_path / "new/o.mp4")) as made:
        assert len(made.streams.audio) == 1


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "txt"])
def test_rows_go_to_a_file_by_its_suffix(predict: Predict, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"rows.{suffix}"
    code, out, _ = predict(make(tmp_path / "clip.mp4"), "--out", target, "--every", 8)
    assert (code, out) == (0, "")
    if suffix == "csv":
        assert pd.read_csv(target)["frame"].tolist() == [0, 8, 16, 24]
    elif suffix == "parquet":
        assert pd.read_parquet(target)["frame"].tolist() == [0, 8, 16, 24]
    elif suffix == "jsonl":
        assert len(target.read_text().splitlines()) == 4
    else:
        assert "happy" in target.read_text()


def test_rows_on_standard_output_beside_an_annotated_copy(predict: Predict, tmp_path: Path) -> None:
    code, out, _ = predict(make(tmp_path / "clip.mp4"), "--json", "--out", tmp_path / "o.mkv")
    assert code == 0 and (tmp_path / "o.mkv").stat().st_size
    rows = [json.loads(line) for line in out.splitlines()]
    assert (
        len(rows) == 13
        and rows[0]["time_s"] == 0.0
        and set(rows[0]["probabilities"]) == {*("angry", "happy", "sad")}
    )


@pytest.mark.parametrize(("option", "value", "count"), [("--every", 1, 32), ("--fps", 5, 7)])
def test_how_many_frames_are_predicted(
    predict: Predict, tmp_path: Path, option: str, value: int, count: int
) -> None:
    _, _, err = predict(make(tmp_path / "clip.mp4"), option, value)
    assert f"32 frames, {count} predicted" in err


def test_smoothing_can_be_turned_off(predict: Predict, tmp_path: Path) -> None:
    source = make(tmp_path / "clip.mp4")
    _, smooth, _ = predict(source, "--json", "--every", 1)
    _, raw, _ = predict(source, "--json", "--every", 1, "--smooth", 0)
    values = {json.loads(line)["probability"] for line in raw.splitlines()}
    assert len(values) == 2
    assert len({json.loads(line)["probability"] for line in smooth.splitlines()}) > 2


def test_a_video_without_a_suffix_is_recognised(predict: Predict, tmp_path: Path) -> None:
    code, _, err = predict(make(tmp_path / "clip.mp4").rename(tmp_path / "upload"))
    assert code == 0 and "32 frames" in err


def test_a_video_that_is_cut_off_is_used_with_a_warning(predict: Predict, tmp_path: Path) -> None:
    source = cut(noisy(tmp_path / "clip.mp4"), 0.6)
    code, out, err = predict(source, "--out", tmp_path / "o.mp4", "--timeline", tmp_path / "t.html")
    assert code == 1
    assert "happy" in out
    assert f"warning: {source}: the file ends at" in err
    assert 10 < len(decoded(tmp_path / "o.mp4")) < 50
    assert "the file ends at" in (tmp_path / "t.html").read_text()


def test_with_strict_nothing_is_written_of_it(predict: Predict, tmp_path: Path) -> None:
    source = cut(noisy(tmp_path / "clip.mp4"), 0.6)
    code, out, err = predict(
        source, "--strict", "--out", tmp_path / "o.mp4", "--timeline", tmp_path / "t.html"
    )
    assert (code, out) == (2, "")
    assert "the file ends at" in err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_an_interrupt_leaves_nothing(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: SquareReader, crops: object) -> list[object]:
        signal.raise_signal(signal.SIGINT)
        return []

    monkeypatch.setattr(SquareReader, "faces", interrupted)
    code, _, err = predict(
        make(tmp_path / "clip.mp4"), "--out", tmp_path / "o.mp4", "--timeline", tmp_path / "t.html"
    )
    assert code == 130 and "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def zero_bytes(path: Path) -> Path:
    path.touch()
    return path


def text(path: Path) -> Path:
    path.write_text("no video\n" * 50)
    return path


def without_index(path: Path) -> Path:
    return cut(make(path), 0.5)


@pytest.mark.parametrize("broken", [zero_bytes, text, without_index, only_sound])
def test_what_is_no_video_is_one_line(
    predict: Predict, tmp_path: Path, broken: Callable[[Path], Path]
) -> None:
    source = broken(tmp_path / "clip.mp4")
    code, out, err = predict(source, "--out", tmp_path / "o.mp4", "--timeline", tmp_path / "t.html")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and str(source) in err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["{clip}", "{picture}"], "cannot be combined with other paths"),
        (["{picture}", "{clip}"], "cannot be combined with other paths"),
        (["s3://bucket/clip.mp4"], "not from a URL"),
        (["{picture}", "--timeline", "t.html"], "--timeline applies to videos only"),
        (["{picture}", "--every", "2"], "--every applies to videos only"),
        (["{picture}", "--fps", "2"], "--fps applies to videos only"),
        (["{picture}", "--smooth", "0"], "--smooth applies to videos only"),
        (["{clip}", "--every", "2", "--fps", "2"], "cannot be combined"),
        (["{clip}", "--out", "{clip}"], "would replace the video"),
        (["{clip}", "--timeline", "{clip}"], "would replace the video"),
        (["{clip}", "--out", "o.webm"], "must be one of .mp4"),
        (["{clip}", "--out", "s3://bucket/o.mp4"], "not to a URL"),
        (["{clip}", "--out", "o.docx"], "unknown file suffix"),
        (["{clip}", "--format", "parquet"], "--format parquet requires --out"),
        (["{clip}", "--format", "csv", "--json"], "cannot be combined"),
        (["{clip}", "--timeline", "{folder}"], "is a folder"),
        (["{clip}", "--out", "o.mp4", "--timeline", "o.mp4"], "same file"),
    ],
)
def test_contradictions_are_one_line(
    predict: Predict, tmp_path: Path, words: list[str], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    clip = make(tmp_path / "clip.mp4")
    Image.fromarray(scene(0)).save(tmp_path / "face.png")
    before = clip.read_bytes()
    places = {"clip": clip, "picture": tmp_path / "face.png", "folder": tmp_path}
    code, out, err = predict(*(word.format(**places) for word in words))
    assert (code, out) == (2, "")
    assert what in err and len(err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "face.png"]
    assert clip.read_bytes() == before


def test_without_pyav_the_command_to_install_it_is_named(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    source = make(tmp_path / "clip.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    code, _, err = predict(source)
    assert code == 2 and "pip install 'fer-tune[video]'" in err and len(err.splitlines()) == 1
