"""The precision of a search with ``precision: auto``: chosen once, for all nodes and sessions."""

from __future__ import annotations

import logging
from typing import Any

from rich.console import Console

from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.training.context import Precision
from fer_tune.training.device.precision import PrecisionChoice, choose_precision

logger = logging.getLogger(__name__)


def search_precision(
    space: SearchSpace, results: Results, console: Console, *, resumed: bool, joined: bool
) -> Precision:
    """The precision of every run of the search; at the first call measured and recorded.

    Args:
        resumed: the search has had a session. One without a record is older, and its runs choose
            by what their processor claims, as before.
        joined: trials run on the machines of a cluster, where it is measured.
    """
    if space.precision != "auto":
        return space.precision
    recorded = results.manifest().get("precision")
    if recorded is not None:
        chosen: Precision = recorded["chosen"]
        return chosen
    if resumed:
        return "auto"
    names = sorted({space.config(arm, {}).backbone for arm in space.compare.arms})
    threads, device = max(1, int(space.resources.cpu)), None if space.resources.gpu else "cpu"
    if joined:
        with console.status("Choosing the precision on a machine of the cluster"):
            choice = _on_a_worker(space, names, threads, device)
        if choice is None:
            return "auto"
    else:
        choice = choose_precision(names, threads=threads, device=device)
    results.update_manifest(
        precision={
            "chosen": choice.precision,
            "reason": choice.reason,
            "seconds": choice.seconds,
        }
    )
    logger.info("precision %s: %s", choice.precision, choice.reason)
    return choice.precision


def _on_a_worker(
    space: SearchSpace, names: list[str], threads: int, device: str | None
) -> PrecisionChoice | None:
    """The choice on a machine that runs trials; None if it fails there."""
    import ray
    from ray.exceptions import RayError

    holding: Any = ray.remote(num_cpus=space.resources.cpu, num_gpus=space.resources.gpu)
    task = holding(choose_precision)
    try:
        choice: PrecisionChoice = ray.get(task.remote(names, threads=threads, device=device))
    except RayError as error:
        logger.warning("no machine could be asked for the precision, so each decides: %s", error)
        return None
    return choice
