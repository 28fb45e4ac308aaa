"""A command that is run again: beside another one, and after errors that pass by themselves."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fer_tune.data import PackedDataset
from fer_tune.data.at_url import DatasetAtUrl
from fer_tune.errors import DataError, EnvironmentFault, ResultsError
from fer_tune.storage import UrlPath
from fer_tune.tuning import phases, rerun, run
from fer_tune.tuning.files.local_files import open_local_folder
from fer_tune.tuning.log import writer
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.folder import BegunError, check_log
from fer_tune.tuning.log.writer import only_writer
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.rerun import search_or_resume
from tests.object_store import ObjectStore
from tests.tuning.conftest import make_space

QUIET = Console(quiet=True)


def begin(folder: Path, faces: PackedDataset, **changes: Any) -> None:
    """Leaves the log of a search."""
    space = make_space(**changes).as_dict()
    EventLog.begin(folder, {"space": space, "fingerprint": faces.fingerprint})


def options(tmp_path: Path) -> SearchOptions:
    return SearchOptions(bank=tmp_path / "bank")


def test_one_that_waited_while_another_began_does_not_begin_again(
    faces: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ray_connection", lambda *_: pytest.fail("Ray was started"))
    monkeypatch.setattr(writer, "STEP_S", 0.05)
    folder, held, waiting = tmp_path / "r", threading.Event(), threading.Event()
    folder.mkdir()
    monkeypatch.setattr(writer.logger, "warning", lambda *_: waiting.set())

    def first() -> None:
        with only_writer(folder):
            held.set()
            waiting.wait(30)
            begin(folder, faces)

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(30)
    with pytest.raises(BegunError):
        run.run_search(make_space(), faces, folder, options(tmp_path), QUIET, patient=True)
    thread.join()
    assert len(History.read(folder).sessions) == 0


def test_it_resumes_what_another_process_began_meanwhile(
    faces: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, resumed = tmp_path / "r", []

    def begun_meanwhile(*_: Any, patient: bool, **__: Any) -> None:
        assert patient
        begin(folder, faces)
        raise BegunError("already holds a search")

    def resume(*words: Any, patient: bool, **__: Any) -> None:
        resumed.append((words[0], patient))

    monkeypatch.setattr(rerun, "run_search", begun_meanwhile)
    monkeypatch.setattr(rerun, "resume_search", resume)
    search_or_resume(make_space(), faces.root, folder, options(tmp_path), QUIET)
    assert resumed == [(folder, True)]


@pytest.mark.parametrize("budget", [12, 20])
def test_an_extended_search_is_the_same_one(
    budget: int, faces: PackedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, faces)
    larger = make_space(budget={"trials": 20, "max_epochs": 9}).as_dict()["budget"]
    EventLog(tmp_path).append("extended", budget=larger)
    resumed: list[Any] = []
    monkeypatch.setattr(rerun, "resume_search", lambda *words, **_: resumed.append(words[0]))
    space = make_space(budget={"trials": budget, "max_epochs": 9})
    search_or_resume(space, faces.root, tmp_path, options(tmp_path), QUIET)
    assert resumed == [tmp_path]
    other = make_space(budget={"trials": 30, "max_epochs": 9})
    with pytest.raises(ResultsError, match=r"another search: budget\.trials: 12 → 30"):
        search_or_resume(other, faces.root, tmp_path, options(tmp_path), QUIET)


class Away:
    """A filesystem behind which nobody answers."""

    def get_file_info(self, *_: object) -> Any:
        raise OSError("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7, x")

    open_input_file = open_input_stream = get_file_info


def test_an_unavailable_store_passes_by_itself(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("temporary")
    monkeypatch.setenv("FER_TUNE_STORAGE_PATIENCE", "0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(UrlPath, "filesystem", Away())
    with pytest.raises(ResultsError, match="store is unavailable") as raised:
        check_log(folder)
    assert raised.value.temporary
    with pytest.raises(ResultsError, match="store is unavailable") as raised:
        open_local_folder(folder).__enter__()
    assert raised.value.temporary
    with pytest.raises(DataError, match="store is unavailable") as of_data:
        _ = DatasetAtUrl(folder).fingerprint
    assert of_data.value.temporary


def test_a_cluster_that_was_lost_may_be_there_again(tmp_path: Path) -> None:
    space = make_space()
    left = Assignment(
        number=3,
        arm="densenet161",
        replicate=0,
        cohort="tpe",
        seed=1,
        weights_seed=1,
        view_seed=1,
        config=space.config("densenet161", {}),
    )
    with pytest.raises(EnvironmentFault, match="Ray stopped before") as raised:
        phases._check_ended([left], History(identity={}), tmp_path)
    assert raised.value.temporary
