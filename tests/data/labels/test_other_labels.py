"""Labels in file names, arrays, files beside pictures, Parquet and CSVs of pixels."""

from __future__ import annotations

import gzip
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labels_writing import add, by_origin, counted, is_noise, lines, listed, pixels, png, put
from noise_pictures import noise

from fer_tune.data import PackedDataset, import_source
from fer_tune.data.labels.hugging_face import names_in_card
from fer_tune.errors import DataError

# -- file names --------------------------------------------------------------------------------


def test_classes_splits_and_groups_come_from_file_names(tmp_path: Path) -> None:
    for seed, name in enumerate(("p1_HA_train", "p1_SA_train", "p2_HA_test", "p2_SA_test", "odd")):
        put(tmp_path / "x" / f"{name}.png", seed)
    pattern = r"(?P<group>p\d)_(?P<class>[A-Z]{2})_(?P<split>\w+)\.png$"
    found = listed(tmp_path, pattern=pattern, rename={"HA": "happy", "SA": "sad"})
    assert counted(found) == {(c, s): 1 for c in ("happy", "sad") for s in ("train", "test")}
    assert [entry.group for entry in found.entries] == ["p1", "p1", "p2", "p2"]
    assert found.found.notes == (
        "1 of 5 pictures do not match --class-from, the first of them x/odd.png",
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is not a regular expression"),
        ("(.)", "needs the named group class"),
        ("(?P<class>.)(?P<person>.)", "needs the named group class"),
        ("(?P<class>zzz)", r"matches no picture.*x/a\.png"),
    ],
)
def test_an_expression_that_cannot_work_is_an_error(
    pattern: str, message: str, tmp_path: Path
) -> None:
    put(tmp_path / "x/a.png", 0)
    with pytest.raises(DataError, match=message):
        listed(tmp_path, pattern=pattern)


# -- arrays and files beside pictures ----------------------------------------------------------


def test_one_array_labels_the_pictures_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number in range(12):
        put(tmp_path / "images" / f"{number}.png", number)
    np.save(tmp_path / "y.npy", np.arange(12))
    found = listed(tmp_path, files=("y.npy",))
    assert by_origin(found) == {f"images/{n}.png": str(n) for n in range(12)}
    assert "from images/0.png to images/11.png" in found.found.notes[0]
    np.save(tmp_path / "y.npy", np.arange(11))
    with pytest.raises(DataError, match=r"one label for each of 12 pictures.*\(11,\)"):
        listed(tmp_path, files=("y.npy",))


def test_an_array_is_never_unpickled(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 0)
    np.save(tmp_path / "y.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        listed(tmp_path, files=("y.npy",))


@pytest.mark.parametrize(
    ("suffix", "content"),
    [("cls", "{}"), ("txt", "{}\n"), ("json", '{{"label": "{}"}}'), ("json", '"{}"')],
)
def test_webdataset_shards_are_read(suffix: str, content: str, tmp_path: Path) -> None:
    for split in ("train", "test"):
        with tarfile.open(tmp_path / f"faces-{split}-000000.tar", "w") as shard:
            for n in range(4):
                add(shard, f"{n:06d}.png", png(n))
                add(shard, f"{n:06d}.{suffix}", content.format(("happy", "sad")[n % 2]).encode())
    found = listed(tmp_path)
    assert counted(found) == {(c, s): 2 for c in ("happy", "sad") for s in ("train", "test")}
    assert is_noise(found, "faces-test-000000/000001.png", 1)


def test_captions_are_no_labels(tmp_path: Path) -> None:
    for n, name in enumerate(("happy", "sad")):
        put(tmp_path / name / "1.png", n)
        lines(tmp_path / name / "1.txt", "a person", "who smiles")
    assert set(by_origin(listed(tmp_path)).values()) == {"happy", "sad"}


# -- Hugging Face ------------------------------------------------------------------------------


def shard(path: Path, labels: list[int], names: list[str] | None = None) -> None:
    rows = [{"bytes": png(n), "path": f"{n}.png"} for n in range(len(labels))]
    table = pa.table({"image": rows, "label": pa.array(labels, pa.int64())})
    if names:
        features = {"label": {"names": names, "_type": "ClassLabel"}}
        about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
        table = table.replace_schema_metadata(about)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)


def test_hugging_face_names_come_from_the_schema(tmp_path: Path) -> None:
    shard(tmp_path / "data/train-00000-of-00002.parquet", [0, 1, 2], ["angry", "happy", "sad"])
    shard(tmp_path / "data/train-00001-of-00002.parquet", [2, 1], ["angry", "happy", "sad"])
    shard(tmp_path / "data/test-00000-of-00001.parquet", [1, -1], ["angry", "happy", "sad"])
    found = listed(tmp_path)
    assert counted(found) == {
        ("angry", "train"): 1, ("happy", "train"): 2, ("sad", "train"): 2, ("happy", "test"): 1,
    }  # fmt: skip
    assert [one.reason for one in found.skipped] == ["has no label"]
    assert is_noise(found, "data/train-00000-of-00002.parquet:3", 2)
    report = import_source(str(tmp_path), tmp_path / "out")
    assert report.pictures == 6


CARD = """---
license: mit
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': anger
          '1': joy
---
# A set
"""


def test_hugging_face_names_come_from_the_readme(tmp_path: Path) -> None:
    shard(tmp_path / "data/train-00000-of-00001.parquet", [0, 1, 1])
    assert set(by_origin(listed(tmp_path)).values()) == {"0", "1"}
    assert "name the labels" in listed(tmp_path).found.notes[0]
    lines(tmp_path / "README.md", *CARD.splitlines())
    assert counted(listed(tmp_path)) == {("angry", "train"): 1, ("joy", "train"): 2}
    assert names_in_card("---\n a: *b\n---\n", "label") is None


