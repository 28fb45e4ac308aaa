"""The packed dataset of a search; one at a URL is copied into the local cache.

The copy is a folder of the cache (``local_cache.py``), ``fetched-3f2a…``, named by the dataset's
fingerprint: it is shared by all URLs, searches and processes with the same pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from fer_tune.console import say
from fer_tune.data import PackedDataset
from fer_tune.data.at_url import DatasetAtUrl
from fer_tune.data.dataset import DESCRIPTION, INDEX, PIXELS
from fer_tune.errors import DataError, ResultsError
from fer_tune.storage import AnyPath, UrlPath
from fer_tune.tuning.files.local_cache import cache_folder, cached_folder


def open_dataset(where: AnyPath, console: Console) -> PackedDataset:
    """Opens the dataset at ``where``; at a URL, reads its description to find or make the copy.

    Raises:
        DataError: no dataset, another version, damaged, or an error of the store.
        EnvironmentFault: this machine cannot keep a copy.
    """
    if isinstance(where, Path):
        return PackedDataset.open(where)
    there = DatasetAtUrl(where)
    return _copy(there, there.fingerprint, console)


def reopen_dataset(
    where: AnyPath, fingerprint: str, console: Console, *, named: bool
) -> PackedDataset:
    """Opens the dataset that a search began with, as :func:`open_dataset` does.

    Args:
        named: whether the user named it for this session. Otherwise ``where`` comes from the
            manifest, and an existing copy is used without a request. The results folder may come
            from somebody else, so a server that this URL names is not contacted.

    Raises:
        ResultsError: another dataset is there, or its URL has to be named by the user.
    """
    if isinstance(where, Path):
        dataset = PackedDataset.open(where)
        _check(fingerprint, dataset.fingerprint, where)
        return dataset
    there = DatasetAtUrl(where)
    if named:
        _check(fingerprint, there.fingerprint, where)
        return _copy(there, fingerprint, console)
    return _copy(there, fingerprint, console, before=lambda: _refuse_server(where))


def check_dataset(where: AnyPath, fingerprint: str) -> None:
    """Checks that the dataset at ``where`` is the one that a search began with; fetches nothing.

    Raises:
        DataError: no dataset, another version, damaged, or an error of the store.
        ResultsError: another dataset is there.
    """
    there = PackedDataset.open(where) if isinstance(where, Path) else DatasetAtUrl(where)
    _check(fingerprint, there.fingerprint, where)


def _refuse_server(where: UrlPath) -> None:
    """Raises ResultsError if the URL names a server to send this machine's credentials to."""
    if options := where.server_options:
        raise ResultsError(
            f"the dataset's URL in manifest.json specifies more than a bucket: {options}. This "
            "machine's credentials are not sent to a server that only a results folder names",
            where=str(where),
            remedy="If you trust that server, pass the URL with --data, or set AWS_ENDPOINT_URL",
        )


def _copy(
    there: DatasetAtUrl,
    fingerprint: str,
    console: Console,
    before: Callable[[], None] = lambda: None,
) -> PackedDataset:
    """The copy in the local cache; ``before`` is called before a first request."""
    folder = cache_folder() / f"fetched-{fingerprint[:32]}"

    @cache
    def is_right(_: str) -> bool:
        try:
            dataset = PackedDataset.open(folder)
        except DataError:
            return False
        return dataset.fingerprint == fingerprint and dataset.damaged() is None

    def size() -> int:
        before()
        _check(fingerprint, there.fingerprint, there.url)
        return there.size

    def fill(scratch: Path) -> None:
        with _progress_bar(there, console) as advance:
            there.bring(scratch, advance)

    names = (DESCRIPTION, INDEX, PIXELS)
    tell = partial(say, console)
    cached_folder(
        folder, "dataset", names=names, is_valid=is_right, size=size, fill=fill, notify=tell
    )
    return PackedDataset.open(folder)


def _check(expected: str, found: str, where: AnyPath) -> None:
    if found != expected:
        raise ResultsError(
            "the dataset is not the one that this search ran on",
            where=str(where),
            value=found,
            remedy=f"Use the one with fingerprint {expected}",
        )


@contextmanager
def _progress_bar(there: DatasetAtUrl, console: Console) -> Iterator[Callable[[int], Any]]:
    """A progress bar on a terminal; elsewhere a line at the start."""
    if not console.is_terminal:
        say(console, f"fetching the dataset, {there.size / 2**20:,.1f} MiB: {there.url}")
    columns = (TextColumn("fetching the dataset"), DownloadColumn(True), TransferSpeedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("fetching", total=there.size)
        yield lambda came: bar.advance(task, came)
