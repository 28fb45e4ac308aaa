"""A head that lets one in by ssh, and its dashboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from job_server import Script, serving
from ssh_server import TOKEN, Server, cluster, sshd, without

from fer_tune.cluster.ssh.dashboard_access import Access, connected_to


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The head, with a token."""
    if reason := without("rsync"):
        pytest.skip(reason)
    with sshd(tmp_path_factory.mktemp("ssh")) as running:
        (running.home / ".ray").mkdir()
        (running.home / ".ray/auth_token").write_text(TOKEN + "\n")
        yield running


@pytest.fixture
def laptop(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has the key to the head."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def dashboard() -> Iterator[Script]:
    """The head's dashboard, with a job."""
    with serving(Script(token=TOKEN, log=["one\n", "two\n"])) as script:
        yield script


@pytest.fixture
def access(laptop: None, server: Server, dashboard: Script) -> Iterator[Access]:
    """The way to both."""
    with connected_to(cluster(server, dashboard), None) as opened:
        yield opened
