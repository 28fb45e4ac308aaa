"""Cluster files with a fault in the machines: their number, kinds, networks and logins."""

from __future__ import annotations

#: Old text and new, all of it once.
Changes = list[tuple[str, str]]
#: Key and rule of each fault.
Faults = list[tuple[str, str]]

OPEN = "must not be open to the world without a reason"
TYPES = "available_node_types"
GROUPS = "must name its own security groups: those of Ray open port 22 to the world"

MACHINES: dict[str, tuple[str, Changes, Faults]] = {
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
                "must name its own network: the default one opens port 22 to the world",
            )
            for name in ("l4", "a100")
        ],
    ),
    "public addresses without a reason": (
        "azure-gpu",
        [("  # open: port 22 alone, by key; docs/cluster/azure.md narrows it to your address", "")],
        [
            (
                "provider.use_internal_ips",
                "must be true unless a reason is given: Ray opens port 22 of public addresses "
                "to the world",
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
    "one host twice": (
        "on-prem",
        [("192.168.1.12]", "192.168.1.11]")],
        [("provider.worker_ips[1]", "must be listed only once")],
    ),
    "zones of another region": (
        "aws-gpu",
        [("  region: us-west-2\n", "  region: eu-central-1\n")],
        [("provider.availability_zone", "must be in eu-central-1")],
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
                    "must be in europe-west4, like provider",
                )
                for name in ("head", "l4", "a100")
            ),
            *(
                (
                    f"{TYPES}.{name}.node_config.disks[1].initializeParams.diskType",
                    "must be in europe-west4-a, like provider",
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
    "the network that is there": (
        "gcp-gpu",
        [("subnetworks/fer-tune", "subnetworks/default")],
        [
            (
                f"{TYPES}.{name}.node_config.networkInterfaces[0].subnetwork",
                "must be its own network: the default one opens port 22 to the world",
            )
            for name in ("head", "l4", "a100")
        ],
    ),
    "half a pair of keys": (
        "azure-gpu",
        [("ssh_user: ubuntu\n", "ssh_user: ubuntu\n  ssh_private_key: ~/.ssh/mine\n")],
        [("auth.ssh_private_key", "must name both keys or none: Ray creates its own pair")],
    ),
    "a key that the machines do not know": (
        "aws-gpu",
        [
            ("ssh_user: ubuntu\n", "ssh_user: ubuntu\n  ssh_private_key: ~/.ssh/mine\n"),
            (
                "      InstanceType: m7i.large\n",
                "      InstanceType: m7i.large\n      KeyName: x\n",
            ),
        ],
        [
            (
                f"{TYPES}.{name}.node_config.KeyName",
                "is missing: the machine would not know auth.ssh_private_key",
            )
            for name in ("l4", "a10g", "l40s")
        ],
    ),
    "nobody to log in as": (
        "on-prem",
        [("  ssh_user: ubuntu  # CHANGE-ME\n", "")],
        [("auth.ssh_user", "is missing")],
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
            (f"{TYPES}.a10g.node_config.InstanceType", "is not a value that Amazon accepts"),
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
                "is not a value that Google accepts",
            ),
            (
                f"{TYPES}.a100.node_config.scheduling.provisioningModel",
                "is not a value that Google accepts",
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
    "a head that can be interrupted": (
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
    "a key twice": (
        "aws-gpu",
        [("max_workers: 8\nup", "max_workers: 80\nmax_workers: 8\nup")],
        [("max_workers", "is a duplicate key")],
    ),
    "more workers wanted than allowed": (
        "aws-gpu",
        [("    min_workers: 0\n    max_workers: 4", "    min_workers: 9\n    max_workers: 9")],
        [
            (
                "file",
                "Ray rejects it: The specified global `max_workers` is smaller than the sum of "
                "`min_workers` of all the available node types.",
            )
        ],
    ),
}
