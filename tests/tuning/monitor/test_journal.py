"""The journal for optuna-dashboard: there before the first trial, and on any file system."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend, JournalStorage

from fer_tune.tuning.log.events import EventLog
from fer_tune.tuning.monitor.mirrors import Journal
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space


def begun(folder: Path) -> tuple[StudySearcher, Journal]:
    space = make_space()
    searcher = StudySearcher(space, EventLog.begin(folder, {"space": space.as_dict()}))
    journal = Journal(folder / "optuna.journal", searcher)
    journal.setup()
    return searcher, journal


def read(folder: Path) -> dict[str, int]:
    """Trials of every study, as optuna-dashboard reads them: with Optuna's default lock."""
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.journal")))
    return {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(storage)}


def test_it_opens_before_the_first_trial(tmp_path: Path) -> None:
    searcher, journal = begun(tmp_path)
    assert read(tmp_path) == {study.name: 0 for study in searcher.studies}
    assert len(searcher.studies) == 2
    journal.close()


def test_a_resume_keeps_the_studies(tmp_path: Path) -> None:
    searcher, journal = begun(tmp_path)
    journal.close()
    again = Journal(tmp_path / "optuna.journal", searcher)
    again.setup()
    again.close()
    assert len(read(tmp_path)) == 2


def test_a_file_system_without_links_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as exFAT does

    monkeypatch.setattr(os, "symlink", refused)
    monkeypatch.setattr(os, "link", refused)
    searcher, journal = begun(tmp_path)
    assignment = searcher.suggest("one")["run"]
    searcher.on_trial_complete("one", error=True)
    journal.on_step_end()
    journal.close()
    assert sum(read(tmp_path).values()) == 1, assignment
    assert not (tmp_path / "optuna.journal.lock").exists()
