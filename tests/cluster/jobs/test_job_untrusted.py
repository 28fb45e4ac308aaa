"""A head, a dashboard or a store that names things so that they would lead elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from job_server import Script, serving
from ssh_server import Server
from typer.testing import CliRunner

from fer_tune.cli.fetching import fetch as fetch_command
from fer_tune.cli.option_groups import Where
from fer_tune.cluster.dashboard import dashboard_url
from fer_tune.cluster.job import Job, named, new_id, ours
from fer_tune.cluster.jobs.download import fetch
from fer_tune.cluster.names import below, checked_path, is_id
from fer_tune.cluster.ssh.dashboard_access import Access
from fer_tune.cluster.ssh.head_node import head_of
from fer_tune.errors import EnvironmentFault, ResultsError
from tests.object_store import BUCKET, ObjectStore

BAD_IDS = (
    *("one/../../../escaped", "../one", "/tmp/one", "..", ".one", "-one", "--rsh=touch x"),
    *("one;touch x", "one $(touch x)", "one\ntwo", "one\x1b[2J", "one\0", "o" * 201, "ünï", ""),
)


class Naming(Script):
    """Has one job, under another id."""

    name: Any = ""

    def details(self) -> dict[str, Any]:
        return {**super().details(), "submission_id": self.name}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder that this machine shares with the cluster."""
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "events.jsonl").write_text("begun\n")
    return folder


@pytest.mark.parametrize("id", BAD_IDS)
def test_an_id_is_nothing_but_a_name(id: str) -> None:
    assert not is_id(id)
    details = {**Script().details(), "submission_id": id}
    with pytest.raises(EnvironmentFault, match="not safe to use as a name"):
        Job.from_details(details)
    good = {**details, "submission_id": "one-20261127-0312"}
    assert [job.id for job in ours([details, good])] == ["one-20261127-0312"]


