"""What a cluster file creates, in a few lines: machines, GPUs, rough cost, results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fer_tune.cluster.checks import manifest_rules
from fer_tune.cluster.checks.launchers import skypilot, slurm
from fer_tune.cluster.checks.machines import is_spot, machine_of
from fer_tune.cluster.checks.service_rules import service_rows
from fer_tune.cluster.checks.storage_rules import RESULTS
from fer_tune.yaml_reader.document import Document, KeyPath

if TYPE_CHECKING:
    from fer_tune.cluster.checks.memory_rules import Slot


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Pairs of label and text, in the order of reading."""

    name: str
    rows: tuple[tuple[str, str], ...]


def summary(document: Document) -> Summary:
    """Of a file without errors."""
    if document.get("kind"):
        return _of_manifest(document)
    if slurm.is_read_from(document):
        name = document.get(slurm.OPTIONS, "job-name")
        return Summary(name=str(name or "job"), rows=tuple(slurm.rows(document)))
    if skypilot.is_task(document):
        return Summary(
            name=str(document.get("name") or "task"), rows=tuple(skypilot.rows(document))
        )
    provider = str(document.get("provider", "type"))
    rows = _hosts(document) if provider == "local" else _machines(document, provider)
    rows.append(("results", str(document.get(*RESULTS))))
    return Summary(name=str(document.get("cluster_name")), rows=tuple(rows))


def worker_slots(document: Document, gpu_memory: float | None) -> list[Slot]:
    """The kinds of workers as trials see them; ``gpu_memory`` (GiB) where the file says nothing."""
    from fer_tune.cluster.checks.memory_rules import Slot

    if document.get("kind"):
        return manifest_rules.worker_slots(document, gpu_memory)
    if slurm.is_read_from(document):
        return slurm.nodes(document, gpu_memory)
    if skypilot.is_task(document):
        return skypilot.machines(document, gpu_memory)
    provider = str(document.get("provider", "type"))
    if provider == "local":
        given = gpu_memory is not None
        place: KeyPath = ("provider", "worker_ips")
        return [
            Slot(
                place=place,
                name="the workers",
                gpu_memory=gpu_memory,
                bfloat16=True,
                gpus=1 if given else None,
                cpus=None,
            )
        ]
    found = []
    for name, node in document.mapping("available_node_types").items():
        if name == document.get("head_node_type") or not isinstance(node, dict):
            continue
        config, resources = node.get("node_config"), node.get("resources")
        machine = machine_of(provider, config if isinstance(config, dict) else {})
        told_resources = resources if isinstance(resources, dict) else {}
        memory = machine.gpu_memory if machine else None
        found.append(
            Slot(
                place=("available_node_types", name),
                name=machine.name if machine else str(name),
                gpu_memory=gpu_memory if memory is None else memory,
                bfloat16=machine.bfloat16 if machine else True,
                gpus=told_resources.get("GPU", machine.gpus if machine else None),
                cpus=told_resources.get("CPU", machine.cpus if machine else None),
            )
        )
    return found


def _gpus(count: int) -> str:
    return f"{count} GPU" if count == 1 else f"{count} GPUs"


def _machines(document: Document, provider: str) -> list[tuple[str, str]]:
    head = document.get("head_node_type")
    types = document.mapping("available_node_types")
    rows: list[tuple[str, str]] = []
    dear: list[tuple[float, int]] = []
    unknown = False
    idle = of_head = 0.0
    for name, node in types.items():
        config = node["node_config"]
        machine, spot = machine_of(provider, config), is_spot(provider, config)
        cost = machine.cost(spot=spot) if machine else None
        unknown = unknown or cost is None
        words = machine.name if machine else "an unknown machine type"
        if machine and machine.gpu:
            words += f", {machine.gpus} × {machine.gpu} ({machine.gpu_memory} GiB)"
        words += ", spot" if spot else ", on demand"
        words += f", roughly {cost:.2f} USD per hour" if cost is not None else ""
        if name == head:
            trials = document.get("available_node_types", name, "resources", "CPU") != 0
            rows.insert(0, ("head", words + ("" if trials else ", no trials")))
            of_head = cost or 0.0
        else:
            least, most = node.get("min_workers", 0), node.get("max_workers")
            most = document.get("max_workers") if most is None else most
            rows.append((f"workers {name}", f"{least} to {most}: {words}"))
            idle += least * (cost or 0.0)
            gpus = machine.gpus if machine else node.get("resources", {}).get("GPU", 0)
            dear += [(cost or 0.0, gpus)] * int(most)
    bound = int(document.get("max_workers"))
    gpus = sum(sorted((count for _, count in dear), reverse=True)[:bound])
    idle += of_head
    most_cost = of_head + sum(sorted((cost for cost, _ in dear), reverse=True)[:bound])
    rows.append(("workers at most", f"{bound}, {_gpus(gpus)}"))
    open_end = ", not counting unknown machine types" if unknown else ""
    rows.append(
        ("cost", f"roughly {idle:.2f} USD per hour idle, {most_cost:.2f} at most{open_end}")
    )
    rows.append(("idle workers", f"removed after {document.get('idle_timeout_minutes'):g} minutes"))
    return rows


def _hosts(document: Document) -> list[tuple[str, str]]:
    coordinator = document.get("provider", "coordinator_address")
    if coordinator:
        head = f"as {coordinator} gives it"
        workers = f"{document.get('max_workers')} at most"
    else:
        hosts = document.list("provider", "worker_ips")
        head = str(document.get("provider", "head_ip"))
        workers = f"{len(hosts)}: {', '.join(map(str, hosts))}"
    return [
        ("head", head),
        ("workers", workers),
        ("cost", "existing machines"),
    ]


def _of_manifest(document: Document) -> Summary:
    cluster = manifest_rules.cluster_place(document)
    rows = [("kind", str(document.get("kind")))]
    gpus = 0
    for index, slot in enumerate(manifest_rules.worker_slots(document, None)):
        group: KeyPath = (*cluster, "workerGroupSpecs", index)
        least = document.get(*group, "minReplicas") or 0
        most = int(document.get(*group, "maxReplicas"))
        gpus += most * (slot.gpus or 0)
        rows.append(
            (
                f"workers {slot.name}",
                f"{least} to {most}: {slot.cpus:g} CPUs, {_gpus(slot.gpus or 0)}",
            )
        )
    idle = document.get(*cluster, "autoscalerOptions", "idleTimeoutSeconds")
    rows.append(("workers at most", _gpus(gpus)))
    rows.append(("cost", "what the nodes of the Kubernetes cluster cost"))
    grows = document.get(*cluster, "enableInTreeAutoscaling") is True
    gone = f"removed after {idle / 60:g} minutes" if grows else "kept until the job ends"
    rows.append(("idle workers", gone))
    if document.get("kind") == "RayService":
        rows += service_rows(document)
    else:
        rows.append(("results", str(document.get(*manifest_rules.RESULTS))))
    return Summary(name=str(document.get("metadata", "name")), rows=tuple(rows))
