"""Why this process cannot use a Ray: other versions, its folder, or another Ray in use here."""

from __future__ import annotations

import re
from dataclasses import dataclass

import ray

from fer_tune.errors import EnvironmentFault, because

_VERSIONS = r"Ray: (\S+)\s+Python: (\S+)"
_BOTH = re.compile(f"Version mismatch.*?{_VERSIONS}.*?{_VERSIONS}", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What is wrong, and what to do."""

    what: str
    remedy: str


def refusal(error: BaseException) -> Refusal | None:
    """The reason behind an error of Ray's, where it is known; None for any other."""
    if isinstance(error, OSError) and error.filename:
        return Refusal(
            what=f"Ray's folder cannot be used: {error.filename}: {because(error)}",
            remedy="Free up space there, or give this user access to it; for a Ray that is "
            "started here RAY_TMPDIR names another folder",
        )
    found = _BOTH.search(str(error))  # on several lines
    if found is None:
        return None
    their_ray, their_python, our_ray, our_python = found.groups()
    return Refusal(
        what=f"the cluster runs Ray {their_ray} on Python {their_python}, but this process Ray "
        f"{our_ray} on Python {our_python}",
        remedy="Install the same versions on all machines, or use `fer-tune submit`, which runs "
        "the search with the cluster's own",
    )


def uses_ray_at(address: str | None) -> bool:
    """Whether this process uses the Ray at ``address`` already; "auto" accepts any.

    Args:
        address: None for a Ray that is to be started.

    Raises:
        EnvironmentFault: it uses another one; names it.
    """
    if not ray.is_initialized():
        return False
    own = ray.get_runtime_context().gcs_address
    if address in (own, "auto"):
        return True
    raise EnvironmentFault(
        "this process already uses Ray, and Ray's access control is per process",
        where="--address" if address else "starting Ray",
        value=own,
        remedy=f"Search there with --address {own}, call ray.shutdown() first, or start the search "
        "in another process",
    )
