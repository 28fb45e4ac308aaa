"""A results folder brought here: what is missing or has changed, as often as one likes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_tune.cluster.access import Access
from fer_tune.cluster.ssh import rsync
from fer_tune.cluster.url_fetch import fetch_url
from fer_tune.errors import ResultsError
from fer_tune.storage import UrlPath, is_url, write_atomically

#: Names where a folder was fetched from, so that no other search is fetched over it.
MARK = ".fetched_from"
#: rsync's code for files that went while it ran, as parts do that a search replaces.
_VANISHED = 24


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came of it.

    Attributes:
        files, size: that are new or have changed, and their bytes.
        vanished: whether files went while they were fetched, so that a later fetch finds more.
    """

    files: int
    size: int
    vanished: bool


def fetch(
    results: str, out: Path, access: Access | None, *, checkpoints: bool, show: bool
) -> Fetched:
    """Brings the results folder at ``results`` to ``out``.

    Args:
        results: a URL, or a path as the cluster sees it.
        out: a new or empty folder, or one that was fetched from there before.
        access: the cluster; None will do for a URL.
        checkpoints: those of runs that have not ended as well, to go on here.
        show: progress goes to the terminal, where there is any.

    Raises:
        ResultsError: nothing there yet, ``out`` holds something else, or the store refuses.
        EnvironmentFault: no way there, or the head or rsync fails.
    """
    source = _source(results, access)
    try:
        _check_place(out, source.name)
        before = dict(_files(out))
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / MARK, source.name + "\n")
    except OSError as error:
        raise ResultsError(
            f"cannot be written: {error.strerror}",
            where=str(out),
            remedy="Give another folder with --out",
        ) from None
    if source.url is not None:
        vanished = fetch_url(source.url, out, checkpoints=checkpoints)
    else:
        vanished = _by_rsync(source.rsync, out, access, checkpoints=checkpoints, show=show)
    news = {path: seen for path, seen in _files(out) if before.get(path) != seen}
    return Fetched(files=len(news), size=sum(size for size, _ in news.values()), vanished=vanished)


@dataclass(frozen=True, kw_only=True)
class _Source:
    name: str  # without credentials
    url: UrlPath | None = None
    rsync: str = ""


def _source(results: str, access: Access | None) -> _Source:
    if is_url(results):
        url = UrlPath(results)
        return _Source(name=str(url), url=url)
    if access is not None and access.ssh is not None:
        path = access.on_head(results)
        if access.ssh.run(f"test -d {shlex.quote(path)} && echo yes || echo no").strip() != "yes":
            raise _nothing_yet(f"{access.ssh.head.host}:{path}")
        return _Source(name=path, rsync=access.ssh.host(path))
    if results.startswith("/") and os.path.isdir(results):
        return _Source(name=results, rsync=results)  # a folder that this machine shares
    raise ResultsError(
        "a dashboard does not hand results out",
        where=results,
        remedy="Give --cluster FILE, which fetches them through ssh, or keep results at a URL; "
        f"by hand: rsync -rt --exclude=/ray/ HEAD:{results}/ FOLDER/",
    )


def _nothing_yet(where: str) -> ResultsError:
    return ResultsError(
        "no results there",
        where=where,
        remedy="A search makes its results folder when it begins: `fer-tune logs JOB` tells",
    )


def _check_place(out: Path, source: str) -> None:
    mark = out / MARK
    if mark.is_file():
        before = mark.read_text(encoding="utf-8").strip()
        if before == source:
            return
        what = f"holds what was fetched from {before}, and this is {source}"
    elif (out.is_dir() and not any(out.iterdir())) or not out.exists():
        return
    else:
        what = "is a file" if out.is_file() else "is not empty"
    raise ResultsError(what, where=str(out), remedy="Give another folder with --out")


def _by_rsync(
    source: str, out: Path, access: Access | None, *, checkpoints: bool, show: bool
) -> bool:
    """Whether files vanished meanwhile.

    Parts of tables that are gone there go here as well; nothing else is ever deleted.
    """
    filters = ["--exclude=.*", "--exclude=/ray/"]
    filters += ["--filter=R /*.parquet/***"]
    filters += ["--filter=R /checkpoints/***"] if checkpoints else ["--exclude=/checkpoints/"]
    filters += ["--filter=P /**"]
    words = [
        *("-rt", "--compress", "--partial-dir=.rsync-partial", "--protect-args", "--delete"),
        *(["--info=progress2"] if show else []),
        *filters,
        f"{source}/",
        f"{out.absolute()}/",  # a colon in the first part would name a host
    ]
    ssh = None if access is None or access.ssh is None else access.ssh
    return rsync(ssh, words, show=show, accepted=(_VANISHED,)) == _VANISHED


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Path, size in bytes and time of every file that is no secret of fetching."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if not name.startswith("."):
                path = os.path.join(parent, name)
                status = os.stat(path)
                yield path, (status.st_size, status.st_mtime_ns)


def summary(folder: Path) -> Mapping[str, object]:
    """What the manifest that was fetched says of the search; empty where there is none yet."""
    from fer_tune.records import Results

    try:
        return Results.open(folder).manifest()
    except ResultsError:
        return {}
