"""Everything that can be checked before a trial starts."""

from __future__ import annotations

import math
import os
import shlex
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fer_tune.data import Split, cut
from fer_tune.data.dataset import DatasetIndex
from fer_tune.errors import EnvironmentFault, ResultsError, WeightsError
from fer_tune.models import backbone, file_fingerprint, locate, read_state
from fer_tune.space import SearchSpace
from fer_tune.space import plan as make_plan
from fer_tune.storage import Place, UrlPath, write_atomically
from fer_tune.training.compute import available_cpus
from fer_tune.tuning.claim import CLAIM_FILE, Claim, claimed
from fer_tune.tuning.engine import Engine
from fer_tune.tuning.events import EVENTS_FILE, EventLog, History, has_log
from fer_tune.tuning.faults import disk_fault
from fer_tune.tuning.logs import LOG_FILE
from fer_tune.tuning.options import SearchOptions


def splits_of(space: SearchSpace, dataset: DatasetIndex) -> Split:
    """The splits that the space asks for."""
    return cut(
        dataset,
        validation_share=space.data.validation_share,
        seed=space.seeds.split,
        leaks=space.data.leaks,
        conflicts=space.data.conflicts,
    )


def check_weights(space: SearchSpace, manifest: Mapping[str, Any] | None = None) -> None:
    """Checks every arm's weights before a trial starts.

    Args:
        manifest: of the search that is taken up again.

    Raises:
        WeightsError: they are not on this machine, do not fit, or are not those of ``manifest``.
    """
    for arm in space.compare.arms:
        entry = backbone(space.config(arm, {}).backbone)
        path = locate(entry, space.weights)
        if path is None:
            continue
        read_state(path, entry)
        before = manifest["arms"][arm]["weights_sha256"] if manifest else None
        if before is not None and (now := file_fingerprint(path)) != before:
            raise WeightsError(
                "the weights are not those that this search began with",
                where=str(path),
                value=f"sha256 {now[:12]}",
                remedy=f"Put the file with sha256 {before[:12]} back",
            )


def make_folder(folder: Place) -> None:
    """Makes an empty results folder; at a URL, sees that there is nothing and that it can be used.

    Raises:
        ResultsError: it holds something already, or cannot be written to.
    """
    with _writing_to(folder):
        _refuse_used(folder)
        probe = folder / ".writable"
        if isinstance(folder, Path):
            folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()


def check_unused(folder: Place) -> None:
    """What :func:`make_folder` raises of what is there already; makes nothing."""
    with _writing_to(folder):
        _refuse_used(folder)


@contextmanager
def _writing_to(folder: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"cannot write here: {error.strerror or error}",
            where=str(folder),
            remedy="Give another folder with --results",
        ) from None


def _refuse_used(folder: Place) -> None:
    if folder.is_dir() and has_log(folder):
        raise ResultsError(
            "the results folder holds a search already",
            where=str(folder),
            remedy=f"Go on with it: fer-tune resume {shlex.quote(str(folder))}. "
            "Or give a new one with --results",
        )
    if folder.exists() and not (folder.is_dir() and all(map(_is_remnant, folder.iterdir()))):
        raise ResultsError(
            "the results folder is not empty" if folder.is_dir() else "this is a file",
            where=str(folder),
            remedy="Give a new one with --results",
        )


def _is_remnant(path: Place) -> bool:
    """Left by a search that ended before it began, hence before its log of events."""
    return path.name.startswith(".") or path.name in ("manifest.json", LOG_FILE)


def check_log(folder: Place) -> None:
    """Raises ResultsError unless a log of events is there to go on from."""
    try:
        there = has_log(folder)
    except OSError as error:
        raise ResultsError(
            f"cannot be read: {error.strerror or error}",
            where=str(folder),
            remedy="Check the path and its rights",
        ) from None
    if not there:
        raise ResultsError(
            f"no {EVENTS_FILE} here, so there is nothing to go on from",
            where=str(folder),
            remedy="Name the results folder of a search that this version began",
        )


def open_log(folder: Place, history: History, claim: Claim | None) -> EventLog:
    """The log of events of a search that is taken up again.

    Raises:
        ResultsError: the disk, or the store at the URL, refuses.
    """
    try:
        return EventLog(folder, spent=history.spent, claim=claim)
    except OSError as error:
        raise disk_fault(error, folder) from None


@contextmanager
def only_writer(folder: Place) -> Iterator[Claim | None]:
    """Holds the results folder for this process: by a lock, at a URL by a claim.

    Raises:
        ResultsError: another process writes to it; names that process.
    """
    if isinstance(folder, UrlPath):
        with claimed(folder) as claim:
            yield claim
    else:
        with _locked(folder):
            yield None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock, holder = FileLock(folder / ".lock", blocking=False), folder / CLAIM_FILE
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        lock.acquire()
        write_atomically(holder, f"process {os.getpid()} on {socket.gethostname()} since {started}")
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
        raise ResultsError(
            f"{who} is writing here",
            where=str(folder),
            remedy="Wait for it to end, or interrupt it",
        ) from None
    except OSError as error:
        lock.release()
        raise ResultsError(
            f"cannot write here: {error.strerror or error}",
            where=str(folder),
            remedy="Check the folder's rights and the free space",
        ) from None
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def bounded(options: SearchOptions, space: SearchSpace) -> SearchOptions:
    """A Ray started here holds no more CPUs than ``max_concurrent`` trials use."""
    limit = space.resources.max_concurrent
    if options.address or limit is None:
        return options
    have = available_cpus() if options.cpus is None else options.cpus
    return replace(options, cpus=min(have, math.ceil(limit * space.resources.cpu)))


def asked_at_once(engine: Engine, space: SearchSpace) -> int:
    """Trials to ask for ahead: twice what the cluster can run once its autoscaler has grown it.

    So that a process that ends a trial finds the next one waiting, and all machines that may come
    come at once. Where the cluster could run more than ``max_concurrent`` allows, just that many;
    and no more than the search has trials. One where trials run one at a time: Ray would put a
    run whose process died behind the one that waits, and the search be another.

    Raises:
        EnvironmentFault: not even one fits.
    """
    fit = engine.slots(space.resources.cpu, space.resources.gpu)
    limit = space.resources.max_concurrent
    if fit < 1 and limit is not None and engine.joined:
        return limit  # an autoscaler of which nothing is known here, but its user knows
    if fit < 1:
        have = {k: v for k, v in engine.have.items() if k in ("CPU", "GPU")}
        raise EnvironmentFault(
            f"a trial asks for {space.resources.cpu:g} CPU and {space.resources.gpu:g} GPU, "
            f"and the cluster has {have}",
            where="resources",
            remedy="Lower resources.cpu or resources.gpu with --set, or join more machines"
            + (
                "; if an autoscaler will add some, say with resources.max_concurrent how many "
                "trials they hold"
                if engine.joined
                else ""
            ),
        )
    if fit == 1:
        return 1
    asked = 2 * fit if limit is None or fit <= limit else limit
    whole = make_plan(space)
    return min(asked, max(whole.trials, whole.confirm_runs))
