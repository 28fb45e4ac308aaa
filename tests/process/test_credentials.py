"""Credentials among the words of a command: nobody else reads them, nor does a traceback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SECRET = "HUSHhush/SHUH"
URL = f"s3://KEY:{SECRET}@bucket/name?region=r&secret_key={SECRET}"
COMMAND = """
import json, sys
from pathlib import Path
from fer_tune.process import entered

with entered():
    command = Path("/proc/self/cmdline").read_bytes().decode()
    if "Ray" in sys.argv:
        from ray._private.utils import get_entrypoint_name
        command = get_entrypoint_name()  # of this process, in Ray's list of jobs
    print(json.dumps([command, sys.argv[1:]]))
    if "fail" in sys.argv:
        raise RuntimeError(f"cannot open {sys.argv[2]} with {sys.argv[3]}")
"""


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment or None,
    )


@pytest.mark.parametrize("reader", ["ps", "Ray"])
def test_the_process_list_shows_none_and_the_program_has_its_words(reader: str) -> None:
    words = [reader, "--results", URL, f"--data={URL}", "naïve 😀", "--set", "a=b"]
    shown, seen = json.loads(run(*words).stdout)
    assert seen == words
    assert "HUSH" not in shown and "SHUH" not in shown
    assert "s3://bucket/name?region=r&secret_key= " in shown and "naïve 😀" in shown
    assert shown.rstrip("\0").endswith("a=b")


def test_a_command_without_any_stays_as_it_is() -> None:
    words = ["ps", "--results", "s3://bucket/name?region=r", "a:b@c", ""]
    shown, seen = json.loads(run(*words).stdout)
    assert seen == words and shown.split("\0")[3:-1] == words


def test_the_traceback_of_a_bug_shows_none() -> None:
    import os

    token = "ghp_0123456789abcdef"
    done = run("fail", URL, token, **os.environ, MY_API_TOKEN=token)
    assert done.returncode == 1 and "Traceback" in done.stderr
    assert "RuntimeError: cannot open s3://bucket/name?region=r&secret_key= with …" in done.stderr
    assert "HUSH" not in done.stderr and token not in done.stderr
