"""Other searches of this user on this machine: each has a Ray of its own, which counts all CPUs."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fer_tune.process.cpus import available_cpus
from fer_tune.storage.private import is_private_file
from fer_tune.tuning.raytune.nodes.resources import amounts

logger = logging.getLogger(__name__)

_FOLDER = "searches"
_MOST_BYTES = 10_000
#: Which GPUs a process may use, by number or identity.
_VISIBLE = "CUDA_VISIBLE_DEVICES"


@contextmanager
def announced(folder: Path, have: Mapping[str, float]) -> Iterator[str]:
    """Announces this process's search to later ones, until the block ends.

    Yields:
        What is wrong with sharing the machine with those that run already; empty if nothing is.

    Args:
        folder: private to the user, the same for all searches.
        have: what this search's Ray counts as its own.
    """
    handle = None
    own: dict[str, Any] = {"pid": os.getpid(), "visible": os.environ.get(_VISIBLE)}
    own |= {name: have.get(name, 0.0) for name in ("CPU", "GPU")}
    file = folder / _FOLDER / str(os.getpid())
    others: list[Mapping[str, Any]] = []
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        others = [found for path in file.parent.iterdir() if (found := _running(path))]
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(handle, json.dumps(own).encode())
    except OSError as error:  # no locks, a full disk: only the warning is lost
        logger.info("other searches on this machine are unknown: %s", error)
    try:
        yield _conflict(own, others)
    finally:
        if handle is not None:
            with suppress(OSError):
                file.unlink()
            os.close(handle)


def _conflict(own: Mapping[str, Any], others: list[Mapping[str, Any]]) -> str:
    taken = sum(other["CPU"] for other in others)
    shares_gpu = any(_may_share_gpu(own, other) for other in others)
    if not others or (own["CPU"] + taken <= available_cpus() and not shares_gpu):
        return ""
    whose = ", ".join(f"process {other['pid']} with {amounts(other)}" for other in others)
    return (
        f"another search of yours runs on this machine ({whose}), and this one counts "
        f"{amounts(own)} as its own: both are slower and may run out of memory. Start one after "
        "the other, or limit each with --cpus and CUDA_VISIBLE_DEVICES"
    )


def _may_share_gpu(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two searches may use the same GPU.

    A number, an identity, an abbreviated one and a part of a GPU (MIG) may mean the same one; only
    among numbers, and among identities in full, does equality decide.
    """
    if not (one["GPU"] > 0 and other["GPU"] > 0):
        return False
    if one["visible"] is None or other["visible"] is None:
        return True
    ours, theirs = (
        [name.strip() for name in str(search["visible"]).split(",")] for search in (one, other)
    )
    if not all(name.isdigit() for name in (*ours, *theirs)):
        return not _whole_identities((*ours, *theirs)) or bool({*ours} & {*theirs})
    return bool({*map(int, ours)} & {*map(int, theirs)})


def _whole_identities(names: Iterable[str]) -> bool:
    """Whether all are identities of whole GPUs in full length, so that equality decides."""
    return all(re.fullmatch(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", n) for n in names)


def _running(path: Path) -> Mapping[str, Any] | None:
    """What a search announced that still runs; None for one that has ended, whose file goes."""
    with suppress(OSError, ValueError):
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not is_private_file(os.fstat(handle)):
                return None
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                found = json.loads(os.read(handle, _MOST_BYTES))
                visible = found.get("visible")
                return {"pid": int(found["pid"]), "visible": visible, **_numbers(found)}
        finally:
            os.close(handle)
    return None


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(found.get(name, 0.0)) for name in ("CPU", "GPU")}
