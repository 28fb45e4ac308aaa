"""Placement of trials: not on nodes where they keep failing."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle, tune
from ray.exceptions import RayActorError
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from rich.console import Console

from fer_tune import ray_private
from fer_tune.console import say
from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.raytune.callback import DriverCallback
from fer_tune.tuning.raytune.failures import by_memory_monitor, failure_of
from fer_tune.tuning.raytune.node_health import NodeHealth
from fer_tune.tuning.raytune.nodes.resources import holds
from fer_tune.tuning.raytune.nodes.waiting import ResourceWait

logger = logging.getLogger(__name__)

#: Seconds without a usable node after which a search that avoids nodes ends.
GRACE_S = 60.0
#: Seconds between two checks of the nodes, while some are avoided.
POLL_INTERVAL_S = 5.0
#: Seconds after which an avoided node is retried, doubled each time: a short outage of a store or
#: network makes trials fail in a row on healthy nodes too.
AVOIDANCE_S = 600.0
#: Ray's own label of every node.
_NODE_ID = "ray.io/node-id"


@dataclass(frozen=True, kw_only=True)
class _AvoidedNode:
    """A node's name for messages, and when it is retried."""

    name: str
    until: float


class Placement(FIFOScheduler):
    """Leaves all decisions to ``scheduler``, and keeps trials away from unhealthy nodes.

    A failure on an unhealthy or lost node does not count against the trial. Trials that were placed
    before a node was found unhealthy may still start there; they fail, and are moved. Nodes are
    judged only if there has been more than one to choose from.

    Args:
        scheduler: ASHA, or first in, first out.
        bundle: what a trial occupies, by resource.
        console: prints which nodes are avoided and what is waited for, as ``search.log`` does.
        can_grow: whether an autoscaler may add a node that can run a trial.
    """

    def __init__(
        self,
        scheduler: FIFOScheduler,
        bundle: dict[str, float],
        console: Console | None = None,
        *,
        can_grow: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scheduler, self._bundle = scheduler, bundle
        self._console = console or Console(quiet=True)
        self.actors = _Actors()  # must be one of the callbacks
        self._health = NodeHealth()
        self._avoided: dict[str, _AvoidedNode] = {}  # by id
        self._times_avoided: Counter[str] = Counter()  # how often each was avoided
        self._failures: dict[str, list[Trial]] = defaultdict(list)  # those that count, by node
        self._counted: dict[str, int] = {}  # failures that Ray has counted, by trial id
        self._placed: set[str] = set()  # Ray's ids of trials with a placement
        self._last_failure = ""
        self._had_choice = False
        self._checked_at, self._usable_at = -math.inf, math.inf
        self._wait = ResourceWait(bundle, self._say, can_grow=can_grow)
        self.error: EnvironmentFault | None = None  # why the phase ended

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles schedulers; the copy is never used

    # -- Ray's hooks ------------------------------------------------------------------------

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        self._scheduler.on_trial_add(tune_controller, trial)
        # Also called for a restarted trial, which Ray has already filed under its placement.
        if trial.trial_id not in self._placed:
            self._place(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        self._scheduler.on_trial_error(tune_controller, trial)
        node = self.actors.node_of_failure(trial)
        if node is not None:
            self._record_failure(trial, node)
        self._place(trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        self._record_report(result)
        decision: str = self._scheduler.on_trial_result(tune_controller, trial, result)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        self._record_report(result)
        self._scheduler.on_trial_complete(tune_controller, trial, result)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        now = time.monotonic()
        if self._avoided and now - self._checked_at >= POLL_INTERVAL_S:
            self._checked_at = now
            self._readmit_expired(now)
            if self._usable():
                self._usable_at = now
            elif now - self._usable_at > GRACE_S:
                names = ", ".join(avoided.name for avoided in self._avoided.values())
                self.error = EnvironmentFault(
                    f"no usable machine is left: trials keep failing on {names}",
                    where="cluster",
                    value=self._last_failure,
                    remedy="Repair or replace these machines",
                    temporary=True,  # the next session uses every machine again
                )
                raise self.error
        self._watch_pending(tune_controller)
        chosen: Trial | None = self._scheduler.choose_trial_to_run(tune_controller)
        if chosen is not None and ray_private.is_starting(tune_controller, chosen):
            return _without_own_process(tune_controller) or chosen
        return chosen

    def _watch_pending(self, tune_controller: Any) -> None:
        """Reports and bounds the time in which trials are pending and none runs."""
        trials = tune_controller.get_live_trials()
        pending = any(trial.status == Trial.PENDING for trial in trials)
        if not pending or ray_private.has_actors(tune_controller):
            self._wait.over()
        elif not self._avoided or self._usable():
            try:
                self._wait.check()
            except EnvironmentFault as error:
                self.error = error
                raise

    # -- bookkeeping ----------------------------------------------------------------------

    def _record_report(self, result: dict[str, Any]) -> None:
        node = result.get("node_id")  # none if the epoch was trained before, elsewhere
        if node is not None and result.get("ran"):
            self._health.reported(node)
            self._failures[node].clear()

    def _record_failure(self, trial: Trial, node: str) -> None:
        before, now = self._counted.get(trial.trial_id, 0), trial.run_metadata.num_failures
        self._counted[trial.trial_id] = now
        if now == before:
            return  # its node is being drained: Ray counts no failure
        names, usable = _names(), self._usable()
        self._had_choice = self._had_choice or len(usable) > 1
        failure = failure_of(trial)
        self._last_failure = failure.line.partition(". Some common causes")[0]
        if node not in names or node in self._avoided:
            self._uncount_failure(trial)  # the machine is lost, or known to be unhealthy
            return
        if by_memory_monitor(failure):
            return  # the trials there are too large, or too many; the machine is healthy
        self._health.failed(node, Assignment.from_dict(trial.config["run"]).number)
        self._failures[node].append(trial)
        self._readmit_exonerated()
        last = not usable - {node}
        if self._had_choice and self._health.is_unhealthy(node, last=last):
            self._avoid(node, names[node], last)

    def _avoid(self, node: str, name: str, last: bool) -> None:
        now = time.monotonic()
        self._avoided[node] = _AvoidedNode(
            name=name, until=now + AVOIDANCE_S * 2 ** self._times_avoided[node]
        )
        self._times_avoided[node] += 1
        self._usable_at = now
        for trial in self._failures.pop(node):
            self._uncount_failure(trial)
        self._say(
            f"trials keep failing on {name}, most recently with: {self._last_failure}. "
            + ("No other machine is left." if last else "It is avoided for now.")
        )

    def _uncount_failure(self, trial: Trial) -> None:
        """Takes one failure off the trial's count."""
        trial.run_metadata.num_failures = max(0, trial.run_metadata.num_failures - 1)
        self._counted[trial.trial_id] = trial.run_metadata.num_failures

    def _readmit_exonerated(self) -> None:
        """Uses nodes again whose failed trials have failed elsewhere too."""
        for node in [node for node in self._avoided if not self._health.is_unhealthy(node)]:
            name = self._avoided.pop(node).name
            self._say(f"{name} is used again: its trials also failed on other machines")

    def _readmit_expired(self, now: float) -> None:
        """Retries nodes whose avoidance has expired."""
        for node in [node for node, avoided in self._avoided.items() if now >= avoided.until]:
            self._health.forget(node)
            self._say(f"{self._avoided.pop(node).name} is retried")

    def _say(self, text: str) -> None:
        logger.warning("%s", text)
        say(self._console, text)

    def _place(self, trial: Trial) -> None:
        """Requests any node but the unhealthy ones, before Ray files the trial."""
        self._placed.add(trial.trial_id)
        more: dict[str, Any] = {}
        if self._avoided:
            more["bundle_label_selector"] = [{_NODE_ID: f"!in({','.join(sorted(self._avoided))})"}]
        factory: Any = tune.PlacementGroupFactory([self._bundle], **more)
        trial.placement_group_factory = factory

    def _usable(self) -> set[str]:
        """Nodes that could run a trial and are not avoided."""
        return {
            node["NodeID"]
            for node in _alive()
            if node["NodeID"] not in self._avoided and holds(node["Resources"], self._bundle)
        }


def _without_own_process(tune_controller: Any) -> Trial | None:
    """A pending trial whose own process has not begun to start.

    The chosen trial gets the process that has just ended another, and Tune then ends its own. If
    trials are shorter than the start of a process, no second process would ever run one.
    """
    pending = (t for t in tune_controller.get_live_trials() if t.status == Trial.PENDING)
    others = (t for t in pending if not ray_private.is_starting(tune_controller, t))
    return min(others, key=lambda trial: trial.config["run"]["number"], default=None)


def _alive() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def _names() -> dict[str, str]:
    """Names of the live nodes for messages, by id."""
    return {n["NodeID"]: f"{n['NodeManagerHostname']} ({n['NodeID'][:8]})" for n in _alive()}


class _Actors(DriverCallback):
    """Ray's id of the actor that each trial was last assigned to."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def on_trial_start(self, trial: Trial, **info: Any) -> None:
        self._ids[trial.trial_id] = ray_private.actor_id(trial.temporary_state.ray_actor)

    def node_of_failure(self, trial: Trial) -> str | None:
        """The node where the trial's process ran or was to start; None if unknown."""
        actor = self._ids.pop(trial.trial_id, None) or _actor_that_died(trial)
        if actor is None:
            return None
        return ray_private.actors(actor).get("Address", {}).get("NodeID") or None


def _actor_that_died(trial: Trial) -> str | None:
    """Ray's id of an actor that failed to start."""
    path = trial.pickled_error_file
    if not path or not Path(path).is_file():
        return None
    try:
        with Path(path).open("rb") as file:
            error = cloudpickle.load(file)
    except Exception as unpickling:  # a foreign exception may fail to unpickle
        logger.info("unknown where %s failed: %s", trial, unpickling)
        return None
    return error.actor_id if isinstance(error, RayActorError) else None
