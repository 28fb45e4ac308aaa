"""Access to a cluster's dashboard: its address, its token, and port forwarding for a browser."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fer_tune.cluster.dashboard import ANSWER_S, TokenRequired, Unreachable, dashboard_url
from fer_tune.cluster.job_api import JobApi
from fer_tune.cluster.ssh.head_node import DASHBOARD_PORT, head_of
from fer_tune.cluster.ssh.openssh import CONNECT_S, Ssh
from fer_tune.cluster.ssh.token import local_token
from fer_tune.cluster.ssh.tunnel import Tunnel
from fer_tune.errors import EnvironmentFault
from fer_tune.escaping import shell_word

#: Seconds without a response after which the user is notified.
NOTIFY_AFTER_S = 10.0


def _nothing() -> None:
    """Does nothing: a direct connection need not be renewed."""


def _nobody(text: str) -> None:
    """Does nothing: by default no warning is shown."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """A connection to a cluster.

    Attributes:
        api: its job API.
        option: names the cluster on the command line, for commands in messages.
        forwarding: the command that forwards the dashboard's port for a browser; empty if that is
            not needed.
        browser: address of the dashboard for a browser, once ``forwarding`` runs.
        renew: reconnects after the connection was lost; may raise EnvironmentFault.
        ssh: access to the head's files; None if only the dashboard is known.
        home: the head's home folder; empty without ``ssh``.
    """

    api: JobApi
    option: str
    forwarding: str
    browser: str
    renew: Callable[[], None] = _nothing
    ssh: Ssh | None = None
    home: str = ""

    def on_head(self, path: str) -> str:
        """A path as the head sees it, with ``~`` replaced by its home."""
        return self.home + path[1:] if path == "~" or path.startswith("~/") else path

    def link(self, id: str) -> str:
        """The page of a job in the dashboard."""
        return f"{self.browser}/#/jobs/{id}"


@contextmanager
def connected_to(
    cluster: Path | None,
    address: str | None,
    *,
    warn: Callable[[str], None] = _nobody,
    send_token: bool = False,
) -> Iterator[Access]:
    """Connects to the cluster of a cluster file, or at a dashboard's address.

    By default the address is that in ``RAY_API_SERVER_ADDRESS``. See :func:`direct` for the rest.

    Raises:
        EnvironmentFault: both or neither are given, it is unreachable, or access is denied.
    """
    if cluster is not None and address is not None:
        raise EnvironmentFault(
            "--cluster and --address cannot be combined", remedy="Use one of them"
        )
    if cluster is not None:
        with through_ssh(cluster, warn=warn) as access:
            yield access
        return
    address = address or os.environ.get("RAY_API_SERVER_ADDRESS")
    if not address:
        raise EnvironmentFault(
            "missing option --cluster or --address",
            remedy="Use --cluster FILE, the file of `ray up`, or --address URL of its dashboard",
        )
    yield direct(address, warn=warn, send_token=send_token)


def direct(
    address: str, *, warn: Callable[[str], None] = _nobody, send_token: bool = False
) -> Access:
    """A direct connection to a dashboard, checked with one request.

    The token is sent only if the dashboard asks for one: to this machine itself, or elsewhere if
    the user allows it. Whoever receives it can run code on every cluster that accepts it.

    Args:
        warn: called before a token is sent unencrypted, and while there is no response.
        send_token: whether it may be sent to another machine.

    Raises:
        EnvironmentFault: it is unreachable, or access is denied.
    """
    api = JobApi(dashboard_url(address), None)
    try:
        with _notifying(api.address, ANSWER_S, warn):
            api.ray_version()
    except TokenRequired:
        api.token = local_token()
        if api.token is None:
            raise
        if not (api.loopback or send_token):
            raise EnvironmentFault(
                "the server denies access without a token, and yours is sent to this machine only",
                where=api.address,
                remedy="If that is your cluster's dashboard, add --send-token; --cluster FILE "
                "connects through ssh instead",
            ) from None
        if not api.loopback and api.address.startswith("http://"):
            warn(
                f"The token is sent to {api.address} unencrypted. "
                "Safer: --cluster FILE connects through ssh."
            )
        api.ray_version()
    option = f"--address {shell_word(api.address)}{' --send-token' if send_token else ''}"
    return Access(api=api, option=option, forwarding="", browser=api.address)


@contextmanager
def through_ssh(cluster: Path, *, warn: Callable[[str], None] = _nobody) -> Iterator[Access]:
    """Connects through ssh to the head of a cluster file, with the token on the head.

    Args:
        warn: called while there is no response.

    Raises:
        EnvironmentFault: no such cluster, or its head denies access.
    """
    head = head_of(cluster)
    ssh = Ssh(head)
    tunnel = Tunnel(ssh)
    with _notifying(f"the head {head.login}", 2 * CONNECT_S, warn):
        tunnel.open()
    with closing(tunnel):
        api = JobApi(f"http://127.0.0.1:{tunnel.port}", tunnel.token)
        try:
            with _notifying(f"Ray's dashboard on {head.login}", ANSWER_S, warn):
                api.ray_version()
        except Unreachable as error:
            raise Unreachable(
                error.what,
                where=f"{head.login}, port {head.port} of its loopback",
                remedy="The ssh connection works. Is Ray running there? `ray up FILE` starts it",
            ) from None

        def renew() -> None:
            tunnel.renew()
            api.token = tunnel.token

        yield Access(
            api=api,
            option=f"--cluster {shell_word(cluster)}",
            forwarding=ssh.by_hand("-N", "-L", f"{DASHBOARD_PORT}:127.0.0.1:{head.port}"),
            browser=f"http://127.0.0.1:{DASHBOARD_PORT}",
            renew=renew,
            ssh=ssh,
            home=tunnel.home,
        )


@contextmanager
def _notifying(where: str, seconds: float, warn: Callable[[str], None]) -> Iterator[None]:
    """Notifies the user once if what is inside takes long.

    Args:
        seconds: until it is given up.
    """
    text = f"{where} has not responded for {NOTIFY_AFTER_S:g} s; waiting up to {seconds:g} s"
    timer = threading.Timer(NOTIFY_AFTER_S, warn, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
