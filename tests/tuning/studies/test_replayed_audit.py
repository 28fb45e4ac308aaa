"""Recorded curves with audits through the real Ray: undisturbed, killed at bad moments, resumed."""

from __future__ import annotations

import functools
import json
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import TrialState
from ray import PlacementGroupID
from ray.util import placement_group_table, remove_placement_group
from ray.util.placement_group import PlacementGroup
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fer_tune.records import Results
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EVENTS_FILE, EventLog, History
from fer_tune.tuning.phases import explore
from fer_tune.tuning.raytune.interruption import Interruption
from fer_tune.tuning.raytune.replay import Recording, ReplayedRun, replay_settings
from fer_tune.tuning.session import Search
from fer_tune.tuning.studies.confirmation import choose
from tests.tuning.conftest import make_space

EPOCHS = 6
SPACE = make_space(
    compare={"arms": ["resnet18"]},
    budget={"trials": 12, "max_epochs": EPOCHS},
    scheduler={"kind": "asha", "grace_epochs": 1, "reduction_factor": 2},
    audit={"share": 0.6},
)
TIMES = ["started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds"]

pytestmark = pytest.mark.ray


def play(run: Assignment) -> Recording:
    """Ever worse at first, and ever better in the end: what ASHA stops would have been best."""
    low, high = 0.5 - 0.03 * run.number, 0.5 + 0.03 * run.number
    rising = [low + (high - low) * epoch / (EPOCHS - 1) for epoch in range(EPOCHS)]
    if run.number % 4 == 3:  # overfits from epoch 2 on
        values = [*rising[:2], *rising[1:2] * 4]
        return Recording(values=values, val_loss=[1.5, 1.0, 1.3, 1.6, 1.9, 2.2])
    return Recording(values=rising)


class Killed(KeyboardInterrupt):
    """Ray lets nothing but a KeyboardInterrupt pass unchanged."""


class FatalLog(EventLog):
    """Dies when its file has ``lines`` lines, as if killed right after that write."""

    lines = 10**9

    def append(self, kind: Any, **fields: Any) -> None:
        super().append(kind, **fields)
        if self.place.read_bytes().count(b"\n") == self.lines:
            raise Killed


def sit(root: Path, lines: int = 10**9) -> None:
    """One session of the search, as ``run_search`` and ``resume_search`` go about it."""
    identity = {"space": SPACE.as_dict()}
    log = FatalLog(root) if (root / EVENTS_FILE).exists() else FatalLog.begin(root, identity)
    assert isinstance(log, FatalLog)
    log.lines = lines
    out = (root / "console.txt").open("a")
    console = Console(file=out, width=200)
    dataset: Any = SimpleNamespace(classes=("x", "y"))
    search = Search(
        space=SPACE,
        dataset=dataset,
        results=Results(root),
        local_folder=root,
        log=log,
        history=History.read(root),
        settings=replay_settings(SPACE, root),
        console=console,
        interruption=Interruption(Console(file=StringIO())),
        asked=1,
        shows_progress=True,
    )
    search.recorder().repair()
    with out:
        explore(search, functools.partial(ReplayedRun, play))


def release() -> None:
    """Frees what the killed session holds of Ray, as the end of its process would."""
    for key, group in placement_group_table().items():
        if group["state"] != "REMOVED":
            remove_placement_group(PlacementGroup(PlacementGroupID(bytes.fromhex(key))))


@pytest.fixture(scope="module")
def undisturbed(ray_here: Any, tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = tmp_path_factory.mktemp("undisturbed")
    sit(root)
    return Results(root)


def studies(results: Results) -> dict[int, Any]:
    """The journal's trials by own number, each of which must stand there once."""
    storage = JournalStorage(JournalFileBackend(str(results.root / "optuna.journal")))
    told = optuna.load_study(study_name="resnet18/0", storage=storage).trials
    found = {t.user_attrs["trial"]: (t.state, t.params, t.intermediate_values) for t in told}
    assert len(found) == len(told)
    return found


def audited(results: Results) -> pd.DataFrame:
    trials = results.read("trials")
    return trials[trials["audit_epoch"].notna()]


def test_audited_trials_run_to_their_own_end_and_are_reported_as_stopped(
    undisturbed: Results,
) -> None:
    trials, epochs = undisturbed.read("trials"), undisturbed.read("epochs")
    told = studies(undisturbed)
    taken = audited(undisturbed)
    assert set(taken["stop_reason"]) == {"asha/completed", "asha/overfit"}
    assert (taken["state"] == "pruned").all() and (taken["epochs"] > taken["audit_epoch"]).all()
    assert (taken["best_epoch"] > taken["audit_epoch"]).all(), "best and last cover the whole run"
    for row in taken.itertuples():
        curve = epochs[epochs["trial"] == row.trial]
        assert curve["epoch"].tolist() == list(range(1, row.epochs + 1))
        until = curve[curve["epoch"] <= row.audit_epoch]
        state, _, values = told[row.trial]
        assert state == TrialState.PRUNED
        assert values == dict(zip(until["epoch"], until["val_macro_f1"], strict=True))
    stopped = trials[trials["stop_reason"] == "asha"]
    assert len(stopped) and stopped["audit_epoch"].isna().all(), "and others were stopped"
    assert sorted(told) == trials["trial"].tolist() == list(range(12))


def test_an_audited_trial_is_not_chosen_even_if_it_is_the_best(undisturbed: Results) -> None:
    trials = undisturbed.read("trials")
    best = trials.loc[trials["best_val_macro_f1"].idxmax()]
    assert best["audit_epoch"] > 0
    (choice,) = choose(trials, "macro_f1")
    assert choice["trial"] not in set(audited(undisturbed)["trial"])


def test_the_mirrors_and_the_terminal_continue_with_it(undisturbed: Results) -> None:
    row = audited(undisturbed).iloc[0]
    folder = undisturbed.root / "tensorboard" / "resnet18" / "0" / f"{row['trial']:04d}"
    events = EventAccumulator(str(folder))
    events.Reload()
    steps = [s.step for s in events.Scalars("macro_f1/val")]
    assert steps == list(range(1, row["epochs"] + 1))
    lines = (undisturbed.root / "console.txt").read_text().splitlines()
    states = [
        line.rpartition("state ")[2] for line in lines if f" trial {row['trial']} " in f" {line}"
    ]
    before, after = int(row["audit_epoch"]), int(row["epochs"] - row["audit_epoch"])
    assert states == ["running"] * (before - 1) + ["audited"] * (after + 1) + ["pruned"]


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 2], ids=lambda n: f"{n} events after")
def test_killed_round_an_audit_it_ends_as_if_undisturbed(
    undisturbed: Results, tmp_path: Path, after: int
) -> None:
    lines = (undisturbed.root / EVENTS_FILE).read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if json.loads(line).get("kind") == "audited")
    with pytest.raises(Killed):
        sit(tmp_path, first + 1 + after)
    release()
    sit(tmp_path)
    results = Results(tmp_path)
    for table in ("trials", "epochs"):
        one, two = (
            r.read(table).drop(columns=TIMES, errors="ignore") for r in (undisturbed, results)
        )
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert studies(results) == studies(undisturbed)
    told = [json.loads(line) for line in (tmp_path / EVENTS_FILE).read_text().splitlines()]
    noted = [event["trial"] for event in told if event.get("kind") == "audited"]
    assert noted == audited(results)["trial"].tolist(), "each is noted once, in order"
