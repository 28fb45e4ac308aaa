"""The commands `status`, `logs` and `stop`, and following a job."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from fer_tune.cli.option_groups import Where
from fer_tune.console import say
from fer_tune.escaping import LogPieces, job_log, shell_word

if TYPE_CHECKING:
    from fer_tune.cluster.job import Job
    from fer_tune.cluster.ssh.dashboard_access import Access

#: Columns of `status`.
HEADINGS = ("job", "state", "started", "duration", "results")


@contextmanager
def connected(where: Where) -> Iterator[Access]:
    """The cluster that the user named; warns before a token is sent unencrypted."""
    from fer_tune.cluster.ssh.dashboard_access import connected_to

    def warn(text: str) -> None:
        say(Console(stderr=True), text, style="yellow")

    with connected_to(
        where.cluster, where.address, warn=warn, send_token=where.send_token
    ) as access:
        yield access


def show_status(
    where: Where, wanted: str | None, *, since: float | None = None, as_json: bool
) -> None:
    """The `status` command."""
    with connected(where) as access:
        jobs = access.api.jobs() if wanted is None else [access.api.find(wanted)]
    if since is not None and wanted is None:
        jobs = [job for job in jobs if job.started is None or job.started >= since]
    if as_json:
        sys.stdout.write(json.dumps([asdict(job) for job in jobs], indent=2) + "\n")
    elif wanted is not None:
        _show_one(jobs[0])
    elif not jobs:
        then = "" if since is None else " since then"
        say(Console(), f"No search has been submitted to this cluster{then}.")
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
    from fer_tune.cluster.jobs.submission import GRACE_S

    console = Console()
    with connected(where) as access:
        job = access.api.find(wanted)
        if job.over or not access.api.stop(job.id):
            job = access.api.job(job.id)
            say(console, f"{job.id} has already ended: {job.state}.")
        elif wait:
            say(
                console,
                f"stopping {job.id}: it finishes its running epochs first, for "
                f"{GRACE_S // 60} minutes at most; Ctrl-C here does not affect it.",
            )
            job = followed(access, job.id, lambda text: None, Console(stderr=True))
            say(console, f"{job.id} has ended: {job.state}.")
        else:
            say(console, f"stopping {job.id}: it finishes its running epochs first.")
        if job.state != "succeeded" and job.results:
            say(console, "All results so far are kept. Resume with:")
            say(console, f"  {resume_command(job, access)}")


def resume_command(job: Job, access: Access) -> str:
    """The command that resumes a search."""
    return f"fer-tune submit --resume {shell_word(job.results)} {access.option}"


def next_commands(access: Access, id: str) -> list[tuple[str, str]]:
    """Commands for a running job."""
    return [
        ("follow", f"fer-tune logs {shell_word(id)} --follow {access.option}"),
        ("stop", f"fer-tune stop {shell_word(id)} {access.option}"),
        ("fetch", f"fer-tune fetch {shell_word(id)} {access.option}"),
    ]


def detached_or_code(access: Access, id: str, console: Console) -> int:
    """Follows a job; Ctrl-C leaves it running. Returns its exit code, or 130."""
    pieces = LogPieces()
    try:
        try:
            job = followed(access, id, lambda text: write(pieces.complete(text)), console)
        finally:
            write(pieces.rest())
    except KeyboardInterrupt:
        say(console, "", f"Detached; {id} is still running.")
        print_rows(console, *next_commands(access, id))
        return 130
    say(console, f"{id} has ended: {job.state}.")
    if job.state == "failed" and job.exit_code is None:
        print_rows(console, *_message(job))
    if job.state != "succeeded":
        print_rows(console, ("resume", resume_command(job, access)))
    print_rows(console, ("fetch", f"fer-tune fetch {shell_word(id)} {access.option}"))
    return job.code()


def followed(access: Access, id: str, write: Callable[[str], None], console: Console) -> Job:
    """Passes a job's log to ``write`` until it ends, and reconnects if needed."""
    from fer_tune.cluster.jobs.log_stream import Follower

    def note(text: str) -> None:
        say(console, f"[{text}]", style="yellow")

    return Follower(access, id, write, note).to_the_end()


def print_rows(console: Console, *rows: tuple[str, str]) -> None:
    """Prints label and text on a line each, to be copied."""
    for label, text in rows:
        say(console, f"  {label:<12} {text}")


def write(text: str) -> None:
    """Prints a piece of a job's log."""
    sys.stdout.write(job_log(text))
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
    say(Console(), *text)


def _show_one(job: Job) -> None:
    rows = [("job", job.id), ("state", job.state), ("started", _when(job.started))]
    rows += [("ended", _when(job.ended)), ("duration", duration(job.seconds(time.time())))]
    rows += [(key, value) for key, value in job.metadata.items() if value]
    if job.exit_code is not None:
        rows.append(("exit code", str(job.exit_code)))
    if job.state in ("pending", "failed") and job.message:
        rows += _message(job)
    print_rows(Console(), *rows)


def _message(job: Job) -> list[tuple[str, str]]:
    """Ray's message, often a traceback, a row for each line."""
    first, *more = job.message.strip().split("\n")
    return [("message", first), *(("", line) for line in more)]


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
