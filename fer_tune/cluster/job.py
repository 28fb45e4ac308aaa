"""One job of a cluster, as Ray's job API describes it: pure."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fer_tune.errors import EnvironmentFault

#: Marks a job as a search of ours; its value is the version that submitted it.
MARK = "fer_tune"
#: What a stopped job ends with, as a command does that Ctrl-C ended.
STOPPED_CODE = 130


@dataclass(frozen=True, kw_only=True)
class Job:
    """A search that was submitted.

    Attributes:
        id: the submission id.
        state: ``pending``, ``running``, ``stopped``, ``succeeded`` or ``failed``.
        message: Ray's word on the state.
        metadata: what :func:`fer_tune.cluster.submission.metadata` wrote, all text.
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
        """A job from the API's answer, in which times are milliseconds."""
        return cls(
            id=details["submission_id"],
            state=details["status"].lower(),
            message=details.get("message") or "",
            metadata=details.get("metadata") or {},
            started=_seconds(details.get("start_time")),
            ended=_seconds(details.get("end_time")),
            exit_code=details.get("driver_exit_code"),
        )

    @property
    def over(self) -> bool:
        """Whether it has ended, however."""
        return self.state in ("stopped", "succeeded", "failed")

    @property
    def results(self) -> str:
        """The results folder as the cluster sees it; empty where nobody wrote it down."""
        return self.metadata.get("results", "")

    def seconds(self, now: float) -> float | None:
        """How long it has run, or ran; None before it started."""
        if self.started is None:
            return None
        return max(0.0, (self.ended or now) - self.started)

    def code(self) -> int:
        """The exit code that says how the job ended: 0 only after success."""
        assert self.over
        if self.state == "succeeded":
            return 0
        if self.state == "stopped":
            return STOPPED_CODE
        code = self.exit_code or 1
        return code if code > 0 else 128 - code  # as shells tell of a signal


def ours(listed: Sequence[Mapping[str, Any]]) -> list[Job]:
    """The searches among all jobs of a cluster, the newest first."""
    jobs = [
        Job.from_details(details)
        for details in listed
        if details.get("submission_id") and MARK in (details.get("metadata") or {})
    ]
    return sorted(jobs, key=lambda job: job.started or 0.0, reverse=True)


def named(wanted: str, jobs: Sequence[Job]) -> Job:
    """The job with that id, or the only one whose id begins so.

    Raises:
        EnvironmentFault: none, or several.
    """
    exact = [job for job in jobs if job.id == wanted]
    found = exact or [job for job in jobs if job.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(job.id for job in (found or jobs)[:8])
    raise EnvironmentFault(
        "several searches have an id that begins so" if found else "no search with that id here",
        where="JOB",
        value=wanted,
        remedy=f"There are: {known}" if known else "No search has been submitted to this cluster",
    )


def new_id(name: str, now: float, taken: Collection[str]) -> str:
    """A readable submission id, ``NAME-20261127-0312``, that is not taken.

    Args:
        now: seconds since the Unix epoch, told in local time.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    first = f"{plain}-{time.strftime('%Y%m%d-%H%M', time.localtime(now))}"
    one, count = first, 1
    while one in taken:
        count += 1
        one = f"{first}-{count}"
    return one


def _seconds(milliseconds: int | None) -> float | None:
    return None if not milliseconds else milliseconds / 1000
