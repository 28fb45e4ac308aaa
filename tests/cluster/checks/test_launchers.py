"""Files for SkyPilot and Slurm that differ from the shipped one in one thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_tune.cluster.checks.checking import check
from fer_tune.cluster.shipped import find
from fer_tune.errors import ClusterFileError
from fer_tune.space import load
from tests.command_line import Run

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


def changed(name: str, changes: Changes, folder: Path) -> Path:
    text = find(name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / find(name).name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_has_its_faults_and_no_other(case: str, tmp_path: Path) -> None:
    name, changes, expected = BROKEN[case]
    with pytest.raises(ClusterFileError) as caught:
        check(str(changed(name, changes, tmp_path)))
    # Two starts of Ray on two lines are two faults; in a YAML text they are one place.
    found = {(fault.key, fault.rule) for fault in caught.value.faults}
    assert found == set(expected)


@pytest.mark.parametrize("case", GOOD)
def test_what_a_user_would_write_is_without_fault(case: str, tmp_path: Path) -> None:
    assert check(str(changed(*GOOD[case], tmp_path)))


def test_a_fault_of_a_script_names_its_line(tmp_path: Path) -> None:
    path = changed(
        "slurm", [("--signal=B:USR1@300", "--signal=B:USR1@5"), (" --or-resume", "")], tmp_path
    )
    with pytest.raises(ClusterFileError) as caught:
        check(str(path))
    lines = path.read_text().splitlines()
    by_rule = {fault.rule: fault.line for fault in caught.value.faults}
    assert (
        "--signal" in lines[(by_rule["must be B:USR1@SECONDS with at least 60 seconds"] or 0) - 1]
    )
    assert "fer-tune search" in lines[(by_rule[NO_RESUME] or 0) - 1]


@pytest.mark.parametrize(
    "written",
    [
        "#SBATCH -t8:00:00 -N2 -c 8\n",
        "#SBATCH -t 8:00:00 --nodes 2 --cpus-per-task=8 # as before\n",
        "#SBATCH --time='8:00:00' --nodes=2-4\n#SBATCH -c8\n",
    ],
)
def test_options_are_read_as_sbatch_reads_them(written: str, tmp_path: Path) -> None:
    lines = ["#SBATCH --time=08:00:00\n", "#SBATCH --nodes=2\n", "#SBATCH --cpus-per-task=8\n"]
    changes = [(lines[0], written), *((line, "") for line in lines[1:])]
    rows = dict(check(str(changed("slurm", changes, tmp_path))).summary.rows)
    assert rows["time"].startswith("8:00:00,")
    assert rows["nodes"] in ("2: 8 CPUs and 1 GPUs each", "2-4: 8 CPUs and 1 GPUs each")


def test_the_summary_says_what_it_takes() -> None:
    rows = dict(check("skypilot").summary.rows)
    assert rows["machines"] == "2: 1 × L4 or 1 × A10G, spot"
    assert rows["results"] == "s3://CHANGE-ME/results/first"
    rows = dict(check("slurm").summary.rows)
    assert rows["nodes"] == "2: 8 CPUs and 1 GPUs each"
    assert rows["results"] == "/CHANGE-ME/results/first"


def test_trials_that_do_not_fit_the_machines(tmp_path: Path) -> None:
    flagship = load("densenet161_vs_resnet152", ["resources.gpu=1/2"])
    with pytest.raises(ClusterFileError, match="is too small for densenet161_vs_resnet152"):
        check("skypilot", space=flagship)
    notes = check("slurm", space=flagship).notes
    assert any("specify it with --gpu-memory" in note for note in notes)
    with pytest.raises(ClusterFileError, match="is too small for densenet161_vs_resnet152"):
        check("slurm", space=flagship, gpu_memory=24)
    no_gpu = changed("slurm", [("#SBATCH --gpus-per-node=1\n", "")], tmp_path)
    with pytest.raises(ClusterFileError, match="has no machine with a GPU"):
        check(str(no_gpu), space=flagship)


@pytest.mark.parametrize(
    ("written", "gpus"),
    [
        ("--gpus-per-node=a100:4", 4),
        ("--gres=gpu:a100:2", 2),
        ("--gres=gpu:2", 2),
        ("--gpus=8", 4),
        ("-G 1", 1),
        ("--mem-per-cpu=4G", 0),
    ],
)
def test_the_gpus_of_a_node(written: str, gpus: int, tmp_path: Path) -> None:
    path = changed("slurm", [("--gpus-per-node=1", written)], tmp_path)
    assert dict(check(str(path)).summary.rows)["nodes"] == f"2: 8 CPUs and {gpus} GPUs each"


@pytest.mark.parametrize(
    ("written", "gpus"),
    [
        ("{L4:1, A10G:1}", "1 × L4 or 1 × A10G"),
        ("[L4, 'A100:8']", "1 × L4 or 8 × A100"),
        ("H100:8", "8 × H100"),
        ("L4:1\n  any_of: [{accelerators: T4:2}, {use_spot: true}]", "1 × L4 or 2 × T4"),
    ],
)
def test_the_gpus_of_a_machine(written: str, gpus: str, tmp_path: Path) -> None:
    path = changed("skypilot", [("{L4: 1, A10G: 1}", written)], tmp_path)
    assert dict(check(str(path)).summary.rows)["machines"] == f"2: {gpus}, spot"


def test_a_script_is_shown_as_it_is(run: Run) -> None:
    shown = run("cluster", "show", "slurm")
    assert shown.code == 0 and shown.out == find("slurm").read_text(encoding="utf-8")
