"""How many trials a cluster could hold once its autoscaler has added what it may.

A cluster that starts with a head alone holds nothing yet; if trials were asked for by what is
there, machines would come one at a time, or never.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

logger = logging.getLogger(__name__)

#: Where `ray up` puts the cluster file, completed, on the head.
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
#: Where Kubernetes tells a pod its namespace.
NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What an autoscaler may bring.

    Attributes:
        config: the cluster file of `ray up`, or a RayCluster of KubeRay in that form; None if
            there is none here.
        most: largest amounts of each resource, as a managed autoscaler told Ray; None if it did
            not.
    """

    config: Mapping[str, Any] | None = None
    most: Mapping[str, float] | None = None

    def slots(self, cpu: float, gpu: float) -> int:
        """Trials of that shape that would fit, all machines together; 0 if nothing is known."""
        managed = 0 if self.most is None else fitting(self.most, cpu, gpu)
        return max(managed, 0 if self.config is None else _slots_of(self.config, cpu, gpu))


def fitting(resources: Mapping[str, float], cpu: float, gpu: float) -> int:
    """Trials of that shape that ``resources`` hold."""
    fits = [int(resources.get("CPU", 0) // cpu)]
    if gpu > 0:
        fits.append(int(resources.get("GPU", 0) / gpu + 1e-9))
    return min(fits)


def _slots_of(config: Mapping[str, Any], cpu: float, gpu: float) -> int:
    """By the cluster file: the machines that hold most first, up to the cluster's ``max_workers``.

    The file is complete, as Ray writes it: what it does not say, nobody may add.
    """
    head, left, slots = config.get("head_node_type"), int(config.get("max_workers", 0)), 0
    kinds = []
    for name, kind in config.get("available_node_types", {}).items():
        each = fitting(kind.get("resources") or {}, cpu, gpu)
        if name == head:
            slots += each
        else:
            kinds.append((each, int(kind.get("max_workers", 0))))
    for each, count in sorted(kinds, reverse=True):
        taken = min(count, left)
        slots, left = slots + each * taken, left - taken
    return slots


def growth() -> Growth:
    """Of the cluster that this process is connected to."""
    import ray

    most = ray._private.state.state.get_max_resources_from_cluster_config()
    return Growth(config=by_ray_up() or on_kubernetes(), most=most)


def by_ray_up() -> dict[str, Any] | None:
    """The cluster file that `ray up` left on this machine; None if there is none."""
    path = BOOTSTRAP.expanduser()
    config = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return config if isinstance(config, dict) else None


def on_kubernetes() -> dict[str, Any] | None:
    """The RayCluster of this pod's cluster, in the form of a cluster file; None if there is none.

    KubeRay names it in every container, and lets the head of one that autoscales read it.
    """
    name = os.environ.get("RAY_CLUSTER_NAME")
    if not name or not NAMESPACE.is_file():
        return None
    from ray.autoscaler._private.kuberay.autoscaling_config import (
        _derive_autoscaling_config_from_ray_cr,
    )
    from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient

    try:
        asked = KubernetesHttpApiClient(namespace=NAMESPACE.read_text(encoding="utf-8").strip())
        cluster = asked.get(f"rayclusters/{name}")
        if not cluster["spec"].get("enableInTreeAutoscaling"):
            return None
        config: dict[str, Any] = _derive_autoscaling_config_from_ray_cr(cluster)
        return config
    except Exception as error:  # rights, the network, an operator of another version
        logger.warning("how far this cluster may grow cannot be told: %s", error)
        return None
