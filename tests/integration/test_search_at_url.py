"""A search whose results folder, or whose pictures, are in an object store: equal, disturbed,
resumed, refused."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fer_tune.data import import_source
from fer_tune.records import SCHEMAS, Results
from fer_tune.storage import Place, UrlPath, address, put_folder
from fer_tune.tuning.claim import CLAIM_FILE
from fer_tune.tuning.events import History
from fer_tune.tuning.working import cache_folder
from tests.integration.killing import Sitting
from tests.object_store import ObjectStore

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.kills, pytest.mark.timeout(1200)]

SPACE = """
name: recorded
purpose: Recorded curves.
compare: {arms: [densenet121, resnet18]}
parameters:
  unfreeze_depth: {type: int, low: 0, high: 5}
  crop_size: 32
  lr_head: {type: float, low: 1e-4, high: 1e-2, log: true}
budget: {trials: 12, max_epochs: 4}
scheduler: {kind: asha, grace_epochs: 1, reduction_factor: 2}
stopper: {patience: 1}
resources: {cpu: 1, max_concurrent: 1}
weights: none
confirm: {seeds: 2}
"""
TRIALS = 12
RUNS = 2 * 2
#: What no two searches share.
TIMES = ["started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds", "node"]
MODULE = "tests.integration.recorded_search"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("at-url")
    (home / "space.yaml").write_text(SPACE)
    import_source("synthetic:60", home / "faces", classes=["happy", "sad"])
    return home


class Bench:
    """Runs searches on paths and at URLs of one server."""

    def __init__(self, store: ObjectStore, home: Path) -> None:
        self.store, self.home = store, home

    @contextmanager
    def sitting(
        self, folder: Place, *words: str, seconds: float = 0.0, **environment: str
    ) -> Iterator[Sitting]:
        given = {"XDG_CACHE_HOME": str(self.home / "cache"), "RECORDED_SECONDS": str(seconds)}
        begun = Sitting(
            folder,
            *(*words, "--no-dashboard", "--cpus", "1"),
            home=self.home,
            module=MODULE,
            environment={**given, "FER_TUNE_STORAGE_PATIENCE": "60", **environment},
        )
        try:
            yield begun
        finally:
            begun.clean_up()

    def search(self, folder: Place, **how: Any) -> Any:
        words = ("search", str(self.home / "space.yaml"), "--data", str(self.home / "faces"))
        return self.sitting(folder, *words, "--results", address(folder), **how)

    def resume(self, folder: Place, **how: Any) -> Any:
        return self.sitting(folder, "resume", address(folder), **how)


@pytest.fixture
def bench(store: ObjectStore, home: Path) -> Bench:
    return Bench(store, home)


@pytest.fixture(scope="module")
def undisturbed(served: ObjectStore, home: Path) -> Results:
    """The search on a path."""
    with Bench(served, home).search(home / "path") as going:
        assert going.ended(300) == 0, going.text
    return Results(home / "path")


def same(one: Results, other: Results) -> None:
    """All rows of all tables are equal, but for times."""
    for table in SCHEMAS:
        left, right = (r.read(table).drop(columns=TIMES, errors="ignore") for r in (one, other))  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(left, right)
    assert other.manifest()["state"] == "finished"
    choices = [
        [(c["arm"], c["trial"], c["runs"]) for c in r.manifest()["choices"]] for r in (one, other)
    ]
    assert choices[0] == choices[1]
    trials = other.read("trials")
    assert len(trials) == TRIALS + RUNS and trials["trial"].is_unique


def test_everything_is_equal_on_a_path_and_at_a_url(
    undisturbed: Results, bench: Bench, store: ObjectStore
) -> None:
    folder = store.folder("searches/equal")
    with bench.search(folder) as going:
        assert going.ended(300) == 0, going.text
    there = Results.open(folder)
    same(undisturbed, there)
    names, local = set(store.keys(folder)), Path(str(undisturbed.root))
    kept = {p.relative_to(local).as_posix() for p in local.rglob("*") if p.is_file()}
    for entry in (
        "epochs.parquet/",
        "trials.parquet/",
        "confusion.parquet/",
        "thumbnails.parquet/",
    ):
        assert {n for n in names if n.startswith(entry)} == {n for n in kept if n.startswith(entry)}
    for entry in ("manifest.json", "latency.json", "search.log", "optuna.journal"):
        assert entry in names
    assert {n for n in names if n.startswith("report/")} == {
        n for n in kept if n.startswith("report/")
    }
    assert sum(n.startswith("tensorboard/") for n in names) >= TRIALS
    assert not any(n.startswith(("checkpoints/", "ray/", ".")) for n in names)
    assert f"report: {folder / 'report/report.html'}" in going.text
    for name in ("manifest.json", "search.log", "report/report.json"):
        assert "secret" not in (folder / name).read_text()
    assert "secret" not in going.text
    assert History.read(folder).runs.keys() == History.read(local).runs.keys()


def test_killed_and_interrupted_it_ends_like_an_undisturbed_one(
    undisturbed: Results, bench: Bench, store: ObjectStore
) -> None:
    folder = store.folder("searches/killed")
    with bench.search(folder, seconds=0.3) as going:
        going.until(lambda h: sum(r.ended for r in h.trials) >= 3)
        going.kill_all()
    assert (folder / CLAIM_FILE).is_file(), "the claim of a killed process stays"
    with bench.resume(folder, seconds=0.3) as going:
        going.until(lambda h: sum(r.ended for r in h.trials) >= 6)
        with bench.resume(folder) as second:
            assert second.ended(60) == 2
            assert f"process {going.pid} on" in second.text and "is writing here" in second.text
        going.interrupt()
        assert going.ended(60) == 130, going.text
        assert f"fer-tune resume '{folder}'" in going.text and "secret" not in going.text
    with bench.resume(folder) as going:
        assert going.ended(300) == 0, going.text
    same(undisturbed, Results.open(folder))
    left = store.keys(folder)
    assert CLAIM_FILE not in left and not any(k.startswith("checkpoints/") for k in left)


def test_another_machine_goes_on_from_what_is_at_the_url(
    undisturbed: Results, bench: Bench, store: ObjectStore
) -> None:
    """Whose cache holds nothing: the checkpoint of the running trial is fetched, too."""
    folder = store.folder("searches/elsewhere")
    with bench.search(folder, seconds=0.3) as going:
        before = going.until(lambda h: any(r.epochs == 2 and not r.ended for r in h.trials))
        going.kill_all()
    checkpoints = [k for k in store.keys(folder) if k.startswith("checkpoints/")]
    assert any(key.endswith("result.json") for key in checkpoints)
    cache = str(bench.home / "other-cache")
    with bench.resume(folder, XDG_CACHE_HOME=cache) as going:
        assert going.ended(300) == 0, going.text
    same(undisturbed, Results.open(folder))
    events = [r for r in History.read(folder).runs.values() if r.assignment.number in before.runs]
    assert all([x["epoch"] for x in r.results] == list(range(1, r.epochs + 1)) for r in events)
    assert (Path(cache) / "fer_tune/searches" / cache_folder(folder).name).is_dir()


def test_a_server_that_is_away_for_some_seconds_costs_nothing(
    undisturbed: Results, bench: Bench, store: ObjectStore
) -> None:
    folder = store.folder("searches/away")
    with bench.search(folder, seconds=0.3) as going:
        going.until(lambda h: sum(r.ended for r in h.trials) >= 2)
        store.stop()
        try:
            time.sleep(9.0)  # longer than pyarrow itself tries
        finally:
            store.start()
        assert going.ended(300) == 0, going.text
    same(undisturbed, Results.open(folder))
    log = (folder / "search.log").read_text()
    assert "does not answer" in log and "answers again" in log
    assert Results.open(folder).manifest()["sittings"] == 1


def test_a_server_that_is_gone_is_one_message_and_a_resume_goes_on(
    undisturbed: Results, bench: Bench, store: ObjectStore
) -> None:
    folder = store.folder("searches/gone")
    with bench.search(folder, seconds=0.3, FER_TUNE_STORAGE_PATIENCE="2") as going:
        going.until(lambda h: sum(r.ended for r in h.trials) >= 2)
        store.stop()
        try:
            assert going.ended(120) == 2, going.text
        finally:
            store.start()
    told = [line for line in going.text.splitlines() if line.startswith("fer-tune: ")]
    assert len(told) == 1 and "Traceback" not in going.text
    assert f"{folder}: cannot write: the store does not answer" in told[0]
    assert f"fer-tune resume '{folder}'" in told[0] and "secret" not in told[0]
    with bench.resume(folder) as going:
        assert going.ended(300) == 0, going.text
    same(undisturbed, Results.open(folder))


def test_more_seeds_and_trials_are_added_at_the_url_and_pictures_come_from_one(
    bench: Bench, store: ObjectStore
) -> None:
    """Searched with ``--data URL``, gone on with without: once with the copy, once it is gone."""
    folder, data = store.folder("searches/more"), store.folder("data/faces")
    put_folder(bench.home / "faces", data)
    given = {
        "FER_TUNE_CACHE": str(bench.home / "copies"),
        "AWS_ACCESS_KEY_ID": "key",  # the manifest names the URL without credentials
        "AWS_SECRET_ACCESS_KEY": "secret",
    }

    def read() -> list[str]:
        """The dataset's files that were asked for since the last time."""
        keys = [key for method, key in store.requests if method == "GET"]
        store.requests.clear()
        return sorted(key[len(data.path) + 1 :] for key in keys if key.startswith(data.path))

    whole = ["dataset.json", "index.parquet", "pixels.bin"]
    store.requests.clear()
    words = ("search", str(bench.home / "space.yaml"), "--data", data.url)
    with bench.sitting(folder, *words, "--results", folder.url, **given) as going:
        assert going.ended(300) == 0, going.text
    assert read() == whole and f"fetching the dataset, 0.1 MiB: {data}" in going.text
    assert Results.open(folder).manifest()["dataset"]["path"] == str(data)
    assert "secret" not in (folder / "manifest.json").read_text() + going.text

    with bench.sitting(folder, "confirm", folder.url, "--seeds", "3", **given) as going:
        assert going.ended(300) == 0, going.text
    assert (Results.open(folder).read("trials")["cohort"] == "confirm").sum() == 2 * 3
    assert read() == []

    (copy,) = (bench.home / "copies").glob("fetched-*")
    shutil.rmtree(copy)
    with bench.sitting(folder, "resume", folder.url, "--extend", "trials=14", **given) as going:
        assert going.ended(300) == 0, going.text
    trials = Results.open(folder).read("trials")
    assert (trials["cohort"] != "confirm").sum() == 14
    assert read() == whole and copy.is_dir()


