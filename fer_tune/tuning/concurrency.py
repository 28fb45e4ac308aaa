"""How many trials run at once, and how many are pending."""

from __future__ import annotations

import math
from dataclasses import replace

from fer_tune.errors import EnvironmentFault
from fer_tune.process.cpus import available_cpus, cpu_limit
from fer_tune.space import SearchSpace
from fer_tune.space import plan as make_plan
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.nodes.resources import amounts, bundle_of, shortfall
from fer_tune.tuning.raytune.runtime import RayConnection


def limit_cpus(options: SearchOptions, space: SearchSpace) -> SearchOptions:
    """The CPUs of a Ray started here: what this process may use, or ``--cpus``.

    At most what ``max_concurrent`` trials use. Ray itself would count all CPUs of the machine, or
    a container's quota even where a stricter limit applies.
    """
    if options.address:
        return options
    have = available_cpus() if options.cpus is None else options.cpus
    limit = space.resources.max_concurrent
    if limit is not None:
        have = min(have, math.ceil(limit * space.resources.cpu))
    return replace(options, cpus=have)


def expects_machines(engine: RayConnection, space: SearchSpace) -> bool:
    """Whether machines may still come that can run a trial.

    Either an autoscaler is known to add them, or none is known and no machine can run a trial now:
    then ``max_concurrent`` says that one will.
    """
    cpu, gpu = space.resources.cpu, space.resources.gpu
    if engine.growth.slots(cpu, gpu) >= 1:
        return True
    by_user = space.resources.max_concurrent is not None and engine.joined
    return by_user and not engine.growth.is_known and engine.slots(cpu, gpu) < 1


def _refusal(engine: RayConnection, space: SearchSpace) -> EnvironmentFault:
    """Why no trial fits on any machine."""
    bundle = bundle_of(space.resources.cpu, space.resources.gpu)
    what = f"a trial needs {amounts(bundle)} on one machine, but "
    what += shortfall(engine.present, bundle)
    remedy = "Lower resources.cpu or resources.gpu with --set, or "
    if engine.joined:
        remedy += "add more machines"
        if not engine.growth.is_known:
            remedy += (
                "; if an autoscaler will add some, set resources.max_concurrent to the number of "
                "trials that will then fit"
            )
    else:
        remedy += "use a larger machine"
        if reason := cpu_limit().reason:
            what += f" (its CPUs are limited by: {reason})"
    return EnvironmentFault(
        what,
        where="resources",
        remedy=remedy,
        # Machines of a cluster without an autoscaler may be on their way.
        temporary=engine.joined and not engine.growth.is_known,
    )


def pending_limit(engine: RayConnection, space: SearchSpace) -> int:
    """Trials that run or are pending: twice what the cluster can run at its maximum size.

    So a process that ends a trial finds the next one pending, and the autoscaler adds all machines
    at once. At most ``max_concurrent``, if the cluster could run more; at most all trials of the
    search. 1 where trials run one at a time: Ray would put a run whose process died behind the
    pending one, which would change the order of trials.

    Raises:
        EnvironmentFault: not even one fits on any machine, although it may fit on all together.
    """
    fit = engine.slots(space.resources.cpu, space.resources.gpu)
    limit = space.resources.max_concurrent
    if fit < 1 and limit is not None and expects_machines(engine, space):
        return limit  # an autoscaler that is unknown here; the user gives the limit
    if fit < 1:
        raise _refusal(engine, space)
    return asked_at_once(space, fit)


def asked_at_once(space: SearchSpace, fit: int) -> int:
    """:func:`pending_limit` where ``fit`` trials, at least one, fit on the machines."""
    limit = space.resources.max_concurrent
    if fit == 1:
        return 1
    asked = 2 * fit if limit is None or fit <= limit else limit
    whole = make_plan(space)
    return min(asked, max(whole.trials, whole.confirm_runs))
