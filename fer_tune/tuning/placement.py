"""Where trials run: not on nodes on which they keep failing."""

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

from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.callback import DriverCallback
from fer_tune.tuning.faults import fault_of
from fer_tune.tuning.nodes import NodeHealth

logger = logging.getLogger(__name__)

#: Seconds without a usable node after which a search that avoids some is ended.
GRACE_S = 60.0
#: Seconds between two looks at what nodes there are, while some are avoided.
LOOK_S = 5.0
#: Seconds after which an avoided node is tried again, the second time twice as many, and so on: a
#: store or network that was away for a moment makes trials fail in a row on sound nodes too.
AVOIDED_S = 600.0
#: Ray's own label of every node.
_NODE_ID = "ray.io/node-id"


@dataclass(frozen=True, kw_only=True)
class _Avoided:
    """What people are told of a node, and when it is tried again."""

    name: str
    until: float


class Placement(FIFOScheduler):
    """Leaves all decisions to ``scheduler``, and keeps trials away from ill nodes.

    A failure on an ill node, or on one that is gone, does not count against the trial. Trials
    that were placed before a node was known to be ill may still start there; they fail, and go
    elsewhere. Nodes are judged only where there has been a choice of them.

    Args:
        scheduler: ASHA, or first in, first out.
        bundle: what a trial holds, by resource.
        console: told of nodes that are avoided, as ``search.log`` is.
    """

    def __init__(
        self, scheduler: FIFOScheduler, bundle: dict[str, float], console: Console | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._scheduler, self._bundle = scheduler, bundle
        self._console = console or Console(quiet=True)
        self.actors = _Actors()  # to be among the callbacks
        self._health = NodeHealth()
        self._ill: dict[str, _Avoided] = {}  # by id
        self._rounds: Counter[str] = Counter()  # how often each was found ill
        self._failures: dict[str, list[Trial]] = defaultdict(list)  # those that count, by node
        self._counted: dict[str, int] = {}  # failures on a trial's account, by Ray's id
        self._placed: set[str] = set()  # Ray's ids of trials that were given a place
        self._last_fault = ""
        self._had_choice = False
        self._looked, self._usable_at = -math.inf, math.inf
        self.fault: EnvironmentFault | None = None  # why the stage was ended

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles schedulers; nobody reads that copy

    # -- Ray's hooks ------------------------------------------------------------------------

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        self._scheduler.on_trial_add(tune_controller, trial)
        # Also called for one that begins again, when Ray has filed it under its place already.
        if trial.trial_id not in self._placed:
            self._place(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        self._scheduler.on_trial_error(tune_controller, trial)
        node = self.actors.node_of_failure(trial)
        if node is not None:
            self._note_failure(trial, node)
        self._place(trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        self._note_report(result)
        decision: str = self._scheduler.on_trial_result(tune_controller, trial, result)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        self._note_report(result)
        self._scheduler.on_trial_complete(tune_controller, trial, result)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        now = time.monotonic()
        if self._ill and now - self._looked >= LOOK_S:
            self._looked = now
            self._try_again(now)
            if self._usable():
                self._usable_at = now
            elif now - self._usable_at > GRACE_S:
                names = ", ".join(avoided.name for avoided in self._ill.values())
                self.fault = EnvironmentFault(
                    f"no machine is left to run trials on: they keep failing on {names}",
                    where="cluster",
                    value=self._last_fault,
                    remedy="Mend or replace these machines",
                )
                raise self.fault
        chosen: Trial | None = self._scheduler.choose_trial_to_run(tune_controller)
        return chosen

    # -- what follows -----------------------------------------------------------------------

    def _note_report(self, result: dict[str, Any]) -> None:
        node = result.get("node_id")  # none if the epoch was trained before, elsewhere
        if node is not None and result.get("ran"):
            self._health.reported(node)
            self._failures[node].clear()

    def _note_failure(self, trial: Trial, node: str) -> None:
        before, now = self._counted.get(trial.trial_id, 0), trial.run_metadata.num_failures
        self._counted[trial.trial_id] = now
        if now == before:
            return  # its node is being drained: Ray blames nobody
        names, usable = _names(), self._usable()
        self._had_choice = self._had_choice or len(usable) > 1
        self._last_fault = fault_of(trial).line.partition(". Some common causes")[0]
        if node not in names or node in self._ill:
            self._give_back(trial)  # the machine is gone, or known to be ill
            return
        self._health.failed(node, Assignment.from_dict(trial.config["run"]).number)
        self._failures[node].append(trial)
        self._mark_cured()
        last = not usable - {node}
        if self._had_choice and self._health.is_ill(node, last=last):
            self._avoid(node, names[node], last)

    def _avoid(self, node: str, name: str, last: bool) -> None:
        now = time.monotonic()
        self._ill[node] = _Avoided(name=name, until=now + AVOIDED_S * 2 ** self._rounds[node])
        self._rounds[node] += 1
        self._usable_at = now
        for trial in self._failures.pop(node):
            self._give_back(trial)
        self._say(
            f"trials keep failing on {name}, the last with: {self._last_fault}. "
            + ("No other machine is left." if last else "It is avoided for now.")
        )

    def _give_back(self, trial: Trial) -> None:
        """Takes one failure off the trial's account."""
        trial.run_metadata.num_failures = max(0, trial.run_metadata.num_failures - 1)
        self._counted[trial.trial_id] = trial.run_metadata.num_failures

    def _mark_cured(self) -> None:
        """Takes nodes back whose accusers have failed elsewhere too."""
        for node in [node for node in self._ill if not self._health.is_ill(node)]:
            name = self._ill.pop(node).name
            self._say(f"{name} is used again: the trials that failed are at fault")

    def _try_again(self, now: float) -> None:
        """Takes nodes back whose time is over."""
        for node in [node for node, avoided in self._ill.items() if now >= avoided.until]:
            self._health.forget(node)
            self._say(f"{self._ill.pop(node).name} is tried again")

    def _say(self, text: str) -> None:
        logger.warning("%s", text)
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _place(self, trial: Trial) -> None:
        """Asks for any node but the ill ones; before Ray files the trial under its place."""
        self._placed.add(trial.trial_id)
        more: dict[str, Any] = {}
        if self._ill:
            more["bundle_label_selector"] = [{_NODE_ID: f"!in({','.join(sorted(self._ill))})"}]
        place: Any = tune.PlacementGroupFactory([self._bundle], **more)
        trial.placement_group_factory = place

    def _usable(self) -> set[str]:
        """Nodes that could hold a trial and are not ill."""
        return {
            node["NodeID"]
            for node in _alive()
            if node["NodeID"] not in self._ill
            and all(node["Resources"].get(name, 0.0) >= n for name, n in self._bundle.items())
        }


def _alive() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def _names() -> dict[str, str]:
    """What people are told of the nodes that are alive, by id."""
    return {n["NodeID"]: f"{n['NodeManagerHostname']} ({n['NodeID'][:8]})" for n in _alive()}


class _Actors(DriverCallback):
    """Ray's id of the actor that each trial was last given to."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def on_trial_start(self, trial: Trial, **info: Any) -> None:
        actor: Any = trial.temporary_state.ray_actor
        self._ids[trial.trial_id] = actor._actor_id.hex()

    def node_of_failure(self, trial: Trial) -> str | None:
        """Where the trial's process ran, or was to start; None if Ray does not know."""
        actor = self._ids.pop(trial.trial_id, None) or _actor_that_died(trial)
        if actor is None:
            return None
        return ray._private.state.actors(actor).get("Address", {}).get("NodeID") or None


def _actor_that_died(trial: Trial) -> str | None:
    """Ray's id of an actor that did not come to its start."""
    path = trial.pickled_error_file
    if not path or not Path(path).is_file():
        return None
    try:
        with Path(path).open("rb") as file:
            error = cloudpickle.load(file)
    except Exception as refused:  # an exception of anybody's may refuse to be made anew
        logger.info("cannot tell where %s failed: %s", trial, refused)
        return None
    return error.actor_id if isinstance(error, RayActorError) else None
