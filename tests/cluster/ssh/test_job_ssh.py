"""The way through ssh, to a real sshd on the loopback: head, tunnel, token."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from job_server import Script
from ssh_server import TOKEN, Server, cluster

from fer_tune.cluster.dashboard import Unreachable
from fer_tune.cluster.ssh.dashboard_access import connected_to
from fer_tune.cluster.ssh.head_node import head_of
from fer_tune.cluster.ssh.openssh import Ssh, rsync
from fer_tune.cluster.ssh.tunnel import Tunnel
from fer_tune.errors import EnvironmentFault

pytestmark = pytest.mark.usefixtures("laptop")


def children_of(group: int) -> list[int]:
    """Processes of a group, the zombies left out."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = file.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has just ended
        if int(its_group) == group and state != "Z":
            found.append(int(file.parent.name))
    return found


def test_through_the_tunnel_with_the_heads_token(server: Server, dashboard: Script) -> None:
    with connected_to(cluster(server, dashboard), None) as access:
        assert access.api.ray_version() == "2.60.0"
        assert access.api.address.startswith("http://127.0.0.1:")
        assert access.api.address != dashboard.address, "not past the tunnel"
        assert access.home == str(server.home)
        assert access.option.startswith("--cluster ")
        assert f"127.0.0.1:{dashboard.address.rpartition(':')[2]}" in access.forwarding


def test_the_way_ends_with_us_and_can_be_renewed(server: Server, dashboard: Script) -> None:
    tunnel = Tunnel(Ssh(head_of(cluster(server, dashboard))))
    tunnel.open()
    with closing(tunnel):
        assert tunnel._process is not None
        first = tunnel._process.pid
        assert children_of(first)
        tunnel.renew()
        assert tunnel._process.pid == first, "it is still there"
        port = tunnel.port
        os.killpg(first, signal.SIGKILL)
        tunnel._process.wait()
        tunnel.renew()
        assert tunnel.port == port and tunnel._process.pid != first
        second = tunnel._process.pid
        assert tunnel.token == TOKEN
    assert children_of(second) == []


KILLED = """
import sys, time
from pathlib import Path
from fer_tune.cluster.ssh.head_node import head_of
from fer_tune.cluster.ssh.openssh import Ssh
from fer_tune.cluster.ssh.tunnel import Tunnel
tunnel = Tunnel(Ssh(head_of(Path(sys.argv[1]))))
tunnel.open()
print(tunnel._process.pid, flush=True)
time.sleep(60)
"""


def test_ssh_does_not_outlive_us_even_when_we_are_killed(server: Server, dashboard: Script) -> None:
    file = cluster(server, dashboard)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        tunnel = int(victim.stdout.readline())
        assert children_of(tunnel)
        victim.kill()
    end = time.monotonic() + 10
    while children_of(tunnel):
        assert time.monotonic() < end, "ssh is still there"
        time.sleep(0.05)


def test_a_head_without_a_token(server: Server, dashboard: Script) -> None:
    token = server.home / ".ray/auth_token"
    kept = token.rename(server.home / "kept")
    try:
        with (
            pytest.raises(EnvironmentFault, match="requires a token"),
            connected_to(cluster(server, dashboard), None),
        ):
            pass
    finally:
        kept.rename(token)


def test_another_key_is_not_let_in(server: Server, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True
    )
    head = replace(head_of(cluster(server, None)), key=tmp_path / "other")
    for attempt in (lambda: Tunnel(Ssh(head)).open(), lambda: Ssh(head).run("true")):
        with pytest.raises(EnvironmentFault, match="denies access to this user") as caught:
            attempt()
        assert not isinstance(caught.value, Unreachable)


def test_a_file_that_may_not_be_written_is_no_refused_key(server: Server) -> None:
    ssh = Ssh(head_of(cluster(server, None)))
    said = 'rsync: [Receiver] mkdir "/srv/faces" failed: Permission denied (13)\n'
    error = str(ssh.error(11, said, tool="rsync"))
    assert "Permission denied (13)" in error and "key" not in error
    with pytest.raises(EnvironmentFault, match="cannot create directory") as caught:
        ssh.run("echo \"mkdir: cannot create directory '/srv': Permission denied\" >&2; exit 1")
    assert "key" not in str(caught.value)


