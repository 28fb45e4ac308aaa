"""A journal in a stranger's results folder is data: readable, or set aside; never in the way."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend, JournalStorage

from fer_tune.tuning.monitor import mirrors
from fer_tune.tuning.monitor.mirrors import Journal


def study(*numbers: int) -> Any:
    """A study of the search with ended trials."""
    made = optuna.create_study(study_name="arm/0")
    ended = [
        optuna.trial.create_trial(value=0.5, user_attrs={"trial": number}) for number in numbers
    ]
    return SimpleNamespace(
        name="arm/0", study=made, ended_trials=len(ended), ended=lambda: list(ended)
    )


def mirrored(path: Path, *numbers: int) -> list[int]:
    journal = Journal(path, SimpleNamespace(studies=[study(*numbers)]))  # type: ignore[arg-type]
    journal.on_step_end()
    journal.close()
    storage = JournalStorage(JournalFileBackend(str(path)))
    return [
        t.user_attrs["trial"] for t in optuna.load_study(study_name="arm/0", storage=storage).trials
    ]


HOSTILE = {
    "no JSON": b"\x80\x04\x95pickled\n",
    "one line of text": b"no journal\n",
    "no object": b"[]\n",
    "no operation": b"{}\n",
    "an unknown operation": b'{"op_code": 99, "worker_id": "x"}\n',
    "a study without a name": b'{"op_code": 0, "worker_id": "x", "directions": [1]}\n',
    "a study with a number for a name": (
        b'{"op_code": 0, "worker_id": "x", "study_name": 7, "directions": [1]}\n'
    ),
    "nested without end": b"[" * 100_000 + b"\n",
    "two lines, one good": b'{"op_code": 0, "worker_id": "x", "study_name": "a", '
    b'"directions": [1]}\n\xff\xfe\n',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_journal_that_cannot_be_read_is_set_aside(name: str, tmp_path: Path) -> None:
    path = tmp_path / "optuna.journal"
    path.write_bytes(HOSTILE[name])
    assert mirrored(path, 3, 4) == [3, 4]
    assert (tmp_path / "optuna.journal.damaged").read_bytes() == HOSTILE[name]


def test_what_was_set_aside_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "optuna.journal"
    for content in (b"first\n", b"second\n"):
        path.write_bytes(content)
        mirrored(path, 3)
    aside = sorted(tmp_path.glob("optuna.journal.damaged*"))
    assert [one.read_bytes() for one in aside] == [b"first\n", b"second\n"]


def test_one_that_is_too_large_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "optuna.journal"
    assert mirrored(path, 3) == [3]
    monkeypatch.setattr(mirrors, "GIB", path.stat().st_size - 1)
    assert mirrored(path, 3) == [3] and (tmp_path / "optuna.journal.damaged").is_file()


def test_a_trial_of_another_program_does_not_stop_ours(tmp_path: Path) -> None:
    path = tmp_path / "optuna.journal"
    assert mirrored(path, 3) == [3]
    storage = JournalStorage(JournalFileBackend(str(path)))
    optuna.load_study(study_name="arm/0", storage=storage).add_trial(
        optuna.trial.create_trial(value=0.1, user_attrs={"note": "by hand"})
    )
    studies = [study(3, 4)]
    journal = Journal(path, SimpleNamespace(studies=studies))  # type: ignore[arg-type]
    journal.on_step_end()
    studies[0] = study(3, 4, 5)
    journal.on_step_end()
    journal.close()
    trials = optuna.load_study(study_name="arm/0", storage=storage).trials
    assert [t.user_attrs.get("trial") for t in trials] == [3, None, 4, 5]
    assert not (tmp_path / "optuna.journal.damaged").exists()


def test_a_good_journal_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "optuna.journal"
    assert mirrored(path, 3) == [3]
    assert mirrored(path, 3, 4) == [3, 4]
    assert all(json.loads(line) for line in path.read_text().splitlines())
