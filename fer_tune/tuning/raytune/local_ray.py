"""A local Ray that only this process can use.

By default Ray listens on all addresses and runs whatever it is sent, and its files are readable by
all users of the machine. Inside :func:`private_ray`, a Ray that starts here

- listens only on the loopback address,
- denies every request without a token that was generated for it,
- keeps its files, Unix sockets among them, in a folder that no other user can access.

``docs/security.md`` describes the remaining risks.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_tune import ray_private
from fer_tune.errors import EnvironmentFault, reporting
from fer_tune.storage.private import private_folder

logger = logging.getLogger(__name__)

#: File in Ray's session folder with the token, for the dashboard and Ray's own commands.
TOKEN_FILE = "token"
#: Ray's setting for "this machine is not part of a cluster", by default only on macOS and Windows.
#: It is read once, when Ray is imported, and again by every process that Ray starts.
_LOOPBACK_ONLY = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
#: Added to the folder named by the user: our folder, and Ray's longest socket path. Short, to leave
#: room for the user's.
_OURS = f"ft-{os.getuid()}/r"
_SOCKET = f"session_2026-01-01_00-00-00_000000_{2**22}/sockets/plasma_store"
#: Longest path of the user's folder, in bytes: Linux allows 107 for a socket.
_LONGEST = 107 - len(f"/{_OURS}/{_SOCKET}")

#: Bytes that must be free for Ray's files: with less it fails in ways that do not name the disk.
_ROOM = 100 * 2**20


def ray_folder() -> Path:
    """The folder for sockets, logs and spilled objects of a local Ray.

    Below ``RAY_TMPDIR`` if that is set, else below the temporary folder, or below ``/tmp`` if the
    paths of sockets would be too long there.
    """
    named, temporary = os.environ.get("RAY_TMPDIR"), os.environ.get("TMPDIR")
    if temporary and _too_long(temporary):
        temporary = None
    return Path(named or temporary or "/tmp").absolute() / _OURS


@contextmanager
def private_ray() -> Iterator[Path]:
    """Makes every Ray that starts inside the block private to this process.

    Yields:
        The folder for its files.

    Raises:
        EnvironmentFault: the folder cannot be created, is not private, or its path is too long.
    """
    named = os.environ.get("RAY_TMPDIR")
    if named and _too_long(named):
        raise EnvironmentFault(
            f"the path is too long for Ray's sockets, which allow {_LONGEST} bytes",
            where="RAY_TMPDIR",
            value=named,
            remedy="Use a folder with a shorter path",
        )
    folder = ray_folder()
    temporary = os.environ.get("TMPDIR")
    if not named and temporary and _too_long(temporary):
        logger.warning(
            "the path of TMPDIR is too long for Ray's sockets: Ray's files are in %s", folder
        )
    remedy = "Or set RAY_TMPDIR to another folder with a short path"
    with reporting("no folder for Ray's files", folder.parent, remedy, EnvironmentFault):
        private_folder(folder.parent)
        folder.parent.chmod(0o700)  # Ray makes its own folder readable by everybody
        free = shutil.disk_usage(folder.parent).free
    if free < _ROOM:
        raise EnvironmentFault(
            f"the disk of Ray's files is full: Ray needs {_ROOM // 2**20} MiB",
            where=str(folder.parent),
            value=f"{free / 2**20:.0f} MiB free",
            remedy=f"Free up space. {remedy}",
        )
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_AUTH_TOKEN_PATH": None,
        _LOOPBACK_ONLY[0]: _LOOPBACK_ONLY[1],
    }
    # Ray is imported by the first, before the variables are set.
    with ray_private.clusters_disabled(), _environment(settings):
        yield folder


def check_private(address_info: Mapping[str, Any]) -> None:
    """Checks that a Ray that was started listens only on the loopback address.

    Args:
        address_info: from ``ray.init``.

    Raises:
        EnvironmentFault: this version of Ray is reachable from other machines.
    """
    address = str(address_info["node_ip_address"])
    if not ipaddress.ip_address(address).is_loopback:
        raise EnvironmentFault(
            "this version of Ray also listens on other addresses than loopback, so it was stopped",
            where="starting Ray",
            value=address,
            remedy="Install the version pinned in constraints.txt",
        )


def write_token(session: Path) -> Path:
    """Writes the token in use into Ray's session folder, readable by this user alone."""
    file = session / TOKEN_FILE
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as out:
        out.write(os.environ["RAY_AUTH_TOKEN"] + "\n")
    return file


def _too_long(folder: str) -> bool:
    return len(os.fsencode(Path(folder).absolute())) > _LONGEST


@contextmanager
def _environment(settings: Mapping[str, str | None]) -> Iterator[None]:
    """Sets variables (None removes one), makes Ray read them again, and restores the old ones."""
    before = {name: os.environ.get(name) for name in settings}
    _set(settings)
    try:
        yield
    finally:
        _set(before)


def _set(settings: Mapping[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    ray_private.reload_settings()
