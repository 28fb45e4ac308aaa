"""A search whose results folder, or whose pictures, are in an object store: equal, grown,
refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from fer_tune.records import Results
from fer_tune.storage import UrlPath, put_folder
from fer_tune.tuning.log.events import History
from tests.integration.bench import TRIALS, Bench, same
from tests.integration.here import refused_here
from tests.object_store import ObjectStore

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("at-url"))


class AtUrl(NamedTuple):
    """A search at a URL, of pictures at a URL."""

    folder: UrlPath
    data: UrlPath
    text: str
    fetched: list[str]


def fetched(store: ObjectStore, data: UrlPath) -> list[str]:
    """The dataset's files that were asked for since the last time."""
    keys = [key for method, key in store.requests if method == "GET"]
    store.requests.clear()
    return sorted(key[len(data.path) + 1 :] for key in keys if key.startswith(data.path))


WHOLE = ["dataset.json", "index.parquet", "pixels.bin"]


@pytest.fixture(scope="module")
def at_url(served: ObjectStore, bench: Bench) -> AtUrl:
    folder, data = served.folder("searches/equal"), served.folder("data/faces")
    put_folder(bench.home / "faces", data)
    served.requests.clear()
    words = ("search", bench.home / "space.yaml", "--data", data.url, "--results", folder.url)
    done = bench.here(*words, FER_TUNE_CACHE=str(bench.home / "copies"))
    assert done.code == 0, done
    return AtUrl(folder, data, done.out + done.err, fetched(served, data))


def test_everything_is_equal_on_a_path_and_at_a_url(
    undisturbed_search: Results, at_url: AtUrl, store: ObjectStore
) -> None:
    folder = at_url.folder
    there = Results.open(folder)
    same(undisturbed_search, there)
    names, local = set(store.keys(folder)), Path(str(undisturbed_search.root))
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
    assert f"report: {folder / 'report/report.html'}" in at_url.text
    for name in ("manifest.json", "search.log", "report/report.json"):
        assert "secret" not in (folder / name).read_text()
    assert "secret" not in at_url.text
    assert History.read(folder).runs.keys() == History.read(local).runs.keys()
    # What the budget reaches: both samplers, and a trial that overfits.
    trials = there.read("trials")
    assert {"random", "tpe"} <= set(trials["cohort"])
    assert {"complete", "overfit"} <= set(trials["state"])


def test_more_seeds_and_trials_are_added_at_the_url_and_pictures_come_from_one(
    bench: Bench, at_url: AtUrl, store: ObjectStore
) -> None:
    """Searched with ``--data URL``, continued without: once with the copy, once without it."""
    assert at_url.fetched == WHOLE
    assert f"fetching the dataset, 0.1 MiB: {at_url.data}" in at_url.text
    assert Results.open(at_url.folder).manifest()["dataset"]["path"] == str(at_url.data)
    # The search as it ended, which other tests look at, stays as it is.
    folder = store.folder("searches/more")
    for key in store.keys(at_url.folder):
        (folder / key).write_bytes((at_url.folder / key).read_bytes())
    given = {
        "FER_TUNE_CACHE": str(bench.home / "copies"),
        "AWS_ACCESS_KEY_ID": "key",  # the manifest names the URL without credentials
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    fetched(store, at_url.data)
    done = bench.here("confirm", folder.url, "--seeds", "3", **given)
    assert done.code == 0, done
    assert (Results.open(folder).read("trials")["cohort"] == "confirm").sum() == 2 * 3
    assert fetched(store, at_url.data) == []

    (copy,) = (bench.home / "copies").glob("fetched-*")
    shutil.rmtree(copy)
    # A server that the manifest alone names is not asked.
    given["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{store.port}"
    done = bench.here("resume", folder.url, "--extend", "trials=14", **given)
    assert done.code == 0, done
    trials = Results.open(folder).read("trials")
    assert (trials["cohort"] != "confirm").sum() == 14
    assert fetched(store, at_url.data) == WHOLE and copy.is_dir()


REFUSED = {
    "no such bucket": ("there is no such bucket", {"bucket": "nobodys"}),
    "another scheme": ("ftp:// is not a supported store", None),
    "a search is there": ("already holds a search", {"key": "taken"}),
    "not empty": ("the results folder is not empty", {"key": "full"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_to_is_reported_before_anything_starts(
    case: str, bench: Bench, store: ObjectStore
) -> None:
    message, place = REFUSED[case]
    (store.folder("taken") / "events.jsonl/000001").write_bytes(b"{}\n")
    (store.folder("full") / "holiday.jpg").write_bytes(b"")
    url = "ftp://host/x" if place is None else store.url(**{"key": "x", **place})
    done = refused_here(*bench.search, "--results", url)
    assert done.code == 2 and done.out == ""
    assert message in done.err and done.err.count("\n") == 1, done
    assert "secret" not in done.err


def test_wrong_credentials_are_reported_before_anything_starts(
    bench: Bench, store: ObjectStore
) -> None:
    """The real command in a process of its own: its exit code, and all that it prints."""
    from moto.core import set_initial_no_auth_action_count

    url = store.url("refused", user="wrong:secret@")

    @set_initial_no_auth_action_count(0)
    def refused() -> str:
        with bench.start(bench.home, *bench.search, "--results", url) as process:
            assert process.ended(120) == 2
        return process.text

    text = refused()
    assert "cannot write here: the store denies access" in text and text.count("\n") == 1
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
        "COLUMNS": "200",
    }
    few = ("--set", "budget.trials=2", "--set", "confirm.seeds=0")
    done = bench.here(*bench.search, *few, **usual)
    assert done.code == 0, done
    found = list(store.folder("by-default").iterdir())
    assert len(found) == 1 and found[0].name.startswith("recorded-20")
    assert f"s3://searches/by-default/{found[0].name}/report/report.html" in done.out
    assert len(Results.open(found[0]).read("trials")) == 2
    assert isinstance(found[0], UrlPath)
