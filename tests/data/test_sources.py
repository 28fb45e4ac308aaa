"""Zips, Kaggle and drawn faces as sources, and what is no source at all."""

from __future__ import annotations

import io
import os
import stat
import sys
import zipfile
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_pictures import noise, save, zip_up
from source_reading import read, skipped

from fer_tune.data import PackedDataset, import_source
from fer_tune.data.files import archive as archive_module
from fer_tune.data.listing import Entry, Listing, Reading
from fer_tune.data.sources import list_source
from fer_tune.errors import DataError, EnvironmentFault


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["x.csv", "x.zip", "x.tar"])
def test_a_pipe_or_device_is_no_source(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    (tmp_path / f"device-{name}").symlink_to("/dev/zero")
    for source in (name, f"device-{name}"):
        with pytest.raises(DataError, match="not a regular file"):
            read(tmp_path / source)


def test_a_home_that_nobody_has_is_no_source() -> None:
    with pytest.raises(DataError, match=r"no such source.*~nobody-here"):
        read("~nobody-here/pictures")


def test_hostile_and_damaged_zip_members_are_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "good.png", noise(1))
    good = (tmp_path / "good.png").read_bytes()
    link = zipfile.ZipInfo("train/sad/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as target:
        for name in (
            "../../train/sad/up.png",
            "/train/sad/absolute.png",
            "C:/train/sad/drive.png",
            "..\\train\\sad\\backslash.png",
            "train\\sad\\windows.png",
            "train/sad/good.png",
            "train/sad/corrupt.png",
            "__MACOSX/train/sad/._good.png",
        ):
            target.writestr(name, good)
        target.writestr(link, "/etc/passwd")
        target.writestr("train/sad/huge.png", good * 3)
    raw = (tmp_path / "evil.zip").read_bytes()
    start = raw.index(b"train/sad/corrupt.png") + 60
    (tmp_path / "evil.zip").write_bytes(raw[:start] + b"\0\0\0\0" + raw[start + 4 :])
    monkeypatch.setattr(archive_module, "MAX_MEMBER_BYTES", 2 * len(good))
    before = sorted(tmp_path.rglob("*"))

    source = read(tmp_path / "evil.zip")
    assert (len(source.items), source.ignored) == (9, 1)
    found = skipped(source)
    outside = "its path leads out of the archive"
    assert found.pop("train/sad/corrupt.png").startswith("cannot be unpacked: Bad CRC-32")
    assert found == {
        "../../train/sad/up.png": outside,
        "/train/sad/absolute.png": outside,
        "C:/train/sad/drive.png": outside,
        "../train/sad/backslash.png": outside,
        "train/sad/link.png": "a link or special file, not a picture",
        "train/sad/huge.png": f"{3 * len(good)} bytes unpacked, at most {2 * len(good)} are read",
    }
    assert sorted(tmp_path.rglob("*")) == before


def zipped(method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for n, name in enumerate(("train/happy/1.pgm", "test/sad/2.pgm", "sad/\u00e9.pgm")):
            target.writestr(name, b"P5 4 4 255\n" + noise(n, side=4).tobytes())
    return stream.getvalue()


ZIPS = [b"", zipped(zipfile.ZIP_STORED), zipped(zipfile.ZIP_DEFLATED)]


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    content=st.sampled_from(ZIPS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), min_size=1, max_size=3),
)
def test_any_bytes_as_zip_are_imported_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, changes: list[tuple[float, bytes]]
) -> None:
    for where, patch in changes:
        start = int(where * len(content))
        content = content[:start] + patch + content[start + len(patch) :]
    at = tmp_path_factory.mktemp("zip")
    (at / "f.zip").write_bytes(content)
    try:
        report = import_source(str(at / "f.zip"), at / "out")
    except DataError:
        assert [path.name for path in at.iterdir()] == ["f.zip"]
    else:
        assert len(PackedDataset.open(at / "out")) == report.pictures >= 2


