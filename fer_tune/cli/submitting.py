"""What `submit` does: everything checked here first, then one job, then its log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rich.console import Console

from fer_tune.cli.jobs import Where, connected, detached_or_code, told, what_next
from fer_tune.errors import EnvironmentFault

if TYPE_CHECKING:
    from fer_tune.cluster.access import Access
    from fer_tune.cluster.package import Package
    from fer_tune.cluster.submission import Submission


def submit(
    space: str | None,
    resume: str | None,
    where: Where,
    data: str | None,
    results: str | None,
    overrides: Sequence[str],
    *,
    follow: bool,
) -> int:
    """Submits a search, or one that goes on, and follows it; returns the exit code."""
    from fer_tune.cluster.job import new_id
    from fer_tune.cluster.package import packed
    from fer_tune.cluster.submission import Submission, checked_results, checked_url, results_below
    from fer_tune.cluster.tree import working_tree
    from fer_tune.space import load, shipped
    from fer_tune.storage import UrlPath, is_url

    console = Console(stderr=True)
    _check_usage(space, resume, data, results, overrides)
    if (named := resume or results) is not None:
        checked_results(named)
    if data is not None and is_url(data):
        checked_url(data)
    if space is not None:
        checked = load(space, overrides)
        name, file = checked.name, shipped().get(space, Path(space))
    else:
        assert resume is not None
        name = UrlPath(resume).name if is_url(resume) else PurePosixPath(resume).name
        file = None
    tree = working_tree(Path.cwd())
    with packed(tree, file) as package, connected(where) as access:
        base = access.ssh.head.results if access.ssh else None
        id = new_id(name, time.time(), access.api.ids())
        submission = Submission(
            name=name,
            space=package.space,
            asked=space or f"resume {resume}",
            data=data and _data(data, access, console),
            results=checked_results(named or results_below(base, id)),
            overrides=overrides,
            commit=tree.commit,
        )
        told(
            console,
            ("package", _package_words(package, tree.root, tree.left_out)),
            ("runs", "this working tree" if tree.own else "the fer_tune installed on the cluster"),
        )
        _send(access, id, package, submission)
        package.file.unlink()  # following may last for days, and end with its terminal
        told(console, ("job", id), ("results", submission.results), *_ways(access, id))
        if not follow:
            told(console, *what_next(access, id))
            return 0
        return detached_or_code(access, id, console)


def _data(data: str, access: Access, console: Console) -> str:
    from fer_tune.cluster.data_copy import on_cluster

    def note(text: str) -> None:
        told(console, ("data", text))

    return on_cluster(data, access, note, show=console.is_terminal)


def _check_usage(
    space: str | None,
    resume: str | None,
    data: str | None,
    results: str | None,
    overrides: Sequence[str],
) -> None:
    if (space is None) == (resume is None):
        raise EnvironmentFault(
            "either SPACE, to begin a search, or --resume RESULTS, to go on with one",
            remedy="`fer-tune spaces list` names the search spaces that ship",
        )
    if space is not None and data is None:
        raise EnvironmentFault(
            "which pictures?",
            where="--data",
            remedy="Name a packed dataset: as the cluster sees it, a URL, or one here (--cluster)",
        )
    if resume is not None and (results is not None or overrides):
        raise EnvironmentFault(
            "a search that goes on has its results folder and its search space already",
            where="--resume",
            value=resume,
            remedy="Leave --results and --set out",
        )


def _send(access: Access, id: str, package: Package, submission: Submission) -> None:
    from fer_tune.cluster.job_api import Unreachable

    if not access.api.has_package(package.name):
        access.api.put_package(package.name, package.file)
    try:
        access.api.submit(
            entrypoint=submission.command(),
            id=id,
            metadata=submission.metadata(),
            working_dir=package.uri,
            environment=submission.environment(),
        )
    except Unreachable as error:
        raise Unreachable(
            f"no answer to the job {id} ({error.what})",
            remedy="It may have been taken all the same. Before it is submitted again, look: "
            f"fer-tune status {id} {access.option}",
        ) from None


def _package_words(package: Package, root: Path, left_out: int) -> str:
    text = f"{package.files} files of {root}, {package.size / 1024**2:.1f} MiB"
    if left_out:
        text += f"; {left_out} files of datasets and results folders left out"
    return text


def _ways(access: Access, id: str) -> list[tuple[str, str]]:
    ways = [("dashboard", access.link(id))]
    if access.forwarding:
        ways.append(("from afar", access.forwarding))
    return ways
