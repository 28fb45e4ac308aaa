"""The folders that a search writes to, for `fer-tune doctor`: measured and judged.

Nothing is changed, and no files are left behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from fer_tune.cli.doctor.checks import GIB, Check, State, gib
from fer_tune.errors import because
from fer_tune.storage.file_systems import existing, lock_problem, socket_problem, write_problem

DISK_LOW, DISK_FULL = 5 * GIB, 1 * GIB


def results() -> Iterator[Check]:
    """Where results folders are made by default."""
    from fer_tune.cli.searching import RESULTS_VARIABLE, results_root

    root = results_root()
    if not isinstance(root, Path):
        yield Check(name="results folder", state=State.OK, found=f"{root} is an object store")
        return
    problem = write_problem(root) or lock_problem(root)
    yield check_results(root.absolute(), problem, variable=RESULTS_VARIABLE)


def check_results(folder: Path, problem: str, *, variable: str) -> Check:
    """Whether results can be written there; ``problem`` says why not, empty if they can."""
    if problem:
        return Check(
            name="results folder",
            state=State.MISSING,
            found=f"{folder} cannot be used: {problem}",
            remedy=f"Choose another folder with --results or {variable}",
        )
    return Check(
        name="results folder", state=State.OK, found=f"{folder} is writable and has file locks"
    )


def bank() -> Iterator[Check]:
    from fer_tune.features.folder import bank_folder

    folder = bank_folder()
    problem = write_problem(folder) or _foreign(folder) or lock_problem(folder)
    yield check_bank(folder, problem)


def check_bank(folder: Path, problem: str) -> Check:
    """Whether the feature bank can be used; ``problem`` says why not, empty if it can."""
    if problem:
        return Check(
            name="feature bank",
            state=State.MISSING,
            found=f"{folder} cannot be used: {problem}",
            remedy="Choose another folder with --bank or FER_TUNE_BANK",
        )
    return Check(name="feature bank", state=State.OK, found=f"{folder} is writable")


def _foreign(folder: Path) -> str:
    """Why an existing folder cannot be trusted; empty if it can, or does not exist yet."""
    from fer_tune.storage.private import private_folder

    try:
        if os.path.lexists(folder):
            private_folder(folder)
    except OSError as error:
        return because(error)
    return ""


def bank_disk() -> Iterator[Check]:
    from fer_tune.features.folder import bank_folder

    folder = bank_folder()
    yield check_disk(
        "disk of the bank",
        shutil.disk_usage(existing(folder)).free,
        folder=folder,
        move="put the bank elsewhere with --bank or FER_TUNE_BANK",
    )


def ray_disk() -> Iterator[Check]:
    """Space for Ray's logs, and whether it can create its files and sockets."""
    from fer_tune.tuning.raytune.local_ray import ray_folder

    folder = ray_folder()
    move = "set RAY_TMPDIR to another folder with a short path"
    problem = write_problem(folder) or _foreign(folder.parent) or socket_problem(folder)
    yield check_ray_folder(folder, problem, move=move)
    free = shutil.disk_usage(existing(folder)).free
    yield check_disk("disk of Ray's files", free, folder=folder, move=move)


def check_ray_folder(folder: Path, problem: str, *, move: str) -> Check:
    """Whether Ray can be started there; ``problem`` says why not, empty if it can."""
    if problem:
        return Check(
            name="Ray's folder",
            state=State.MISSING,
            found=f"{folder} cannot be used: {problem}",
            remedy=f"{move[0].upper()}{move[1:]}",
        )
    return Check(name="Ray's folder", state=State.OK, found=f"{folder} is writable")


def check_disk(name: str, free: int, *, folder: Path, move: str) -> Check:
    """Free space of the disk that holds, or will hold, ``folder``.

    Args:
        move: how to put the folder elsewhere, as the end of "or ...".
    """
    found = f"{gib(free)} free at {folder}"
    if free >= DISK_LOW:
        return Check(name=name, state=State.OK, found=found)
    least = DISK_LOW if free >= DISK_FULL else DISK_FULL
    return Check(
        name=name,
        state=State.WARNING if free >= DISK_FULL else State.MISSING,
        found=f"{found}, less than {least // GIB} GiB",
        remedy=f"Free up space there, or {move}",
    )
