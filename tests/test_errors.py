"""An OSError becomes one message: what failed, where, why, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fer_tune.errors import DataError, ResultsError, UserError, because, reading, reporting


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "Permission denied"),
        (errno.ENOSPC, "No space left on device"),
        (errno.ENAMETOOLONG, "File name too long"),
        (errno.EISDIR, "Is a directory"),
        (errno.ENOTDIR, "Not a directory"),
    ],
)
def test_a_message_names_what_where_why_and_what_to_do(number: int, reason: str) -> None:
    with pytest.raises(ResultsError) as raised, reporting("cannot be written", "/f", "Move it"):
        raise OSError(number, os.strerror(number), "/f/x")
    assert str(raised.value) == f"/f: cannot be written: {reason}. Move it"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("the store refuses"), "the store refuses"),
        (OSError(), "OSError"),
        (ValueError("embedded null byte"), "embedded null byte"),
        (FileNotFoundError(2, "is not there", "s3://b"), "is not there"),
    ],
)
def test_the_reason_is_never_empty(error: Exception, reason: str) -> None:
    assert because(error) == reason


def test_the_kind_of_error_is_chosen(tmp_path: Path) -> None:
    words = "cannot be read: Is a directory"
    with pytest.raises(DataError, match=words), reading(tmp_path, DataError):
        tmp_path.read_bytes()


@pytest.mark.parametrize("error", [ValueError("x"), UserError("x"), KeyboardInterrupt()])
def test_other_errors_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, reading("/f"):
        raise error
    assert raised.value is error


def test_kinds_that_are_not_reported_pass() -> None:
    passing = (ConnectionError, TimeoutError)
    with pytest.raises(TimeoutError), reporting("cannot write", "/f", "Wait", passing=passing):
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    with pytest.raises(ResultsError), reporting("cannot write", "/f", "Wait", passing=passing):
        raise PermissionError(errno.EACCES, "Permission denied")
