"""The commands of the shipped launchers' files, run by stand-ins for the launchers.

The searches that they run are killed and run again in ``test_or_resume.py``.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.integration.launchers import Launcher


@pytest.fixture
def slurm(tmp_path: Path) -> Launcher:
    return Launcher("slurm", tmp_path)


@pytest.mark.parametrize(("code", "requeued"), [(0, False), (1, False), (2, False), (75, True)])
def test_slurm_queues_a_search_again_that_asks_for_it(
    slurm: Launcher, code: int, requeued: bool
) -> None:
    assert slurm.run(f"exit {code}") == code
    assert (["requeue", "4711"] in slurm.noted("scontrol")) is requeued
    assert not list(slurm.folder.glob(".fer_tune-token*")), "the token is removed"


@pytest.mark.parametrize(("signum", "requeued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_a_signal_reaches_the_search_and_a_cancelled_job_stays_so(
    slurm: Launcher, signum: int, requeued: bool
) -> None:
    does = "trap 'sleep 0.5; exit 75' TERM; while :; do sleep 0.05; done"
    job = slurm.start(does)
    slurm.until_noted("fer-tune")
    time.sleep(0.3)  # until the stand-in has set its trap
    os.kill(job.pid, signum)  # the batch script alone, as `B:` has it
    assert job.wait(30) == 75
    assert (["requeue", "4711"] in slurm.noted("scontrol")) is requeued


def test_slurm_does_not_queue_a_search_for_ever(slurm: Launcher) -> None:
    assert slurm.run("exit 75", SLURM_RESTART_COUNT="100") == 75
    assert ["requeue", "4711"] not in slurm.noted("scontrol")


@pytest.mark.parametrize("name", ["slurm", "skypilot"])
def test_a_search_waits_until_all_machines_have_joined(name: str, tmp_path: Path) -> None:
    launcher = Launcher(name, tmp_path)
    (launcher.folder / "bin/sleep").write_text("#!/bin/bash\ntouch $HOME/waited\n")
    (launcher.folder / "bin/sleep").chmod(0o755)
    one, two = 'printf " 1 node_a\n"', 'printf " 1 node_a\n 1 node_b\n"'
    status = f"if [ -e $HOME/waited ]; then {two}; else {one}; fi"
    assert launcher.run('[ -e "$HOME/waited" ]', STATUS=status) == 0


def test_slurms_token_is_its_owners_alone(slurm: Launcher) -> None:
    does = (
        'stat -c %a "$RAY_AUTH_TOKEN_PATH" > "$HOME/mode"; cp "$RAY_AUTH_TOKEN_PATH" "$HOME/copy"'
    )
    assert slurm.run(does) == 0
    assert (slurm.folder / "mode").read_text().strip() == "600"
    assert len((slurm.folder / "copy").read_text().strip()) == 64


def test_every_job_of_slurm_has_its_own_port_and_folder(slurm: Launcher) -> None:
    assert slurm.run("true") == 0
    assert slurm.run("true", SLURM_JOB_ID="4712") == 0
    starts = [words for words in slurm.noted("ray") if "--head" in words]
    ports = [next(w for w in words if w.startswith("--port=")) for words in starts]
    assert ports == ["--port=24711", "--port=24712"]
    assert "--temp-dir=/tmp/fer_tune-4711" in starts[0]
    (workers, _) = slurm.noted("srun")
    assert "--address=node-1:24711" in workers and "--exclude=node-1" in workers


def test_skypilots_other_machines_join_and_search_nothing(tmp_path: Path) -> None:
    sky = Launcher("skypilot", tmp_path)
    assert sky.run(SKYPILOT_NODE_RANK="1") == 0
    assert sky.noted("ray") == [["start", "--address=10.0.0.1:6479", "--disable-usage-stats"]]
    assert sky.noted("fer-tune") == []


def test_skypilot_hands_on_the_exit_code(tmp_path: Path) -> None:
    sky = Launcher("skypilot", tmp_path)
    assert sky.run("exit 75") == 75
    head = next(words for words in sky.noted("ray") if "--head" in words)
    assert "--port=6479" in head


@pytest.mark.parametrize("name", ["skypilot", "slurm", "rayjob"])
def test_it_runs_the_very_same_command_each_time(name: str, tmp_path: Path) -> None:
    launcher = Launcher(name, tmp_path)
    first = launcher.search()
    assert "--or-resume" in first
    assert launcher.run("true", SLURM_RESTART_COUNT="1") == 0
    again = launcher.noted("fer-tune")[-1]
    assert again[:-1] == first[:-1], "only the port of Ray may be another"
