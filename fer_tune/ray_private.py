"""Every private name of Ray that fer_tune uses; no other module of fer_tune mentions one.

A new version of Ray may rename or remove any of them, so ``tests/test_ray_private.py`` checks each.
A name is looked up, and Ray imported, when it is used: commands that do not need Ray start fast.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

#: Attributes of this module: the module of Ray and the name there.
NAMES = {
    # Processes and actors
    "set_process_title": ("ray._raylet", "setproctitle"),
    "actors": ("ray._private.state", "actors"),
    "compiled_settings": ("ray._raylet", "Config"),
    "token_loader": ("ray._raylet", "AuthenticationTokenLoader"),
    "constants": ("ray._private", "ray_constants"),
    "Node": ("ray._private.node", "Node"),
    # Notices: nodes that are drained, by id, and values that all processes of a cluster see
    "draining_nodes": ("ray._private.state", "state.get_draining_nodes"),
    "put_value": ("ray.experimental.internal_kv", "_internal_kv_put"),
    "has_value": ("ray.experimental.internal_kv", "_internal_kv_exists"),
    "remove_value": ("ray.experimental.internal_kv", "_internal_kv_del"),
    # Variables of the driver that Tune passes to its trials
    "passed_variables": ("ray.tune.execution.class_cache", "ENV_VARS_TO_PROPAGATE"),
    # Variables that Tune sets for its trials
    "set_variables": ("ray.tune.execution.class_cache", "DEFAULT_ENV_VARS"),
    # ASHA's rungs
    "Bracket": ("ray.tune.schedulers.async_hyperband", "_Bracket"),
    # Cluster files: defaults, checks, and the key pair that `ray up` made
    "default_config": ("ray.autoscaler._private.providers", "_get_default_config"),
    "prepare_config": ("ray.autoscaler._private.util", "prepare_config"),
    "validate_config": ("ray.autoscaler._private.util", "validate_config"),
    "bootstrap_config": ("ray.autoscaler._private.commands", "_bootstrap_config"),
    # Autoscalers: limits that a managed one reported, and KubeRay's RayCluster as a cluster file
    "autoscaler_limits": ("ray._private.state", "state.get_max_resources_from_cluster_config"),
    "KubernetesClient": (
        "ray.autoscaler._private.kuberay.node_provider",
        "KubernetesHttpApiClient",
    ),
    "cluster_file_of_kuberay": (
        "ray.autoscaler._private.kuberay.autoscaling_config",
        "_derive_autoscaling_config_from_ray_cr",
    ),
}
#: Files below Ray's folder `autoscaler`: the schema of cluster files, a machine on Azure.
CLUSTER_SCHEMA = "ray-schema.json"
AZURE_TEMPLATE = "_private/_azure/azure-vm-template.json"
#: Logger of Ray's checks of a cluster file.
CHECKS_LOGGER = "ray.autoscaler._private.util"


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = NAMES[name]
    return attrgetter(attribute)(import_module(module))


def actor_id(actor: Any) -> str:
    """Ray's id, in hex, of the actor behind a handle."""
    return str(actor._actor_id.hex())


def has_actors(controller: Any) -> bool:
    """Whether an actor of Tune's, at whatever a scheduler is given, has its resources."""
    return bool(controller._tune_controller._actor_manager.num_live_actors)


def is_starting(controller: Any, trial: Any) -> bool:
    """Whether the process that Tune's controller has asked for ``trial`` is about to start."""
    inner = controller._tune_controller
    actor = inner._trial_to_actor.get(trial)
    if actor not in inner._actor_manager._live_actors_to_ray_actors_resources:
        return False  # there is none, or it waits for resources
    return actor not in inner._started_actors


def rungs(bracket: Any) -> dict[int, dict[int, float]]:
    """Per rung's epoch of a ``Bracket``: the value of every trial that reached it, by id."""
    return {int(epoch): dict(values) for epoch, values in bracket._rungs}


def autoscaler_json(name: str) -> Any:
    """Content of a JSON file that Ray's autoscaler ships."""
    import ray.autoscaler

    return json.loads((Path(ray.autoscaler.__file__).parent / name).read_text(encoding="utf-8"))


def reload_settings() -> None:
    """Makes Ray's compiled part read its environment variables again, the token among them."""
    # The mode first: a thread of Ray that is still ending would look for the removed token,
    # and abort the process if the old mode required one.
    __getattr__("compiled_settings").initialize("")
    __getattr__("token_loader").instance().reset_cache()


def is_late_start(error: Exception) -> bool:
    """Whether ``ray.init`` gave up after its 30 s, which nothing changes: as on a busy machine."""
    return "timed out during startup" in str(error)


def end_late_start(error: Exception) -> None:
    """Ends the processes of a ``ray.init`` that gave up, which Ray leaves running."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if isinstance(node := frame.f_locals.get("self"), __getattr__("Node")):
            node.kill_all_processes(check_alive=False, wait=True)


@contextmanager
def clusters_disabled() -> Iterator[None]:
    """A Ray that starts inside this context is not part of a cluster: it stays on this machine."""
    constants = __getattr__("constants")
    before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before
