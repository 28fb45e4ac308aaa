"""What `status`, `logs` and `stop` do, and following a job."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from fer_tune.cluster.access import Access
    from fer_tune.cluster.job import Job

#: Columns of `status`.
HEADINGS = ("job", "state", "started", "duration", "results")


@dataclass(frozen=True, kw_only=True)
class Where:
    """How the user names a cluster."""

    cluster: Path | None
    address: str | None


@contextmanager
def connected(where: Where) -> Iterator[Access]:
    """The cluster that the user named, with a warning when a token would go there in the clear."""
    from fer_tune.cluster.access import reached

    def warn(text: str) -> None:
        Console(stderr=True).print(text, style="yellow", highlight=False, soft_wrap=True)

    with reached(where.cluster, where.address, warn) as access:
        yield access


def show_status(where: Where, wanted: str | None, *, as_json: bool) -> None:
    """The `status` command."""
    with connected(where) as access:
        jobs = access.api.jobs() if wanted is None else [access.api.find(wanted)]
    if as_json:
        sys.stdout.write(json.dumps([asdict(job) for job in jobs], indent=2) + "\n")
    elif wanted is not None:
        _show_one(jobs[0])
    elif not jobs:
        Console().print("No search has been submitted to this cluster.")
    else:
        _show_table(jobs)


def show_logs(where: Where, wanted: str, *, follow: bool) -> int:
    """The `logs` command; returns the exit code."""
    with connected(where) as access:
        job = access.api.find(wanted)
        if follow:
            return detached_or_code(access, job.id, Console(stderr=True))
        write(access.api.log(job.id))
    return 0


def stop(where: Where, wanted: str, *, wait: bool) -> None:
    """The `stop` command."""
    from fer_tune.cluster.submission import GRACE_S

    console = Console()
    with connected(where) as access:
        job = access.api.find(wanted)
        if job.over or not access.api.stop(job.id):
            job = access.api.job(job.id)
            console.print(f"{job.id} has ended already: {job.state}.")
        elif wait:
            console.print(
                f"{job.id} is asked to end. It finishes its running epochs first, for "
                f"{GRACE_S // 60} minutes at most; Ctrl-C here changes nothing.",
                highlight=False,
                soft_wrap=True,
            )
            job = followed(access, job.id, lambda text: None, Console(stderr=True))
            console.print(f"{job.id} has ended: {job.state}.", highlight=False)
        else:
            console.print(f"{job.id} is asked to end, and finishes its running epochs first.")
        if job.state != "succeeded" and job.results:
            console.print("Everything that it found is kept. Go on with:")
            console.print(
                f"  {going_on(job, access)}", highlight=False, soft_wrap=True, markup=False
            )


def going_on(job: Job, access: Access) -> str:
    """The command that takes a search up again."""
    import shlex

    return f"fer-tune submit --resume {shlex.quote(job.results)} {access.option}"


def what_next(access: Access, id: str) -> list[tuple[str, str]]:
    """Commands for a job that runs, whoever follows it."""
    return [
        ("follow", f"fer-tune logs {id} --follow {access.option}"),
        ("stop", f"fer-tune stop {id} {access.option}"),
        ("fetch", f"fer-tune fetch {id} {access.option}"),
    ]


def detached_or_code(access: Access, id: str, console: Console) -> int:
    """Follows a job; Ctrl-C leaves it running. Returns how it ended, or 130."""
    try:
        job = followed(access, id, write, console)
    except KeyboardInterrupt:
        console.print(f"\nDetached; {id} runs on.", highlight=False)
        told(console, *what_next(access, id))
        return 130
    console.print(f"{id} has ended: {job.state}.", highlight=False)
    if job.state == "failed" and job.exit_code is None:
        console.print(job.message.strip(), highlight=False, soft_wrap=True, markup=False)
    if job.state != "succeeded":
        told(console, ("go on", going_on(job, access)))
    told(console, ("fetch", f"fer-tune fetch {id} {access.option}"))
    return job.code()


def followed(access: Access, id: str, write: Callable[[str], None], console: Console) -> Job:
    """Hands a job's log to ``write`` until it is over, across lost connections."""
    from fer_tune.cluster.following import Follower

    def note(text: str) -> None:
        console.print(f"[{text}]", style="yellow", highlight=False, soft_wrap=True, markup=False)

    return Follower(access, id, write, note).to_the_end()


def told(console: Console, *rows: tuple[str, str]) -> None:
    """Label and text, a line each, to be copied."""
    for label, text in rows:
        console.print(f"  {label:<12} {text}", highlight=False, soft_wrap=True, markup=False)


def write(text: str) -> None:
    """The job's own words, unchanged."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _show_table(jobs: Sequence[Job]) -> None:
    """A line for each job and one for its results, both to be copied: nothing is cut off."""
    now, width = time.time(), max(len(job.id) for job in jobs)
    rows = [HEADINGS[:-1]]
    rows += [(j.id, j.state, _when(j.started)[:16], duration(j.seconds(now))) for j in jobs]
    lines = [f"{id:<{width}}  {s:<9}  {at:<16}  {took:>9}" for id, s, at, took in rows]
    text = [lines[0], f"  {HEADINGS[-1]}"]
    for line, job in zip(lines[1:], jobs, strict=True):
        text += [line, f"  {job.results or '–'}"]
    Console().print("\n".join(text), highlight=False, markup=False, soft_wrap=True)


def _show_one(job: Job) -> None:
    rows = [("job", job.id), ("state", job.state), ("started", _when(job.started))]
    rows += [("ended", _when(job.ended)), ("duration", duration(job.seconds(time.time())))]
    rows += [(key, value) for key, value in job.metadata.items() if value]
    if job.exit_code is not None:
        rows.append(("exit code", str(job.exit_code)))
    if job.state in ("pending", "failed") and job.message:
        rows.append(("message", job.message.strip()))
    told(Console(), *rows)


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds as ``1:02:03``; a dash for None."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _when(moment: float | None) -> str:
    if moment is None:
        return "–"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
