"""A search at a URL that is killed, interrupted, moved to another machine and cut off from its
store, and ends like one on a path that was not disturbed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from fer_tune.records import Results
from fer_tune.storage import UrlPath
from fer_tune.tuning.files.local_files import search_folder
from fer_tune.tuning.log.events import History
from fer_tune.tuning.log.lease import LEASE_FILE
from tests.command_line import Outcome
from tests.integration.bench import Bench, same
from tests.integration.here import refused_here
from tests.object_store import ObjectStore

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.kills, pytest.mark.timeout(1200)]

#: Long enough for a trial to be found at work on a busy machine.
EPOCH_S = 0.5


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("disturbed"))


class Journey(NamedTuple):
    """What there was of a search at a URL at every disturbance.

    Attributes:
        killed: the log before the kill; ``checkpoints``, ``lease``: what was at the URL after it.
        moved: the folder of another machine's cache.
        writer: the process that was writing when ``second`` tried to.
        lost: the log before the first outage; ``back``: some trials after it.
    """

    folder: UrlPath
    killed: History
    checkpoints: list[str]
    lease: bool
    moved: Path
    writer: int
    second: Outcome
    lost: History
    back: History
    interrupted: tuple[int, str]
    log: str
    gone: tuple[int, str]
    last: tuple[int, str]


def ended(history: History) -> int:
    return sum(run.ended for run in history.runs.values())


@pytest.fixture(scope="module")
def journey(bench: Bench, served: ObjectStore) -> Journey:
    store, folder = served, served.folder("searches/disturbed")
    # The first session saves every epoch, the others save one when they are interrupted.
    with bench.searching(folder, "--checkpoint-interval", "0", seconds=EPOCH_S) as process:
        killed = process.until(
            lambda h: ended(h) >= 2 and any(r.epochs == 2 and not r.ended for r in h.trials)
        )
        process.kill_all()
    checkpoints = [k for k in store.keys(folder) if k.startswith("checkpoints/")]
    lease = (folder / LEASE_FILE).is_file()

    # Another machine: its cache holds nothing of the search.
    moved = bench.home / "other-cache"
    with bench.resuming(folder, seconds=EPOCH_S, XDG_CACHE_HOME=str(moved)) as process:
        before = ended(process.until(lambda h: len(h.sessions) == 2))
        process.until(lambda h: ended(h) > before)
        second = refused_here("resume", folder.url)
        lost = process.until(lambda h: True)
        store.stop()
        try:
            # pyarrow itself retries for a while before it reports anything.
            process.until_printed("unavailable since")
        finally:
            store.start()
        back = process.until(lambda h: ended(h) > ended(lost))
        writer = process.pid
        process.interrupt()
        interrupted = process.ended(120), process.text
    log = (folder / "search.log").read_text()

    # The first machine again, whose cache is of an earlier time, and a store that does not return.
    with bench.resuming(folder, seconds=EPOCH_S, FER_TUNE_STORAGE_PATIENCE="2") as process:
        process.until(lambda h: len(h.sessions) == 3 and ended(h) > ended(back) + 1)
        store.stop()
        try:
            gone = process.ended(120), process.text
        finally:
            store.start()
    with bench.resuming(folder) as process:
        last = process.ended(), process.text
    return Journey(
        folder,
        killed,
        checkpoints,
        lease,
        moved,
        writer,
        second,
        lost,
        back,
        interrupted,
        log,
        gone,
        last,
    )


def test_it_ends_like_an_undisturbed_one(
    undisturbed_search: Results, journey: Journey, store: ObjectStore
) -> None:
    assert journey.last[0] == 0, journey.last[1]
    same(undisturbed_search, Results.open(journey.folder))
    left = store.keys(journey.folder)
    assert LEASE_FILE not in left and not any(k.startswith("checkpoints/") for k in left)
    assert len(History.read(journey.folder).sessions) == 4


def test_the_lease_of_a_killed_process_stays(journey: Journey) -> None:
    assert journey.lease


def test_another_machine_continues_from_what_is_at_the_url(journey: Journey) -> None:
    """The checkpoint of the running trial is fetched, too."""
    assert any(key.endswith("result.json") for key in journey.checkpoints)
    runs = History.read(journey.folder).runs
    for number, before in journey.killed.runs.items():
        results = runs[number].results
        assert [x["epoch"] for x in results] == list(range(1, runs[number].epochs + 1))
        assert results[: before.epochs] == before.results, "not repeated"
    assert (journey.moved / "fer_tune/searches" / search_folder(journey.folder).name).is_dir()


def test_a_second_process_is_refused_naming_the_first(journey: Journey) -> None:
    second = journey.second
    assert second.code == 2 and second.err.count("\n") == 1, second
    assert f"process {journey.writer} on" in second.err
    assert "is writing to this folder" in second.err
    assert "secret" not in second.err


def test_ctrl_c_says_how_to_resume_without_secrets(journey: Journey) -> None:
    code, text = journey.interrupted
    assert code == 130, text
    assert f"fer-tune resume '{journey.folder}'" in text and "secret" not in text


def test_a_server_that_is_unavailable_for_some_seconds_costs_nothing(journey: Journey) -> None:
    assert "is unavailable" in journey.log and "available again" in journey.log
    assert len(journey.back.sessions) == len(journey.lost.sessions) == 2
    for number, before in journey.lost.runs.items():
        assert journey.back.runs[number].results[: before.epochs] == before.results


def test_a_server_that_does_not_return_is_one_message(journey: Journey) -> None:
    code, text = journey.gone
    assert code == 2, text
    reported = [line for line in text.splitlines() if line.startswith("fer-tune: ")]
    assert len(reported) == 1 and "Traceback" not in text
    assert f"{journey.folder}: cannot write: the store is unavailable" in reported[0]
    assert f"fer-tune resume '{journey.folder}'" in reported[0] and "secret" not in reported[0]
