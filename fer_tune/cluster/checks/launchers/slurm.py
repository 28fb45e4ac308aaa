"""Our rules for a batch script of Slurm that runs a search."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from fer_tune.cluster.checks.commands import Simple
from fer_tune.cluster.checks.launchers.script import (
    Report,
    check_ray,
    check_search,
    commands_of,
    results_of,
)
from fer_tune.cluster.checks.memory_rules import Slot
from fer_tune.errors import Fault
from fer_tune.yaml_reader.bounded import CLUSTER_FILE, read_text
from fer_tune.yaml_reader.document import Document, KeyPath, Position

#: Keys of the document that a script is read into.
OPTIONS, SCRIPT = "#SBATCH", "script"
_LINE = re.compile(r"#SBATCH\s+(.*)")
#: Short options of sbatch.
_LONG = {
    "N": "nodes",
    "n": "ntasks",
    "c": "cpus-per-task",
    "t": "time",
    "J": "job-name",
    "G": "gpus",
}
_TOKENS = re.compile(r"\bRAY_AUTH_TOKEN=(?!\"?\$)[\"']?\w")
#: Seconds that a search gets at least to end its running epochs.
_LEAST_NOTICE_S = 60


def is_script(path: Path) -> bool:
    """Whether a file is a batch script rather than YAML."""
    return path.suffix in (".sh", ".sbatch", ".slurm", ".batch")


def is_read_from(document: Document) -> bool:
    """Whether a document was read from a batch script."""
    return set(document.mapping()) == {OPTIONS, SCRIPT}


def read_script(path: Path) -> Document:
    """A batch script as a document of its options and its text.

    Raises:
        Broken: it cannot be read.
    """
    text = read_text(path, CLUSTER_FILE, "A batch script normally has some thousands")
    lines = tuple(text.splitlines())
    options: dict[str, str] = {}
    positions: dict[KeyPath, Position] = {(): Position(1, 1, 1, len(lines))}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            break  # as for sbatch: what follows the first command is no option
        found = _LINE.match(line)
        for name, given in _options_of(found[1] if found else ""):
            options[name] = given
            positions[(OPTIONS, name)] = Position(number, 1, number, number)
    return Document(value={OPTIONS: options, SCRIPT: text}, lines=lines, positions=positions)


def _options_of(text: str) -> Iterator[tuple[str, str]]:
    """Long names and values of the options of one ``#SBATCH`` line, as sbatch reads them."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # an open quotation mark
        words = text.split()
    for number, word in enumerate(words):
        follows = next((w for w in words[number + 1 : number + 2] if not w.startswith("-")), "")
        if word.startswith("--"):
            name, has_value, given = word[2:].partition("=")
            yield name, given if has_value else follows
        elif word.startswith("-"):
            yield _LONG.get(word[1:2], word[1:2]), word[2:].lstrip("=") or follows


def check_script(document: Document) -> Iterator[Fault]:
    yield from _options(document)
    yield from _token(document)
    try:
        commands = _commands(document)
    except ValueError as error:
        yield document.fault((SCRIPT,), "must be a complete shell script", remedy=f"{error}")
        return

    def report(words: Sequence[str], rule: str, *, value: object = None, remedy: str = "") -> Fault:
        fault = document.fault((SCRIPT,), rule, value=value, remedy=remedy)
        return Fault(**{**vars(fault), "line": _line(document, words)})

    remedy = "Jobs may share a node: compute it from $SLURM_JOB_ID"
    yield from check_ray(commands, report, lambda port: "$" in port, remedy)
    yield from _own_folder(commands, report)
    yield from check_search(commands, report)
    yield from _recovery(commands, report)


def _commands(document: Document) -> list[Simple]:
    return commands_of(str(document.get(SCRIPT)), {})


def _line(document: Document, words: Sequence[str]) -> int | None:
    """The line of the command with these words: the first that has its two first ones."""
    for number, line in enumerate(document.lines, start=1):
        if words and not line.startswith("#") and all(word in line for word in words[:2]):
            return number
    return None


