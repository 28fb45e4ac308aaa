"""The command `submit`: checks everything here, submits a job, follows its log."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rich.console import Console

from fer_tune.cli.jobs import connected, detached_or_code, next_commands, print_rows
from fer_tune.cli.option_groups import Where
from fer_tune.errors import EnvironmentFault
from fer_tune.escaping import one_line, shell_word

if TYPE_CHECKING:
    from fer_tune.cluster.jobs.package import Package
    from fer_tune.cluster.jobs.source_tree import Tree
    from fer_tune.cluster.jobs.submission import Submission
    from fer_tune.cluster.ssh.dashboard_access import Access

#: Folders named in the line about what is sent.
_FOLDERS = 8
#: Files named in a line about files that are left out.
_NAMED = 3


def submit(
    space: str | None,
    resume: str | None,
    where: Where,
    data: str | None,
    results: str | None,
    overrides: Sequence[str],
    include: Sequence[str] = (),
    *,
    follow: bool,
    dry_run: bool = False,
) -> int:
    """Submits a search or a resume, and follows it; returns the exit code.

    With ``dry_run`` it only lists the files that would be sent.
    """
    from fer_tune.cluster.job import new_id
    from fer_tune.cluster.jobs.package import packed
    from fer_tune.cluster.jobs.source_tree import working_tree
    from fer_tune.cluster.jobs.submission import (
        Submission,
        checked_overrides,
        checked_results,
        checked_url,
        results_below,
    )
    from fer_tune.space import load, shipped
    from fer_tune.storage import UrlPath, is_url

    console = Console(stderr=True)
    _check_usage(space, resume, data, results, overrides)
    if (named := resume or results) is not None:
        checked_results(named)
    if data is not None and is_url(data):
        checked_url(data)
    checked_overrides(overrides)
    if space is not None:
        checked = load(space, overrides)
        name, file = checked.name, shipped().get(space, Path(space))
    else:
        assert resume is not None
        name = UrlPath(resume).name if is_url(resume) else PurePosixPath(resume).name
        file = None
    tree = working_tree(Path.cwd(), include)
    if dry_run:
        with packed(tree, file) as package:
            print_rows(console, *_package_rows(package, tree))
            _list(package)
        return 0
    with packed(tree, file) as package, connected(where) as access:
        base = access.ssh.head.results if access.ssh else None
        id = new_id(name, time.time(), access.api.ids())
        results = checked_results(named or results_below(base, id))
        submission = Submission(
            name=name,
            space=package.space,
            asked=space or f"resume {resume}",
            data=data and _data(data, access, console),
            results=results,
            overrides=overrides,
            commit=tree.commit,
        )
        print_rows(
            console,
            *_package_rows(package, tree),
            ("runs", "this working tree" if tree.own else "the fer_tune installed on the cluster"),
        )
        _send(access, id, package, submission)
        package.file.unlink()  # following may last for days, and end with the terminal
        print_rows(console, ("job", id), ("results", submission.results), *_links(access, id))
        if not follow:
            print_rows(console, *next_commands(access, id))
            return 0
        return detached_or_code(access, id, console)


def _data(data: str, access: Access, console: Console) -> str:
    from fer_tune.cluster.jobs.data_copy import on_cluster

    def note(text: str) -> None:
        print_rows(console, ("data", text))

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
            "either SPACE or --resume RESULTS is required, and not both",
            remedy="`fer-tune spaces list` lists the shipped search spaces",
        )
    if space is not None and data is None:
        raise EnvironmentFault(
            "missing option --data",
            remedy="Pass a packed dataset: a path on the cluster, a URL, or with --cluster a "
            "local path",
        )
    if resume is not None and (results is not None or overrides):
        raise EnvironmentFault(
            "a resumed search already has its results folder and its search space",
            where="--resume",
            value=resume,
            remedy="Remove --results and --set",
        )


def _send(access: Access, id: str, package: Package, submission: Submission) -> None:
    from fer_tune.cluster.dashboard import Unreachable

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
        if _is_known(access, id):
            return  # only the response was lost
        raise Unreachable(
            f"no response to the submission of {id} ({error.what})",
            remedy="It may have been accepted. Before you submit it again, check: "
            f"fer-tune status {shell_word(id)} {access.option}",
        ) from None


def _is_known(access: Access, id: str) -> bool:
    """Whether the cluster has the job."""
    try:
        access.renew()
        access.api.job(id)
    except EnvironmentFault:
        return False
    return True


def _package_rows(package: Package, tree: Tree) -> list[tuple[str, str]]:
    """What the package holds, its size, and the first files left out for each reason."""
    rows = [
        ("package", f"{package.files} files of {tree.root}, {_mib(package.size)}"),
        ("of these", "; ".join(_parts(package))),
    ]
    for reason, files in tree.reasons.items():
        first = ", ".join(one_line(file) for file in files[:_NAMED])
        more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        rows.append(("left out", f"{reason} ({len(files)}): {first}{more}"))
    if tree.reasons:
        rows.append(("", "--include NAME sends a file that the search needs"))
    return rows


def _parts(package: Package) -> Iterator[str]:
    """How much of the package is in each folder at its top, the largest first."""
    import zipfile

    sizes: dict[str, list[int]] = {}
    with zipfile.ZipFile(package.file) as archive:
        for entry in archive.infolist():
            top, inside, _ = entry.filename.partition("/")
            sizes.setdefault(f"{top}/" if inside else "at the top", []).append(entry.compress_size)
    largest = sorted(sizes, key=lambda folder: -sum(sizes[folder]))
    for folder in largest[:_FOLDERS]:
        found = sizes[folder]
        yield f"{one_line(folder)} {len(found)}, {_mib(sum(found))}"
    if rest := largest[_FOLDERS:]:
        yield f"{len(rest)} more folders {_mib(sum(sum(sizes[folder]) for folder in rest))}"


def _mib(size: int) -> str:
    return f"{size / 1024**2:.1f} MiB"


def _list(package: Package) -> None:
    import zipfile

    with zipfile.ZipFile(package.file) as archive:
        for entry in archive.infolist():
            print(one_line(f"{entry.file_size:>12} {entry.filename}"))


def _links(access: Access, id: str) -> list[tuple[str, str]]:
    ways = [("dashboard", access.link(id))]
    if access.forwarding:
        ways.append(("port forward", access.forwarding))
    return ways
