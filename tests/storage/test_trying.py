"""A store that is away for a moment, for good, or refuses."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from fer_tune.storage import UrlPath
from fer_tune.storage import trying as module
from fer_tune.storage.trying import plainly, trying
from fer_tune.tuning.faults import disk_error
from tests.object_store import ObjectStore

AWAY = (
    "When reading information for key 'x' in bucket 'b': AWS Error NETWORK_CONNECTION during "
    "HeadObject operation: curlCode: 7, Could not connect to server; Details: Failed to connect"
)
#: What the clients say, and what becomes of it.
SAID = {
    AWAY: (errno.EHOSTUNREACH, "the store does not answer: Could not connect to server"),
    "When uploading part: AWS Error SLOW_DOWN during PutObject operation: Reduce your rate": (
        errno.EHOSTUNREACH,
        "the store does not answer: Reduce your rate",
    ),
    "When x: AWS Error UNKNOWN (HTTP status 503) during PutObject operation: busy": (
        errno.EHOSTUNREACH,
        "the store does not answer: busy",
    ),
    "When x: AWS Error UNKNOWN (HTTP status 429) during PutObject operation: Too many": (
        errno.EHOSTUNREACH,
        "the store does not answer: Too many",
    ),
    "When x: AWS Error REQUEST_TIME_TOO_SKEWED during HeadObject operation: The difference": (
        errno.EACCES,
        "the store refuses access: The difference",
    ),
    "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of PerformWork"
    "() - CURL error [7]=Could not connect to server error_info={reason=, domain=})": (
        errno.EHOSTUNREACH,
        "the store does not answer: Could not connect to server",
    ),
    "google::cloud::Status(PERMISSION_DENIED: Permanent error": (errno.EACCES, "refuses access"),
    "When x: AWS Error ACCESS_DENIED during PutObject operation: Access Denied": (
        errno.EACCES,
        "the store refuses access: Access Denied",
    ),
    "When x: AWS Error ACCESS_DENIED during HeadObject operation: No response body.": (
        errno.EACCES,
        "the store refuses access: ACCESS_DENIED",
    ),
    "When x: AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 60, SSL peer": (
        errno.EIO,
        "the store refuses: SSL peer",
    ),
    "When x: AWS Error NO_SUCH_BUCKET during PutObject operation: The specified bucket does not": (
        errno.ENOENT,
        "there is no such bucket",
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_what_clients_say_is_told_in_few_words(said: str) -> None:
    fault = plainly(OSError(said), "s3://b/x")
    number, words = SAID[said]
    assert fault.errno == number and words in (fault.strerror or "")
    assert fault.filename == "s3://b/x" and "google" not in (fault.strerror or "").lower()[:6]


@pytest.mark.parametrize("said", SAID)
def test_the_driver_knows_it_for_a_refusal_of_the_disk(said: str) -> None:
    fault = plainly(OSError(said), "s3://b/x")
    told = RuntimeError(f"Traceback\n{type(fault).__name__}: {fault}\n")  # as Ray passes it on
    found = disk_error(told)
    assert found is not None and (found.errno, found.filename) == (fault.errno, "s3://b/x")
    assert disk_error(fault) is fault


def test_a_fault_of_the_local_disk_stays_what_it_is() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
    assert plainly(full, "s3://b/x") is full


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Waits that take no time."""
    waited: list[float] = []
    monkeypatch.setattr(module.time, "monotonic", lambda: sum(waited))
    monkeypatch.setattr(module.time, "sleep", waited.append)
    monkeypatch.delenv(module.PATIENCE, raising=False)
    yield waited


def test_it_asks_ever_more_rarely_and_gives_up_after_a_minute(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="fer_tune")

    def away() -> None:
        raise OSError(AWAY)

    with pytest.raises(OSError, match="does not answer"):
        trying("s3://b/x", away)
    assert clock[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0] and 50 <= sum(clock) <= 60
    assert [r.message for r in caplog.records] == [
        "s3://b/x: the store does not answer: Could not connect to server; trying again for 60 s"
    ]


def test_what_is_refused_is_not_asked_again(clock: list[float]) -> None:
    def refused() -> None:
        raise OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body.")

    with pytest.raises(PermissionError):
        trying("s3://b/x", refused)
    assert clock == []


@pytest.mark.slow
def test_a_server_that_comes_back_is_found(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="fer_tune")
    monkeypatch.setenv(module.PATIENCE, "60")
    file = store.folder("away") / "file"
    file.write_bytes(b"1")
    store.stop()
    back = threading.Timer(8.0, store.start)  # longer than the client itself tries
    back.start()
    try:
        began = time.monotonic()
        file.write_bytes(b"2")
        assert time.monotonic() - began > 7.0
    finally:
        back.join()
    assert file.read_bytes() == b"2"
    assert [r.message.partition(": ")[2][:27] for r in caplog.records] == [
        "the store does not answer: ",
        "answers again",
    ]


@pytest.mark.slow
def test_a_server_that_stays_away_is_one_fault(store: ObjectStore) -> None:
    file = store.folder("gone") / "file"
    store.stop()
    try:
        with pytest.raises(OSError, match="the store does not answer: Could not connect") as raised:
            file.write_bytes(b"2")
    finally:
        store.start()
    assert raised.value.filename == str(file) and "secret" not in str(raised.value)


def test_a_bucket_that_is_not_there(store: ObjectStore) -> None:
    folder = UrlPath(store.url("x", bucket="nobodys"))
    with pytest.raises(FileNotFoundError, match="there is no such bucket"):
        (folder / "file").write_bytes(b"1")
    assert not folder.has_bucket() and store.folder("x").has_bucket()


def test_credentials_that_are_wrong(store: ObjectStore) -> None:
    from moto.core import set_initial_no_auth_action_count

    file = UrlPath(store.url("x", user="wrong:secret@")) / "file"

    @set_initial_no_auth_action_count(0)
    def refused() -> None:
        with pytest.raises(PermissionError, match="the store refuses access") as raised:
            file.write_bytes(b"1")
        assert "secret" not in str(raised.value)
        with pytest.raises(PermissionError, match="the store refuses access"):
            file.read_bytes()

    refused()
