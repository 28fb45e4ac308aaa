"""The way to a cluster's dashboard: its address, the token, and how a person gets there."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from fer_tune.cluster.job_api import JobApi, dashboard_url
from fer_tune.cluster.token import local_token
from fer_tune.errors import EnvironmentFault


def _nothing() -> None:
    """There is nothing to renew on a direct way."""


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
    """

    api: JobApi
    option: str
    forwarding: str
    browser: str
    renew: Callable[[], None] = _nothing

    def link(self, id: str) -> str:
        """The page of a job in the dashboard."""
        return f"{self.browser}/#/jobs/{id}"


@contextmanager
def reached(address: str | None) -> Iterator[Access]:
    """The cluster at a dashboard's address, by default that in ``RAY_API_SERVER_ADDRESS``.

    Raises:
        EnvironmentFault: no address, nothing there, or it lets nobody in.
    """
    address = address or os.environ.get("RAY_API_SERVER_ADDRESS")
    if not address:
        raise EnvironmentFault(
            "which cluster?",
            remedy="Give --address URL of its dashboard, or set RAY_API_SERVER_ADDRESS",
        )
    yield direct(address)


def direct(address: str) -> Access:
    """The way to a dashboard that can be reached as it is, tried once.

    Raises:
        EnvironmentFault: nothing there, or it lets nobody in.
    """
    url = dashboard_url(address)
    api = JobApi(url, local_token())
    api.ray_version()
    port = urlsplit(url).port or 80
    return Access(
        api=api,
        option=f"--address {shlex.quote(url)}",
        forwarding=f"ssh -N -L {port}:127.0.0.1:{port} HEAD" if api.loopback else "",
        browser=url,
    )