def _options(document: Document) -> Iterator[Fault]:
    options = document.mapping(OPTIONS)
    for name, remedy in (
        ("requeue", "Slurm then runs the script again after a preemption or the loss of a node"),
        ("time", "Without it the partition's default applies, which may be minutes"),
    ):
        if name not in options:
            yield document.fault((OPTIONS, name), "must be set", remedy=remedy)
    if options.get("open-mode") != "append":
        yield document.fault(
            (OPTIONS, "open-mode"),
            "must be append",
            value=options.get("open-mode"),
            remedy="Otherwise every run of the job overwrites the log of the one before",
        )
    notice = re.fullmatch(r"B:(?:SIG)?USR1@(\d+)", options.get("signal", ""))
    if notice is None or int(notice[1]) < _LEAST_NOTICE_S:
        yield document.fault(
            (OPTIONS, "signal"),
            f"must be B:USR1@SECONDS with at least {_LEAST_NOTICE_S} seconds",
            value=options.get("signal"),
            remedy="Slurm then warns the script, and the search finishes its running epochs; "
            "SIGTERM would also come from scancel",
        )


def _token(document: Document) -> Iterator[Fault]:
    text = str(document.get(SCRIPT))
    if _TOKENS.search(text):
        yield document.fault(
            (SCRIPT,),
            "must not contain the token itself",
            remedy="Make one for each job, in a file that only its owner can read",
        )
    elif "RAY_AUTH_TOKEN" not in text:
        yield document.fault(
            (SCRIPT,),
            "must give every node the token",
            remedy="Export RAY_AUTH_TOKEN_PATH, a file in a folder that all nodes share",
        )
    elif not re.search(r"^\s*\(?\s*(umask 0?77|chmod 0?600 )", text, re.MULTILINE):
        yield document.fault(
            (SCRIPT,),
            "must keep the token from other users",
            remedy="Write `umask 077` before the file of the token is made",
        )


def _own_folder(commands: Sequence[Simple], report: Report) -> Iterator[Fault]:
    for one in commands:
        if one.starts_ray() and "head" in one.options() and not one.options().get("temp-dir"):
            yield report(
                one.words,
                "must set --temp-dir",
                remedy="On a shared node /tmp/ray may belong to another user: use a folder named "
                "by $SLURM_JOB_ID",
            )


def _recovery(commands: Sequence[Simple], report: Report) -> Iterator[Fault]:
    if not any(one.words[0] == "trap" and "USR1" in one.words[-1] for one in commands):
        yield report(
            (),
            "must pass SIGUSR1 on to the search as SIGTERM",
            remedy="Slurm sends it to the script: add `trap 'kill -TERM \"$SEARCH\"' USR1`",
        )
    if not any(one.words[-3:-1] == ("scontrol", "requeue") for one in commands):
        yield report(
            (),
            "must queue the job again when the search ends with 75",
            remedy='Add `scontrol requeue "$SLURM_JOB_ID"`',
        )


def nodes(document: Document, gpu_memory: float | None) -> list[Slot]:
    """The nodes as trials see them; a script does not say which GPU it gets."""
    options = document.mapping(OPTIONS)
    return [
        Slot(
            place=(OPTIONS, "nodes"),
            name="the nodes",
            gpu_memory=gpu_memory,
            bfloat16=True,
            gpus=_gpus(options),
            cpus=_number(options.get("cpus-per-task", "1")),
        )
    ]


def _gpus(options: dict[str, str]) -> int:
    keys = ("gpus-per-node", "gpus-per-task", "gres", "gpus")
    key = next((key for key in keys if options.get(key)), None)
    if key is None:
        return 0
    count = _number(options[key].rpartition(":")[2])
    return count if key != "gpus" else max(1, count // _number(options.get("nodes", "1")))


def _number(text: str) -> int:
    """The number, or the lower end of a range; 1 for anything else."""
    first = text.partition("-")[0]
    return int(first) if first.isdecimal() else 1


def rows(document: Document) -> list[tuple[str, str]]:
    """The summary of a script without errors."""
    options = document.mapping(OPTIONS)
    count, gpus = options.get("nodes", "1"), _gpus(options)
    return [
        ("kind", "batch script of Slurm"),
        ("nodes", f"{count}: {options.get('cpus-per-task', '1')} CPUs and {gpus} GPUs each"),
        ("time", f"{options.get('time')}, then the job is queued again"),
        ("cost", "what the nodes cost"),
        ("results", results_of(_commands(document))),
    ]
