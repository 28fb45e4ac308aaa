"""A search that reports made-up values and keeps an event log, driven without Ray."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.studies.asha import StudyAsha
from fer_tune.tuning.studies.regret_audit import RegretAudit
from fer_tune.tuning.studies.searcher import StudySearcher
from tests.tuning.conftest import make_space

SPACE = make_space(
    budget={"trials": 14, "max_epochs": 4},
    scheduler={"kind": "asha", "grace_epochs": 1, "reduction_factor": 2},
    cohorts={
        "random": 0.4,
        "baseline": [{"unfreeze_depth": 5, "crop_size": 48, "lr_head": 1e-3}],
    },
)
IDENTITY = {"schema_version": 1, "fingerprint": "f", "space": SPACE.as_dict()}


def reports(run: Assignment) -> list[dict[str, Any]]:
    """What a run reports, from its number and configuration alone; every kind of end occurs."""
    best, results = 0.0, []
    for epoch in range(1, 5):
        value = abs(math.sin(run.number * 7 + math.log(run.config.lr_head) * epoch))
        best = max(best, value)
        reason = "completed" if epoch == 4 else None
        result = {"epoch": epoch, "val_macro_f1": value, "score": best, "ran": True}
        if run.number in (3, 8) and epoch == 2:
            reason = "overfit"
        if run.number == 2 and epoch == 2:
            reason, result["val_macro_f1"] = "diverged", math.nan
        # Run 12 is the last of its arm: its lack of memory excludes no other.
        if (run.number, epoch) in ((5, 2), (12, 4)):
            reason, result = "oom", {"epoch": epoch - 1, "ran": False, "score": best}
        results.append({**result, "stop_reason": reason})
        if reason:
            return results
    return results


class Driver:
    """What Ray does with searcher, scheduler and recorder, ``asked`` runs in hand, one at a time.

    Args:
        history: of the previous session, whose runs report their last epoch again, as actors do.
        share: of the trials that ASHA would stop that are audited instead.
    """

    def __init__(
        self, folder: Path, asked: int, history: History | None = None, share: float = 0.5
    ) -> None:
        self.history = history or History(identity=IDENTITY)
        self.log = EventLog(folder) if history else EventLog.begin(folder, IDENTITY)
        audit = RegretAudit(self.log, self.history, share=share, seed=0)
        self.asha = StudyAsha(max_epochs=4, grace_epochs=1, reduction_factor=2, audit=audit)
        self.asha.replay(self.history.trials)
        self.searcher = StudySearcher(SPACE, self.log, history=self.history)
        self.proposed = {n: run.assignment for n, run in self.history.runs.items()}
        self._asked = asked

    def drive(self) -> Driver:
        waiting: list[Assignment] = []
        while True:
            while len(waiting) < self._asked:
                asked = self.searcher.suggest(f"t{len(self.searcher.assignments)}")
                if asked == Searcher.FINISHED:
                    break
                assert isinstance(asked, dict)
                waiting.append(Assignment.from_dict(asked["run"]))
            if not waiting:
                self.log.append("searched")
                return self
            run = waiting.pop(0)
            self.proposed[run.number] = run
            self._train(run)

    def _train(self, run: Assignment) -> None:
        known = self.history.run(run)
        trial_id = next(t for t, a in self.searcher.assignments.items() if a == run)
        for result in reports(run)[max(0, known.epochs - 1) :]:
            if run.number in (1, 11) and result["epoch"] == 3:
                known.failed = True
                self.log.append("failed", trial=run.number, fault="")
                self.searcher.on_trial_complete(trial_id, None, error=True)
                return
            # Ray does not ask the scheduler about a run that says itself that it has ended.
            done = result["stop_reason"] is not None
            done = done or self.asha.judge(run, result) == TrialScheduler.STOP
            if not done:
                self.searcher.on_trial_result(trial_id, result)
            if known.add_result(result, done=done):
                self.log.append("epoch", trial=run.number, result=result, done=done)
            if done:
                self.asha.enter(run, result)
                self.searcher.on_trial_complete(trial_id, result)
                return

    def outcome(self) -> dict[str, Any]:
        """All that a search comes to, but for the order of studies' own trial numbers."""
        return {
            "runs": self.proposed,
            "rungs": self.asha.rungs(),
            "audited": {n: self.history.audited_at(n) for n in self.proposed},
            "walls": [
                self.searcher.oom_limits.excludes(r.arm, r.config) for r in self.proposed.values()
            ],
            "trials": {
                s.name: [
                    (t.user_attrs, t.state, t.params, t.intermediate_values) for t in s.ended()
                ]
                for s in self.searcher.studies
            },
            "left": self.searcher.remaining,
        }


def new_log(folder: Path) -> EventLog:
    return EventLog.begin(folder, IDENTITY)


def asked(log: EventLog, number: int = 0) -> Assignment:
    run = Assignment(
        number=number,
        arm="densenet161",
        replicate=0,
        cohort="random",
        seed=0,
        weights_seed=0,
        view_seed=0,
        config=SPACE.config("densenet161", {"unfreeze_depth": 1}),
    )
    log.append("asked", planned="tpe", run=run.as_dict())
    return run
