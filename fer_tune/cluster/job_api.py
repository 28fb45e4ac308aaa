"""Ray's job API: packages, submission, jobs, logs, stopping."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any
from urllib.parse import quote

from fer_tune.cluster.dashboard import Dashboard, RefusedRequest
from fer_tune.cluster.job import Job, improper_ids, named, ours
from fer_tune.errors import EnvironmentFault

#: Seconds to wait for the upload of a package.
UPLOAD_S = 600.0


class JobApi(Dashboard):
    """The job API of one cluster; its methods raise the errors of :class:`Dashboard`."""

    def ray_version(self) -> str:
        """The cluster's version of Ray; the first request, to check the connection."""
        return str(self.field(self.json("GET", "/api/version"), "ray_version", str))

    def has_package(self, name: str) -> bool:
        """Whether the cluster still has a package; if so it keeps it for a while."""
        try:
            self.request("GET", f"/api/packages/gcs/{quote(name)}")
        except RefusedRequest as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def put_package(self, name: str, file: Path) -> None:
        """Uploads a package."""
        with file.open("rb") as body:
            self.request(
                "PUT",
                f"/api/packages/gcs/{quote(name)}",
                body=body,
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Length": str(os.path.getsize(file)),
                },
                seconds=UPLOAD_S,
            )

    def submit(
        self,
        *,
        entrypoint: str,
        id: str,
        metadata: Mapping[str, str],
        working_dir: str,
        environment: Mapping[str, str],
    ) -> None:
        """Starts a job that takes no CPU of its own: its trials do.

        Args:
            entrypoint: a shell command, run in ``working_dir`` on the head.
            working_dir: URI of a package.
            environment: of the job and of its workers.
        """
        self.json(
            "POST",
            "/api/jobs/",
            {
                "entrypoint": entrypoint,
                "submission_id": id,
                "metadata": dict(metadata),
                "runtime_env": {"working_dir": working_dir, "env_vars": dict(environment)},
                "entrypoint_num_cpus": 0,
            },
        )

    def jobs(self) -> list[Job]:
        """The searches that this cluster knows, the newest first."""
        return ours(self._listed())

    def ids(self) -> set[str]:
        """Submission ids of all jobs, including those of others."""
        return {job["submission_id"] for job in self._listed()} - {None}

    def find(self, wanted: str) -> Job:
        """The search with that id, or the only one whose id has that prefix."""
        listed = self._listed()
        return named(wanted, ours(listed), improper_ids(listed))

    def job(self, id: str) -> Job:
        """The current state of a job."""
        try:
            details = self.json("GET", f"/api/jobs/{quote(id)}")
        except RefusedRequest as refused:
            if refused.status != 404:
                raise
            raise EnvironmentFault(
                "the cluster does not know this job, or has forgotten it",
                where=self.address,
                value=id,
                remedy="A restarted head forgets its jobs; the results folder is kept, and "
                "`fer-tune submit --resume RESULTS` resumes the search",
            ) from None
        self.field(details, "submission_id", str, NoneType)
        return Job.from_details(details)

    def log(self, id: str) -> str:
        """What the job has printed so far."""
        answer = self.json("GET", f"/api/jobs/{quote(id)}/logs")
        return self.field(answer, "logs", str, NoneType) or ""

    def tail_url(self, id: str) -> str:
        """URL of a WebSocket that sends the log from its beginning until the job ends."""
        return f"{self.address}/api/jobs/{quote(id)}/logs/tail"

    def stop(self, id: str) -> bool:
        """Requests a job to stop; False if it has already ended."""
        answer = self.json("POST", f"/api/jobs/{quote(id)}/stop")
        return bool(self.field(answer, "stopped", bool))

    def _listed(self) -> list[dict[str, Any]]:
        listed = self.json("GET", "/api/jobs/")
        if not isinstance(listed, list):
            raise self.not_ray()
        for details in listed:
            self.field(details, "submission_id", str, NoneType)
        return listed
