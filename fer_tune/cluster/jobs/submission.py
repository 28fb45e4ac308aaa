"""The submission of a job: its command, environment and metadata."""

from __future__ import annotations

import getpass
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

import fer_tune
from fer_tune.cluster.job import VERSION_KEY
from fer_tune.cluster.screening import secrets
from fer_tune.errors import ResultsError
from fer_tune.storage import UrlPath, is_url, without_secrets

#: Seconds that a stopped search has to finish its running epochs before it is killed.
GRACE_S = 900
#: Default parent of results folders, as the head sees it: not the job's own folder, which Ray
#: deletes.
RESULTS = "~/fer_tune/results"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A search as a cluster runs it. Paths are the cluster's; ``~/`` is the head's home.

    Attributes:
        name: of the search space, or of the results folder that is resumed.
        space: the search space within the package; None to resume ``results``.
        asked: how the user named it.
        data: packed dataset, or its URL; None if a resumed search knows it.
        results: its results folder, or URL.
        overrides: of ``--set``.
        commit: git commit of the working tree, or empty.
    """

    name: str
    space: str | None
    asked: str
    data: str | None
    results: str
    overrides: Sequence[str] = ()
    commit: str = ""

    def command(self) -> str:
        """The shell command that the head runs.

        ``exec``, so that the signal that stops the job reaches the search itself; ``python -m``,
        so that a working tree which is fer_tune's source is what runs.
        """
        words = ["exec", "python", "-m", "fer_tune"]
        if self.space is None:
            words += ["resume", _cluster_path(self.results)]
        else:
            words += ["search", shlex.quote(self.space), "--results", _cluster_path(self.results)]
        if self.data is not None:
            words += ["--data", _cluster_path(self.data)]
        for override in self.overrides:
            words += ["--set", shlex.quote(override)]
        return " ".join([*words, "--address", "auto"])

    def metadata(self) -> dict[str, str]:
        """Metadata of the job for ``fer-tune status`` and Ray's dashboard; all text."""
        return {
            VERSION_KEY: fer_tune.__version__,
            "name": self.name,
            "space": self.asked,
            "user": _user(),
            "submitted": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "commit": self.commit,
            "data": self.data or "",
            "results": self.results,
            "overrides": " ".join(map(shlex.quote, self.overrides)),
        }

    @staticmethod
    def environment() -> dict[str, str]:
        """Variables of the job and its workers.

        ``RAY_JOB_STOP_WAIT_TIME_S`` is the time between SIGTERM, after which a search finishes
        its running epochs, and SIGKILL; by Ray's default three seconds.
        """
        return {"RAY_JOB_STOP_WAIT_TIME_S": str(GRACE_S), "COLUMNS": "120"}


def results_below(folder: str | None, id: str) -> str:
    """A results folder for a job, below a path or URL; by default below :data:`RESULTS`."""
    if folder is not None and is_url(folder):
        return (UrlPath(folder) / id).url
    return f"{(folder or RESULTS).rstrip('/')}/{id}"


def checked_results(results: str) -> str:
    """``results``, if a job may keep its results there.

    Raises:
        ResultsError: a URL with credentials, which are visible to everybody who sees the job, or a
            relative path, which would be in the job's own folder and be deleted with it.
    """
    if not is_url(results):
        if results.startswith(("/", "~/")):
            return results
        raise ResultsError(
            "the results of a job need an absolute path on the cluster",
            value=results,
            remedy="Use a path that starts with / or ~/, or a URL: Ray deletes a job's own folder",
        )
    return checked_url(results)


def checked_url(url: str) -> str:
    """``url``, if it may be in a job's command.

    Raises:
        ResultsError: an unsupported store, or with credentials, which are visible to everybody who
            sees the job.
    """
    if str(shown := UrlPath(url)) != shown.url:
        raise ResultsError(
            "a job's command can be read by everybody with access to the dashboard, and this URL "
            "contains credentials",
            where=str(shown),
            remedy="Give the machines of the cluster a role, or credentials in their environment",
        )
    return url


def checked_overrides(overrides: Sequence[str]) -> None:
    """Checks that overrides may be in a job's command.

    Raises:
        ResultsError: one holds a credential, which is visible to everybody who sees the job.
    """
    for override in overrides:
        if without_secrets(override) != override or secrets.is_in(os.fsencode(override)):
            raise ResultsError(
                "a job's command can be read by everybody with access to the dashboard, and this "
                "contains credentials",
                where=f"--set {override.partition('=')[0]}",
                remedy="Give the machines of the cluster a role, or credentials in their "
                "environment",
            )


def _cluster_path(path: str) -> str:
    """A path for the head's shell, which knows its own home."""
    home, slash, rest = path.partition("/")
    if home == "~":
        return '"$HOME"' + slash + (shlex.quote(rest) if rest else "")
    return shlex.quote(path)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
