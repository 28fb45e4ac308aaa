"""Where exports are written: checked first, written whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from torch import nn

from fer_tune.errors import UserError
from fer_tune.models.card_file import WEIGHTS, write_card
from fer_tune.models.kept import KeptModel, open_model
from fer_tune.serving.export import target
from fer_tune.storage import AnyPath
from tests.object_store import ObjectStore
from tests.serving.small_models import small_card, write_small


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("onnx", "model", "model.onnx"),
        ("onnx", "model.pt", r"should end with .onnx"),
        ("onnx", "model.onnx.zip", "model.onnx.zip.onnx"),
        ("torchscript", "model.onnx", "should end with .pt or .ts"),
        ("torchscript", "pt", "pt.pt"),
    ],
)
def test_a_wrong_suffix_gets_a_hint(tmp_path: Path, kind: str, name: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        target.check_file(tmp_path / name, kind, force=False)


@pytest.mark.parametrize(
    ("kind", "name"), [("onnx", "m.onnx"), ("onnx", "M.ONNX"), ("torchscript", "m.torchscript")]
)
def test_usual_suffixes_pass(tmp_path: Path, kind: str, name: str) -> None:
    target.check_file(tmp_path / name, kind, force=False)


def test_a_file_that_is_there_needs_force(tmp_path: Path) -> None:
    there = tmp_path / "m.onnx"
    there.write_bytes(b"precious")
    with pytest.raises(UserError, match=r"already a file.*--force"):
        target.check_file(there, "onnx", force=False)
    target.check_file(there, "onnx", force=True)
    target.write_file(there, b"new")
    assert there.read_bytes() == b"new" and list(tmp_path.iterdir()) == [there]


def test_folders_that_are_missing_or_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist.*mkdir -p"):
        target.check_file(tmp_path / "none" / "m.onnx", "onnx", force=False)
    (tmp_path / "m.onnx").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        target.check_file(tmp_path / "m.onnx", "onnx", force=True)


# -- model folders ----------------------------------------------------------------------------


FILES = ["card.json", "card.md", "model.safetensors"]


def named(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def fail(*given: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_copied_model_is_a_model(tmp_path: Path) -> None:
    kept = write_small(tmp_path / "one")
    out = tmp_path / "two"
    target.check_folder(out, kept.folder, force=False)
    size = target.copy_model(kept, out)
    assert open_model(out).card == kept.card
    names = {"card.json", "card.md", "model.safetensors"}
    assert {one.name for one in out.iterdir()} == names
    assert size == (out / "model.safetensors").stat().st_size
    assert {one.name for one in tmp_path.iterdir()} == {"one", "two"}  # no scratch folder is left
    with pytest.raises(UserError, match=r"already a model.*--force"):
        target.check_folder(out, kept.folder, force=False)


def test_another_model_is_replaced_with_force(tmp_path: Path) -> None:
    kept = write_small(tmp_path / "one", temperature=3.0)
    out = write_small(tmp_path / "two", temperature=1.0).folder
    assert isinstance(out, Path)
    target.check_folder(out, kept.folder, force=True)
    target.copy_model(kept, out)
    assert open_model(out).card.temperature == 3.0


def test_places_that_are_no_place_for_a_model(tmp_path: Path) -> None:
    kept = write_small(tmp_path / "one")
    (tmp_path / "file").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").touch()
    cases = {
        tmp_path / "one": "the model itself",
        tmp_path / "one" / ".." / "one": "the model itself",
        tmp_path / "file": "is a file",
        tmp_path / "photos": "holds other files",
        tmp_path / "none" / "two": "does not exist",
    }
    for out, message in cases.items():
        with pytest.raises(UserError, match=message):
            target.check_folder(out, kept.folder, force=True)


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = write_small(tmp_path / "one")
    monkeypatch.setattr(target, "write_card", fail)
    with pytest.raises(UserError, match="cannot be written: No space left"):
        target.copy_model(kept, tmp_path / "two")
    assert [one.name for one in tmp_path.iterdir()] == ["one"]


def content(folder: AnyPath) -> dict[str, bytes]:
    """What is in each file."""
    return {one.name: one.read_bytes() for one in folder.iterdir()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> KeptModel:
    """A model with a file instead of weights, which is written often here and never read."""
    folder = tmp_path_factory.mktemp("new")
    (folder / WEIGHTS).write_bytes(b"new weights")
    write_card(small_card(), folder)
    return KeptModel(folder=folder, card=small_card(), network=nn.Sequential())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder that looks like a model; nobody opens it."""
    folder = tmp_path / "two"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(f"old {name}")
    return folder


@pytest.mark.parametrize("step", ["write_card", "write_atomically"])
def test_a_replacement_that_cannot_be_written_leaves_the_old_model(
    kept: KeptModel, old: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = content(old)
    monkeypatch.setattr(target, step, fail)
    with pytest.raises(UserError, match="cannot be written: No space left"):
        target.copy_model(kept, old)
    assert content(old) == before and named(old.parent) == ["two"]


@pytest.mark.parametrize("moves", range(6))
@pytest.mark.parametrize("empty", [False, True])
def test_a_replacement_is_all_or_nothing(
    kept: KeptModel, old: Path, monkeypatch: pytest.MonkeyPatch, moves: int, empty: bool
) -> None:
    """Of the 6 moves, those after the first ``moves`` fail."""
    if empty:
        for name in FILES:
            (old / name).unlink()
    before, done, rename = content(old), [], os.rename

    def move(*given: Path) -> None:
        done.append(given)
        if len(done) > moves:
            raise PermissionError(1, "Operation not permitted")
        rename(*given)

    monkeypatch.setattr(os, "rename", move)
    with pytest.raises(UserError, match="cannot be written: Operation not permitted"):
        target.copy_model(kept, old)
    assert content(old) == before
    monkeypatch.undo()
    target.check_folder(old, kept.folder, force=True)
    target.copy_model(kept, old)
    assert content(old) == content(kept.folder)


def test_what_a_killed_export_left_is_removed(kept: KeptModel, old: Path) -> None:
    left = old / f".new-model.{'a' * 32}"
    left.mkdir(mode=0o700)
    (left / ".lock").touch()
    target.check_folder(old, kept.folder, force=True)
    target.copy_model(kept, old)
    assert content(old) == content(kept.folder)


@pytest.mark.parametrize("there", [True, False])
def test_a_replacement_at_a_url_that_fails_leaves_the_old_model(
    kept: KeptModel,
    old: Path,
    store: ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
) -> None:
    out = store.folder(f"models/{there}")
    before = content(old) if there else {}
    for name, value in before.items():
        (out / name).write_bytes(value)
    with monkeypatch.context() as failing:
        failing.setattr(target, "write_card", fail)
        with pytest.raises(UserError, match="cannot be written: No space left"):
            target.copy_model(kept, out)
    assert store.keys(out) == sorted(before)
    assert {name: (out / name).read_bytes() for name in before} == before
    target.copy_model(kept, out)
    assert content(out) == content(kept.folder)
