"""Cluster files that differ from a shipped one in one thing, and the faults that it gives."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray.autoscaler
import yaml
from file_cases import BROKEN, GOOD, HEAD
from jsonschema import Draft7Validator
from machine_cases import OPEN, TYPES, Changes, Faults

from fer_tune.cluster.checks.checking import Checked, check
from fer_tune.cluster.shipped import find, shipped
from fer_tune.errors import ClusterFileError
from fer_tune.space import load


def changed(name: str, changes: Changes, folder: Path) -> Path:
    """A copy of the shipped file with every change made, each of which must be possible."""
    text = find(name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(path: Path, **options: Any) -> Faults:
    with pytest.raises(ClusterFileError) as caught:
        check(str(path), **options)
    return [(fault.key, fault.rule) for fault in caught.value.faults]


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_file_is_without_fault(name: str) -> None:
    checked = check(name)
    assert any(note.startswith("to fill in: CHANGE-ME in lines ") for note in checked.notes)
    rows = dict(checked.summary.rows)
    assert rows["cost"] and (rows["model"] if name == "rayservice" else rows["results"])


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_has_its_faults_and_no_other(case: str, tmp_path: Path) -> None:
    name, changes, expected = BROKEN[case]
    assert sorted(faults_of(changed(name, changes, tmp_path))) == sorted(expected)


@pytest.mark.parametrize("case", GOOD)
def test_what_a_user_would_write_is_without_fault(case: str, tmp_path: Path) -> None:
    assert check(str(changed(*GOOD[case], tmp_path)))


def test_notes_on_what_is_not_here_and_on_containers(tmp_path: Path) -> None:
    name, changes = GOOD["Ray in a container"]
    changes = [*changes, ("~/.ssh/id_ed25519", "~/.ssh/nowhere")]
    notes = " ".join(check(str(changed(name, changes, tmp_path))).notes)
    assert "not here yet: ~/.ssh/nowhere, the login key" in notes
    assert "submit through `ray dashboard FILE` and --address" in notes


def test_machines_that_are_always_there_cost_once(tmp_path: Path) -> None:
    changes = [("    min_workers: 0\n    max_workers: 4", "    min_workers: 4\n    max_workers: 4")]
    (cost,) = [
        text
        for label, text in check(str(changed("aws-gpu", changes, tmp_path))).summary.rows
        if label == "cost"
    ]
    assert cost == "roughly 3.70 USD per hour idle, 5.70 at most"


def test_all_faults_at_once_each_with_its_line(tmp_path: Path) -> None:
    path = changed(
        "aws-gpu",
        [
            ("max_workers: 8\nup", "up"),
            ("--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0"),
            ("InstanceType: m7i.large", "InstanceType: m7i.lrge"),
        ],
        tmp_path,
    )
    with pytest.raises(ClusterFileError) as caught:
        check(str(path))
    faults = {fault.key: fault for fault in caught.value.faults}
    lines = path.read_text(encoding="utf-8").splitlines()
    assert set(faults) == {"max_workers", HEAD, f"{TYPES}.head.node_config.InstanceType"}
    machine = faults[f"{TYPES}.head.node_config.InstanceType"]
    assert machine.line and "m7i.lrge" in lines[machine.line - 1]
    assert machine.value == "m7i.lrge" and "'m7i.large'" in machine.remedy
    assert faults[HEAD].value == "--dashboard-host=0.0.0.0", "not the whole command"
    command = faults[HEAD].line
    assert command and "0.0.0.0" in "".join(lines[command - 1 : command + 6])
    message = str(caught.value)
    assert message.startswith(f"{path}: 3 errors in the cluster file:\n")
    assert f"line {machine.line}, {TYPES}.head.node_config.InstanceType: is not a value" in message


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_rays_own_defaults_have_the_faults_that_these_rules_are_for(provider: str) -> None:
    file = Path(ray.autoscaler.__file__).parent / provider / "defaults.yaml"
    found = faults_of(file)
    rules = {rule for _, rule in found}
    assert {"must set RAY_AUTH_MODE=token", "must not install a nightly Ray", OPEN} <= rules
    assert ("metadata.fer_tune.results", "must specify where results are written") in found
    assert ("file_mounts", "must copy the token to every machine") in found


def test_one_machine_alone_may_keep_results_on_its_disk(tmp_path: Path) -> None:
    path = changed(
        "on-prem",
        [
            ("results: /mnt/fer_tune/results", "results: ~/results"),
            ("worker_ips: [192.168.1.11, 192.168.1.12]", "worker_ips: []"),
            ("max_workers: 2 ", "max_workers: 0 "),
        ],
        tmp_path,
    )
    assert check(str(path))


@pytest.mark.parametrize(
    "changes",
    [
        [
            (
                "  - >-\n    ulimit -n 65536;\n    RAY_AUTH_MODE=token"
                " FER_TUNE_BANK=/opt/dlami/nvme/fer_tune/bank\n"
                "    ray start --head --port=6379 --dashboard-host=127.0.0.1",
                "  # open: behind the VPN of the institute\n  - >-\n    RAY_AUTH_MODE=token\n"
                "    ray start --head --port=6379 --dashboard-host=0.0.0.0",
            )
        ],
        [
            (
                "  cache_stopped_nodes: false",
                "  security_group:\n    IpPermissions:\n"
                "      - {FromPort: 443, IpRanges: [{CidrIp: 0.0.0.0/0}]}  # open: a proxy\n"
                "  cache_stopped_nodes: false",
            )
        ],
    ],
    ids=["above a command", "on a line"],
)
def test_a_reason_lets_an_open_address_through(changes: Changes, tmp_path: Path) -> None:
    assert check(str(changed("aws-gpu", changes, tmp_path)))


def test_commands_may_be_written_otherwise(tmp_path: Path) -> None:
    path = changed(
        "aws-gpu",
        [
            (
                "    RAY_AUTH_MODE=token FER_TUNE_BANK=/opt/dlami/nvme/fer_tune/bank\n"
                "    ray start --head",
                "    export RAY_AUTH_MODE=token &&\n    ~/fer_tune-env/bin/ray start --head",
            ),
            (
                "'ray[default,tune]==2.60.0' ~/fer_tune-$VERSION'[aws]'",
                "'ray[tune,default]==2.61.0' 'fer-tune[aws]==0.1.0'",
            ),
        ],
        tmp_path,
    )
    assert check(str(path))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [", "is not valid YAML"),
        ("", "is neither a file of `ray up` nor"),
        ("- 1\n- 2\n", "is neither a file of `ray up` nor"),
        ("apiVersion: v1\nkind: Pod\n", "is neither a file of `ray up` nor"),
        ("a: &a [*a]\ncluster_name: x\n", "expands to more than"),
        ("cluster_name: !!python/object:os.system x\n", "is not valid YAML"),
    ],
)
def test_what_is_no_cluster_file_is_one_fault(text: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    ((key, found),) = faults_of(path)
    assert key == "file" and found.startswith(rule)


def test_a_file_that_is_not_there_is_one_fault(tmp_path: Path) -> None:
    ((key, rule),) = faults_of(tmp_path / "aws-gpo.yaml")
    assert key == "file" and rule.startswith("cannot be read")


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in nested values but the top."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner if isinstance(value, (dict, list)) else ():
        yield (*place, key)
        yield from places(one, (*place, key)) if isinstance(one, (dict, list)) else ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["aws-gpu", "on-prem", "rayjob", "skypilot"])
@pytest.mark.parametrize("strange", [None, [], {}, 5, [[1]], {"a": {"b": 1}}], ids=repr)
def test_no_value_anywhere_makes_the_check_fail(
    name: str, strange: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault is reported, or the file is right: nothing else ever comes out."""
    # Ray reads its defaults anew, and judges its own schema, at every check.
    monkeypatch.setattr(yaml, "safe_load", partial(yaml.load, Loader=yaml.CSafeLoader))
    monkeypatch.setattr(Draft7Validator, "check_schema", lambda schema: None)
    good = yaml.safe_load(find(name).read_text(encoding="utf-8"))
    path = tmp_path / "x.yaml"
    for place in places(good):
        if len(place) > 4 and name != "rayjob":
            continue
        value = copy.deepcopy(good)
        holder = value
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = strange
        path.write_text(json.dumps(value, indent=1), encoding="utf-8")
        try:
            assert isinstance(check(str(path)), Checked)
        except ClusterFileError as error:
            assert error.faults, place


