"""Cluster files that differ from a shipped one in one thing, and the faults that it gives."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray.autoscaler
import yaml

from fer_tune.cluster.checks.checking import Checked, check
from fer_tune.cluster.shipped import find, shipped
from fer_tune.errors import ClusterFileError
from fer_tune.space import load

#: Old text and new, all of it once.
Changes = list[tuple[str, str]]
#: Key and rule of each fault.
Faults = list[tuple[str, str]]

OPEN = "must not be open to the world without a reason"
HEAD, WORKER = "head_start_ray_commands[1]", "worker_start_ray_commands[1]"
TYPES = "available_node_types"
GROUPS = "must name security groups of its own: Ray's open port 22 to the world"
DEFAULT = "must be set, or Ray's default takes its place"
START_OF_SETUP = "initialization_commands: []"
TOKEN_LINE = '  "~/.ray/auth_token": "~/.ray/auth_token"\n'

BROKEN: dict[str, tuple[str, Changes, Faults]] = {
    "no authentication on workers": (
        "aws-gpu",
        [
            (
                "RAY_AUTH_MODE=token FER_TUNE_BANK=/opt/dlami/nvme/fer_tune/bank\n"
                "    ray start --address",
                "FER_TUNE_BANK=/opt/dlami/nvme/fer_tune/bank\n    ray start --address",
            )
        ],
        [(WORKER, "must set RAY_AUTH_MODE=token")],
    ),
    "authentication disabled on the head": (
        "on-prem",
        [
            (
                "RAY_enable_autoscaler_v2=0 RAY_AUTH_MODE=token",
                "RAY_enable_autoscaler_v2=0 RAY_AUTH_MODE=disabled",
            )
        ],
        [(HEAD, "must set RAY_AUTH_MODE=token")],
    ),
    "the token is not brought": (
        "gcp-gpu",
        [(TOKEN_LINE, TOKEN_LINE.replace("auth_token", "token", 1))],
        [("file_mounts", "must bring the token to every machine")],
    ),
    "the token stands in the file": (
        "gcp-gpu",
        [
            (
                "ulimit -n 65536;\n    RAY_AUTH_MODE=token FER_TUNE_BANK=/mnt/nvme/fer_tune/bank\n"
                "    ray start --head",
                "ulimit -n 65536;\n    RAY_AUTH_MODE=token RAY_AUTH_TOKEN=0123456789abcdef\n"
                "    ray start --head",
            )
        ],
        [(HEAD, "must not hold the token itself")],
    ),
    "a dashboard for the world": (
        "aws-gpu",
        [("--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0")],
        [(HEAD, OPEN)],
    ),
    "a port for the world": (
        "aws-gpu",
        [
            (
                "  cache_stopped_nodes: false",
                "  security_group:\n    GroupName: mine\n    IpPermissions:\n"
                "      - {FromPort: 8265, ToPort: 8265, IpProtocol: TCP,"
                " IpRanges: [{CidrIp: 0.0.0.0/0}]}\n  cache_stopped_nodes: false",
            )
        ],
        [("provider.security_group.IpPermissions[0].IpRanges[0].CidrIp", OPEN)],
    ),
    "no security group of its own": (
        "aws-gpu",
        [
            ("      SecurityGroupIds: &group [sg-CHANGE-ME]\n", ""),
            ("      SecurityGroupIds: *group\n", ""),
        ],
        [(f"{TYPES}.{name}.node_config", GROUPS) for name in ("head", "l4", "a10g", "l40s")],
    ),
    "no network of its own": (
        "gcp-gpu",
        [("      networkInterfaces: *network\n", "")],
        [
            (
                f"{TYPES}.{name}.node_config",
                "must name a network of its own: the default one opens port 22 to the world",
            )
            for name in ("l4", "a100")
        ],
    ),
    "public addresses without a reason": (
        "azure-gpu",
        [("  # open: port 22 alone, by key; docs/cluster.md narrows it to your address", "")],
        [
            (
                "provider.use_internal_ips",
                "must be true, or give a reason: Ray opens port 22 of public addresses to the "
                "world",
            )
        ],
    ),
    "no bound on workers": (
        "azure-gpu",
        [("max_workers: 4\n", "")],
        [("max_workers", "must be set")],
    ),
    "machines that stay": (
        "gcp-gpu",
        [("idle_timeout_minutes: 10", "idle_timeout_minutes: 0")],
        [("idle_timeout_minutes", "must be set above 0")],
    ),
    "commands left to Ray": (
        "aws-gpu",
        [
            (
                "head_setup_commands:\n  - ~/fer_tune-env/bin/fer-tune weights fetch\n",
                "",
            ),
        ],
        [("head_setup_commands", DEFAULT)],
    ),
    "a nightly Ray": (
        "aws-gpu",
        [
            (
                "'ray[default,tune]==2.60.0'",
                "'ray[default,tune] @ https://s3-us-west-2.amazonaws.com/ray-wheels/latest/"
                "ray-3.0.0.dev0-cp312-cp312-manylinux2014_x86_64.whl'",
            )
        ],
        [
            ("setup_commands", "must install ray[default,tune] at one version"),
            ("setup_commands[2]", "must not install a nightly Ray"),
        ],
    ),
    "Ray without Tune": (
        "on-prem",
        [("'ray[default,tune]==2.60.0'", "'ray[default]==2.60.0'")],
        [("setup_commands", "must install ray[default,tune] at one version")],
    ),
    "whatever version of the project": (
        "on-prem",
        [("VERSION=v0.1.0", "VERSION=main")],
        [("setup_commands", "must install fer-tune at one version")],
    ),
    "results on the head's disk": (
        "on-prem",
        [("results: /mnt/fer_tune/results", "results: /home/ubuntu/results")],
        [("metadata.fer_tune.results", "must be reachable from every machine")],
    ),
    "a shared folder that nobody mounts": (
        "azure-gpu",
        [("    mountpoint -q /mnt/fer_tune ||\n", ""), ("sudo mount -t cifs", "echo")],
        [("metadata.fer_tune.results", "must be reachable from every machine")],
    ),
    "no place for results": (
        "gcp-gpu",
        [("    results: gs://CHANGE-ME/results\n", "    owner: me\n")],
        [("metadata.fer_tune.results", "must say where results go")],
    ),
    "a store that nobody here speaks to": (
        "gcp-gpu",
        [("results: gs://CHANGE-ME/results", "results: abfs://c@account/results")],
        [("metadata.fer_tune.results", "must be s3://, gs:// or a mounted folder")],
    ),
    "no bucket": (
        "gcp-gpu",
        [("results: gs://CHANGE-ME/results", "results: gs://")],
        [("metadata.fer_tune.results", "must name a bucket")],
    ),
    "one host twice": (
        "on-prem",
        [("192.168.1.12]", "192.168.1.11]")],
        [("provider.worker_ips[1]", "must stand once")],
    ),
    "a Ray that is not started": (
        "on-prem",
        [("    ray start --address=$RAY_HEAD_IP:6379", "    ray --version")],
        [("worker_start_ray_commands", "must start Ray")],
    ),
    "a head that is none": (
        "on-prem",
        [("ray start --head --port=6379", "ray start --port=6379")],
        [(HEAD, "must start the head")],
    ),
    "any image": (
        "on-prem",
        [
            (
                "initialization_commands: []",
                "docker: {image: rayproject/ray, container_name: ray}\ninitialization_commands: []",
            )
        ],
        [("docker.image", "must name one version")],
    ),
    "any image of some machines": (
        "aws-gpu",
        [
            (
                START_OF_SETUP,
                "docker: {head_image: me/fer-tune:1, worker_image: me/fer-tune}\n" + START_OF_SETUP,
            ),
            (
                "    max_workers: 4\n",
                "    max_workers: 4\n    docker: {worker_image: 'reg:5000/fer-tune:latest'}\n",
            ),
        ],
        [
            ("docker.worker_image", "must name one version"),
            (f"{TYPES}.l40s.docker.worker_image", "must name one version"),
            ("docker.container_name", "is missing"),
        ],
    ),
    "zones of another region": (
        "aws-gpu",
        [("  region: us-west-2\n", "  region: eu-central-1\n")],
        [("provider.availability_zone", "must lie in eu-central-1")],
    ),
    "parts of machines in another region": (
        "gcp-gpu",
        [
            ("  region: us-central1\n", "  region: europe-west4\n"),
            ("  availability_zone: us-central1-a\n", "  availability_zone: europe-west4-a\n"),
        ],
        [
            *(
                (
                    f"{TYPES}.{name}.node_config.networkInterfaces[0].subnetwork",
                    "must lie in europe-west4, as provider says",
                )
                for name in ("head", "l4", "a100")
            ),
            *(
                (
                    f"{TYPES}.{name}.node_config.disks[1].initializeParams.diskType",
                    "must lie in europe-west4-a, as provider says",
                )
                for name in ("l4", "a100")
            ),
        ],
    ),
    "a head of no type": (
        "aws-gpu",
        [("head_node_type: head", "head_node_type: haed"), ("max_workers: 8\nup", "up")],
        [
            ("head_node_type", "must be one of available_node_types"),
            ("max_workers", "must be set"),
        ],
    ),
    "no machine that trains": (
        "aws-gpu",
        [
            ("  l4:\n", "unused:\n  l4:\n"),
        ],
        [
            ("unused", "is an unknown key"),
            (TYPES, "has no machine that runs trials"),
        ],
    ),
    "more of a type than there may be": (
        "gcp-gpu",
        [("    min_workers: 0\n    max_workers: 2\n", "    min_workers: 3\n    max_workers: 2\n")],
        [(f"{TYPES}.a100.min_workers", "must be at most max_workers, 2")],
    ),
    "resources left out": (
        "azure-gpu",
        [("    resources: {CPU: 24, GPU: 1}\n", "")],
        [(f"{TYPES}.a100.resources", "is missing")],
    ),
    "nobody to log in as": (
        "on-prem",
        [("  ssh_user: ubuntu  # CHANGE-ME\n", "")],
        [("auth.ssh_user", "is missing")],
    ),
    "credentials in the file": (
        "gcp-gpu",
        [("gs://CHANGE-ME/results", "s3://KEY:SECRET@bucket/results")],
        [("metadata.fer_tune.results", "must not hold credentials")],
    ),
    "workers that may not write": (
        "aws-gpu",
        [("      IamInstanceProfile: {Name: fer-tune-worker}\n", "")],
        [
            (
                f"{TYPES}.{name}.node_config.IamInstanceProfile",
                "is missing: workers could not write to s3://",
            )
            for name in ("l4", "a10g", "l40s")
        ],
    ),
    "a bank on the shared folder": (
        "on-prem",
        [
            (
                "FER_TUNE_BANK=/var/tmp/fer_tune-bank\n    ray start --head",
                "FER_TUNE_BANK=/mnt/fer_tune/bank\n    ray start --head",
            )
        ],
        [(HEAD, "must keep FER_TUNE_BANK on a disk of the machine's own")],
    ),
    "typos that Ray's schema lets through": (
        "aws-gpu",
        [
            ("  availability_zone: us-west-2a", "  availability_zones: us-west-2a"),
            ("      InstanceType: m7i.large", "      InstanceTyp: m7i.large"),
            (
                "InstanceMarketOptions: {MarketType: spot}",
                "InstanceMarketOptions: {MarketTyp: spot}",
            ),
            ("InstanceType: g5.xlarge", "InstanceType: g5.xlrge"),
        ],
        [
            ("provider.availability_zones", "is an unknown key"),
            (f"{TYPES}.head.node_config.InstanceType", "is missing"),
            (f"{TYPES}.head.node_config.InstanceTyp", "is an unknown key"),
            (f"{TYPES}.l4.node_config.InstanceMarketOptions.MarketTyp", "is an unknown key"),
            (f"{TYPES}.a10g.node_config.InstanceMarketOptions.MarketTyp", "is an unknown key"),
            (f"{TYPES}.l40s.node_config.InstanceMarketOptions.MarketTyp", "is an unknown key"),
            (f"{TYPES}.a10g.node_config.InstanceType", "is not a value that Amazon knows"),
        ],
    ),
    "Google's keys mistyped": (
        "gcp-gpu",
        [
            ("diskSizeGb: 100", "diskSizeGB: 100"),
            ("provisioningModel: SPOT", "provisioningModel: SPOTS"),
        ],
        [
            (
                f"{TYPES}.head.node_config.disks[0].initializeParams.diskSizeGB",
                "is an unknown key",
            ),
            (
                f"{TYPES}.l4.node_config.scheduling.provisioningModel",
                "is not a value that Google knows",
            ),
            (
                f"{TYPES}.a100.node_config.scheduling.provisioningModel",
                "is not a value that Google knows",
            ),
        ],
    ),
    "Azure's keys mistyped": (
        "azure-gpu",
        [("        osDiskSize: 150\n", "        osDiskSizeGB: 150\n")],
        [
            (f"{TYPES}.{name}.node_config.azure_arm_parameters.osDiskSizeGB", "is an unknown key")
            for name in ("head", "a100", "h100")
        ],
    ),
    "keys that Ray's schema refuses": (
        "gcp-gpu",
        [("upscaling_speed: 8", "upscaling_speeed: 8"), ("max_workers: 8", "max_workers: many")],
        [("upscaling_speeed", "is an unknown key"), ("max_workers", "must be of type integer")],
    ),
    "a head that can be taken away": (
        "gcp-gpu",
        [
            (
                "      machineType: e2-standard-2\n",
                "      machineType: e2-standard-2\n      scheduling: {preemptible: true}\n",
            )
        ],
        [
            (
                f"{TYPES}.head.node_config",
                "must not be a spot machine: the search ends with its head",
            )
        ],
    ),
    "GPUs that are not there": (
        "azure-gpu",
        [("resources: {CPU: 24, GPU: 1}", "resources: {CPU: 24, GPU: 4}")],
        [
            (
                f"{TYPES}.a100.resources.GPU",
                "must be 1, the GPUs of Standard_NC24ads_A100_v4",
            )
        ],
    ),
    "one worker short": (
        "on-prem",
        [("    RAY_enable_autoscaler_v2=0 RAY_AUTH_MODE", "    RAY_AUTH_MODE")],
        [(HEAD, "must set RAY_enable_autoscaler_v2=0 on premises")],
    ),
    "machines left out": (
        "on-prem",
        [("max_workers: 2 ", "max_workers: 1 ")],
        [("max_workers", "must be 2, the number of worker_ips")],
    ),
    "no head": (
        "on-prem",
        [("  head_ip: 192.168.1.10", "  hed_ip: 192.168.1.10")],
        [("provider.head_ip", "is missing"), ("provider.hed_ip", "is an unknown key")],
    ),
    "workers that never come": (
        "aws-gpu",
        [
            ("    --autoscaling-config=~/ray_bootstrap_config.yaml\n", ""),
            ("--address=$RAY_HEAD_IP:6379", "--address=$RAY_HEAD_IP:6380"),
        ],
        [
            (HEAD, "must pass --autoscaling-config=~/ray_bootstrap_config.yaml"),
            (WORKER, "must join the head at $RAY_HEAD_IP:6379"),
        ],
    ),
    "a quotation that does not end": (
        "aws-gpu",
        [("  - chmod 600 ~/.ray/auth_token\n", "  - chmod 600 '~/.ray/auth_token\n")],
        [("setup_commands[4]", "must be a whole shell command")],
    ),
    "a key twice": (
        "aws-gpu",
        [("max_workers: 8\nup", "max_workers: 80\nmax_workers: 8\nup")],
        [("max_workers", "stands twice")],
    ),
    "more workers wanted than allowed": (
        "aws-gpu",
        [("    min_workers: 0\n    max_workers: 4", "    min_workers: 9\n    max_workers: 9")],
        [
            (
                "file",
                "Ray refuses it: The specified global `max_workers` is smaller than the sum of "
                "`min_workers` of all the available node types.",
            )
        ],
    ),
}


#: What a user would write who has other needs.
GOOD: dict[str, tuple[str, Changes]] = {
    "Ray in a container": (
        "on-prem",
        [
            (
                START_OF_SETUP,
                "docker: {image: 'reg:5000/fer-tune:0.1.0', container_name: ray}\n"
                + START_OF_SETUP,
            )
        ],
    ),
    "another region of Amazon": (
        "aws-gpu",
        [("us-west-2a,us-west-2b,us-west-2c", "eu-north-1a"), ("us-west-2\n", "eu-north-1\n")],
    ),
    "another region of Google": ("gcp-gpu", [("us-central1", "europe-west4")]),
    "types of other names": (
        "aws-gpu",
        [("  head:\n", "  ray.head:\n"), ("_type: head", "_type: ray.head"), ("  l4:", "  w:")],
    ),
    "the token's folder": ("on-prem", [(TOKEN_LINE, "  ~/.ray: ~/.ray\n")]),
    "more files, and whole paths": (
        "on-prem",
        [(TOKEN_LINE, "  /home/ubuntu/.ray/auth_token: ~/.ray/auth_token\n  /data: ~/data\n")],
    ),
    "the shared folder is looked for": (
        "on-prem",
        [("  - mountpoint -q /mnt/fer_tune\n", "  - findmnt /mnt/fer_tune\n")],
    ),
    "the shared folder is mounted": (
        "on-prem",
        [("  - mountpoint -q /mnt/fer_tune\n", "  - sudo mount -t nfs4 nas:/e /mnt/fer_tune\n")],
    ),
    "results in a store, on premises": (
        "on-prem",
        [("results: /mnt/fer_tune/results", "results: s3://bucket/results")],
    ),
    "hosts that a coordinator hands out": (
        "on-prem",
        [
            ("head_ip: 192.168.1.10", "coordinator_address: 192.168.1.10:80"),
            ("  worker_ips: [192.168.1.11, 192.168.1.12]  # CHANGE-ME\n", ""),
        ],
    ),
    "no public addresses": (
        "azure-gpu",
        [("use_internal_ips: false  # open: port", "use_internal_ips: true  # port")],
    ),
    "another user, a way through a gateway": (
        "aws-gpu",
        [("ssh_user: ubuntu\n", "ssh_user: me\n  ssh_proxy_command: ssh -W %h:%p gate\n")],
    ),
}


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
    assert rows["cost"] and rows["results"]


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
    assert "not here yet: ~/.ssh/nowhere, the key that logs in" in notes
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
    command = faults[HEAD].line
    assert command and "0.0.0.0" in "".join(lines[command - 1 : command + 6])
    message = str(caught.value)
    assert message.startswith(f"{path}: 3 faults in the cluster file:\n")
    assert f"line {machine.line}, {TYPES}.head.node_config.InstanceType: is not a value" in message


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_rays_own_defaults_have_the_faults_that_these_rules_are_for(provider: str) -> None:
    file = Path(ray.autoscaler.__file__).parent / provider / "defaults.yaml"
    found = faults_of(file)
    rules = {rule for _, rule in found}
    assert {"must set RAY_AUTH_MODE=token", "must not install a nightly Ray", OPEN} <= rules
    assert ("metadata.fer_tune.results", "must say where results go") in found
    assert ("file_mounts", "must bring the token to every machine") in found


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
@pytest.mark.parametrize("name", ["aws-gpu", "on-prem", "rayjob"])
@pytest.mark.parametrize("strange", [None, [], {}, 5, [[1]], {"a": {"b": 1}}], ids=repr)
def test_no_value_anywhere_makes_the_check_fail(name: str, strange: Any, tmp_path: Path) -> None:
    """A fault is told, or the file is right: nothing else ever comes out."""
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
        path.write_text(yaml.safe_dump(value), encoding="utf-8")
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
    smaller = load("densenet161_vs_resnet152", ["parameters.crop_size=48"])
    rule = "must multiply bfloat16 as the other GPUs do, or trials differ in precision"
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
    rule = "has no machine with a GPU, and a trial of densenet161_vs_resnet152 holds 1"
    found = faults_of(path, space=load("densenet161_vs_resnet152"))
    assert found == [(TYPES, rule)]


def test_hosts_are_judged_by_the_memory_that_is_told() -> None:
    flagship = load("densenet161_vs_resnet152")
    assert "tell it with --gpu-memory" in " ".join(check("on-prem", space=flagship).notes)
    assert check("on-prem", space=flagship, gpu_memory=24)
    ((key, rule),) = faults_of(find("on-prem"), space=flagship, gpu_memory=8)
    assert key == "provider.worker_ips" and rule.startswith("is too small")
