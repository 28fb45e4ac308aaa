"""A cluster's dashboard over HTTP: requests, their retries, and what goes wrong with them.

Plain requests rather than Ray's client, which prefers ``RAY_ADDRESS`` to the given address, has no
timeouts, and needs the token in the environment.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from io import BufferedReader
from typing import Any
from urllib.parse import urlsplit

from fer_tune.errors import EnvironmentFault, because
from fer_tune.storage import without_secrets

#: Seconds to wait for a response: a head that is busy starting machines takes half a minute.
ANSWER_S = 60.0
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


class RefusedRequest(EnvironmentFault):
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


class Dashboard:
    """The dashboard of one cluster.

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

    def field(self, answer: object, name: str, *kinds: type) -> Any:
        """A value of a response of Ray, checked to be an object with a field of these types."""
        if isinstance(answer, dict) and name in answer and isinstance(answer[name], kinds):
            return answer[name]
        raise self.not_ray()

    # -- one request ------------------------------------------------------------------------

    def json(self, method: str, path: str, body: object = None) -> Any:
        """What the dashboard responds to a request, read as JSON.

        Args:
            path: from the root of the address, such as ``/api/jobs/``.
            body: sent as JSON; None for no body.
        """
        data = None if body is None else json.dumps(body).encode()
        answer = self.request(
            method, path, body=data, headers={"Content-Type": "application/json"} if data else {}
        )
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise self.not_ray() from None

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> bytes:
        """The content of the response to a request.

        Args:
            body: bytes or a file that can be read again; ``headers`` says what it is.
            headers: besides the token's.
            seconds: to wait for a response; the dashboard's default if None.
        """
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
        return RefusedRequest(status, text, self.address)

    def _elsewhere(self, location: str, path: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"the server redirects to {location.removesuffix(path) or 'another address'}",
            where=self.address,
            remedy="Use that address if it is the dashboard's",
        )

    def not_ray(self) -> EnvironmentFault:
        """The error for a response that Ray would not send."""
        return EnvironmentFault(
            "the server is not a Ray dashboard",
            where=self.address,
            remedy="Use the address of the dashboard, by default port 8265 of the head",
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
