"""`data import`, `data audit` and `search` on a packed dataset in an object store."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from fer_tune.data.audit import AUDIT_VERSION
from fer_tune.data.dataset import DESCRIPTION, INDEX, PIXELS
from fer_tune.records import SCHEMA_VERSION, Results
from fer_tune.space import load
from fer_tune.storage import UrlPath, local_copy
from fer_tune.training.context import TRAINING_VERSION
from fer_tune.tuning.log.events import EventLog
from fer_tune.tuning.log.manifest import identity
from tests.command_line import Run
from tests.disks import mounted
from tests.object_store import BUCKET, ObjectStore

FILES = [DESCRIPTION, INDEX, PIXELS]
IMPORT = ("data", "import", "synthetic:60", "--out")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_TUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_dataset_is_made_at_a_url_and_read_there(
    run: Run, store: ObjectStore, tmp_path: Path, cache: Path
) -> None:
    url, folder = store.url("made/faces"), store.folder("made/faces")
    done = run(*IMPORT, url)
    assert done.code == 0 and f"60 pictures into {folder} " in done.out
    assert store.keys(folder) == FILES and "secret" not in done.out
    puts = [k.rpartition("/")[2] for method, k in store.requests if method in ("PUT", "POST")]
    assert puts[-1] == DESCRIPTION, "last, so that without it there is none"
    assert run(*IMPORT, tmp_path / "here").code == 0
    with local_copy(folder) as there:
        for name in FILES:
            assert (there / name).read_bytes() == (tmp_path / "here" / name).read_bytes()

    for words in (
        ("data", "audit", "{}", "--json"),
        ("data", "audit", "{}"),
        ("search", "quickstart", "--dry-run", "--data", "{}"),
    ):
        store.requests.clear()
        of_url, of_folder = (
            run(*(word.format(where) for word in words)) for where in (url, tmp_path / "here")
        )
        assert of_url.code == 0 and of_url.out == of_folder.out and of_url.err == ""
        read = {k.rpartition("/")[2] for method, k in store.requests if method == "GET"}
        assert PIXELS not in read, "the index says it all"
    assert not cache.exists()


def test_a_dataset_at_a_url_is_replaced_by_force_alone(run: Run, store: ObjectStore) -> None:
    url, folder = store.url("made/twice"), store.folder("made/twice")
    assert run(*IMPORT, url).code == 0
    before = (folder / DESCRIPTION).read_bytes()
    again = run(*IMPORT, url, "--seed", 1)
    assert again.code == 2 and "there is already a packed dataset" in again.err
    assert "--force" in again.err and (folder / DESCRIPTION).read_bytes() == before
    assert run(*IMPORT, url, "--seed", 1, "--force").code == 0
    assert (folder / DESCRIPTION).read_bytes() != before
    assert run("data", "audit", url).code == 0


def test_what_a_put_that_was_cut_short_left_is_replaced(run: Run, store: ObjectStore) -> None:
    folder = store.folder("made/half")
    (folder / PIXELS).write_bytes(b"half")
    assert run(*IMPORT, folder.url).code == 0
    assert run("data", "audit", folder.url).code == 0 and store.keys(folder) == FILES


def test_a_put_that_fails_leaves_no_dataset(
    run: Run, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.folder("made/failing")
    write = UrlPath.write_bytes

    def refusing(self: UrlPath, content: bytes) -> None:
        if self.name == DESCRIPTION:
            raise PermissionError(13, "the store denies access: quota", str(self))
        write(self, content)

    monkeypatch.setattr(UrlPath, "write_bytes", refusing)
    done = run(*IMPORT, folder.url)
    assert done.code == 2 and "cannot be written: the store denies access: quota" in done.err
    assert store.keys(folder) == []


def test_a_bucket_holds_one_at_its_top(run: Run, store: ObjectStore) -> None:
    top = UrlPath(store.url("", bucket="tops") + "&allow_bucket_creation=true")
    top.filesystem.create_dir("tops")
    assert run(*IMPORT, store.url("", bucket="tops")).code == 0
    assert store.keys(top) == FILES
    assert run("data", "audit", store.url("", bucket="tops")).code == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("made/full", "this is not a packed dataset"),
        ("made/full/holiday.jpg", "this is not a packed dataset"),
        ("nobodys/x", "cannot be written: there is no such bucket"),
        ("ftp://host/x", "ftp:// is not a supported store"),
        ("s3://", "names no bucket"),
    ],
)
def test_where_none_can_be_made_is_reported_before_the_import(
    url: str, message: str, run: Run, store: ObjectStore
) -> None:
    (store.folder("made/full") / "holiday.jpg").write_bytes(b"")
    if "://" not in url:
        bucket, _, key = url.partition("/")
        url = store.url(url) if bucket == "made" else store.url(key, bucket=bucket)
    done = run("data", "import", "/no/such/source", "--out", url)
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1
    assert "secret" not in done.err and done.out == ""
    assert store.keys(store.folder("made/full")) == ["holiday.jpg"]


@pytest.mark.parametrize(
    "words",
    [
        ("search", "quickstart", "--results", "{t}/r", "--data"),
        ("search", "quickstart", "--dry-run", "--data"),
        ("data", "audit"),
    ],
)
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("none/here", "not a packed dataset: no dataset.json here"),
        ("nobodys/x", "cannot be read: there is no such bucket"),
        ("ftp://host/x", "ftp:// is not a supported store"),
    ],
)
def test_where_none_is_is_one_message(
    words: tuple[str, ...], url: str, message: str, run: Run, store: ObjectStore, tmp_path: Path
) -> None:
    if "://" not in url:
        bucket = "nobodys" if url.startswith("nobodys") else BUCKET
        url = store.url(url.removeprefix("nobodys/"), bucket=bucket)
    done = run(*(word.format(t=tmp_path) for word in words), url)
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1, done.err
    assert "secret" not in done.err and done.out == ""
    assert not (tmp_path / "r").exists()


def test_a_temporary_folder_without_room_is_reported(
    run: Run, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path / "disk", "64k") as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        done = run(*IMPORT, store.url("made/roomless"))
        assert done.code == 2 and done.err.startswith(f"fer-tune: {disk}/")
        assert "No space left on device" in done.err and "TMPDIR" in done.err
        assert list(disk.iterdir()) == store.keys(store.folder("made/roomless")) == []


def test_what_needs_no_pictures_is_refused_before_they_are_fetched(
    run: Run, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    url = store.url("made/late")
    assert run(*IMPORT, url).code == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full/holiday.jpg").touch()
    monkeypatch.setenv("FER_TUNE_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    for space, results, message in (
        ("quickstart", "full", "the results folder is not empty"),
        ("densenet161_vs_resnet152", "new", "weights"),
    ):
        done = run("search", space, "--data", url, "--results", tmp_path / results)
        assert done.code == 2 and message in done.err and done.out == ""
    assert not cache.exists() and not (tmp_path / "new").exists()


def test_a_resume_that_has_nothing_to_do_fetches_nothing(
    run: Run, store: ObjectStore, tmp_path: Path, cache: Path
) -> None:
    url, folder, space = store.url("made/done"), tmp_path / "r", load("quickstart").as_dict()
    assert run(*IMPORT, url).code == 0
    fingerprint = json.loads((store.folder("made/done") / DESCRIPTION).read_bytes())["fingerprint"]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "training_version": TRAINING_VERSION,
        "audit_version": AUDIT_VERSION,
        "budget_version": 2,
        "state": "finished",
        "space": space,
        "dataset": {"path": url, "fingerprint": fingerprint},
    }
    folder.mkdir()
    Results(folder).write_manifest(manifest)
    EventLog.begin(folder, identity(manifest)).append("searched")
    for words, code, message in (
        ((), 1, "This search has finished"),  # 1: without a trial it has no result
        (("--extend", "trials=1"), 2, "--extend"),
    ):
        done = run("resume", folder, *words)
        assert done.code == code and message in done.out + done.err
        assert not cache.exists(), "fetched for nothing"
