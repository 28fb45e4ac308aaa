"""The cgroups of this process: folders in which Linux shows what limits it, and what it did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def own_cgroups(
    controller: str, root: Path = ROOT, membership: Path = MEMBERSHIP
) -> Iterator[tuple[int, Path]]:
    """Version (1 or 2) and folder of this process's cgroup, and then of each above it.

    Folders need not exist. In a container the path may be the host's, which is not visible there;
    the root, which comes last, then is what the container has.

    Args:
        controller: ``cpu`` or ``memory``, for version 1, which has a folder for each.
        root: where the cgroup file systems are mounted.
        membership: lists the cgroups of this process.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux, or no /proc
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            version, mounts = 2, [root, root / "unified"]
        elif controller in controllers.split(","):
            version, mounts = 1, [root / controller, root / controllers]
        else:
            continue
        inner = PurePosixPath(*(part for part in path.split("/") if part not in ("", "..")))
        for mount in mounts:
            for group in (inner, *inner.parents):
                yield version, mount / group


def words_of(file: Path) -> list[str]:
    """The words of one of their files; none if it is not there."""
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
