"""An object store that is slow, fails now and then, or loses connections, behind a real proxy.

The filesystems are those of a search, with pyarrow's attempts of each request and our own retries.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.fs
import pytest

from fer_tune.records import Results
from fer_tune.storage import UrlPath, copy_file, local_copy, put_folder, urls
from fer_tune.storage import retry as module
from fer_tune.tuning.log import lease
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.log.lease import leased
from tests.faulty_proxy import (
    LOST_REQUEST,
    LOST_RESPONSE,
    Delay,
    Fault,
    FaultyProxy,
    Status,
    Trickle,
    always,
    every,
    first,
    no_faults,
    proxied,
)
from tests.object_store import ObjectStore

#: More than the 10 MiB that pyarrow sends in one request.
BIG = os.urandom(10 * 2**20 + 2**19)
_numbers = itertools.count()
_STANDARD = pyarrow.fs.AwsStandardS3RetryStrategy


@pytest.fixture
def proxy(served: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    """In front of the store; our own retry and pyarrow's attempts come at once.

    pyarrow makes as many attempts as in a search, with milliseconds instead of seconds between.
    """
    monkeypatch.setattr(pyarrow.fs, "AwsStandardS3RetryStrategy", _at_once)
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.02)
    monkeypatch.setenv(module.PATIENCE, "20")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with proxied(served.port) as running:
        yield running


def _at_once(max_attempts: int) -> pyarrow.fs.S3RetryStrategy:
    """The strategy that waits for 25 ms at first; it counts what follows the first attempt."""
    return pyarrow.fs.AwsDefaultS3RetryStrategy(max_attempts=max_attempts - 1)


@pytest.fixture
def folder(served: ObjectStore, proxy: FaultyProxy) -> UrlPath:
    """A new folder of the store, through the proxy."""
    return UrlPath(proxy.url_of(served.url(f"wire/{next(_numbers)}")))


FAULTS: tuple[Fault, ...] = (
    Status(503),
    LOST_RESPONSE,
    Status(503, b""),
    LOST_REQUEST,
    Status(500, b"<html>Bad gateway</html>"),
    Status(429, b"Too many requests"),
)
WORK: dict[str, Callable[[UrlPath], object]] = {}


def work(do: Callable[[UrlPath], object]) -> Callable[[UrlPath], object]:
    WORK[do.__name__] = do
    return do


@work
def small_files(folder: UrlPath) -> None:
    for number in range(4):
        (folder / "file").write_bytes(b"%d" % number)
        assert (folder / "file").read_bytes() == b"%d" % number
    assert (folder / "file").size() == 1 and not (folder / "other").exists()


@work
def large_files(folder: UrlPath) -> None:
    (folder / "large").write_bytes(BIG)
    assert (folder / "large").read_bytes() == BIG
    assert b"".join((folder / "large").pieces(2**22)) == BIG


@work
def folders(folder: UrlPath) -> None:
    for name in ("a", "b", "inner/c"):
        (folder / name).write_bytes(name.encode())
    assert [entry.name for entry in folder.iterdir()] == ["a", "b", "inner"]
    copy_file(folder / "a", folder / "d")
    (folder / "a").unlink()
    (folder / "inner").remove_tree()
    assert [file.name for file in folder.files()] == ["b", "d"]


@work
def a_log(folder: UrlPath) -> None:
    with leased(folder) as held:
        log = EventLog.begin(folder, {"space": {"budget": {}}}, lease=held)
        for _ in range(4):
            log.append("tick")
    EventLog(folder).append("searched")
    assert History.read(folder).searched


@work
def records(folder: UrlPath) -> None:
    results = Results(folder)
    results.write_manifest({"state": "running"})
    for trial in range(3):
        results.append("trials", [{"trial": trial, "state": "complete"}], part=f"trial-{trial}")
    results.remove("trials", "trial-1")
    assert results.read("trials")["trial"].tolist() == [0, 2]
    assert results.update_manifest(state="finished")["state"] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("name", WORK)
def test_every_third_request_fails_and_nothing_is_lost(
    name: str, folder: UrlPath, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SETTLE_S", 0.1)
    proxy.faults = every(3, *FAULTS)
    WORK[name](folder)
    assert len(proxy.faulty) >= 3, "few requests were disturbed"


def test_the_strategy_of_a_search_repeats_requests(
    folder: UrlPath, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyarrow.fs, "AwsStandardS3RetryStrategy", _STANDARD)
    proxy.faults = every(4, Status(503), LOST_RESPONSE)
    small_files(folder)
    assert len(proxy.faulty) >= 3


@pytest.mark.parametrize(
    "fault", [Status(503), LOST_REQUEST, LOST_RESPONSE], ids=["503", "request", "response"]
)
def test_folders_go_there_and_come_back(
    fault: Fault, folder: UrlPath, proxy: FaultyProxy, tmp_path: Path
) -> None:
    """They are copied as a whole, so a disturbed copy is repeated."""
    for number in range(5):
        (tmp_path / f"{number}").write_bytes(b"x" * number)
    proxy.faults = first(fault, "PUT")
    put_folder(tmp_path, folder)
    proxy.faults = first(fault, "GET", "/3")
    with local_copy(folder) as copy:
        assert {f.name: f.read_bytes() for f in copy.iterdir()} == {
            f"{n}": b"x" * n for n in range(5)
        }
    assert len(proxy.faulty) == 2


def test_a_response_that_ends_early_is_never_taken_as_a_whole_file(
    folder: UrlPath, proxy: FaultyProxy
) -> None:
    (folder / "file").write_bytes(BIG[: 2**20])
    proxy.faults = first(LOST_RESPONSE, "GET", "file", times=3)
    assert (folder / "file").read_bytes() == BIG[: 2**20]
    assert len(proxy.faulty) == 3


def test_a_file_whose_removal_got_no_response_is_removed(
    folder: UrlPath, proxy: FaultyProxy
) -> None:
    (folder / "file").write_bytes(b"1")
    proxy.faults = first(LOST_RESPONSE, "DELETE", times=urls._ATTEMPTS)  # all of pyarrow's
    (folder / "file").unlink()
    assert proxy.faulty and not (folder / "file").exists()
    with pytest.raises(FileNotFoundError):
        (folder / "file").unlink()


def test_an_upload_that_was_complete_is_repeated_when_its_response_is_lost(
    folder: UrlPath, proxy: FaultyProxy
) -> None:
    """The client asks again, of an upload that the store no longer knows."""
    proxy.faults = first(LOST_RESPONSE, "POST", "uploadId=", times=urls._ATTEMPTS)
    (folder / "large").write_bytes(BIG)
    assert proxy.faulty and (folder / "large").read_bytes() == BIG


@pytest.mark.slow
def test_a_store_that_takes_seconds_to_respond_is_waited_for(
    folder: UrlPath, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """As a busy server does for every request: with pyarrow's own limit none would succeed."""
    caplog.set_level(logging.WARNING, logger="fer_tune")
    read, trickling, written = (folder / name for name in ("read", "trickling", "written"))
    read.write_bytes(b"1")
    trickling.write_bytes(BIG[: 4 * 2**20])
    slow, pieces = Delay(5.0), Trickle(2**16, 0.05)
    proxy.faults = lambda request: pieces if "trickling" in request.target else slow
    began = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        writing = pool.submit(written.write_bytes, b"2")
        first_byte, all_bytes = (pool.submit(f.read_bytes) for f in (read, trickling))
        writing.result()
        assert first_byte.result() == b"1" and all_bytes.result() == BIG[: 4 * 2**20]
    assert 5 <= time.monotonic() - began < 20 and not caplog.records
    proxy.faults = no_faults
    assert written.read_bytes() == b"2"


def test_a_store_that_fails_for_longer_is_one_error(
    folder: UrlPath, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(module.PATIENCE, "0.3")
    proxy.faults = always(Status(503))
    with pytest.raises(OSError, match="the store is unavailable: ") as raised:
        (folder / "file").write_bytes(b"1")
    assert raised.value.filename == str(folder / "file") and "secret" not in str(raised.value)
