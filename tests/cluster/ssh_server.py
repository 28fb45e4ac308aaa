"""A real OpenSSH server on the loopback, with keys and a home folder of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from job_server import Script

#: Where Debian puts the server, which is not on everybody's path.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
#: Of the cluster whose head this is.
TOKEN = "0123456789abcdef"


@dataclass(frozen=True)
class Server:
    """The head of a cluster, as far as ssh is concerned.

    Attributes:
        folder: of everything.
        home: the home folder on the "head".
        port: of sshd.
        key: that lets in.
        process: sshd.
    """

    folder: Path
    home: Path
    port: int
    key: Path
    process: subprocess.Popen[bytes]

    def cluster_file(self, name: str = "cluster.yaml", **more: object) -> Path:
        """A cluster file of this head."""
        auth = {"ssh_user": getpass.getuser(), "ssh_private_key": str(self.key)}
        provider = {"type": "local", "head_ip": "127.0.0.1", "worker_ips": []}
        config = {"cluster_name": "one", "provider": provider, "auth": auth, **more}
        path = self.folder / name
        path.write_text(yaml.safe_dump(config))
        return path

    @property
    def environment(self) -> dict[str, str]:
        """For processes that go there: `ssh` finds the port, and nobody's own files are touched."""
        laptop = self.folder / "laptop"
        laptop.mkdir(exist_ok=True)
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(laptop)}


def without(*tools: str) -> str:
    """Why tests with ssh are skipped here; empty when they can run."""
    missing = [tool for tool in ("ssh", "ssh-keygen", "sshd", *tools) if not _found(tool)]
    return f"not installed here: {', '.join(missing)}" if missing else ""


@contextmanager
def sshd(folder: Path) -> Iterator[Server]:
    """Runs sshd below ``folder``."""
    home = folder / "head"
    home.mkdir(parents=True)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    shutil.copy(folder / "user.pub", folder / "authorized")
    port = _free_port()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\n"
        f"AuthorizedKeysFile {folder / 'authorized'}\nPidFile none\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"PermitRootLogin prohibit-password\nSetEnv HOME={home}\n"
    )
    wrapper = folder / "bin" / "ssh"
    wrapper.parent.mkdir()
    config = folder / "ssh_config"  # stands for the user's own
    config.touch()
    wrapper.write_text(f'#!/bin/sh\nexec {_found("ssh")} -F {config} -p {port} "$@"\n')
    wrapper.chmod(0o755)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd separates its privileges
    said = folder / "sshd.log"
    with said.open("wb") as log:
        command = [str(_found("sshd")), "-D", "-e", "-f", str(folder / "sshd_config")]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_it_listens(port, process, said)
        yield Server(folder, home, port, folder / "user", process)
    finally:
        process.terminate()
        process.wait(10)


def cluster(server: Server, dashboard: Script | None, **more: object) -> Path:
    """A cluster file whose head is ``server``; without ``dashboard`` nothing is at its port."""
    port = dashboard.address.rpartition(":")[2] if dashboard else "9"
    start = [f"ray start --head --dashboard-port={port}"]
    return server.cluster_file(head_start_ray_commands=start, **more)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.skip(f"sshd does not run here: {said.read_text().strip()[-300:]}")


def _found(tool: str) -> str | None:
    return shutil.which(tool, path=_PATH)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
