"""How many trials a cluster could run once its autoscaler has added all nodes.

A cluster that starts with only a head can run none yet; if the number of pending trials followed
the current nodes, machines would be added one at a time, or never.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_tune import ray_private
from fer_tune.wording import Broken
from fer_tune.yaml_reader.bounded import CLUSTER_FILE, plain, read_text

logger = logging.getLogger(__name__)

#: Where `ray up` puts the completed cluster file on the head.
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
#: Where a Kubernetes pod finds its namespace.
NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What an autoscaler may add.

    Attributes:
        config: the cluster file of `ray up`, or a RayCluster of KubeRay in that form; None if
            there is none.
        most: largest amount of each resource, as a managed autoscaler reported to Ray; None if
            it did not.
    """

    config: Mapping[str, Any] | None = None
    most: Mapping[str, float] | None = None

    def slots(self, cpu: float, gpu: float) -> int:
        """Trials of that shape that would fit, all machines together; 0 if unknown."""
        managed = 0 if self.most is None else trials_that_fit(self.most, cpu, gpu)
        return max(managed, 0 if self.config is None else _slots_of(self.config, cpu, gpu))

    @property
    def is_known(self) -> bool:
        """Whether the resources of every kind of machine that may be added are known."""
        if self.most is not None:
            return True
        config = self.config or {}
        types = dict(config.get("available_node_types") or {})
        types.pop(config.get("head_node_type"), None)
        return bool(types) and all("CPU" in (k.get("resources") or {}) for k in types.values())

    @property
    def machines(self) -> list[Mapping[str, float]]:
        """Resources of each kind of machine in the cluster file."""
        types = (self.config or {}).get("available_node_types") or {}
        return [kind.get("resources") or {} for kind in types.values()]


def trials_that_fit(resources: Mapping[str, float], cpu: float, gpu: float) -> int:
    """Trials of that shape that ``resources`` hold."""
    fits = [int(resources.get("CPU", 0) // cpu)]
    if gpu > 0:
        fits.append(int(resources.get("GPU", 0) / gpu + 1e-9))
    return min(fits)


def _slots_of(config: Mapping[str, Any], cpu: float, gpu: float) -> int:
    """By the cluster file: the largest machines first, up to the cluster's ``max_workers``.

    The file is complete, as Ray writes it: nothing beyond it is added.
    """
    head, left, slots = config.get("head_node_type"), int(config.get("max_workers", 0)), 0
    kinds = []
    for name, kind in config.get("available_node_types", {}).items():
        each = trials_that_fit(kind.get("resources") or {}, cpu, gpu)
        if name == head:
            slots += each
        else:
            kinds.append((each, int(kind.get("max_workers", 0))))
    for each, count in sorted(kinds, reverse=True):
        taken = min(count, left)
        slots, left = slots + each * taken, left - taken
    return slots


def growth() -> Growth:
    """The growth of the cluster that this process is connected to."""
    most = ray_private.autoscaler_limits()
    return Growth(config=from_ray_up() or from_kubernetes(), most=most)


def from_ray_up() -> dict[str, Any] | None:
    """The cluster file that `ray up` left on this machine, if any."""
    path = BOOTSTRAP.expanduser()
    if not path.is_file():
        return None
    try:
        config = plain(read_text(path, CLUSTER_FILE, ""), CLUSTER_FILE)
    except Broken as broken:
        logger.warning("the cluster file %s cannot be used: it %s", path, broken)
        return None
    return config if isinstance(config, dict) else None


def from_kubernetes() -> dict[str, Any] | None:
    """The RayCluster of this pod, in the form of a cluster file, if any.

    KubeRay names it in every container, and allows the head of an autoscaling cluster to read it.
    """
    name = os.environ.get("RAY_CLUSTER_NAME")
    if not name or not NAMESPACE.is_file():
        return None
    try:
        namespace = NAMESPACE.read_text(encoding="utf-8").strip()
        cluster = ray_private.KubernetesClient(namespace=namespace).get(f"rayclusters/{name}")
        if not cluster["spec"].get("enableInTreeAutoscaling"):
            return None
        config: dict[str, Any] = ray_private.cluster_file_of_kuberay(cluster)
        return config
    except Exception as error:  # permissions, the network, an operator of another version
        logger.warning("the maximum size of this cluster is unknown: %s", error)
        return None
