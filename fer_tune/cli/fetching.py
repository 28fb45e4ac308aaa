"""What `fetch` does: a results folder brought here."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rich.console import Console

from fer_tune.cli.jobs import Where, connected

if TYPE_CHECKING:
    from fer_tune.cluster.access import Access


def fetch(where: Where, wanted: str, out: Path | None, *, checkpoints: bool) -> None:
    """Fetches the results of a job, or of a results folder as the cluster sees it.

    A URL needs no cluster, unless a job has to be asked for it.
    """
    from fer_tune.cluster.fetching import fetch as bring
    from fer_tune.cluster.fetching import summary
    from fer_tune.storage import is_url

    console = Console()
    reaching: AbstractContextManager[Access | None] = (
        nullcontext() if is_url(wanted) else connected(where)
    )
    with reaching as access:
        results, name = _results(wanted, access)
        out = out or Path("results") / name
        done = bring(results, out, access, checkpoints=checkpoints, show=console.is_terminal)
    console.print(
        f"{out}: {done.files} files new or changed, {done.size / 1024**2:.1f} MiB.",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    manifest = summary(out)
    if manifest:
        console.print(f"The search is {manifest['state']}.", highlight=False)
    if done.vanished or manifest.get("state") == "running":
        console.print("The same command fetches what comes or changes later.")
    console.print(
        f"  fer-tune report {shlex.quote(str(out))}", highlight=False, soft_wrap=True, markup=False
    )


def _results(wanted: str, access: Access | None) -> tuple[str, str]:
    """The results folder, and what to call it here."""
    from fer_tune.errors import ResultsError
    from fer_tune.storage import UrlPath

    if access is None:
        return wanted, UrlPath(wanted).name
    if wanted.startswith(("/", "~/")):
        return wanted, PurePosixPath(wanted).name
    job = access.api.find(wanted)
    if not job.results:
        raise ResultsError("its results folder was not written down", where=job.id)
    return job.results, job.id
