"""Starting, connecting to and stopping Ray."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from fer_tune import ray_private
from fer_tune.console import say
from fer_tune.errors import EnvironmentFault, UserError
from fer_tune.process.signals import ending, signals_deferred
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.autoscaler import Growth, growth, trials_that_fit
from fer_tune.tuning.raytune.local_ray import check_private, private_ray, write_token
from fer_tune.tuning.raytune.nodes.joining import refusal, uses_ray_at
from fer_tune.tuning.raytune.nodes.neighbours import announced
from fer_tune.tuning.raytune.nodes.waiting import live_machines

#: Objects between processes are small here (settings, metrics), so Ray need not reserve a third of
#: the memory for them.
_OBJECT_STORE = 200 * 1024**2

_DEFAULTS = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # our records and event files replace Ray's
    "TUNE_RESULT_BUFFER_LENGTH": "1",  # reports without delay, for ASHA and for the records
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ctrl-C must reach us: Ray would swallow it, and the search would continue with confirmation.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Ray's snapshots grow with the number of trials and are not used: see events.py.
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
}

_JOINING = "Start one with `ray up` or `ray start --head`, or omit --address"


@dataclass(frozen=True, kw_only=True)
class RayConnection:
    """A running Ray.

    Attributes:
        dashboard: its address, None without one.
        have: CPUs, GPUs and more of all nodes, at connection time.
        machines: the same of each node; empty if there is one.
        growth: what an autoscaler may add.
        joined: whether it was already running, at an address.
        token_file: holds the token for the dashboard of a Ray that was started here.
    """

    dashboard: str | None
    have: Mapping[str, float]
    growth: Growth = field(default_factory=Growth)
    joined: bool = False
    token_file: Path | None = None
    machines: tuple[Mapping[str, float], ...] = ()

    def slots(self, cpu: float, gpu: float) -> int:
        """Trials of that shape that fit at the same time, now or once the cluster has grown."""
        now = sum(trials_that_fit(machine, cpu, gpu) for machine in self.present)
        return max(now, self.growth.slots(cpu, gpu))

    @property
    def present(self) -> tuple[Mapping[str, float], ...]:
        """Resources of each machine at connection time."""
        return self.machines or (self.have,)

    def slots_of_a_machine(self, cpu: float, gpu: float) -> int:
        """Trials of that shape that fit on the largest node, now or once the cluster has grown."""
        machines = [*self.present, *self.growth.machines]
        return max(trials_that_fit(machine, cpu, gpu) for machine in machines)


@contextmanager
def ray_connection(
    options: SearchOptions,
    console: Console | None = None,
    *,
    name: str = "",
    object_store: int = _OBJECT_STORE,
) -> Iterator[RayConnection]:
    """Starts a Ray and stops it at the end, or connects to the one at ``options.address``.

    A Ray that is started here is private to this process (``local_ray.py``).

    Args:
        console: shows that Ray is being started or connected to; by default nothing is shown.
        name: of the search, for the job in Ray's dashboard.
        object_store: bytes, of a Ray that is started here.

    Raises:
        EnvironmentFault: no Ray at the address, or none can be started here.
    """
    for variable, value in _DEFAULTS.items():
        os.environ.setdefault(variable, value)
    from ray.job_config import JobConfig  # after the variables are set

    verbose = options.verbosity == "verbose"
    common: dict[str, Any] = {
        "log_to_driver": verbose,
        "logging_level": logging.INFO if verbose else logging.ERROR,
        "job_config": JobConfig(metadata={"name": name} if name else None),
    }
    console = console or Console(quiet=True)
    with (
        _joined(options.address, common, console)
        if options.address
        else _started(options, common, console, object_store) as engine
    ):
        # The table reports failed trials, with their traceback in a file; Ray would print both.
        logging.getLogger("ray.tune").setLevel(logging.INFO if verbose else logging.CRITICAL)
        yield engine


#: Held by the one Ray that this process has started.
_starting = threading.Lock()


@contextmanager
def _releasing(lock: threading.Lock) -> Iterator[None]:
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _joined(address: str, common: Mapping[str, Any], console: Console) -> Iterator[RayConnection]:
    # Ray turns on token mode where it finds a token of an earlier cluster.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    import ray

    is_users = uses_ray_at(address)
    with (
        _connection_errors("--address", address, _JOINING),
        console.status("Connecting to Ray"),
        ending(),  # Ray sets a handler for SIGTERM, which this undoes
    ):
        context = ray.init(address=address, ignore_reinit_error=is_users, **common)
    try:
        machines = tuple(live_machines())
        yield _connection(context, growth=growth(), joined=True, machines=machines)
    finally:
        if not is_users:
            ray.shutdown()


@contextmanager
def _started(
    options: SearchOptions, common: Mapping[str, Any], console: Console, object_store: int
) -> Iterator[RayConnection]:
    import ray

    uses_ray_at(None)
    if not _starting.acquire(blocking=False):
        raise EnvironmentFault(
            "this process already starts a Ray for another search",
            where="starting Ray",
            remedy="Start the search in another process",
        )
    with _releasing(_starting), private_ray() as folder:
        try:
            with (
                _connection_errors("starting Ray", None, "See `fer-tune doctor`"),
                _signals_deferred(
                    console, "Ray is still starting and will then be stopped"
                ) as arrived,
                console.status("Starting Ray"),
            ):
                context = _init_patiently(
                    arrived,
                    address="local",  # whatever RAY_ADDRESS says: use --address for that
                    num_cpus=options.cpus,
                    include_dashboard=options.dashboard,
                    dashboard_host="127.0.0.1",
                    object_store_memory=object_store,
                    _temp_dir=str(folder),
                    **common,
                )
                check_private(context.address_info)
                token_file = write_token(Path(context.address_info["session_dir"]))
            engine = _connection(context, token_file=token_file)
            with announced(folder.parent, engine.have) as conflict:
                if conflict:
                    say(console, f"warning: {conflict}.")
                yield engine
        finally:
            # Interrupted, it would leave threads that abort the process once the token is removed.
            with _signals_deferred(console, "Ray is being stopped"):
                ray.shutdown()


def _init_patiently(arrived: Sequence[int], **options: Any) -> Any:
    """``ray.init``, a second time if Ray takes longer to start than it allows itself.

    Args:
        arrived: signals that ask this process to end; with one, nothing is started again.
    """
    try:
        return _init(**options)
    except Exception as error:
        if arrived or not ray_private.is_late_start(error):
            raise
        logging.getLogger(__name__).warning("Ray took more than 30 s to start; retrying")
    return _init(**options)


def _init(**options: Any) -> Any:
    import ray

    try:
        return ray.init(**options)
    except Exception as error:
        if ray_private.is_late_start(error):
            ray_private.end_late_start(error)
        raise


def _connection(context: Any, **about: Any) -> RayConnection:
    import ray

    url = context.dashboard_url
    have: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return RayConnection(dashboard=f"http://{url}" if url else None, have=have, **about)


@contextmanager
def _connection_errors(where: str, value: object, remedy: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # Ray raises a plain Exception when it takes too long to start
        if (known := refusal(error)) is not None:
            raise EnvironmentFault(
                known.what, where=where, value=value, remedy=known.remedy
            ) from error
        raise EnvironmentFault(
            f"Ray is not available: {(str(error) or type(error).__name__).splitlines()[0]}",
            where=where,
            value=value,
            remedy=remedy,
        ) from error


def _signals_deferred(console: Console, why: str) -> AbstractContextManager[list[int]]:
    """Defers Ctrl-C, SIGTERM and SIGHUP to the end of the block: Ray may swallow them or crash.

    A second signal ends this process at once; Ray's processes end with it.
    """

    def heard(number: int, count: int) -> None:
        if count == 1:
            with suppress(RuntimeError):  # this may interrupt another print
                say(console, f"interrupted: {why}; press Ctrl-C again to stop immediately")
        elif number != signal.SIGHUP:  # which a closed terminal sends twice
            console.show_cursor(True)
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    return signals_deferred(heard)
