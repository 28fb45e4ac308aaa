"""A world of known truth: curves of the prior of FT-PFN.

Rakotoarison et al. 2024, "In-Context Freeze-Thaw Bayesian Optimization for Hyperparameter
Optimization", appendix A: a random network maps a configuration to the parameters of a mixture of
four curves (power, exponential, logarithmic, Hill), which may fall after a saturation point, as an
overfitted network's score does. The PyPI package ``ifbo`` (MIT licence) draws them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fer_tune.errors import EnvironmentFault
from fer_tune.simulation.world import Course, Floats, coordinates, draws_of
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment, derive_seed

#: Outputs of the prior's network, as its own ``sample_curves`` asks for.
_OUTPUTS = 23
#: Draws of a curve whose mean is taken for the curve without noise.
_DRAWS = 32


class PriorWorld:
    """One task of the prior for every arm.

    Scores are the prior's, in [0, 1]. It has no losses: the validation loss is made to rise where
    the score falls, and the training loss falls.

    Args:
        space: its domains are the coordinates.
        epoch_s, setup_s: seconds of an epoch and of a run's set-up, as the prior has no times.
        seed: of the tasks.

    Raises:
        EnvironmentFault: ``ifbo`` is missing.
    """

    classes = 6

    def __init__(
        self, space: SearchSpace, *, epoch_s: float = 60.0, setup_s: float = 10.0, seed: int = 0
    ) -> None:
        self._space, self._epoch_s, self._setup_s, self._seed = space, epoch_s, setup_s, seed
        prior = _prior()
        self._tasks: dict[str, Any] = {}
        for arm in space.compare.arms:
            with _seeded(derive_seed(seed, "task", arm)):
                self._tasks[arm] = prior.DatasetPrior(max(1, len(space.domains(arm))), _OUTPUTS)

    def course(self, run: Assignment) -> Course:
        """See :class:`fer_tune.simulation.world.World`."""
        epochs = self._space.budget.max_epochs
        truth, noise = self._curve(run, epochs)
        draws = draws_of(run, self._seed)
        wobble = draws.normal(0, noise, epochs)
        # The prior has one curve per configuration: without an offset, seeds would hardly differ.
        offset = draws.normal(0, noise)
        values = np.clip(truth + wobble, 0, 1)
        uniform = float(np.log(self.classes))
        val_loss = uniform * (1 - 0.8 * truth)
        return Course(
            values=values if self._space.metric != "loss" else val_loss - wobble,
            train_loss=uniform * np.exp(-2 * np.arange(1, epochs + 1) / epochs),
            val_loss=val_loss - (wobble if self._space.metric == "loss" else 0),
            seconds=np.full(epochs, self._epoch_s),
            test=np.clip(truth + offset, 0, 1),
            truth=truth,
            setup_s=self._setup_s,
        )

    def _curve(self, run: Assignment, epochs: int) -> tuple[Floats, float]:
        """The curve of a run without noise, and the standard deviation of its noise."""
        at = coordinates(self._space, run.arm, run.config)
        point = np.array([at if at.size else [0.5]])
        times = np.tile(np.arange(1, epochs + 1) / epochs, _DRAWS)
        with _seeded(derive_seed(self._seed, "run", run.arm, run.seed)):
            curve: Callable[[Floats, int], Floats]
            curve = self._tasks[run.arm].curves_for_configs(point)
            drawn = curve(times, 0).reshape(_DRAWS, epochs)
        return drawn.mean(axis=0), float(drawn.std(axis=0).mean())


def _prior() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports
            from ifbo.priors import ftpfn_prior
    except ImportError as error:
        missing = (error.name or "").partition(".")[0] == "ifbo"
        state = "is missing" if missing else f"cannot be imported ({error})"
        raise EnvironmentFault(
            f"the package ifbo, which draws these curves, {state}",
            where="--curves ftpfn",
            remedy="Install it: pip install 'fer-tune[simulate]'; or use --curves analytic",
        ) from None
    return ftpfn_prior


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators, the only ones that the prior has, and restores them."""
    import torch

    before = np.random.get_state()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before)
