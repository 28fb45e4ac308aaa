"""Files for SkyPilot and Slurm that differ from the shipped one: broken ones, and good ones."""

from __future__ import annotations

Changes = list[tuple[str, str]]
Faults = list[tuple[str, str]]

NO_RESUME = "must pass --or-resume"
NO_TOKEN = "must set RAY_AUTH_MODE=token"
ANY_RAY = "must not connect to whatever Ray is there"
NOT_SHARED = "must write results where the next machine finds them"
OWN_PORT = "must start the head on a port of its own"
IN_FILE = "must not contain the token itself"
OPEN = "must not be open to the world without a reason"
CODES = "resources.job_recovery.recover_on_exit_codes"

BROKEN: dict[str, tuple[str, Changes, Faults]] = {
    "a command that cannot be repeated": (
        "skypilot",
        [(" --or-resume", "")],
        [("run", NO_RESUME)],
    ),
    "whatever Ray is there": (
        "skypilot",
        [("--or-resume --address $HEAD:$PORT", "--or-resume --address auto")],
        [("run", ANY_RAY)],
    ),
    "one machine only": (
        "skypilot",
        [("--or-resume --address $HEAD:$PORT", "--or-resume")],
        [("run", "must pass the address of the Ray that was started")],
    ),
    "SkyPilot's own port": ("skypilot", [("PORT=6479", "PORT=6380")], [("run", OWN_PORT)]),
    "no port": (
        "skypilot",
        [("ray start --head --port=$PORT", "ray start --head")],
        [("run", OWN_PORT)],
    ),
    "no authentication": (
        "skypilot",
        [("export RAY_AUTH_MODE=token PATH", "export PATH")],
        [("run", NO_TOKEN), ("run", NO_TOKEN)],
    ),
    "SkyPilot's Ray stopped": (
        "skypilot",
        [("  PORT=6479\n", "  PORT=6479\n  ray stop\n")],
        [("run", "must not run `ray stop`")],
    ),
    "the token in the file": (
        "skypilot",
        [("  RAY_AUTH_TOKEN: null", "  RAY_AUTH_TOKEN: 0123456789abcdef")],
        [("secrets.RAY_AUTH_TOKEN", IN_FILE)],
    ),
    "the token among the variables that everybody sees": (
        "skypilot",
        [("secrets:\n  RAY_AUTH_TOKEN: null", "envs:\n  RAY_AUTH_TOKEN: null")],
        [("envs", IN_FILE)],
    ),
    "no token": (
        "skypilot",
        [("secrets:\n  RAY_AUTH_TOKEN: null", "envs: {}")],
        [("secrets.RAY_AUTH_TOKEN", "must give every machine the token")],
    ),
    "no recovery of what asks for it": (
        "skypilot",
        [("recover_on_exit_codes: [75]", "recover_on_exit_codes: [1, 2]")],
        [(CODES, "must contain 75"), (CODES, "must not contain 2")],
    ),
    "ports for everybody": (
        "skypilot",
        [("  disk_size: 150", "  disk_size: 150\n  ports: 8265")],
        [("resources.ports", OPEN)],
    ),
    "a dashboard for everybody": (
        "skypilot",
        [("--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0")],
        [("run", OPEN)],
    ),
    "a folder of faces that is uploaded": (
        "skypilot",
        [("num_nodes: 2", "num_nodes: 2\nworkdir: .")],
        [("workdir", "must not upload a whole folder without a reason")],
    ),
    "results on a machine that will be gone": (
        "skypilot",
        [("--results s3://CHANGE-ME/results/first", "--results ~/results/first")],
        [("run", NOT_SHARED)],
    ),
    "a nightly Ray, and any version of ours": (
        "skypilot",
        [("'ray[default,tune]==2.60.0'", "nightly"), ("VERSION=v0.1.0", "VERSION=main")],
        [
            ("setup", "must not install a nightly Ray"),
            ("setup", "must install ray[default,tune] at one version"),
            ("setup", "must install fer-tune at one version"),
        ],
    ),
    "keys mistyped": (
        "skypilot",
        [("num_nodes: 2", "num_node: 2"), ("use_spot: true", "use_spots: true")],
        [("num_node", "is an unknown key"), ("resources.use_spots", "is an unknown key")],
    ),
    "no machines": (
        "skypilot",
        [("num_nodes: 2", "num_nodes: 0")],
        [("num_nodes", "must be at least 1")],
    ),
    "a quotation that does not end": (
        "skypilot",
        [('PATH="$HOME/fer_tune-env/bin:$PATH"', 'PATH="$HOME/fer_tune-env/bin:$PATH')],
        [("run", "must be a complete shell script")],
    ),
    "a batch command that cannot be repeated": (
        "slurm",
        [(" --or-resume", "")],
        [("script", NO_RESUME)],
    ),
    "a batch job on whatever Ray is there": (
        "slurm",
        [('\n  --address "$HEAD:$PORT" &', "\n  --address auto &")],
        [("script", ANY_RAY)],
    ),
    "a port that two jobs share": (
        "slurm",
        [
            (
                "PORT=$((20000 + (SLURM_JOB_ID + 101 * ${SLURM_RESTART_COUNT:-0}) % 10000))",
                "PORT=6379",
            )
        ],
        [("script", OWN_PORT)],
    ),
    "a folder that two users share": (
        "slurm",
        [(" --temp-dir=/tmp/fer_tune-$SLURM_JOB_ID", "")],
        [("script", "must set --temp-dir")],
    ),
    "no authentication on nodes that others use": (
        "slurm",
        [("export RAY_AUTH_MODE=token RAY", "export RAY")],
        [("script", NO_TOKEN), ("script", NO_TOKEN)],
    ),
    "a token for everybody": (
        "slurm",
        [("(umask 077; ", "(")],
        [("script", "must keep the token from other users")],
    ),
    "a token in the script": (
        "slurm",
        [('RAY_AUTH_TOKEN_PATH="$HOME/.fer_tune-token-$SLURM_JOB_ID"', "RAY_AUTH_TOKEN=0123abcd")],
        [("script", IN_FILE)],
    ),
    "results in a node's own folder": (
        "slurm",
        [("RESULTS=/CHANGE-ME/results/first", "RESULTS=/tmp/first")],
        [("script", NOT_SHARED)],
    ),
    "options left out": (
        "slurm",
        [
            ("#SBATCH --requeue\n", ""),
            ("#SBATCH --time=08:00:00\n", ""),
            ("#SBATCH --open-mode=append\n", ""),
            ("--signal=B:USR1@300", "--signal=USR1@300"),
        ],
        [
            ("#SBATCH.requeue", "must be set"),
            ("#SBATCH.time", "must be set"),
            ("#SBATCH.open-mode", "must be append"),
            ("#SBATCH.signal", "must be B:USR1@SECONDS with at least 60 seconds"),
        ],
    ),
    "options after the first command": (
        "slurm",
        [("#SBATCH --requeue\n", "umask 077\n#SBATCH --requeue\n")],
        [
            ("#SBATCH.requeue", "must be set"),
            ("#SBATCH.open-mode", "must be append"),
            ("#SBATCH.signal", "must be B:USR1@SECONDS with at least 60 seconds"),
        ],
    ),
    "the end of the time ignored": (
        "slurm",
        [("trap 'INTERRUPTED=yes; kill -TERM \"$SEARCH\"' USR1\n", "")],
        [("script", "must pass SIGUSR1 on to the search as SIGTERM")],
    ),
    "a job that is not queued again": (
        "slurm",
        [('scontrol requeue "$SLURM_JOB_ID"', "true")],
        [("script", "must queue the job again when the search ends with 75")],
    ),
}

