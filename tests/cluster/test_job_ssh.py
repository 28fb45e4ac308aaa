"""The way through ssh, to a real sshd on the loopback: tunnel, token, data."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from job_server import Script, serving
from ssh_server import Server, sshd, without

from fer_tune.cluster.access import Access, reached
from fer_tune.cluster.data_copy import _copy, on_cluster
from fer_tune.cluster.head import head_of
from fer_tune.cluster.job_api import Unreachable
from fer_tune.cluster.ssh import Ssh, rsync
from fer_tune.cluster.tunnel import Tunnel
from fer_tune.data import PackedDataset
from fer_tune.errors import DataError, EnvironmentFault

pytestmark = pytest.mark.skipif(bool(without("rsync")), reason=without("rsync"))
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with sshd(tmp_path_factory.mktemp("ssh")) as running:
        (running.home / ".ray").mkdir()
        (running.home / ".ray/auth_token").write_text(TOKEN + "\n")
        yield running


@pytest.fixture(autouse=True)
def laptop(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def dashboard() -> Iterator[Script]:
    with serving(Script(token=TOKEN, log=["one\n", "two\n"])) as script:
        yield script


def cluster(server: Server, dashboard: Script | None, **more: object) -> Path:
    port = dashboard.address.rpartition(":")[2] if dashboard else "9"
    start = [f"ray start --head --dashboard-port={port}"]
    return server.cluster_file(head_start_ray_commands=start, **more)


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
    with reached(cluster(server, dashboard), None) as access:
        assert access.api.ray_version() == "2.60.0"
        assert access.api.address.startswith("http://127.0.0.1:")
        assert access.api.address != dashboard.address, "not past the tunnel"
        assert access.home == str(server.home)
        assert access.option.startswith("--cluster ")
        assert f"127.0.0.1:{dashboard.address.rpartition(':')[2]}" in access.forwarding


def test_the_way_ends_with_us_and_can_be_renewed(server: Server, dashboard: Script) -> None:
    tunnel = Tunnel(Ssh(head_of(cluster(server, dashboard))))
    with tunnel:
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
from fer_tune.cluster.head import head_of
from fer_tune.cluster.ssh import Ssh
from fer_tune.cluster.tunnel import Tunnel
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
            pytest.raises(EnvironmentFault, match="asks for a token"),
            reached(cluster(server, dashboard), None),
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
        with pytest.raises(EnvironmentFault, match="does not let this user in") as caught:
            attempt()
        assert not isinstance(caught.value, Unreachable)


def test_a_file_that_may_not_be_written_is_no_refused_key(server: Server) -> None:
    ssh = Ssh(head_of(cluster(server, None)))
    said = 'rsync: [Receiver] mkdir "/srv/faces" failed: Permission denied (13)\n'
    fault = str(ssh.fault(11, said, tool="rsync"))
    assert "Permission denied (13)" in fault and "key" not in fault
    with pytest.raises(EnvironmentFault, match="cannot create directory") as caught:
        ssh.run("echo \"mkdir: cannot create directory '/srv': Permission denied\" >&2; exit 1")
    assert "key" not in str(caught.value)


def test_a_connection_that_the_user_shares_is_left_alone(server: Server, dashboard: Script) -> None:
    """One kept open by ssh's own configuration would keep our way open when we are gone."""
    config, shared = server.folder / "ssh_config", server.folder / "shared"
    config.write_text(f"ControlMaster auto\nControlPath {shared}\nControlPersist 20\n")
    try:
        with reached(cluster(server, dashboard), None) as access:
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
    with pytest.raises(EnvironmentFault, match="HOME must name a folder"):
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
    said = "@127.0.0.1, port 9 of its loopback: .*Does Ray run there"
    with pytest.raises(Unreachable, match=said), reached(cluster(server, None), None):
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
        ({"auth": {}}, "lacks auth.ssh_user"),
        ({"apiVersion": "ray.io/v1"}, "kubectl port-forward"),
        ({"metadata": "mine"}, "metadata: must hold keys"),
        ({"metadata": {"fer_tune": "/results"}}, "metadata.fer_tune: must hold keys"),
        ({"metadata": {"fer_tune": {"results": 5}}}, "must be a path or URL"),
        ({"file_mounts": ["~/faces"]}, "file_mounts: must hold keys"),
        ({"docker": {"image": "me/fer-tune:1"}}, "ray dashboard .* and give --address http://127"),
    ],
)
def test_files_without_a_head(server: Server, change: dict[str, object], said: str) -> None:
    with pytest.raises(EnvironmentFault, match=said):
        head_of(server.cluster_file("other.yaml", **change))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"none\.yaml: cannot be read"):
        head_of(tmp_path / "none.yaml")


# -- data ------------------------------------------------------------------------------------


@pytest.fixture
def access(server: Server, dashboard: Script) -> Iterator[Access]:
    with reached(cluster(server, dashboard), None) as opened:
        yield opened


@pytest.fixture
def here(faces: PackedDataset, tmp_path: Path) -> Path:
    """A dataset that is on this "laptop" alone: the head's root is ours, but its home is not."""
    return Path(shutil.copytree(faces.root, tmp_path / "two words" / "faces"))


def placed(data: Path | str, access: Access) -> tuple[str, list[str]]:
    notes: list[str] = []
    return on_cluster(str(data), access, notes.append, show=False), notes


