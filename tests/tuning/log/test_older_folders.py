"""Results folders from before there was an audit or label noise: read, chosen from, resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer_tune.errors import ResultsError
from fer_tune.records import CONFIG_COLUMNS, SCHEMAS, Results
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.log.resume_checks import check_unchanged_space, extended
from fer_tune.tuning.studies.confirmation import choose, known_runs, missing_runs, number_runs
from tests.tuning.conftest import make_space

NEW = {"audit_epoch", "label_noise", "replayed_epochs"}


def older(space: SearchSpace) -> dict[str, Any]:
    values = space.as_dict()
    del values["audit"]
    return values


def asked(number: int) -> dict[str, Any]:
    """A run as an older log names it."""
    values = make_space().config("resnet152", {"unfreeze_depth": 2}).as_dict()
    del values["label_noise"]
    who = {"number": number, "arm": "resnet152", "replicate": 0, "cohort": "tpe"}
    return {**who, "seed": 0, "weights_seed": 0, "view_seed": 0, "config": values}


@pytest.fixture
def folder(tmp_path: Path) -> Results:
    """Two trials in a part each, of which the first was written before."""
    results = Results(tmp_path)
    rows: dict[int, dict[str, Any]] = {
        number: {
            **asked(number)["config"],
            **{"trial": number, "arm": "resnet152", "replicate": 0, "cohort": "tpe"},
            **{"state": "complete", "best_epoch": 1, "best_val_macro_f1": 0.9 - number / 10},
        }
        for number in (0, 1)
    }
    results.append("trials", [{**rows[1], "label_noise": 0.5, "audit_epoch": 3}], part="new")
    schema = pa.schema([field for field in SCHEMAS["trials"] if field.name not in NEW])
    table = pa.Table.from_pylist([rows[0]], schema=schema)
    pq.write_table(table, results.folder("trials") / "old.parquet")
    return results


def test_columns_that_were_not_there_read_as_null(folder: Results) -> None:
    trials = folder.read("trials")
    assert list(trials.columns) == SCHEMAS["trials"].names
    assert trials[["audit_epoch", "label_noise"]].isna().to_numpy().tolist() == [
        [True, True],
        [False, False],
    ]
    assert trials["best_val_macro_f1"].tolist() == [0.9, 0.8]


def test_a_choice_from_an_older_table_has_the_defaults(folder: Results) -> None:
    (choice,) = choose(folder.read("trials"), "macro_f1")
    assert choice["trial"] == 0 and "label_noise" not in choice["config"]
    config = TrialConfig.from_dict(choice["config"])
    assert config == TrialConfig.from_dict(asked(0)["config"]) and config.label_noise == 0.0
    # What an older session logged of its confirmation is found again.
    choices = number_runs([choice], 2, 5)
    runs = missing_runs(make_space(), choices, 2, folder.read("trials"))
    assert known_runs([choice], runs)[0]["runs"] == [5, 6]


def test_new_columns_of_the_configuration_stand_last() -> None:
    assert [field.name for field in CONFIG_COLUMNS] == list(TrialConfig(backbone="x").as_dict())


def test_an_older_log_is_read_and_resumed_without_an_audit(tmp_path: Path) -> None:
    space = make_space()
    log = EventLog.begin(tmp_path, {"space": older(space)})
    log.append("asked", planned="tpe", run=asked(0))
    history = History.read(tmp_path)
    assert history.runs[0].assignment == Assignment.from_dict(
        {**asked(0), "config": {**asked(0)["config"], "label_noise": 0.0}}
    )
    found = check_unchanged_space({"space": older(space)}, history, tmp_path)
    assert space.audit.share == 0.05 and found.audit.share == 0.0
    assert found == make_space(audit={"share": 0.0})
    assert extended(found, history, ["trials=20"]).audit.share == 0.0


def test_a_log_of_today_keeps_its_share_and_no_other(tmp_path: Path) -> None:
    space = make_space(audit={"share": 0.25})
    EventLog.begin(tmp_path, {"space": space.as_dict()})
    history = History.read(tmp_path)
    assert check_unchanged_space({"space": space.as_dict()}, history, tmp_path) == space
    first = json.loads((tmp_path / EVENTS_FILE).read_text())
    assert first["space"]["audit"] == {"share": 0.25}
    changed = {**space.as_dict(), "audit": {"share": 0.5}}
    with pytest.raises(ResultsError, match=r"audit.share: 0.25 → 0.5"):
        check_unchanged_space({"space": changed}, history, tmp_path)