def test_a_connection_that_the_user_shares_is_left_alone(server: Server, dashboard: Script) -> None:
    """One kept open by ssh's own configuration would keep our way open when we are gone."""
    config, shared = server.folder / "ssh_config", server.folder / "shared"
    config.write_text(f"ControlMaster auto\nControlPath {shared}\nControlPersist 20\n")
    try:
        with connected_to(cluster(server, dashboard), None) as access:
            assert access.ssh is not None and access.ssh.run("echo there") == "there\n"
            assert not shared.exists()
        port = int(access.api.address.rpartition(":")[2])
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
    finally:
        if shared.exists():
            subprocess.run(["ssh", "-S", str(shared), "-O", "exit", "x"], check=False)
        config.write_text("")


def test_a_home_folder_with_spaces(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "two words 100%"
    monkeypatch.setenv("HOME", str(home))
    ssh = Ssh(head_of(cluster(server, None)))
    ssh.run("true")
    assert "ssh-ed25519" in ssh.known_hosts.read_text()
    ssh.known_hosts.unlink()
    rsync(ssh, [ssh.host("/dev/null"), f"{tmp_path}/"])
    assert "ssh-ed25519" in ssh.known_hosts.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {home.name}


def test_no_home_folder(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc/none")
    with pytest.raises(EnvironmentFault, match="HOME must be a folder"):
        Ssh(head_of(cluster(server, None))).run("true")


def test_what_a_login_prints_is_no_answer(server: Server) -> None:
    (server.home / ".bashrc").write_text("echo welcome; echo to this machine\n")
    try:
        assert Ssh(head_of(cluster(server, None))).run("echo yes") == "yes\n"
    finally:
        (server.home / ".bashrc").unlink()


def test_another_machine_at_the_same_address(server: Server, tmp_path: Path) -> None:
    """A host key that changed is no reason to go on in silence."""
    head = head_of(cluster(server, None))
    ssh = Ssh(head)
    assert ssh.run("echo $HOME").strip() == str(server.home)
    kept = ssh.known_hosts.read_text()
    other = (server.folder / "user.pub").read_text().split()[:2]
    ssh.known_hosts.write_text(" ".join([kept.split()[0], *other]) + "\n")
    try:
        for attempt in (lambda: Tunnel(ssh).open(), lambda: ssh.run("true")):
            with pytest.raises(EnvironmentFault, match=r"ssh-keygen -R 127\.0\.0\.1"):
                attempt()
    finally:
        ssh.known_hosts.write_text(kept)


def test_nobody_at_that_address(server: Server) -> None:
    head = replace(head_of(cluster(server, None)), proxy="sh -c 'echo no route to it >&2; exit 1'")
    with pytest.raises(Unreachable, match="cannot be reached: no route to it"):
        Tunnel(Ssh(head)).open()


def test_the_tunnel_is_there_but_no_dashboard(server: Server) -> None:
    said = "@127.0.0.1, port 9 of its loopback: .*Is Ray running there"
    with pytest.raises(Unreachable, match=said), connected_to(cluster(server, None), None):
        pass


def test_the_head_is_asked_of_no_cloud_on_premises(server: Server) -> None:
    file = server.cluster_file(
        metadata={"fer_tune": {"results": "/mnt/results"}}, file_mounts={"~/faces": "data/faces"}
    )
    head = head_of(file)
    assert (head.host, head.port, head.results) == ("127.0.0.1", 8265, "/mnt/results")
    assert head.key == server.key and head.mounts == {"~/faces": "data/faces"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"auth": {"ssh_user": "me", "ssh_private_key": "/no/such/key"}}, "/no/such/key"),
        ({"auth": {}}, "auth.ssh_user or provider is missing"),
        ({"apiVersion": "ray.io/v1"}, "kubectl port-forward"),
        ({"metadata": "mine"}, "metadata: must be a mapping"),
        ({"metadata": {"fer_tune": "/results"}}, "metadata.fer_tune: must be a mapping"),
        ({"metadata": {"fer_tune": {"results": 5}}}, "must be a path or URL"),
        ({"file_mounts": ["~/faces"]}, "file_mounts: must be a mapping"),
        ({"docker": {"image": "me/fer-tune:1"}}, "ray dashboard .* and use --address http://127"),
    ],
)
def test_files_without_a_head(server: Server, change: dict[str, object], said: str) -> None:
    with pytest.raises(EnvironmentFault, match=said):
        head_of(server.cluster_file("other.yaml", **change))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"none\.yaml: cannot be read"):
        head_of(tmp_path / "none.yaml")