def test_trials_that_do_not_fit_a_share_of_the_gpu() -> None:
    flagship = load("densenet161_vs_resnet152", ["resources.gpu=1/2"])
    with pytest.raises(ClusterFileError) as caught:
        check("aws-gpu", space=flagship)
    small = {fault.key: fault for fault in caught.value.faults}
    # Half of 24 GB is too little, half of the 48 GB of an L40S is enough.
    assert set(small) == {f"{TYPES}.l4", f"{TYPES}.a10g"}
    assert "densenet161 at depth 5, 224 px, batches of 128, bfloat16" in small[f"{TYPES}.l4"].rule
    assert check("aws-gpu", space=load("densenet161_vs_resnet152"))


def test_smaller_pictures_fit_again() -> None:
    smaller = load("densenet161_vs_resnet152", ["resources.gpu=1/2", "parameters.crop_size=96"])
    assert check("aws-gpu", space=smaller)


def test_gpus_without_bfloat16_beside_others(tmp_path: Path) -> None:
    path = changed("aws-gpu", [("InstanceType: g5.xlarge", "InstanceType: g4dn.xlarge")], tmp_path)
    assert check(str(path)), "nothing is wrong with the machine itself"
    smaller = load("densenet161_vs_resnet152", ["parameters.crop_size=96"])
    rule = "must support bfloat16 like the other GPUs; otherwise trials differ in precision"
    assert faults_of(path, space=smaller) == [(f"{TYPES}.a10g", rule)]


