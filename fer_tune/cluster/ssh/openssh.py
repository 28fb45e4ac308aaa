"""OpenSSH and rsync to a head: their command lines, and one message for each error."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_tune.cluster.dashboard import Unreachable
from fer_tune.cluster.ssh.head_node import Head
from fer_tune.errors import EnvironmentFault, reporting
from fer_tune.escaping import shell_word

#: Seconds until ssh gives up connecting: a head that is busy or still booting takes half a minute
#: to respond. A short command may take twice that.
CONNECT_S = 45
#: The head prints this line before its answer: a login may print other text first.
READY_LINE = "fer-tune: connected"
#: ssh's message for a rejected key; with a number it is a file error of rsync.
_DENIED = re.compile(r"Permission denied \((?!\d+\))")
#: Beginnings of lines about the consequences of an error, not its cause.
_CONSEQUENCES = (
    "kex_exchange_identification",
    "Connection closed by",
    "rsync error",
    "rsync: conn",
)


@dataclass(frozen=True)
class Ssh:
    """Runs ssh and rsync to one head, never interactively.

    Host keys are kept separate from the user's known hosts, as clouds reuse addresses. A head is
    trusted at the first connection and must have the same key afterwards. Shared connections of the
    user's configuration are not used: they would outlive this process, and so would our tunnels.
    """

    head: Head

    @property
    def known_hosts(self) -> Path:
        """The file of the hosts' keys."""
        return Path.home() / ".cache" / "fer_tune" / "known_hosts"

    def options(self) -> list[str]:
        """Options of every connection."""
        folder = self.known_hosts.parent
        remedy = "HOME must be a folder that this user can write to"
        with reporting("no folder for the heads' host keys", folder, remedy, EnvironmentFault):
            folder.mkdir(parents=True, exist_ok=True)
        known = str(self.known_hosts).replace("%", "%%")
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(CONNECT_S),
            "ControlMaster": "no",
            "ControlPath": "none",
            "ExitOnForwardFailure": "yes",
            "LogLevel": "ERROR",
            "ServerAliveCountMax": "3",
            "ServerAliveInterval": "10",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": f'"{known}"',  # otherwise a space begins another file
        }
        if self.head.proxy:
            options["ProxyCommand"] = self.head.proxy
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        if self.head.key:
            words += ["-o", "IdentitiesOnly=yes", "-i", str(self.head.key)]
        return words

    def words(self, *more: str, command: str | None = None) -> list[str]:
        """A complete ssh command: options, further ones, the head, and the remote command."""
        words = ["ssh", *self.options(), *more, self.head.login]
        return words if command is None else [*words, f"exec sh -c {shlex.quote(command)}"]

    def run(self, command: str, seconds: float = 2 * CONNECT_S) -> str:
        """Runs a short command on the head; returns its output.

        Raises:
            EnvironmentFault: it failed; Unreachable when the head was not reached in time.
        """
        done = started(self.words(command=f"echo {shlex.quote(READY_LINE)}\n{command}"), seconds)
        if done.returncode:
            raise self.error(done.returncode, done.stderr)
        return done.stdout.partition(f"{READY_LINE}\n")[2]

    def host(self, path: str = "") -> str:
        """A path on the head, as rsync names it."""
        return f"{self.head.login}:{path}"

    def by_hand(self, *more: str) -> str:
        """The ssh command for a user to copy."""
        words = ["ssh", *more]
        if self.head.key:
            words += ["-i", str(self.head.key)]
        if self.head.proxy:
            words += ["-o", f"ProxyCommand={self.head.proxy}"]
        return " ".join(map(shell_word, [*words, self.head.login]))

    def error(self, code: int, said: str, tool: str = "ssh") -> EnvironmentFault:
        """The error for an exit code and the printed text."""
        lines = [line.strip() for line in said.splitlines()]
        telling = [line for line in lines if line and not line.startswith(_CONSEQUENCES)]
        cause = telling[0] if telling else f"exit code {code}"
        where = f"{tool} to {self.head.login}"
        if "HOST IDENTIFICATION HAS CHANGED" in said or "Host key verification failed" in said:
            return EnvironmentFault(
                "the head's host key has changed since the last connection",
                where=where,
                remedy="If the machine was replaced, remove the old key: "
                f"ssh-keygen -R {shell_word(self.head.host)} -f {shell_word(self.known_hosts)}",
            )
        if _DENIED.search(said):
            return EnvironmentFault(
                "the head denies access to this user with this key",
                where=where,
                value=str(self.head.key) if self.head.key else None,
                remedy="`ray attach FILE` must work; a key with a passphrase needs an ssh-agent",
            )
        if tool == "rsync" and "command not found" in said:
            return EnvironmentFault(
                "rsync is not installed on the head", where=where, remedy="Install it there"
            )
        # ssh exits with 255; rsync passes that on, or exits with 12, 30 or 35.
        if code in (255, 12, 30, 35):
            return Unreachable(
                f"the head cannot be reached: {cause}",
                where=where,
                remedy="Is the cluster up, and can this machine reach port 22 of its head?",
            )
        return EnvironmentFault(f"failed: {cause}", where=where)


def rsync(
    ssh: Ssh | None, words: Sequence[str], *, show: bool = False, accepted: Collection[int] = ()
) -> int:
    """Runs rsync, to or from a head or on this machine; returns its exit code.

    Args:
        show: print its output on the terminal.
        accepted: exit codes besides 0 that are no error.

    Raises:
        EnvironmentFault: it failed, or is not installed here or there.
    """
    remote = [] if ssh is None else ["--rsh", shlex.join(["ssh", *ssh.options()])]
    done = started(["rsync", *remote, *words], None, show=show)
    if done.returncode == 0 or done.returncode in accepted:
        return done.returncode
    if ssh is not None:
        raise ssh.error(done.returncode, done.stderr, tool="rsync")
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise EnvironmentFault(f"failed: {said[0]}", where="rsync")


def started(
    words: Sequence[str], seconds: float | None, *, show: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a program from the PATH.

    Raises:
        EnvironmentFault: it is not installed, or (Unreachable) did not end in time.
    """
    try:
        return subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=None if show else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except FileNotFoundError:
        raise missing(words[0]) from None
    except subprocess.TimeoutExpired:
        raise Unreachable(f"did not respond within {seconds:g} s", where=words[0]) from None


def missing(tool: str) -> EnvironmentFault:
    """The error for a program that is not installed."""
    package = {"ssh": "openssh-client"}.get(tool, tool)
    return EnvironmentFault(
        f"{tool} is not installed here", remedy=f"Install it: apt-get install {package}"
    )
