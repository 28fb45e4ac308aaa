"""The package of a tree in which pictures, keys, datasets and results lie about."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command_line import Run

EARLIER = Path(__file__).resolve().parents[2] / "earlier"
CODE = {
    "search/space.yaml": "name: x\n",
    "search/train.py": "import torch\n" * 200,
    "README.md": "# Faces\n",
}
#: Parts of keys, so that this file itself holds none.
KEY = "-----BEGIN " + "OPENSSH PRIVATE " + "KEY-----\nb3BlbnNzaC1rZXktdjEA\n"
SECRETS = {
    ".env": "A=1\n",
    "deploy/id_ed25519": KEY,
    "notes/how.txt": f"first\n{KEY}",
    "notes/store.cfg": "url = s3://AKID:" + "wJalrXUtnFEMIK7MDENG" + "@bucket/faces\n",
    "auth_token": "0123456789abcdef\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with everything tracked."""
    root = tmp_path / "work"
    for name, text in {**CODE, **SECRETS}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    noise = np.random.default_rng(1).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    (root / "faces/happy").mkdir(parents=True)
    picture.save(root / "faces/happy/one.jpg")
    picture.save(root / "faces/happy/without_an_ending", "PNG")
    shutil.copytree(EARLIER / "faces", root / "packed")
    shutil.copytree(EARLIER / "finished", root / "out/first")
    git = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "--force", "--all"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    monkeypatch.chdir(root)
    return root


def test_a_dry_run_shows_all_that_would_be_sent_and_how_much(tree: Path, run: Run) -> None:
    done = run("submit", "cpu_small", "--data", "/faces", "--dry-run")
    assert done.code == 0, done.err
    sent = {line.split()[1] for line in done.out.splitlines()}
    assert sent == {*CODE, "submitted_space/cpu_small.yaml"}
    listed = sum(int(line.split()[0]) for line in done.out.splitlines())
    assert listed < 10_000, "bytes, before they are compressed"
    assert f"4 files of {tree}, 0.0 MiB" in done.err
    assert re.search(r"of these +.*search/ 2, 0\.0 MiB", done.err)
    assert "at the top 1, 0.0 MiB" in done.err


def test_it_says_what_stays_here_and_why(tree: Path, run: Run) -> None:
    done = run("submit", "cpu_small", "--data", "/faces", "--dry-run")
    counts = dict(re.findall(r"left out +([a-z ]+) \((\d+)\):", done.err))
    assert counts["secrets"] == str(len(SECRETS))
    assert counts["pictures"] == "2"
    assert int(counts["data and results"]) == sum(
        path.is_file() for top in ("packed", "out") for path in (tree / top).rglob("*")
    ) - int(counts.get("models and weights", "0"))
    assert "b3BlbnNzaC1rZXk" not in done.err + done.out


def test_what_is_included_by_name_is_counted(tree: Path, run: Run) -> None:
    done = run("submit", "cpu_small", "--data", "/f", "--dry-run", "--include", "faces/happy")
    assert done.code == 0, done.err
    assert "faces/happy/one.jpg" in done.out and "faces/happy/without_an_ending" in done.out
    size = sum((tree / "faces/happy" / n).stat().st_size for n in ("one.jpg", "without_an_ending"))
    (shown,) = re.findall(r"faces/ 2, (\d+\.\d) MiB", done.err)
    assert float(shown) == pytest.approx(size / 2**20, abs=0.06)