GOOD: dict[str, tuple[str, Changes]] = {
    "one machine of a cloud": (
        "skypilot",
        [("num_nodes: 2", "num_nodes: 1"), ("{L4: 1, A10G: 1}", "H100:8")],
    ),
    "results in a mounted bucket": (
        "skypilot",
        [
            ("--results s3://CHANGE-ME/results/first", "--results /bucket/first"),
            ("setup: |", "file_mounts:\n  /bucket: {source: s3://mine, mode: MOUNT}\nsetup: |"),
        ],
    ),
    "the mode among the variables": (
        "skypilot",
        [
            ("export RAY_AUTH_MODE=token PATH", "export PATH"),
            ("setup: |", "envs: {RAY_AUTH_MODE: token}\nsetup: |"),
        ],
    ),
    "code only": (
        "skypilot",
        [("num_nodes: 2", "num_nodes: 2\nworkdir: ./code  # open: code alone")],
    ),
    "a repository": (
        "skypilot",
        [("num_nodes: 2", "num_nodes: 2\nworkdir: {url: https://host/me/code, ref: v1}")],
    ),
    "short options and a partition": (
        "slurm",
        [("#SBATCH --nodes=2", "#SBATCH -N 4\n#SBATCH -p gpu"), ("--time=08:00:00", "-t 2-00:00")],
    ),
    "results in a store, and at home": (
        "slurm",
        [("RESULTS=/CHANGE-ME/results/first", "RESULTS=s3://b/first")],
    ),
    "results at home": (
        "slurm",
        [("RESULTS=/CHANGE-ME/results/first", 'RESULTS="$HOME/results/first"')],
    ),
    "called by its module": (
        "slurm",
        [("fer-tune search densenet", "python -m fer_tune search densenet")],
    ),
}
