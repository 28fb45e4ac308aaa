"""What a file system lacks that a search needs: mounted drives, SMB, exFAT and Lustre differ.

Hard links are needed nowhere, and symbolic links nowhere either.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import tempfile
from pathlib import Path

from fer_tune.errors import because

#: Errors of a file system without locks: Lustre without ``-o flock``, FUSE, NFS without lockd.
NO_LOCKS = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK})

NEEDS_LOCKS = (
    "this file system has no file locks; use a folder on a local disk, or mount it with them "
    "(Lustre: -o flock; NFS: with lockd)"
)


def existing(folder: Path) -> Path:
    """``folder``, or its nearest existing parent."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


def write_problem(folder: Path) -> str:
    """Why no file can be created in ``folder`` or its nearest existing parent; empty if one can."""
    try:
        with tempfile.TemporaryFile(dir=existing(folder)):
            return ""
    except OSError as error:
        return because(error)


def lock_problem(folder: Path) -> str:
    """Why a file there cannot be locked; empty if one can.

    Raises:
        OSError: no file can be created there.
    """
    with tempfile.NamedTemporaryFile(dir=existing(folder)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return NEEDS_LOCKS if error.errno in NO_LOCKS else because(error)
    return ""


def socket_problem(folder: Path) -> str:
    """Why no Unix socket can be created there; empty if one can.

    Raises:
        OSError: no folder can be created there.
    """
    with tempfile.TemporaryDirectory(dir=existing(folder)) as made:
        path = Path(made, "s")
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(path))
        except OSError as error:
            return f"no socket can be created on this file system: {because(error)}"
    return ""
