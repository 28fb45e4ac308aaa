"""Ray's job API over HTTP: packages, submission, jobs, logs, stopping.

Plain requests rather than Ray's client, which prefers ``RAY_ADDRESS`` to the given address, has no
timeouts, and needs the token in the environment.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from types import NoneType
from typing import Any
from urllib.parse import quote, urlsplit

from fer_tune.cluster.job import Job, improper_ids, named, ours
from fer_tune.errors import EnvironmentFault, because
from fer_tune.storage import without_secrets

#: Seconds to wait for a response: a head that is busy starting machines takes half a minute.
ANSWER_S = 60.0
#: Seconds to wait for the upload of a package.
UPLOAD_S = 600.0
#: Most bytes that are read of a response, and of the text of an error.
ANSWER_BYTES = 64 * 1024**2
ERROR_BYTES = 1024**2
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: Attempts of a request that may be repeated, and seconds between them: connections are lost.
_ATTEMPTS, _PAUSE_S = 3, 1.0
_REPEATED = ("GET", "PUT")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirects: a token is for its own address, and a POST would become a GET."""

    def redirect_request(self, *about: object) -> None:
        return None


class Unreachable(EnvironmentFault):
    """The address is unreachable, perhaps only for a moment."""


class TokenRequired(EnvironmentFault):
    """The cluster requires a token, and the request had none."""


class TooLarge(EnvironmentFault):
    """A response is too large to be read."""


def dashboard_url(address: str) -> str:
    """The address of a dashboard without a trailing slash; ``http://`` may be omitted.

    A fragment (``#...``) is dropped.

    Raises:
        EnvironmentFault: not the address of a dashboard.
    """
    text = (address if "://" in address else f"http://{address}").partition("#")[0]
    try:
        where = urlsplit(text)
        host = (where.hostname or "").encode("idna")  # as the DNS lookup will
        fits = where.scheme in ("http", "https") and bool(host) and where.port != 6379
        fits = fits and "@" not in where.netloc  # a password, which messages would show
    except ValueError:
        fits = False
    if not fits or address == "auto":
        raise EnvironmentFault(
            "must be the address of a Ray dashboard, such as http://127.0.0.1:8265",
            where="--address",
            value=without_secrets(address),
            remedy="Or use --cluster FILE, the file from which `ray up` made the cluster",
        )
    return text.rstrip("/")


