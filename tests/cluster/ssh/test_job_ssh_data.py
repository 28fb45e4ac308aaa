"""Data that goes through ssh to a real sshd, and a search that is submitted there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from job_server import Script
from ssh_server import Server, cluster

from fer_tune.cluster.jobs.data_copy import _copy, on_cluster
from fer_tune.cluster.ssh.dashboard_access import Access, connected_to
from fer_tune.cluster.ssh.openssh import Ssh
from fer_tune.data import PackedDataset
from fer_tune.errors import DataError

pytestmark = pytest.mark.usefixtures("laptop")


# -- data ------------------------------------------------------------------------------------


@pytest.fixture
def here(faces: PackedDataset, tmp_path: Path) -> Path:
    """A dataset that is on this "laptop" alone: the head's root is ours, but its home is not."""
    return Path(shutil.copytree(faces.root, tmp_path / "two words" / "faces"))


def placed(data: Path | str, access: Access) -> tuple[str, list[str]]:
    notes: list[str] = []
    return on_cluster(str(data), access, notes.append, show=False), notes


def elsewhere(here: Path, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same path does not lead to the dataset on the head."""
    real = Ssh.run

    def run(self: Ssh, command: str, seconds: float = 30.0) -> str:
        return real(self, command.replace(str(here.resolve()), "/not/here"), seconds)

    monkeypatch.setattr(Ssh, "run", run)


def test_a_dataset_is_copied_once_by_fingerprint(
    here: Path, access: Access, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(here, access, monkeypatch)
    (here / "id_rsa").write_text("not of the dataset")
    there, notes = placed(here, access)
    assert not Path(there, "id_rsa").exists()
    dataset = PackedDataset.open(here)
    assert there == f"{server.home}/fer_tune/data/{dataset.fingerprint[:16]}"
    assert "copying" in notes[0]
    assert PackedDataset.open(there).fingerprint == dataset.fingerprint
    assert [path.name for path in Path(there).parent.iterdir()] == [dataset.fingerprint[:16]]
    stamp = Path(there, "pixels.bin").stat().st_mtime_ns
    again, notes = placed(here, access)
    assert again == there and "already" in notes[0]
    assert Path(there, "pixels.bin").stat().st_mtime_ns == stamp
    # One that was cut short is no longer that dataset.
    with Path(there, "pixels.bin").open("r+b") as pixels:
        pixels.truncate(10)
    assert placed(here, access)[0] == there
    assert len(PackedDataset.open(there)) == len(dataset)
    shutil.rmtree(there)


def test_two_that_copy_the_same_dataset(here: Path, access: Access, server: Server) -> None:
    """The second finds its copy in place already, and must not remove it again."""
    assert access.ssh is not None
    there = f"{server.home}/fer_tune/data/twice"
    real, turns = Ssh.run, 0

    def run(self: Ssh, command: str, seconds: float = 30.0) -> str:
        nonlocal turns
        if " && mv " in command and not turns:
            turns = 1
            real(self, command, seconds)  # of the first, at the very moment
        return real(self, command, seconds)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Ssh, "run", run)
        _copy(here, there, access, show=False)
    assert turns and len(PackedDataset.open(Path(there))) > 0
    shutil.rmtree(there)


def test_a_path_of_the_cluster_that_may_not_be_looked_at_here(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`/root/faces` of the head, from a laptop whose `/root` is closed to its user."""

    def closed(path: object, *more: object, **keywords: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", closed)
    assert placed("/root/faces", access)[0] == "/root/faces"


def test_a_shared_folder_needs_no_copy(here: Path, access: Access, server: Server) -> None:
    assert placed(here, access)[0] == str(here.resolve())
    assert not (server.home / "fer_tune").exists() or not list(
        (server.home / "fer_tune/data").iterdir()
    )


def test_where_file_mounts_put_it(here: Path, server: Server, dashboard: Script) -> None:
    shutil.copytree(here, server.home / "faces")
    file = cluster(server, dashboard, file_mounts={"~/faces": str(here)})
    with connected_to(file, None) as access:
        assert placed(here, access)[0] == str(server.home / "faces")
        # It is of no use when the dataset here is another by now.
        description = server.home / "faces/dataset.json"
        kept = description.read_text()
        dataset = PackedDataset.open(here)
        for other in ("[]", kept.replace(dataset.fingerprint, dataset.fingerprint[::-1])):
            description.write_text(other)
            assert placed(here, access)[0] == str(here.resolve())
    shutil.rmtree(server.home / "faces")


def test_what_is_the_clusters_own(access: Access) -> None:
    for data in ("/srv/faces", "~/faces"):
        assert placed(data, access) == (data, [])
    there, (note,) = placed("s3://bucket/faces", access)
    assert there == "s3://bucket/faces" and note.startswith("the head will fetch the dataset")
    with pytest.raises(DataError, match="neither a local packed dataset nor"):
        placed("faces", access)


# -- the whole way ---------------------------------------------------------------------------


def submitted(tree: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """``fer-tune submit quickstart WORDS``, by somebody who stands in ``tree``."""
    return subprocess.run(
        [sys.executable, "-m", "fer_tune", "submit", "quickstart", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        timeout=120,
        check=False,
    )


def test_credentials_of_the_cluster_file_go_into_no_command(
    server: Server, dashboard: Script, tmp_path: Path
) -> None:
    file = cluster(server, dashboard, metadata={"fer_tune": {"results": "s3://key:hush@b/r"}})
    done = submitted(tmp_path, "--cluster", file, "--data", "/srv/faces", "--detach")
    assert done.returncode == 2 and "contains credentials" in done.stderr
    assert "hush" not in done.stderr and dashboard.submitted == [] and not dashboard.packages


def test_submit_goes_there_and_follows(
    faces: PackedDataset, server: Server, dashboard: Script, tmp_path: Path
) -> None:
    usual = dashboard.details()
    dashboard.details = lambda: {  # type: ignore[method-assign]
        **usual,
        "status": dashboard.state,
        "submission_id": dashboard.submitted[-1]["submission_id"] if dashboard.submitted else "x",
    }
    file = cluster(server, dashboard, metadata={"fer_tune": {"results": "/mnt/results/"}})
    done = submitted(tmp_path, "--cluster", file, "--data", faces.root)
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n"), done.stderr
    (sent,) = dashboard.submitted
    results = f"/mnt/results/{sent['submission_id']}"
    assert f"--results {results} --data {faces.root} --address auto" in sent["entrypoint"]
    assert "ssh -N -L 8265:127.0.0.1:" in done.stderr
    link = f"http://127.0.0.1:8265/#/jobs/{sent['submission_id']}"
    assert link in done.stderr