def test_too_few_cpus_for_the_trials_of_a_machine() -> None:
    many = load("head_only")  # four trials on a GPU, with a CPU each
    assert check("aws-gpu", space=many)
    more = load("head_only", ["resources.cpu=2"])
    rule = "must be at least 8 for 4 trials of head_only"
    assert faults_of(find("aws-gpu"), space=more) == [
        (f"{TYPES}.{name}.resources.CPU", rule) for name in ("l4", "a10g", "l40s")
    ]


def test_machines_without_a_gpu(tmp_path: Path) -> None:
    path = changed(
        "azure-gpu",
        [
            ("vmSize: Standard_NC24ads_A100_v4", "vmSize: Standard_D4s_v5"),
            ("vmSize: Standard_NC40ads_H100_v5", "vmSize: Standard_D4s_v5"),
            ("resources: {CPU: 24, GPU: 1}", "resources: {CPU: 4}"),
            ("resources: {CPU: 40, GPU: 1}", "resources: {CPU: 4}"),
        ],
        tmp_path,
    )
    assert check(str(path), space=load("cpu_small"))
    rule = "has no machine with a GPU, but a trial of densenet161_vs_resnet152 needs 1"
    found = faults_of(path, space=load("densenet161_vs_resnet152"))
    assert found == [(TYPES, rule)]


def test_hosts_are_judged_by_the_memory_that_is_told() -> None:
    flagship = load("densenet161_vs_resnet152")
    assert "specify it with --gpu-memory" in " ".join(check("on-prem", space=flagship).notes)
    assert check("on-prem", space=flagship, gpu_memory=24)
    ((key, rule),) = faults_of(find("on-prem"), space=flagship, gpu_memory=8)
    assert key == "provider.worker_ips" and rule.startswith("is too small")