def test_an_encrypted_member_is_named(tmp_path: Path, faces: Path) -> None:
    target = zip_up(faces, tmp_path / "faces.zip")
    raw = bytearray(target.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + flags] |= 1
    target.write_bytes(raw)
    (reason,) = skipped(read(target)).values()
    assert "encrypted" in reason


def test_a_zip_gives_the_pictures_of_its_folder(tmp_path: Path, faces: Path) -> None:
    def contents(source: Listing) -> dict[str, bytes]:
        return {i.origin: i.load().tobytes() for i in source.items if isinstance(i, Entry)}

    unpacked = contents(read(faces))
    assert len(unpacked) == 24
    assert contents(read(zip_up(faces, tmp_path / "faces.zip"))) == unpacked


def test_foreign_sources_are_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("name,pixels\n")
    (tmp_path / "x.zip").write_text("no zip")
    (tmp_path / "x.tar").write_text("no tar, but long enough for a header" * 20)
    (tmp_path / "x.doc").write_text("")
    (tmp_path / "x.rar").write_text("")
    (tmp_path / "empty.csv").write_text("")
    for name, message in {
        "x.csv": "no column emotion.*FER2013 has",
        "empty.csv": "no column emotion and no column pixels",
        "x.zip": "cannot be read as a zip.*Download",
        "x.tar": "cannot be read as a tar.*Download",
        "x.doc": "not a folder, an archive.*Use a folder",
        "x.rar": "this kind of archive is not read.*Unpack it",
        "nowhere": "no such source.*nowhere.*Use a folder",
    }.items():
        with pytest.raises(DataError, match=message):
            read(tmp_path / name)


def test_kaggle_downloads_through_kagglehub(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(handle: str) -> str:
        asked.append(handle)
        return str(faces)

    fake = SimpleNamespace(dataset_download=download)
    monkeypatch.setitem(sys.modules, "kagglehub", fake)  # type: ignore[arg-type]
    assert len(read("kaggle:someone/faces-2.0").items) == 24
    assert asked == ["someone/faces-2.0"]


def test_kaggle_faults_come_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # type: ignore[arg-type]
    with pytest.raises(EnvironmentFault, match=r"not installed.*fer-tune\[kaggle\]"):
        read("kaggle:someone/faces")
    with pytest.raises(DataError, match=r"OWNER/NAME.*'someone'"):
        read("kaggle:someone")

    def refuse(handle: str) -> str:
        raise ConnectionError("no route")

    fake = SimpleNamespace(dataset_download=refuse)
    monkeypatch.setitem(sys.modules, "kagglehub", fake)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"download from Kaggle failed: no route.*Check the name"):
        read("kaggle:someone/faces")


def test_the_synthetic_source_passes_count_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def planned(count: int, seed: int) -> list[tuple[object, str, str]]:
        asked.append((count, seed))
        return [(partial(noise, n), "happy", "test") for n in range(count)]

    fake = ModuleType("fer_tune.data.synthetic")
    monkeypatch.setattr(fake, "planned", planned, raising=False)
    monkeypatch.setitem(sys.modules, "fer_tune.data.synthetic", fake)
    items = list_source("synthetic:3", Reading(), seed=7).entries
    assert [(i.origin, i.class_name, i.split) for i in items] == [
        (f"synthetic:7:{n}", "happy", "test") for n in range(3)
    ]
    assert np.array_equal(items[2].load(), noise(2))
    assert len(list_source("synthetic", Reading(), seed=0).items) == 1500
    assert asked == [(3, 7), (1500, 0)]


@pytest.mark.parametrize("count", ["0", "-3", "many", "1.5", "1000001", "9" * 5000])
def test_a_senseless_synthetic_count_is_refused(count: str) -> None:
    with pytest.raises(DataError, match="whole number from 1 to 1,000,000"):
        read(f"synthetic:{count}")
