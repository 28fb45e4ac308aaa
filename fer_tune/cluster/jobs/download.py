"""Fetching a results folder: everything that is missing or has changed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fer_tune.cluster.jobs.url_download import fetch_url
from fer_tune.cluster.names import checked_path
from fer_tune.cluster.ssh.dashboard_access import Access
from fer_tune.cluster.ssh.openssh import rsync
from fer_tune.errors import ResultsError, reporting
from fer_tune.escaping import shell_word
from fer_tune.storage import UrlPath, is_url, refuse_links, write_atomically

#: Names where a folder was fetched from, so that no other search is fetched over it.
MARK = ".fetched_from"
#: One of these lies in every results folder from its beginning.
_RESULT_FILES = ("manifest.json", "events.jsonl")
#: rsync's exit code for files that vanished, such as parts that a search replaced.
_VANISHED = 24


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The result of a fetch.

    Attributes:
        files, size: number of new or changed files, and their bytes.
        vanished: whether files vanished meanwhile, so that a later fetch may find more.
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
        access: the cluster; None is enough for a URL.
        checkpoints: also those of unfinished runs, to resume here.
        show: progress goes to the terminal, where there is any.

    Raises:
        ResultsError: nothing there yet, ``out`` holds something else, or an error of the store.
        EnvironmentFault: no connection, or the head or rsync fails.
    """
    source = _source(results, access)
    with reporting("cannot be written", out, "Choose another folder with --out"):
        _check_target(out, source.name)
        before = dict(_files(out))
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / MARK, source.name + "\n")
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
        path = checked_path(access.on_head(results))
        if access.ssh.run(f"test -d {shlex.quote(path)} && echo yes || echo no").strip() != "yes":
            raise _nothing_yet(f"{access.ssh.head.host}:{path}")
        return _Source(name=path, rsync=access.ssh.host(path))
    if results.startswith("/") and os.path.isdir(results):  # a folder that this machine shares
        if not any(os.path.isfile(os.path.join(results, name)) for name in _RESULT_FILES):
            raise _nothing_yet(results)  # the dashboard names the folder, and could name any
        return _Source(name=checked_path(results), rsync=results)
    raise ResultsError(
        "results cannot be fetched through a dashboard",
        where=results,
        remedy="Use --cluster FILE, which fetches them through ssh, or keep results at a URL; "
        f"by hand: rsync -rts --exclude=/ray/ {shell_word(f'HEAD:{results}/')} FOLDER/",
    )


def _nothing_yet(where: str) -> ResultsError:
    return ResultsError(
        "no results there",
        where=where,
        remedy="A search creates its results folder when it starts: see `fer-tune logs JOB`",
    )


def _check_target(out: Path, source: str) -> None:
    mark = out / MARK
    if mark.is_file():
        before = mark.read_text(encoding="utf-8", errors="replace").strip()
        if before == source:
            refuse_links(out)
            return
        what = f"contains results fetched from {before}, but this is {source}"
    elif (out.is_dir() and not any(out.iterdir())) or not out.exists():
        return
    else:
        what = "is a file" if out.is_file() else "is not empty"
    raise ResultsError(what, where=str(out), remedy="Choose another folder with --out")


def _by_rsync(
    source: str, out: Path, access: Access | None, *, checkpoints: bool, show: bool
) -> bool:
    """Fetches with rsync; returns whether files vanished meanwhile.

    Parts of tables that were deleted there are deleted here as well; nothing else is.
    """
    filters = ["--exclude=.*", "--exclude=/ray/"]
    filters += ["--filter=R /*.parquet/***"]
    filters += ["--filter=R /checkpoints/***"] if checkpoints else ["--exclude=/checkpoints/"]
    filters += ["--filter=P /**"]
    words = [
        # Files and folders alone: a link could lead out of the folder, now or when it is read.
        *("-rt", "--no-links", "--no-devices", "--no-specials"),
        *("--compress", "--partial-dir=.rsync-partial", "--protect-args", "--delete"),
        *(["--info=progress2"] if show else []),
        *filters,
        f"{source}/",
        f"{out.absolute()}/",  # a colon in the first part would name a host
    ]
    ssh = None if access is None or access.ssh is None else access.ssh
    return rsync(ssh, words, show=show, accepted=(_VANISHED,)) == _VANISHED


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Path, size in bytes and time of every visible file."""
    for parent, _, names in os.walk(folder):
        for name in names:
            if not name.startswith("."):
                path = os.path.join(parent, name)
                status = os.lstat(path)
                yield path, (status.st_size, status.st_mtime_ns)


def summary(folder: Path) -> Mapping[str, object]:
    """The fetched manifest; empty if there is none yet."""
    from fer_tune.records import Results

    try:
        return Results.open(folder).manifest()
    except ResultsError:
        return {}
