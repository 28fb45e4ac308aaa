"""Our rules for KubeRay's manifests: RayCluster, and RayJob or RayService with its own one."""

from __future__ import annotations

from collections.abc import Iterator

from fer_tune.cluster.checks.access_rules import open_to_the_world
from fer_tune.cluster.checks.commands import Simple, parse
from fer_tune.cluster.checks.launchers.kueue import QUEUE, check_queue
from fer_tune.cluster.checks.memory_rules import Slot
from fer_tune.cluster.checks.service_rules import check_service
from fer_tune.cluster.checks.storage_rules import at_url
from fer_tune.errors import Fault
from fer_tune.yaml_reader.document import Document, KeyPath

KINDS = ("RayCluster", "RayJob", "RayService")
#: Where a kind has the specification of its Ray cluster.
_CLUSTER: dict[str, KeyPath] = {
    "RayJob": ("spec", "rayClusterSpec"),
    "RayService": ("spec", "rayClusterConfig"),
}
RESULTS: KeyPath = ("metadata", "annotations", "fer-tune/results")
_GPU = "nvidia.com/gpu"


def check_manifest(document: Document) -> Iterator[Fault]:
    cluster = cluster_place(document)
    if not document.mapping(*cluster):
        yield document.fault(
            cluster, "is missing", remedy="A job or service needs its own cluster here"
        )
        return
    yield from _access(document, cluster)
    yield from _scale(document, cluster)
    yield from check_queue(document, cluster)
    second = document.get(*cluster, "autoscalerOptions", "version") == "v2"
    for place in pods(document, cluster):
        yield from _pod(document, place)
        restarts = document.get(*place, "restartPolicy")
        if second and restarts not in (None, "Never"):
            yield document.fault(
                (*place, "restartPolicy"),
                "must be Never: the operator rejects other values with Ray's second autoscaler",
                value=restarts,
                remedy="Set it, or remove it",
            )
    if document.get("kind") == "RayService":
        yield from check_service(document, pods(document, cluster))
        return
    yield from _storage(document, cluster)
    if document.get("kind") == "RayJob":
        yield from _job(document)


def cluster_place(document: Document) -> KeyPath:
    return _CLUSTER.get(str(document.get("kind")), ("spec",))


def pods(document: Document, cluster: KeyPath) -> list[KeyPath]:
    """Places of the specifications of the head's and the workers' pods, the head's first."""
    groups = document.list(*cluster, "workerGroupSpecs")
    heads: list[KeyPath] = [(*cluster, "headGroupSpec", "template", "spec")]
    return heads + [
        (*cluster, "workerGroupSpecs", index, "template", "spec") for index in range(len(groups))
    ]


def _access(document: Document, cluster: KeyPath) -> Iterator[Fault]:
    mode = document.get(*cluster, "authOptions", "mode")
    if mode != "token":
        yield document.fault(
            (*cluster, "authOptions", "mode"),
            "must be token",
            value=mode,
            remedy="Without it, anybody who can reach a port can run code",
        )
    elif not document.get(*cluster, "rayVersion"):
        yield document.fault(
            (*cluster, "rayVersion"),
            "is missing, and without it the operator rejects a token",
            remedy="Set the version in the image, such as 2.60.0",
        )
    yield from open_to_the_world(document)
    service: KeyPath = (*cluster, "headGroupSpec", "serviceType")
    if document.get(*service) in ("LoadBalancer", "NodePort") and not document.reason(service):
        yield document.fault(
            service,
            "must not be open to the world without a reason",
            value=document.get(*service),
            remedy="Use ClusterIP and `kubectl port-forward`, or add # open: REASON on its line",
        )
    yield from _dashboard(document, (*cluster, "headGroupSpec", "rayStartParams", "dashboard-host"))


