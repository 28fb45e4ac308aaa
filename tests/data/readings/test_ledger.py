"""The ledger of test-split readings."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from noise_pictures import noise, save

from fer_tune.data import PackedDataset, import_source
from fer_tune.data.readings import LEDGER, fingerprint_of_test, readings_of, record_reading
from fer_tune.errors import DataError

ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for n in range(8):
        save(root / ("train" if n < 4 else "test") / ("happy", "sad")[n % 2] / f"{n}.png", noise(n))
    return root


@pytest.fixture
def dataset(source: Path, tmp_path: Path) -> PackedDataset:
    import_source(str(source), tmp_path / "packed")
    return PackedDataset.open(tmp_path / "packed")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_TUNE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_reader_counts_once(dataset: PackedDataset) -> None:
    for _ in range(3):
        found = record_reading(dataset, "search", ONE, "first")
    assert [one.id for one in found.readings] == [ONE] and found.problems == ()
    found = record_reading(dataset, "evaluation", OTHER, "model")
    assert [one.id for one in found.of("evaluation")] == [OTHER]
    assert [one.id for one in found.before(OTHER)] == [ONE] and found.before(ONE) == ()
    assert len((dataset.root / LEDGER).read_bytes().splitlines()) == 2


def test_the_content_of_the_test_split_counts(
    dataset: PackedDataset, source: Path, tmp_path: Path
) -> None:
    record_reading(dataset, "search", ONE, "first")
    save(source / "train/happy/more.png", noise(99))
    import_source(str(source), tmp_path / "packed", force=True)
    larger = PackedDataset.open(tmp_path / "packed")
    assert larger.fingerprint != dataset.fingerprint
    assert len(readings_of(larger).readings) == 1, "the ledger outlives --force"
    save(source / "test/happy/more.png", noise(98))
    import_source(str(source), tmp_path / "packed", force=True)
    assert readings_of(PackedDataset.open(tmp_path / "packed")).readings == ()


def test_a_copy_of_a_dataset_at_a_url_counts_in_the_users_state(
    dataset: PackedDataset, state: Path
) -> None:
    record_reading(dataset, "search", ONE, "first", is_copy=True)
    assert not (dataset.root / LEDGER).exists()
    assert [path.stem for path in (state / "test_readings").iterdir()] == [
        fingerprint_of_test(dataset)
    ]
    found = record_reading(dataset, "search", OTHER, "second")
    assert [one.id for one in found.readings] == [ONE, OTHER]


def test_a_read_only_dataset_counts_in_the_users_state(
    dataset: PackedDataset, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert record_reading(dataset, "search", ONE, "first").problems == ()
    assert not (dataset.root / LEDGER).exists() and (state / "test_readings").is_dir()


def test_damage_is_reported_and_the_rest_counts(dataset: PackedDataset) -> None:
    record_reading(dataset, "search", ONE, "first")
    ledger = dataset.root / LEDGER
    whole = ledger.read_bytes()
    ledger.write_bytes(b'{"test": 1}\n' + whole + b'{"torn": ')
    found = record_reading(dataset, "search", OTHER, "second")
    assert [one.id for one in found.readings] == [ONE, OTHER]
    assert len(found.problems) == 1 and "2 lines" in found.problems[0]
    assert "line 1" in found.problems[0]


def test_a_ledger_that_cannot_be_written_is_reported(dataset: PackedDataset) -> None:
    (dataset.root / LEDGER).mkdir()
    found = record_reading(dataset, "search", ONE, "first")
    assert [one.id for one in found.readings] == [ONE]
    assert any("not recorded" in problem for problem in found.problems)


def _read(root: Path, reader: str) -> None:
    record_reading(PackedDataset.open(root), "search", reader, "many")


def test_processes_write_at_the_same_time(dataset: PackedDataset) -> None:
    readers = [f"{n:032x}" for n in range(6)] * 2
    processes = [
        multiprocessing.get_context("fork").Process(target=_read, args=(dataset.root, reader))
        for reader in readers
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = readings_of(dataset)
    assert sorted(one.id for one in found.readings) == sorted(set(readers))
    assert len((dataset.root / LEDGER).read_bytes().splitlines()) == 6 and found.problems == ()


def test_a_name_of_any_bytes_is_recorded(dataset: PackedDataset) -> None:
    found = record_reading(dataset, "evaluation", ONE, os.fsdecode(b"mod\xe9l\n.safetensors"))
    assert [one.name for one in found.readings] == ["mod\ufffdl\ufffd.safetensors"]


@pytest.mark.parametrize("kind", ["unreadable", "link", "folder"])
def test_a_ledger_that_cannot_be_kept_stops_an_import_before_any_work(
    kind: str, dataset: PackedDataset, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_reading(dataset, "search", ONE, "first")
    ledger = dataset.root / LEDGER
    if kind == "unreadable":
        real = Path.open

        def refusing(self: Path, *args: object, **options: object) -> object:
            if self.name == LEDGER:
                raise PermissionError(13, "Permission denied", str(self))
            return real(self, *args, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(Path, "open", refusing)
    else:
        ledger.rename(tmp_path / "elsewhere")
        ledger.symlink_to(tmp_path / "elsewhere") if kind == "link" else ledger.mkdir()
    decoded: list[int] = []
    with pytest.raises(DataError, match=r"test_readings\.jsonl: the ledger.*cannot be kept"):
        import_source(
            str(source), dataset.root, force=True, progress=lambda done, _: decoded.append(done)
        )
    assert decoded == [] and PackedDataset.open(dataset.root).fingerprint == dataset.fingerprint
