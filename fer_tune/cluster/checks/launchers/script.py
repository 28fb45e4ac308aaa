"""Rules for the commands of a launcher's file: how they start Ray, and the search on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from fer_tune.cluster.checks.commands import Simple, parse
from fer_tune.errors import Fault

#: Folders of one machine.
_LOCAL = re.compile(r"/(tmp|var/tmp|dev/shm)(/|$)|\$\{?(TMPDIR|SLURM_TMPDIR)\b")
#: What the shell would compute: arithmetic, and the output of a command. Its value is not known.
_COMPUTED = re.compile(r"\$\(\([^()]*\)\)|\$\([^()]*\)")
_COMMENT = re.compile(r"(^|\s)#.*")


class Report(Protocol):
    """Makes the fault of a command; ``words`` are some of its words, to find its line."""

    def __call__(
        self, words: Sequence[str], rule: str, *, value: object = None, remedy: str = ""
    ) -> Fault: ...


def commands_of(text: str, environment: Mapping[str, str]) -> list[Simple]:
    """The simple commands of a script, comments left out.

    Args:
        environment: variables that are set before it runs.

    Raises:
        ValueError: a quotation does not end.
    """
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    plain = "\n".join(_COMMENT.sub("", line) if "'" not in line else line for line in lines)
    found = parse(_COMPUTED.sub("$COMPUTED", plain))
    return [replace(one, environment={**environment, **one.environment}) for one in found]


def check_ray(
    commands: Sequence[Simple],
    report: Report,
    has_own_port: Callable[[str], bool],
    port_remedy: str,
) -> Iterator[Fault]:
    """Rules for every ``ray start``.

    Args:
        has_own_port: whether no other Ray of the machine uses that port.
        port_remedy: how to choose one.
    """
    starts = [one for one in commands if one.starts_ray()]
    if not any("head" in one.options() for one in starts):
        yield report(
            (), "must start the head of a Ray", remedy="Add `ray start --head --port=PORT`"
        )
    for start in starts:
        options = start.options()
        if start.environment.get("RAY_AUTH_MODE") != "token":
            yield report(
                start.words,
                "must set RAY_AUTH_MODE=token",
                value=start.environment.get("RAY_AUTH_MODE"),
                remedy="Without it, anybody who can reach a port can run code: write "
                "`export RAY_AUTH_MODE=token` before `ray start`",
            )
        port = options.get("port", "")
        if "head" in options and not (port and has_own_port(port)):
            yield report(
                start.words,
                "must start the head on a port of its own",
                value=port or None,
                remedy=port_remedy,
            )


def check_search(commands: Sequence[Simple], report: Report) -> Iterator[Fault]:
    """Rules for the command that searches: it can be run again, and uses the Ray of this job."""
    searches = [one for one in commands if "search" in one.words and _is_ours(one)]
    if not searches:
        yield report((), "must run `fer-tune search`", remedy="Add it after `ray start`")
    for one in searches:
        yield from _repeatable(one, report)
    for one in commands:
        address = one.options().get("address") or one.environment.get("RAY_ADDRESS")
        if address == "auto":
            yield report(
                ("auto",),
                "must not connect to whatever Ray is there",
                value=address,
                remedy="Pass the head's own address, --address HOST:PORT",
            )
        elif one in searches and not address:
            yield report(
                one.words,
                "must pass the address of the Ray that was started",
                remedy="Add --address HOST:PORT; otherwise trials run on one machine only",
            )


def _repeatable(search: Simple, report: Report) -> Iterator[Fault]:
    options = search.options()
    if "or-resume" not in options:
        yield report(
            search.words,
            "must pass --or-resume",
            remedy="The launcher recovers by running the same command again, which would be "
            "refused without it",
        )
    results = options.get("results", "")
    shared = results.startswith(("/", "~/", "$", "s3://", "gs://")) and not _LOCAL.match(results)
    if not shared:
        yield report(
            search.words,
            "must write results where the next machine finds them",
            value=results or None,
            remedy="Pass --results with s3://, gs:// or an absolute path that all machines share",
        )


def _is_ours(command: Simple) -> bool:
    return any(word.rpartition("/")[2] in ("fer-tune", "fer_tune") for word in command.words)


def results_of(commands: Sequence[Simple]) -> str:
    """Where the search writes; empty if that is not known."""
    found = (one.options().get("results", "") for one in commands if "search" in one.words)
    return next(found, "")
