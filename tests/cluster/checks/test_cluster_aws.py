"""The AWS file through Ray's own node provider, with moto in the place of Amazon."""

from __future__ import annotations

import copy
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

boto3 = pytest.importorskip("boto3", reason="the extra aws is not installed")
moto = pytest.importorskip("moto", reason="moto is not installed")

from fer_tune.cluster.shipped import find  # noqa: E402
from fer_tune.cluster.ssh.head_node import head_of  # noqa: E402
from fer_tune.errors import EnvironmentFault  # noqa: E402
from tests.module_time import replace_time  # noqa: E402

REGION = "us-west-2"
NODE = {"ray-node-type": "worker", "ray-node-name": "w", "ray-node-status": "uninitialized"}


class Recorder:
    """Takes what Ray would run by SSH and rsync."""

    CalledProcessError = subprocess.CalledProcessError
    PIPE, STDOUT = subprocess.PIPE, subprocess.STDOUT

    def __init__(self) -> None:
        self.commands: list[str] = []

    def check_call(self, words: list[str], *_: object, **__: object) -> None:
        self.commands.append(" ".join(words))

    def check_output(self, words: list[str], *_: object, **__: object) -> bytes:
        self.commands.append(" ".join(words))
        return b""


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An empty account; gives its EC2 client."""
    from ray.autoscaler._private import providers
    from ray.autoscaler._private.aws import config, utils

    for key in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "SECURITY_TOKEN"):
        monkeypatch.setenv(f"AWS_{key}", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    replace_time(monkeypatch, config, sleep=lambda _: None)  # 15 s for a profile to spread

    def forget() -> None:
        utils.resource_cache.cache_clear()
        utils.client_cache.cache_clear()
        config._get_subnets_or_die.cache_clear()
        providers._clear_provider_cache()

    _only_what_is_asked_for(monkeypatch)
    forget()
    with moto.mock_aws():
        yield boto3.client("ec2", REGION)
    forget()


def _only_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer types of machines and images: moto writes all of them into every answer."""
    from moto.ec2.models import amis
    from moto.ec2.models.instance_types import InstanceTypeBackend

    nodes = yaml.safe_load(find("aws-gpu").read_text(encoding="utf-8"))["available_node_types"]
    families = {node["node_config"]["InstanceType"].partition(".")[0] for node in nodes.values()}
    known = InstanceTypeBackend.instance_types
    few = [kind for kind in known if kind["InstanceType"].partition(".")[0] in families]
    assert len(few) > len(families)
    monkeypatch.setattr(InstanceTypeBackend, "instance_types", few)
    monkeypatch.setattr(amis, "AMIS", amis.AMIS[:5])


@pytest.fixture
def cluster(account: Any, tmp_path: Path) -> dict[str, Any]:
    """The shipped file filled in with a group, profiles and a token, prepared by Ray."""
    from ray.autoscaler._private.commands import _bootstrap_config

    vpc = account.describe_vpcs()["Vpcs"][0]["VpcId"]
    group = account.create_security_group(GroupName="g", Description="own", VpcId=vpc)["GroupId"]
    iam = boto3.client("iam", REGION)
    for name in ("fer-tune-head", "fer-tune-worker"):
        iam.create_instance_profile(InstanceProfileName=name)
    image = account.describe_images()["Images"][0]["ImageId"]
    text = find("aws-gpu").read_text(encoding="utf-8").replace("sg-CHANGE-ME", group)
    config = yaml.safe_load(text)
    for node in config["available_node_types"].values():
        # moto does not resolve parameters of Systems Manager.
        assert node["node_config"]["ImageId"].startswith("resolve:ssm:/aws/service/deeplearning/")
        node["node_config"]["ImageId"] = image
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("x")
    prepared: dict[str, Any] = _bootstrap_config(copy.deepcopy(config), no_config_cache=True)
    return prepared


def instances(ec2: Any) -> list[dict[str, Any]]:
    found = ec2.describe_instances()["Reservations"]
    return [one for reservation in found for one in reservation["Instances"]]


