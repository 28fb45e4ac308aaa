"""A worker whose own disk is full or read-only, while the results are at a URL.

That is an error of the machine: on a cluster the trial fails there and is restarted, elsewhere if
it goes on. Where there is no other machine the search ends, to be resumed.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray

from fer_tune.errors import EnvironmentFault
from fer_tune.features import bank as bank_module
from fer_tune.features.bank import FeatureBank
from fer_tune.storage import local_copy
from fer_tune.storage.paths import scratch_folder
from fer_tune.tuning.files.node_cache import Bundle, node_copy
from fer_tune.tuning.raytune.checkpoints import Checkpoints
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.raytune.trainable import TrialActor
from tests.disks import mounted
from tests.object_store import ObjectStore
from tests.tuning.conftest import make_space
from tests.tuning.raytune.test_checkpoints import RUN, VALUES, steps

SAID = f"the temporary folder of {socket.gethostname()} cannot be used: "
REASONS = {"full": "No space left on device", "read-only": "Read-only file system"}
BIG = b"x" * 2**20


@pytest.fixture(params=REASONS)
def disk(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The disk of the temporary folder: 64 KiB, or read-only; its ``name`` says which."""
    with mounted(tmp_path / request.param, "64k") as disk:
        if request.param == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        yield disk


def test_a_checkpoint_for_the_url_is_an_error_of_the_machine(
    disk: Path, store: ObjectStore
) -> None:
    folder = store.folder(f"disks/{disk.name}")
    with pytest.raises(EnvironmentFault, match=f"{SAID}{REASONS[disk.name]}.*TMPDIR") as raised:
        Checkpoints(folder, 3).save(1, {"epoch": 1}, lambda f: _fill(f / "state"))
    assert raised.value.where == str(disk) and store.keys(folder) == []


def _fill(file: Path) -> None:
    file.write_bytes(BIG)


def test_a_copy_of_what_is_at_the_url_is_an_error_of_the_machine(
    disk: Path, store: ObjectStore
) -> None:
    folder = store.folder(f"disks/copy-{disk.name}")
    (folder / "state").write_bytes(BIG)
    with pytest.raises(EnvironmentFault, match=SAID), local_copy(folder):
        pass
    assert list(disk.iterdir()) == []


def test_errors_of_the_store_and_of_other_files_stay_what_they_are(store: ObjectStore) -> None:
    nowhere = store.folder("disks/nowhere")
    for error in (
        OSError(113, "the store is unavailable", str(nowhere)),
        OSError(28, "No space left on device", "/srv/results/trials.parquet"),
    ):
        with pytest.raises(OSError) as raised, scratch_folder():
            raise error
        assert raised.value is error


def test_no_temporary_folder_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    said = f"{SAID}No usable temporary directory"
    with pytest.raises(EnvironmentFault, match=said), scratch_folder():
        pass


def test_the_trial_fails_there_and_continues_elsewhere(
    disk: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = _actors(store, disk, monkeypatch, file_server=object())
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(tempfile, "tempdir", str(disk.parent))
        assert steps(actor(), 2) == [(1, 0.1), (2, 0.2)]
    with pytest.raises(EnvironmentFault, match=SAID):
        steps(actor(), 2)  # the report of the checkpoint is read, its state needs the disk
    monkeypatch.setattr(tempfile, "tempdir", str(disk.parent))
    assert steps(actor(), 2) == [(2, 0.2), (3, 0.3)]


def test_without_another_machine_the_search_ends_to_be_resumed(
    disk: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = _actors(store, disk, monkeypatch, file_server=None)
    result = actor().step()
    assert result["epoch"] == 1, "the epoch is reported"
    _, text, where = result["disk_fault"]
    assert text == f"{SAID}{REASONS[disk.name]}" and where == str(disk)
    with monkeypatch.context() as larger:
        larger.setattr(tempfile, "tempdir", str(disk.parent))
        assert steps(actor(), 2) == [(1, 0.1), (2, 0.2)]
    between = actor()
    between.step()  # what it had reported before; the state is fetched with the next epoch
    assert between.step()["disk_fault"][1] == text


def _actors(
    store: ObjectStore, disk: Path, monkeypatch: pytest.MonkeyPatch, file_server: object
) -> Callable[[], TrialActor]:
    """Makes actors of the same run, each as another process, without Ray."""
    monkeypatch.setattr(ray._raylet, "setproctitle", lambda title: None)
    space = make_space(budget={"trials": 2, "max_epochs": 6}, stopper={"enabled": False})
    alone = "alone" if file_server is None else "cluster"
    settings = replay_settings(space, store.folder(f"disks/{alone}-{disk.name}"))
    settings = replace(settings, checkpoint_interval_s=0.0, file_server=file_server)

    def actor() -> TrialActor:
        made = object.__new__(TrialActor)  # the base class wants a running Ray
        play = partial(_Heavy, lambda assignment: Recording(values=VALUES))
        made.setup({"run": RUN.as_dict()}, settings, play)
        if file_server is not None:
            made._has_node_files = True
        return made

    return actor


class _Heavy(ReplayedRun):
    """Its state takes more room than the disk has."""

    def snapshot(self) -> Any:
        write = super().snapshot()
        return lambda folder: (_fill(folder / "state"), write(folder))


def test_a_node_cache_there_names_the_machines_folder(disk: Path, tmp_path: Path) -> None:
    file = tmp_path / "pixels.bin"
    file.write_bytes(BIG)
    bundle = Bundle.of("dataset", {"pixels.bin": file})
    with pytest.raises(EnvironmentFault, match=r"no room|cannot store a copy") as raised:
        node_copy(bundle, disk / "cache", lambda name: [memoryview(BIG)])
    assert "FER_TUNE_CACHE" in str(raised.value) and str(disk) in str(raised.value)


def test_a_bank_there_costs_time_and_fails_nothing(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from fer_tune.features.entries import Entry

    monkeypatch.setattr(bank_module, "_logged", set())
    bank = FeatureBank(disk / "bank", 2**30)
    entry = Entry(key="0" * 40, shape=(1024, 256), dtype=torch.float32)
    assert bank.get(entry, lambda: [torch.zeros(1024, 256)]) is None
