"""Pictures to predictions: in order, in batches, each face with its place."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_tune.data.pixels import Pixels, UnusableError
from fer_tune.models.kept import open_model
from fer_tune.serving.faces import Face
from fer_tune.serving.output import encoded, format_of, frame_of, plain_text
from fer_tune.serving.pictures import Picture
from fer_tune.serving.prediction import COLUMNS, FaceReader, PicturePrediction
from fer_tune.serving.predictor import Predictor
from tests.models.kept_files import card_values, make_model

RNG = np.random.default_rng(1)


class Fixed:
    """A detector that finds as many faces as the picture is hundreds of pixels wide, less one."""

    name = "fixed"
    asked = 0

    def detect(self, rgb: Pixels) -> list[Face]:
        self.asked += 1
        return [
            Face(box=(100.0 * n, 10.0, 100.0 * n + 60, 70.0), score=0.9)
            for n in range(rgb.shape[1] // 100 - 1)
        ]


def picture(name: str, width: int) -> Picture:
    pixels = RNG.integers(0, 256, (120, width, 3), dtype=np.uint8)
    return Picture(name=name, read=lambda: pixels)


def broken() -> Pixels:
    raise UnusableError("damaged: by the test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("kept") / "resnet18")


def reader(folder: Path, batch_size: int = 64, **options: object) -> FaceReader:
    predictor = Predictor(open_model(folder), batch_size=batch_size)
    return FaceReader(predictor=predictor, detector=Fixed(), mode="always", **options)


PICTURES = [
    picture("two", 300),
    picture("none", 100),
    Picture(name="broken", read=broken),
    picture("five", 600),
    picture("one", 200),
]


@pytest.fixture(scope="module")
def found(folder: Path) -> list[PicturePrediction]:
    return list(reader(folder).read(PICTURES))


def test_predictions_come_in_the_order_of_the_pictures(found: list[PicturePrediction]) -> None:
    assert [(one.name, len(one.faces)) for one in found] == [
        ("two", 2),
        ("none", 0),
        ("broken", 0),
        ("five", 5),
        ("one", 1),
    ]
    assert [one.error for one in found if one.error] == ["damaged: by the test"]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
def test_batches_do_not_change_them(
    folder: Path, found: list[PicturePrediction], batch_size: int
) -> None:
    again = frame_of(reader(folder, batch_size).read(PICTURES), found_classes(folder))
    whole = frame_of(found, found_classes(folder))
    pd.testing.assert_frame_equal(again, whole, atol=1e-5)


def found_classes(folder: Path) -> tuple[str, ...]:
    return Predictor(open_model(folder)).classes


def test_an_error_comes_at_once_and_not_with_its_batch(folder: Path) -> None:
    read: list[str] = []

    def noted(one: Picture) -> Picture:
        return Picture(name=one.name, read=lambda: read.append(one.name) or one.read())

    for one in reader(folder).read(map(noted, PICTURES)):
        if one.error is not None:
            break
    assert read == ["two", "none", "broken"]


def test_a_whole_photograph_is_not_kept_in_full(folder: Path) -> None:
    whole = reader(folder)
    whole.mode = "never"
    ((one,),) = ([face.pixels for face in p.faces] for p in whole.read([picture("big", 3000)]))
    assert one is not None and max(one.shape) == 256


def test_the_side_of_crops_is_that_of_the_training_pictures(tmp_path: Path) -> None:
    """Whatever the crop size: the network has not seen sharper faces."""
    values = {"max_side": 256, "channels": 1, "resize_ratio": 1.0, "crop_size": 224}
    dataset = card_values()["dataset"]
    made = make_model(
        tmp_path / "large",
        preprocessing=values,
        dataset={**dataset, "audit": {"largest": [48, 48]}},
    )
    assert reader(made).side == 48
    assert reader(make_model(tmp_path / "unknown", preprocessing=values)).side == 224


def test_never_takes_whole_pictures_and_does_not_ask_the_detector(folder: Path) -> None:
    whole = reader(folder)
    whole.mode = "never"
    faces = [one.faces for one in whole.read([PICTURES[0], PICTURES[1]])]
    assert [len(one) for one in faces] == [1, 1] and faces[0][0].face is None
    assert whole.detector.asked == 0


def test_the_threshold_marks_what_is_uncertain(folder: Path) -> None:
    top = [f.probability for one in reader(folder).read(PICTURES) for f in one.faces]
    middle = float(np.median(top))
    marked = reader(folder, threshold=middle).read(PICTURES)
    assert [f.uncertain for one in marked for f in one.faces] == [p < middle for p in top]


def test_a_table_has_the_same_columns_whatever_was_found(found: list[PicturePrediction]) -> None:
    classes = ("angry", "fear", "happy", "neutral", "sad", "surprise")
    frame = frame_of(found, classes)
    assert list(frame.columns) == [*COLUMNS, *classes]
    assert frame["picture"].tolist() == ["two"] * 2 + ["none"] + ["five"] * 5 + ["one"]
    assert frame["face"].tolist()[:2] == [1, 2] and frame["expression"].isna().sum() == 1
    assert frame.loc[1, ["left", "top", "right", "bottom"]].tolist() == [100, 10, 160, 70]
    assert frame[list(classes)].sum(axis=1, skipna=False).dropna().to_numpy() == pytest.approx(1)
    for few in ([], found[1:2]):
        assert frame_of(few, classes).dtypes.equals(frame.dtypes)


def test_a_class_with_the_name_of_a_column_keeps_both() -> None:
    columns = list(frame_of([], ("face", "happy")).columns)
    assert columns.count("face") == 1 and columns[-2:] == ["face_probability", "happy"]
    both = list(frame_of([], ("picture", "picture_probability")).columns)
    assert len(set(both)) == len(both)


def test_every_format_holds_the_same(found: list[PicturePrediction]) -> None:
    classes = ("angry", "fear", "happy", "neutral", "sad", "surprise")
    frame = frame_of(found, classes)
    csv = pd.read_csv(io.BytesIO(encoded(found, classes, "csv")))
    assert csv["probability"].to_numpy() == pytest.approx(
        frame["probability"].to_numpy(), abs=1e-5, nan_ok=True
    )
    parquet = pd.read_parquet(io.BytesIO(encoded(found, classes, "parquet")))
    pd.testing.assert_frame_equal(parquet, frame)
    lines = [json.loads(line) for line in encoded(found, classes, "jsonl").splitlines()]
    assert [line["picture"] for line in lines] == ["two", "none", "broken", "five", "one"]
    assert lines[2] == {"picture": "broken", "error": "damaged: by the test", "faces": []}
    assert lines[0]["faces"][1]["box"] == [100, 10, 160, 70]
    assert lines[0]["faces"][1]["probabilities"]["happy"] == pytest.approx(frame["happy"][1])
    text = plain_text(found)
    assert "2 of 5" in text and "no face" in text and "broken" not in text


def test_the_suffix_means_the_format() -> None:
    known = {"a.csv": "csv", "a.JSONL": "jsonl", "a.parquet": "parquet", "a.txt": "table"}
    assert {name: format_of(name) for name in known} == known
    assert format_of("a.xlsx") is format_of("csv") is None
