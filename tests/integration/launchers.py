"""Stand-ins for launchers: they run the commands of a shipped file, again and again."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import yaml

from fer_tune.cluster.shipped import find
from fer_tune.storage import AnyPath, address
from tests.integration.bench import Bench

#: Stand-ins for programs: each notes its words. `fer-tune` also does what the test says.
NOTED = '#!/bin/bash\nprintf "%s\\n" "${0##*/} $*" >> "$NOTES"\n'
STAND_INS = {
    "ray": NOTED + '[ "$1" != status ] || { eval "$STATUS"; false; }\n',
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
SKYPILOT = {
    "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2",
    "SKYPILOT_NODE_RANK": "0",
    "SKYPILOT_NUM_NODES": "2",
}
#: What `ray status` says of two machines, in bash.
TWO_NODES = r'printf "Active:\n 1 node_a\n 1 node_b\n"'


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
        given.setdefault("STATUS", TWO_NODES)
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

    def search(self) -> list[str]:
        """The words of its `fer-tune search`."""
        assert self.run("true") == 0
        return self.noted("fer-tune")[-1]


def with_own_ray(words: list[str], bench: Bench, folder: AnyPath) -> tuple[str, ...]:
    """A launcher's search with our space, pictures and folder, and a Ray that it starts itself."""
    assert words[0] == "search" and words[-2] == "--address"
    own = {"--data": str(bench.home / "faces"), "--results": address(folder)}
    kept = [own.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    return ("search", str(bench.home / "space.yaml"), *kept[2:-2])
