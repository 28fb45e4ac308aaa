"""A head that takes half a minute to respond, and connections that are lost on the way to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from job_server import Script, serving
from ssh_server import Server, cluster

from fer_tune.cluster import dashboard
from fer_tune.cluster.dashboard import ANSWER_S, Unreachable
from fer_tune.cluster.job_api import JobApi
from fer_tune.cluster.ssh import dashboard_access, openssh, tunnel
from fer_tune.cluster.ssh.dashboard_access import connected_to
from tests.command_line import Run
from tests.faulty_proxy import (
    LOST_REQUEST,
    LOST_RESPONSE,
    Delay,
    FaultyProxy,
    always,
    every,
    first,
    proxied,
)

#: What the issue is about; the tests themselves wait for a tenth of it.
SLOW_S = 30.0


def port_of(server: Script) -> int:
    return int(server.address.rpartition(":")[2])


def at(proxy: FaultyProxy) -> str:
    return f"http://127.0.0.1:{proxy.port}"


@pytest.fixture(autouse=True)
def in_tenths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits are a tenth of what they are."""
    for module, name in (
        (dashboard_access, "NOTIFY_AFTER_S"),
        (dashboard_access, "ANSWER_S"),
        (dashboard_access, "CONNECT_S"),
        (tunnel, "CONNECT_S"),
        (dashboard, "_PAUSE_S"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)
    assert min(ANSWER_S, openssh.CONNECT_S) > SLOW_S


def test_a_dashboard_that_takes_half_a_minute_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    made = JobApi
    monkeypatch.setattr(
        dashboard_access, "JobApi", lambda *about: made(*about, answer_s=ANSWER_S / 10)
    )
    with serving(Script()) as server, proxied(port_of(server), always(Delay(SLOW_S / 10))) as proxy:
        with connected_to(None, at(proxy), warn=said.append) as access:
            assert access.api.ray_version() == "2.60.0"
        assert said == [f"{at(proxy)} has not responded for 1 s; waiting up to 6 s"]
        proxy.faults = always(Delay(2 * ANSWER_S / 10))
        with (
            pytest.raises(Unreachable, match="did not respond in time"),
            connected_to(None, at(proxy)),
        ):
            pass


@pytest.mark.usefixtures("laptop")
def test_a_head_whose_ssh_takes_half_a_minute_is_waited_for(
    server: Server, dashboard: Script
) -> None:
    said: list[str] = []
    with proxied(server.port, connect_s=SLOW_S / 10) as proxy:
        wrapper = server.folder / "bin" / "ssh"
        kept = wrapper.read_text()
        wrapper.write_text(kept.replace(f"-p {server.port} ", f"-p {proxy.port} "))
        try:
            with connected_to(cluster(server, dashboard), None, warn=said.append) as access:
                assert access.api.ray_version() == "2.60.0"
        finally:
            wrapper.write_text(kept)
    assert len(said) == 1 and said[0].endswith("has not responded for 1 s; waiting up to 9 s")


@pytest.mark.parametrize("fault", [LOST_REQUEST, LOST_RESPONSE], ids=["request", "response"])
def test_a_lost_connection_costs_nothing_that_may_be_asked_again(
    fault: object, tmp_path: Path
) -> None:
    file = tmp_path / "p.zip"
    file.write_bytes(b"whatever" * 100_000)
    with serving(Script()) as server, proxied(port_of(server), every(2, fault)) as proxy:  # type: ignore[arg-type]
        api = JobApi(at(proxy), None)
        for _ in range(3):
            assert [job.id for job in api.jobs()] == ["one-20261127-0312"]
        api.put_package("p.zip", file)
        api.put_package("q.zip", file)
        assert server.packages == {"p.zip": file.read_bytes(), "q.zip": file.read_bytes()}
        assert proxy.faulty


def test_a_connection_that_is_always_lost_is_one_message() -> None:
    with serving(Script()) as server, proxied(port_of(server), always(LOST_RESPONSE)) as proxy:
        with pytest.raises(Unreachable, match="cannot be reached"):
            JobApi(at(proxy), None).jobs()
        assert len(proxy.requests) == 3


def test_a_job_is_submitted_once_although_the_response_is_lost(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("submit", "quickstart", "--data", "/d", "--results", "/r", "-d", "--address")
    with serving(Script()) as server, proxied(port_of(server)) as proxy:
        server.details = lambda: {  # type: ignore[method-assign]
            **Script.details(server),
            "submission_id": server.submitted[-1]["submission_id"] if server.submitted else "one",
        }
        proxy.faults = first(LOST_RESPONSE, "POST")
        done = run(*words, at(proxy))
        assert done.code == 0 and len(server.submitted) == 1, done
        assert f"fer-tune logs {server.submitted[0]['submission_id']}" in done.err
        proxy.faults = first(LOST_REQUEST, "POST")
        done = run(*words, at(proxy))
        assert done.code == 2 and len(server.submitted) == 1
        assert "It may have been accepted. Before you submit it again, check:" in done.err
