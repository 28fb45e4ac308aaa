"""Files for SkyPilot and Slurm that differ from the shipped one in one thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from launcher_cases import BROKEN, GOOD, NO_RESUME, Changes

from fer_tune.cluster.checks.checking import check
from fer_tune.cluster.shipped import find
from fer_tune.errors import ClusterFileError
from fer_tune.space import load
from tests.command_line import Run


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