class JobApi:
    """The job API of one cluster.

    Every method raises :class:`Unreachable` when there is no response, and EnvironmentFault when
    the token is missing or rejected, or the response is an error or not from Ray.

    Attributes:
        address: of the dashboard, ``http(s)://HOST[:PORT]``.
        token: sent with requests, or None.
    """

    def __init__(self, address: str, token: str | None, *, answer_s: float = ANSWER_S) -> None:
        self.address = address
        self.token = token
        self._answer_s = answer_s
        # The loopback address is never reached through a proxy, whatever the environment says.
        proxies: dict[str, str] | None = {} if self.loopback else None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies), _NoRedirects()
        )

    @property
    def loopback(self) -> bool:
        """Whether the dashboard is on this machine, or at the end of a tunnel."""
        return urlsplit(self.address).hostname in _LOOPBACK

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def ray_version(self) -> str:
        """The cluster's version of Ray; the first request, to check the connection."""
        return str(self._field(self._json("GET", "/api/version"), "ray_version", str))

    def has_package(self, name: str) -> bool:
        """Whether the cluster still has a package; if so it keeps it for a while."""
        try:
            self._request("GET", f"/api/packages/gcs/{quote(name)}")
        except _Refused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def put_package(self, name: str, file: Path) -> None:
        """Uploads a package."""
        with file.open("rb") as body:
            self._request(
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
        self._json(
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
            details = self._json("GET", f"/api/jobs/{quote(id)}")
        except _Refused as refused:
            if refused.status != 404:
                raise
            raise EnvironmentFault(
                "the cluster does not know this job, or has forgotten it",
                where=self.address,
                value=id,
                remedy="A restarted head forgets its jobs; the results folder is kept, and "
                "`fer-tune submit --resume RESULTS` resumes the search",
            ) from None
        self._field(details, "submission_id", str, NoneType)
        return Job.from_details(details)

    def log(self, id: str) -> str:
        """What the job has printed so far."""
        answer = self._json("GET", f"/api/jobs/{quote(id)}/logs")
        return self._field(answer, "logs", str, NoneType) or ""

    def tail_url(self, id: str) -> str:
        """URL of a WebSocket that sends the log from its beginning until the job ends."""
        return f"{self.address}/api/jobs/{quote(id)}/logs/tail"

    def stop(self, id: str) -> bool:
        """Requests a job to stop; False if it has already ended."""
        answer = self._json("POST", f"/api/jobs/{quote(id)}/stop")
        return bool(self._field(answer, "stopped", bool))

    def _listed(self) -> list[dict[str, Any]]:
        listed = self._json("GET", "/api/jobs/")
        if not isinstance(listed, list):
            raise self._foreign()
        for details in listed:
            self._field(details, "submission_id", str, NoneType)
        return listed

    def _field(self, answer: object, name: str, *kinds: type) -> Any:
        """A value of a response of Ray, checked to be an object with a field of these types."""
        if isinstance(answer, dict) and name in answer and isinstance(answer[name], kinds):
            return answer[name]
        raise self._foreign()

    # -- one request ------------------------------------------------------------------------

    def _json(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self._request(
            method, path, body=data, headers={"Content-Type": "application/json"} if data else {}
        )
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise self._foreign() from None

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> bytes:
        request = urllib.request.Request(
            self.address + path,
            data=body,
            headers={**self.headers, **(headers or {})},
            method=method,
        )
        try:
            answer = self._answer(request, seconds or self._answer_s)
        except urllib.error.HTTPError as error:
            with error:
                text = _text(error)
            if 300 <= error.code < 400:
                raise self._elsewhere(error.headers.get("Location", ""), path) from None
            raise self.refusal(error.code, text) from None
        except urllib.error.URLError as error:
            raise self.unreachable(error.reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise self.unreachable(error) from None
        if answer is None:
            raise TooLarge(
                f"the response has more than {ANSWER_BYTES // 1024**2} MiB",
                where=self.address + path,
                remedy="Read such a long job log with `fer-tune logs JOB --follow` while it runs, "
                "or on the head",
            )
        return answer

    def _answer(self, request: urllib.request.Request, seconds: float) -> bytes | None:
        """The content of a response; a request that may be repeated survives a lost connection."""
        left = _ATTEMPTS if request.method in _REPEATED else 1
        while True:
            left -= 1
            if isinstance(request.data, BufferedReader):
                request.data.seek(0)
            try:
                with self._opener.open(request, timeout=seconds) as response:
                    return _read(response, ANSWER_BYTES)
            except (OSError, http.client.HTTPException) as error:
                if not left or not _is_lost(error):
                    raise
            time.sleep(_PAUSE_S)

    # -- errors ------------------------------------------------------------------

    def unreachable(self, reason: object) -> Unreachable:
        """The error for a failed connection; ``reason`` is the system's."""
        if isinstance(reason, TimeoutError):
            what = "the cluster's dashboard did not respond in time"
        elif isinstance(reason, http.client.HTTPException | ssl.SSLError) and not isinstance(
            reason, ConnectionError
        ):
            what = f"the server is not a Ray dashboard ({type(reason).__name__}: {reason})"
        else:
            what = f"the cluster's dashboard cannot be reached: {because(reason)}"
        return Unreachable(
            what,
            where=self.address,
            remedy="Is the cluster up? If its dashboard listens only on the head's loopback, use "
            "--cluster FILE, which connects through ssh",
        )

    def refusal(self, status: int, text: str) -> EnvironmentFault:
        """The error for an HTTP status."""
        if status in (401, 403) and self.token is None:
            return TokenRequired(
                "the cluster requires a token, and none was found here"
                if status == 401
                else "the server denies access without a token, and none was found here",
                where=self.address,
                remedy="Set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file, or put the token "
                "into ~/.ray/auth_token; RAY_AUTH_MODE must not be disabled. --cluster FILE "
                "fetches it from the head",
            )
        if status in (401, 403):
            return EnvironmentFault(
                "the cluster rejects the token",
                where=self.address,
                remedy="It belongs to another cluster, or was replaced: `ray get-auth-token` on "
                "the head prints the right one. A proxy in front of the dashboard may also deny "
                "access",
            )
        if status in (502, 503, 504):  # from a gateway before the dashboard: an ingress, a proxy
            return self.unreachable(f"status {status}")
        return _Refused(status, text, self.address)

    def _elsewhere(self, location: str, path: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"the server redirects to {location.removesuffix(path) or 'another address'}",
            where=self.address,
            remedy="Use that address if it is the dashboard's",
        )

    def _foreign(self) -> EnvironmentFault:
        return EnvironmentFault(
            "the server is not a Ray dashboard",
            where=self.address,
            remedy="Use the address of the dashboard, by default port 8265 of the head",
        )


class _Refused(EnvironmentFault):
    """An error status; ``status`` is that of HTTP."""

    def __init__(self, status: int, text: str, where: str) -> None:
        self.status = status
        lines = text.strip().splitlines()  # often a traceback; its last line is the error
        said = f": {lines[-1].strip()[:300]}" if lines else ""
        super().__init__(
            f"the cluster responds with status {status}{said}",
            where=where,
            remedy="See dashboard_head.log and dashboard_agent.log on the head for details",
        )


def _is_lost(error: Exception) -> bool:
    """Whether a connection was lost that had been there."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return isinstance(reason, ConnectionResetError | BrokenPipeError | http.client.IncompleteRead)


def _read(response: Any, limit: int) -> bytes | None:
    """The content of an answer; None if it has more than ``limit`` bytes.

    Raises:
        http.client.IncompleteRead: the connection was lost before its end.
    """
    content: bytes = response.read(limit + 1)
    if len(content) > limit:
        return None
    if response.length:  # `read` with a limit does not raise
        raise http.client.IncompleteRead(content, response.length)
    return content


def _text(error: urllib.error.HTTPError) -> str:
    """An error's text; empty if the connection was lost."""
    try:
        content = _read(error, ERROR_BYTES)
        if content is None:
            return f"the error text has more than {ERROR_BYTES // 1024**2} MiB"
        return content.decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""