def _dashboard(document: Document, place: KeyPath) -> Iterator[Fault]:
    host, is_job = document.get(*place), document.get("kind") in _CLUSTER
    opened = "0.0.0.0 with # open: REASON on its line"
    if host is None:
        yield document.fault(
            place,
            "must be set: the operator's default is 0.0.0.0",
            remedy=f"Set {opened}" if is_job else f"Set 127.0.0.1, or {opened}",
        )
    elif is_job and host in ("127.0.0.1", "localhost"):
        yield document.fault(
            place,
            "must be reachable by the operator, which watches the "
            f"{_noun(document)} from another pod",
            value=host,
            remedy=f"Set {opened}",
        )


def _noun(document: Document) -> str:
    return "service" if document.get("kind") == "RayService" else "job"


def _scale(document: Document, cluster: KeyPath) -> Iterator[Fault]:
    grows = document.get(*cluster, "enableInTreeAutoscaling") is True
    ends = document.get("kind") == "RayJob"  # and its machines with it, idle or not
    if not grows and not ends:
        yield document.fault(
            (*cluster, "enableInTreeAutoscaling"),
            "must be true; otherwise idle machines are kept",
            value=document.get(*cluster, "enableInTreeAutoscaling"),
            remedy="Set it",
        )
    idle = document.get(*cluster, "autoscalerOptions", "idleTimeoutSeconds")
    if (grows or not ends) and (not isinstance(idle, int) or idle <= 0):
        yield document.fault(
            (*cluster, "autoscalerOptions", "idleTimeoutSeconds"),
            "must be set above 0",
            value=idle,
            remedy="An idle worker is removed after this many seconds; 600 is a good start",
        )
    groups = document.list(*cluster, "workerGroupSpecs")
    cpus = document.get(*cluster, "headGroupSpec", "rayStartParams", "num-cpus")
    if not groups and str(cpus) == "0":
        yield document.fault(
            (*cluster, "workerGroupSpecs"),
            "has no machine that runs trials",
            remedy="Add a group, or give the head CPUs",
        )
    for index, _ in enumerate(groups):
        group: KeyPath = (*cluster, "workerGroupSpecs", index)
        if not isinstance(document.get(*group, "maxReplicas"), int):
            yield document.fault(
                (*group, "maxReplicas"),
                "must be set",
                remedy="It limits the cost of the cluster",
            )
        least, most = document.get(*group, "minReplicas"), document.get(*group, "maxReplicas")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            yield document.fault(
                (*group, "minReplicas"),
                f"must be at most maxReplicas, {most}",
                value=least,
                remedy="Change one of the two",
            )
        if ends and not grows and not document.get(*group, "replicas"):
            yield document.fault(
                (*group, "replicas"),
                "must be set above 0, as nothing adds workers to this cluster",
                value=document.get(*group, "replicas"),
                remedy="Set their number, or enableInTreeAutoscaling: true",
            )


def _pod(document: Document, place: KeyPath) -> Iterator[Fault]:
    for key in ("initContainers", "containers"):
        for index, container in enumerate(document.list(*place, key)):
            if not isinstance(container, dict):
                continue
            here: KeyPath = (*place, key, index)
            image = str(container.get("image") or "")
            tag = image.rpartition("/")[2].partition(":")[2]
            if "@sha256:" not in image and (
                not tag or tag.startswith("latest") or "nightly" in tag
            ):
                yield document.fault(
                    (*here, "image"),
                    "must name one version",
                    value=image,
                    remedy="Add a tag; otherwise nodes that join later could get another version",
                )
            if here[-2:] != ("containers", 0):
                continue  # Ray runs in the first container, whatever the others are
            limits = document.mapping(*here, "resources", "limits")
            if "cpu" not in limits or "memory" not in limits:
                yield document.fault(
                    (*here, "resources", "limits"),
                    "must name cpu and memory: Ray takes its resources from them",
                    remedy="Add limits",
                )


def _storage(document: Document, cluster: KeyPath) -> Iterator[Fault]:
    results = document.get(*RESULTS)
    if not isinstance(results, str) or not results:
        yield document.fault(
            RESULTS,
            "must specify where results are written",
            remedy="Use s3://, gs://, or a folder on a volume that head and workers mount",
        )
        return
    if "://" in results:
        yield from at_url(document, RESULTS, results)
        return
    for place in pods(document, cluster):
        if not _on_a_volume(document, place, results):
            yield document.fault(
                (*place, "volumes"),
                f"must mount a shared volume at {results}",
                remedy="Mount a persistentVolumeClaim or nfs volume there, in head and workers",
            )


