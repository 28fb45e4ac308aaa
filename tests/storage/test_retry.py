"""A store that is unavailable for a moment or permanently, or denies access."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from fer_tune.storage import UrlPath
from fer_tune.storage import retry as module
from fer_tune.storage.retry import translated, with_retries
from fer_tune.tuning.log.disk_faults import disk_error
from tests.module_time import replace_time
from tests.object_store import ObjectStore

CONNECTION_REFUSED = (
    "When reading information for key 'x' in bucket 'b': AWS Error NETWORK_CONNECTION during "
    "HeadObject operation: curlCode: 7, Could not connect to server; Details: Failed to connect"
)
#: What the clients say, and what becomes of it.
SAID = {
    CONNECTION_REFUSED: (
        errno.EHOSTUNREACH,
        "the store is unavailable: Could not connect to server",
    ),
    "When uploading part: AWS Error SLOW_DOWN during PutObject operation: Reduce your rate": (
        errno.EHOSTUNREACH,
        "the store is unavailable: Reduce your rate",
    ),
    "When x: AWS Error UNKNOWN (HTTP status 503) during PutObject operation: busy": (
        errno.EHOSTUNREACH,
        "the store is unavailable: busy",
    ),
    "When x: AWS Error UNKNOWN (HTTP status 429) during PutObject operation: Too many": (
        errno.EHOSTUNREACH,
        "the store is unavailable: Too many",
    ),
    "When x: AWS Error REQUEST_TIME_TOO_SKEWED during HeadObject operation: The difference": (
        errno.EACCES,
        "the store denies access: The difference",
    ),
    "google::cloud::Status(UNAVAILABLE: Retry policy exhausted, with a last message of PerformWork"
    "() - CURL error [7]=Could not connect to server error_info={reason=, domain=})": (
        errno.EHOSTUNREACH,
        "the store is unavailable: Could not connect to server",
    ),
    "google::cloud::Status(PERMISSION_DENIED: Permanent error": (errno.EACCES, "denies access"),
    "When completing multipart upload: AWS Error NO_SUCH_UPLOAD during CompleteMultipartUpload "
    "operation: The specified upload does not exist.": (
        errno.EHOSTUNREACH,
        "the store is unavailable: it lost an upload",
    ),
    "google::cloud::Status(NOT_FOUND: Permanent error, with a last message of Not Found error_info="
    "{reason=, domain=, metadata={gcloud-cpp.retry.function=UploadChunk}})": (
        errno.EHOSTUNREACH,
        "the store is unavailable: it lost an upload",
    ),
    "When x: AWS Error ACCESS_DENIED during PutObject operation: Access Denied": (
        errno.EACCES,
        "the store denies access: Access Denied",
    ),
    "When x: AWS Error ACCESS_DENIED during HeadObject operation: No response body.": (
        errno.EACCES,
        "the store denies access: ACCESS_DENIED",
    ),
    "When x: AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 60, SSL peer": (
        errno.EIO,
        "the store rejected the request: SSL peer",
    ),
    "When x: AWS Error NO_SUCH_BUCKET during PutObject operation: The specified bucket does not": (
        errno.ENOENT,
        "there is no such bucket",
    ),
}


@pytest.mark.parametrize("said", SAID)
def test_what_clients_say_is_reported_in_few_words(said: str) -> None:
    error = translated(OSError(said), "s3://b/x")
    number, words = SAID[said]
    assert error.errno == number and words in (error.strerror or "")
    assert error.filename == "s3://b/x" and "google" not in (error.strerror or "").lower()[:6]


@pytest.mark.parametrize("said", SAID)
def test_the_driver_knows_it_for_a_refusal_of_the_disk(said: str) -> None:
    error = translated(OSError(said), "s3://b/x")
    reported = RuntimeError(f"Traceback\n{type(error).__name__}: {error}\n")  # as Ray passes it on
    found = disk_error(reported)
    assert found is not None and (found.errno, found.filename) == (error.errno, "s3://b/x")
    assert disk_error(error) is error


def test_a_fault_of_the_local_disk_stays_what_it_is() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
    assert translated(full, "s3://b/x") is full


def test_what_google_calls_an_invalid_argument_is_an_error_of_the_store() -> None:
    said = "google::cloud::Status(INVALID_ARGUMENT: Permanent error, with a last message of x)"

    def refused() -> None:
        raise ValueError(said)

    with pytest.raises(OSError, match="the store rejected the request") as raised:
        with_retries("gs://b/x", refused)
    assert raised.value.filename == "gs://b/x"

    def broken() -> None:
        raise ValueError("of this program")

    with pytest.raises(ValueError, match="of this program"):
        with_retries("gs://b/x", broken)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Waits that take no time."""
    waited: list[float] = []
    replace_time(monkeypatch, module, monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr(module, "_given_up", set())
    monkeypatch.delenv(module.PATIENCE, raising=False)
    yield waited


def test_it_asks_ever_more_rarely_and_gives_up_after_a_minute(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="fer_tune")

    def away() -> None:
        raise OSError(CONNECTION_REFUSED)

    with pytest.raises(OSError, match="is unavailable"):
        with_retries("s3://b/x", away)
    assert clock[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0] and 50 <= sum(clock) <= 60
    assert [r.message for r in caplog.records] == [
        "s3://b/x: the store is unavailable: Could not connect to server; retrying for 60 s"
    ]


def test_a_store_that_was_given_up_is_asked_once_until_it_answers(clock: list[float]) -> None:
    """A search that ends because of it has more calls to make, each of which would wait."""

    def away() -> None:
        raise OSError(CONNECTION_REFUSED)

    def waited_for(where: str) -> float:
        before = sum(clock)
        with pytest.raises(OSError, match="is unavailable"):
            with_retries(where, away)
        return sum(clock) - before

    assert waited_for("s3://b/x") > 50
    assert waited_for("s3://b/y") == 0
    assert waited_for("s3://other/x") > 50, "another bucket may be available"
    assert with_retries("s3://b/z", lambda: 1) == 1
    assert waited_for("s3://b/x") > 50


def test_what_is_refused_is_not_asked_again(clock: list[float]) -> None:
    def refused() -> None:
        raise OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body.")

    with pytest.raises(PermissionError):
        with_retries("s3://b/x", refused)
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
    back = threading.Timer(1.5, store.start)
    back.start()
    try:
        began = time.monotonic()
        file.write_bytes(b"2")
        assert time.monotonic() - began > 1.0
    finally:
        back.join()
    assert file.read_bytes() == b"2"
    assert [r.message.partition(": ")[2][:26] for r in caplog.records] == [
        "the store is unavailable: ",
        "available again",
    ]


@pytest.mark.slow
def test_a_server_that_stays_unavailable_is_one_error(store: ObjectStore) -> None:
    file = store.folder("gone") / "file"
    store.stop()
    try:
        with pytest.raises(OSError, match="the store is unavailable: Could not connect") as raised:
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
        with pytest.raises(PermissionError, match="the store denies access") as raised:
            file.write_bytes(b"1")
        assert "secret" not in str(raised.value)
        with pytest.raises(PermissionError, match="the store denies access"):
            file.read_bytes()

    refused()
