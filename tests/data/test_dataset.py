import io
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noise_pictures import noise, save
from PIL import Image

from fer_tune.data import PackedDataset, import_source
from fer_tune.errors import DataError


@pytest.fixture
def packed(faces: Path, tmp_path: Path) -> Path:
    save(faces / "Testing/Testing/Sad/copy.png", noise(0))
    import_source(str(faces), tmp_path / "packed")
    return tmp_path / "packed"


def test_arrays_run_over_all_pictures_in_canonical_order(packed: Path) -> None:
    dataset = PackedDataset.open(packed)
    n = len(dataset)
    assert n == 25 and dataset.root == packed and dataset.channels == 1
    for array in (dataset.labels, dataset.splits, dataset.hashes, dataset.groups, dataset.sizes):
        assert len(array) == n
    assert dataset.labels.dtype == dataset.groups.dtype == dataset.sizes.dtype == np.int64
    assert dataset.hashes.tolist() == sorted(dataset.hashes)
    assert set(dataset.splits) == {"train", "test"}


def test_copies_and_they_alone_share_a_group(packed: Path) -> None:
    dataset = PackedDataset.open(packed)
    same_group = dataset.groups[:, None] == dataset.groups[None, :]
    same_hash = dataset.hashes[:, None] == dataset.hashes[None, :]
    assert np.array_equal(same_group, same_hash) and same_group.sum() == 27
    i, j = np.flatnonzero(np.bincount(dataset.groups)[dataset.groups] == 2)
    assert {dataset.splits[i], dataset.splits[j]} == {"train", "test"}
    assert np.array_equal(dataset.picture(i), dataset.picture(j))
    assert dataset.origins[i].endswith(("copy.png", "train_0.png"))


def test_pictures_are_the_callers_own(packed: Path) -> None:
    dataset = PackedDataset.open(packed)
    picture = dataset.picture(3)
    expected = picture.copy()
    picture[:] = 0
    assert np.array_equal(dataset.picture(3), expected)


def test_thumbnails_are_small_pngs(packed: Path) -> None:
    dataset = PackedDataset.open(packed)
    with Image.open(io.BytesIO(dataset.thumbnail(0, side=6))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (6, 6))
    with Image.open(io.BytesIO(dataset.thumbnail(0))) as image:
        assert np.array_equal(np.asarray(image)[:, :, None], dataset.picture(0))


def test_it_pickles_by_path_and_notices_another_dataset(packed: Path, faces: Path) -> None:
    dataset = PackedDataset.open(packed)
    sent = pickle.dumps(dataset)
    assert len(sent) < 500
    again = pickle.loads(sent)
    assert again.fingerprint == dataset.fingerprint
    assert np.array_equal(again.picture(5), dataset.picture(5))
    import_source(str(faces), packed, classes=["sad", "angry"], force=True)
    with pytest.raises(DataError, match=r"this packed dataset differs.*on every machine"):
        pickle.loads(sent)


@pytest.mark.parametrize("name", ["index.parquet", "pixels.bin", "dataset.json"])
def test_a_missing_file_is_noticed(packed: Path, name: str) -> None:
    (packed / name).unlink()
    with pytest.raises(DataError, match=r"packed dataset.*fer-tune data import"):
        PackedDataset.open(packed)


def test_files_that_do_not_belong_together_are_noticed(packed: Path, faces: Path) -> None:
    other = packed.with_name("other")
    import_source(str(faces), other, classes=["sad", "happy"])
    pixels = (packed / "pixels.bin").read_bytes()
    (packed / "pixels.bin").write_bytes(pixels[:-1])
    with pytest.raises(DataError, match=r"pixels\.bin has 3599 bytes instead of 3600"):
        PackedDataset.open(packed)
    shutil.copy(other / "index.parquet", packed / "index.parquet")
    shutil.copy(other / "pixels.bin", packed / "pixels.bin")
    with pytest.raises(DataError, match="does not match the fingerprint"):
        PackedDataset.open(packed)
    (packed / "index.parquet").write_bytes(b"torn")
    with pytest.raises(DataError, match="damaged"):
        PackedDataset.open(packed)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(["index.parquet", "dataset.json"]),
    place=st.floats(0, 1),
    new=st.binary(min_size=1, max_size=3),
)
def test_any_damage_to_the_index_or_description_is_harmless_or_noticed(
    packed: Path, name: str, place: float, new: bytes
) -> None:
    good, whole = PackedDataset.open(packed), (packed / name).read_bytes()
    start = int(place * len(whole))
    (packed / name).write_bytes(whole[:start] + new + whole[start + len(new) :])
    try:
        found = PackedDataset.open(packed)
    except DataError:
        pass
    else:
        assert found.fingerprint == good.fingerprint
        for array in ("labels", "splits", "groups", "sizes", "deviations", "origins"):
            assert np.array_equal(getattr(found, array), getattr(good, array)), array
        assert all(np.array_equal(found.picture(i), good.picture(i)) for i in range(len(good)))
    finally:
        (packed / name).write_bytes(whole)


def test_other_versions_and_foreign_folders_are_refused(packed: Path, tmp_path: Path) -> None:
    for change, message in (
        ({"version": 99}, "version 1.*99"),
        ({"format": "another"}, "not a packed dataset"),
        ({"classes": None}, "lacks classes"),
    ):
        description = json.loads((packed / "dataset.json").read_text())
        changed = {k: v for k, v in {**description, **change}.items() if v is not None}
        (tmp_path / "changed").mkdir(exist_ok=True)
        (tmp_path / "changed/dataset.json").write_text(json.dumps(changed))
        with pytest.raises(DataError, match=message):
            PackedDataset.open(tmp_path / "changed")
    with pytest.raises(DataError, match=r"no such folder.*fer-tune data import"):
        PackedDataset.open(tmp_path / "nowhere")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["dataset.json", "index.parquet", "pixels.bin"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(packed: Path, name: str) -> None:
    (packed / name).unlink()
    os.mkfifo(packed / name)
    with pytest.raises(DataError, match="damaged"):
        PackedDataset.open(packed)
