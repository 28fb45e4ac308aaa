"""Packages that only some samplers need."""

from __future__ import annotations

from importlib.util import find_spec

from fer_tune.errors import EnvironmentFault

#: Sampler to package; the extra of fer-tune that brings it has the same name.
_NEEDED = {"cmaes": "cmaes"}


def check_installed(sampler: str) -> None:
    """Checks that the package of a sampler is there, before a trial starts.

    Raises:
        EnvironmentFault: it is missing.
    """
    package = _NEEDED.get(sampler)
    if package is not None and find_spec(package) is None:
        raise EnvironmentFault(
            f"the package {package} is missing",
            where=f"sampler: {sampler}",
            remedy=f"Install it: pip install 'fer-tune[{package}]'; or use another sampler",
        )
