"""A label that cannot be read costs its own picture, with a reason, and no other."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labels_writing import counted, lines, listed, png, put

from fer_tune.data.labels.hugging_face import names_in_card
from fer_tune.data.listing import Listing
from fer_tune.data.pixels import UnusableError
from fer_tune.errors import DataError

GOOD = 24


def reasons(listing: Listing) -> list[str]:
    return [one.reason for one in listing.skipped]


def numpy_file(value: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(value))
    return out.getvalue()


# -- files beside pictures -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "good", "bad", "reason"),
    [
        ("cls", "happy", "x" * 70_000, "is too long for a label"),
        ("cls", "happy", "x" * 65, "holds no label"),
        ("cls", "happy", "", "holds no label"),
        ("cls", "happy", "0.25", "holds no label"),
        ("json", '{"label": "happy"}', "{", "is not valid JSON"),
        ("json", '{"label": "happy"}', '{"label": true}', "holds no label"),
        ("json", '{"label": "happy"}', '{"label": ["happy"]}', "holds no label"),
        ("json", '{"label": "happy"}', '{"author": "none"}', "holds no label"),
        ("json", '{"label": "happy"}', "null", "holds no label"),
    ],
    ids=["long", "caption", "empty", "fraction", "json", "bool", "list", "other", "null"],
)
def test_one_unusable_file_beside_a_picture(
    suffix: str, good: str, bad: str, reason: str, tmp_path: Path
) -> None:
    for n in range(GOOD):
        put(tmp_path / f"{n:02d}.png", n)
        lines(tmp_path / f"{n:02d}.{suffix}", good if n < GOOD - 1 else bad)
    found = listed(tmp_path)
    assert counted(found) == {("happy", "train"): GOOD - 1}
    assert reasons(found) == [f"{GOOD - 1}.{suffix} {reason}"]


def test_a_picture_without_a_file_beside_it(tmp_path: Path) -> None:
    for n in range(GOOD):
        put(tmp_path / f"{n:02d}.png", n)
        if n:
            lines(tmp_path / f"{n:02d}.cls", "happy")
    assert reasons(listed(tmp_path)) == ["has no file with its label"]


# -- file names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [("happy_moon", "unknown split 'moon'"), ("_train", "its class is empty")],
)
def test_a_file_name_with_an_unusable_part(name: str, reason: str, tmp_path: Path) -> None:
    for seed, stem in enumerate(("happy_train", "sad_test", name)):
        put(tmp_path / f"{stem}.png", seed)
    found = listed(tmp_path, pattern=r"(?P<class>[a-z]*)_(?P<split>[a-z]+)\.png$")
    assert counted(found) == {("happy", "train"): 1, ("sad", "test"): 1}
    assert reasons(found) == [reason]


# -- Hugging Face --------------------------------------------------------------------------------


def parquet(path: Path, labels: pa.Array, pictures: list[object] | None = None) -> None:
    rows = pictures or [{"bytes": png(n), "path": f"{n}.png"} for n in range(len(labels))]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": pa.array(rows), "label": labels}), path)


def test_a_row_without_its_picture(tmp_path: Path) -> None:
    rows = [{"bytes": png(0), "path": "0.png"}, {"bytes": None, "path": "1.png"}]
    parquet(tmp_path / "data/train-00000-of-00001.parquet", pa.array(["happy", "sad"]), rows)
    entries = listed(tmp_path).entries
    assert entries[0].load().shape == (8, 8, 1)
    with pytest.raises(UnusableError, match="its row has no picture, perhaps only a path"):
        entries[1].load()


def test_a_label_that_is_a_list(tmp_path: Path) -> None:
    labels = pa.array([["happy"], ["sad", "angry"]])
    parquet(tmp_path / "data/train-00000-of-00001.parquet", labels)
    with pytest.raises(DataError, match="label holds lists or objects"):
        listed(tmp_path)


def test_labels_of_a_dictionary_are_read_as_text(tmp_path: Path) -> None:
    labels = pa.array(["happy", "sad", "happy"]).dictionary_encode()
    parquet(tmp_path / "data/train-00000-of-00001.parquet", labels)
    assert counted(listed(tmp_path)) == {("happy", "train"): 2, ("sad", "train"): 1}


def test_a_parquet_file_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"image": [{"bytes": png(0), "path": "0.png"}]}), path)
    with pytest.raises(DataError, match="has no column of labels"):
        listed(tmp_path)


@pytest.mark.parametrize(
    "card",
    [
        "# A set without a head",
        "---\nlicense: mit\n---",
        "---\n- a list\n---",
        "---\ndataset_info: none\n---",
        "---\ndataset_info:\n  features: none\n---",
        "---\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n---",
        "---\ndataset_info:\n  features:\n  - name: label\n    dtype: int64\n---",
        "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n"
        "        names: 6\n---",
    ],
)
def test_a_card_that_names_no_labels(card: str) -> None:
    assert names_in_card(card, "label") is None


@pytest.mark.parametrize("infos", ["\n  features:", "\n- features:"], ids=["object", "list"])
def test_a_card_names_the_labels_of_one_set_or_of_several(infos: str) -> None:
    card = (
        f"---\ndataset_info:{infos}\n  - name: label\n    dtype:\n      class_label:\n"
        "        names: [anger, joy]\n---\n"
    )
    assert names_in_card(card, "label") == {"0": "anger", "1": "joy"}


# -- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, 2], "holds 2 values instead of one label"),
        (0.5, "values that are not whole numbers"),
        (1j, "values of the kind complex128"),
        (np.array(b"\xff"), "names that are not UTF-8"),
    ],
)
def test_an_unusable_array_of_affectnet(value: object, reason: str, tmp_path: Path) -> None:
    for folder in ("train_set", "val_set"):
        for n in range(6):
            put(tmp_path / folder / f"images/{n}.jpg", n)
            annotations = tmp_path / folder / "annotations"
            annotations.mkdir(exist_ok=True)
            bad = n == 5 and folder == "val_set"
            (annotations / f"{n}_exp.npy").write_bytes(numpy_file(value if bad else str(n % 2 + 1)))
    found = listed(tmp_path)
    assert sum(counted(found).values()) == 11
    (only,) = reasons(found)
    assert reason in only


def test_pictures_and_labels_of_affectnet_that_have_no_partner_are_counted(tmp_path: Path) -> None:
    for n in range(4):
        put(tmp_path / f"train_set/images/{n}.jpg", n)
        (tmp_path / "train_set/annotations").mkdir(exist_ok=True)
        label = tmp_path / f"train_set/annotations/{n + 1}_exp.npy"
        label.write_bytes(numpy_file(str(n % 2 + 1)))
    notes = " ".join(listed(tmp_path).found.notes)
    assert "1 picture without _exp.npy" in notes and "1 _exp.npy file without a picture" in notes
