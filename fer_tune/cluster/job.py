"""A job of a cluster, as described by Ray's job API. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_tune.cluster.names import is_id
from fer_tune.errors import EnvironmentFault

#: Metadata key that marks a job as a search; its value is the version that submitted it.
VERSION_KEY = "fer_tune"
#: Exit code of a stopped job, as after Ctrl-C.
STOPPED_CODE = 130
#: The year 2500, in milliseconds since the Unix epoch.
_FAR_MS = 16.7e12


@dataclass(frozen=True, kw_only=True)
class Job:
    """A submitted search.

    Attributes:
        id: the submission id.
        state: ``pending``, ``running``, ``stopped``, ``succeeded`` or ``failed``.
        message: Ray's message on the state.
        metadata: what :func:`fer_tune.cluster.jobs.submission.metadata` wrote, all text.
        started, ended: seconds since the Unix epoch, or None.
        exit_code: of the search's process; None while it runs, or where it never ran; the
            signal's number, negative, where one ended it.
    """

    id: str
    state: str
    message: str
    metadata: Mapping[str, str]
    started: float | None
    ended: float | None
    exit_code: int | None

    @classmethod
    def from_details(cls, details: Mapping[str, Any]) -> Job:
        """A job from the API's answer, in which times are milliseconds.

        Raises:
            EnvironmentFault: its id is not safe to use in paths and commands.
        """
        id, code = details.get("submission_id"), details.get("driver_exit_code")
        if not is_id(id):
            raise _no_id(id)
        return cls(
            id=str(id),
            state=str(details.get("status", "")).lower(),
            message=str(details.get("message") or ""),
            metadata=_texts(details.get("metadata")),
            started=_seconds(details.get("start_time")),
            ended=_seconds(details.get("end_time")),
            exit_code=code if isinstance(code, int) else None,
        )

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state in ("stopped", "succeeded", "failed")

    @property
    def results(self) -> str:
        """The results folder as the cluster sees it; empty if unknown."""
        return self.metadata.get("results", "")

    def seconds(self, now: float) -> float | None:
        """How long it has run, or ran; None before it started."""
        if self.started is None:
            return None
        return max(0.0, (self.ended or now) - self.started)

    def code(self) -> int:
        """The exit code: 0 only after success."""
        assert self.over
        if self.state == "succeeded":
            return 0
        if self.state == "stopped":
            return STOPPED_CODE
        code = self.exit_code or 1
        return code if code > 0 else 128 - code  # the way shells report a signal


def ours(listed: Sequence[Mapping[str, Any]]) -> list[Job]:
    """The searches among all jobs of a cluster, the newest first.

    Jobs with an unsafe id are skipped: fer-tune submits none, and those of others must not prevent
    access to ours.
    """
    jobs = [
        Job.from_details(details)
        for details in listed
        if is_id(details.get("submission_id")) and VERSION_KEY in _texts(details.get("metadata"))
    ]
    return sorted(jobs, key=lambda job: job.started or 0.0, reverse=True)


def improper_ids(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Unsafe ids under which a cluster lists jobs."""
    ids = (details.get("submission_id") for details in listed)
    return [str(id) for id in ids if id is not None and not is_id(id)]


def named(wanted: str, jobs: Sequence[Job], improper: Sequence[str] = ()) -> Job:
    """The job with that id, or the only one whose id has that prefix.

    Args:
        improper: ids of jobs that cannot be accessed.

    Raises:
        EnvironmentFault: none, several, or one of ``improper``.
    """
    exact = [job for job in jobs if job.id == wanted]
    found = exact or [job for job in jobs if job.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not found and (refused := [id for id in improper if id.startswith(wanted)]):
        raise _no_id(refused[0])
    known = ", ".join(job.id for job in (found or jobs)[:8])
    raise EnvironmentFault(
        "several searches have an id with this prefix" if found else "no search with this id",
        where="JOB",
        value=wanted,
        remedy=f"Known searches: {known}"
        if known
        else "No search has been submitted to this cluster",
    )


def new_id(name: str, now: float, taken: Collection[str]) -> str:
    """A readable submission id, ``NAME-20261127-0312``, that is not in use.

    Args:
        now: seconds since the Unix epoch, shown in local time.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).lstrip("-")[:100] or "search"
    first = f"{plain}-{time.strftime('%Y%m%d-%H%M', time.localtime(now))}"
    one, count = first, 1
    while one in taken:
        count += 1
        one = f"{first}-{count}"
    return one


def _no_id(id: object) -> EnvironmentFault:
    return EnvironmentFault(
        "the cluster lists a job under an id that is not safe to use as a name",
        value=str(id)[:80],
        remedy="Ids consist of letters, digits, `-`, `_` and `.`; fer-tune submits no job with "
        "any other id",
    )


def _seconds(milliseconds: object) -> float | None:
    """Seconds since the Unix epoch; also None for a time that cannot be displayed."""
    if not isinstance(milliseconds, int | float) or not 0 < milliseconds < _FAR_MS:
        return None
    return milliseconds / 1000


def _texts(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, Mapping):
        return {}
    return {str(key): str(value) for key, value in metadata.items()}
