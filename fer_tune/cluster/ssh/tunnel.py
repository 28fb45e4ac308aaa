"""An ssh tunnel to the dashboard on a head's loopback, which ends with this process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress

from fer_tune.cluster.ssh.openssh import CONNECT_S, READY_LINE, Ssh, missing
from fer_tune.cluster.ssh.token import DEFAULT, checked

#: Prints the ready line, the head's home folder and the token, and ends when this process does:
#: its input is a pipe that is closed with us.
_COMMAND = f"""\
printf '%s\\n%s\\n' '{READY_LINE}' "$HOME"
head -c 4096 "${{RAY_AUTH_TOKEN_PATH:-$HOME/{DEFAULT}}}" 2>/dev/null | head -n 1 | tr -d '\\r\\n'
echo
exec cat >/dev/null
"""


class Tunnel:
    """An ssh process that forwards a port of this machine to the head's dashboard.

    Attributes:
        port: on this machine's loopback, the same after :meth:`renew`.
        home: the home folder on the head.
        token: of the cluster, as the head has it; None without one.
    """

    def __init__(self, ssh: Ssh) -> None:
        self._ssh = ssh
        self._process: subprocess.Popen[str] | None = None
        self.port = _free_port()
        self.home = ""
        self.token: str | None = None

    def open(self) -> None:
        """Opens the tunnel and waits until it is connected.

        Raises:
            EnvironmentFault: the head denies access; Unreachable when it cannot be reached.
        """
        forward = f"127.0.0.1:{self.port}:127.0.0.1:{self._ssh.head.port}"
        words = self._ssh.words("-T", "-L", forward, command=_COMMAND)
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            try:
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    text=True,
                    errors="replace",
                    start_new_session=True,  # Ctrl-C is for this process; ends as a group
                )
            except FileNotFoundError:
                raise missing("ssh") from None
            self._process = process
            limit = threading.Timer(2 * CONNECT_S, _end_group, [process])
            limit.start()
            try:
                opened = self._read_greeting(process)
            except BaseException:
                self.close()
                raise
            finally:
                limit.cancel()
            if not opened:
                self.close()
                said.seek(0)
                raise self._ssh.error(255, said.read() or "no response in time")

    def renew(self) -> None:
        """Reopens the tunnel if it was lost; raises as :meth:`open` does."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self.open()

    def close(self) -> None:
        """Ends ssh and whatever it started."""
        process, self._process = self._process, None
        if process is None:
            return
        _end_group(process)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _read_greeting(self, process: subprocess.Popen[str]) -> bool:
        """Reads home and token after the ready line; False if ssh ended before."""
        assert process.stdout is not None
        for line in process.stdout:
            if line.rstrip("\n") == READY_LINE:
                self.home = process.stdout.readline().rstrip("\n")
                token = process.stdout.readline().strip()
                self.token = checked(token, f"token on {self._ssh.head.host}") if token else None
                return bool(self.home)
        return False


def _end_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
