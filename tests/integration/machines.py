"""Several machines on one: Linux namespaces with a network, processes and an sshd of their own.

Each machine has its own address, host name, process space, ``/root``, ``/tmp``, ``/run`` and
``/dev/shm``; the rest of the file system is this machine's. ``/mnt/fer_tune`` stands for a
network file system. A laptop is on the same network, in a namespace without processes of its own.
Nothing is added to the network that this machine itself is on. Needs root, iproute2, util-linux,
openssh-server, rsync and curl.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

#: What has to be installed, by the name of the command.
COMMANDS = ("ip", "unshare", "sshd", "ssh", "ssh-keygen", "rsync", "curl")
#: Folders that every machine has for itself.
OWN = ("root", "tmp", "run")
SHARED = "/mnt/fer_tune"

_SSHD = """\
ListenAddress {address}
HostKey /run/hostkey
PidFile /run/sshd.pid
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
MaxStartups 50
Subsystem sftp internal-sftp
SetEnv PATH={path}
"""

# The life of a machine. It ends with this shell, and everything on it ends with it.
_BOOT = """\
set -e
mount --make-rprivate /
mount -t proc proc /proc
hostname {name}
mount -t tmpfs -o size=2g tmpfs /dev/shm
mount -t tmpfs tmpfs /mnt
mkdir {shared}
mount --bind {state}/shared {shared}
{seen}
mount --bind {here}/run/resolv.conf /etc/resolv.conf
mount --bind {here}/run/hosts /etc/hosts
mount --rbind {here}/run /run
mount --rbind {here}/root /root
mount --rbind {here}/tmp /tmp
mkdir -p /run/sshd
exec {sshd} -D -e -f /run/sshd_config 2>/run/sshd.log
"""


def missing() -> str | None:
    """Why there can be no machines here; None if there can."""
    if os.geteuid() != 0:
        return "needs root, for namespaces"
    lacking = [name for name in COMMANDS if shutil.which(name, path=_path()) is None]
    if lacking:
        return f"needs {', '.join(lacking)}"
    made = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"],
        capture_output=True,
        text=True,
    )
    return None if made.returncode == 0 else f"no namespaces here: {made.stderr.strip()}"


class Machines:
    """``count`` machines, numbered from 0, and a laptop.

    Args:
        state: an empty folder for their file systems, keys and logs.
        seen: folders of this machine that lie under ``/root`` or ``/tmp`` and that every machine
            sees all the same; the interpreter's are among them.
        environment: variables of every login shell.
    """

    def __init__(
        self,
        count: int,
        state: Path,
        *,
        seen: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.count, self.state, self._environment = count, state, dict(environment or {})
        self._prefix = f"ft{os.getpid()}"
        self._seen = sorted({Path(sys.prefix), Path(sys.base_prefix), *seen})
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Machines:
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in list(self._processes):
            self.power_off(number)
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
        for name in (line.split()[0] for line in listed.splitlines() if line):
            if name.startswith(self._prefix + "-"):
                _run("ip", "netns", "del", name)

    @property
    def laptop(self) -> str:
        """The laptop's network namespace."""
        return f"{self._prefix}-lap"

    @property
    def off(self) -> set[int]:
        """Machines without power."""
        return set(range(self.count)) - set(self._processes)

    @property
    def key(self) -> Path:
        return self.state / "id"

    @property
    def shared(self) -> Path:
        """What the machines see as ``/mnt/fer_tune``, from outside."""
        return self.state / "shared"

    def home(self, number: int) -> Path:
        """``/root`` of a machine, from outside."""
        return self.state / f"m{number}" / "root"

    def address(self, number: int) -> str:
        return f"10.77.0.{10 + number}"

    def name(self, number: int) -> str:
        return f"m{number}"

    def power_on(self, number: int) -> None:
        """Boots a machine, and waits for its sshd."""
        here = self.state / f"m{number}"
        seen = "\n".join(self._bind(folder, here) for folder in self._seen)
        script = _BOOT.format(
            name=self.name(number),
            shared=SHARED,
            state=shlex.quote(str(self.state)),
            here=shlex.quote(str(here)),
            seen=seen,
            sshd=shutil.which("sshd", path=_path()),
        )
        inside = ["ip", "netns", "exec", self._netns(number)]
        namespaces = ["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        with (here / "console.log").open("ab") as console:
            self._processes[number] = subprocess.Popen(
                [*inside, "unshare", *namespaces, "bash", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while self.ssh(number, "true", check=False).returncode != 0:
            if time.monotonic() > deadline or self._processes[number].poll() is not None:
                raise RuntimeError(f"machine {number}: {(here / 'console.log').read_text()}")
            time.sleep(0.1)

    def power_off(self, number: int) -> None:
        """Power loss: every process of the machine is gone at once."""
        process = self._processes.pop(number)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def cut(self, number: int) -> None:
        """Takes a machine off the network, without a word to anybody."""
        _run("ip", "-n", self.laptop, "link", "set", f"v{number}", "down")

    def join(self, number: int) -> None:
        """Puts a machine back on the network."""
        _run("ip", "-n", self.laptop, "link", "set", f"v{number}", "up")

    def at_laptop(self, *command: str) -> list[str]:
        """The command line that runs ``command`` on the laptop's network."""
        return ["ip", "netns", "exec", self.laptop, *command]

    def laptop_environment(self, **more: str) -> dict[str, str]:
        """The laptop's own home and temporary folder, so that nothing of the user's is touched."""
        home = self.state / "laptop"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        own = {"HOME": str(home), "RAY_TMPDIR": str(home / "tmp"), "PATH": _path()}
        return kept | own | {"RAY_USAGE_STATS_ENABLED": "0"} | more

    def ssh(
        self, number: int, command: str, *, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``command`` on a machine, from the laptop."""
        line = self.ssh_line(number, command)
        return subprocess.run(line, capture_output=True, text=True, check=check, timeout=timeout)

    def ssh_line(self, number: int, command: str) -> list[str]:
        """The command line that runs ``command`` in a login shell of a machine."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=5"]
        flags = [part for option in options for part in ("-o", option)]
        host, login = f"root@{self.address(number)}", f"bash -lc {shlex.quote(command)}"
        return self.at_laptop("ssh", "-q", "-i", str(self.key), *flags, host, login)

    def _netns(self, number: int) -> str:
        return f"{self._prefix}-m{number}"

    def _build(self) -> None:
        self.shared.mkdir()
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        lap = self.laptop
        _run("ip", "netns", "add", lap)
        for line in (
            "link set lo up",
            "link add br0 type bridge",
            "addr add 10.77.0.1/24 dev br0",
            "link set br0 up",
            # The world outside answers at once that it is not there: Ray asks for the addresses
            # of clouds, and would wait for each.
            "route add unreachable default",
        ):
            _run("ip", "-n", lap, *line.split())
        forward = "echo 1 >/proc/sys/net/ipv4/ip_forward"
        _run("ip", "netns", "exec", lap, "sh", "-c", forward)
        for number in range(self.count):
            self._wire(number)
            self._furnish(number)
            self.power_on(number)

    def _wire(self, number: int) -> None:
        name, lap = self._netns(number), self.laptop
        _run("ip", "netns", "add", name)
        _run("ip", "-n", name, "link", "set", "lo", "up")
        pair = ["link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name]
        _run("ip", "-n", lap, *pair)
        _run("ip", "-n", lap, "link", "set", f"v{number}", "master", "br0", "up")
        _run("ip", "-n", name, "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
        _run("ip", "-n", name, "link", "set", "eth0", "up")
        # Goes nowhere; without it Ray takes itself to be at 127.0.0.1.
        _run("ip", "-n", name, "route", "add", "default", "via", "10.77.0.1")

    def _furnish(self, number: int) -> None:
        here = self.state / f"m{number}"
        for folder in OWN:
            (here / folder).mkdir(parents=True)
        (here / "tmp").chmod(0o1777)
        ssh = here / "root/.ssh"
        ssh.mkdir(mode=0o700)
        shutil.copy(f"{self.key}.pub", ssh / "authorized_keys")
        # `ray up` runs its commands in login shells, which forget PATH.
        known = {"PATH": _path(), "RAY_USAGE_STATS_ENABLED": "0", **self._environment}
        exports = [f"export {key}={shlex.quote(value)}\n" for key, value in known.items()]
        (here / "root/.bashrc").write_text("".join(exports))
        (here / "root/.profile").write_text(". ~/.bashrc\n")
        run = here / "run"
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(run / "hostkey"))
        config = _SSHD.format(address=self.address(number), path=_path())
        (run / "sshd_config").write_text(config)
        (run / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        hosts = [f"{self.address(n)} {self.name(n)}" for n in range(self.count)]
        (run / "hosts").write_text("\n".join(["127.0.0.1 localhost", *hosts]) + "\n")

    def _bind(self, folder: Path, here: Path) -> str:
        """The line that shows ``folder`` at the same place in a machine's own ``/root`` or so."""
        if folder.parts[1] not in OWN:
            return ""
        inside = shlex.quote(str(here / folder.relative_to("/")))
        return f"mkdir -p {inside}; mount --bind {shlex.quote(str(folder))} {inside}"


def _path() -> str:
    """The interpreter's commands first, then the system's."""
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return f"{Path(sys.prefix) / 'bin'}:{system}"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")
