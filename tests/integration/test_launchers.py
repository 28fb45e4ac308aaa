"""The shipped launchers' commands, run by stand-ins for the launchers: killed and run again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fer_tune.cluster.shipped import find
from fer_tune.records import Results
from tests.integration.bench import Bench, same

#: Stand-ins for programs: each notes its words. `fer-tune` also does what the test says.
NOTED = '#!/bin/bash\nprintf "%s\\n" "${0##*/} $*" >> "$NOTES"\n'
STAND_INS = {
    "ray": NOTED + '[ "$1" != status ]\n',
    "srun": NOTED,
    "scontrol": NOTED + '[ "$1" = requeue ] || echo node-1\n',
    "fer-tune": NOTED + 'eval "$DOES"\n',
}
#: What a job of each launcher has in its environment.
SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_NODELIST": "node-[1-2]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_CPUS_PER_TASK": "8",
    "SLURM_GPUS_ON_NODE": "1",
}
SKYPILOT = {"SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2", "SKYPILOT_NODE_RANK": "0"}


#: Where the YAML files have their commands.
COMMANDS: dict[str, Callable[[Any], str]] = {
    "skypilot": lambda task: str(task["run"]),
    "rayjob": lambda manifest: str(manifest["spec"]["entrypoint"]),
}


class Launcher:
    """Runs the commands of a shipped file in a folder, as often as it is asked to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.notes = name, folder, folder / "notes.txt"
        programs = folder / "bin"
        (folder / "fer_tune-env/bin").mkdir(parents=True)
        programs.mkdir()
        # The task of SkyPilot waits for Ray, of which there is none here.
        waits = {"sleep": "#!/bin/bash\n"} if name == "skypilot" else {}
        for program, text in {**STAND_INS, **waits}.items():
            (programs / program).write_text(text)
            (programs / program).chmod(0o755)
        # Both environments of the scripts lead to the stand-ins.
        (folder / "fer_tune-env/bin/activate").write_text("")
        text = find(name).read_text(encoding="utf-8").replace("/CHANGE-ME", str(folder))
        part = {"slurm": text} if name == "slurm" else yaml.safe_load(text)
        self.script = (
            part["slurm"] if name == "slurm" else part.get("run") or part["spec"]["entrypoint"]
        )

    def start(self, does: str = "", **environment: str) -> subprocess.Popen[bytes]:
        """The commands once more; ``does``: what `fer-tune` does, in bash."""
        given = {**os.environ, **SLURM, **SKYPILOT, "HOME": str(self.folder), **environment}
        given |= {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        given |= {"NOTES": str(self.notes), "DOES": does}
        return subprocess.Popen(["bash", "-c", self.script], env=given, start_new_session=True)

    def run(self, does: str = "", **environment: str) -> int:
        return self.start(does, **environment).wait(30)

    def noted(self, program: str) -> list[list[str]]:
        """The words of every call of a program."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [line.split()[1:] for line in lines if line.split()[0] == program]

    def until_noted(self, program: str) -> None:
        deadline = time.monotonic() + 30
        while not self.noted(program):
            assert time.monotonic() < deadline, f"{program} was not called"
            time.sleep(0.02)


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


def test_slurms_signal_reaches_the_search_which_ends_in_its_own_time(slurm: Launcher) -> None:
    does = "trap 'sleep 0.5; exit 75' TERM; while :; do sleep 0.05; done"
    job = slurm.start(does)
    slurm.until_noted("fer-tune")
    time.sleep(0.3)  # until the stand-in has set its trap
    os.kill(job.pid, signal.SIGTERM)  # the batch script alone, as `B:` has it
    assert job.wait(30) == 75
    assert ["requeue", "4711"] in slurm.noted("scontrol")


def test_slurm_does_not_queue_a_search_for_ever(slurm: Launcher) -> None:
    assert slurm.run("exit 75", SLURM_RESTART_COUNT="100") == 75
    assert ["requeue", "4711"] not in slurm.noted("scontrol")


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


# -- a real search, killed and run again ----------------------------------------------------------


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("launchers"))


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> Results:
    return bench.undisturbed()


def given_to_search(words: list[str], bench: Bench, folder: Path) -> tuple[str, ...]:
    """The words of a launcher's search, with our space, pictures, folder, and a Ray of its own."""
    assert words[0] == "search" and words[-2] == "--address"
    own = {"--data": str(bench.home / "faces"), "--results": str(folder)}
    kept = [own.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    return ("search", str(bench.home / "space.yaml"), *kept[2:-2])


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.kills
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["skypilot", "slurm", "rayjob"])
def test_a_launchers_search_is_killed_and_run_again(
    name: str, bench: Bench, undisturbed: Results, tmp_path: Path
) -> None:
    launcher, folder = Launcher(name, tmp_path / name), tmp_path / "results"
    launcher.folder.mkdir(exist_ok=True)
    assert launcher.run("true") == 0 and launcher.run("true") == 0
    first, second = launcher.noted("fer-tune")
    assert first == second, "the very same command"
    words = given_to_search(first, bench, folder)
    with bench.start(folder, *words, seconds=0.1) as process:
        process.until(lambda h: sum(run.ended for run in h.runs.values()) >= 3)
        process.kill_all()
    with bench.start(folder, *words) as process:
        assert process.ended() == 0, process.text
    same(undisturbed, Results.open(folder))
