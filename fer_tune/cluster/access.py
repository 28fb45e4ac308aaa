"""The way to a cluster's dashboard: its address, the token, and how a person gets there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fer_tune.cluster.head import DASHBOARD_PORT, head_of
from fer_tune.cluster.job_api import JobApi, Unreachable, dashboard_url
from fer_tune.cluster.ssh import Ssh
from fer_tune.cluster.token import local_token
from fer_tune.cluster.tunnel import Tunnel
from fer_tune.errors import EnvironmentFault


def _nothing() -> None:
    """There is nothing to renew on a direct way."""


def _nobody(text: str) -> None:
    """Nobody is there to be warned."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """A cluster that can be talked to.

    Attributes:
        api: its job API.
        option: what names the cluster on the command line, for commands that are told.
        forwarding: the command that makes the dashboard reachable for a browser; empty where
            it is so already.
        browser: address of the dashboard for a browser, once ``forwarding`` runs.
        renew: opens the way again after it was lost; may raise EnvironmentFault.
        ssh: the way to the head's files; None where only the dashboard is known.
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
        """A path as the head sees it, with its home in the place of ``~``."""
        return self.home + path[1:] if path == "~" or path.startswith("~/") else path

    def link(self, id: str) -> str:
        """The page of a job in the dashboard."""
        return f"{self.browser}/#/jobs/{id}"


@contextmanager
def reached(
    cluster: Path | None, address: str | None, warn: Callable[[str], None] = _nobody
) -> Iterator[Access]:
    """The cluster of a cluster file, or at a dashboard's address.

    By default the address is that in ``RAY_API_SERVER_ADDRESS``. ``warn`` is told of a token that
    will be sent in the clear.

    Raises:
        EnvironmentFault: both or neither are given, nothing is there, or it lets nobody in.
    """
    if cluster is not None and address is not None:
        raise EnvironmentFault("--cluster and --address exclude each other", remedy="Give one")
    if cluster is not None:
        with through_ssh(cluster) as access:
            yield access
        return
    address = address or os.environ.get("RAY_API_SERVER_ADDRESS")
    if not address:
        raise EnvironmentFault(
            "which cluster?",
            remedy="Give --cluster FILE, the file of `ray up`, or --address URL of its dashboard",
        )
    yield direct(address, warn)


def direct(address: str, warn: Callable[[str], None] = _nobody) -> Access:
    """The way to a dashboard that can be reached as it is, tried once, after ``warn`` was told.

    Raises:
        EnvironmentFault: nothing there, or it lets nobody in.
    """
    url = dashboard_url(address)
    api = JobApi(url, local_token())
    if api.headers and not api.loopback and url.startswith("http://"):
        warn(f"The token goes to {url} unencrypted. Safer: --cluster FILE goes through ssh.")
    api.ray_version()
    return Access(api=api, option=f"--address {shlex.quote(url)}", forwarding="", browser=url)


@contextmanager
def through_ssh(cluster: Path) -> Iterator[Access]:
    """The way through ssh to the head of a cluster file, with the token that the head has.

    Raises:
        EnvironmentFault: no such cluster, or its head does not let us in.
    """
    head = head_of(cluster)
    ssh = Ssh(head)
    with Tunnel(ssh) as tunnel:
        api = JobApi(f"http://127.0.0.1:{tunnel.port}", tunnel.token)
        try:
            api.ray_version()
        except Unreachable as error:
            raise Unreachable(
                error.what,
                where=f"{head.login}, port {head.port} of its loopback",
                remedy="The head lets us in. Does Ray run there? `ray up FILE` starts it",
            ) from None

        def renew() -> None:
            tunnel.renew()
            api.token = tunnel.token

        yield Access(
            api=api,
            option=f"--cluster {shlex.quote(str(cluster))}",
            forwarding=ssh.by_hand("-N", "-L", f"{DASHBOARD_PORT}:127.0.0.1:{head.port}"),
            browser=f"http://127.0.0.1:{DASHBOARD_PORT}",
            renew=renew,
            ssh=ssh,
            home=tunnel.home,
        )
