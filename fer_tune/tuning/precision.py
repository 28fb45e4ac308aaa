"""The precision of a search with ``precision: auto``: chosen once, for all nodes and sessions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rich.console import Console

from fer_tune.console import say
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.training.context import Precision
from fer_tune.training.device.precision import PrecisionChoice, choose_precision
from fer_tune.tuning.raytune.nodes.resources import bundle_of
from fer_tune.tuning.raytune.nodes.waiting import POLL_INTERVAL_S, ResourceWait

logger = logging.getLogger(__name__)


def search_precision(
    space: SearchSpace,
    results: Results,
    console: Console,
    *,
    resumed: bool,
    joined: bool,
    can_grow: bool = False,
    measured: Callable[[], PrecisionChoice] | None = None,
) -> Precision:
    """The precision of every run of the search; at the first call measured and recorded.

    Args:
        resumed: the search has had a session. One without a record is older, and its runs choose
            by what their processor claims, as before.
        joined: trials run on the machines of a cluster, where it is measured.
        can_grow: an autoscaler may add a machine that can run a trial.
        measured: waits for what has been measured here meanwhile.

    Raises:
        EnvironmentFault: no machine is left that can run a trial.
    """
    if space.precision != "auto":
        return space.precision
    recorded = results.manifest().get("precision")
    if recorded is not None:
        chosen: Precision = recorded["chosen"]
        return chosen
    if resumed:
        return "auto"
    if joined:
        with console.status("Choosing the precision on a machine of the cluster"):
            choice = _on_a_worker(space, console, can_grow=can_grow)
        if choice is None:
            return "auto"
    else:
        choice = measured() if measured else choice_here(space)
    results.update_manifest(
        precision={
            "chosen": choice.precision,
            "reason": choice.reason,
            "seconds": choice.seconds,
        }
    )
    logger.info("precision %s: %s", choice.precision, choice.reason)
    return choice.precision


def choice_here(space: SearchSpace) -> PrecisionChoice:
    """The choice for the backbones of ``space``, measured in this process."""
    names = sorted({space.config(arm, {}).backbone for arm in space.compare.arms})
    return choose_precision(names, device=None if space.resources.gpu else "cpu")


def _on_a_worker(space: SearchSpace, console: Console, *, can_grow: bool) -> PrecisionChoice | None:
    """The choice on a machine that runs trials; None if it fails there."""
    import ray
    from ray.exceptions import RayError

    cpu, gpu = space.resources.cpu, space.resources.gpu
    holding: Any = ray.remote(num_cpus=cpu, num_gpus=gpu, num_returns="streaming")
    answers = holding(_begun_and_measured).remote(space)
    wait = ResourceWait(bundle_of(cpu, gpu), partial(say, console), can_grow=can_grow)
    try:
        while not ray.wait([answers], timeout=POLL_INTERVAL_S)[0]:
            wait.check()
        ray.get(next(answers))
        wait.over()
        while not ray.wait([answers], timeout=POLL_INTERVAL_S)[0]:
            wait.check(only_lost=True)
        choice: PrecisionChoice = ray.get(next(answers))
    except RayError as error:
        logger.warning("no machine could be asked for the precision, so each decides: %s", error)
        return None
    return choice


def _begun_and_measured(space: SearchSpace) -> Iterator[PrecisionChoice | None]:
    """None once it has its resources, then the choice."""
    yield None
    yield choice_here(space)
