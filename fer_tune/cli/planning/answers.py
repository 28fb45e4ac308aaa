"""Where simulated trials get their curves: options, and the worlds made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fer_tune.cli.models.options import finite
from fer_tune.errors import ResultsError, UserError

if TYPE_CHECKING:
    from fer_tune.simulation.fleet import Fleet
    from fer_tune.simulation.recorded.surrogate import ArmSurrogate
    from fer_tune.simulation.world import World
    from fer_tune.space import SearchSpace

Curves = Literal["ftpfn", "analytic"]

#: Seconds of an epoch where curves have no times of their own.
EPOCH_S = 60.0
#: Longest time of an option, in seconds: about four months.
LONGEST_S = 1e7


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The options of a simulation.

    Attributes:
        results: folders whose records curves are fitted to; or else ``curves``.
        gpus: GPUs, or machines of one trial each where the space asks for no GPU.
        spot_loss: losses per GPU and hour.
    """

    results: tuple[str, ...]
    curves: Curves | None
    epoch_s: float
    gpus: int
    spot_loss: float
    autoscale_delay_s: float
    runs: int
    seed: int

    def fleet(self, space: SearchSpace, gpus: int | None = None) -> Fleet:
        """The fleet of the options, or one of ``gpus`` of the same kind."""
        from fer_tune.simulation.fleet import Fleet

        return Fleet.of(
            space,
            gpus or self.gpus,
            spot_loss=self.spot_loss,
            autoscale_delay_s=self.autoscale_delay_s,
        )

    def worlds(self) -> Callable[[SearchSpace], Callable[[int], World]]:
        """Of a space, the world of each simulated search by its seed; records are read once.

        Raises:
            ResultsError: records are missing, or do not cover the space.
            EnvironmentFault: the package of the curves is missing.
        """
        if self.curves == "analytic":
            return self._analytic
        return self._prior if self.curves == "ftpfn" else _Recorded(self.results).worlds

    def _analytic(self, space: SearchSpace) -> Callable[[int], World]:
        from fer_tune.simulation.analytic import AnalyticWorld

        return lambda seed: AnalyticWorld(space=space, epoch_s=self.epoch_s, seed=seed)

    def _prior(self, space: SearchSpace) -> Callable[[int], World]:
        from fer_tune.simulation.prior import PriorWorld

        return lambda seed: PriorWorld(space, epoch_s=self.epoch_s, seed=seed)

    def source(self) -> str:
        """Where the curves come from, in words."""
        if self.results:
            return "records of " + ", ".join(self.results)
        return "the prior of FT-PFN" if self.curves == "ftpfn" else "a formula"


class _Recorded:
    """Worlds fitted to the records of results folders."""

    def __init__(self, folders: Sequence[str]) -> None:
        import pandas as pd

        from analysis import load as load_results
        from analysis.inputs.search import value_at
        from fer_tune.simulation.recorded.refusal import check_alike, of_space
        from fer_tune.space import recorded_space

        search = load_results(list(folders))
        self._where = ", ".join(folders)
        spaces: list[Any] = [manifest.get("space") for manifest in search.manifests]
        if None in spaces:
            raise ResultsError(
                "the manifest has no search space",
                where=folders[spaces.index(None)],
                remedy="Name the results folder of a search, or use --curves analytic",
            )
        recorded = [
            recorded_space(space, where=where, later=True)
            for space, where in zip(spaces, folders, strict=True)
        ]
        check_alike(recorded, where=self._where)
        if len({value_at(m, "dataset", "fingerprint") for m in search.manifests}) > 1:
            raise ResultsError(
                "these searches are of different datasets",
                where=self._where,
                remedy="Give --from for searches of one dataset alone",
            )
        self._space = recorded[0]
        trials = pd.concat([search.trials, search.confirmations], ignore_index=True)
        self._trials = of_space(self._space, trials.dropna(subset=["backbone"]))
        self._epochs, self._classes = search.epochs, max(2, len(search.classes))
        self._fitted: dict[tuple[str, str], ArmSurrogate] = {}

    def worlds(self, space: SearchSpace) -> Callable[[int], World]:
        from fer_tune.simulation.recorded.refusal import check_covered
        from fer_tune.simulation.recorded.world import RecordedWorld

        check_covered(space, self._space, self._trials, self._epochs, where=self._where)
        metric = f"val_{space.metric}"
        arms = {arm: self._surrogate(arm, metric) for arm in space.compare.arms}
        return RecordedWorld(space, self._space, arms, classes=self._classes).reseeded

    def _surrogate(self, arm: str, metric: str) -> ArmSurrogate:
        from fer_tune.simulation.recorded.surrogate import fit_arm

        if (arm, metric) not in self._fitted:
            self._fitted[arm, metric] = fit_arm(
                self._space, arm, self._trials, self._epochs, metric
            )
        return self._fitted[arm, metric]


def answers(
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", help="Results folder (or URL) with records to fit; repeatable."),
    ] = None,
    curves: Annotated[
        Curves | None,
        typer.Option("--curves", help="Curves of known truth: the prior of FT-PFN, or a formula."),
    ] = None,
    epoch_seconds: Annotated[
        float,
        typer.Option(
            "--epoch-seconds",
            min=0.001,
            max=LONGEST_S,
            callback=finite,
            help="Of an epoch, with --curves.",
        ),
    ] = EPOCH_S,
    gpus: Annotated[
        int, typer.Option("--gpus", min=1, max=100_000, help="GPUs; without, trials at a time.")
    ] = 1,
    spot_loss: Annotated[
        float,
        typer.Option(
            "--spot-loss", min=0, max=60, callback=finite, help="Losses per GPU and hour."
        ),
    ] = 0.0,
    autoscale_delay: Annotated[
        float,
        typer.Option(
            "--autoscale-delay",
            min=0,
            max=LONGEST_S,
            callback=finite,
            help="Seconds until a GPU comes, also anew.",
        ),
    ] = 0.0,
    runs: Annotated[
        int, typer.Option("--runs", min=1, max=100_000, help="Simulated searches.")
    ] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the simulation.")] = 0,
) -> Answers:
    """Builds :class:`Answers` of a command's options."""
    if (curves is None) == (not from_):
        raise UserError(
            "needs either --from or --curves",
            where="simulation",
            remedy="Give --from RESULTS for records, or --curves ftpfn|analytic without any",
        )
    return Answers(
        results=tuple(from_ or ()),
        curves=curves,
        epoch_s=epoch_seconds,
        gpus=gpus,
        spot_loss=spot_loss,
        autoscale_delay_s=autoscale_delay,
        runs=runs,
        seed=seed,
    )