@pytest.mark.parametrize("id", ["one/../../../escaped", "one;touch escaped"])
def test_a_fetch_does_not_leave_its_folder(
    id: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    script = Naming(more={"results": str(results)})
    script.name = id
    with (
        serving(script) as dashboard,
        pytest.raises(EnvironmentFault, match="not safe to use as a name") as caught,
    ):
        fetch_command(
            Where(cluster=None, address=dashboard.address), "one", None, checkpoints=False
        )
    assert id in str(caught.value)
    assert files(tmp_path) == {"shared/events.jsonl"}


@pytest.mark.parametrize(
    "said", ["", "x", "/", "../x", "-rf", ":module", "/srv/../etc", "/a\x1b[2J"]
)
def test_a_dashboard_does_not_choose_what_of_this_machine_is_copied(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x/private.txt").touch()
    before = files(tmp_path)
    for results in (said, str(tmp_path / "x")):
        with serving(Script(more={"results": results})) as dashboard:
            where = Where(cluster=None, address=dashboard.address)
            with pytest.raises(ResultsError):
                fetch_command(where, "one", None, checkpoints=False)
    assert files(tmp_path) == before


@pytest.mark.parametrize("wanted", ["/srv/..", "~/..", "/", "~/"])
def test_a_folder_here_has_a_name_of_its_own(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(Script()) as dashboard, pytest.raises(ResultsError, match="--out"):
        where = Where(cluster=None, address=dashboard.address)
        fetch_command(where, wanted, None, checkpoints=False)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("path", [":module", "x", "-e", "/a/../../etc", "/a\nb", ""])
def test_a_path_on_the_head_is_no_option_and_no_module(path: str, access: Access) -> None:
    with pytest.raises(ResultsError, match="must be an absolute path"):
        fetch(path, Path("unused"), access, checkpoints=False, show=False)
    assert checked_path("/srv/two words/it's") == "/srv/two words/it's"


def test_links_on_the_head_and_here(access: Access, server: Server, tmp_path: Path) -> None:
    """None comes from there, and none that lies here is written through."""
    source, out, outside = server.home / "linked", tmp_path / "out", tmp_path / "outside"
    for folder in (source / "report", source / "errors", out, outside):
        folder.mkdir(parents=True)
    (source / "manifest.json").write_text("{}")
    (source / "report/report.html").write_text("new")
    (source / "errors/why.txt").write_text("new")
    (source / "passwd").symlink_to("/etc/passwd")
    (source / "etc").symlink_to("/etc")
    fetch("~/linked", out, access, checkpoints=False, show=False)
    assert files(out) - {".fetched_from"} == {
        "manifest.json",
        "report/report.html",
        "errors/why.txt",
    }
    (out / "report/report.html").unlink()
    (out / "report").rmdir()
    (out / "report").symlink_to(outside)
    (outside / "mine.txt").write_text("mine")
    (out / "errors/why.txt").unlink()
    (out / "errors/why.txt").symlink_to(outside / "mine.txt")
    with pytest.raises(ResultsError, match="symbolic link"):
        fetch("~/linked", out, access, checkpoints=False, show=False)
    assert files(outside) == {"mine.txt"} and (outside / "mine.txt").read_text() == "mine"


def test_keys_of_a_store_and_links_here(tmp_path: Path) -> None:
    pytest.importorskip("moto.server", reason="moto's server is not installed here")
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    store = ObjectStore()
    try:
        store.make_bucket()
        place = store.folder("r")
        (place / "manifest.json").write_bytes(b"{}")
        (place / "x?endpoint_override=elsewhere").write_bytes(b"a name like any other")
        for key in ("../../escaped", "/etc/x", "a/../../b", "a//b", "a/./b"):
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, f"r/{key}", b"evil")
        out = tmp_path / "a/b/out"
        fetch(place.url, out, None, checkpoints=False, show=False)
        assert files(tmp_path) == {
            *("a/b/out/.fetched_from", "a/b/out/manifest.json"),
            "a/b/out/x?endpoint_override=elsewhere",
        }
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "part-9").touch()
        (out / "trials.parquet").symlink_to(outside)
        (place / "errors.txt").write_bytes(b"new")
        (out / ".errors.txt.part").symlink_to(outside / "part-9")
        (place / "trials.parquet" / "part-1").write_bytes(b"new")
        with pytest.raises(ResultsError, match="symbolic link"):
            fetch(place.url, out, None, checkpoints=False, show=False)
        assert (outside / "part-9").read_bytes() == b"", "neither removed nor written"
        assert files(outside) == {"part-9"}
    finally:
        store.stop()


def test_names_below_a_folder() -> None:
    assert str(below("report/two words.html")) == "report/two words.html"
    for name in ("", "/x", "../x", "a/../x", "a//x", "a/./x", "a\0b", "a\x1bb"):
        assert below(name) is None


def test_what_a_dashboard_says_of_a_job_may_be_anything() -> None:
    listed = [{**Script().details(), "metadata": 5}, {"submission_id": ["x"]}, {}]
    assert ours(listed) == []
    odd = {"start_time": 1e30, "end_time": "x", "driver_exit_code": "y", "message": 5, "status": 7}
    job = Job.from_details({**Script().details(), **odd})
    assert (job.started, job.ended, job.exit_code, job.state) == (None, None, None, "7")
    with pytest.raises(EnvironmentFault, match="not safe"):
        named("one/", [], ["one/../x"])


def test_ids_of_ours_begin_with_no_dash() -> None:
    assert is_id(new_id("-rf", 0.0, set())) and is_id(new_id("~", 0.0, set()))
    assert is_id(new_id("ünï/../x" * 100, 0.0, set()))


def test_a_user_that_is_an_option_of_ssh(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    for user in ("-oProxyCommand=touch x", "[a]"):
        text = f"auth: {{ssh_user: {user}}}\nprovider: {{type: local, head_ip: 127.0.0.1}}\n"
        file.write_text(text)
        with pytest.raises(EnvironmentFault, match=r"auth\.ssh_user: must be text"):
            head_of(file)


def test_a_password_in_the_address_is_not_repeated() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        dashboard_url("http://me:hush@127.0.0.1:8265")
    assert "hush" not in str(caught.value)


def test_a_submission_lists_what_it_would_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_tune.cli.app import app

    monkeypatch.chdir(tmp_path)
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "face.png").write_text("x")
    words = ["submit", "quickstart", "--data", "/d", "--dry-run"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "1 code.py" in done.output and "submitted_space/quickstart.yaml" in done.output
    assert "pictures (1): face.png" in done.output
    done = CliRunner().invoke(app, [*words, "--include", "face.png"])
    assert "1 face.png" in done.output and "left out" not in done.output
