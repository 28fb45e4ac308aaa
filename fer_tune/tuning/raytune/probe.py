"""Whether Ray works on this machine: starts it, runs a task, stops it."""

from __future__ import annotations

import time

from fer_tune.errors import EnvironmentFault
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.raytune.runtime import ray_connection


def try_ray(timeout_s: float = 60.0) -> float:
    """Starts a Ray with one CPU, runs one task in a process of it and stops it.

    Returns:
        The seconds that this took.

    Raises:
        EnvironmentFault: it did not start, or the task did not return within ``timeout_s``.
    """
    began = time.monotonic()

    # Defined here, it is pickled by value: the worker does not import this project or torch.
    def answer() -> int:
        return 42

    try:
        with ray_connection(SearchOptions(cpus=1, dashboard=False)):
            import ray

            found = ray.get(ray.remote(num_cpus=1)(answer).remote(), timeout=timeout_s)
    except EnvironmentFault:
        raise
    except Exception as error:  # Ray raises a plain Exception when a component does not start
        first = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise EnvironmentFault(f"Ray does not work: {first}", where="starting Ray") from error
    assert found == 42
    return time.monotonic() - began
