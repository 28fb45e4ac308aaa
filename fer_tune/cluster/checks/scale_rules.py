"""How large the cluster may grow, its cost when idle, and that its head is not interrupted."""

from __future__ import annotations

from collections.abc import Iterator

from fer_tune.cluster.checks.machines import is_spot, machine_of
from fer_tune.errors import Fault
from fer_tune.wording import did_you_mean
from fer_tune.yaml_reader.document import Document

CLOUDS = ("aws", "gcp", "azure")
_TYPES = "available_node_types"


def check_scale(document: Document) -> Iterator[Fault]:
    yield from _bounds(document)
    provider = str(document.get("provider", "type"))
    if provider in CLOUDS:
        yield from _types(document, provider)
    elif provider == "local":
        yield from _hosts(document)


def _bounds(document: Document) -> Iterator[Fault]:
    if "max_workers" not in document.value:
        yield document.fault(
            ("max_workers",), "must be set", remedy="It limits the cost of the cluster"
        )
    idle = document.get("idle_timeout_minutes")
    if not isinstance(idle, (int, float)) or isinstance(idle, bool) or idle <= 0:
        yield document.fault(
            ("idle_timeout_minutes",),
            "must be set above 0",
            value=idle,
            remedy="An idle machine is removed after this many minutes; 10 is a good start",
        )


def _types(document: Document, provider: str) -> Iterator[Fault]:
    types = document.mapping(_TYPES)
    if not types:
        yield document.fault(
            (_TYPES,),
            "must be set; otherwise Ray's default applies",
            remedy="`fer-tune cluster show` prints files with GPU machines",
        )
    head = document.get("head_node_type")
    workers = [name for name in types if name != head]
    if types and len(workers) == len(types):
        yield document.fault(
            ("head_node_type",),
            "must be one of available_node_types",
            value=head,
            remedy=did_you_mean(str(head), types),
        )
    if types and not workers and document.get(_TYPES, head, "resources", "CPU") == 0:
        yield document.fault(
            (_TYPES,), "has no machine that runs trials", remedy="Add a type, or CPUs to the head"
        )
    for name in workers:
        least, most = (document.get(_TYPES, name, f"{m}_workers") for m in ("min", "max"))
        if isinstance(least, int) and isinstance(most, int) and least > most:
            yield document.fault(
                (_TYPES, name, "min_workers"),
                f"must be at most max_workers, {most}",
                value=least,
                remedy="Change one of the two",
            )
    for name, node in types.items():
        if not isinstance(node, dict) or not isinstance(node.get("node_config"), dict):
            continue
        config = node["node_config"]
        if name == head and is_spot(provider, config):
            yield document.fault(
                (_TYPES, name, "node_config"),
                "must not be a spot machine: the search ends with its head",
                remedy="Use an on-demand head; as it runs no trials, it can be small",
            )
        machine = machine_of(provider, config)
        resources = node.get("resources")
        if not isinstance(resources, dict):
            continue  # reported by Ray's schema
        gpus = resources.get("GPU")
        # On AWS Ray finds the GPUs itself where the file says nothing.
        if machine and gpus != machine.gpus and not (gpus is None and provider == "aws"):
            gpus = gpus or 0
            if gpus != machine.gpus and name != head:
                yield document.fault(
                    (_TYPES, name, "resources", "GPU"),
                    f"must be {machine.gpus}, the GPUs of {machine.name}",
                    value=gpus,
                    remedy="Ray places trials by this number",
                )


def _hosts(document: Document) -> Iterator[Fault]:
    hosts = document.get("provider", "worker_ips")
    if "coordinator_address" in document.mapping("provider"):
        return
    for key in ("head_ip", "worker_ips"):
        if key not in document.mapping("provider"):
            yield document.fault(("provider", key), "is missing", remedy="List the machines")
    if not isinstance(hosts, list):
        return
    most = document.get("max_workers")
    if isinstance(most, int) and most != len(hosts):
        yield document.fault(
            ("max_workers",),
            f"must be {len(hosts)}, the number of worker_ips",
            value=most,
            remedy="With fewer, machines are left out; more do not exist",
        )
    head = document.get("provider", "head_ip")
    for index, host in enumerate(hosts):
        if host == head or host in hosts[:index]:
            yield document.fault(
                ("provider", "worker_ips", index),
                "must be listed only once",
                value=host,
                remedy="Remove it",
            )
