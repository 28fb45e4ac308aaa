"""What of a working tree goes with a job, and what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest

from fer_tune.cluster.job import Job, named, new_id, ours
from fer_tune.cluster.jobs.package import LIMIT_MIB, packed
from fer_tune.cluster.jobs.source_tree import working_tree
from fer_tune.cluster.jobs.submission import Submission, checked_results, results_below
from fer_tune.errors import EnvironmentFault, ResultsError
from tests.disks import mounted

FILES = {
    "notes.txt": "notes",
    "src/code.py": "print()",
    "ignored/big.txt": "x",
    "pictures/dataset.json": "{}",
    "pictures/pixels.bin": "faces",
    "out/first/manifest.json": "{}",
    "out/first/events.jsonl": "{}",
    "out/first/thumbnails.parquet/part.parquet": "faces",
}


def made(root: Path) -> Path:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def git(root: Path, *words: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", "-C", str(root), *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = made(tmp_path / "repository")
    (root / ".gitignore").write_text("ignored/\n")
    git(root, "init", "-q")
    git(root, "add", "notes.txt", ".gitignore")
    git(root, "commit", "-qm", "first")
    return root


def names(root: Path) -> set[str]:
    return set(map(str, working_tree(root).files))


def test_tracked_and_new_files_go_along_ignored_ones_and_faces_do_not(repository: Path) -> None:
    assert names(repository) == {".gitignore", "notes.txt", "src/code.py"}
    assert working_tree(repository).left_out == 5
    assert names(repository / "src") == names(repository), "the whole tree, from anywhere in it"


def test_a_deleted_file_and_links(repository: Path) -> None:
    (repository / "notes.txt").unlink()
    (repository / "link.py").symlink_to("src/code.py")
    (repository / "folder").symlink_to("src")
    (repository / "nowhere").symlink_to("gone")
    assert names(repository) == {".gitignore", "src/code.py", "link.py"}


def test_the_commit_and_whether_files_differ_from_it(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert working_tree(repository).commit == f"{head}-dirty"
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "all")
    assert working_tree(repository).commit == git(repository, "rev-parse", "HEAD")


def test_without_git(tmp_path: Path) -> None:
    root = made(tmp_path)
    for name in (".env", ".ssh/id", "results/a/b", "venv/lib/x.py", "w.pth", "__pycache__/c.pyc"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("secret or heavy")
    assert names(root) == {"notes.txt", "src/code.py", "ignored/big.txt"}
    assert working_tree(root).commit == ""


def test_the_source_of_fer_tune_runs_itself_and_nothing_else_hides_it(tmp_path: Path) -> None:
    (tmp_path / "fer_tune").mkdir()
    (tmp_path / "fer_tune/__init__.py").touch()
    (tmp_path / "analysis.py").touch()
    assert not working_tree(tmp_path).own
    with (
        pytest.raises(EnvironmentFault, match="fer_tune and analysis"),
        packed(working_tree(tmp_path), None),
    ):
        pass
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "fer-tune"\n')
    tree = working_tree(tmp_path)
    assert tree.own and tree.hidden() == ()


def test_the_package_holds_files_rights_and_the_space(repository: Path, tmp_path: Path) -> None:
    space = tmp_path / "elsewhere" / "mine.yaml"
    space.parent.mkdir()
    space.write_text("name: mine\n")
    (repository / "src/code.py").chmod(0o755)
    with packed(working_tree(repository), space) as package:
        with zipfile.ZipFile(package.file) as archive:
            assert archive.namelist() == [
                ".gitignore",
                "notes.txt",
                "src/code.py",
                "submitted_space/mine.yaml",
            ]
            modes = [entry.external_attr >> 16 for entry in archive.infolist()]
            assert archive.read("submitted_space/mine.yaml") == b"name: mine\n"
        assert modes == [0o644, 0o644, 0o755, 0o644]
        assert package.space == "submitted_space/mine.yaml"
        assert (package.files, package.size) == (4, package.file.stat().st_size)
    assert not package.file.exists()


def test_the_same_tree_is_the_same_package(repository: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(repository, tmp_path / "copy")
    os.utime(copy / "notes.txt", (1, 1))
    with packed(working_tree(repository), None) as one, packed(working_tree(copy), None) as other:
        assert one.name == other.name and one.uri == f"gcs://{one.name}"
    (copy / "notes.txt").write_text("other notes")
    with packed(working_tree(copy), None) as changed:
        assert changed.name != one.name


def test_what_cannot_be_packed_is_named(repository: Path) -> None:
    """A file that goes after it was listed, and a name that no zip can hold."""
    tree = working_tree(repository)
    (repository / "notes.txt").unlink()
    with pytest.raises(EnvironmentFault, match=r"notes\.txt.*No such file"), packed(tree, None):
        pass
    (repository / os.fsdecode(b"caf\xe9.txt")).touch()
    with (
        pytest.raises(EnvironmentFault, match=r"caf\\xe9\.txt.*not UTF-8"),
        packed(working_tree(repository), None),
    ):
        pass


def test_a_full_temporary_folder_is_no_error_of_the_tree(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "noise.txt").write_text(os.urandom(2**19).hex())
    with mounted(tmp_path / "disk", "64k") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        said = "the temporary folder of .* cannot be used: No space left on device.*TMPDIR"
        with pytest.raises(EnvironmentFault, match=said), packed(working_tree(repository), None):
            pass


def test_too_large_names_the_largest(repository: Path) -> None:
    for name, mib in (("src/huge.dat", LIMIT_MIB), ("src/large.dat", 7)):
        with (repository / name).open("wb") as file:
            file.truncate(mib * 1024**2)
    with pytest.raises(EnvironmentFault) as caught, packed(working_tree(repository), None):
        pass
    said = str(caught.value)
    assert "107 MiB in 5 files" in said and "at most 100" in said and ".gitignore" in said
    assert said.index("src/huge.dat (100.0 MiB)") < said.index("src/large.dat (7.0 MiB)")


def submission(**values: object) -> Submission:
    usual: dict[str, object] = {
        "name": "mine",
        "space": "submitted_space/mine.yaml",
        "asked": "mine.yaml",
        "data": "/srv/faces",
        "results": "~/fer_tune/results/one",
    }
    return Submission(**(usual | values))  # type: ignore[arg-type]


def run_by_a_shell(command: str, home: str) -> list[str]:
    """The words that a program gets when a shell runs ``command``."""
    shown = command.replace("exec python -m fer_tune", "exec printf '%s\\n'")
    assert shown != command
    done = subprocess.run(
        ["/bin/sh", "-c", shown], capture_output=True, text=True, check=True, env={"HOME": home}
    )
    return done.stdout.splitlines()


def test_the_command_reaches_the_search_as_it_was_meant() -> None:
    command = submission(
        data="/srv/two words/$HOME",
        results="~/it's here",
        overrides=["budget.trials=4", 'purpose="a; rm -rf ~"'],
    ).command()
    assert run_by_a_shell(command, "/home/of head") == [
        *("search", "submitted_space/mine.yaml"),
        *("--results", "/home/of head/it's here"),
        *("--data", "/srv/two words/$HOME"),
        *("--set", "budget.trials=4", "--set", 'purpose="a; rm -rf ~"'),
        *("--address", "auto"),
    ]


def test_the_command_that_goes_on() -> None:
    command = submission(space=None, data=None, results="s3://bucket/one").command()
    assert run_by_a_shell(command, "/h") == ["resume", "s3://bucket/one", "--address", "auto"]


def test_where_results_go() -> None:
    assert results_below(None, "one") == "~/fer_tune/results/one"
    assert results_below("/mnt/results/", "one") == "/mnt/results/one"
    assert results_below("s3://b/r?region=x", "one") == "s3://b/r/one?region=x"


def test_credentials_do_not_go_into_a_command() -> None:
    assert checked_results("s3://b/r?region=x") == "s3://b/r?region=x"
    with pytest.raises(ResultsError, match="credentials") as caught:
        checked_results("s3://key:hush@b/r")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("results", ["results/one", "one", "./one", "~", ""])
def test_results_in_the_jobs_own_folder_would_go_with_it(results: str) -> None:
    assert checked_results("~/one") == "~/one"
    with pytest.raises(ResultsError, match="an absolute path on the cluster"):
        checked_results(results)


def test_metadata_is_text() -> None:
    output = submission(data=None, commit="abc").metadata()
    assert all(isinstance(value, str) for value in output.values())
    assert output["results"] == "~/fer_tune/results/one" and output["space"] == "mine.yaml"


def test_ids_are_readable_and_not_taken() -> None:
    first = new_id("mine", 1795749120.0, set())
    assert first.startswith("mine-2026") and len(first) == len("mine-20261127-0312")
    assert new_id("mine", 1795749120.0, {first}) == f"{first}-2"
    assert new_id("a b/c", 1795749120.0, set()).startswith("a-b-c-")


def job(id: str, **details: object) -> dict[str, object]:
    mark = {"fer_tune": "1"}
    return {"submission_id": id, "status": "RUNNING", "metadata": mark, **details}


def test_ours_are_found_among_others_the_newest_first() -> None:
    listed = [
        job("a", start_time=1),
        job("b", metadata={"other": "x"}),
        job("c", start_time=5, metadata={"fer_tune": "2", "results": "/r"}),
        {"submission_id": None, "status": "RUNNING", "metadata": None},
    ]
    assert [one.id for one in ours(listed)] == ["c", "a"]
    assert ours(listed)[0].results == "/r"


def test_a_job_by_the_beginning_of_its_id() -> None:
    jobs = [Job.from_details(job(id)) for id in ("mine-1", "mine-10", "yours-1")]
    assert named("mine-1", jobs).id == "mine-1"
    assert named("yours", jobs).id == "yours-1"
    with pytest.raises(EnvironmentFault, match=r"several .* mine-1, mine-10"):
        named("min", jobs)
    with pytest.raises(EnvironmentFault, match="No search has been submitted"):
        named("mine", [])