def test_up_makes_the_head_and_sets_it_up(cluster: dict[str, Any], account: Any) -> None:
    from ray.autoscaler._private.commands import get_or_create_head_node

    groups = len(account.describe_security_groups()["SecurityGroups"])
    ssh = Recorder()
    get_or_create_head_node(
        cluster,
        "aws-gpu.yaml",
        no_restart=False,
        restart_only=False,
        yes=True,
        override_cluster_name=None,
        _runner=ssh,
    )
    (head,) = instances(account)
    assert head["InstanceType"] == "m7i.large"
    assert "InstanceLifecycle" not in head, "the head is on demand"
    assert head["IamInstanceProfile"]["Arn"].endswith("/fer-tune-head")
    tags = {tag["Key"]: tag["Value"] for tag in head["Tags"]}
    assert tags["ray-node-type"] == "head" and tags["ray-node-status"] == "up-to-date"
    assert len(account.describe_security_groups()["SecurityGroups"]) == groups, "none of Ray's own"
    everything = "\n".join(ssh.commands)
    assert "RAY_AUTH_MODE=token" in everything and "--dashboard-host=127.0.0.1" in everything
    assert "ray[default,tune]==" in everything and "ray-wheels" not in everything
    assert "auth_token" in everything and "weights fetch" in everything


def test_workers_are_spot_machines_of_every_type(cluster: dict[str, Any], account: Any) -> None:
    from ray.autoscaler._private.providers import _get_node_provider

    provider = _get_node_provider(cluster["provider"], cluster["cluster_name"])
    types = {n: t for n, t in cluster["available_node_types"].items() if n != "head"}
    for name, node in types.items():
        # moto starts MinCount instances, which is one, however many are asked for.
        provider.create_node(
            copy.deepcopy(node["node_config"]), {**NODE, "ray-user-node-type": name}, 1
        )
    made = instances(account)
    assert {one["InstanceType"] for one in made} == {"g6.xlarge", "g5.xlarge", "g6e.xlarge"}
    assert {one["InstanceLifecycle"] for one in made} == {"spot"}
    assert all(one["IamInstanceProfile"]["Arn"].endswith("/fer-tune-worker") for one in made)
    workers = provider.non_terminated_nodes({"ray-node-type": "worker"})
    assert len(workers) == len(types)
    provider.terminate_nodes(workers)
    assert provider.non_terminated_nodes({"ray-node-type": "worker"}) == []
    assert {one["State"]["Name"] for one in instances(account)} <= {"shutting-down", "terminated"}


def test_ray_finds_the_gpus_of_every_type(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert types["head"]["resources"]["CPU"] == 0
    for name in ("l4", "a10g", "l40s"):
        assert types[name]["resources"]["GPU"] == 1, name
        assert types[name]["resources"]["CPU"] == 4, name
        assert any(key.startswith("accelerator_type:") for key in types[name]["resources"]), name


def test_amazon_refuses_a_typo_that_rays_schema_lets_through(cluster: dict[str, Any]) -> None:
    import botocore.exceptions
    from ray.autoscaler._private.providers import _get_node_provider

    provider = _get_node_provider(cluster["provider"], cluster["cluster_name"])
    wrong = copy.deepcopy(cluster["available_node_types"]["l4"]["node_config"])
    wrong["InstanceTyp"] = wrong.pop("InstanceType")
    with pytest.raises(botocore.exceptions.ParamValidationError):
        provider.create_node(wrong, {**NODE, "ray-user-node-type": "l4"}, 1)


# Ray leaves the files open that it reads.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_the_head_is_found_with_the_key_that_ray_made(
    cluster: dict[str, Any], account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.autoscaler._private.commands import get_or_create_head_node

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where Ray keeps what it prepared
    file = tmp_path / "aws.yaml"
    raw = find("aws-gpu").read_text(encoding="utf-8")
    group = account.describe_security_groups(GroupNames=["g"])["SecurityGroups"][0]["GroupId"]
    file.write_text(raw.replace("sg-CHANGE-ME", group))
    with pytest.raises(EnvironmentFault, match="the head of this cluster was not found"):
        head_of(file)
    get_or_create_head_node(
        cluster,
        str(file),
        no_restart=False,
        restart_only=False,
        yes=True,
        override_cluster_name=None,
        _runner=Recorder(),
    )
    (instance,) = instances(account)
    head = head_of(file)
    assert head.host == instance["PublicIpAddress"] and head.user == "ubuntu"
    assert head.key is not None and head.key.is_file()
    assert head.key.stem == instance["KeyName"]
    assert head.results == "s3://CHANGE-ME/results"
    assert head.mounts["~/.ray/auth_token"] == "~/.ray/auth_token"
