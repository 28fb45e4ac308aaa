"""Starting, reaching and leaving Ray."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.autoscaler import Growth, fitting, growth
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.signals import taking

#: Objects between processes are small here (settings, metrics), so Ray need not take a third of
#: the memory for them.
_OBJECT_STORE = 200 * 1024**2

_DEFAULTS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # our records and event files replace Ray's
    "TUNE_RESULT_BUFFER_LENGTH": "1",  # a report at once, for ASHA and for the records
    "RAY_USAGE_STATS_ENABLED": "0",
    # Without a word Ray turns on token mode once a token lies about from an earlier run.
    "RAY_AUTH_MODE": "disabled",
    # Ctrl-C shall reach us: Ray would swallow it, and the search would go on to confirm.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Ray's snapshots grow with the number of trials, and nobody reads them: see events.py.
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
}


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Ray that answers.

    Attributes:
        dashboard: its address, None without one.
        have: CPUs, GPUs and more of all nodes, when it was reached.
        growth: what an autoscaler may add.
        joined: whether it ran before us, at an address.
    """

    dashboard: str | None
    have: Mapping[str, float]
    growth: Growth = field(default_factory=Growth)
    joined: bool = False

    def slots(self, cpu: float, gpu: float) -> int:
        """Trials of that shape that fit at the same time, now or once the cluster has grown."""
        return max(fitting(self.have, cpu, gpu), self.growth.slots(cpu, gpu))


@contextmanager
def _held_back() -> Iterator[None]:
    """Ctrl-C waits for the end of this: as Ray starts, it now swallows it and now dies of it."""
    arrived: list[int] = []
    with taking(lambda number, frame: arrived.append(number), signal.SIGINT):
        yield
    if arrived:
        raise KeyboardInterrupt


@contextmanager
def ray_session(options: SearchOptions) -> Iterator[Engine]:
    """A Ray to work with: started here and stopped after, or the one at ``options.address``.

    Raises:
        EnvironmentFault: nothing answers at the address.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    import ray

    verbose = options.verbosity == "verbose"
    common: dict[str, Any] = {
        "log_to_driver": verbose,
        "logging_level": logging.INFO if verbose else logging.ERROR,
    }
    try:
        if options.address:
            context = ray.init(address=options.address, **common)
        else:
            with _held_back():
                context = ray.init(
                    address="local",  # whatever RAY_ADDRESS says: that is what --address is for
                    num_cpus=options.cpus,
                    include_dashboard=options.dashboard,
                    dashboard_host="127.0.0.1",
                    object_store_memory=_OBJECT_STORE,
                    **common,
                )
    except Exception as error:  # Ray raises it plain when it takes too long to start
        raise EnvironmentFault(
            f"no Ray to work with: {(str(error) or type(error).__name__).splitlines()[0]}",
            where="--address" if options.address else "starting Ray",
            value=options.address,
            remedy="Start one with `ray up` or `ray start --head`, or leave --address out"
            if options.address
            else "See `fer-tune doctor`",
        ) from error
    # Failed trials are told in the table, with their traceback in a file; Ray would print both.
    logging.getLogger("ray.tune").setLevel(logging.INFO if verbose else logging.CRITICAL)
    try:
        url = context.dashboard_url
        have: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        grows = growth() if options.address else Growth()
        yield Engine(
            dashboard=f"http://{url}" if url else None,
            have=have,
            growth=grows,
            joined=bool(options.address),
        )
    finally:
        ray.shutdown()
