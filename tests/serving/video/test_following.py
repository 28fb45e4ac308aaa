"""Which frames are predicted, what is held between them, and the rows that come out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("av", reason="videos need the extra `video`")

from fer_tune.serving.video.following import Sampling, SeenFrame, follow
from fer_tune.serving.video.history import History
from fer_tune.serving.video.reading import open_video
from fer_tune.serving.video.rows import COLUMNS, encoded, plain_text, rows_of
from fer_tune.serving.video.tracking import Tracker
from tests.serving.video.clips import make, scene
from tests.serving.video.fakes import CLASSES, SquareReader


def seen(path: Path, sampling: Sampling, reader: SquareReader | None = None) -> list[SeenFrame]:
    with open_video(path) as video:
        parts = follow(video, reader or SquareReader(), Tracker(), sampling)
        return [part for part in parts if isinstance(part, SeenFrame)]


def due(sampling: Sampling, times: list[float]) -> list[int]:
    found: list[int] = []
    last = None
    for number, time in enumerate(times):
        if sampling.is_due(number, time, last):
            found.append(number)
            last = time
    return found


@pytest.mark.parametrize(("rate", "count"), [(25, 10), (30, 10), (24, 10), (60, 10), (8, 8)])
def test_ten_frames_of_a_second_are_predicted_by_default(rate: int, count: int) -> None:
    assert len(due(Sampling(), [number / rate for number in range(rate)])) == count


def test_every_nth_frame() -> None:
    assert due(Sampling(every=3), [number / 25 for number in range(10)]) == [0, 3, 6, 9]


def test_less_than_one_frame_per_second() -> None:
    assert due(Sampling(fps=0.5), [float(number) for number in range(7)]) == [0, 2, 4, 6]


def test_after_a_long_frame_the_next_is_predicted() -> None:
    assert due(Sampling(), [0.0, 0.02, 5.0, 5.01, 5.1]) == [0, 2, 4]


def test_a_face_keeps_its_lane_and_its_box_is_held(tmp_path: Path) -> None:
    reader = SquareReader()
    found = seen(make(tmp_path / "clip.mp4"), Sampling(every=2), reader)
    assert len(found) == 32 and len(reader.seen) == 16
    assert {face.lane for one in found for face in one.faces} == {1}
    for number, one in enumerate(found):
        assert one.is_predicted == (number % 2 == 0)
        left = 4 * (number - number % 2)
        assert one.faces[0].box == pytest.approx((left, 10, left + 20, 30), abs=2)


def test_a_frame_without_a_face_is_normal(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4", [scene(0) // 4] * 5)
    found = seen(path, Sampling(every=1))
    assert [one.faces for one in found] == [()] * 5
    rows = [row for one in found for row in rows_of(one, CLASSES)]
    assert [row["face"] for row in rows] == [None] * 5


def test_rows_in_every_format(tmp_path: Path) -> None:
    found = seen(make(tmp_path / "clip.mp4"), Sampling(every=8))
    rows = [row for one in found if one.is_predicted for row in rows_of(one, CLASSES)]
    csv = pd.read_csv(io.BytesIO(encoded(rows, CLASSES, "csv")))
    parquet = pd.read_parquet(io.BytesIO(encoded(rows, CLASSES, "parquet")))
    lines = [json.loads(line) for line in encoded(rows, CLASSES, "jsonl").splitlines()]
    assert list(csv.columns) == list(parquet.columns) == [*COLUMNS, *CLASSES]
    assert csv["frame"].tolist() == parquet["frame"].tolist() == [0, 8, 16, 24]
    assert [line["frame"] for line in lines] == [0, 8, 16, 24]
    assert csv["time_s"].tolist() == pytest.approx([0.0, 0.32, 0.64, 0.96])
    for table in (csv, parquet):
        assert table[list(CLASSES)].sum(axis=1).tolist() == pytest.approx([1.0] * 4, abs=1e-5)
        assert table["expression"].tolist() == [line["expression"] for line in lines]
    assert list(lines[0]["probabilities"]) == list(CLASSES)
    assert lines[0]["box"] == pytest.approx([0, 10, 20, 30], abs=2)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_types_do_not_depend_on_what_is_found(tmp_path: Path, form: str) -> None:
    none = seen(make(tmp_path / "clip.mp4", [scene(0) // 4] * 2), Sampling(every=1))
    rows = [row for one in none for row in rows_of(one, CLASSES)]
    content = encoded(rows, CLASSES, form)  # type: ignore[arg-type]
    if form == "parquet":
        frame = pd.read_parquet(io.BytesIO(content))
        some = seen(make(tmp_path / "some.mp4"), Sampling(every=16))
        other = encoded([r for one in some for r in rows_of(one, CLASSES)], CLASSES, "parquet")
        assert frame.dtypes.astype(str).tolist() == (
            pd.read_parquet(io.BytesIO(other)).dtypes.astype(str).tolist()
        )


def test_the_table_names_times_and_expressions(tmp_path: Path) -> None:
    history = History(classes=CLASSES)
    reader = SquareReader(threshold=0.6)
    for one in seen(make(tmp_path / "clip.mp4"), Sampling(every=1), reader):
        history.add(one)
    history.finish(1.28)
    lines = plain_text(history).splitlines()
    assert lines[0].split() == ["face", "from", "to", "expression", "probability"]
    assert lines[1].split()[:4] == ["1", "0:00.0", lines[1].split()[2], "happy"]
    assert any(line.endswith("uncertain") for line in lines)
