"""The sampler of one proposal, by the name that the search space gives it."""

from __future__ import annotations

from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution

from fer_tune.tuning.studies.extras import check_installed
from fer_tune.tuning.studies.samplers.cmaes import EvolutionSampler
from fer_tune.tuning.studies.samplers.cqr import QuantileSampler
from fer_tune.tuning.studies.samplers.gp import ProcessSampler
from fer_tune.tuning.studies.samplers.qmc import SobolSampler
from fer_tune.tuning.studies.samplers.tpe import make_tpe


@dataclass(frozen=True, kw_only=True)
class Request:
    """One proposal.

    Attributes:
        known: the parameters, if all trials of the study have the same; else None.
        seed: of this proposal.
        sequence_seed: the same for all proposals of the study.
        position: how many proposals of this cohort the study made before.
        attempt: proposals for this trial that were rejected.
    """

    known: dict[str, BaseDistribution] | None
    seed: int
    sequence_seed: int
    position: int
    attempt: int = 0


def make_sampler(name: str, request: Request) -> optuna.samplers.BaseSampler:
    """The sampler ``name`` of a search space for one proposal.

    Raises:
        EnvironmentFault: its package is missing.
    """
    check_installed(name)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=request.seed)
    if name == "tpe":
        return make_tpe(request.known, request.seed)
    assert request.known is not None, f"{name} needs a space without conditions"
    known = {n: d for n, d in sorted(request.known.items()) if not d.single()}
    if name == "qmc":
        return SobolSampler(known, request.sequence_seed, request.position, request.attempt)
    return {"gp": ProcessSampler, "cmaes": EvolutionSampler, "cqr": QuantileSampler}[name](
        known, request.seed
    )
