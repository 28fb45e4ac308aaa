"""Archives are read as folders, in bounds of size and depth, and lead nowhere else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
from labels_writing import add, by_origin, counted, is_noise, listed, png, put

from fer_tune.data.files import limits
from fer_tune.errors import DataError


def test_archives_in_a_folder_are_read_as_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as archive:
            for seed, name in enumerate(("happy", "sad")):
                archive.writestr(f"{name}/1.png", png(seed))
    found = listed(tmp_path)
    assert counted(found) == {(c, s): 1 for c in ("happy", "sad") for s in ("train", "test")}
    assert is_noise(found, "train/sad/1.png", 1)
    # Unpacked beside itself, it is not read twice.
    for seed, name in enumerate(("happy", "sad")):
        put(tmp_path / "train" / name / "1.png", seed)
    found = listed(tmp_path)
    assert len(found.entries) == 4
    assert [one.reason for one in found.skipped] == ["its files are unpacked beside it already"]


def test_a_tars_links_and_paths_lead_nowhere(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "f.tar", "w") as archive:
        for seed, name in enumerate(("happy/1.png", "./sad/1.png", "../sad/2.png", "/sad/3.png")):
            add(archive, name, png(seed))
        link = tarfile.TarInfo("sad/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = listed(tmp_path / "f.tar")
    assert set(by_origin(found)) == {"happy/1.png", "sad/1.png"}
    assert {one.origin: one.reason for one in found.skipped} == {
        "../sad/2.png": "its path leads out of the archive",
        "/sad/3.png": "its path leads out of the archive",
        "sad/link.png": "a link or special file, not a picture",
    }


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_bomb_is_refused_early(
    pack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr(limits, "MODEST_BYTES", 1024)
    suffix = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz"}[pack]
    (tmp_path / f"f.tar.{suffix}").write_bytes(pack(bytes(4 * limits.MIB)))
    with pytest.raises(DataError, match="a zip bomb"):
        listed(tmp_path / f"f.tar.{suffix}")


def test_an_inner_bomb_is_skipped_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MODEST_BYTES", 1024)
    with zipfile.ZipFile(tmp_path / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.tar", bytes(4 * limits.MIB))
        for seed, name in enumerate(("happy", "sad")):
            archive.writestr(f"{name}/1.png", png(seed))
    found = listed(tmp_path / "f.zip")
    assert len(found.entries) == 2
    assert [(s.origin, "zip bomb" in s.reason) for s in found.skipped] == [("bomb.tar", True)]


def test_archives_nest_only_so_deep(tmp_path: Path) -> None:
    content = png(0)
    name = "happy/1.png"
    for depth in range(limits.MAX_DEPTH + 1):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(name, content)
        content, name = out.getvalue(), f"{depth}.zip"
    (tmp_path / "f.zip").write_bytes(content)
    found = listed(tmp_path / "f.zip")
    assert not found.entries and "deep" in found.skipped[0].reason


def test_a_tars_header_cannot_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "f.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("happy/1.png")
        member.pax_headers = {"comment": "x" * 200_000}
        archive.addfile(member)
    monkeypatch.setattr(limits, "MAX_MEMBER_BYTES", 100_000)
    with pytest.raises(DataError, match="in one piece"):
        listed(tmp_path / "f.tar")
