"""`fer-tune doctor` as its user sees it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def examine(
    options: str = "", *, before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The whole command in a process of its own, in which a warning is an error."""
    lines = ("import sys", before, "from fer_tune.cli.doctor.command import examine")
    code = "\n".join((*lines, f"sys.exit(examine({options}))"))
    kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "COLUMNS": "100", **environment},
        timeout=200,
    )


def found_by(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    output = json.loads(done.stdout)
    states = [check["state"] for check in output["checks"]]
    assert (output["missing"], output["warnings"]) == (
        states.count("missing"),
        states.count("warning"),
    )
    assert done.returncode == (1 if output["missing"] else 0)
    return {check["name"]: check for check in output["checks"]}


def test_the_whole_as_text_where_weights_are_missing(tmp_path: Path) -> None:
    done = examine(FER_TUNE_WEIGHTS=str(tmp_path), TORCH_HOME=str(tmp_path))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    output = [one for one in lines if one.startswith("  ") and one[2] != " "]
    assert {one.split()[0] for one in output} <= {"ok", "warning", "missing"}
    assert done.returncode == (1 if any(one.startswith("  missing") for one in output) else 0)
    for title in ("Python and libraries", "Computing", "Disk", "Pretrained weights", "Ray"):
        assert title in lines
    for name in ("densenet161", "resnet152"):
        at = next(i for i, one in enumerate(lines) if f"weights of {name}" in one)
        assert lines[at].startswith("  warning")
        assert f"Run `fer-tune weights fetch {name}`, or search with" in done.stdout
    assert "starting Ray" not in done.stdout and "`--ray`" in lines[-1]
    assert not list(tmp_path.iterdir())


def test_the_whole_as_json_where_the_disk_is_too_small() -> None:
    # No space is free on /proc, and no folder can be made there.
    done = examine("as_json=True", FER_TUNE_BANK="/proc/bank")
    assert done.stderr == "" and done.returncode == 1
    checks_ = found_by(done)
    assert checks_["disk of the bank"]["state"] == "missing"
    assert "FER_TUNE_BANK" in checks_["disk of the bank"]["remedy"]
    assert checks_["feature bank"]["state"] == "missing"
    assert checks_["torch with torchvision"]["state"] == "ok"
    assert checks_["torch"]["section"] == "Python and libraries"
    assert "running Ray" in checks_ and "starting Ray" not in checks_


def test_without_torch_the_rest_is_still_reported() -> None:
    done = examine("as_json=True", before="sys.modules['torch'] = None")
    assert "Traceback" not in done.stderr and done.returncode == 1
    checks_ = found_by(done)
    assert checks_["torch with torchvision"]["state"] == "missing"
    assert checks_["accelerators"]["state"] == "missing"
    assert "could not be checked" in checks_["accelerators"]["found"]
    assert checks_["disk of Ray's files"]["state"] != "" and checks_["python"]["state"] == "ok"


@pytest.mark.ray
@pytest.mark.slow
def test_ray_is_started_and_stopped_when_asked() -> None:
    done = examine("ray=True, as_json=True")
    assert done.stderr == ""
    assert found_by(done)["starting Ray"]["state"] == "ok", done.stdout


@pytest.mark.ray
@pytest.mark.slow
def test_a_ray_that_does_not_start_is_reported(tmp_path: Path) -> None:
    # Its sockets do not fit into so long a path.
    folder = tmp_path / ("long-name-" * 9)
    folder.mkdir()
    done = examine("ray=True, as_json=True", RAY_TMPDIR=str(folder))
    assert "Traceback" not in done.stderr
    starting = found_by(done)["starting Ray"]
    assert starting["state"] == "missing" and "path" in starting["found"], starting
    assert str(folder) in starting["remedy"]
