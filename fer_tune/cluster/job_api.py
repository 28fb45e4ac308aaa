"""Ray's job API over HTTP: packages, submission, jobs, logs, stopping.

Plain requests rather than Ray's client, which takes ``RAY_ADDRESS`` over the address that it is
given, knows no time limits, and wants the token in the environment.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fer_tune.cluster.job import Job, named, ours
from fer_tune.errors import EnvironmentFault

#: Seconds to wait for an answer. Ray's own limit on reaching the head's agent is 10.
ANSWER_S = 30.0
#: Seconds to wait while a package is taken in.
UPLOAD_S = 600.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows none: a token is for its own address, and a POST would become a GET."""

    def redirect_request(self, *about: object) -> None:
        return None


class Unreachable(EnvironmentFault):
    """Nothing answers at the address, or no longer: it may be otherwise in a moment."""


def dashboard_url(address: str) -> str:
    """The address of a dashboard without a slash at its end; ``http://`` may be left out.

    What a browser shows behind ``#``, the page, is dropped.

    Raises:
        EnvironmentFault: no such address; Ray's other addresses are named as what they are.
    """
    text = (address if "://" in address else f"http://{address}").partition("#")[0]
    try:
        where = urlsplit(text)
        host = (where.hostname or "").encode("idna")  # as the look-up of its address will
        fits = where.scheme in ("http", "https") and bool(host) and where.port != 6379
    except ValueError:
        fits = False
    if not fits or address == "auto":
        raise EnvironmentFault(
            "must be the address of a Ray dashboard, as http://127.0.0.1:8265",
            where="--address",
            value=address,
            remedy="Or give --cluster FILE, the file that `ray up` made the cluster from",
        )
    return text.rstrip("/")


class JobApi:
    """The job API of one cluster.

    Every method raises :class:`Unreachable` when nothing answers, and EnvironmentFault when the
    token is missing or refused, or the answer is an error or no answer of Ray's.

    Attributes:
        address: of the dashboard, ``http(s)://HOST[:PORT]``.
        token: that requests carry, or None.
    """

    def __init__(self, address: str, token: str | None, *, answer_s: float = ANSWER_S) -> None:
        self.address = address
        self.token = token
        self._answer_s = answer_s
        # A way to the loopback never goes through a proxy, whatever the environment says.
        proxies: dict[str, str] | None = {} if self.loopback else None
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies), _NoRedirects()
        )

    @property
    def loopback(self) -> bool:
        """Whether the dashboard is on this machine, or seems so through a tunnel."""
        return urlsplit(self.address).hostname in _LOOPBACK

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def ray_version(self) -> str:
        """The version of Ray there; also the first thing to ask, to see whether all is well."""
        answer = self._json("GET", "/api/version")
        if not isinstance(answer, dict) or "ray_version" not in answer:
            raise self._foreign()
        return str(answer["ray_version"])

    def has_package(self, name: str) -> bool:
        """Whether the cluster still holds a package; if so it keeps it for a while."""
        try:
            self._request("GET", f"/api/packages/gcs/{quote(name)}")
        except _Refused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def put_package(self, name: str, file: Path) -> None:
        """Hands a package over."""
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
        return ours(self._json("GET", "/api/jobs/"))

    def ids(self) -> set[str]:
        """Submission ids of all jobs, those of others as well."""
        return {job["submission_id"] for job in self._json("GET", "/api/jobs/")} - {None}

    def find(self, wanted: str) -> Job:
        """The search with that id, or the only one whose id begins so."""
        return named(wanted, self.jobs())

    def job(self, id: str) -> Job:
        """How a job stands."""
        try:
            return Job.from_details(self._json("GET", f"/api/jobs/{quote(id)}"))
        except _Refused as refused:
            if refused.status != 404:
                raise
            raise EnvironmentFault(
                "the cluster does not know this job (any more)",
                where=self.address,
                value=id,
                remedy="A head that was started anew forgets its jobs; the results folder is "
                "kept, and `fer-tune submit --resume RESULTS` goes on with it",
            ) from None

    def log(self, id: str) -> str:
        """What the job has printed so far."""
        return str(self._json("GET", f"/api/jobs/{quote(id)}/logs")["logs"] or "")

    def tail_url(self, id: str) -> str:
        """Where a WebSocket gives the log from its beginning, and goes on until the job ends."""
        return f"{self.address}/api/jobs/{quote(id)}/logs/tail"

    def stop(self, id: str) -> bool:
        """Asks a job to end; False when it has ended already."""
        return bool(self._json("POST", f"/api/jobs/{quote(id)}/stop")["stopped"])

    # -- one request ------------------------------------------------------------------------

    def _json(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self._request(
            method, path, body=data, headers={"Content-Type": "application/json"} if data else {}
        )
        try:
            return json.loads(answer)
        except ValueError:
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
            with self._opener.open(request, timeout=seconds or self._answer_s) as response:
                answer: bytes = response.read()
                return answer
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

    # -- what may go wrong ------------------------------------------------------------------

    def unreachable(self, reason: object) -> Unreachable:
        """Nothing answers; ``reason`` is the system's."""
        if isinstance(reason, TimeoutError):
            what = "the cluster's dashboard does not answer in time"
        elif isinstance(reason, http.client.HTTPException | ssl.SSLError) and not isinstance(
            reason, ConnectionError
        ):
            what = f"what answers is no Ray dashboard ({type(reason).__name__}: {reason})"
        else:
            what = f"the cluster's dashboard cannot be reached: {_words(reason)}"
        return Unreachable(
            what,
            where=self.address,
            remedy="Is the cluster up? Where its dashboard listens on the head's loopback alone, "
            "--cluster FILE goes there through ssh",
        )

    def refusal(self, status: int, text: str) -> EnvironmentFault:
        """The cluster says no."""
        if status == 401:
            return EnvironmentFault(
                "the cluster asks for a token, and none was found here",
                where=self.address,
                remedy="Set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to a file, or put the token "
                "into ~/.ray/auth_token; RAY_AUTH_MODE must not be disabled. --cluster FILE "
                "fetches it from the head",
            )
        if status == 403:
            return EnvironmentFault(
                "the cluster refuses the token",
                where=self.address,
                remedy="It belongs to another cluster, or was replaced: `ray get-auth-token` on "
                "the head prints the right one",
            )
        if status in (502, 503, 504):  # of what stands before the dashboard: an ingress, a proxy
            return self.unreachable(f"status {status}")
        return _Refused(status, text, self.address)

    def _elsewhere(self, location: str, path: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"what answers sends on to {location.removesuffix(path) or 'another address'}",
            where=self.address,
            remedy="Give that address, if it is the dashboard's",
        )

    def _foreign(self) -> EnvironmentFault:
        return EnvironmentFault(
            "what answers is no Ray dashboard",
            where=self.address,
            remedy="Give the address of the dashboard, by default port 8265 of the head",
        )


class _Refused(EnvironmentFault):
    """An error status; ``status`` is that of HTTP."""

    def __init__(self, status: int, text: str, where: str) -> None:
        self.status = status
        lines = text.strip().splitlines()  # often a traceback, whose last line says it
        said = f": {lines[-1].strip()[:300]}" if lines else ""
        super().__init__(
            f"the cluster answers with status {status}{said}",
            where=where,
            remedy="The head's dashboard_head.log and dashboard_agent.log say more",
        )


def _text(error: urllib.error.HTTPError) -> str:
    """What came of an error's text before the connection was lost."""
    try:
        return error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""


def _words(reason: object) -> str:
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
