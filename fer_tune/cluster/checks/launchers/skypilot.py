"""Our rules for a task of SkyPilot that runs a search as a managed job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fer_tune.cluster.checks.access_rules import open_to_the_world
from fer_tune.cluster.checks.commands import Simple
from fer_tune.cluster.checks.launchers.script import (
    check_ray,
    check_search,
    commands_of,
    results_of,
)
from fer_tune.cluster.checks.machines import GPUS
from fer_tune.cluster.checks.memory_rules import Slot
from fer_tune.cluster.checks.setup_rules import NIGHTLY, unpinned
from fer_tune.errors import Fault
from fer_tune.wording import did_you_mean
from fer_tune.yaml_reader.document import Document, KeyPath

#: Keys of a task, and of its resources, as SkyPilot's schema has them.
_KEYS = (
    *("name", "workdir", "num_nodes", "resources", "envs", "secrets", "volumes", "file_mounts"),
    *("setup", "run", "config", "file_mounts_mapping", "event_callback", "volume_mounts"),
    *("inputs", "outputs", "service", "pool", "api_server_access", "_metadata"),
)
_RESOURCES = (
    *("cloud", "region", "zone", "infra", "cpus", "memory", "accelerators", "instance_type"),
    *("use_spot", "job_recovery", "volumes", "disk_size", "disk_tier", "network_tier"),
    *("local_disk", "ports", "labels", "accelerator_args", "image_id", "autostop", "priority"),
    *("any_of", "ordered"),
)
_RECOVERY: KeyPath = ("resources", "job_recovery", "recover_on_exit_codes")
#: Ports of SkyPilot's own Ray and its dashboard.
_TAKEN = ("6380", "8266")
_TOKEN: KeyPath = ("secrets", "RAY_AUTH_TOKEN")
#: Exit codes of `fer-tune search --or-resume`: continue, and an error of the user.
_RESUMABLE, _FINAL = 75, 2


def is_task(document: Document) -> bool:
    """Whether a document is a task of SkyPilot rather than a file of `ray up`."""
    keys = set(document.mapping())
    return "run" in keys and not {"provider", "cluster_name", "apiVersion"} & keys


def check_task(document: Document) -> Iterator[Fault]:
    yield from _keys(document)
    yield from _recovery(document)
    yield from _access(document)
    yield from _upload(document)
    for key, check in (("setup", _check_setup), ("run", _check_run)):
        try:
            commands = _commands(document, key)
        except ValueError as error:
            yield document.fault((key,), "must be a complete shell script", remedy=f"{error}")
        else:
            yield from check(document, commands)


def _commands(document: Document, key: str) -> list[Simple]:
    given = {str(name): str(value) for name, value in document.mapping("envs").items()}
    return commands_of(str(document.get(key) or ""), given)


def _keys(document: Document) -> Iterator[Fault]:
    for place, known in (((), _KEYS), (("resources",), _RESOURCES)):
        for key in document.mapping(*place):
            if key not in known:
                yield document.fault(
                    (*place, key), "is an unknown key", remedy=did_you_mean(str(key), sorted(known))
                )
    nodes = document.get("num_nodes")
    if nodes is not None and (not isinstance(nodes, int) or nodes < 1):
        yield document.fault(("num_nodes",), "must be at least 1", value=nodes)


def _recovery(document: Document) -> Iterator[Fault]:
    found = document.get(*_RECOVERY)
    codes = found if isinstance(found, list) else [found]
    if _RESUMABLE not in codes:
        yield document.fault(
            _RECOVERY,
            f"must contain {_RESUMABLE}",
            value=found,
            remedy="With this exit code an interrupted search asks to be run again",
        )
    if _FINAL in codes:
        yield document.fault(
            _RECOVERY,
            f"must not contain {_FINAL}",
            value=found,
            remedy="It is an error of the user, which running the command again does not fix",
        )


def _access(document: Document) -> Iterator[Fault]:
    token: KeyPath = _TOKEN if "RAY_AUTH_TOKEN" not in document.mapping("envs") else ("envs",)
    if document.get(*_TOKEN) is not None or token == ("envs",):
        yield document.fault(
            token,
            "must not contain the token itself",
            remedy="Write `RAY_AUTH_TOKEN: null` under secrets, and pass --secret RAY_AUTH_TOKEN",
        )
    elif "RAY_AUTH_TOKEN" not in document.mapping("secrets"):
        yield document.fault(
            _TOKEN,
            "must give every machine the token",
            remedy="Write `RAY_AUTH_TOKEN: null` under secrets, and pass --secret RAY_AUTH_TOKEN",
        )
    yield from open_to_the_world(document)
    ports: KeyPath = ("resources", "ports")
    if document.get(*ports) and not document.reason(ports):
        yield document.fault(
            ports,
            "must not be open to the world without a reason",
            value=document.get(*ports),
            remedy="Remove it, or state the reason on that line: # open: REASON",
        )


def _upload(document: Document) -> Iterator[Fault]:
    # A mapping names a repository.
    if isinstance(document.get("workdir"), str) and not document.reason(("workdir",)):
        yield document.fault(
            ("workdir",),
            "must not upload a whole folder without a reason",
            value=document.get("workdir"),
            remedy="It may hold pictures and secrets: install a version in setup, or state on that "
            "line what it holds: # open: REASON",
        )


def _check_setup(document: Document, commands: Sequence[Simple]) -> Iterator[Fault]:
    if document.get("resources", "image_id") and not document.get("setup"):
        return  # everything is in the image
    if NIGHTLY.search(str(document.get("setup"))):
        yield document.fault(
            ("setup",),
            "must not install a nightly Ray",
            remedy="Use a release: 'ray[default,tune]==VERSION'",
        )
    for rule, remedy in unpinned(commands):
        yield document.fault(("setup",), rule, remedy=remedy)


def _check_run(document: Document, commands: Sequence[Simple]) -> Iterator[Fault]:
    def report(words: Sequence[str], rule: str, *, value: object = None, remedy: str = "") -> Fault:
        return document.fault(("run",), rule, value=value, remedy=remedy)

    remedy = f"SkyPilot's own Ray uses {' and '.join(_TAKEN)}: pass another port, such as 6479"
    yield from check_ray(commands, report, lambda port: port not in _TAKEN, remedy)
    yield from check_search(commands, report)
    if any(one.words[:2] == ("ray", "stop") for one in commands):
        yield report(
            ("ray", "stop"),
            "must not run `ray stop`",
            remedy="It would stop SkyPilot's own Ray, too; the machines are removed after the job",
        )
    results = results_of(commands)
    on_disk = results.startswith(("/", "~/", "$HOME/")) and not results.startswith("/tmp/")
    if on_disk and not _is_mounted(document, results):
        yield report(
            ("--results",),
            "must write results where the next machine finds them",
            value=results,
            remedy="Use s3:// or gs://, or mount a bucket there with file_mounts",
        )


def _is_mounted(document: Document, folder: str) -> bool:
    """Whether file_mounts or volumes mount something at ``folder`` or above it."""
    mounts = [
        *(
            str(at)
            for at, what in document.mapping("file_mounts").items()
            if isinstance(what, dict)
        ),
        *map(str, document.mapping("volumes")),
    ]
    return any(f"{folder}/".startswith(f"{mount.rstrip('/')}/") for mount in mounts)


def machines(document: Document, gpu_memory: float | None) -> list[Slot]:
    """The kinds of machines that a task may get, as trials see them."""
    return [
        Slot(
            place=("resources", "accelerators"),
            name=name,
            gpu_memory=GPUS[name][0] if name in GPUS else gpu_memory,
            bfloat16=name not in GPUS or GPUS[name][1],
            gpus=count,
            cpus=_cpus(document),
        )
        for name, count in accelerators(document)
    ] or [
        Slot(
            place=("resources",),
            name="the machines",
            gpu_memory=None,
            bfloat16=True,
            gpus=0,
            cpus=_cpus(document),
        )
    ]


def accelerators(document: Document) -> list[tuple[str, int]]:
    """Names and numbers of the GPUs of a machine, in the order of the file."""
    resources = document.mapping("resources")
    choices = [*document.list("resources", "any_of"), *document.list("resources", "ordered")]
    found = [one.get("accelerators") for one in (resources, *choices) if isinstance(one, dict)]
    pairs = [str(name).partition(":") for one in found for name in _listed(one)]
    return list(
        dict.fromkeys((name, int(count) if count.isdecimal() else 1) for name, _, count in pairs)
    )


def _listed(accelerators: object) -> list[object]:
    """Each as ``NAME:COUNT``."""
    if isinstance(accelerators, dict):
        # {L4:1, A10G:1} without spaces is a mapping of "L4:1" to nothing.
        return [name if n is None else f"{name}:{n}" for name, n in accelerators.items()]
    return (
        accelerators if isinstance(accelerators, list) else [accelerators] if accelerators else []
    )


def _cpus(document: Document) -> float | None:
    found = re.match(r"\d+", str(document.get("resources", "cpus") or ""))
    return float(found[0]) if found else None


def rows(document: Document) -> list[tuple[str, str]]:
    """The summary of a task without errors."""
    nodes = document.get("num_nodes") or 1
    gpus = " or ".join(f"{count} × {name}" for name, count in accelerators(document))
    spot = "spot" if document.get("resources", "use_spot") is True else "on demand"
    return [
        ("kind", "managed job of SkyPilot"),
        ("machines", f"{nodes}: {gpus or 'no GPU'}, {spot}"),
        ("cost", "see `sky jobs launch`, which asks before it starts"),
        ("results", results_of(_commands(document, "run"))),
    ]
