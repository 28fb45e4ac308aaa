"""Archives of a source: unpacked beside themselves, damaged, many, or of many files."""

from __future__ import annotations

import io
import os
import resource
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labels_writing import listed, pixels, png, put
from noise_pictures import noise

from fer_tune.data.files import limits, opening, reopening
from fer_tune.errors import DataError

_NAMES = ("train/happy/1.png", "train/sad/1.png")


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("folder", ["", "down/"])
def test_an_archive_beside_its_own_files_is_not_read_twice(folder: str, tmp_path: Path) -> None:
    mac = {"__MACOSX/train/._1.png": b"fork", "train/.DS_Store": b"x"}
    members = {name: png(seed) for seed, name in enumerate(_NAMES)}
    zipped(tmp_path / folder / "archive.zip", {**members, **mac})
    for seed, name in enumerate(_NAMES):
        put(tmp_path / folder / name, seed)
    found = listed(tmp_path)
    assert sorted(entry.origin for entry in found.entries) == [f"{folder}{n}" for n in _NAMES]
    assert [one.reason for one in found.skipped] == ["its files are unpacked beside it already"]


def test_an_archive_of_other_pictures_beside_a_folder_of_its_name_is_read(tmp_path: Path) -> None:
    for seed, name in enumerate(("happy", "sad")):
        put(tmp_path / name / "1.png", seed)
        zipped(tmp_path / f"{name}.zip", {"1.png": png(seed + 50)})
    found = listed(tmp_path)
    assert len(found.entries) == 4 and found.skipped == []
    # A table cannot say which of two it means.
    (tmp_path / "l.csv").write_text("file,label\nhappy/1.png,calm\nsad/1.png,bored\n")
    with pytest.raises(DataError, match="of a file and of one in an archive"):
        listed(tmp_path, files=("l.csv",))


def test_an_archive_with_other_files_of_the_same_names_is_read(tmp_path: Path) -> None:
    zipped(tmp_path / "more.zip", {name: png(seed + 50) for seed, name in enumerate(_NAMES)})
    for seed, name in enumerate(_NAMES):
        put(tmp_path / name, seed)
    assert len(listed(tmp_path).entries) == 4


# -- damage -----------------------------------------------------------------------------------


def damaged(path: Path, name: str, content: bytes) -> Path:
    """A zip with one member whose compressed data is overwritten in the middle."""
    zipped(path, {name: content})
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        (info,) = archive.infolist()
    middle = info.header_offset + 30 + len(name) + info.compress_size // 2
    whole[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("name", ["fer2013.csv", "labels.csv", "train.parquet"])
def test_damaged_compressed_data_is_one_message(name: str, tmp_path: Path) -> None:
    rows = "\n".join(f"{n % 7},{pixels(n, side=30)},Training" for n in range(60))
    content = f"emotion,pixels,Usage\n{rows}\n".encode()
    source = damaged(tmp_path / "f.zip", name, content)
    files = {"files": (name,)} if name == "labels.csv" else {}
    with pytest.raises(DataError, match=r"cannot be (read|unpacked)"):
        listed(source, **files)


def test_a_damaged_inner_archive_is_skipped_with_the_reason(tmp_path: Path) -> None:
    content = b"".join(b"%d " % (n * n) for n in range(9999))
    source = damaged(tmp_path / "f.zip", "inner.tar", content)
    (one,) = listed(source).skipped
    assert one.origin == "inner.tar" and "cannot be unpacked" in one.reason


# -- bounds -----------------------------------------------------------------------------------


@pytest.fixture
def at_most_20(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILES", 20)


@pytest.mark.usefixtures("at_most_20")
def test_a_level_of_archives_is_not_listed_beyond_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(15):
        zipped(tmp_path / f"{number:02d}.zip", {f"happy/{n}.png": b"" for n in range(8)})
    seen = []
    real = opening.zip_members
    monkeypatch.setattr(opening, "zip_members", lambda *args: seen.append(args) or real(*args))
    with pytest.raises(DataError, match="more than 20 files"):
        listed(tmp_path)
    assert len(seen) == 3


@pytest.mark.usefixtures("at_most_20")
@pytest.mark.parametrize("inside", [False, True])
def test_an_archive_is_not_listed_beyond_the_bound(
    inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in/f.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as archive:
        for number in range(200):
            archive.addfile(tarfile.TarInfo(f"happy/{number}.png"))
    read = []
    real = tarfile.TarInfo.fromtarfile.__func__  # type: ignore[attr-defined]

    def counting(cls: type, archive: tarfile.TarFile) -> tarfile.TarInfo:
        read.append(1)
        found: tarfile.TarInfo = real(cls, archive)
        return found

    monkeypatch.setattr(tarfile.TarInfo, "fromtarfile", classmethod(counting))
    with pytest.raises(DataError, match="more than 20 files"):
        listed(path.parent if inside else path)
    assert len(read) < 30
    zipped(tmp_path / "f.zip", {f"{n}.png": b"" for n in range(21)})
    with pytest.raises(DataError, match=r"f\.zip: holds more than 20 files"):
        listed(tmp_path / "f.zip")


# -- many archives ----------------------------------------------------------------------------


@pytest.fixture
def few_files() -> Iterator[int]:
    """A process that may open only few files more than it has; gives how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used, more = set(map(int, os.listdir("/proc/self/fd"))), 30
    # The limit is on numbers of descriptors, and low ones may be free.
    free = [number for number in range(len(used) + more) if number not in used]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[more - 1] + 1, hard))
    yield more
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def tar(path: Path, mode: str, members: dict[str, bytes]) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "parquet"])
def test_a_source_may_have_more_shards_than_files_can_be_open(
    kind: str, few_files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reopening, "MOST_OPEN", 8)
    monkeypatch.setattr(limits, "MODEST_BYTES", 16)  # so that unpacked tars are in files
    monkeypatch.setattr(limits, "MAX_EXPANSION", 10**6)
    count = 2 * few_files
    for number in range(count):
        members = {f"{name}/1.png": png(2 * number + k) for k, name in enumerate(("happy", "sad"))}
        path = tmp_path / f"train-{number:03d}.{kind}"
        if kind == "zip":
            zipped(path, members)
        elif kind == "parquet":
            rows = [{"bytes": content, "path": None} for content in members.values()]
            pq.write_table(pa.table({"image": rows, "label": [0, 1]}), path, row_group_size=1)
        else:
            tar(path, "w:gz" if kind == "tar.gz" else "w", members)
    entries = listed(tmp_path).entries
    assert len(entries) == 2 * count
    found = [entry.load() for entry in entries]
    assert all(np.array_equal(one, noise(n, side=8)) for n, one in enumerate(found))
    # In any order, too.
    again = [entries[n].load() for n in reversed(range(len(entries)))]
    assert all(np.array_equal(one, two) for one, two in zip(found, again[::-1], strict=True))


def test_shards_share_one_row_group_in_memory(tmp_path: Path) -> None:
    for number in range(6):
        rows = [{"bytes": png(number) + bytes(4 * limits.MIB), "path": None}] * 2
        pq.write_table(pa.table({"image": rows, "label": [0, 1]}), tmp_path / f"{number}.parquet")
    entries = listed(tmp_path).entries
    before = pa.total_allocated_bytes()
    for entry in entries:
        entry.load()
    assert pa.total_allocated_bytes() - before < 20 * limits.MIB
