"""The packed dataset of a search, wherever it lies: of one at a URL this machine keeps a copy.

The copy is a folder of the machine's cache (``copies.py``), ``fetched-3f2a…``, named by the
dataset's fingerprint: any URL, search and process that means the same pictures uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from fer_tune.data import PackedDataset
from fer_tune.data.at_url import DatasetAtUrl
from fer_tune.data.dataset import DESCRIPTION, INDEX, PIXELS
from fer_tune.errors import DataError, ResultsError
from fer_tune.storage import Place
from fer_tune.tuning.copies import cache_folder, kept


def opened(where: Place, console: Console) -> PackedDataset:
    """The dataset at ``where``; at a URL its description is read, to see that the copy is of it.

    Raises:
        DataError: none, another version, damaged, or the store refuses or stays away.
        EnvironmentFault: this machine cannot keep a copy.
    """
    if isinstance(where, Path):
        return PackedDataset.open(where)
    there = DatasetAtUrl(where)
    return _copy(there, there.fingerprint, console)


def reopened(where: Place, fingerprint: str, console: Console, *, named: bool) -> PackedDataset:
    """The dataset that a search began with, as :func:`opened`.

    Args:
        named: by the user for this sitting. Otherwise it lay at ``where`` when the search began,
            and a copy of it will do without asking there.

    Raises:
        ResultsError: another dataset is there.
    """
    if isinstance(where, Path):
        dataset = PackedDataset.open(where)
        _check(fingerprint, dataset.fingerprint, where)
        return dataset
    there = DatasetAtUrl(where)
    if named:
        _check(fingerprint, there.fingerprint, where)
    return _copy(there, fingerprint, console)


def _copy(there: DatasetAtUrl, fingerprint: str, console: Console) -> PackedDataset:
    folder = cache_folder() / f"fetched-{fingerprint[:32]}"

    @cache
    def is_right(_: str) -> bool:
        try:
            dataset = PackedDataset.open(folder)
        except DataError:
            return False
        return dataset.fingerprint == fingerprint and dataset.damaged() is None

    def size() -> int:
        _check(fingerprint, there.fingerprint, there.url)
        return there.size

    def fill(scratch: Path) -> None:
        with _shown(there, console) as came:
            there.bring(scratch, came)

    names = (DESCRIPTION, INDEX, PIXELS)
    tell = partial(_tell, console)
    kept(folder, "dataset", names=names, right=is_right, size=size, fill=fill, tell=tell)
    return PackedDataset.open(folder)


def _check(expected: str, found: str, where: Place) -> None:
    if found != expected:
        raise ResultsError(
            "the dataset is not the one that this search ran on",
            where=str(where),
            value=found,
            remedy=f"Give the one with fingerprint {expected}",
        )


@contextmanager
def _shown(there: DatasetAtUrl, console: Console) -> Iterator[Callable[[int], Any]]:
    """Shows how much has come, on a terminal; elsewhere a line when it begins."""
    if not console.is_terminal:
        _tell(console, f"fetching the dataset, {there.size / 2**20:,.1f} MiB: {there.url}")
    columns = (TextColumn("fetching the dataset"), DownloadColumn(True), TransferSpeedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("fetching", total=there.size)
        yield lambda came: bar.advance(task, came)


def _tell(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
