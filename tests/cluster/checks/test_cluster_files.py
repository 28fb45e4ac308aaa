"""Every shipped cluster file: found, explained, and through Ray's own preparation."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.providers import _get_default_config
from ray.autoscaler._private.util import prepare_config, validate_config

import fer_tune
from fer_tune.cluster.shipped import find, purpose, shipped


def stem(path: Path) -> str:
    return path.stem


ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((f for e in ("y*ml", "sh") for f in (ROOT / "cluster").rglob(f"*.{e}")), key=stem)
LAUNCHERS = {"skypilot", "slurm"}
RAY_UP = [p for p in FILES if p.parent.name == "cluster" and p.stem not in LAUNCHERS]
MANIFESTS = [path for path in FILES if path.parent.name == "kuberay"]
SCHEMA = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
#: Commands for which Ray has defaults of its own, nightly builds and open ports among them.
COMMANDS = (
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)


def pinned_ray() -> str:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("ray==") for line in lines if line.startswith("ray=="))


def test_the_promised_files_are_shipped_and_found() -> None:
    promised = {"aws-gpu", "gcp-gpu", "azure-gpu", "on-prem", "raycluster", "rayjob"}
    promised |= {"rayservice"} | LAUNCHERS
    assert promised <= set(shipped())
    assert list(shipped().values()) == FILES, "a file that shipped() does not find"
    assert find("aws-gpu") == ROOT / "cluster/aws-gpu.yaml"
    assert find("./aws-gpu") == Path("aws-gpu")


@pytest.mark.parametrize("path", FILES, ids=stem)
def test_a_file_says_what_it_makes_what_it_costs_and_how(path: Path) -> None:
    opening = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8"))
    assert opening, "opens with a comment"
    labels = re.findall(r"^# ([A-Z][a-z]+): ", opening[0], re.MULTILINE)
    assert labels[:2] == ["Makes", "Costs"] and labels[-2:] == ["Launch", "Gone"]
    assert f"fer-tune cluster check {path.name}" in opening[0]
    starts = ("ray up", "kubectl apply -f", "sky jobs launch", "sbatch")
    assert any(f"{start} {path.name}" in opening[0] for start in starts)
    assert purpose(path).startswith(("one ", "a ")) and "#" not in purpose(path)


@pytest.mark.parametrize("path", RAY_UP, ids=stem)
def test_ray_prepares_a_file(path: Path) -> None:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.validate(raw, SCHEMA)
    prepared = prepare_config(copy.deepcopy(raw))
    validate_config(prepared)
    assert prepared["max_workers"] == raw["max_workers"]
    head = prepared["available_node_types"][prepared["head_node_type"]]
    if raw["provider"]["type"] != "local":
        assert head["resources"]["CPU"] == 0 and head["max_workers"] == 0


@pytest.mark.parametrize("path", RAY_UP, ids=stem)
def test_no_command_is_left_to_rays_defaults(path: Path) -> None:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    defaults = _get_default_config(raw["provider"])
    for key in COMMANDS:
        assert key in raw
        assert not set(raw[key]) - {"ray stop"} & set(defaults[key])
    everything = " ".join(command for key in COMMANDS for command in raw[key])
    assert "nightly" not in everything and "3.0.0.dev0" not in everything


@pytest.mark.parametrize("path", RAY_UP, ids=stem)
def test_ray_and_the_project_are_pinned_to_what_is_tested_here(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"ray\[default,tune\]==([\d.]+)", text)) == {pinned_ray()}
    assert set(re.findall(r"VERSION=v([\d.]+)", text)) == {fer_tune.__version__}


@pytest.mark.parametrize("path", MANIFESTS, ids=stem)
def test_the_images_are_pinned_to_what_is_tested_here(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"image: (\S+)", text)) == {f"CHANGE-ME/fer-tune:{fer_tune.__version__}"}
    assert set(re.findall(r"rayVersion: (\S+)", text)) == {pinned_ray()}
    image = (path.parent / "Dockerfile").read_text(encoding="utf-8")
    assert f"FROM rayproject/ray:{pinned_ray()}-" in image
    assert f"'ray[default,tune]=={pinned_ray()}'" in image


def test_the_task_is_pinned_to_what_is_tested_here() -> None:
    text = find("skypilot").read_text(encoding="utf-8")
    assert set(re.findall(r"ray\[default,tune\]==([\d.]+)", text)) == {pinned_ray()}
    assert set(re.findall(r"VERSION=v([\d.]+)", text)) == {fer_tune.__version__}


def test_the_two_manifests_make_the_same_cluster() -> None:
    cluster, job = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in MANIFESTS[:2])
    inside = job["spec"]["rayClusterSpec"]
    # Kueue admits a job of a fixed size alone.
    assert inside.pop("enableInTreeAutoscaling") is False
    del cluster["spec"]["enableInTreeAutoscaling"], cluster["spec"]["autoscalerOptions"]
    for spec in (inside, cluster["spec"]):
        for key in ("replicas", "minReplicas", "maxReplicas"):
            spec["workerGroupSpecs"][0].pop(key, None)
    # The operator submits a RayJob from another pod.
    assert inside["headGroupSpec"]["rayStartParams"].pop("dashboard-host") == "0.0.0.0"
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"].pop("dashboard-host") == "127.0.0.1"
    assert inside == cluster["spec"]