def elsewhere(here: Path, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same path does not lead to the dataset on the head."""
    real = Ssh.run

    def run(self: Ssh, command: str, seconds: float = 30.0) -> str:
        return real(self, command.replace(str(here.resolve()), "/not/here"), seconds)

    monkeypatch.setattr(Ssh, "run", run)


def test_a_dataset_is_copied_once_by_fingerprint(
    here: Path, access: Access, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(here, access, monkeypatch)
    there, notes = placed(here, access)
    dataset = PackedDataset.open(here)
    assert there == f"{server.home}/fer_tune/data/{dataset.fingerprint[:16]}"
    assert "copying" in notes[0]
    assert PackedDataset.open(there).fingerprint == dataset.fingerprint
    assert [path.name for path in Path(there).parent.iterdir()] == [dataset.fingerprint[:16]]
    stamp = Path(there, "pixels.bin").stat().st_mtime_ns
    again, notes = placed(here, access)
    assert again == there and "already" in notes[0]
    assert Path(there, "pixels.bin").stat().st_mtime_ns == stamp
    # One that was cut short is no longer that dataset.
    with Path(there, "pixels.bin").open("r+b") as pixels:
        pixels.truncate(10)
    assert placed(here, access)[0] == there
    assert len(PackedDataset.open(there)) == len(dataset)
    shutil.rmtree(there)


def test_two_that_copy_the_same_dataset(here: Path, access: Access, server: Server) -> None:
    """The second finds its copy in place already, and must not take it away again."""
    assert access.ssh is not None
    there = f"{server.home}/fer_tune/data/twice"
    real, turns = Ssh.run, 0

    def run(self: Ssh, command: str, seconds: float = 30.0) -> str:
        nonlocal turns
        if " && mv " in command and not turns:
            turns = 1
            real(self, command, seconds)  # of the first, at the very moment
        return real(self, command, seconds)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Ssh, "run", run)
        _copy(here, there, access, show=False)
    assert turns and len(PackedDataset.open(Path(there))) > 0
    shutil.rmtree(there)


def test_a_path_of_the_cluster_that_may_not_be_looked_at_here(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/root/faces` of the head, from a laptop whose `/root` is closed to its user."""

    def closed(path: object, *more: object, **keywords: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", closed)
    assert placed("/root/faces", access)[0] == "/root/faces"


def test_a_shared_folder_needs_no_copy(here: Path, access: Access, server: Server) -> None:
    assert placed(here, access)[0] == str(here.resolve())
    assert not (server.home / "fer_tune").exists() or not list(
        (server.home / "fer_tune/data").iterdir()
    )


def test_where_file_mounts_put_it(here: Path, server: Server, dashboard: Script) -> None:
    shutil.copytree(here, server.home / "faces")
    file = cluster(server, dashboard, file_mounts={"~/faces": str(here)})
    with reached(file, None) as access:
        assert placed(here, access)[0] == str(server.home / "faces")
        # It is of no use when the dataset here is another by now.
        description = server.home / "faces/dataset.json"
        kept = description.read_text()
        dataset = PackedDataset.open(here)
        for other in ("[]", kept.replace(dataset.fingerprint, dataset.fingerprint[::-1])):
            description.write_text(other)
            assert placed(here, access)[0] == str(here.resolve())
    shutil.rmtree(server.home / "faces")


def test_what_is_the_clusters_own(access: Access) -> None:
    for data in ("/srv/faces", "~/faces"):
        assert placed(data, access) == (data, [])
    there, (note,) = placed("s3://bucket/faces", access)
    assert there == "s3://bucket/faces" and note.startswith("fetched by the head")
    with pytest.raises(DataError, match="neither a packed dataset here nor"):
        placed("faces", access)


# -- the whole way ---------------------------------------------------------------------------


def submitted(tree: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """``fer-tune submit quickstart WORDS``, by somebody who stands in ``tree``."""
    return subprocess.run(
        [sys.executable, "-m", "fer_tune", "submit", "quickstart", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        timeout=120,
        check=False,
    )


def test_credentials_of_the_cluster_file_go_into_no_command(
    server: Server, dashboard: Script, tmp_path: Path
) -> None:
    file = cluster(server, dashboard, metadata={"fer_tune": {"results": "s3://key:hush@b/r"}})
    done = submitted(tmp_path, "--cluster", file, "--data", "/srv/faces", "--detach")
    assert done.returncode == 2 and "holds credentials" in done.stderr
    assert "hush" not in done.stderr and dashboard.submitted == [] and not dashboard.packages


def test_submit_goes_there_and_follows(
    faces: PackedDataset, server: Server, dashboard: Script, tmp_path: Path
) -> None:
    usual = dashboard.details()
    dashboard.details = lambda: {  # type: ignore[method-assign]
        **usual,
        "status": dashboard.state,
        "submission_id": dashboard.submitted[-1]["submission_id"] if dashboard.submitted else "x",
    }
    file = cluster(server, dashboard, metadata={"fer_tune": {"results": "/mnt/results/"}})
    done = submitted(tmp_path, "--cluster", file, "--data", faces.root)
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n"), done.stderr
    (sent,) = dashboard.submitted
    results = f"/mnt/results/{sent['submission_id']}"
    assert f"--results {results} --data {faces.root} --address auto" in sent["entrypoint"]
    assert "ssh -N -L 8265:127.0.0.1:" in done.stderr
    link = f"http://127.0.0.1:8265/#/jobs/{sent['submission_id']}"
    assert link in done.stderr