def test_a_damaged_parquet_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"train\.parquet.*not a Parquet file"):
        listed(tmp_path)


# -- pictures in CSVs --------------------------------------------------------------------------


def test_pictures_of_any_shape_are_read_from_a_csv(tmp_path: Path) -> None:
    flat = noise(2, side=4)[:3].ravel()  # 3 x 4
    wide = lines(
        tmp_path / "faces.csv", "label;height;width;pixels;split",
        f"happy;3;4;{' '.join(map(str, flat))};train", f"sad;3;4;{' '.join(map(str, flat))};test",
        "sad;3;5;1 2;test",
    )  # fmt: skip
    found = listed(wide)
    assert found.entries[0].load().shape == (3, 4, 1)
    assert counted(found) == {("happy", "train"): 1, ("sad", "test"): 2}
    out = import_source(str(wide), tmp_path / "out")
    assert out.skipped == (("faces.csv:4", "2 pixels, its columns say 3 x 5"),)

    colour = lines(
        tmp_path / "c.csv", "emotion,pixels", *(f"{n},{pixels(n, channels=3)}" for n in (0, 3))
    )
    assert listed(colour).entries[1].load().tolist() == noise(3, side=3, channels=3).tolist()


def test_a_column_for_every_pixel_is_read(tmp_path: Path) -> None:
    header = ",".join(["label", *(f"pixel{n}" for n in range(16))])
    rows = (f"{n},{pixels(n, side=4).replace(' ', ',')}" for n in (0, 1))
    found = listed(lines(tmp_path / "train.csv", header, *rows))
    assert found.entries[1].load().tolist() == noise(1, side=4).tolist()
    assert counted(found) == {("0", "train"): 1, ("1", "train"): 1}


def test_fields_longer_than_pythons_limit_are_read(tmp_path: Path) -> None:
    big = lines(tmp_path / "f.csv", "emotion,pixels,Usage", *(
        f"{n},{pixels(n, side=224)},Training" for n in (0, 1)
    ))  # fmt: skip
    report = import_source(str(big), tmp_path / "out")
    dataset = PackedDataset.open(tmp_path / "out")
    assert report.skipped == () and dataset.sizes.tolist() == [[224, 224]] * 2


def test_a_csv_without_a_header_is_read(tmp_path: Path) -> None:
    found = listed(
        lines(tmp_path / "f.csv", *(f"{n},{pixels(n, side=4)},Training" for n in (0, 1)))
    )
    assert counted(found) == {("0", "train"): 1, ("1", "train"): 1}


FER = (
    "emotion,pixels,Usage",
    *(f"{n},{pixels(n)},{u}" for n, u in ((0, "Training"), (1, "PrivateTest"))),
)


def csv_folder(at: Path) -> Path:
    lines(at / "f/fer2013.csv", *FER)
    return at / "f"


def csv_zip(at: Path) -> Path:
    with zipfile.ZipFile(at / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(lines(at / "raw/fer2013.csv", *FER), "fer2013.csv")
    return at / "f.zip"


def csv_tar(at: Path, mode: str = "w:gz", name: str = "f.tar.gz") -> Path:
    with tarfile.open(at / name, mode) as archive:  # type: ignore[call-overload]
        archive.add(lines(at / "raw/fer2013.csv", *FER), "fer2013/fer2013.csv")
    return at / name


def csv_in_tar_in_zip(at: Path) -> Path:
    inner = csv_tar(at)
    with zipfile.ZipFile(at / "g.zip", "w") as archive:
        archive.write(inner, "down/fer2013.tar.gz")
        archive.write(lines(at / "raw/test.csv", "pixels", pixels(9)), "test.csv")
    return at / "g.zip"


def csv_gz(at: Path) -> Path:
    (at / "fer2013.csv.gz").write_bytes(gzip.compress("\n".join(FER).encode()))
    return at / "fer2013.csv.gz"


@pytest.mark.parametrize(
    "make",
    [
        csv_folder, csv_zip, csv_tar, csv_in_tar_in_zip, csv_gz,
        lambda at: csv_tar(at, "w", "f.tar"), lambda at: csv_tar(at, "w:bz2", "f.tbz2"),
        lambda at: csv_tar(at, "w:xz", "f.tar.xz"),
    ],
)  # fmt: skip
def test_a_csv_is_found_inside_folders_and_archives(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    source = make(tmp_path)
    report = import_source(str(source), tmp_path / "out")
    assert report.counts["train"] == {"angry": 1} and report.counts["test"] == {"disgust": 1}
    assert report.found.format == "FER2013"


def test_one_of_several_copies_of_a_csv_is_read_and_the_others_named(tmp_path: Path) -> None:
    lines(tmp_path / "icml_face_data.csv", "emotion, Usage, pixels", f"1,Training,{pixels(3)}")
    lines(tmp_path / "train.csv", "emotion,pixels", f"1,{pixels(3)}")
    lines(tmp_path / "fer2013.csv", *FER)
    found = listed(tmp_path)
    assert found.found.label_files == ("fer2013.csv",)
    assert found.found.unused_label_files == ("icml_face_data.csv", "train.csv")
    (tmp_path / "fer2013.csv").unlink()
    (tmp_path / "icml_face_data.csv").unlink()
    lines(tmp_path / "more.csv", "emotion,pixels", f"1,{pixels(3)}")
    with pytest.raises(DataError, match="several tables of pictures"):
        listed(tmp_path)
