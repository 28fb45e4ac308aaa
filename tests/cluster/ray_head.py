"""A real head with token authentication on this machine, apart from anybody else's Ray."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class RayHead:
    """A Ray that runs.

    Attributes:
        address: of its dashboard.
        gcs: where programs join it.
        pid: of its first process.
        home: the home folder of its processes.
        token: file with the token.
    """

    address: str
    gcs: str
    pid: int
    home: Path
    token: Path


@contextmanager
def ray_head(home: Path, *others: str) -> Iterator[RayHead]:
    """Starts a head with two CPUs, and ends all of its processes.

    Args:
        others: further options of ``ray start``.
    """
    home.mkdir(parents=True)
    token = home / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    # Short, as the paths of Ray's sockets may have no more than 107 characters.
    with tempfile.TemporaryDirectory(prefix="fj", ignore_cleanup_errors=True) as temporary:
        ports = _free_ports(6)
        options = dict(
            zip(
                (
                    "port",
                    "dashboard-port",
                    "dashboard-agent-listen-port",
                    "dashboard-agent-grpc-port",
                    "metrics-export-port",
                    "ray-client-server-port",
                ),
                ports,
                strict=True,
            )
        )
        words = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
            *(f"--{name}={port}" for name, port in options.items()),
            *("--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1", "--num-cpus=2"),
            *("--object-store-memory=100000000", f"--temp-dir={temporary}"),
            *("--disable-usage-stats", *others),
        ]
        said = home / "ray.log"
        with said.open("wb") as log:
            process = subprocess.Popen(
                words, stdout=log, stderr=log, env=_environment(home, token), start_new_session=True
            )
        address = f"http://127.0.0.1:{options['dashboard-port']}"
        try:
            _wait_for(address, process, said)
            gcs = f"127.0.0.1:{options['port']}"
            yield RayHead(address, gcs, process.pid, home, token)
        finally:
            _end(process, temporary)


def _environment(home: Path, token: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {
        **clean,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FER_TUNE_BANK": str(home / "bank"),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
    }


def _wait_for(address: str, process: subprocess.Popen[bytes], said: Path) -> None:
    request = urllib.request.Request(
        f"{address}/api/jobs/", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(request, timeout=10):
            return
        time.sleep(0.3)
    raise AssertionError(f"Ray did not start: {said.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes], temporary: str) -> None:
    """Ends the head, and whatever of it is left: processes that name its temporary folder."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end = time.monotonic() + 20
    while (left := _naming(temporary)) and time.monotonic() < end:
        for one in left:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        time.sleep(0.2)


def _naming(text: str) -> list[int]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if text.encode() in file.read_bytes():
                found.append(int(file.parent.name))
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
