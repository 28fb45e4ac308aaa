"""Folders as sources: class and split of every path, clutter, links, and files that are none."""

from __future__ import annotations

import os
import socket
from pathlib import Path, PurePosixPath

import pytest
from noise_pictures import noise, save
from source_reading import read, skipped

from fer_tune.data.files.clutter import is_clutter
from fer_tune.data.labels.class_folders import class_and_split
from fer_tune.data.listing import Entry, Reading
from fer_tune.data.pixels import UnusableError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Training/Training/Angry/1.jpg", ("Angry", "train")),
        ("train/happy/1.jpg", ("happy", "train")),
        ("happy/1.jpg", ("happy", None)),
        ("happy/test/1.jpg", ("happy", "test")),
        ("a set/Testing/Suprise/1.jpg", ("Suprise", "test")),
        ("val/happy/subject 7/1.jpg", ("happy", "validation")),
        ("data/test/cats/1.jpg", ("cats", "test")),
        ("test/cats/batch 1/1.jpg", ("batch 1", "test")),
        ("Testing/Sad/PublicTest_1.jpg", ("Sad", "test")),
    ],
)
def test_class_and_split_are_read_off_any_nesting(
    path: str, expected: tuple[str, str | None]
) -> None:
    assert class_and_split(PurePosixPath(path), Reading()) == expected


def test_picked_classes_are_known_ones() -> None:
    reading = Reading(classes=("cats", "dogs"))
    assert class_and_split(PurePosixPath("test/cats/batch 1/1.jpg"), reading) == ("cats", "test")


def test_public_test_is_recognised_by_file_name_in_the_test_folder_only() -> None:
    reading = Reading(public_test="validation")
    for path, split in {
        "Testing/Sad/PublicTest_1.jpg": "validation",
        "Testing/Sad/PrivateTest_1.jpg": "test",
        "Training/Sad/PublicTest_1.jpg": "train",
    }.items():
        assert class_and_split(PurePosixPath(path), reading) == ("Sad", split)


@pytest.mark.parametrize("path", ["1.jpg", "train/1.jpg", "train/test/happy/1.jpg"])
def test_unplaceable_files_say_why(path: str) -> None:
    with pytest.raises(UnusableError, match=r"class folder|two splits"):
        class_and_split(PurePosixPath(path), Reading())


@pytest.mark.parametrize(
    ("path", "clutter"),
    [
        ("happy/.DS_Store", True),
        ("happy/Thumbs.db", True),
        ("README.txt", True),
        ("LICENSE", True),
        ("__MACOSX/happy/._1.jpg", True),
        ("happy/._1.jpg", True),
        ("happy/.ipynb_checkpoints/1-checkpoint.jpg", True),
        ("happy/1.jpg", False),
        ("happy/.hidden.PNG", False),
        ("happy/model.h5", False),
        ("happy/without_suffix", False),
        ("../happy/1.png", False),
    ],
)
def test_clutter_is_told_from_files_to_report(path: str, clutter: bool) -> None:
    assert is_clutter(PurePosixPath(path)) == clutter


def test_a_folder_names_what_it_cannot_read(faces: Path) -> None:
    (faces / "Training/Training/Sad/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (faces / "Training/Training/Sad/empty.png").touch()
    (faces / "Training/Training/Sad/weights.h5").write_bytes(b"1234")
    (faces / "Training/Training/Sad/.DS_Store").write_bytes(b"1234")
    (faces / "stray.png").write_bytes((faces / "Training/Training/Sad/train_0.png").read_bytes())
    (faces / "linked").symlink_to(faces / "Training/Training")
    (faces / "Testing/Testing/Sad/dangling.png").symlink_to(faces / "nowhere.png")
    source = read(faces)
    assert (len(source.items), source.ignored) == (24 + 6, 1)
    found = skipped(source)
    assert {name.rpartition("/")[2] for name in found} == {
        "broken.jpg", "empty.png", "weights.h5", "stray.png", "linked", "dangling.png",
    }  # fmt: skip
    assert found["stray.png"] == "is not in a class folder"
    assert found["linked"] == "a link to a folder, which is followed only with --follow-links"
    assert found["Training/Training/Sad/weights.h5"] == "not an image"


def test_links_out_of_a_folder_are_followed_only_when_asked(faces: Path, tmp_path: Path) -> None:
    sad, store = faces / "Training/Training/Sad", tmp_path / "store"
    save(store / "secret.png", noise(99))
    save(store / "fear/1.png", noise(98))
    (sad / "out.png").symlink_to(store / "secret.png")
    (sad / "relative.png").symlink_to("../../../../store/secret.png")
    (sad / "inside.png").symlink_to("train_0.png")
    (sad / "circle.png").symlink_to("circle.png")
    (faces / "Testing/Fear").symlink_to(store / "fear")
    (sad / "up").symlink_to(faces)
    (store / "fear/back").symlink_to(store)
    found = skipped(read(faces))
    out = "a link that leads out of the folder, which is followed only with --follow-links"
    folder = "a link to a folder, which is followed only with --follow-links"
    assert found.pop("Training/Training/Sad/circle.png") == "missing or not a regular file"
    assert found == {
        "Training/Training/Sad/out.png": out,
        "Training/Training/Sad/relative.png": out,
        "Testing/Fear": folder,
        "Training/Training/Sad/up": folder,
    }

    (tmp_path / "link").symlink_to(faces)
    for root in (faces, tmp_path / "link"):
        source = read(root, Reading(follow_links=True))
        items = [item for item in source.items if isinstance(item, Entry)]
        origins = {item.origin: (item.class_name, item.split) for item in items}
        assert origins["Training/Training/Sad/out.png"] == ("sad", "train")
        assert origins["Testing/Fear/1.png"] == ("fear", "test")
        assert "Training/Training/Sad/inside.png" in origins
        assert len(origins) == 24 + 3 + 2 + 1, "every folder once, though links go in circles"


def test_a_picture_that_becomes_a_link_meanwhile_is_not_read(faces: Path, tmp_path: Path) -> None:
    (picture,) = [item for item in read(faces).items if item.origin.endswith("Sad/train_0.png")]
    assert isinstance(picture, Entry)
    save(tmp_path / "secret.png", noise(99))
    file = faces / picture.origin
    file.unlink()
    file.symlink_to(tmp_path / "secret.png")
    with pytest.raises(UnusableError, match="cannot be read"):
        picture.load()


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(
    faces: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    save(tmp_path / "elsewhere/train_0.png", noise(99))

    (picture,) = [item for item in read(faces).items if item.origin.endswith("Sad/train_0.png")]
    sad = faces / "Training/Training/Sad"
    sad.rename(tmp_path / "away")
    sad.symlink_to(tmp_path / "elsewhere")
    assert isinstance(picture, Entry)
    with pytest.raises(UnusableError, match="its folder has become a link"):
        picture.load()


def test_pipes_sockets_and_devices_are_skipped_and_never_waited_for(faces: Path) -> None:
    os.mkfifo(faces / "Training/Training/Sad/pipe.png")
    (faces / "Training/Training/Sad/device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(faces / "s.png"))
        found = skipped(read(faces, Reading(follow_links=True)))
    assert found == {
        "Training/Training/Sad/pipe.png": "missing or not a regular file",
        "Training/Training/Sad/device.png": "missing or not a regular file",
        "s.png": "is not in a class folder",
    }


def test_unreadable_folders_are_named(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    real = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("Angry"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert skipped(read(faces)) == {
        f"{split}/{split}/Angry": "cannot be read: Permission denied"
        for split in ("Testing", "Training")
    }
