"""`search … --or-resume`, killed and run again ten times, on a path and at a URL."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from benchmarks.processes import send
from fer_tune.data import import_source
from fer_tune.records import Results
from fer_tune.storage import AnyPath, address
from fer_tune.tuning.log.events import History, has_log
from tests.integration.bench import Bench, same
from tests.integration.here import refused_here
from tests.integration.launchers import Launcher, with_own_ray
from tests.object_store import ObjectStore

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.kills, pytest.mark.timeout(1200)]

#: When the search is killed: after so many seconds, while Ray starts or soon after; or, 0, when
#: another run has ended.
KILLS_S = (0, 0.3, 0.7, 0, 1.2, 2.0, 0, 3.0, 0, 4.0)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("rerun"))


@pytest.fixture(scope="module")
def undisturbed(undisturbed_search: Results) -> Results:
    return undisturbed_search


def runs_ended(history: History) -> int:
    return sum(run.ended for run in history.runs.values())


def killed_and_rerun(bench: Bench, launcher: Launcher, folder: AnyPath) -> None:
    """Runs a launcher's command until it has been killed ten times, and then to its end."""
    assert len(KILLS_S) == 10
    words = with_own_ray(launcher.search(), bench, folder)
    for after in KILLS_S:
        before = runs_ended(History.read(folder)) if has_log(folder) else 0
        with bench.start(folder, *words, seconds=0.05) as process:
            if after:
                time.sleep(after)
            else:
                process.until(lambda h, before=before: runs_ended(h) > before)
            process.kill_all()
    with bench.start(folder, *words) as process:
        assert process.ended() == 0, process.text
        assert "Traceback" not in process.text


def test_on_a_path_ten_kills_change_nothing(
    bench: Bench, undisturbed: Results, tmp_path: Path
) -> None:
    killed_and_rerun(bench, Launcher("slurm", tmp_path), tmp_path / "killed")
    same(undisturbed, Results.open(tmp_path / "killed"))


def test_at_a_url_ten_kills_change_nothing(
    bench: Bench, undisturbed: Results, served: ObjectStore, tmp_path: Path
) -> None:
    folder = served.folder("searches/killed-ten-times")
    killed_and_rerun(bench, Launcher("skypilot", tmp_path), folder)
    same(undisturbed, Results.open(folder))
    assert not any(key.startswith("checkpoints/") for key in served.keys(folder))


def test_sigterm_asks_to_be_run_again(bench: Bench, undisturbed: Results, tmp_path: Path) -> None:
    folder = tmp_path / "terminated"
    words = with_own_ray(Launcher("rayjob", tmp_path).search(), bench, folder)
    with bench.start(folder, *words, seconds=0.3) as process:
        process.until(lambda h: runs_ended(h) >= 1)
        send(signal.SIGTERM, [process.pid])
        assert process.ended() == 75, process.text
    assert Results(folder).manifest()["state"] == "interrupted"
    with bench.start(folder, *words) as process:
        assert process.ended() == 0, process.text
    same(undisturbed, Results.open(folder))


# -- what is there already -----------------------------------------------------------------------


def command(bench: Bench, folder: AnyPath, *words: str) -> tuple[str, ...]:
    return (*bench.search, "--results", address(folder), "--or-resume", *words)


def test_one_that_has_finished_is_left_as_it_is(bench: Bench, undisturbed: Results) -> None:
    before = undisturbed.manifest()
    done = refused_here(*command(bench, undisturbed.root))
    assert done.code == 0 and "This search has finished" in done.out, done
    assert undisturbed.manifest() == before


def test_another_search_is_refused_with_what_differs(bench: Bench, undisturbed: Results) -> None:
    before = undisturbed.manifest()
    done = refused_here(*command(bench, undisturbed.root, "--set", "budget.trials=16"))
    assert done.code == 2 and len(done.err.strip().splitlines()) == 1, done
    assert "holds another search: budget.trials: 12 → 16" in done.err
    assert f"fer-tune resume {undisturbed.root} --extend trials=N" in done.err
    assert undisturbed.manifest() == before


def test_another_dataset_is_refused(bench: Bench, undisturbed: Results, tmp_path: Path) -> None:
    import_source("synthetic:60", tmp_path / "other")
    done = refused_here(*command(bench, undisturbed.root, "--data", str(tmp_path / "other")))
    assert done.code == 2 and "the dataset is not the one that this search ran on" in done.err


def test_a_folder_with_other_files_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = refused_here(*command(bench, tmp_path))
    assert done.code == 2 and "the results folder is not empty" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
