"""KubeRay's manifests: our rules, and KubeRay's own definitions where they are at hand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml
from manifest_changes import changed, faults

from fer_tune.cluster.checks.checking import check
from fer_tune.cluster.checks.service_rules import IMPORT_PATH, SETTINGS
from fer_tune.cluster.shipped import find
from fer_tune.errors import ClusterFileError
from fer_tune.serving.service.settings import ServiceSettings
from fer_tune.space import load

CRDS = Path(__file__).resolve().parents[3] / "../shared/data/kuberay-crds"
with_definitions = pytest.mark.skipif(
    not CRDS.is_dir(), reason="KubeRay's definitions are not at ../shared/data/kuberay-crds"
)
GROUP = "spec.workerGroupSpecs[0]"

BROKEN = {
    "no authentication": (
        "authOptions: {mode: token}",
        "authOptions: {mode: disabled}",
        [("spec.authOptions.mode", "must be token")],
    ),
    "a dashboard for the world": (
        "dashboard-host: 127.0.0.1  # kubectl port-forward reaches it",
        "dashboard-host: 0.0.0.0",
        [
            (
                "spec.headGroupSpec.rayStartParams.dashboard-host",
                "must not be open to the world without a reason",
            )
        ],
    ),
    "a dashboard left to the operator": (
        "      dashboard-host: 127.0.0.1  # kubectl port-forward reaches it\n",
        "",
        [
            (
                "spec.headGroupSpec.rayStartParams.dashboard-host",
                "must be set: the operator's default is 0.0.0.0",
            )
        ],
    ),
    "a load balancer": (
        "serviceType: ClusterIP",
        "serviceType: LoadBalancer",
        [("spec.headGroupSpec.serviceType", "must not be open to the world without a reason")],
    ),
    "workers without end": (
        "      maxReplicas: 8\n",
        "",
        [(f"{GROUP}.maxReplicas", "must be set")],
    ),
    "workers that stay": (
        "    idleTimeoutSeconds: 600\n",
        "",
        [("spec.autoscalerOptions.idleTimeoutSeconds", "must be set above 0")],
    ),
    "any version": (
        "- name: ray-worker\n              image: CHANGE-ME/fer-tune:0.1.0",
        "- name: ray-worker\n              image: CHANGE-ME/fer-tune:latest",
        [(f"{GROUP}.template.spec.containers[0].image", "must name one version")],
    ),
    "results in a pod": (
        "fer-tune/results: /shared/results",
        "fer-tune/results: /local/results",
        [
            (
                "spec.headGroupSpec.template.spec.volumes",
                "must mount a shared volume at /local/results",
            ),
            (f"{GROUP}.template.spec.volumes", "must mount a shared volume at /local/results"),
        ],
    ),
    "a store that nobody here speaks to": (
        "fer-tune/results: /shared/results",
        "fer-tune/results: s4://bucket/results",
        [("metadata.annotations.fer-tune/results", "must be s3://, gs:// or a mounted folder")],
    ),
    "more workers than there may be": (
        "minReplicas: 0",
        "minReplicas: 9",
        [(f"{GROUP}.minReplicas", "must be at most maxReplicas, 8")],
    ),
    "pods that start again": (
        "          tolerations:",
        "          restartPolicy: Always\n          tolerations:",
        [
            (
                f"{GROUP}.template.spec.restartPolicy",
                "must be Never: the operator rejects other values with Ray's second autoscaler",
            )
        ],
    ),
    "no machine that trains": (
        "  workerGroupSpecs:\n",
        "  workerGroupSpec:\n",
        [("spec.workerGroupSpecs", "has no machine that runs trials")],
    ),
    "a token of no version": (
        "  rayVersion: 2.60.0\n",
        "",
        [("spec.rayVersion", "is missing, and without it the operator rejects a token")],
    ),
    "no limits": (
        '                limits: {cpu: "4", memory: 14Gi, nvidia.com/gpu: "1"}\n',
        "",
        [
            (
                f"{GROUP}.template.spec.containers[0].resources.limits",
                "must name cpu and memory: Ray takes its resources from them",
            )
        ],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_manifest_has_its_faults_and_no_other(case: str, tmp_path: Path) -> None:
    old, new, expected = BROKEN[case]
    assert faults(changed("raycluster", old, new, tmp_path)) == expected


def test_a_manifest_does_not_say_which_gpu_it_gets() -> None:
    flagship = load("densenet161_vs_resnet152")
    notes = check("rayjob", space=flagship).notes
    assert any("--gpu-memory" in note for note in notes)
    assert check("rayjob", space=flagship, gpu_memory=24)
    with pytest.raises(ClusterFileError, match="is too small for densenet161_vs_resnet152"):
        check("rayjob", space=flagship, gpu_memory=12)


@with_definitions
@pytest.mark.parametrize("name", ["raycluster", "rayjob", "rayservice"])
def test_kuberay_takes_a_manifest(name: str) -> None:
    assert check(name, crds=CRDS)


@with_definitions
def test_kuberays_definitions_find_what_our_rules_do_not(tmp_path: Path) -> None:
    path = changed("raycluster", "    upscalingMode: Agg", "    upscalingMod: Agg", tmp_path)
    assert check(str(path))
    assert faults(path, CRDS) == [("spec.autoscalerOptions.upscalingMod", "is an unknown key")]
    path = changed("raycluster", "    minReplicas: 0", '    minReplicas: "0"', tmp_path)
    assert faults(path, CRDS) == [(f"{GROUP}.minReplicas", "must be of type integer")]


def test_a_folder_without_definitions_is_told(tmp_path: Path) -> None:
    from fer_tune.errors import UserError

    with pytest.raises(UserError, match="contains no KubeRay definitions"):
        check("raycluster", crds=tmp_path)


BROKEN_SERVICE = {
    "another application": (
        "import_path: fer_tune.serving.service.application:build",
        "import_path: other:app",
        ("spec.serveConfigV2", "has no application of fer-tune"),
    ),
    "no YAML": (
        "    proxy_location: EveryNode\n",
        "    proxy_location: [EveryNode\n",
        ("spec.serveConfigV2", "must hold valid YAML"),
    ),
    "a model on somebody's machine": (
        "model: s3://CHANGE-ME/results/first",
        "model: results/first",
        ("spec.serveConfigV2", "must name the model in args, as every pod sees it"),
    ),
    "credentials": (
        "model: s3://CHANGE-ME/",
        "model: s3://AKIAABCDEFGHIJKLMNOP:abcdefghijklmnop@CHANGE-ME/",
        ("spec.serveConfigV2", "must not contain credentials"),
    ),
    "a mistyped setting": (
        "          replicas: 4\n",
        "          replica: 4\n",
        ("spec.serveConfigV2", "has an unknown setting in args"),
    ),
    "open without a reason": (
        "  # open: the Kubernetes service reaches Serve's proxies, which need the token",
        "",
        ("spec.serveConfigV2", "must not be open to the world without a reason"),
    ),
    "a dashboard out of reach": (
        'dashboard-host: "0.0.0.0"  # open: the operator deploys the service from another pod',
        "dashboard-host: 127.0.0.1",
        (
            "spec.rayClusterConfig.headGroupSpec.rayStartParams.dashboard-host",
            "must be reachable by the operator, which watches the service from another pod",
        ),
    ),
}


@pytest.mark.parametrize("case", BROKEN_SERVICE)
def test_a_broken_service(case: str, tmp_path: Path) -> None:
    old, new, (key, rule) = BROKEN_SERVICE[case]
    ((found, said),) = faults(changed("rayservice", old, new, tmp_path))
    assert found == key and said.startswith(rule)


def test_the_token_of_a_service_is_a_secret_of_every_pod(tmp_path: Path) -> None:
    text = find("rayservice").read_text(encoding="utf-8")
    path = tmp_path / "rayservice.yaml"
    source = "valueFrom: {secretKeyRef: {name: fer-tune-service, key: token}}"
    place = "template.spec.containers[0].env"
    pods = ["headGroupSpec", "workerGroupSpecs[0]"]
    places = [f"spec.rayClusterConfig.{pod}.{place}" for pod in pods]
    path.write_text(text.replace("name: FER_TUNE_TOKEN", "name: OTHER"))
    rule = "must set FER_TUNE_TOKEN from a secret: Serve's proxies listen on all addresses"
    assert faults(path) == [(one, rule) for one in places]
    path.write_text(text.replace(source, "value: 0123456789abcdef"))
    rule = "must not contain the token itself"
    assert faults(path) == [(f"{one}[0].value", rule) for one in places]


def test_a_service_is_summed_up() -> None:
    rows = dict(check("rayservice").summary.rows)
    assert rows["replicas"] == "4, each 2 CPUs" and rows["model"] == "s3://CHANGE-ME/results/first"
    assert rows["workers cpu"] == "1 to 4: 4 CPUs, 0 GPUs" and "results" not in rows


def test_the_settings_of_a_service_are_those_that_it_has() -> None:
    config = yaml.safe_load(find("rayservice").read_text(encoding="utf-8"))["spec"]["serveConfigV2"]
    (application,) = yaml.safe_load(config)["applications"]
    assert ServiceSettings.model_validate(application["args"])
    assert set(SETTINGS) == set(ServiceSettings.model_fields)
    module, _, name = IMPORT_PATH.partition(":")
    assert callable(getattr(import_module(module), name))