def _on_a_volume(document: Document, pod: KeyPath, folder: str) -> bool:
    shared = [
        volume.get("name")
        for volume in document.list(*pod, "volumes")
        if isinstance(volume, dict) and {"persistentVolumeClaim", "nfs", "csi"} & set(volume)
    ]
    return any(
        isinstance(mount, dict)
        and mount.get("name") in shared
        and f"{folder}/".startswith(f"{str(mount.get('mountPath')).rstrip('/')}/")
        for index, _ in enumerate(document.list(*pod, "containers"))
        for mount in document.list(*pod, "containers", index, "volumeMounts")
    )


def _job(document: Document) -> Iterator[Fault]:
    ends = document.get("spec", "shutdownAfterJobFinishes") is True
    queued = document.get(*QUEUE) is not None  # which Kueue's rule is stricter about
    if not ends and not queued and not document.mapping("spec", "deletionStrategy"):
        yield document.fault(
            ("spec", "shutdownAfterJobFinishes"),
            "must be true; otherwise the cluster is kept after the job",
            value=document.get("spec", "shutdownAfterJobFinishes"),
            remedy="Set it",
        )
    retries = document.get("spec", "backoffLimit")
    if document.get("spec", "submissionMode") == "InteractiveMode":
        return  # its user submits, and retries
    if not isinstance(retries, int) or retries < 1:
        yield document.fault(
            ("spec", "backoffLimit"),
            "must be at least 1",
            value=retries,
            remedy="Then a search whose cluster is lost continues on another; 10 is a good start",
        )
    place: KeyPath = ("spec", "entrypoint")
    entrypoint = document.get(*place)
    if not entrypoint:
        yield document.fault(place, "is missing", remedy="Add `fer-tune search`")
        return
    try:
        commands = parse(str(entrypoint))
    except ValueError as error:
        yield document.fault(
            place, "must be a complete shell command", value=entrypoint, remedy=f"{error}"
        )
        return
    for command in commands:
        yield from _search(document, place, command)


def _search(document: Document, place: KeyPath, command: Simple) -> Iterator[Fault]:
    """Errors of a job's command that starts or resumes a search."""
    words, options = command.words, command.options()
    if not {"search", "resume"} & set(words):
        return
    results, target = document.get(*RESULTS), options.get("results")
    if "search" in words and results and target != results and "$" not in str(target):
        yield document.fault(
            place,
            f"must write to {results}, as the annotation says",
            value=target,
            remedy="Change one of the two" if target else f"Add --results {results}",
        )
    if "search" in words and "or-resume" not in options:
        yield document.fault(
            place,
            "must pass --or-resume",
            remedy="A retry runs the same command again, which would be refused without it",
        )
    if not options.get("address"):
        yield document.fault(
            place,
            "must pass --address auto",
            remedy="Without it, trials run only in the head's pod",
        )


def worker_slots(document: Document, gpu_memory: float | None) -> list[Slot]:
    """The workers as trials see them; a manifest does not say which GPU it gets."""
    found = []
    cluster = cluster_place(document)
    for place in pods(document, cluster)[1:]:
        limits = document.mapping(*place, "containers", 0, "resources", "limits")
        # Ray looks for its resources in these first.
        params = document.mapping(*place[:-2], "rayStartParams")
        cpus = params.get("num-cpus", limits.get("cpu"))
        name = document.get(*place[:-2], "groupName")
        found.append(
            Slot(
                place=place[:-2],
                name=str(name),
                gpu_memory=gpu_memory,
                bfloat16=True,
                gpus=int(_number(params.get("num-gpus", limits.get(_GPU)))),
                cpus=None if cpus is None else _number(cpus),
            )
        )
    return found


def _number(quantity: object) -> float:
    """A quantity of Kubernetes in whole units: "4", 4, "500m"."""
    text = str(quantity or 0)
    try:
        return float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        return 0.0
