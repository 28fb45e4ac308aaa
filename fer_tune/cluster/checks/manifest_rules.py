"""Our rules for KubeRay's manifests: RayCluster, and RayJob with a cluster of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fer_tune.cluster.checks.access_rules import open_to_the_world
from fer_tune.cluster.checks.document import Document, Place
from fer_tune.cluster.checks.memory_rules import Slot
from fer_tune.errors import Fault

KINDS = ("RayCluster", "RayJob")
RESULTS: Place = ("metadata", "annotations", "fer-tune/results")
_GPU = "nvidia.com/gpu"


def check_manifest(document: Document) -> Iterator[Fault]:
    cluster = cluster_place(document)
    if not document.mapping(*cluster):
        yield document.fault(cluster, "is missing", remedy="A job needs a cluster of its own here")
        return
    yield from _access(document, cluster)
    yield from _scale(document, cluster)
    for place in pods(document, cluster):
        yield from _pod(document, place)
    yield from _storage(document, cluster)
    if document.get("kind") == "RayJob":
        yield from _job(document)


def cluster_place(document: Document) -> Place:
    return ("spec", "rayClusterSpec") if document.get("kind") == "RayJob" else ("spec",)


def pods(document: Document, cluster: Place) -> list[Place]:
    """Where the specifications of the head's and the workers' pods stand, the head's first."""
    groups = document.list(*cluster, "workerGroupSpecs")
    heads: list[Place] = [(*cluster, "headGroupSpec", "template", "spec")]
    return heads + [
        (*cluster, "workerGroupSpecs", index, "template", "spec") for index in range(len(groups))
    ]


def _access(document: Document, cluster: Place) -> Iterator[Fault]:
    mode = document.get(*cluster, "authOptions", "mode")
    if mode != "token":
        yield document.fault(
            (*cluster, "authOptions", "mode"),
            "must be token",
            value=mode,
            remedy="Without it anybody who reaches a port runs code",
        )
    yield from open_to_the_world(document)
    service: Place = (*cluster, "headGroupSpec", "serviceType")
    if document.get(*service) in ("LoadBalancer", "NodePort") and not document.reason(service):
        yield document.fault(
            service,
            "must not be open to the world without a reason",
            value=document.get(*service),
            remedy="Use ClusterIP and `kubectl port-forward`, or add # open: REASON on its line",
        )
    host: Place = (*cluster, "headGroupSpec", "rayStartParams", "dashboard-host")
    if document.get(*host) is None:
        yield document.fault(
            host,
            "must be set: the operator's default is 0.0.0.0",
            remedy="Set 127.0.0.1, or 0.0.0.0 with # open: REASON on its line",
        )


def _scale(document: Document, cluster: Place) -> Iterator[Fault]:
    if document.get(*cluster, "enableInTreeAutoscaling") is not True:
        yield document.fault(
            (*cluster, "enableInTreeAutoscaling"),
            "must be true, or idle machines stay",
            value=document.get(*cluster, "enableInTreeAutoscaling"),
            remedy="Set it",
        )
    idle = document.get(*cluster, "autoscalerOptions", "idleTimeoutSeconds")
    if not isinstance(idle, int) or idle <= 0:
        yield document.fault(
            (*cluster, "autoscalerOptions", "idleTimeoutSeconds"),
            "must be set above 0",
            value=idle,
            remedy="After so many seconds an idle worker is given back; 600 is a good start",
        )
    for index, _ in enumerate(document.list(*cluster, "workerGroupSpecs")):
        place: Place = (*cluster, "workerGroupSpecs", index, "maxReplicas")
        if not isinstance(document.get(*place), int):
            yield document.fault(place, "must be set", remedy="It bounds what the cluster can cost")


def _pod(document: Document, place: Place) -> Iterator[Fault]:
    for key in ("initContainers", "containers"):
        for index, container in enumerate(document.list(*place, key)):
            if not isinstance(container, dict):
                continue
            here: Place = (*place, key, index)
            image = str(container.get("image") or "")
            tag = image.rpartition("/")[2].partition(":")[2]
            if "@sha256:" not in image and (
                not tag or tag.startswith("latest") or "nightly" in tag
            ):
                yield document.fault(
                    (*here, "image"),
                    "must name one version",
                    value=image,
                    remedy="Add a tag: nodes that join later would get another version",
                )
            limits = document.mapping(*here, "resources", "limits")
            if "cpu" not in limits or "memory" not in limits:
                yield document.fault(
                    (*here, "resources", "limits"),
                    "must name cpu and memory: Ray takes its resources from them",
                    remedy="Add limits",
                )


def _storage(document: Document, cluster: Place) -> Iterator[Fault]:
    results = document.get(*RESULTS)
    if not isinstance(results, str) or not results:
        yield document.fault(
            RESULTS,
            "must say where results go",
            remedy="Name s3://, gs://, or a folder on a volume that head and workers mount",
        )
        return
    entrypoint = document.get("spec", "entrypoint")
    told = re.search(r"--results[ =](\S+)", str(entrypoint))
    if told and told[1] != results:
        yield document.fault(
            ("spec", "entrypoint"),
            f"must write to {results}, as the annotation says",
            value=told[1],
            remedy="Change one of the two",
        )
    if results.startswith(("s3://", "gs://")):
        return
    for place in pods(document, cluster):
        if not _on_a_volume(document, place, results):
            yield document.fault(
                (*place, "volumes"),
                f"must hold a shared volume at {results}",
                remedy="Mount a persistentVolumeClaim or nfs volume there, in head and workers",
            )


def _on_a_volume(document: Document, pod: Place, folder: str) -> bool:
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
    if document.get("spec", "shutdownAfterJobFinishes") is not True:
        yield document.fault(
            ("spec", "shutdownAfterJobFinishes"),
            "must be true, or the cluster stays after the job",
            value=document.get("spec", "shutdownAfterJobFinishes"),
            remedy="Set it",
        )
    if not document.get("spec", "entrypoint"):
        yield document.fault(("spec", "entrypoint"), "is missing", remedy="Add `fer-tune search`")


def worker_slots(document: Document, gpu_memory: float | None) -> list[Slot]:
    """The workers as trials see them; a manifest does not say which GPU it gets."""
    found = []
    cluster = cluster_place(document)
    for place in pods(document, cluster)[1:]:
        limits = document.mapping(*place, "containers", 0, "resources", "limits")
        name = document.get(*place[:-2], "groupName")
        found.append(
            Slot(
                place=place[:-2],
                name=str(name),
                gpu_memory=gpu_memory,
                bfloat16=True,
                gpus=int(_number(limits.get(_GPU))),
                cpus=_number(limits.get("cpu")) if "cpu" in limits else None,
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
