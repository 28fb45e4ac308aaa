"""A RayJob's manifest: the rules for the job, and for its cluster with Kueue and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from manifest_changes import changed, faults

from fer_tune.cluster.checks.checking import check
from fer_tune.cluster.shipped import find


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "shutdownAfterJobFinishes: true",
            "shutdownAfterJobFinishes: false",
            (
                "spec.shutdownAfterJobFinishes",
                "must be true: Kueue rejects a job that keeps its cluster",
            ),
        ),
        (
            "--results /shared/results/first",
            "--results /shared/results/second",
            (
                "spec.entrypoint",
                "must write to /shared/results/first, as the annotation says",
            ),
        ),
        (
            " --results /shared/results/first",
            "",
            (
                "spec.entrypoint",
                "must write to /shared/results/first, as the annotation says",
            ),
        ),
        (" --address auto", "", ("spec.entrypoint", "must pass --address auto")),
        (
            "--address auto",
            "--address 'auto",
            ("spec.entrypoint", "must be a complete shell command"),
        ),
        (
            'dashboard-host: "0.0.0.0"  # open: the operator submits the job from another pod',
            "dashboard-host: 127.0.0.1",
            (
                "spec.rayClusterSpec.headGroupSpec.rayStartParams.dashboard-host",
                "must be reachable by the operator, which watches the job from another pod",
            ),
        ),
        (
            "        replicas: 4\n",
            "",
            (
                "spec.rayClusterSpec.workerGroupSpecs[0].replicas",
                "must be set above 0, as nothing adds workers to this cluster",
            ),
        ),
        (" --or-resume", "", ("spec.entrypoint", "must pass --or-resume")),
        ("backoffLimit: 10", "backoffLimit: 0", ("spec.backoffLimit", "must be at least 1")),
        (
            "enableInTreeAutoscaling: false",
            "enableInTreeAutoscaling: true\n    autoscalerOptions: {idleTimeoutSeconds: 600}",
            (
                "spec.rayClusterSpec.enableInTreeAutoscaling",
                "must be false: Kueue admits a job with all of its workers",
            ),
        ),
        (
            "groupName: gpu",
            "groupName: head",
            (
                "spec.rayClusterSpec.workerGroupSpecs[0].groupName",
                "must not be head, which Kueue calls the head's group",
            ),
        ),
        (
            "queue-name: CHANGE-ME",
            "queue-name: 7",
            ("metadata.labels.kueue.x-k8s.io/queue-name", "must name a queue"),
        ),
    ],
    ids=[
        "a cluster that stays",
        "results elsewhere",
        "results in the pod",
        "a search in the head's pod alone",
        "a quotation that does not end",
        "out of the operator's reach",
        "no workers",
        "a retry that is refused",
        "no retry",
        "a queue's job that grows",
        "a group of Kueue's name",
        "no name of a queue",
    ],
)
def test_a_broken_job(old: str, new: str, expected: tuple[str, str], tmp_path: Path) -> None:
    assert faults(changed("rayjob", old, new, tmp_path)) == [expected]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--results /shared/results/first", "--results='/shared/results/first'"),
        (
            "search densenet161_vs_resnet152\n    --data /local/faces --results",
            "resume /shared/results/first\n    --data",
        ),
        ("  backoffLimit: 10", "  submissionMode: SidecarMode\n  backoffLimit: 10"),
        (
            '              limits: {cpu: "1", memory: 256Mi}\n              volumeMounts:',
            "              volumeMounts:",
        ),
        (
            "    fer-tune/results:",
            "    ray.io/ft-enabled: 'true'\n    fer-tune/results:",
        ),
    ],
)
def test_what_a_user_would_write(old: str, new: str, tmp_path: Path) -> None:
    assert check(str(changed("rayjob", old, new, tmp_path)))


def test_ray_is_told_its_resources_first_by_its_parameters(tmp_path: Path) -> None:
    old = '          disable-usage-stats: "true"\n        template'
    path = changed("rayjob", old, old.replace("disable-usage-stats", "num-gpus"), tmp_path)
    path.write_text(path.read_text().replace('num-gpus: "true"', 'num-gpus: "2"'))
    assert ("workers gpu", "4 to 4: 4 CPUs, 2 GPUs") in check(str(path)).summary.rows


def test_a_job_of_a_fixed_size_and_one_that_its_user_submits(tmp_path: Path) -> None:
    text = find("rayjob").read_text(encoding="utf-8")
    path = tmp_path / "x.yaml"
    path.write_text(
        text[: text.index("  entrypoint")]
        + "  submissionMode: InteractiveMode\n"
        + text[text.index("  shutdownAfter") :]
    )
    assert ("idle workers", "kept until the job ends") in check(str(path)).summary.rows


def without_kueue(folder: Path) -> Path:
    label = (
        "  labels:\n    kueue.x-k8s.io/queue-name: CHANGE-ME  # remove it where there is no Kueue\n"
    )
    return changed("rayjob", label, "", folder)


def test_without_kueue_a_cluster_may_grow_and_be_deleted_by_rules(tmp_path: Path) -> None:
    path = without_kueue(tmp_path)
    text = path.read_text(encoding="utf-8")
    grows = "enableInTreeAutoscaling: true\n    autoscalerOptions: {idleTimeoutSeconds: 600}"
    text = text.replace("enableInTreeAutoscaling: false", grows)
    ends = "  shutdownAfterJobFinishes: true\n"
    path.write_text(text.replace(ends, "  deletionStrategy: {deletionRules: []}\n"))
    assert check(str(path))
    path.write_text(text.replace(ends, ""))
    rule = "must be true; otherwise the cluster is kept after the job"
    assert faults(path) == [("spec.shutdownAfterJobFinishes", rule)]


def test_more_groups_than_kueue_admits(tmp_path: Path) -> None:
    manifest = yaml.safe_load(find("rayjob").read_text(encoding="utf-8"))
    cluster = manifest["spec"]["rayClusterSpec"]
    cluster["workerGroupSpecs"] = [
        {**cluster["workerGroupSpecs"][0], "groupName": f"gpu{number}"} for number in range(8)
    ]
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps(manifest))
    rules = [rule for _, rule in faults(path)]
    assert "must have at most 7 groups: Kueue admits no more" in rules
