"""Waiting for a machine that can run a trial: reported while it lasts, and bounded.

Ray itself waits silently, and for ever, for resources that no machine has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import ray

from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.raytune.nodes.resources import amounts, holds, shortfall

#: Seconds without a running trial after which the wait is reported; each further report comes
#: after twice the time, at most ``LONGEST_S`` after the one before.
FIRST_S, LONGEST_S = 15.0, 600.0
#: Seconds that a search waits for a machine to return where no autoscaler may add one: machines
#: that restart are back by then.
PATIENCE_S = 600.0
#: Seconds between two looks at the machines.
POLL_INTERVAL_S = 5.0


class ResourceWait:
    """Watches for trials that cannot start.

    Args:
        bundle: what a trial occupies, by resource.
        report: prints one line.
        can_grow: whether an autoscaler may add a machine for it; then the wait has no end.
    """

    def __init__(
        self, bundle: Mapping[str, float], report: Callable[[str], None], *, can_grow: bool
    ) -> None:
        self._bundle, self._report, self._can_grow = bundle, report, can_grow
        self._began: float | None = None
        self._lost_at: float | None = None
        self._next_report = FIRST_S
        self._looked_at = 0.0

    def over(self) -> None:
        """A trial runs, or none is pending."""
        if self._began is not None and self._next_report > FIRST_S:
            self._report(f"the wait for resources is over ({_minutes(self._waited())})")
        self._began, self._lost_at, self._next_report = None, None, FIRST_S

    def check(self, *, only_lost: bool = False) -> None:
        """Trials are pending and none runs; may be called often.

        Args:
            only_lost: report only where no machine could run one.

        Raises:
            EnvironmentFault: for ``PATIENCE_S`` no machine could run one, and none will be added.
        """
        now = time.monotonic()
        if self._began is None:
            self._began = self._looked_at = now
        if now - self._looked_at < POLL_INTERVAL_S:
            return
        self._looked_at = now
        machines = live_machines()
        lost_s: float | None = None  # how long no machine could run a trial
        if any(holds(machine, self._bundle) for machine in machines):
            self._lost_at = None
        else:
            self._lost_at = now if self._lost_at is None else self._lost_at
            lost_s = now - self._lost_at
        if lost_s is not None and not self._can_grow and lost_s >= PATIENCE_S:
            raise EnvironmentFault(
                f"no machine that can run a trial has been there for {_minutes(PATIENCE_S)}: a "
                f"trial needs {self._needs()}, but {shortfall(machines, self._bundle)}",
                where="cluster",
                remedy="Add such a machine and resume the search, or lower resources.cpu or "
                "resources.gpu in a new one",
                temporary=True,
            )
        if self._waited() >= self._next_report and not (only_lost and lost_s is None):
            self._next_report = self._waited() + min(self._waited(), LONGEST_S)
            self._report(self._busy() if lost_s is None else self._lost(machines, lost_s))

    def _waited(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began

    def _needs(self) -> str:
        return amounts(self._bundle, tuple(self._bundle))

    def _lost(self, machines: list[Mapping[str, float]], lost_s: float) -> str:
        if self._can_grow:
            how, end = "from the autoscaler", ""
        else:
            how = "to join"
            left = _minutes(PATIENCE_S - lost_s)
            end = f". Without one the search ends in {left} and can be resumed"
        return (
            f"waiting for a machine with {self._needs()} {how}: "
            f"{shortfall(machines, self._bundle)} ({_minutes(self._waited())}){end}"
        )

    def _busy(self) -> str:
        free: Mapping[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
        have: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        names = tuple(self._bundle)
        return (
            f"waiting for {self._needs()} on one machine, which other work on this Ray occupies: "
            f"{amounts(free, names)} free of {amounts(have, names)} ({_minutes(self._waited())})"
        )


def live_machines() -> list[Mapping[str, float]]:
    """Resources of each live node of the Ray that this process uses."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
