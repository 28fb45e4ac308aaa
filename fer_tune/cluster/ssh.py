"""OpenSSH and rsync to a head: their words, and their faults as one message each."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_tune.cluster.head import Head
from fer_tune.cluster.job_api import Unreachable
from fer_tune.errors import EnvironmentFault

#: Seconds until ssh gives up connecting; twice that until a short command must have answered.
CONNECT_S = 15
#: Line that the head prints before its answer: a login may print words of its own first.
MARK = "fer-tune: the way is open"
#: What ssh says to a key that is not let in; a number there is a file's fault, told by rsync.
_NOT_LET_IN = re.compile(r"Permission denied \((?!\d+\))")
#: How lines begin that tell of a fault's consequences, not of its cause.
_SEQUELS = ("kex_exchange_identification", "Connection closed by", "rsync error", "rsync: conn")


@dataclass(frozen=True)
class Ssh:
    """Ways to run ssh and rsync to one head, which never ask anything.

    Hosts are kept apart from the user's own known ones: a cloud gives addresses out again. A
    head is taken as it is the first time and must be the same afterwards. Connections that the
    user's configuration shares are left alone: they would outlive us, and our ways with them.
    """

    head: Head

    @property
    def known_hosts(self) -> Path:
        """The file of the hosts' keys."""
        return Path.home() / ".cache" / "fer_tune" / "known_hosts"

    def options(self) -> list[str]:
        """Options of every connection."""
        try:
            self.known_hosts.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFault(
                f"no place to remember heads in: {error.strerror}",
                where=str(self.known_hosts.parent),
                remedy="HOME must name a folder that this user may write",
            ) from None
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
            "UserKnownHostsFile": f'"{known}"',  # else a space begins another file
        }
        if self.head.proxy:
            options["ProxyCommand"] = self.head.proxy
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        if self.head.key:
            words += ["-o", "IdentitiesOnly=yes", "-i", str(self.head.key)]
        return words

    def words(self, *more: str, command: str | None = None) -> list[str]:
        """A whole ssh command: options, more of them, the head, and what it runs."""
        words = ["ssh", *self.options(), *more, self.head.login]
        return words if command is None else [*words, f"exec sh -c {shlex.quote(command)}"]

    def run(self, command: str, seconds: float = 2 * CONNECT_S) -> str:
        """What a short command prints on the head.

        Raises:
            EnvironmentFault: it failed; Unreachable when the head was not reached in time.
        """
        done = started(self.words(command=f"echo {shlex.quote(MARK)}\n{command}"), seconds)
        if done.returncode:
            raise self.fault(done.returncode, done.stderr)
        return done.stdout.partition(f"{MARK}\n")[2]

    def host(self, path: str = "") -> str:
        """A path on the head, as rsync names it."""
        return f"{self.head.login}:{path}"

    def by_hand(self, *more: str) -> str:
        """The ssh command that a person would type."""
        words = ["ssh", *more]
        if self.head.key:
            words += ["-i", str(self.head.key)]
        if self.head.proxy:
            words += ["-o", f"ProxyCommand={self.head.proxy}"]
        return shlex.join([*words, self.head.login])

    def fault(self, code: int, said: str, tool: str = "ssh") -> EnvironmentFault:
        """What went wrong, from the exit code and what was printed."""
        lines = [line.strip() for line in said.splitlines()]
        telling = [line for line in lines if line and not line.startswith(_SEQUELS)]
        cause = telling[0] if telling else f"exit code {code}"
        where = f"{tool} to {self.head.login}"
        if "HOST IDENTIFICATION HAS CHANGED" in said or "Host key verification failed" in said:
            return EnvironmentFault(
                "the head is not the one that answered at this address before",
                where=where,
                remedy="If the machine was replaced, forget the old one: "
                f"ssh-keygen -R {self.head.host} -f {self.known_hosts}",
            )
        if _NOT_LET_IN.search(said):
            return EnvironmentFault(
                "the head does not let this user in with this key",
                where=where,
                value=str(self.head.key) if self.head.key else None,
                remedy="`ray attach FILE` must work; a key with a passphrase wants an ssh-agent",
            )
        if tool == "rsync" and "command not found" in said:
            return EnvironmentFault(
                "there is no rsync on the head", where=where, remedy="Install it there"
            )
        # ssh itself ends with 255, and rsync hands that on or ends with 12, 30 or 35 in the midst.
        if code in (255, 12, 30, 35):
            return Unreachable(
                f"the head cannot be reached: {cause}",
                where=where,
                remedy="Is the cluster up, and may this machine reach port 22 of its head?",
            )
        return EnvironmentFault(f"failed: {cause}", where=where)


def rsync(
    ssh: Ssh | None, words: Sequence[str], *, show: bool = False, accepted: Collection[int] = ()
) -> int:
    """Runs rsync, to or from a head or on this machine; returns its exit code.

    Args:
        show: what it prints goes to the terminal.
        accepted: exit codes that are no fault, beside 0.

    Raises:
        EnvironmentFault: it failed, or there is none here or there.
    """
    remote = [] if ssh is None else ["--rsh", shlex.join(["ssh", *ssh.options()])]
    done = started(["rsync", *remote, *words], None, show=show)
    if done.returncode == 0 or done.returncode in accepted:
        return done.returncode
    if ssh is not None:
        raise ssh.fault(done.returncode, done.stderr, tool="rsync")
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise EnvironmentFault(f"failed: {said[0]}", where="rsync")


def started(
    words: Sequence[str], seconds: float | None, *, show: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a program that is looked for on the path.

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
        raise Unreachable(f"did not answer within {seconds:g} s", where=words[0]) from None


def missing(tool: str) -> EnvironmentFault:
    """A program that is not here."""
    package = {"ssh": "openssh-client"}.get(tool, tool)
    return EnvironmentFault(
        f"{tool} is not installed here", remedy=f"Install it: apt-get install {package}"
    )