REFUSED = {
    "no such bucket": ("there is no such bucket", {"bucket": "nobodys"}),
    "another scheme": ("ftp:// is no store that is known here", None),
    "a search is there": ("holds a search already", {"key": "taken"}),
    "not empty": ("the results folder is not empty", {"key": "full"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_to_is_told_before_anything_starts(
    case: str, bench: Bench, store: ObjectStore
) -> None:
    message, place = REFUSED[case]
    (store.folder("taken") / "events.jsonl/000001").write_bytes(b"{}\n")
    (store.folder("full") / "holiday.jpg").write_bytes(b"")
    url = "ftp://host/x" if place is None else store.url(**{"key": "x", **place})
    words = ("search", str(bench.home / "space.yaml"), "--data", str(bench.home / "faces"))
    with bench.sitting(bench.home, *words, "--results", url) as going:
        assert going.ended(120) == 2
    assert message in going.text and going.text.count("\n") == 1, going.text
    assert "secret" not in going.text


def test_wrong_credentials_are_told_before_anything_starts(
    bench: Bench, store: ObjectStore
) -> None:
    from moto.core import set_initial_no_auth_action_count

    words = ("search", str(bench.home / "space.yaml"), "--data", str(bench.home / "faces"))
    url = store.url("refused", user="wrong:secret@")

    @set_initial_no_auth_action_count(0)
    def refused() -> str:
        with bench.sitting(bench.home, *words, "--results", url) as going:
            assert going.ended(120) == 2
        return going.text

    text = refused()
    assert "cannot write here: the store refuses access" in text and text.count("\n") == 1
    assert "secret" not in text and store.keys(store.folder("refused")) == []


def test_urls_need_no_query_where_the_environment_says_it_all(
    bench: Bench, store: ObjectStore
) -> None:
    """As on AWS itself, with its usual variables; the default parent is a URL as well."""
    usual = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FER_TUNE_RESULTS": "s3://searches/by-default",
    }
    words = ("search", str(bench.home / "space.yaml"), "--data", str(bench.home / "faces"))
    few = ("--set", "budget.trials=2", "--set", "confirm.seeds=0")
    with bench.sitting(bench.home, *words, *few, **usual) as going:
        assert going.ended(300) == 0, going.text
    found = list(store.folder("by-default").iterdir())
    assert len(found) == 1 and found[0].name.startswith("recorded-20")
    assert f"s3://searches/by-default/{found[0].name}/report/report.html" in going.text
    assert len(Results.open(found[0]).read("trials")) == 2
    assert isinstance(found[0], UrlPath)
