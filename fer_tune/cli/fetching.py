"""The command `fetch`: copies a results folder here."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rich.console import Console

from fer_tune.cli.jobs import connected
from fer_tune.cli.option_groups import Where
from fer_tune.console import say
from fer_tune.errors import ResultsError
from fer_tune.escaping import shell_word
from fer_tune.storage import UrlPath, is_url

if TYPE_CHECKING:
    from fer_tune.cluster.ssh.dashboard_access import Access


def fetch(where: Where, wanted: str, out: Path | None, *, checkpoints: bool) -> None:
    """Fetches the results of a job, or of a results folder as the cluster sees it.

    A URL needs no cluster, unless it is that of a job.
    """
    from fer_tune.cluster.jobs.download import fetch as bring
    from fer_tune.cluster.jobs.download import summary

    console = Console()
    reaching: AbstractContextManager[Access | None] = (
        nullcontext() if is_url(wanted) else connected(where)
    )
    with reaching as access:
        results, name = _results(wanted, access)
        out = out or Path("results") / _checked(name, wanted)
        done = bring(results, out, access, checkpoints=checkpoints, show=console.is_terminal)
    say(console, f"{out}: {done.files} files new or changed, {done.size / 1024**2:.1f} MiB.")
    manifest = summary(out)
    if manifest:
        say(console, f"The search is {manifest['state']}.")
    if done.vanished or manifest.get("state") == "running":
        say(console, "Run the same command again to fetch later changes.")
    say(console, f"  fer-tune report {shell_word(out)}")


def _results(wanted: str, access: Access | None) -> tuple[str, str]:
    """The results folder, and its local name."""
    if access is None:
        return wanted, UrlPath(wanted).name
    if wanted.startswith(("/", "~/")):
        return wanted, PurePosixPath(wanted.removeprefix("~")).name
    job = access.api.find(wanted)
    if not job.results:
        raise ResultsError("its results folder is unknown", where=job.id)
    return job.results, job.id


def _checked(name: str, wanted: str) -> str:
    """``name``, if it is a valid folder name here."""
    from fer_tune.cluster.names import is_file_name

    if is_file_name(name):
        return name
    raise ResultsError(
        "cannot derive a folder name from JOB", value=wanted, remedy="Choose a folder with --out"
    )
