"""How many trials run at once, and how many are pending."""

from __future__ import annotations

import math
from dataclasses import replace

from fer_tune.errors import EnvironmentFault
from fer_tune.space import SearchSpace
from fer_tune.space import plan as make_plan
from fer_tune.training.device.compute import available_cpus
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import RayConnection


def limit_cpus(options: SearchOptions, space: SearchSpace) -> SearchOptions:
    """Limits a Ray started here to the CPUs that ``max_concurrent`` trials use."""
    limit = space.resources.max_concurrent
    if options.address or limit is None:
        return options
    have = available_cpus() if options.cpus is None else options.cpus
    return replace(options, cpus=min(have, math.ceil(limit * space.resources.cpu)))


def pending_limit(engine: RayConnection, space: SearchSpace) -> int:
    """Trials that run or are pending: twice what the cluster can run at its maximum size.

    So a process that ends a trial finds the next one pending, and the autoscaler adds all machines
    at once. At most ``max_concurrent``, if the cluster could run more; at most all trials of the
    search. 1 where trials run one at a time: Ray would put a run whose process died behind the
    pending one, which would change the order of trials.

    Raises:
        EnvironmentFault: not even one fits.
    """
    fit = engine.slots(space.resources.cpu, space.resources.gpu)
    limit = space.resources.max_concurrent
    if fit < 1 and limit is not None and engine.joined:
        return limit  # an autoscaler that is unknown here; the user gives the limit
    if fit < 1:
        have = {k: v for k, v in engine.have.items() if k in ("CPU", "GPU")}
        raise EnvironmentFault(
            f"a trial needs {space.resources.cpu:g} CPU and {space.resources.gpu:g} GPU, but the "
            f"cluster has {have}",
            where="resources",
            remedy="Lower resources.cpu or resources.gpu with --set, or add more machines"
            + (
                "; if an autoscaler will add some, set resources.max_concurrent to the number of "
                "trials that will then fit"
                if engine.joined
                else ""
            ),
        )
    if fit == 1:
        return 1
    asked = 2 * fit if limit is None or fit <= limit else limit
    whole = make_plan(space)
    return min(asked, max(whole.trials, whole.confirm_runs))
