"""Every private name of Ray that `fer_tune.ray_private` uses exists, with the shape used there."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from ray import _raylet
from ray._private import ray_constants
from ray.actor import ActorHandle
from ray.air.execution._internal import RayActorManager
from ray.tune.execution.tune_controller import TuneController
from ray.tune.schedulers import TrialScheduler

from fer_tune import ray_private

#: How each name of `ray_private` is called: dots for arguments; None if it is not called, or is
#: compiled and has no signature.
CALLS: dict[str, tuple[Any, ...] | None] = {
    "set_process_title": None,
    "actors": (...,),
    "compiled_settings": None,
    "token_loader": None,
    "constants": None,
    "Node": (...,),
    "draining_nodes": (),
    "put_value": (..., ...),
    "has_value": (...,),
    "remove_value": (...,),
    "passed_variables": None,
    "set_variables": None,
    "Bracket": (..., ..., ..., ...),
    "default_config": (...,),
    "prepare_config": (...,),
    "validate_config": (...,),
    "bootstrap_config": (...,),
    "autoscaler_limits": (),
    "KubernetesClient": (...,),
    "cluster_file_of_kuberay": (...,),
}


def test_every_name_is_checked_here() -> None:
    assert ray_private.NAMES.keys() == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_the_name_exists_and_takes_these_arguments(name: str) -> None:
    found, arguments = getattr(ray_private, name), CALLS[name]
    if arguments is not None:
        inspect.signature(found).bind(*arguments)


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match=r"fer_tune\.ray_private.*'setproctitle'"):
        _ = ray_private.setproctitle


def test_what_is_used_of_them() -> None:
    assert callable(ray_private.set_process_title)
    assert callable(ray_private.compiled_settings.initialize)
    assert callable(ray_private.token_loader.instance)
    assert callable(ray_private.token_loader.reset_cache)
    inspect.signature(ray_private.KubernetesClient).bind(namespace="default")
    inspect.signature(ray_private.KubernetesClient.get).bind(..., "rayclusters/x")
    assert hasattr(ActorHandle, "_actor_id")
    assert callable(ray_private.passed_variables.difference_update)
    assert isinstance(ray_private.set_variables, dict)
    controller = inspect.getsource(TuneController)
    for attribute in ("_trial_to_actor", "_started_actors", "_actor_manager"):
        assert f"self.{attribute}" in controller, attribute
    manager = inspect.getsource(RayActorManager)
    assert "self._live_actors_to_ray_actors_resources" in manager


def test_no_command_imports_ray_for_them() -> None:
    code = "import sys\nfrom fer_tune import ray_private\nprint('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_rungs_hold_values_by_number() -> None:
    filled = ray_private.Bracket(1, 9, 3, 0)
    for number in range(4):
        filled.on_result(SimpleNamespace(trial_id=number), 1, number / 10)
    assert ray_private.rungs(filled) == {9: {}, 3: {}, 1: {0: 0.0, 1: 0.1, 2: 0.2, 3: 0.3}}
    assert filled.on_result(SimpleNamespace(trial_id=4), 1, 0.0) == TrialScheduler.STOP


def test_clusters_are_disabled_for_a_while() -> None:
    before = ray_constants.ENABLE_RAY_CLUSTER
    with ray_private.clusters_disabled():
        assert ray_constants.ENABLE_RAY_CLUSTER is False
    assert before is ray_constants.ENABLE_RAY_CLUSTER


def test_settings_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 64)
    ray_private.reload_settings()
    try:
        assert _raylet.get_authentication_mode() == _raylet.AuthenticationMode.TOKEN
    finally:
        monkeypatch.undo()
        ray_private.reload_settings()


def test_files_that_ray_ships() -> None:
    schema = ray_private.autoscaler_json(ray_private.CLUSTER_SCHEMA)
    assert {"cluster_name", "provider", "auth"} <= schema["properties"].keys()
    template = ray_private.autoscaler_json(ray_private.AZURE_TEMPLATE)
    assert "vmSize" in template["parameters"]
    assert isinstance(ray_private.default_config({"type": "aws"})["setup_commands"], list)
    checks = import_module(ray_private.CHECKS_LOGGER)
    assert checks.logger is logging.getLogger(ray_private.CHECKS_LOGGER)
