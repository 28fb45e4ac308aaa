"""Cluster files that differ from a shipped one in a little: broken ones, and good ones."""

from __future__ import annotations

#: Old text and new, all of it once.
Changes = list[tuple[str, str]]
#: Key and rule of each fault.
Faults = list[tuple[str, str]]

OPEN = "must not be open to the world without a reason"
HEAD, WORKER = "head_start_ray_commands[1]", "worker_start_ray_commands[1]"
TYPES = "available_node_types"
GROUPS = "must name its own security groups: those of Ray open port 22 to the world"
DEFAULT = "must be set; otherwise Ray's default applies"
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
        [("file_mounts", "must copy the token to every machine")],
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
        [(HEAD, "must not contain the token itself")],
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
        [("metadata.fer_tune.results", "must specify where results are written")],
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
        [("provider.worker_ips[1]", "must be listed only once")],
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
    "credentials in the file": (
        "gcp-gpu",
        [("gs://CHANGE-ME/results", "s3://KEY:SECRET@bucket/results")],
        [("metadata.fer_tune.results", "must not contain credentials")],
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
        [(HEAD, "must set FER_TUNE_BANK to a folder on the machine's own disk")],
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
        [("setup_commands[4]", "must be a complete shell command")],
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
    "installed from a tag by pip": (
        "on-prem",
        [
            (
                "~/fer_tune-$VERSION\n  # First",
                "'git+https://host/me/fer-tune.git@v0.1.0'\n  # First",
            ),
            ("git clone --quiet --depth 1 --branch $VERSION", "echo"),
        ],
    ),
    "cloned by the short option": ("on-prem", [("--branch $VERSION", "-b $VERSION")]),
    "paths and variables written otherwise": (
        "aws-gpu",
        [
            ("--autoscaling-config=~/", "--autoscaling-config $HOME/"),
            ("--address=$RAY_HEAD_IP:6379", '--address "${RAY_HEAD_IP}:6379"'),
        ],
    ),
    "started by a login shell": (
        "on-prem",
        [
            (
                "    RAY_AUTH_MODE=token FER_TUNE_BANK=/var/tmp/fer_tune-bank\n"
                "    ray start --address=$RAY_HEAD_IP:6379 --disable-usage-stats",
                "    bash -lc 'RAY_AUTH_MODE=token ray start --address=$RAY_HEAD_IP:6379'",
            )
        ],
    ),
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
