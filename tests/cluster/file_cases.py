"""Cluster files that differ from a shipped one in a little: broken ones, and good ones."""

from __future__ import annotations

from machine_cases import MACHINES, OPEN, TYPES, Changes, Faults

HEAD, WORKER = "head_start_ray_commands[1]", "worker_start_ray_commands[1]"
DEFAULT = "must be set; otherwise Ray's default applies"
START_OF_SETUP = "initialization_commands: []"
TOKEN_LINE = '  "~/.ray/auth_token": "~/.ray/auth_token"\n'

#: Faults of machines, and of authentication, commands, installation, images and results.
BROKEN: dict[str, tuple[str, Changes, Faults]] = {
    **MACHINES,
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
    "credentials in the file": (
        "gcp-gpu",
        [("gs://CHANGE-ME/results", "s3://KEY:SECRET@bucket/results")],
        [("metadata.fer_tune.results", "must not contain credentials")],
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
    "one worker short": (
        "on-prem",
        [("    RAY_enable_autoscaler_v2=0 RAY_AUTH_MODE", "    RAY_AUTH_MODE")],
        [(HEAD, "must set RAY_enable_autoscaler_v2=0 on premises")],
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
