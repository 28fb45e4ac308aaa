"""What Kueue demands of a manifest with its queue label; it rejects the job otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from fer_tune.errors import Fault
from fer_tune.yaml_reader.document import Document, KeyPath

QUEUE: KeyPath = ("metadata", "labels", "kueue.x-k8s.io/queue-name")
_ELASTIC: KeyPath = ("metadata", "annotations", "kueue.x-k8s.io/elastic-job")
#: Groups of workers that Kueue admits together with a head.
_MOST_GROUPS = 7


def check_queue(document: Document, cluster: KeyPath) -> Iterator[Fault]:
    """Errors of a RayCluster or RayJob that goes to a queue; nothing without one.

    Args:
        cluster: place of the specification of the Ray cluster.
    """
    queue = document.get(*QUEUE)
    if queue is None:
        return
    if not isinstance(queue, str) or not queue:
        yield document.fault(
            QUEUE, "must name a queue", value=queue, remedy="`kubectl get localqueues` lists them"
        )
    place: KeyPath = (*cluster, "enableInTreeAutoscaling")
    if document.get(*place) is True and str(document.get(*_ELASTIC)) != "true":
        yield document.fault(
            place,
            "must be false: Kueue admits a job with all of its workers",
            value=True,
            remedy="Set it, and a fixed number of replicas; or annotate the job as elastic, "
            "kueue.x-k8s.io/elastic-job",
        )
    groups = document.list(*cluster, "workerGroupSpecs")
    if len(groups) > _MOST_GROUPS:
        yield document.fault(
            (*cluster, "workerGroupSpecs"),
            f"must have at most {_MOST_GROUPS} groups: Kueue admits no more",
            value=len(groups),
            remedy="Merge some",
        )
    for index, group in enumerate(groups):
        if isinstance(group, dict) and group.get("groupName") == "head":
            yield document.fault(
                (*cluster, "workerGroupSpecs", index, "groupName"),
                "must not be head, which Kueue calls the head's group",
                value="head",
                remedy="Rename it",
            )
    ends: KeyPath = ("spec", "shutdownAfterJobFinishes")
    if document.get("kind") == "RayJob" and document.get(*ends) is not True:
        yield document.fault(
            ends,
            "must be true: Kueue rejects a job that keeps its cluster",
            value=document.get(*ends),
            remedy="Set it",
        )
